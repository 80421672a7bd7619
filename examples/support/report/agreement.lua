--- Counts how far reviewers and metrics agree. It takes reviews as reading.lua makes them, and
--- knows neither the API nor the page.

local values = require "support.report.values"

local agreement = {}

local FEWEST = 10  -- reviews of a metric, or on either side of a change; fewer say nothing
local CLEAR = 3    -- standard errors apart: with each week tried, chance alone makes such a step in
                   -- two or three of a hundred charts
local FEW_VALUES = 6  -- as many columns still make a table that can be read

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

--- The share that agreed, from 0 to 1; nil of nothing.
function agreement.share(count)
  if count.total > 0 then return count.agreed / count.total end
end

--- In whole percent: never 100 where one disagreed, nor 0 where one agreed.
function agreement.percent(count)
  local percent = math.floor(count.agreed / count.total * 100 + 0.5)
  if count.agreed < count.total then percent = math.min(percent, 99) end
  if count.agreed > 0 then percent = math.max(percent, 1) end
  return percent
end

--- Where the share would lie if everything had been reviewed, with 95 % confidence: two shares from
--- 0 to 1 (Wilson's interval).
function agreement.range(count)
  local n, share, z = count.total, count.agreed / count.total, 1.96
  local middle = (share + z * z / (2 * n)) / (1 + z * z / n)
  local half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
  return math.max(middle - half, 0), math.min(middle + half, 1)
end

-- ---- over time ----

--- A count for each period, those without a review too: { from, total, agreed }.
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

--- How many standard errors the two shares are apart; negative where the second is the lower.
local function distance(before, after)
  local share = (before.agreed + after.agreed) / (before.total + after.total)
  local error = math.sqrt(share * (1 - share) * (1 / before.total + 1 / after.total))
  if error == 0 then return 0 end
  return (agreement.share(after) - agreement.share(before)) / error
end

--- The clearest step up or down: { from, before, after, distance }; nil where no period has enough
--- reviews before and after it.
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

--- "better", "worse", "steady" or "unknown", and the step, if there is a clear one.
local function trend_of(periods)
  local step = clearest_step(periods)
  if not step then return "unknown" end
  if math.abs(step.distance) < CLEAR then return "steady" end
  return step.distance > 0 and "better" or "worse", step
end

-- ---- what was mistaken for what ----

local function in_order(a, b)
  if type(a) == type(b) then return a < b end
  return type(a) == "number"
end

--- Those that occur: the metric's own first, in its order.
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

local function is_number(metric)
  return metric.kind == "numeric" or metric.kind == "continuous_qualitative"
end

local function says_nothing(reviews)
  for _, review in ipairs(reviews) do
    if review.said == nil then return true end
  end
  return false
end

local function index_of(list)
  local index = {}
  for i, item in ipairs(list) do index[item] = i end
  return index
end

--- How often what was said where what was expected. The last column is for no value at all.
local function count_cells(rows, columns, reviews)
  local row_of, column_of, cells = index_of(rows), index_of(rows), {}
  for i in ipairs(rows) do
    cells[i] = {}
    for j in ipairs(columns) do cells[i][j] = 0 end
  end
  for _, review in ipairs(reviews) do
    local i, j = row_of[review.expected], review.said == nil and #columns or column_of[review.said]
    cells[i][j] = cells[i][j] + 1
  end
  return cells
end

--- What reviewers expect by row, what the metric said by column: { rows, columns, cells }. nil for
--- measurements, which hardly ever take the same value twice.
local function confusion(metric, reviews)
  local rows = distinct_values(metric, reviews)
  if is_number(metric) and #rows > FEW_VALUES then return nil end
  local columns = { table.unpack(rows) }
  if says_nothing(reviews) then columns[#columns + 1] = values.NONE end
  return { rows = rows, columns = columns, cells = count_cells(rows, columns, reviews) }
end

--- How a review went wrong, in a few words.
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

--- Of each kind of mistake the reviews, the newest first; the most frequent kind first:
--- { what, reviews }.
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

-- ---- all of it ----

local function newest_first(a, b)
  if a.time ~= b.time then return a.time > b.time end
  return a.key < b.key
end

--- What there is to say of one metric. `now` counts the reviews since its clear step, or all.
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

--- Whether there are enough reviews to judge a metric by.
function agreement.is_judged(assessment) return assessment.now.total >= FEWEST end

--- By what they are now: what was mended is not unreliable any more. Those that hardly anybody has
--- reviewed come last.
local function least_reliable_first(a, b)
  local judged = agreement.is_judged(a)
  if judged ~= agreement.is_judged(b) then return judged end
  local of_a, of_b = agreement.share(a.now), agreement.share(b.now)
  if of_a ~= of_b then return of_a < of_b end
  return a.metric.name < b.metric.name
end

local function span_of(reviews)
  local first, last = math.huge, -math.huge
  for _, review in ipairs(reviews) do
    first, last = math.min(first, review.time), math.max(last, review.time)
  end
  return first, last
end

--- { [metric id] = its reviews }, and of how many calls they are.
local function by_metric(metrics, reviews)
  local lists, seen, calls = {}, {}, 0
  for _, metric in ipairs(metrics) do lists[metric.id] = {} end
  for _, review in ipairs(reviews) do
    table.insert(lists[review.metric], review)
    if not seen[review.key] then calls = calls + 1 end
    seen[review.key] = true
  end
  return lists, calls
end

--- Assesses those metrics that were reviewed, and lists the others.
local function add_metrics(report, metrics, lists)
  for _, metric in ipairs(metrics) do
    local reviews = lists[metric.id]
    if #reviews == 0 then
      table.insert(report.unreviewed, metric)
    else
      table.insert(report.metrics,
        assess(metric, reviews, report.period, report.first, report.last))
    end
  end
  table.sort(report.metrics, least_reliable_first)
end

--- { first, last, period, total, agreed, calls, metrics, unreviewed }: `metrics` has what there is
--- to say of each that was reviewed, the least reliable first; `unreviewed` has the other metrics.
---@param metrics table[] { id, name, kind, values }
---@param reviews table[] { metric, key, time, said, expected, agrees, … }
---@param period_of fun(first: integer, last: integer): table what time is cut into
function agreement.report(metrics, reviews, period_of)
  local report = new_count()
  report.first, report.last = span_of(reviews)
  report.period = period_of(report.first, report.last)
  report.metrics, report.unreviewed = {}, {}
  for _, review in ipairs(reviews) do add(report, review) end
  local lists
  lists, report.calls = by_metric(metrics, reviews)
  add_metrics(report, metrics, lists)
  return report
end

return agreement
