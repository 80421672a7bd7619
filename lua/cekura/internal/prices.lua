--- The prices of metrics, in credits for one conversation. `metrics.list` (operation metrics-list)
--- names them as `metric_cost`; no other read does.

local core = require "cekura.core"
local check = require "cekura.internal.check"

local prices = {
  --- Assumed for a metric without a price. The source is "How do credits work in Cekura" in
  --- https://docs.cekura.ai/documentation/FAQ: 0.2 credits for each metric and conversation.
  ASSUMED = 0.2,
}

local MOST = 1e9  -- credits; a larger price is not one

--- Returns the number of a decimal text, whatever the locale's separator is; nil for other texts.
local function decimal(text)
  local whole, digits = text:match "^([0-9]+)%.?([0-9]*)$"
  if not whole or #whole + #digits > 15 then return nil end
  return math.tointeger(whole .. digits) / 10 ^ #digits
end

--- Returns a number that the API sends as a number or as a decimal text; nil unless it is finite
--- and not negative.
function prices.number(value)
  local number = value
  if type(value) == "string" then number = decimal(value) end
  return type(number) == "number" and number >= 0 and number <= MOST and number or nil
end

--- Reads the metrics of each scope, such as { agent_id = 231 }. An empty scope has none, because a
--- list without a scope may be that of a whole organization. Returns { [id] = price }, without the
--- metrics whose price is not named; or nil and an error.
---@param scopes table[] arguments of metrics:list
---@return table<integer, number>?
---@return cekura.Error?
function prices.read(client, scopes)
  local found = {}
  local report, problem = client:each(scopes, function(scope)
    if not next(scope) then return true end
    local list, err = client.metrics:list(scope)
    if list == nil then return nil, err end
    for _, metric in ipairs(type(list) == "table" and list or {}) do
      local id = type(metric) == "table" and check.to_id(metric.id)
      if id then found[id] = prices.number(metric.metric_cost) or found[id] end
    end
    return true
  end, { stop_on_error = true })
  if not report then return nil, problem end
  if report.errors[1] then return nil, report.errors[1].error end
  return found
end

--- Returns the credits for each metric over this many conversations, and the ids of the metrics for
--- which a price is assumed.
---@param known table<integer, number> of prices.read
---@param metric_ids integer[]
---@param conversations integer
---@return number
---@return integer[]
function prices.sum(known, metric_ids, conversations)
  local sum, unknown = 0, core.array {}
  for _, id in ipairs(metric_ids) do
    if not known[id] then unknown[#unknown + 1] = id end
    sum = sum + (known[id] or prices.ASSUMED)
  end
  return sum * conversations, unknown
end

return prices
