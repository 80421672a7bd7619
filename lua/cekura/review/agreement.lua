--- Statistics of the agreement between a metric and its reviewers. Plain arithmetic: it depends on
--- no other module, and reads and prints nothing.
---
---     local agreement = require "cekura.review.agreement"
---     local low, high = agreement.wilson(34, 40)
---     local kappa = agreement.kappa {
---       { said = "passed", expected = "passed" }, { said = "failed", expected = "passed" } }
---
--- A pair is a table with the value that the metric `said` and the value that the reviewer
--- `expected`. A missing value means that the metric does not apply to the call. It is a class of
--- its own: it is neither a pass nor a fail, and equals only another missing value. Shares are
--- numbers from 0 to 1, and a confidence is a number between 0 and 1, by default 0.95.
---
--- A result is nil if it is undefined: nil means "cannot be known", and is never written as 0.

local agreement = {}

local CONFIDENCE = 0.95

---@class cekura.review.Pair
---@field said any the value of the metric; nil for none
---@field expected any the value of the reviewer; nil for none

---@class cekura.review.Rate
---@field agreed integer the calls on which the metric agreed
---@field total integer of how many
---@field share number? agreed of total; nil if the total is 0
---@field low number? the interval of the share; nil if the total is 0
---@field high number?

---@class cekura.review.Rates
---@field true_positive cekura.review.Rate
---@field true_negative cekura.review.Rate
---@field no_value integer

-- ---- the normal distribution -----------------------------------------------------------------

-- The coefficients of PPND7, for the middle, the tails, and the far tails.
local MIDDLE = { { 3.3871327179, 50.434271938, 159.29113202, 59.109374720 },
  { 1, 17.895169469, 78.757757664, 67.187563600 } }
local TAIL = { { 1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103 },
  { 1, 0.73700164250, 0.12021132975, 0 } }
local FAR_TAIL = { { 6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997 },
  { 1, 0.24197894225, 0.012258202635, 0 } }

local function ratio(fraction, x)
  local sums = {}
  for i, c in ipairs(fraction) do sums[i] = c[1] + x * (c[2] + x * (c[3] + x * c[4])) end
  return sums[1] / sums[2]
end

--- Returns the quantile of the standard normal distribution: the value below which a share `p` of
--- it is, to seven digits. `quantile(0.975)` is 1.959964.
--- Source: Wichura 1988, "Algorithm AS 241: The Percentage Points of the Normal Distribution",
--- Applied Statistics 37, 477-484, function PPND7.
---@param p number between 0 and 1, both excluded
---@return number
function agreement.quantile(p)
  assert(p > 0 and p < 1, "p must be between 0 and 1")
  local q = p - 0.5
  if math.abs(q) <= 0.425 then return q * ratio(MIDDLE, 0.180625 - q * q) end
  local r = math.sqrt(-math.log(math.min(p, 1 - p)))
  local distance = r <= 5 and ratio(TAIL, r - 1.6) or ratio(FAR_TAIL, r - 5)
  return q < 0 and -distance or distance
end

--- Returns the number of standard errors on each side of an estimate in a two-sided interval.
local function width(confidence) return agreement.quantile(1 - (1 - confidence) / 2) end

-- ---- shares ----------------------------------------------------------------------------------

--- Returns the confidence interval of a share: `agreed` of `total`. It is useful for small totals,
--- and for shares of 0 and 1. Returns nil if the total is 0.
--- Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference",
--- Journal of the American Statistical Association 22, 209-212; method 3 in Newcombe 1998.
---@param agreed number
---@param total number
---@param confidence number?
---@return number? low from 0 to 1
---@return number? high from 0 to 1
function agreement.wilson(agreed, total, confidence)
  if total <= 0 then return nil end
  local z, share = width(confidence or CONFIDENCE), agreed / total
  local middle = share + z * z / (2 * total)
  local half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
  local scale = 1 + z * z / total
  -- The limits 0 and 1 are exact; rounding would miss them.
  return agreed > 0 and (middle - half) / scale or 0,
    agreed < total and (middle + half) / scale or 1
end

--- Returns a share with its interval.
---@param agreed integer
---@param total integer
---@param confidence number?
---@return cekura.review.Rate
function agreement.rate(agreed, total, confidence)
  local low, high = agreement.wilson(agreed, total, confidence)
  return { agreed = agreed, total = total, share = total > 0 and agreed / total or nil,
    low = low, high = high }
end

--- Returns how far two shares of different calls are apart, in standard errors of the difference;
--- it is negative if the second share is lower. Its square is Pearson's chi-squared of the four
--- counts. Returns 0 if all agreed or none did, and nil if one of the totals is 0.
--- Source: Pearson 1900, "On the criterion …", Philosophical Magazine 50, 157-175.
---@param before { agreed: integer, total: integer }
---@param after { agreed: integer, total: integer }
---@return number?
function agreement.distance(before, after)
  if before.total <= 0 or after.total <= 0 then return nil end
  local share = (before.agreed + after.agreed) / (before.total + after.total)
  local deviation = math.sqrt(share * (1 - share) * (1 / before.total + 1 / after.total))
  if deviation == 0 then return 0 end
  return (after.agreed / after.total - before.agreed / before.total) / deviation
