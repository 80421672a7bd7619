--- The handlers of the endpoints, by method and path. A handler gets the store, the arguments,
--- whose types have been checked, and the request. It returns a status and the value of the body.

require "cekura.core" -- preloads cekura.internal
local ascii = require "cekura.internal.ascii"
local internal = require "cekura.internal"

local filters = require "cekura.sandbox.filters"
local optimiser = require "cekura.sandbox.optimiser"
local json = require "cekura.sandbox.json"
local views = require "cekura.sandbox.views"
local generate = require "cekura.sandbox.generate"

local array, null = json.array, json.null

local handlers = {}

local DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
local DEFAULT_WINDOW = 30 * 86400 -- seconds that a list of call logs covers without a time range

-- ---- errors ----

local function not_found(what)
  return 404, { detail = ("No %s matches the given query."):format(what) }
end

local function bad(field, text, ...)
  return 400, { [field] = array { text:format(...) } }
end

local function unknown_id(field, id)
  return bad(field, 'Invalid pk "%s" - object does not exist.', tostring(id))
end

-- ---- arguments ----

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

--- Returns what find(id) returns for each id, without duplicates; or nil and the first unknown id.
local function find_all(ids, find)
  local found, seen = {}, {}
  for _, id in ipairs(ids) do
    local number = math.tointeger(tonumber(id))
    local item = number and find(number)
    if not item then return nil, id end
    if not seen[item] then found[#found + 1] = item end
    seen[item] = true
  end
  return found
end

--- Returns seconds since the epoch, or nil. The zone, and the time of day, may be missing.
local function parse_time(text)
  for _, rest in ipairs { "", "Z", "T00:00:00Z" } do
    local seconds, fraction = internal.timestamp(text .. rest)
    if seconds then return seconds + tonumber("0." .. fraction) end
  end
end

-- ---- lists, a page at a time ----

--- Returns the URL of another page of the same list.
local function page_url(request, page)
  local query = {}
  for part in request.query:gmatch "[^&]+" do
    if not part:find "^page=" then query[#query + 1] = part end
  end
  query[#query + 1] = "page=" .. page
  return ("http://%s%s?%s"):format(request.headers.host or "localhost", request.path,
    table.concat(query, "&"))
end

local function page_of(list, args, request, view)
  local size = math.min(math.max(args.page_size or DEFAULT_PAGE_SIZE, 1), MAX_PAGE_SIZE)
  local page, pages = args.page or 1, math.max(math.ceil(#list / size), 1)
  if page < 1 or page > pages then return 404, { detail = "Invalid page." } end
  local results = array {}
  for i = (page - 1) * size + 1, math.min(page * size, #list) do
    results[#results + 1] = view(list[i])
  end
  return 200, {
    count = #list, results = results,
    next = page < pages and page_url(request, page + 1) or null,
    previous = page > 1 and page_url(request, page - 1) or null,
  }
end

--- Returns the items for which test(item) is true, newest first.
local function newest_first(list, test)
  local found = {}
  for i = #list, 1, -1 do
    if test(list[i]) then found[#found + 1] = list[i] end
  end
  return found
end

--- Returns whether an agent is the one of agent_id, or in the project of project_id.
local function in_scope(agent, args)
  return (not args.agent_id or agent.id == args.agent_id)
    and (not args.project_id or agent.project == args.project_id)
end

-- ---- votes ----

local function without_null(argument)
  if argument == null then return nil end
  return argument
end

--- Votes on a run or a call log. Returns the status and the body of an error, or nil.
local function vote(store, call, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return unknown_id("metric_id", args.metric_id) end
  local evaluation = call.by_metric[args.metric_id]
  if not evaluation then
    return bad("metric_id", "Metric %d has not been evaluated on this %s.", args.metric_id,
      call.kind == "run" and "run" or "call log")
  end
  store:vote(call, evaluation, {
    thumbs_up = without_null(args.thumbs_up), expected_value = without_null(args.expected_value),
    feedback = without_null(args.feedback),
  })
  return nil
end

handlers["POST /test_framework/v1/runs/{run_id}/mark_metric_vote/"] = function(store, args)
  local run = store:run(args.run_id)
  if not run then return not_found "Run" end
  local status, problem = vote(store, run, args)
  if status then return status, problem end
  return 200, { success = true }
end

handlers["POST /observability/v1/call-logs/{call_log_id}/mark_metric_vote/"] =
  function(store, args)
    local log = store:call_log(args.call_log_id)
    if not log then return not_found "CallLog" end
    local status, problem = vote(store, log, args)
    if status then return status, problem end
    return 200, { detail = "Vote recorded." }
  end

-- ---- evaluations ----

local function find_metrics(store, ids)
  return find_all(ids, function(id) return store.metrics[id] end)
end

--- Returns the metrics, which must be defined for every agent; or nil, a status and a body.
local function metrics_for(agents, store, ids)
  local metrics, unknown = find_metrics(store, ids)
  if not metrics then return nil, unknown_id("metric_ids", unknown) end
  for _, agent in ipairs(agents) do
    for _, metric in ipairs(metrics) do
      if not generate.is_for(metric, agent) then
        return nil, bad("metric_ids", "Metric %d does not belong to agent %d.", metric.id, agent.id)
      end
    end
  end
  return metrics
end

--- Pays for the evaluations. Returns the status and the body of an error, or nil.
local function charge(store, evaluations)
  local paid, cost = store:charge(evaluations)
  if paid then return nil end
  return 400, { detail = ("Insufficient credits: this needs %s, and %s remain."):format(
    ascii.format("%.2f", cost), ascii.format("%.2f", store.balance.remaining)) }
end

handlers["POST /test_framework/v1/results/{result_id}/evaluate_metrics/"] = function(store, args)
  local result = store.results[args.result_id]
  if not result then return not_found "Result" end
  local runs, unknown = find_all(args.run_ids, function(id)
    return store.result_of_run[id] == result and store:run(id)
  end)
  if not runs then return bad("run_ids", "Run %s does not belong to this result.", unknown) end
  local metrics, status, problem = metrics_for({ result.agent }, store, args.metric_ids)
  if not metrics then return status, problem end
  status, problem = charge(store, #runs * #metrics)
  if status then return status, problem end
  store:start_evaluation(runs, metrics, result)
  return 200, views.result(result, store)
end

handlers["POST /test_framework/v1/results/bulk_evaluate_metrics/"] = function(store, args)
  local results, unknown = find_all(args.result_ids, function(id) return store.results[id] end)
  if not results then return unknown_id("result_ids", unknown) end
  local agents = {}
  for i, result in ipairs(results) do agents[i] = result.agent end
  local metrics, status, problem = metrics_for(agents, store, args.metric_ids)
  if not metrics then return status, problem end
  local runs_of, total = {}, 0 -- the runs that have ended
  for i, result in ipairs(results) do
    runs_of[i] = {}
    for _, run in ipairs(store:runs_of(result)) do
      if run.status ~= "timeout" then table.insert(runs_of[i], run) end
    end
    total = total + #runs_of[i]
  end
  status, problem = charge(store, total * #metrics)
  if status then return status, problem end
  for i, result in ipairs(results) do store:start_evaluation(runs_of[i], metrics, result) end
  return 200
end

--- Returns a test on agents for agent_id or project_id; or nil, a status and a body if the id
--- is unknown.
local function scope_of(store, args)
  if args.agent_id and not store.agents[args.agent_id] then
    return nil, unknown_id("agent_id", args.agent_id)
  elseif args.project_id and not store.projects[args.project_id] then
    return nil, unknown_id("project_id", args.project_id)
  end
  return function(agent) return in_scope(agent, args) end
end

--- Returns the first metric that is defined for no agent in scope, or nil.
local function metric_out_of_scope(store, metrics, is_in_scope)
  for _, metric in ipairs(metrics) do
    local fits = false
    for _, id in ipairs(metric.agents) do fits = fits or is_in_scope(store.agents[id]) end
    if not fits then return metric end
  end
end

handlers["POST /observability/v1/call-logs/evaluate_metrics/"] = function(store, args)
  local is_in_scope, status, problem = scope_of(store, args)
  if not is_in_scope then return status, problem end
  local logs, unknown = find_all(args.call_logs, function(id)
    local log = store:call_log(id)
    return log and is_in_scope(log.agent) and log
  end)
  if not logs then return bad("call_logs", "Call log %s is not in this scope.", unknown) end
  local metrics
  metrics, unknown = find_metrics(store, args.metrics)
  if not metrics then return unknown_id("metrics", unknown) end
  local foreign = metric_out_of_scope(store, metrics, is_in_scope)
  if foreign then return bad("metrics", "Metric %d is not in this scope.", foreign.id) end
  status, problem = charge(store, #logs * #metrics)
  if status then return status, problem end
  local before = array {}
  for i, log in ipairs(logs) do before[i] = views.call_log(log, store) end
  store:start_evaluation(logs, metrics)
  return 200, before
end

-- ---- the optimiser ----

--- Returns the reviews of a metric, only those of the test sets `ids` unless that is nil.
local function chosen_reviews(store, metric, ids)
  local reviews = store:reviews(metric)
  if not ids then return reviews end
  local wanted, chosen = set_of(ids), {}
  for _, review in ipairs(reviews) do
    if wanted[optimiser.test_set_id(review.call)] then chosen[#chosen + 1] = review end
  end
  return chosen
end

handlers["POST /test_framework/metric-reviews/process_feedbacks/"] = function(store, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return unknown_id("metric_id", args.metric_id) end
  local reviews = chosen_reviews(store, metric, args.test_set_ids)
  if #reviews == 0 then
    if args.test_set_ids then
      return bad("test_set_ids", "None of these has a review of this metric.")
    end
    return bad("metric_id", "There is no feedback on this metric yet.")
  end
  local status, problem = charge(store, #reviews)
  if status then return status, problem end
  return 200, { progress_id = store:start_optimiser(metric, args, reviews).progress_id }
end

handlers["GET /test_framework/metric-reviews/process_feedbacks_progress/"] = function(store, args)
  local job = store.optimiser_jobs[args.progress_id]
  if not job then return 404, { detail = "Not found." } end
  local allowed = false
  for _, id in ipairs(job.metric.agents) do
    allowed = allowed or in_scope(store.agents[id], args)
  end
  if not allowed then
    return 403, { detail = "You do not have permission to perform this action." }
  end
  return 200, views.progress(job, store.now())
end

-- ---- reading ----

handlers["GET /test_framework/v1/results/{result_id}/"] = function(store, args)
  local result = store.results[args.result_id]
  if not result then return not_found "Result" end
  return 200, views.result_detail(result, store)
end

--- Returns whether one of the result's runs has one of the scenarios.
local function has_scenario(store, result, wanted)
  for _, run in ipairs(store:runs_of(result)) do
    if wanted[run.scenario.id] then return true end
  end
  return false
end

handlers["GET /test_framework/v1/results/"] = function(store, args, request)
  local wanted = args.scenarios and set_of(args.scenarios)
  local search = (args.search or ""):lower()
  local found = newest_first(store.result_list, function(result)
    return in_scope(result.agent, args) and result.name:lower():find(search, 1, true)
      and (not wanted or has_scenario(store, result, wanted))
  end)
  return page_of(found, args, request, function(result) return views.result(result, store) end)
end

handlers["GET /test_framework/v1/runs/{run_id}/"] = function(store, args)
  local run = store:run(args.run_id)
  if not run then return not_found "Run" end
  return 200, views.run(run, store)
end

handlers["GET /test_framework/v1/runs/bulk/"] = function(store, args)
  local list = array {}
  for _, id in ipairs(args.run_ids) do
    local run = store:run(id)
    if run then list[#list + 1] = views.run(run, store) end
  end
  return 200, list
end

handlers["GET /observability/v1/call-logs/{call_log_id}/"] = function(store, args)
  local log = store:call_log(args.call_log_id)
  if not log then return not_found "CallLog" end
  return 200, views.call_log_detail(log, store)
end

--- Returns the time range of a list of call logs; or nil, nil, a status and a body.
local function time_range(store, args)
  local from, to = store.now() - DEFAULT_WINDOW, math.huge
  if args.timestamp_from or args.timestamp_to then from = -math.huge end
  if args.timestamp_from then from = parse_time(args.timestamp_from) end
  if not from then return nil, nil, bad("timestamp_from", "Enter a valid date/time.") end
  if args.timestamp_to then to = parse_time(args.timestamp_to) end
  if not to then return nil, nil, bad("timestamp_to", "Enter a valid date/time.") end
  return from, to
end

handlers["GET /observability/v1/call-logs/"] = function(store, args, request)
  local from, to, status, problem = time_range(store, args)
  if not from then return status, problem end
  local function view(entry) return views.call_log(store:call_log(entry.id), store) end
  local passes
  if args.filters_v2 then
    passes, problem = filters.compile(args.filters_v2)
    if not passes then return bad("filters_v2", "%s", problem) end
  end
  local wanted = args.call_ids and set_of(args.call_ids)
  local found = newest_first(store.call_log_list, function(entry)
    return in_scope(entry.agent, args) and entry.timestamp >= from and entry.timestamp <= to
      and (not wanted or wanted[entry.id])
      and (not args.assistant_id or entry.agent.assistant_id == args.assistant_id)
      and (not passes or passes(view(entry)))
  end)
  return page_of(found, args, request, view)
end

handlers["GET /test_framework/v1/metrics/{metric_id}/"] = function(store, args)
  local metric = store:metric(args.metric_id)
  if not metric then return not_found "Metric" end
  return 200, views.metric_detail(metric, store)
end

--- The arguments that do not change the metric: a project is read-only once it is set.
local READ_ONLY = { metric_id = true, project = true }

handlers["PATCH /test_framework/v1/metrics/{metric_id}/"] = function(store, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return not_found "Metric" end
  local agents, unknown = find_all(args.agents or {}, function(id) return store.agents[id] end)
  if not agents then return unknown_id("agents", unknown) end
  local changes = {}
  for name, given in pairs(args) do
    if not READ_ONLY[name] then changes[name] = given end
  end
  store:update_metric(metric, changes)
  return 200, views.metric(metric)
end

handlers["GET /test_framework/billing/info/"] = function(store)
  return 200, views.billing(store)
end

return handlers
