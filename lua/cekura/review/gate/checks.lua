--- The checks of a gate: thresholds on the runs of a result.

local agreement = require "cekura.review.agreement"
local matching = require "cekura.review.compare.matching"
local means = require "cekura.review.compare".means
local texttable = require "cekura.review.internal.table"

local command = require "cekura.review.internal.command"
local ids = require "cekura.review.internal.ids"
local metrics = require "cekura.review.internal.metrics"
local values = require "cekura.review.internal.values"

local checks = {}

---@class cekura.review.Check
---@field name string
---@field metric_id integer?
---@field word string? the value whose share is wanted
---@field is_change boolean? whether `found` is a change from the result of --base
---@field wanted string such as ">=0.9"
---@field found number? nil if no run has a value
---@field low number? the interval of `found`, with --confidence
---@field high number?
---@field runs integer
---@field verdict "ok"|"failed"|"unclear"|"person"
---@field reason string? why a person has to decide, if not because there is no value

-- ---- thresholds ----

local NO_SHARE = "'%s' can never be met or missed: a share is from 0 to 1"
local NO_THRESHOLD = "'%s' is not a threshold, such as 55>=2.5 or 52=confirmed>=0.8"

--- Parses "55>=3" as { id, compare, bound }, and "52=confirmed>=0.8" with a `value`.
function checks.threshold(given)
  local id, value, compare, bound = given:match "^%s*(%d+)%s*=?([^<>]-)%s*([<>]=?)%s*(%S+)%s*$"
  id, bound = ids.one(id or ""), tonumber(bound)
  if not id or not bound or (value ~= "") ~= (given:find "^%s*%d+%s*=" ~= nil) then
    return nil, NO_THRESHOLD:format(given)
  elseif value ~= "" and (bound < 0 or bound > 1) then
    return nil, NO_SHARE:format(given)
  end
  return { id = id, compare = compare, bound = bound, value = value ~= "" and value or nil }
end

local ROUNDING = 1e-9  -- the mean of three times 3.8 is 3.7999999999999994 in binary

--- Returns whether `a` is above `b` by more than rounding.
local function is_above(a, b) return a - b > ROUNDING * math.min(math.abs(a), math.abs(b)) end

local COMPARE = {
  [">="] = function(a, b) return not is_above(b, a) end,
  ["<="] = function(a, b) return not is_above(a, b) end,
  [">"] = function(a, b) return is_above(a, b) end,
  ["<"] = function(a, b) return is_above(b, a) end,
}

--- Returns whether one run has what a threshold wants of all of them: a threshold for a share
--- wants the value to be the named one, or another one if the share is to be small.
---@param row cekura.MetricValue with a value
---@param wanted table of checks.threshold
---@return boolean? # nil if the value is not a number
function checks.is_met(row, wanted)
  if wanted.value then
    return values.is_written(row, wanted.value) == (wanted.compare:find ">" ~= nil)
  end
  local number = values.measure(row.kind, row.value)
  return number and COMPARE[wanted.compare](number, wanted.bound)
end

-- ---- verdicts ----

--- Returns "ok" or "failed" if both ends of the interval say the same, or else "unclear".
local function verdict_of_interval(check, compare, bound)
  if not check.low then return "unclear" end
  local low, high = COMPARE[compare](check.low, bound), COMPARE[compare](check.high, bound)
  if low ~= high then return "unclear" end
  return low and "ok" or "failed"
end

--- Sets `wanted` and `verdict` of a check. Without a value, a person has to decide.
local function judge(check, compare, bound, confidence)
  check.wanted = compare .. texttable.show(bound)
  if not check.found then
    check.verdict = "person"
  elseif confidence then
    check.verdict = verdict_of_interval(check, compare, bound)
  else
    check.verdict = COMPARE[compare](check.found, bound) and "ok" or "failed"
  end
  return check
end

-- ---- what the runs say ----

