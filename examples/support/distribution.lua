--- How the values of a metric are distributed: how often each occurs, or of what is measured the
--- least, the median and the most.

local cost = require "support.cost"
local texttable = require "support.table"
local reading = require "support.report.values"

local distribution = {}

local BAR = 30  -- characters of the longest bar

local MEASURED = { numeric = true, continuous_qualitative = true }

-- ---- measured ----

local function median(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

local function numbers_of(metric, values)
  local numbers = {}
  for _, value in ipairs(values) do
    numbers[#numbers + 1] = reading.measure(metric.eval_type, value)
  end
  table.sort(numbers)
  return numbers
end

local function measured(numbers)
  return { { "min", "median", "max" }, { numbers[1], median(numbers), numbers[#numbers] } }
end

-- ---- counted ----

local function counts_of(values)
  local counts, names = {}, {}
  for _, value in ipairs(values) do
    local name = texttable.show(value)
    if not counts[name] then names[#names + 1] = name end
    counts[name] = (counts[name] or 0) + 1
  end
  table.sort(names)
  return counts, names
end

local function counted(values)
  local counts, names = counts_of(values)
  local rows = { { "value", "calls", "", "" } }
  for _, name in ipairs(names) do
    local share = counts[name] / #values
    rows[#rows + 1] = { name, counts[name], ("%3.0f%%"):format(share * 100),
      ("#"):rep(math.ceil(share * BAR)) }
  end
  return rows
end

--- What is printed, with the metric's name above it.
---@param metric table as metrics:get returns it
---@param values any[]
function distribution.text(metric, values)
  local head = ("%s (%s): %s.\n"):format(texttable.show(metric.name),
    texttable.show(metric.eval_type), cost.count(#values, "value"))
  if #values == 0 then return head end
  local numbers = numbers_of(metric, values)
  local is_measured = MEASURED[metric.eval_type] and #numbers == #values
  return head .. texttable.text(is_measured and measured(numbers) or counted(values))
end

return distribution