end

-- ---- kappa -----------------------------------------------------------------------------------

local NONE = {}  -- the class of a missing value

local function class_of(value)
  if value == nil then return NONE end
  return value
end

--- Returns the table of shares { classes, rows, columns, cells }: `cells[said][expected]`, and the
--- sums by what was said and by what was expected.
local function shares_of(list)
  local found = { classes = {}, rows = {}, columns = {}, cells = {} }
  local function add(class)
    if found.rows[class] then return end
    table.insert(found.classes, class)
    found.rows[class], found.columns[class], found.cells[class] = 0, 0, {}
  end
  local share = 1 / #list
  for _, pair in ipairs(list) do
    local said, expected = class_of(pair.said), class_of(pair.expected)
    add(said)
    add(expected)
    found.rows[said], found.columns[expected] =
      found.rows[said] + share, found.columns[expected] + share
    found.cells[said][expected] = (found.cells[said][expected] or 0) + share
  end
  return found
end

--- Returns the place of each class on the scale, and the length of the scale.
local function places_of(classes, categories)
  local places, low, high, index = {}, math.huge, -math.huge, {}
  for i, category in ipairs(categories or {}) do index[category], low, high = i, 1, i end
  for _, class in ipairs(classes) do
    local place = not categories and math.type(class) and class or index[class]
    assert(place or class == NONE,
      "weights need numbers, or `categories` with every value, in order")
    if place then places[class], low, high = place, math.min(low, place), math.max(high, place) end
  end
  return places, high - low
end

--- Returns a function weight(said, expected): 1 if they agree, 0 if they are as far apart as
--- possible. A missing value is as far as possible from every other.
local function weight_of(classes, weights, categories)
  if not weights then return function(said, expected) return said == expected and 1 or 0 end end
  local exponent = assert(({ linear = 1, quadratic = 2 })[weights],
    'weights must be "linear" or "quadratic"')
  local places, length = places_of(classes, categories)
  return function(said, expected)
    if said == expected then return 1 end
    if said == NONE or expected == NONE then return 0 end
    return 1 - (math.abs(places[said] - places[expected]) / length) ^ exponent
  end
end

--- Calls fn(said, expected, share of the pairs) for all combinations of two classes.
local function each_cell(found, fn)
  for _, said in ipairs(found.classes) do
    for _, expected in ipairs(found.classes) do
      fn(said, expected, found.cells[said][expected] or 0)
    end
  end
end

--- Returns the standard error of kappa, see agreement.kappa.
local function error_of(found, weight, kappa, by_chance, total)
  local row_means, column_means, sum = {}, {}, 0
  each_cell(found, function(said, expected)
    local w = weight(said, expected)
    row_means[said] = (row_means[said] or 0) + w * found.columns[expected]
    column_means[expected] = (column_means[expected] or 0) + w * found.rows[said]
  end)
  each_cell(found, function(said, expected, share)
    local distance = weight(said, expected)
      - (row_means[said] + column_means[expected]) * (1 - kappa)
    sum = sum + share * distance ^ 2
  end)
  local variance = sum - (kappa - by_chance * (1 - kappa)) ^ 2
  return math.sqrt(math.max(variance, 0) / total) / (1 - by_chance)
end

local ROUNDING = 1e-12

