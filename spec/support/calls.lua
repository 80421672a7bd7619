-- A correct call of each endpoint. A spec changes single arguments:
--
--   calls.make(client, "runs.mark_metric_vote", { feedback = "x" })
local calls = {}

calls.none = function() end  -- a value in `changes` that removes the field

local correct = {
  ["runs.mark_metric_vote"] = {
    run_id = 5544, metric_id = 55, thumbs_up = false, expected_value = 2,
  },
  ["results.evaluate_metrics"] = { result_id = 373, run_ids = { 5544 }, metric_ids = { 55 } },
  ["results.bulk_evaluate_metrics"] = { result_ids = { 373 }, metric_ids = { 55 } },
  ["calls.evaluate_metrics"] = { agent_id = 231, call_logs = { 1 }, metrics = { 57 } },
  ["metric_reviews.process_feedbacks"] = { metric_id = 55 },
  ["metric_reviews.process_feedbacks_progress"] = { progress_id = "a-job" },
  ["metric_reviews.process_feedbacks_cancel"] = { progress_id = "a-job" },
  ["test_sets.create_from_run"] = {
    run_id = 5544, metrics = { { metric = 55, expected_value = 2, feedback = "missed a step" } },
  },
  ["test_sets.create_from_call_log"] = { call_log_id = 70071, metrics = { { metric = 55 } } },
  ["metrics.get"] = { metric_id = 55 },
  ["metrics.list"] = {},
  ["metrics.update"] = { metric_id = 55, description = "Was it booked?" },
  ["metrics.run_reviews"] = { metric_id = 55 },
  ["metrics.run_reviews_progress"] = { progress_id = "a-job" },
  ["metrics.history"] = { metric_id = 55 },
  ["metrics.restore"] = { metric_id = 55, history_id = 1 },
  ["results.get"] = { result_id = 373 },
  ["results.list"] = {},
  ["results.create_shareable_link_token"] = { result_id = 373 },
  ["runs.get"] = { run_id = 5544 },
  ["runs.list"] = {},
  ["runs.bulk"] = { run_ids = { 5543, 5544 } },
  ["calls.get"] = { call_log_id = 70071 },
  ["calls.list"] = {},
  ["calls.mark_metric_vote"] = {
    call_log_id = 70071, metric_id = 55, thumbs_up = true, expected_value = 3,
  },
  ["billing.info"] = {},
}

-- The five endpoints: a vote, and four that spend credits.
calls.names = {
  "runs.mark_metric_vote", "results.evaluate_metrics", "results.bulk_evaluate_metrics",
  "calls.evaluate_metrics", "metric_reviews.process_feedbacks",
}

-- The other endpoints that are idempotent. A transient failure of any of them is retried.
calls.companions = {
  "metric_reviews.process_feedbacks_progress", "metric_reviews.process_feedbacks_cancel",
  "test_sets.create_from_run", "test_sets.create_from_call_log", "metrics.get", "metrics.list",
  "metrics.update", "metrics.run_reviews_progress", "metrics.history", "metrics.restore",
  "results.get", "results.list", "runs.get", "runs.list", "runs.bulk", "calls.get", "calls.list",
  "calls.mark_metric_vote", "billing.info",
}

-- The other endpoints that are not: sending one twice scores labels twice, or makes two links.
calls.once = { "metrics.run_reviews", "results.create_shareable_link_token" }

-- Returns correct arguments with these changes.
function calls.arguments(name, changes)
  local arguments = {}
  for field, value in pairs(correct[name]) do arguments[field] = value end
  for field, value in pairs(changes or {}) do
    if value == calls.none then value = nil end
    arguments[field] = value
  end
  return arguments
end

function calls.make(client, name, changes, options)
  local resource, call = name:match "^(.*)%.(.*)$"
  local endpoint = client[resource]
  return endpoint[call](endpoint, calls.arguments(name, changes), options)
end

function calls.vote(client, changes, options)
  return calls.make(client, "runs.mark_metric_vote", changes, options)
end

return calls
