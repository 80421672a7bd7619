--- Counts how far reviewers and metrics agree: shares, trends over time, confusion tables,
--- mistakes. It takes the records of reading.lua, and does not depend on the API or the page.

local values = require "support.values"

local agreement = {}

local FEWEST = 10  -- reviews that are enough to judge a metric, or one side of a step
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
function agreement.share(count)
  if count.total > 0 then return count.agreed / count.total end
end

--- Returns the share in whole percent: 100 only if all agreed, 0 only if none did.
function agreement.percent(count)
  local percent = math.floor(count.agreed / count.total * 100 + 0.5)
  if count.agreed < count.total then percent = math.min(percent, 99) end
  if count.agreed > 0 then percent = math.max(percent, 1) end
  return percent
end

--- Returns the 95 % confidence interval of the share (Wilson's interval): two shares from 0 to 1.
function agreement.range(count)
  local n, share, z = count.total, count.agreed / count.total, 1.96
  local middle = (share + z * z / (2 * n)) / (1 + z * z / n)
  local half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
  return math.max(middle - half, 0), math.min(middle + half, 1)
end

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

--- Returns the distance of two shares in standard errors; negative if the second share is lower.
local function distance(before, after)
  local share = (before.agreed + after.agreed) / (before.total + after.total)
  local error = math.sqrt(share * (1 - share) * (1 / before.total + 1 / after.total))
  if error == 0 then return 0 end
  return (agreement.share(after) - agreement.share(before)) / error
end

--- Returns the clearest step up or down, { from, before, after, distance }; nil if no step has
--- enough reviews on both sides.
local function clearest_step(periods)
  local clearest
  for i = 2, #periods do
    local before, after = sum(periods, 1, i - 1), sum(periods, i, #periods)
    if before.total >= FEWEST and after.total >= FEWEST then
      local step = { from = periods[i].from, before = before, after = after,
        distance = distance(before, after) }
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

--- Returns the assessment of one metric. `now` counts the reviews since its clear step, or all.
local function assess(metric, reviews, period, first, last)
  table.sort(reviews, newest_first)
  local count = new_count()
  for _, review in ipairs(reviews) do add(count, review) end
  local periods = over_time(reviews, period, first, last)
  local trend, step = trend_of(periods)
  return {
    metric = metric, total = count.total, agreed = count.agreed, periods = periods, trend = trend,
    step = step, now = step and step.after or count,
    confusion = confusion(metric, reviews), mistakes = mistakes(metric, reviews),
  }
end

--- Returns whether there are enough reviews to judge a metric.
function agreement.is_judged(assessment) return assessment.now.total >= FEWEST end

--- Orders by the reviews since the last step, because earlier mistakes may be fixed. Metrics with
--- too few reviews come last.
local function least_reliable_first(a, b)
  local judged = agreement.is_judged(a)
  if judged ~= agreement.is_judged(b) then return judged end
  local of_a, of_b = agreement.share(a.now), agreement.share(b.now)
  if of_a ~= of_b then return of_a < of_b end
  return a.metric.name < b.metric.name
end

--- Counts all reviews: total, agreed, first, last, and the number of calls. Returns
--- { [metric id] = list of its reviews }.
local function count_reviews(report, reviews)
  local lists, is_counted = {}, {}
  report.first, report.last, report.calls = math.huge, -math.huge, 0
  for _, review in ipairs(reviews) do
    add(report, review)
    report.first, report.last =
      math.min(report.first, review.time), math.max(report.last, review.time)
    if not is_counted[review.key] then report.calls = report.calls + 1 end
    is_counted[review.key] = true
    lists[review.metric] = lists[review.metric] or {}
    table.insert(lists[review.metric], review)
  end
  return lists
end

--- Returns { first, last, period, total, agreed, calls, metrics, unreviewed }: `metrics` has the
--- assessments of the reviewed metrics, the least reliable first; `unreviewed` has the other
--- metrics.
---@param metrics table[] { id, name, kind, values }
---@param reviews table[] { metric, key, time, said, expected, agrees, … }
---@param period_of fun(first: integer, last: integer): table returns the periods, as times.period
function agreement.report(metrics, reviews, period_of)
  local report = new_count()
  local lists = count_reviews(report, reviews)
  report.period = period_of(report.first, report.last)
  report.metrics, report.unreviewed = {}, {}
  for _, metric in ipairs(metrics) do
    local its_reviews = lists[metric.id]
    if its_reviews then
      table.insert(report.metrics,
        assess(metric, its_reviews, report.period, report.first, report.last))
    else
      table.insert(report.unreviewed, metric)
    end
  end
  table.sort(report.metrics, least_reliable_first)
  return report
end

return agreement
