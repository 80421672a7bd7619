--- The tests and intervals of cekura.review.compare: arithmetic on counts and lists of numbers.
--- Each function names its source; the specs reproduce published examples.

local wilson = require "cekura.review.agreement".wilson

local statistics = {}

-- ---- distributions ---------------------------------------------------------------------------

local log_factorials = { [0] = 0 }

local function log_factorial(n)
  for i = #log_factorials + 1, n do
    log_factorials[i] = log_factorials[i - 1] + math.log(i)
  end
  return log_factorials[n]
end

--- Returns the probability of k successes in n trials.
local function binomial(n, k, share)
  if share <= 0 or share >= 1 then return k == (share <= 0 and 0 or n) and 1 or 0 end
  return math.exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k)
    + k * math.log(share) + (n - k) * math.log(1 - share))
end

--- Returns the x at which an increasing function reaches `wanted`, by bisection.
local function solve(fn, wanted)
  local low, high = 0, 1
  while fn(high) < wanted do low, high = high, high * 2 end
  for _ = 1, 100 do
    local middle = (low + high) / 2
    if fn(middle) < wanted then low = middle else high = middle end
  end
  return high
end

--- Returns the probability that a variable with Student's t distribution is between -t and t
--- (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
local function student_within(t, freedom)
  local angle = math.atan(t / math.sqrt(freedom))
  local cosine = math.cos(angle)
  local is_odd = freedom % 2 == 1
  local term = is_odd and cosine or 1
  local sum = freedom > 1 and term or 0
  for i = is_odd and 3 or 2, freedom - 2, 2 do
    term = term * cosine * cosine * (i - 1) / i
    sum = sum + term
  end
  sum = sum * math.sin(angle)
  return is_odd and 2 / math.pi * (angle + sum) or sum
end

-- ---- pass or fail ----------------------------------------------------------------------------

--- Returns the two-sided p value of McNemar's test (1947) in its exact form, the binomial test of
--- the pairs that differ.
---@param lost integer the pairs that passed only before
---@param gained integer the pairs that passed only after
---@return number p from 0 to 1; 1 if no pair differs
function statistics.mcnemar(lost, gained)
  local tail = 0
  for k = 0, math.min(lost, gained) do tail = tail + binomial(lost + gained, k, 0.5) end
  return math.min(1, 2 * tail)
end

--- Returns the correlation of two outcomes of the same pairs, with Newcombe's correction for
--- continuity: 0 if it may be chance alone, or if all outcomes on one side are equal.
local function correlation(both, lost, gained, neither)
  local scale = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
  local product = both * neither - lost * gained
  if scale == 0 then return 0 end
  if product > 0 then
    product = math.max(0, product - (both + lost + gained + neither) / 2)
  end
  return product / math.sqrt(scale)
end

--- Returns how much the share of passes has changed from before to after, and the interval of that
--- change by method 10 of Newcombe (1998, Statistics in Medicine 17, 2635-2650). Returns nil
--- without pairs.
---@param both integer the pairs that passed before and after
---@param lost integer the pairs that passed only before
---@param gained integer the pairs that passed only after
---@param neither integer the pairs that passed neither before nor after
---@param confidence number? from 0 to 1: 0.95
---@return number? change from -1 to 1
---@return number? low
---@return number? high
function statistics.proportions(both, lost, gained, neither, confidence)
  local total = both + lost + gained + neither
  if total == 0 then return nil end
  local before, after = (both + lost) / total, (both + gained) / total
  local low_before, high_before = wilson(both + lost, total, confidence)
  local low_after, high_after = wilson(both + gained, total, confidence)
  local phi = correlation(both, lost, gained, neither)
  local function distance(a, b) return math.sqrt(math.max(0, a * a - 2 * phi * a * b + b * b)) end
  local change = (gained - lost) / total
  return change, change - distance(after - low_after, high_before - before),
    change + distance(high_after - after, before - low_before)
end

-- ---- numbers ---------------------------------------------------------------------------------

local ROUNDING = 1e-9  -- of the mean: equal decimals differ by less in binary

--- Returns the mean and its standard error, which is 0 if the differences are equal.
local function mean_and_error(differences)
  local n, sum, squares = #differences, 0, 0
  for _, difference in ipairs(differences) do sum = sum + difference end
  local mean = sum / n
  for _, difference in ipairs(differences) do squares = squares + (difference - mean) ^ 2 end
  local error = math.sqrt(squares / (n - 1) / n)
  return mean, error > ROUNDING * math.abs(mean) and error or 0
end

--- Returns the mean of paired differences, and its interval by Student's t distribution (Student
--- 1908). The interval is nil for fewer than two differences, and for equal ones: they say nothing
--- about chance.
---@param differences number[] after minus before, of each pair
---@param confidence number? from 0 to 1: 0.95
---@return number? change
---@return number? low
---@return number? high
function statistics.means(differences, confidence)
  local n = #differences
  if n == 0 then return nil end
  local mean, error = mean_and_error(differences)
  if n < 2 or error == 0 then return mean end
  local half = error * solve(function(t) return student_within(t, n - 1) end, confidence or 0.95)
  return mean, mean - half, mean + half
