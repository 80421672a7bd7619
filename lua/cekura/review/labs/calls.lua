--- An agent's newest production calls, as the source of a review. A batch is at most a hundred
--- calls, which one request evaluates.

local command = require "cekura.review.internal.command"
local metrics = require "cekura.review.internal.metrics"
local responses = require "cekura.review.internal.responses"
local source = require "cekura.review.internal.source"
local waiting = require "cekura.review.internal.waiting"

local calls = {
  noun = "production call", column = "call_log_id", model = "CallLog", last = 100,
  batch = "batch",
}

local AT_ONCE = 100  -- calls in a request

--- Returns the ids of the newest calls of the last 30 days.
function calls.find(cycle)
  local options, found, last = cycle.options, {}, cycle.data.arguments.last
  for log in responses.pages_of_calls(cycle.client.calls:pages {
    agent_id = options.agent, project_id = options.project, page_size = math.min(last, AT_ONCE),
  }) do
    found[#found + 1] = tostring(log.id)
    if #found == last then break end
  end
  if #found == 0 then
    command.fail("failed", "%s has no production call in the last 30 days", cycle.scope)
  end
  return found
end

--- Returns a list of { id, batch, call } for these calls.
function calls.read(cycle, ids)
  local logs = source.read_all(cycle.client, "production call", ids, function(id)
    return responses.call_log(cycle.client.calls:get { call_log_id = id })
  end, { concurrency = 8, progress = cycle.options.progress }, false)
  local list = {}
  for i, log in ipairs(logs) do
    list[i] = { id = tostring(log.id), batch = tostring((i - 1) // AT_ONCE + 1), call = log }
  end
  return list
end

--- Returns whether a call was a success; nil if that is unknown.
function calls.is_success(log)
  if type(log.success) == "boolean" then return log.success end
end

function calls.title(log) return log.topic end

--- Puts a call into the Lab of a metric, and returns the results of the call of the endpoint.
function calls.create_test_set(client, id, label)
  return client.test_sets:create_from_call_log { call_log_id = id, metrics = { label } }
end

--- Starts to evaluate calls. Returns the results of the call of the endpoint.
function calls.evaluate(cycle, _, ids)
  local options = cycle.options
  return cycle.client.calls:evaluate_metrics {
    agent_id = options.agent, project_id = options.project, call_logs = ids,
    metrics = { options.metric },
  }
end

--- Returns the calls as they were before the evaluation, with which the wait compares.
---@param started any the value that `evaluate` returned
function calls.snapshot_after(cycle, started)
  local list = {}
  for i, log in ipairs(assert(responses.call_logs(started))) do
    local _, entry = metrics.entry(log, cycle.options.metric)
    list[i] = { id = log.id, updated_at = log.updated_at, metrics = { entry } }
  end
  return list
end

--- Waits for the evaluation of a batch. Returns the results of the wait.
function calls.wait(cycle, _, snapshot)
  return cycle.client.calls:wait({ call_logs = snapshot, metrics = { cycle.options.metric } },
    waiting.options(cycle.options))
end

return calls
