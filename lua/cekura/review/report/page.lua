--- The report as a page. Its sections show the least reliable metrics, their trends, the kinds of
--- mistakes, and calls with such mistakes.

local assessments = require "cekura.review.report.assessment"
local chart = require "cekura.review.report.chart"
local html = require "cekura.review.report.html"
local style = require "cekura.review.report.style"
local templates = require "cekura.review.report.templates"
local words = require "cekura.review.report.words"
local times = require "cekura.review.internal.times"
local values = require "cekura.review.internal.values"

local each = html.each

local page = {}

local LINES = 40  -- of a transcript; the rest is collapsed

-- ---- which metric ----

local SIGNS = { better = "▲", worse = "▼", steady = "–", unknown = "·" }

--- Returns the values that every section shows of a metric.
local function trend_of(assessment, report)
  return {
    id = assessment.metric.id, name = assessment.metric.name, trend = assessment.trend,
    sign = SIGNS[assessment.trend], change = words.short_trend(assessment, report.period),
  }
end

--- Returns the mark of a number that rests on fewer than ten calls.
local function few_of(total)
  return assessments.is_few(total) and templates.few { text = words.FEW }
end

--- Returns a share for the overview; a dash if there is none.
local function short_rate(rate)
  if not (rate and rate.share) then return "–" end
  return templates.marked { value = words.share(rate), few = few_of(rate.total) }
end

local function row_of(assessment, report)
  local row = trend_of(assessment, report)
  row.type, row.percent = values.label(assessment.metric.kind), words.percent(assessment.now)
  row.width = assessments.percent(assessment.now)
  row.total = words.number(assessment.now.total)
  row.change = words.whole_trend(assessment, report.period)
  row.few = few_of(assessment.now.total)
  local found = assessment.reliability
  row.kappa = words.kappa(found.kappa)
  row.positive, row.negative = short_rate(found.true_positive), short_rate(found.true_negative)
  row.corrected = short_rate(found.corrected)
  return templates.overview_row(row)
end

local function overview_of(report)
  local names = each(report.unreviewed, function(metric) return metric.name end)
  return templates.overview {
    rows = each(report.metrics, row_of, report),
    unreviewed = #names > 0 and templates.unreviewed { names = words.list(names) },
  }
end

-- ---- how reliable ----

--- Returns a row of the table of one metric's numbers.
local function measure(name, note, value, interval, total, noun)
  return templates.measure { name = name, note = note and templates.note { text = note },
    value = value, interval = interval, total = words.count(total, noun), few = few_of(total) }
end

local function rate_row(name, note, rate, noun)
  return measure(name, note, words.share(rate), words.interval(rate), rate.total, noun)
end

local function binary_rows(found)
  local corrected, negative = found.corrected, found.true_negative
  local fewest = corrected or { total = math.min(found.pass_rate.total, found.true_positive.total,
    negative.total) }
  return {
    rate_row("Passes calls that reviewers pass", "True positive rate", found.true_positive,
      "review"),
    rate_row("Fails calls that reviewers fail", "True negative rate", negative, "review"),
    rate_row("Pass rate", "As the metric says", found.pass_rate, "run"),
    templates.measure { name = "Pass rate, corrected",
      note = templates.note { text = "For the metric’s errors, by the two rates above" },
      value = words.share(corrected), interval = words.interval(corrected),
      total = "all of these", few = few_of(fewest.total) },
  }
end

local WEIGHTED = "Agreement beyond chance; near misses count in part"

local function reliability_of(assessment, report)
  local found, now, one = assessment.reliability, assessment.now, assessment.metric
  local is_weighted = found.kappa and found.kappa.weights
  return templates.reliability {
    id = one.id, name = one.name,
    since = assessment.step and ", since " .. report.period.since(assessment.step.from) or "",
    confidence = ("%.4g"):format(report.confidence * 100),
    rows = {
      rate_row("Agrees with reviewers", false, now, "review"),
      measure("Kappa", is_weighted and WEIGHTED or "Agreement beyond chance",
        words.kappa(found.kappa), words.kappa_interval(found.kappa), now.total, "review"),
      one.kind == "binary" and binary_rows(found),
    },
    basis = words.basis(assessment, report.period) .. words.left_out(assessment),
  }
