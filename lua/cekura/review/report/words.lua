--- The sentences of the report.
--- Each function returns text for a count or an assessment of assessment.lua.

local ascii = require "cekura.internal.ascii"
local assessments = require "cekura.review.report.assessment"
local text = require "cekura.review.internal.text"
local times = require "cekura.review.internal.times"

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

function words.percent(count) return ("%d%%"):format(assessments.percent(count)) end

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
  if not assessments.is_judged(assessment) then return "" end
  local now = assessment.now
  return ("Counted from %s, the share now is good to within %d points."):format(
    words.count(now.total, "review"), math.ceil((now.high - now.low) / 2 * 100))
end

-- ---- reliability ----

words.FEW = "few"

--- Returns " (few)" if a number rests on fewer than ten calls.
function words.few(total) return assessments.is_few(total) and (" (%s)"):format(words.FEW) or "" end

--- Returns "0.62".
local function kappa_text(value)
  return (ascii.format("%.2f", value):gsub("^%-0%.00$", "0.00"))
end

--- Returns "0.62", or "undefined" for nil.
function words.kappa(kappa) return kappa and kappa_text(kappa.value) or "undefined" end

--- Returns "0.41 to 0.83", or "no interval".
function words.kappa_interval(kappa)
  if not (kappa and kappa.low) then return "no interval" end
  return ("%s to %s"):format(kappa_text(kappa.low), kappa_text(kappa.high))
end

--- Returns "83%", or "undefined" for nil.
function words.share(rate)
  if not (rate and rate.share) then return "undefined" end
  return rate.agreed and words.percent(rate) or text.percent(rate.share)
end

--- Returns "71% to 90%"; a dash if there is no interval.
function words.interval(rate)
  if not (rate and rate.low) then return "–" end
  return ("%s to %s"):format(text.percent(rate.low), text.percent(rate.high))
end

