--- The values of metrics. The facts of a call (generate.lua) determine the true value; a metric
--- returns it, except for errors at the rate in the catalogue.

local json = require "cekura.sandbox.json"
local random = require "cekura.sandbox.random"
local values = require "cekura.values"

local judge = {}

--- Factors of the error rate: of an improved metric, and of a metric that runs again after a vote.
local IMPROVED, REVIEWED = 0.15, 0.3

local function binary(fact, yes, no)
  return {
    truth = function(facts) return facts[fact] end,
    mistake = function(truth) return not truth end,
    explain = function(value) return value and yes or no end,
    correct = function(truth) return truth and "It was done, and heard: " .. yes
      or "The metric is too lenient here. " .. no end,
  }
end

--- The kinds of metrics: truth(facts), mistake(truth, facts, chance) with a chance in [0, 1),
--- explain(value), and correct(truth, facts), the feedback of a reviewer on a wrong value.
local KINDS = {
  verified = binary("verified", "The agent verified who is calling.",
    "The agent went on without verifying who is calling."),
  offered = binary("offered", "The agent offered alternatives.",
    "The agent offered no alternative."),
  careful = binary("careful", "The agent gave no medical advice.",
    "The agent recommended a medicine."),
  followup = binary("followup", "The agent asked whether there is anything else.",
    "The agent ended the call without asking whether there is anything else."),
  outcome = {
    truth = function(facts) return facts.outcome end,
    mistake = function(truth, facts)
      if truth == "unresolved" then return facts.intended end
      return truth == "confirmed" and "rescheduled" or "confirmed"
    end,
    explain = function(value) return ("The appointment ended as: %s."):format(value) end,
    correct = function(truth)
      if truth == "unresolved" then return "Nothing was confirmed, so this is unresolved." end
      return ("The agent said it clearly: %s."):format(truth)
    end,
  },
  resolution = {
    truth = function(facts) return facts.outcome end,
    mistake = function(truth) return truth == "resolved" and "escalated" or "resolved" end,
    explain = function(value) return ("The caller's request was %s."):format(value) end,
    correct = function(truth)
      return ("Listen to the last turns: the request was %s."):format(truth)
    end,
  },
  warmth = {
    truth = function(facts) return facts.warmth end,
    mistake = function(truth, _, chance)
      return truth >= 4 and truth - 2 or truth + 1 + math.floor(chance * 2)
    end,
    explain = function(value)
      return value >= 4 and "The agent took up what the caller said about the situation."
        or "The agent answered correctly, but without a word about the situation."
    end,
    correct = function(truth)
      return truth >= 4 and "Too strict: the agent was kind."
        or "Polite is not warm: score this lower."
    end,
  },
  steps = {
    truth = function(facts)
      return (facts.verified and 1 or 0) + (facts.offered and 1 or 0) + (facts.confirmed and 1 or 0)
    end,
    mistake = function(truth, facts)
      if not facts.confirmed then return truth + 1 end -- it counts the offer as the confirmation
      return truth - 1
    end,
    explain = function(value) return ("The agent completed %d of 3 steps."):format(value) end,
    correct = function(truth, facts)
      if not facts.confirmed then
        return "Agent missed the reschedule step: the new time was never confirmed."
      end
      return ("All of it was there: %d steps."):format(truth)
    end,
  },
  latency = {
    truth = function(facts) return facts.latency end,
    mistake = function(truth) return truth end,
    explain = function(value) return ("Median of %d ms over all turns."):format(value) end,
    correct = function(truth) return ("Measured by hand: %d ms."):format(truth) end,
  },
}

--- Returns the true value of a metric; nil if it does not apply to the call.
function judge.truth(metric, facts)
  if facts[metric.skipped_if] then return nil end
  return KINDS[metric.kind].truth(facts)
end

--- Returns the value of a metric when it runs for the n-th time (from 0) on a call; nil if it does
--- not apply.
---@param metric table
---@param call table with `id`, `facts`, `age_days`
---@param n integer
---@param expected any the value of a vote on this call, or nil
---@param seed integer
function judge.value(metric, call, n, expected, seed)
  local truth = expected
  if truth == nil then truth = judge.truth(metric, call.facts) end
  if truth == nil then return nil end
  local rate = 0
  for _, row in ipairs(metric.errors) do
    if call.age_days >= row.older_than then
      rate = row.rate
      break
    end
  end
  if n > 0 and metric.level > 0 then rate = rate * IMPROVED end
  if n > 0 and expected ~= nil then rate = rate * REVIEWED end
  if random.draw(seed, call.id, metric.salt, n) >= rate then return truth end
  local chance = random.draw(seed, call.id, metric.salt, -1 - n)
  local kind = KINDS[metric.kind]
  return kind.mistake(kind.truth(call.facts), call.facts, chance)
end

--- Returns the metric's explanation of a value.
---@return string[]
function judge.explain(metric, value)
  if value == nil then return { "The metric does not apply to this call." } end
  local ok, text = pcall(KINDS[metric.kind].explain, value)
  return { ok and text or ("The value is %s."):format(json.encode(value)) }
end

--- Returns a reviewer's feedback on a wrong value.
function judge.feedback(metric, facts)
  local kind = KINDS[metric.kind]
  return kind.correct(kind.truth(facts), facts)
end

--- Returns the value of a vote or a label as it is stored: that of a binary metric as a boolean and
--- that of a number as a number, in whatever way it was sent, unless the metric cannot have it.
function judge.normalise(metric, value)
  local kind = values.kind_of(metric.eval_type)
  if kind ~= "enum" then
    local read = values.read(kind, value)
    if read ~= nil then return read end
  end
  return type(value) == "number" and math.tointeger(value) or value
end

--- Returns whether a vote agrees with a value; for a rating, within half a point.
function judge.agrees(metric, value, expected)
  if metric.eval_type == "continuous_qualitative" and type(value) == "number"
    and type(expected) == "number" then
    return math.abs(value - expected) <= 0.5
  end
  return value == expected
end

--- Returns whether the call passes with this value of the metric, also if that is nil.
function judge.passes(metric, value)
  if metric.failing then return value ~= metric.failing end
  if type(value) ~= "number" then return value ~= false end
  if metric.at_most then return value <= metric.at_most end
  return not metric.at_least or value >= metric.at_least
end

return judge
