--- What metrics are called, and what they say of a run or a call log.

local command = require "support.command"

local metrics = {}

local function get(client, id)
  local metric, err = client.metrics:get { metric_id = id }
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

--- An enum has its value in `enum` or `value`, all others have a score.
local function value_of(entry)
  for _, name in ipairs { "enum", "value", "score" } do
    if entry[name] ~= nil then return entry[name] end
  end
end

--- What each metric says of a run or a call log: { [metric id] = value }.
function metrics.values(call)
  local values = {}
  for _, entry in ipairs(call.evaluation and call.evaluation.metrics or call.metrics or {}) do
    local id = math.tointeger(tonumber(entry.id))
    if id then values[id] = value_of(entry) end
  end
  return values
end

return metrics
