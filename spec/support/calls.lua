-- A correct call of each endpoint, to be changed by a word or two.
--
--   calls.make(client, "runs.mark_metric_vote", { feedback = "x" })
local calls = {}

calls.none = function() end  -- in `changes`: leaves the field out

local correct = {
  ["runs.mark_metric_vote"] = {
    run_id = 5544, metric_id = 55, thumbs_up = false, expected_value = 2,
  },
  ["results.evaluate_metrics"] = { result_id = 373, run_ids = { 5544 }, metric_ids = { 55 } },
  ["results.bulk_evaluate_metrics"] = { result_ids = { 373 }, metric_ids = { 55 } },
  ["calls.evaluate_metrics"] = { agent_id = 231, call_logs = { 1 }, metrics = { 57 } },
  ["metric_reviews.process_feedbacks"] = { metric_id = 55 },
}

calls.names = {
  "runs.mark_metric_vote", "results.evaluate_metrics", "results.bulk_evaluate_metrics",
  "calls.evaluate_metrics", "metric_reviews.process_feedbacks",
}

-- Correct arguments, with some of them changed.
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