--- Returns the runs of a result in the order of their ids.
function checks.runs(result)
  local runs = {}
  for _, run in pairs(result.runs or {}) do runs[#runs + 1] = run end
  table.sort(runs, function(a, b) return a.id < b.id end)
  return runs
end

--- Sets `found` and `runs` of a check, and its interval if there is a confidence: that of a share,
--- or of a mean.
---@param numbers number[]
---@param unit number? of two numbers, 0 and `unit`, the mean is a share
local function measure(check, numbers, unit, confidence)
  local sum = 0
  for _, number in ipairs(numbers) do sum = sum + number end
  check.runs = #numbers
  if #numbers == 0 then return check end
  check.found = sum / #numbers
  if confidence and unit then
    local low, high = agreement.wilson(sum / unit, #numbers, confidence)
    check.low, check.high = low * unit, high * unit
  elseif confidence then
    check.low, check.high = select(2, means(numbers, confidence))
  end
  return check
end

--- Returns whether a run or a whole result was not connected: the telephone line failed, not the
--- agent.
function checks.is_broken(run) return matching.reason(run.status) == matching.NOT_CONNECTED end

--- Returns the check of the success rate if each run that was not connected counts as `broken`, 1
--- or 0, and the number of these runs. Counts the runs, because the API's success_rate is a share
--- in one response and a percentage in another.
local function success_with(broken, result, options)
  local numbers, count = {}, 0
  for i, run in ipairs(checks.runs(result)) do
    numbers[i] = run.success == true and 1 or checks.is_broken(run) and broken or 0
    if checks.is_broken(run) then count = count + 1 end
  end
  return judge(measure({ name = "success rate" }, numbers, 1, options.confidence), ">=",
    options.min_success_rate, options.confidence), count
end

--- A run that was not connected has not passed. If such runs decide, a person has to.
local function check_success(result, options)
  local check, broken = success_with(0, result, options)
  if broken == 0 or check.verdict == "ok" then return check end
  command.say("%s not connected, and not passed",
    broken == 1 and "1 run was" or ("%d runs were"):format(broken))
  if success_with(1, result, options).verdict ~= check.verdict then
    check.verdict, check.reason = "person", "not connected"
  end
  return check
end

--- Returns a value as a number; if there is a wanted value, 1 or 0 for equal or not.
local function number_of(row, wanted)
  if not wanted then return values.measure(row.kind, row.value) end
  return values.is_written(row, wanted) and 1 or 0
end

local NO_NUMBER = 'metric %d says "%s", which has no mean: ask for a share, such as %d=%s>=0.8'

--- Returns a metric's values in the runs, and the unit if they are all 0 or that. A run to which
--- the metric does not apply is neither a pass nor a failure. Returns no values if one of them
--- cannot be read.
local function numbers_of(result, wanted)
  local numbers, unit = {}, wanted.value and 1 or 5
  for _, run in ipairs(checks.runs(result)) do
    local row = metrics.entry(run, wanted.id)
    if row and row.applies then
      if row.value == nil then
        command.say("the value of metric %d in run %d cannot be read", wanted.id, run.id)
        return {}
      end
      local number = number_of(row, wanted.value)
      if not number then
        command.fail("usage", NO_NUMBER, wanted.id, row.value, wanted.id, row.value)
      end
      numbers[#numbers + 1] = number
      if not wanted.value and row.kind ~= "binary" then unit = nil end
    end
  end
  return numbers, unit
end

local function check_metric(result, wanted, confidence)
  local numbers, unit = numbers_of(result, wanted)
  local what = wanted.value and ('share of "%s"'):format(wanted.value) or "mean"
  local check = { name = ("metric %d, %s"):format(wanted.id, what), metric_id = wanted.id,
    word = wanted.value }
  return judge(measure(check, numbers, unit, confidence), wanted.compare, wanted.bound, confidence)
end

--- Returns the checks of the thresholds.
---@param result table of responses.result
---@param options { min_success_rate: number?, metric: table[], confidence: number? }
---@return cekura.review.Check[]
function checks.of(result, options)
  local list = {}
  if options.min_success_rate then list[1] = check_success(result, options) end
  for _, wanted in ipairs(options.metric) do
    list[#list + 1] = check_metric(result, wanted, options.confidence)
  end
  return list
end

return checks
