--- The sentences of the report.
--- Each function returns text for a count or an assessment of agreement.lua.

local agreement = require "support.report.agreement"

local words = {}

--- Returns 1204 as "1,204".
function words.number(number)
  local digits = ("%d"):format(number):reverse():gsub("%d%d%d", "%0,"):reverse()
  return (digits:gsub("^,", ""))
end

--- "1 run", "2 runs".
function words.count(number, noun)
  return ("%s %s%s"):format(words.number(number), noun, number == 1 and "" or "s")
end

function words.percent(count) return ("%d%%"):format(agreement.percent(count)) end

--- Returns the percentage; a dash for a period without a review.
function words.percent_or_none(count)
  return count.total > 0 and words.percent(count) or "–"
end

-- ---- one metric ----

local STEP = { better = "It got better in %s: %s before, %s since.",
  worse = "It got worse in %s: %s before, %s since." }

--- Returns the trend as a sentence: "It got better in the week of 27 October: 56% before, 94%
--- since."
function words.trend(assessment, period)
  local step = assessment.step
  if step then
    return STEP[assessment.trend]:format(period.since(step.from), words.percent(step.before),
      words.percent(step.after))
  elseif assessment.trend == "steady" then
    return "There is no clear change over time."
  end
  return "There are too few reviews to tell a change over time."
end

--- Returns the trend for a chart: "better since 27 Oct".
function words.short_trend(assessment, period)
  local step = assessment.step
  if step then return ("%s since %s"):format(assessment.trend, period.label(step.from)) end
  return assessment.trend == "steady" and "no clear change" or "too few reviews"
end

--- Returns the trend for a table: "better since 27 Oct, 56% before".
function words.whole_trend(assessment, period)
  local short, step = words.short_trend(assessment, period), assessment.step
  return step and ("%s, %s before"):format(short, words.percent(step.before)) or short
end

--- "Reviewers agreed with it in 119 of 154 calls (77%)."
function words.agreement(assessment)
  if assessment.agreed == assessment.total then
    return ("Reviewers agreed with it in all of %s."):format(words.count(assessment.total, "call"))
  end
  return ("Reviewers agreed with it in %s of %s (%s)."):format(words.number(assessment.agreed),
    words.count(assessment.total, "call"), words.percent(assessment))
end

--- "Its most frequent mistake is “too high”: 24 of 35."; an empty text without mistakes.
function words.mistake(assessment)
  local first, all = assessment.mistakes[1], assessment.total - assessment.agreed
  if not first then return "" end
  if all == 1 then return ("Its one mistake is “%s”."):format(first.what) end
  if #first.reviews == all then
    return ("All of its mistakes are of one kind: “%s”."):format(first.what)
  end
  return ("Its most frequent mistake is “%s”: %d of %d."):format(first.what, #first.reviews, all)
end

--- "Counted from 89 reviews, the share now is good to within 11 points."; an empty text for
--- too few reviews.
function words.precision(assessment)
  if not agreement.is_judged(assessment) then return "" end
  local low, high = agreement.range(assessment.now)
  return ("Counted from %s, the share now is good to within %d points."):format(
    words.count(assessment.now.total, "review"), math.ceil((high - low) / 2 * 100))
end

-- ---- the report ----

--- Returns "A", "A and B", "A, B and C".
function words.list(items)
  if #items < 2 then return items[1] or "" end
  return table.concat(items, ", ", 1, #items - 1) .. " and " .. items[#items]
end

--- Returns a sentence for each clear step: " Call Outcome has got better (40% before, 95% since
--- 2 Nov)."
local function changes(report)
  local list = {}
  for _, assessment in ipairs(report.metrics) do
    local step = assessment.step
    if step then
      list[#list + 1] = (" %s has got %s (%s before, %s since %s)."):format(assessment.metric.name,
        assessment.trend, words.percent(step.before), words.percent(step.after),
        report.period.label(step.from))
    end
  end
  return table.concat(list)
end

local function least_reliable(report)
  local first = report.metrics[1]
  if not agreement.is_judged(first) or agreement.share(first.now) == 1 or #report.metrics == 1 then
    return ""
  end
  return (" The least reliable now is %s, at %s."):format(first.metric.name,
    words.percent(first.now))
end

--- Returns the report in a few sentences.
function words.summary(report)
  return ("Reviewers went over %s, and agreed with the metrics in %s of %s (%s).%s%s"):format(
    words.count(report.calls, "call"), words.number(report.agreed),
    words.count(report.total, "judgement"), words.percent(report), least_reliable(report),
    changes(report))
end

return words
