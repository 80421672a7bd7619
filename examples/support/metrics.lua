--- What metrics are called, and what they say of a run or a call log.

local answers = require "support.answers"
local command = require "support.command"
local values = require "support.report.values"

local metrics = {}

local function get(client, id)
  local metric, err = answers.metric(client.metrics:get { metric_id = id })
  if metric then return metric end
  if err.kind == "not_found" then command.fail("usage", "there is no metric %d: %s", id, err) end
  error(err, 0)
end

--- The metrics by their ids, in that order. One that there is not ends the command.
function metrics.get(client, ids)
  local list = {}
  for i, id in ipairs(ids) do list[i] = get(client, id) end
  return list
end

--- The entries of what all metrics say of a run or a call log.
function metrics.entries(call)
  return call.evaluation and call.evaluation.metrics or call.metrics or {}
end

--- What each metric says of a run or a call log: { [metric id] = value }.
function metrics.values(call)
  local found = {}
  for _, entry in ipairs(metrics.entries(call)) do
    if entry.id then found[entry.id] = values.of_entry(entry) end
  end
  return found
end

return metrics
