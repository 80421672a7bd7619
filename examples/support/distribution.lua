--- The distribution of a metric's values: minimum, median and maximum of measurements, or how often
--- each value occurs.

local text = require "support.text"
local texttable = require "support.table"
local values = require "support.values"

local distribution = {}

local BAR = 30  -- characters of the longest bar

local IS_MEASURED = { numeric = true, continuous_qualitative = true }

--- Returns the values as sorted numbers; nil if one of them is not a number.
local function numbers_of(metric, list)
  local numbers = {}
  for i, value in ipairs(list) do
    numbers[i] = values.measure(metric.eval_type, value)
    if not numbers[i] then return nil end
  end
  table.sort(numbers)
  return numbers
end

local function median(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

--- Returns the rows of a table with the frequency of each value.
local function frequencies(list)
  local counts, names = {}, {}
  for _, value in ipairs(list) do
    local name = texttable.show(value)
    if not counts[name] then names[#names + 1] = name end
    counts[name] = (counts[name] or 0) + 1
  end
  table.sort(names)
  local rows = { { "value", "calls", "", "" } }
  for i, name in ipairs(names) do
    local share = counts[name] / #list
    rows[i + 1] = { name, counts[name], ("%3.0f%%"):format(share * 100),
      ("#"):rep(math.ceil(share * BAR)) }
  end
  return rows
end

--- Returns the text to print: a line with the metric's name, and a table.
---@param metric table of metrics:get
---@param list any[] its values
function distribution.text(metric, list)
  local head = ("%s (%s): %s.\n"):format(texttable.show(metric.name),
    texttable.show(metric.eval_type), text.count(#list, "value"))
  if #list == 0 then return head end
  local numbers = IS_MEASURED[metric.eval_type] and numbers_of(metric, list)
  if not numbers then return head .. texttable.text(frequencies(list)) end
  return head .. texttable.text {
    { "min", "median", "max" }, { numbers[1], median(numbers), numbers[#numbers] },
  }
end

return distribution