end

local MOST_EXACT = 15  -- differences: 16,384 ways of signing them

--- Returns in how many ways of signing the differences from the i-th on the sum is as far from zero
--- as `wanted`.
local function count_extreme(differences, i, sum, wanted)
  if i > #differences then return math.abs(sum) >= wanted and 1 or 0 end
  return count_extreme(differences, i + 1, sum + differences[i], wanted)
    + count_extreme(differences, i + 1, sum - differences[i], wanted)
end

--- Returns the two-sided p value of the mean of paired differences. It is exact with at most 15
--- differences that are not zero: the share of the ways of signing them with which the sum is at
--- least as far from zero (Fisher 1935, The Design of Experiments, section 21). With more it is the
--- p value of Student's t test, which is then close to the exact one.
---@param differences number[]
---@return number p from 0 to 1; 1 if all differences are zero
function statistics.signs(differences)
  local others, sum, size = {}, 0, 0
  for _, difference in ipairs(differences) do
    if difference ~= 0 then others[#others + 1] = difference end
    sum, size = sum + difference, size + math.abs(difference)
  end
  if #others == 0 then return 1 end
  if #others <= MOST_EXACT then  -- sums that differ only by rounding are equal
    return count_extreme(others, 2, others[1], math.abs(sum) - 1e-9 * size) / 2 ^ (#others - 1)
  end
  local mean, error = mean_and_error(differences)
  if error == 0 then return 0 end
  return math.max(0, 1 - student_within(math.abs(mean) / error, #differences - 1))
end

-- ---- several tests ---------------------------------------------------------------------------

--- Returns the p values adjusted for their number (Holm 1979, Scandinavian Journal of Statistics 6,
--- 65-70), in the same order. The chance that any of them is at most 0.05 although nothing has
--- changed is at most 0.05.
---@param ps number[]
---@return number[]
function statistics.holm(ps)
  local order, adjusted, largest = {}, {}, 0
  for i in ipairs(ps) do order[i] = i end
  table.sort(order, function(a, b) return ps[a] < ps[b] or ps[a] == ps[b] and a < b end)
  for rank, i in ipairs(order) do
    largest = math.max(largest, (#ps - rank + 1) * ps[i])
    adjusted[i] = math.min(1, largest)
  end
  return adjusted
end

--- Returns the greatest count of the rarer direction with which `differing` pairs are significant;
--- -1 if no count makes them significant.
local function critical(differing, level)
  local tail, k = 0, 0
  repeat
    tail, k = tail + 2 * binomial(differing, k, 0.5), k + 1
  until tail > level or k > differing
  return k - 2
end

local NEGLIGIBLE = 1e-15

--- Returns the probability that the exact test of McNemar finds a change from one share of passes
--- to another, if the runs of a pair are independent of each other: the sum over all outcomes that
--- are significant and in the right direction.
---@param pairs_of_runs integer
---@param before number the true share of passes, from 0 to 1
---@param after number another share
---@param confidence number? from 0 to 1: 0.95
---@return number power from 0 to 1
function statistics.power(pairs_of_runs, before, after, confidence)
  local wanted, rare = before * (1 - after), after * (1 - before)
  if after > before then wanted, rare = rare, wanted end
  if wanted + rare == 0 then return 0 end
  local power, level = 0, 1 - (confidence or 0.95)
  for differing = 1, pairs_of_runs do
    local weight, tail = binomial(pairs_of_runs, differing, wanted + rare), 0
    if weight > NEGLIGIBLE then
      for k = 0, critical(differing, level) do
        tail = tail + binomial(differing, k, rare / (wanted + rare))
      end
    end
    power = power + weight * tail
  end
  return power
end

return statistics
