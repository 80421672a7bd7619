--- Results, runs and call logs, singly and in lists.

require "cekura.core" -- preloads cekura.internal
local internal = require "cekura.internal"

local errors = require "cekura.sandbox.errors"
local filters = require "cekura.sandbox.filters"
local json = require "cekura.sandbox.json"
local lists = require "cekura.sandbox.lists"
local scope = require "cekura.sandbox.scope"
local views = require "cekura.sandbox.views"

local array = json.array

local DEFAULT_WINDOW = 30 * 86400 -- seconds that a list of call logs covers without a time range

local handlers = {}

handlers["GET /test_framework/v2/results/{result_id}/"] = function(store, args)
  local result = store.results[args.result_id]
  if not result then return errors.not_found "Result" end
  return 200, views.result_detail(result, store)
end

--- Returns whether one of the result's runs has one of the scenarios.
local function has_scenario(store, result, wanted)
  for _, run in ipairs(store:runs_of(result)) do
    if wanted[run.scenario.id] then return true end
  end
  return false
end

handlers["GET /test_framework/v2/results/"] = function(store, args, request)
  local wanted = args.scenarios and scope.set_of(args.scenarios)
  local search = (args.search or ""):lower()
  local found = lists.newest_first(store.result_list, function(result)
    return scope.contains(result.agent, args) and result.name:lower():find(search, 1, true)
      and (not wanted or has_scenario(store, result, wanted))
  end)
  return lists.page(found, args, request, function(result) return views.result(result, store) end)
end

handlers["GET /test_framework/v2/runs/{run_id}/"] = function(store, args)
  local run = store:run(args.run_id)
  if not run then return errors.not_found "Run" end
  return 200, views.run(run, store)
end

handlers["GET /test_framework/v2/runs/bulk/"] = function(store, args)
  local list = array {}
  for _, id in ipairs(args.run_ids) do
    local run = store:run(id)
    if run then list[#list + 1] = views.run(run, store) end
  end
  return 200, list
end

handlers["GET /observability/v2/call-logs/{call_log_id}/"] = function(store, args)
  local log = store:call_log(args.call_log_id)
  if not log then return errors.not_found "CallLog" end
  return 200, views.call_log_detail(log, store)
end

--- Returns seconds since the epoch, or nil. The zone, and the time of day, may be missing.
local function parse_time(text)
  for _, rest in ipairs { "", "Z", "T00:00:00Z" } do
    local seconds, fraction = internal.timestamp(text .. rest)
    if seconds then return seconds + tonumber("0." .. fraction) end
  end
end

--- Returns the time range of a list of call logs; or nil, nil, a status and a body.
local function time_range(store, args)
  local from, to = store.now() - DEFAULT_WINDOW, math.huge
  if args.timestamp_from or args.timestamp_to then from = -math.huge end
  if args.timestamp_from then from = parse_time(args.timestamp_from) end
  if not from then return nil, nil, errors.bad("timestamp_from", "Enter a valid date/time.") end
  if args.timestamp_to then to = parse_time(args.timestamp_to) end
  if not to then return nil, nil, errors.bad("timestamp_to", "Enter a valid date/time.") end
  return from, to
end

handlers["GET /observability/v2/call-logs/"] = function(store, args, request)
  local from, to, status, problem = time_range(store, args)
  if not from then return status, problem end
  local function view(entry) return views.call_log(store:call_log(entry.id), store) end
  local passes
  if args.filters_v2 then
    passes, problem = filters.compile(args.filters_v2)
    if not passes then return errors.bad("filters_v2", "%s", problem) end
  end
  local wanted = args.call_ids and scope.set_of(args.call_ids)
  local found = lists.newest_first(store.call_log_list, function(entry)
    return scope.contains(entry.agent, args) and entry.timestamp >= from and entry.timestamp <= to
      and (not wanted or wanted[entry.id])
      and (not args.assistant_id or entry.agent.assistant_id == args.assistant_id)
      and (not passes or passes(view(entry)))
  end)
  return lists.page(found, args, request, view)
end

return handlers
