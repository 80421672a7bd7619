--- Metrics, and their values in a run or a call log.
--- A call below is either of the two.

local command = require "support.command"
local responses = require "support.responses"
local values = require "support.values"

local metrics = {}

--- Returns a metric. Ends the command if there is no metric with this id.
function metrics.get(client, id)
  local metric, err = responses.metric(client.metrics:get { metric_id = id })
  if metric then return metric end
  if err.kind == "not_found" then command.fail("usage", "there is no metric %d: %s", id, err) end
  error(err, 0)
end

--- Returns the metrics with these ids, in the same order.
function metrics.list(client, ids)
  local list = {}
  for i, id in ipairs(ids) do list[i] = metrics.get(client, id) end
  return list
end

--- Returns the entries of all metrics in a call.
function metrics.entries(call)
  return call.evaluation and call.evaluation.metrics or call.metrics or {}
end

--- Returns the entry of one metric in a call; nil if it has none.
function metrics.entry(call, id)
  local found
  for _, entry in ipairs(metrics.entries(call)) do
    if entry.id == id then found = entry end
  end
  return found
end

--- Returns the values in a call by metric: { [metric id] = value }.
function metrics.values(call)
  local found = {}
  for _, entry in ipairs(metrics.entries(call)) do
    if entry.id then found[entry.id] = values.of_entry(entry) end
  end
  return found
end

return metrics