--- Returns "; 12 targeted ones left out", or an empty text.
local function left_out_of(chosen)
  local parts = {}
  if chosen.targeted > 0 then
    parts[1] = ("%s targeted %s"):format(words.number(chosen.targeted),
      chosen.targeted == 1 and "one" or "ones")
  end
  if chosen.others > 0 then
    parts[#parts + 1] = ("%s that people chose"):format(words.number(chosen.others))
  end
  return #parts > 0 and ("; %s left out"):format(words.list(parts)) or ""
end

--- Returns on how many reviews a metric's numbers rest, and how these were selected: "Resting on 38
--- randomly selected calls; 12 targeted ones left out."
function words.basis(assessment, period)
  local chosen, total, step = assessment.selection, assessment.now.total, assessment.step
  local since, missing = step and " since " .. period.since(step.from) or "", ""
  if chosen.missing > 0 then
    missing = (" %s of the sample %s no review here."):format(
      words.count(chosen.missing, "random call"), chosen.missing == 1 and "has" or "have")
  end
  if chosen.kind == "people" then
    return ("Resting on %s%s that people chose; they may not be typical.%s"):format(
      words.count(total, "reviewed call"), since, missing)
  end
  return ("Resting on %s%s%s.%s"):format(words.count(total, "randomly selected call"), since,
    left_out_of(chosen), missing)
end

--- Returns what the numbers leave out, in sentences that begin with a blank.
function words.left_out(assessment)
  local said, none = "", assessment.reliability.no_value
  if none > 0 then
    said = (" It gave no value to %s of these calls, because it did not apply: that is neither a "
      .. "pass nor a fail."):format(words.number(none))
  end
  local rate = assessment.reliability.pass_rate
  if rate and rate.no_value > 0 then
    said = said .. (" It gave no value to %s, which the pass rate leaves out."):format(
      words.count(rate.no_value, "run"))
  end
  local without = assessment.selection.without_expected
  if without > 0 then
    said = said .. (" %s without an expected value %s left out."):format(
      words.count(without, "review"), without == 1 and "is" or "are")
  end
  return said
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
  if not assessments.is_judged(first) or first.now.share == 1 or #report.metrics == 1 then
    return ""
  end
  return (" The least reliable now is %s, at %s."):format(first.metric.name,
    words.percent(first.now))
end

--- Returns on how many calls the report rests, and how these were selected.
function words.bases(report)
  local random, people = {}, {}
  for _, assessment in ipairs(report.metrics) do
    local list = assessment.selection.kind == "random" and random or people
    list[#list + 1] = assessment.metric.name
  end
  if #random == 0 then
    return ("These are all reviews in the metrics' Labs. People chose the calls: if they preferred "
      .. "calls that look wrong, the metrics are better on all calls than here.")
  end
  local random_part = ("Randomly selected calls alone count for %s."):format(words.list(random))
  if #people == 0 then return random_part end
  return ("%s People chose the calls for %s, which may not be typical."):format(random_part,
    words.list(people))
end

--- Returns the report in a few sentences.
function words.summary(report)
  return ("Reviewers went over %s, and agreed with the metrics in %s of %s (%s).%s%s"):format(
    words.count(report.calls, "call"), words.number(report.agreed),
    words.count(report.total, "judgement"), words.percent(report), least_reliable(report),
    changes(report))
end

--- Returns "Harbor Reminders and Harbor Scheduling, calls of … to …; written on …".
function words.scope(report, now)
  local first, last = times.date(report.first), times.date(report.last)
  return ("%scalls of %s; written on %s"):format(
    #report.agents > 0 and words.list(report.agents) .. ", " or "",
    first == last and first or first .. " to " .. last, times.date(now))
end

-- ---- lines ----

--- Returns "      passes 94% of 31 calls that reviewers pass: 79% to 98%".
local function rate_line(verb, rate, noun, rest)
  if not rate.share then return ("      %s: unknown, there is no %s%s"):format(verb, noun, rest) end
  return ("      %s %s of %s%s: %s%s"):format(verb, words.share(rate),
    words.count(rate.total, noun), rest, words.interval(rate), words.few(rate.total))
end

local function binary_lines(found)
  local corrected = found.corrected
  return {
    rate_line("passes", found.true_positive, "call", " that reviewers pass"),
    rate_line("fails", found.true_negative, "call", " that reviewers fail"),
    rate_line("pass rate", found.pass_rate, "run", ""),
    corrected and ("      pass rate corrected for its errors %s: %s%s"):format(
      words.share(corrected), words.interval(corrected), words.few(corrected.total))
      or "      pass rate corrected for its errors: undefined",
  }
end

local function lines_of(assessment, report)
  local found, now = assessment.reliability, assessment.now
  local lines = {
    ("%4s now  %s: %s"):format(words.percent(now), assessment.metric.name,
      words.whole_trend(assessment, report.period)),
    ("      agreed in %s of %s: %s%s"):format(words.number(now.agreed),
      words.count(now.total, "review"), words.interval(now), words.few(now.total)),
    ("      kappa %s: %s%s"):format(words.kappa(found.kappa), words.kappa_interval(found.kappa),
      words.few(now.total)),
  }
  if assessment.metric.kind == "binary" then
    table.move(binary_lines(found), 1, 4, #lines + 1, lines)
  end
  lines[#lines + 1] = ("      %s%s"):format(words.basis(assessment, report.period),
    words.left_out(assessment))
  return lines
end

--- Returns the report as lines of text.
function words.lines(report)
  local lines = { words.summary(report), words.bases(report) }
  for _, assessment in ipairs(report.metrics) do
    local its_lines = lines_of(assessment, report)
    table.move(its_lines, 1, #its_lines, #lines + 1, lines)
  end
  lines[#lines + 1] = ("Intervals: %s confidence. Few: fewer than ten calls. Kappa: 1 is perfect "
    .. "agreement, 0 is what chance gives."):format(text.percent(report.confidence))
  return lines
end

return words
