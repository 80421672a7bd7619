--- Metrics, and their values in a run or a call log.
--- A call below is either of the two.

local cekura = require "cekura"
local command = require "support.command"
local api = require "cekura.values"
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

return metrics
