--- Results, runs and call logs, singly and in lists.

local core = require "cekura.core" -- preloads cekura.internal
local internal = require "cekura.internal"

local errors = require "cekura.sandbox.errors"
local filters = require "cekura.sandbox.filters"
local json = require "cekura.sandbox.json"
local lists = require "cekura.sandbox.lists"
local runs = require "cekura.sandbox.runs"
local scope = require "cekura.sandbox.scope"
local views = require "cekura.sandbox.views"

local array = json.array

local handlers = {}

-- ---- results ----

handlers["GET /test_framework/v2/results/{result_id}/"] = function(store, args, _, version)
  local result = store.results[args.result_id]
  if not result then return errors.not_found "Result" end
  return 200, views.result_detail(result, store, version)
end

--- Returns a list that has each result once for each of its runs with one of the scenarios: the
--- document of results-list announces such duplicates.
local function by_scenario(store, results, scenarios)
  local wanted, found = scope.set_of(scenarios), {}
  for _, result in ipairs(results) do
    for _, run in ipairs(store:runs_of(result)) do
      if wanted[run.scenario.id] then found[#found + 1] = result end
    end
  end
  return found
end

handlers["GET /test_framework/v2/results/"] = function(store, args, request)
  local search = (args.search or ""):lower()
  local found = lists.newest_first(store.result_list, function(result)
    return scope.contains(result.agent, args) and result.name:lower():find(search, 1, true)
  end)
  if args.scenarios then found = by_scenario(store, found, args.scenarios) end
  return lists.page(found, args, request, function(result) return views.result(result, store) end)
end

-- ---- runs ----

handlers["GET /test_framework/v2/runs/{run_id}/"] = function(store, args, _, version)
  local run = store:run(args.run_id)
  if not run then return errors.not_found "Run" end
  return 200, views.run(run, store, version)
end

--- Returns whether the run's result is in the scope of a request.
local function in_scope(result, args)
  return scope.contains(result.agent, args)
    and (not args.result_id or result.id == args.result_id)
end

handlers["GET /test_framework/v2/runs/"] = function(store, args, request, version)
  local passes, unsupported = runs.test(store, args)
  if not passes then
    return errors.bad(unsupported, "The sandbox does not filter by %s.", unsupported)
  end
  local found = {}
  for _, result in ipairs(lists.newest_first(store.result_list, function(result)
    return in_scope(result, args)
  end)) do
    table.move(lists.newest_first(store:runs_of(result), passes), 1, result.run_count,
      #found + 1, found)
  end
  return lists.page(found, args, request, function(run)
    return views.run_in_list(run, store, version)
  end)
end

handlers["GET /test_framework/v2/runs/bulk/"] = function(store, args, _, version)
  local list = array {}
  for _, id in ipairs(args.run_ids) do
    local run = store:run(id)
    if run and in_scope(run.result, args) then list[#list + 1] = views.run(run, store, version) end
  end
  return 200, list
end

-- ---- call logs ----

handlers["GET /observability/v2/call-logs/{call_log_id}/"] = function(store, args, _, version)
  local log = store:call_log(args.call_log_id)
  if not log then return errors.not_found "CallLog" end
  return 200, views.call_log_detail(log, store, version)
end

local DAY = 86400 -- seconds
local DEFAULT_DAYS = 30 -- covered by a list of call logs without a time range
local RANGE = core.endpoints["calls.list"].range

--- Returns the seconds since the epoch and the digits of the fraction, which may have any number.
local function parse_time(text)
  local seconds, fraction = internal.timestamp(text)
  return seconds, (fraction:gsub("0+$", ""))
end

--- Returns the time range of a list of call logs; or nil, nil, a status and a body. Without
--- timestamp_to it ends now. The documents do not say what a range without timestamp_from is: here
--- it is as long as the default.
local function time_range(store, args)
  local now = store.now()
  local from, from_digits, to, to_digits = nil, "", now, ""
  if args.timestamp_to then to, to_digits = parse_time(args.timestamp_to) end
  if args.timestamp_from then from, from_digits = parse_time(args.timestamp_from) end
  local excess = from and to - from - RANGE.days * DAY or -1
  if excess > 0 or excess == 0 and to_digits > from_digits then
    return nil, nil, errors.bad(RANGE.to, "The time range must not exceed %d days.", RANGE.days)
  end
  to = to + tonumber("0." .. to_digits)
  return from and from + tonumber("0." .. from_digits) or to - DEFAULT_DAYS * DAY, to
end

--- The fields of `filters_v2` in the document of observability-v2-call-logs-list, and fields of the
--- view that follow its "etc.".
local KNOWN = { fields = {}, operators = scope.set_of {
  "eq", "neq", "gt", "gte", "lt", "lte", "contains", "startswith", "in", "isnull",
} }
for _, field in ipairs {
  "id", "agent", "agent_name", "project", "call_id", "topic", "customer_number", "dropoff_point",
  "call_ended_reason", "feedback", "success", "is_reviewed", "status", "timestamp", "created_at",
  "updated_at", "duration",
} do KNOWN.fields[field] = field end

handlers["GET /observability/v2/call-logs/"] = function(store, args, request, version)
  local from, to, status, problem = time_range(store, args)
  if not from then return status, problem end
  local function view(entry) return views.call_log(store:call_log(entry.id), store, version) end
  local passes
  if args.filters_v2 then passes, problem = filters.compile(args.filters_v2, KNOWN) end
  if problem then return errors.bad("filters_v2", "%s", problem) end
  local wanted = args.call_ids and scope.set_of(args.call_ids)
  local found = lists.newest_first(store.call_log_list, function(entry)
    return scope.contains(entry.agent, args) and entry.timestamp >= from and entry.timestamp <= to
      and (not wanted or wanted[entry.id]) and (not passes or passes(view(entry)))
  end)
  return lists.page(found, args, request, view)
end

return handlers
