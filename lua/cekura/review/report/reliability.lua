--- The numbers on how far a metric can be relied on: kappa, the true positive and the true negative
--- rate, and the corrected pass rate. agreement.lua does the arithmetic.

local agreement = require "cekura.review.agreement"
local reading = require "cekura.review.report.reading"

local reliability = {}

-- Kappa counts the distance of two numbers. A near miss of a rating is therefore half a success.
local WEIGHTS = { numeric = "linear", continuous_qualitative = "linear" }

-- The time for kappa grows with the square of the number of different values; a measurement with
-- more of them has no use for it.
local MOST_CLASSES = 200

local function count_classes(reviews)
  local there, count = {}, 0
  for _, review in ipairs(reviews) do
    for _, value in pairs { review.said, review.expected } do
      if not there[value] then there[value], count = true, count + 1 end
    end
  end
  return count
end

--- Returns { value, low, high, total, weights }; nil if kappa is undefined. The interval is nil if
--- all agree.
local function kappa_of(metric, reviews, confidence)
  local weights = WEIGHTS[metric.kind]
  if count_classes(reviews) > MOST_CLASSES then return nil end
  local value, standard_error = agreement.kappa(reviews, weights)
  if not value then return nil end
  local kappa = { value = value, total = #reviews, weights = weights,
    standard_error = standard_error }
  if standard_error then
    local half = agreement.quantile((1 + confidence) / 2) * standard_error
    kappa.low, kappa.high = math.max(value - half, -1), math.min(value + half, 1)
  end
  return kappa
end

--- Returns the share of the runs that a binary metric passes, with the number of runs without a
--- value. Production calls do not count, because only reviewed ones are read.
local function pass_rate_of(metric, calls, from, confidence)
  local passed, total, no_value = 0, 0, 0
  for _, call in pairs(calls) do
    if call.is_run and call.said[metric.id] and call.time >= from then
      local said = reading.said(metric, call)
      if said == nil then no_value = no_value + 1 else total = total + 1 end
      if said == "passed" then passed = passed + 1 end
    end
  end
  local rate = agreement.rate(passed, total, confidence)
  rate.no_value = no_value
  return rate
end

--- Returns { share, low, high, total }; nil if the rate is undefined. The interval takes the runs
--- and the reviews for independent samples.
local function corrected_of(found, confidence)
  local rate, positive, negative = found.pass_rate, found.true_positive, found.true_negative
  local share = agreement.corrected(rate.share, positive.share, negative.share)
  if not share then return nil end
  local low, high =
    agreement.corrected_interval(rate.agreed, rate.total, positive, negative, confidence)
  return { share = share, low = low, high = high,
    total = math.min(rate.total, positive.total, negative.total) }
end

--- Returns { kappa, no_value }, and for a binary metric { true_positive, true_negative, pass_rate,
--- corrected }. `no_value` counts the reviews of calls to which the metric gave no value.
---@param metric table
---@param reviews table[] those since `from`
---@param calls table<string, table>
---@param from number the time from which on runs count
---@param confidence number
function reliability.of(metric, reviews, calls, from, confidence)
  local found = { kappa = kappa_of(metric, reviews, confidence), no_value = 0 }
  for _, review in ipairs(reviews) do
    if review.said == nil then found.no_value = found.no_value + 1 end
  end
  if metric.kind ~= "binary" then return found end
  local rates = agreement.rates(reviews, confidence)
  found.true_positive, found.true_negative = rates.true_positive, rates.true_negative
  found.pass_rate = pass_rate_of(metric, calls, from, confidence)
  found.corrected = corrected_of(found, confidence)
  return found
end

return reliability
