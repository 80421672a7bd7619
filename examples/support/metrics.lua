--- What metrics are called, and what they say of a run or a call log.

local metrics = {}

--- The metrics by their ids, in that order; raises the error for one that there is not.
function metrics.get(client, ids)
  local list = {}
  for i, id in ipairs(ids) do list[i] = assert(client.metrics:get { metric_id = id }) end
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
    values[math.tointeger(tonumber(entry.id))] = value_of(entry)
  end
  return values
end

return metrics
