--- Votes on the metrics of runs and call logs.

local errors = require "cekura.sandbox.errors"
local json = require "cekura.sandbox.json"

local null = json.null

local handlers = {}

local function without_null(argument)
  if argument == null then return nil end
  return argument
end

--- Votes on a run or a call log. Returns the status and the body of an error, or nil.
local function vote(store, call, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.unknown_id("metric_id", args.metric_id) end
  local evaluation = call.by_metric[args.metric_id]
  if not evaluation then
    return errors.bad("metric_id", "Metric %d has not been evaluated on this %s.", args.metric_id,
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
  if not run then return errors.not_found "Run" end
  local status, problem = vote(store, run, args)
  if status then return status, problem end
  return 200, { success = true }
end

handlers["POST /observability/v1/call-logs/{call_log_id}/mark_metric_vote/"] =
  function(store, args)
    local log = store:call_log(args.call_log_id)
    if not log then return errors.not_found "CallLog" end
    local status, problem = vote(store, log, args)
    if status then return status, problem end
    return 200, { detail = "Vote recorded." }
  end

return handlers