--- Returns Cohen's kappa: the agreement beyond chance. 1 is perfect agreement, 0 is what chance
--- alone gives, and a negative number is less than that. Also returns its standard error, from
--- which an approximate interval follows: kappa ± quantile(0.975) × error.
---
--- Kappa is nil without pairs, and if chance alone gives perfect agreement, as when both always
--- say the same value. The error is nil if the estimate of it is 0, as for perfect agreement.
---
--- Without `weights` any two different values disagree. "linear" and "quadratic" count the distance
--- of two values, or its square: for numbers, or for words whose order is in `categories`.
--- Missing values disagree completely with every other value.
---
--- Sources: Cohen 1960, "A coefficient of agreement for nominal scales", Educational and
--- Psychological Measurement 20, 37-46. With weights: Cohen 1968, "Weighted kappa", Psychological
--- Bulletin 70, 213-220. The error: Fleiss, Cohen and Everitt 1969, "Large sample standard errors
--- of kappa and weighted kappa", Psychological Bulletin 72, 323-327.
---@param list cekura.review.Pair[]
---@param weights "linear"|"quadratic"|nil
---@param categories any[]? every possible value, in order
---@return number? kappa from -1 to 1
---@return number? standard_error
function agreement.kappa(list, weights, categories)
  if #list == 0 then return nil end
  local found = shares_of(list)
  local weight = weight_of(found.classes, weights, categories)
  local observed, by_chance = 0, 0
  each_cell(found, function(said, expected, share)
    local w = weight(said, expected)
    observed, by_chance = observed + w * share, by_chance + w * found.rows[said]
      * found.columns[expected]
  end)
  if 1 - by_chance < ROUNDING then return nil end
  local kappa = (observed - by_chance) / (1 - by_chance)
  local standard_error = error_of(found, weight, kappa, by_chance, #list)
  return kappa, standard_error > math.sqrt(ROUNDING) and standard_error or nil
end

-- ---- binary metrics --------------------------------------------------------------------------

local VERDICTS = { [true] = true, passed = true, [false] = false, failed = false }

--- Returns true for a pass, false for a fail, and nil for anything else.
local function verdict_of(value)
  if value == nil then return nil end
  return VERDICTS[value]
end

--- Returns how often a binary metric is right, apart for the calls that should pass and those that
--- should fail. A value is "passed" or true, "failed" or false; anything else counts as missing.
---
---     true_positive   of the calls that the reviewers pass, those that the metric passes
---     true_negative   of the calls that the reviewers fail, those that the metric fails
---     no_value        pairs with a missing value; they are in neither rate
---
--- The names are those of diagnostic tests: sensitivity and specificity. The intervals are
--- Wilson's.
---@param list cekura.review.Pair[]
---@param confidence number?
---@return cekura.review.Rates
function agreement.rates(list, confidence)
  local counts = { [true] = { 0, 0 }, [false] = { 0, 0 } }
  local no_value = 0
  for _, pair in ipairs(list) do
    local said, expected = verdict_of(pair.said), verdict_of(pair.expected)
    if said == nil or expected == nil then
      no_value = no_value + 1
    else
      local count = counts[expected]
      count[1], count[2] = count[1] + (said == expected and 1 or 0), count[2] + 1
    end
  end
  return {
    true_positive = agreement.rate(counts[true][1], counts[true][2], confidence),
    true_negative = agreement.rate(counts[false][1], counts[false][2], confidence),
    no_value = no_value,
  }
end

local function clamped(share) return math.max(0, math.min(1, share)) end

--- Returns the share of calls that really pass, estimated from the share that a metric passes and
--- from how often the metric is right. Returns nil if one of the rates is nil, or if their sum is
--- not above 1, because such a metric is not better than chance.
--- Source: Rogan and Gladen 1978, "Estimating prevalence from the results of a screening test",
--- American Journal of Epidemiology 107, 71-76.
---@param pass_rate number? the share of calls that the metric passes
---@param true_positive number? a share, see agreement.rates
---@param true_negative number?
---@return number? share from 0 to 1
function agreement.corrected(pass_rate, true_positive, true_negative)
  if not (pass_rate and true_positive and true_negative) then return nil end
  if true_positive + true_negative <= 1 then return nil end
  return clamped((pass_rate + true_negative - 1) / (true_positive + true_negative - 1))
end

--- Returns the interval of agreement.corrected: it includes the chance in the pass rate and in
--- both rates. Returns nil if the corrected share is undefined, if too few calls were reviewed to
--- know that the metric is better than chance, or if the whole interval is outside of 0 to 1: the
--- reviewed calls are then not like the others.
--- Source: Lang and Reiczigel 2014, "Confidence limits for prevalence of disease adjusted for
--- estimated sensitivity and specificity", Preventive Veterinary Medicine 113, 13-22. Lee, Zeng,
--- Jeong, Sohn and Lee 2025, arXiv:2511.21140, apply it to language models as judges.
---@param passed integer the calls that the metric passes
---@param total integer of how many
---@param true_positive { agreed: integer, total: integer } see agreement.rates
---@param true_negative { agreed: integer, total: integer }
---@param confidence number?
---@return number? low from 0 to 1
---@return number? high from 0 to 1
function agreement.corrected_interval(passed, total, true_positive, true_negative, confidence)
  if total <= 0 or true_positive.total <= 0 or true_negative.total <= 0 then return nil end
  if true_positive.agreed / true_positive.total
    + true_negative.agreed / true_negative.total <= 1 then return nil end
  local z = width(confidence or CONFIDENCE)
  -- Each share gets successes and failures, as in Agresti and Coull 1998.
  local calls, positives, negatives =
    total + z * z, true_positive.total + 2, true_negative.total + 2
  local rate = (passed + z * z / 2) / calls
  local sensitivity = (true_positive.agreed + 1) / positives
  local specificity = (true_negative.agreed + 1) / negatives
  local gain = sensitivity + specificity - 1
  if gain <= 0 then return nil end
  local share = (rate + specificity - 1) / gain
  local of_positives = sensitivity * (1 - sensitivity) / positives
  local of_negatives = specificity * (1 - specificity) / negatives
  local variance = (rate * (1 - rate) / calls + share ^ 2 * of_positives
    + (1 - share) ^ 2 * of_negatives) / gain ^ 2
  local centre = share + 2 * z * z * (share * of_positives - (1 - share) * of_negatives)
  local half = z * math.sqrt(variance)
  if centre + half < 0 or centre - half > 1 then return nil end
  return clamped(centre - half), clamped(centre + half)
end

return agreement
