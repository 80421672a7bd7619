--- Counts how far reviewers and metrics agree: shares, trends over time, confusion tables,
--- mistakes. It takes the records of reading.lua, and does not depend on the API or the page.

local agreement = require "cekura.review.agreement"
local reliability = require "cekura.review.report.reliability"
local values = require "cekura.review.internal.values"

local assessments = {}

local FEWEST = 10  -- reviews that are enough to judge a metric, a rate, or one side of a step
local CLEAR = 3    -- standard errors between the sides of a step; since every week is tried, two or
                   -- three of a hundred charts have such a step by chance
local FEW_VALUES = 6  -- columns of a readable table

-- ---- counting ----

local function new_count() return { total = 0, agreed = 0 } end

local function add(count, review)
  count.total = count.total + 1
  if review.agrees then count.agreed = count.agreed + 1 end
end

local function sum(counts, from, to)
  local all = new_count()
  for i = from, to do
    all.total = all.total + counts[i].total
    all.agreed = all.agreed + counts[i].agreed
  end
  return all
end

--- Returns the share that agreed, from 0 to 1; nil without reviews.
function assessments.share(count)
  if count.total > 0 then return count.agreed / count.total end
end

--- Returns the share in whole percent: 100 only if all agreed, 0 only if none did.
function assessments.percent(count)
  local percent = math.floor(count.agreed / count.total * 100 + 0.5)
  if count.agreed < count.total then percent = math.min(percent, 99) end
  if count.agreed > 0 then percent = math.max(percent, 1) end
  return percent
end

--- Returns whether a number of calls is too small to judge anything.
function assessments.is_few(total) return total < FEWEST end

-- ---- over time ----

