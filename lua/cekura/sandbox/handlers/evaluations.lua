--- The evaluations of runs, results and call logs, which spend credits.

local credits = require "cekura.sandbox.credits"
local errors = require "cekura.sandbox.errors"
local generate = require "cekura.sandbox.generate"
local json = require "cekura.sandbox.json"
local scope = require "cekura.sandbox.scope"
local views = require "cekura.sandbox.views"

local array = json.array

local handlers = {}

local function find_metrics(store, ids)
  return scope.find_all(ids, function(id) return store.metrics[id] end)
end

--- Returns the metrics, which must be defined for every agent; or nil, a status and a body.
local function metrics_for(agents, store, ids)
  local metrics, unknown = find_metrics(store, ids)
  if not metrics then return nil, errors.unknown_id("metric_ids", unknown) end
  for _, agent in ipairs(agents) do
    for _, metric in ipairs(metrics) do
      if not generate.is_for(metric, agent) then
        return nil, errors.bad("metric_ids", "Metric %d does not belong to agent %d.",
          metric.id, agent.id)
      end
    end
  end
  return metrics
end

handlers["POST /test_framework/v1/results/{result_id}/evaluate_metrics/"] = function(store, args)
  local result = store.results[args.result_id]
  if not result then return errors.not_found "Result" end
  local runs, unknown = scope.find_all(args.run_ids, function(id)
    return store.result_of_run[id] == result and store:run(id)
  end)
  if not runs then
    return errors.bad("run_ids", "Run %s does not belong to this result.", unknown)
  end
  local metrics, status, problem = metrics_for({ result.agent }, store, args.metric_ids)
  if not metrics then return status, problem end
  status, problem = credits.charge(store, #runs * #metrics)
  if status then return status, problem end
  store:start_evaluation(runs, metrics, result)
  return 200, views.result(result, store)
end

handlers["POST /test_framework/v1/results/bulk_evaluate_metrics/"] = function(store, args)
  local results, unknown = scope.find_all(args.result_ids, function(id)
    return store.results[id]
  end)
  if not results then return errors.unknown_id("result_ids", unknown) end
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
  status, problem = credits.charge(store, total * #metrics)
  if status then return status, problem end
  for i, result in ipairs(results) do store:start_evaluation(runs_of[i], metrics, result) end
  return 200
end

--- Returns the first metric that is defined for no agent in scope, or nil.
local function metric_out_of_scope(store, metrics, is_in_scope)
  for _, metric in ipairs(metrics) do
    local fits = false
    for _, id in ipairs(metric.agents) do fits = fits or is_in_scope(store.agents[id]) end
    if not fits then return metric end
  end
end

handlers["POST /observability/v1/call-logs/evaluate_metrics/"] = function(store, args, _, version)
  local is_in_scope, status, problem = scope.of(store, args)
  if not is_in_scope then return status, problem end
  local logs, unknown = scope.find_all(args.call_logs, function(id)
    local log = store:call_log(id)
    return log and is_in_scope(log.agent) and log
  end)
  if not logs then return errors.bad("call_logs", "Call log %s is not in this scope.", unknown) end
  local metrics
  metrics, unknown = find_metrics(store, args.metrics)
  if not metrics then return errors.unknown_id("metrics", unknown) end
  local foreign = metric_out_of_scope(store, metrics, is_in_scope)
  if foreign then return errors.bad("metrics", "Metric %d is not in this scope.", foreign.id) end
  status, problem = credits.charge(store, #logs * #metrics)
  if status then return status, problem end
  local before = array {}
  for i, log in ipairs(logs) do before[i] = views.call_log(log, store, version) end
  store:start_evaluation(logs, metrics)
  return 200, before
end

return handlers
