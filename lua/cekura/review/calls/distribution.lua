--- The distribution of a metric's values: minimum, median and maximum of measurements, or how often
--- each value occurs.

local cekura = require "cekura"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"
local values = require "cekura.review.internal.values"

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

--- Returns { value, count } for each value, sorted as text.
local function count(list)
  local by_name, counts = {}, cekura.array {}
  for _, value in ipairs(list) do
    local name = texttable.show(value)
    if not by_name[name] then
      by_name[name] = { value = value, count = 0 }
      counts[#counts + 1] = by_name[name]
    end
    by_name[name].count = by_name[name].count + 1
  end
  table.sort(counts, function(a, b) return texttable.show(a.value) < texttable.show(b.value) end)
  return counts
end

--- Returns the rows of a table with the frequency of each value.
local function frequencies(list)
  local rows = { { "value", "calls", "", "" } }
  for i, row in ipairs(count(list)) do
    local share = row.count / #list
    rows[i + 1] = { texttable.show(row.value), row.count, ("%3.0f%%"):format(share * 100),
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

--- Returns the distribution as data for --json: how often each value occurs, and of measurements
--- the minimum, the median and the maximum.
---@param metric table of metrics:get
---@param list any[] its values
function distribution.data(metric, list)
  local numbers = #list > 0 and IS_MEASURED[metric.eval_type] and numbers_of(metric, list) or {}
  return {
    metric_id = metric.id, name = metric.name, eval_type = metric.eval_type, count = #list,
    values = count(list), min = numbers[1], max = numbers[#numbers],
    median = numbers[1] and median(numbers),
  }
end

return distribution
