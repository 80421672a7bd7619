--- The report as a table for JSON. A number that is undefined is null.

local cekura = require "cekura"
local assessments = require "cekura.review.report.assessment"
local times = require "cekura.review.internal.times"

local data = {}

local function known(value)
  if value == nil then return cekura.null end
  return value
end

--- Returns a share with its interval and the total on which it rests; null for nil.
local function rate_of(rate)
  if not rate then return cekura.null end
  return { agreed = rate.agreed, total = rate.total, no_value = rate.no_value,
    share = known(rate.share), low = known(rate.low), high = known(rate.high),
    few = assessments.is_few(rate.total) }
end

local function kappa_of(kappa)
  if not kappa then return cekura.null end
  return { value = kappa.value, low = known(kappa.low), high = known(kappa.high),
    standard_error = known(kappa.standard_error), weights = known(kappa.weights),
    total = kappa.total, few = assessments.is_few(kappa.total) }
end

--- Returns the results of make(item) for a list, as a list of JSON.
local function list_of(items, make)
  local list = {}
  for i, item in ipairs(items) do list[i] = make(item) end
  return cekura.array(list)
end

local function confusion_of(confusion)
  if not confusion then return cekura.null end
  return { expected = cekura.array { table.unpack(confusion.rows) },
    said = cekura.array { table.unpack(confusion.columns) },
    counts = list_of(confusion.cells, function(row) return cekura.array { table.unpack(row) } end) }
end

local function call_of(review)
  local kind, id = review.key:match "^(%a+).* (%d+)$"
  return { [kind == "run" and "run_id" or "call_log_id"] = math.tointeger(tonumber(id)),
    said = known(review.said), expected = review.expected, feedback = review.feedback }
end

local function mistake_of(mistake)
  return { what = mistake.what, count = #mistake.reviews,
    calls = list_of(mistake.reviews, call_of) }
end

local function step_of(assessment)
  local step = assessment.step
  if not step then return cekura.null end
  return { since = times.utc(step.from),
    before = { agreed = step.before.agreed, total = step.before.total } }
end

local function metric_of(assessment)
  local metric, found, chosen = assessment.metric, assessment.reliability, assessment.selection
  local item = {
    id = metric.id, name = metric.name, kind = metric.kind,
    agreed = assessment.agreed, total = assessment.total, now = rate_of(assessment.now),
    trend = assessment.trend, step = step_of(assessment),
    kappa = kappa_of(found.kappa), no_value = found.no_value,
    selection = { kind = chosen.kind, targeted_left_out = chosen.targeted,
      others_left_out = chosen.others, random_without_review = chosen.missing,
      without_expected_value = chosen.without_expected },
    confusion = confusion_of(assessment.confusion),
    mistakes = list_of(assessment.mistakes, mistake_of),
    periods = list_of(assessment.periods, function(period)
      return { from = times.utc(period.from), agreed = period.agreed, total = period.total }
    end),
  }
  if metric.kind == "binary" then
    item.true_positive, item.true_negative =
      rate_of(found.true_positive), rate_of(found.true_negative)
    item.pass_rate, item.corrected_pass_rate =
      rate_of(found.pass_rate), rate_of(found.corrected)
  end
  return item
end

--- Returns the table.
---@param found table of Source:report
function data.of(found)
  return {
    confidence = found.confidence, calls = found.calls,
    agreed = found.agreed, total = found.total, share = found.share, low = found.low,
    high = found.high, first = times.utc(found.first), last = times.utc(found.last),
    agents = cekura.array { table.unpack(found.agents) }, period = found.period.name,
    metrics = list_of(found.metrics, metric_of),
    unreviewed_metrics = list_of(found.unreviewed, function(metric)
      return { id = metric.id, name = metric.name, kind = metric.kind }
    end),
  }
end

return data