--- Returns a count for each period, also for those without a review: { from, total, agreed }.
local function over_time(reviews, period, first, last)
  local list, index = {}, {}
  local from = period.start(first)
  while from <= last do
    local count = new_count()
    count.from, list[#list + 1], index[from] = from, count, count
    from = period.next(from)
  end
  for _, review in ipairs(reviews) do add(index[period.start(review.time)], review) end
  return list
end

--- Returns the clearest step up or down, { from, before, after, distance }; nil if no step has
--- enough reviews on both sides.
local function clearest_step(periods)
  local clearest
  for i = 2, #periods do
    local before, after = sum(periods, 1, i - 1), sum(periods, i, #periods)
    if before.total >= FEWEST and after.total >= FEWEST then
      local step = { from = periods[i].from, before = before, after = after,
        distance = agreement.distance(before, after) }
      if not clearest or math.abs(step.distance) > math.abs(clearest.distance) then
        clearest = step
      end
    end
  end
  return clearest
end

--- Returns "better", "worse", "steady" or "unknown", and the step if it is clear.
local function trend_of(periods)
  local step = clearest_step(periods)
  if not step then return "unknown" end
  if math.abs(step.distance) < CLEAR then return "steady" end
  return step.distance > 0 and "better" or "worse", step
end

-- ---- confusion tables and mistakes ----

local function in_order(a, b)
  if type(a) == type(b) then return a < b end
  return type(a) == "number"
end

--- Returns the values that occur: those that the metric lists first, in its order.
local function distinct_values(metric, reviews)
  local list, others, there = {}, {}, {}
  for _, review in ipairs(reviews) do
    for _, value in pairs { review.said, review.expected } do there[value] = true end
  end
  for _, value in ipairs(metric.kind == "binary" and { "passed", "failed" } or metric.values) do
    if metric.kind == "binary" or there[value] then list[#list + 1] = value end
    there[value] = nil
  end
  for value in pairs(there) do others[#others + 1] = value end
  table.sort(others, in_order)
  return table.move(others, 1, #others, #list + 1, list)
end

--- Returns the confusion table { rows, columns, cells }: the expected values by row, the metric's
--- values by column, and a last column for no value. Returns nil for measurements with many values.
local function confusion(metric, reviews)
  local rows = distinct_values(metric, reviews)
  local is_number = metric.kind == "numeric" or metric.kind == "continuous_qualitative"
  if is_number and #rows > FEW_VALUES then return nil end
  local index, columns, cells = {}, { table.unpack(rows) }, {}
  for _, review in ipairs(reviews) do
    if review.said == nil then columns[#rows + 1] = values.NONE end
  end
  for i, value in ipairs(rows) do
    index[value], cells[i] = i, {}
    for j in ipairs(columns) do cells[i][j] = 0 end
  end
  for _, review in ipairs(reviews) do
    local row, j = cells[index[review.expected]], index[review.said] or #columns
    row[j] = row[j] + 1
  end
  return { rows = rows, columns = columns, cells = cells }
end

--- Returns the kind of a mistake, in a few words.
local function mistake_of(metric, review)
  local said, expected = review.said, review.expected
  if said == nil then return "no value at all" end
  if metric.kind == "binary" and said ~= expected then
    return said == "passed" and "too lenient" or "too strict"
  elseif type(said) == "number" and type(expected) == "number" then
    return said > expected and "too high" or "too low"
  end
  return ("%s instead of %s"):format(values.show(said), values.show(expected))
end

--- Returns the kinds of mistakes, the most frequent first, each with its reviews: { what, reviews
--- }.
local function mistakes(metric, reviews)
  local list, index = {}, {}
  for _, review in ipairs(reviews) do
    if not review.agrees then
      local what = mistake_of(metric, review)
      if not index[what] then
        index[what] = { what = what, reviews = {} }
        list[#list + 1] = index[what]
      end
      table.insert(index[what].reviews, review)
    end
  end
  table.sort(list, function(a, b)
    if #a.reviews ~= #b.reviews then return #a.reviews > #b.reviews end
    return a.what < b.what
  end)
  return list
end

-- ---- the report ----

local function newest_first(a, b)
  if a.time ~= b.time then return a.time > b.time end
  return a.key < b.key
end

--- Adds the share and its interval to a count.
local function with_interval(count, confidence)
  local rate = agreement.rate(count.agreed, count.total, confidence)
  rate.from = count.from
  return rate
end

local function since(reviews, from)
  local list = {}
  for _, review in ipairs(reviews) do
    if review.time >= from then list[#list + 1] = review end
  end
  return list
end

--- Returns the assessment of one metric. `now` counts the reviews since its clear step, or all, and
--- `reliability` is about the same reviews.
local function assess(found, metric, selection, calls)
  local reviews = selection.reviews
  table.sort(reviews, newest_first)
  local count = new_count()
  for _, review in ipairs(reviews) do add(count, review) end
  local periods = over_time(reviews, found.period, found.first, found.last)
  local trend, step = trend_of(periods)
  local from = step and step.from or -math.huge
  return {
    metric = metric, total = count.total, agreed = count.agreed, periods = periods, trend = trend,
    step = step, now = with_interval(step and step.after or count, found.confidence),
    reliability = reliability.of(metric, since(reviews, from), calls, from, found.confidence),
    selection = selection, confusion = confusion(metric, reviews),
    mistakes = mistakes(metric, reviews),
  }
end

--- Returns whether there are enough reviews to judge a metric.
function assessments.is_judged(assessment) return not assessments.is_few(assessment.now.total) end

--- Orders by the reviews since the last step, because earlier mistakes may be fixed. Metrics with
--- too few reviews come last.
local function least_reliable_first(a, b)
  local judged = assessments.is_judged(a)
  if judged ~= assessments.is_judged(b) then return judged end
  if a.now.share ~= b.now.share then return a.now.share < b.now.share end
  return a.metric.name < b.metric.name
end

--- Adds the reviews of one metric to the totals, and their calls to `is_counted`.
local function count_reviews(found, selection, is_counted)
  for _, review in ipairs(selection.reviews) do
    add(found, review)
    found.first, found.last = math.min(found.first, review.time), math.max(found.last, review.time)
    if not is_counted[review.key] then found.calls = found.calls + 1 end
    is_counted[review.key] = true
  end
end

--- Returns { first, last, period, total, agreed, share, low, high, calls, metrics, unreviewed,
--- confidence }: `metrics` has the assessments of the reviewed metrics, the least reliable first;
--- `unreviewed` has the other metrics. Returns nil without reviews.
---@param metrics table[] { id, name, kind, values }
---@param selections table<integer, table> of selection.lua, by metric
---@param calls table<string, table> all calls, by key
---@param options { confidence: number, period_of: fun(first: integer, last: integer): table }
function assessments.report(metrics, selections, calls, options)
  local found, is_counted = new_count(), {}
  found.first, found.last, found.calls = math.huge, -math.huge, 0
  found.metrics, found.unreviewed = {}, {}
  found.confidence = options.confidence
  for _, metric in ipairs(metrics) do count_reviews(found, selections[metric.id], is_counted) end
  if found.total == 0 then return nil end
  found.share = assessments.share(found)
  found.low, found.high = agreement.wilson(found.agreed, found.total, found.confidence)
  found.period = options.period_of(found.first, found.last)
  for _, metric in ipairs(metrics) do
    local selection = selections[metric.id]
    if #selection.reviews > 0 then
      table.insert(found.metrics, assess(found, metric, selection, calls))
    else
      table.insert(found.unreviewed, metric)
    end
  end
  table.sort(found.metrics, least_reliable_first)
  return found
end

return assessments
