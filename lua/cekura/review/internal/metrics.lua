--- Metrics, and their values in a run or a call log.
--- A call below is either of the two.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local api = require "cekura.values"
local responses = require "cekura.review.internal.responses"
local values = require "cekura.review.internal.values"

local metrics = {}

--- Returns a metric. Ends the command if there is no metric with this id.
function metrics.get(client, id)
  return command.found("metric", id, responses.metric(client.metrics:get { metric_id = id }))
end

--- Returns the metrics with these ids, in the same order.
function metrics.list(client, ids)
  local list = {}
  for i, id in ipairs(ids) do list[i] = metrics.get(client, id) end
  return list
end

--- Returns what one metric says of a call, and its entry in the response, which has the vote; nil
--- if the call has none.
---@return cekura.MetricValue? row
---@return table? entry
function metrics.entry(call, id)
  local row, found
  for _, entry in ipairs(api.entries(call) or {}) do
    local one = api.row(entry)
    if one.id == id then row, found = one, entry end
  end
  return row, found
end

--- Returns the values in a call by metric: { [metric id] = value }, with words for true and false.
function metrics.values(call)
  local found = {}
  for _, row in ipairs(cekura.values(call)) do
    if row.id then found[row.id] = values.word(row.value) end
  end
  return found
end

--- Returns the explanation of a value, a text or a list of lines, as one text; nil for none.
function metrics.explanation(value)
  if type(value) ~= "table" then return value ~= nil and tostring(value) or nil end
  local lines = {}
  for _, line in ipairs(value) do
    if type(line) == "string" then lines[#lines + 1] = line end
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

return metrics