end

-- ---- is it getting better ----

local function multiples_of(report)
  return templates.small_multiples { period = report.period.name,
    figures = each(report.metrics, function(assessment)
      local figure = trend_of(assessment, report)
      figure.chart = chart.of(assessment, report.period, "c-" .. assessment.metric.id)
      return templates.figure(figure)
    end) }
end

-- ---- what kind of mistake ----

local function sum_of(list)
  local sum = 0
  for _, number in ipairs(list) do sum = sum + number end
  return sum
end

local function confusion_row_of(kind, table_of, i)
  local cells = {}
  for j, count in ipairs(table_of.cells[i]) do
    local said = table_of.rows[j]  -- nil in the column for no value
    local agrees = said ~= nil and values.agree(kind, said, table_of.rows[i])
    cells[j] = templates.cell {
      count = count, class = agrees and "agree" or count > 0 and "differ" or "none",
    }
  end
  return templates.confusion_row { value = values.show(table_of.rows[i]), cells = cells,
    total = sum_of(table_of.cells[i]) }
end

local function totals_of(table_of)
  local totals, all = {}, 0
  for j in ipairs(table_of.columns) do
    local column = each(table_of.cells, function(row) return row[j] end)
    totals[j] = templates.cell { count = sum_of(column), class = "total" }
    all = all + sum_of(column)
  end
  totals[#totals + 1] = templates.cell { count = all, class = "total" }
  return totals
end

local function confusion_of(assessment)
  local one, table_of, rows = assessment.metric, assessment.confusion, {}
  for i in ipairs(table_of.rows) do rows[i] = confusion_row_of(one.kind, table_of, i) end
  local class = ""
  for _, value in ipairs(table_of.columns) do
    -- On a phone, long values are rotated, to keep the columns narrow.
    if utf8.len(values.show(value)) ~= 1 then class = "upright" end
  end
  return templates.confusion {
    id = one.id, name = one.name, rows = rows, totals = totals_of(table_of),
    columns = #table_of.columns, class = class,
    total = words.count(assessment.total, "review"),
    heads = each(table_of.columns, function(value)
      return templates.confusion_head { value = values.show(value) }
    end),
  }
end

--- Returns the table for measurements: how many were too high, how many too low.
local function spread_of(assessment)
  local rows = { templates.spread_row { what = "the same", count = assessment.agreed } }
  for i, one in ipairs(assessment.mistakes) do
    rows[i + 1] = templates.spread_row { what = one.what, count = #one.reviews }
  end
  return templates.spread { id = assessment.metric.id, name = assessment.metric.name, rows = rows,
    total = assessment.total }
end

local function over_time_of(assessment, report)
  local period = report.period
  return templates.over_time {
    name = assessment.metric.name, period = period.name,
    heading = period.name == "week" and "Week of" or "Month",
    rows = each(assessment.periods, function(one)
      return templates.period_row { label = period.label(one.from), agreed = one.agreed,
        total = one.total, share = words.percent_or_none(one) }
    end),
  }
end

-- ---- where ----

--- Splits "[00:01] Main Agent: Hello."; any other line is text.
local function line_of(text)
  local clock, speaker, said = text:match "^%[([%d:%.]+)%]%s*([^:]+):%s*(.*)$"
  return templates.line { clock = clock or "", speaker = speaker or "", text = said or text }
end

local function transcript_of(text)
  local lines = {}
  for one in text:gmatch "[^\r\n]+" do lines[#lines + 1] = line_of(one) end
  if #lines == 0 then
    return templates.paragraph { text = "There is no transcript of this call." }
  end
  local rest = { table.unpack(lines, LINES + 1) }
  return templates.transcript {
    lines = { table.unpack(lines, 1, LINES) },
    more = #rest > 0 and templates.more { count = words.count(#rest, "more line"), lines = rest },
  }
end

local function case_of(review, is_first)
  local explanation = table.concat(review.explanation, " ")
  return templates.case {
    open = is_first and templates.open,
    feedback = review.feedback ~= "" and templates.quoted { text = review.feedback }
      or "No feedback given.",
    said = values.show(review.said), expected = values.show(review.expected),
    title = review.title ~= "" and review.title or review.where, key = review.key,
    iso = times.iso(review.time), date = times.date(review.time),
    reason = explanation ~= "" and templates.reason { text = explanation },
    transcript = transcript_of(review.transcript),
  }
end

--- The first case of a metric is open, to show what cases contain.
local function mistake_of(one, examples, is_first)
  local shown, all = { table.unpack(one.reviews, 1, examples) }, #one.reviews
  return templates.mistake {
    what = one.what:gsub("^%l", string.upper), times = words.count(#one.reviews, "time"),
    cases = each(shown, function(review)
      return case_of(review, is_first and review == shown[1])
    end),
    rest = #shown < all and templates.paragraph {
      text = ("These are the newest %d of %d; --examples shows more."):format(#shown, all),
    },
  }
end

local function metric_of(assessment, report, options)
  local one = assessment.metric
  return templates.metric {
    id = one.id, name = one.name, percent = words.percent(assessment.now),
    description = one.description ~= "" and templates.description { text = one.description },
    sentence = table.concat({ words.agreement(assessment), words.trend(assessment, report.period),
      words.mistake(assessment), words.precision(assessment) }, " "),
    reliability = reliability_of(assessment, report),
    confusion = assessment.confusion and confusion_of(assessment) or spread_of(assessment),
    over_time = over_time_of(assessment, report),
    mistakes = each(assessment.mistakes, function(mistake_kind)
      return mistake_of(mistake_kind, options.examples, mistake_kind == assessment.mistakes[1])
    end),
  }
end

-- ---- the page ----

local NOTES = {
  [[A review is a label in the metric’s Lab: a person’s statement which value would have been right
  for one call. The metric and the reviewer agree if the two values are equal; ratings
  also agree if they differ by at most half a point.]],
  [[Kappa is the agreement beyond chance: 1 means that the metric and the reviewers always agree, 0
  that they agree as often as chance alone would make them, and “undefined” that chance alone gives
  perfect agreement, because all values are the same, or that there are more than 200 different
  values, which is a measurement and not a judgement. It is low if nearly all calls have the same
  value, even if the share of agreement is high. For numbers and ratings, a near miss counts in
  part.]],
  [[The corrected pass rate estimates how many calls really pass, from the pass rate and from how
  often the metric is right about calls that should pass and calls that should fail. It is undefined
  unless both kinds of calls were reviewed and the metric is better than chance. An interval
  contains the true number with the given confidence if the reviewed calls are typical; “few” marks
  numbers that rest on fewer than ten calls.]],
  [[If a call has two reviews, the last one counts. A review without an expected value is left
  out. A call to which the metric gave no value counts as a value of its own. The report uses the
  metric’s current value: evaluating a call again changes the report.]],
  [[A review counts for the day of its call (UTC). A change is reported only if chance is an
  unlikely cause. If reviewers prefer calls that look wrong, the metric is better on all calls than
  it appears here.]],
}

local TITLE = "Do reviewers and metrics agree?"

--- Returns the page as HTML.
---@param report table of Source:report
---@param options { examples: integer, now: integer }
---@return string
function page.of(report, options)
  return html.document(TITLE, style, templates.body {
    title = TITLE,
    scope = words.scope(report, options.now), summary = words.summary(report),
    basis = words.bases(report), overview = overview_of(report),
    small_multiples = multiples_of(report),
    details = templates.details { metrics = each(report.metrics, metric_of, report, options) },
    notes = each(NOTES, function(text) return templates.paragraph { text = text } end),
  })
end

return page
