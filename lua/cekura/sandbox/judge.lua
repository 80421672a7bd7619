--- How a metric comes to its value, and how it goes wrong. Every call has facts (generate.lua),
--- from which follows what a careful reviewer would say; the metric says the same, but for an
--- error now and then, at the rate that the catalogue names for it.

local json = require "cekura.sandbox.json"
local random = require "cekura.sandbox.random"

local judge = {}

--- Scores of a binary metric, as the API has them.
local PASSED, FAILED = 5, 0

--- An improved metric errs this much less; so does any metric that runs again over a call where a
--- reviewer has said what is right.
local IMPROVED, REVIEWED = 0.15, 0.3

local function score(fact) return fact and PASSED or FAILED end

local function flipped(value) return value == PASSED and FAILED or PASSED end

local function steps(facts)
  return (facts.verified and 1 or 0) + (facts.offered and 1 or 0) + (facts.confirmed and 1 or 0)
end

local function binary(fact, yes, no)
  return {
    truth = function(facts) return score(facts[fact]) end,
    mistake = flipped,
    explain = function(value) return value == PASSED and yes or no end,
    correct = function(truth) return truth == PASSED and "It was done, and heard: " .. yes
      or "The metric is too lenient here. " .. no end,
  }
end

--- One row a kind of metric: truth(facts), mistake(truth, facts, chance) with a chance in [0, 1),
--- explain(value), and correct(truth), which is what a reviewer writes about a wrong value.
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
    truth = steps,
    mistake = function(truth, facts)
      if not facts.confirmed then return truth + 1 end -- takes the offer for the confirmation
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

--- How often `metric` errs on a call of that age.
local function error_rate(metric, age_days)
  for _, row in ipairs(metric.errors) do
    if age_days >= row.older_than then return row.rate end
  end
  return 0
end

--- What a careful reviewer would say.
function judge.truth(metric, facts)
  return KINDS[metric.kind].truth(facts)
end

--- What the metric says when it runs for the n-th time (from 0) over a call.
---@param metric table
---@param call table with `id`, `facts`, `age_days`
---@param n integer
---@param expected any what a reviewer said of this call; nil if nobody did
---@param seed integer
function judge.value(metric, call, n, expected, seed)
  local kind = KINDS[metric.kind]
  local truth = expected
  if truth == nil then truth = kind.truth(call.facts) end
  local rate = error_rate(metric, call.age_days)
  if n > 0 and metric.improved then rate = rate * IMPROVED end
  if n > 0 and expected ~= nil then rate = rate * REVIEWED end
  if random.draw(seed, call.id, metric.slug, n) >= rate then return truth end
  local chance = random.draw(seed, call.id, metric.slug, -1 - n)
  return kind.mistake(kind.truth(call.facts), call.facts, chance)
end

--- Why, in the metric's own words.
---@return string[]
function judge.explain(metric, value)
  if value == nil then return {} end
  local ok, text = pcall(KINDS[metric.kind].explain, value)
  return { ok and text or ("The value is %s."):format(json.encode(value)) }
end

--- What a reviewer writes about this call.
function judge.feedback(metric, facts)
  local kind = KINDS[metric.kind]
  return kind.correct(kind.truth(facts), facts)
end

--- A value as it is compared and stored: a binary one may be given as a boolean, and a whole
--- number may have been read from JSON as a float.
function judge.normalise(metric, value)
  if metric.eval_type == "binary" and type(value) == "boolean" then return score(value) end
  return type(value) == "number" and math.tointeger(value) or value
end

--- Whether a reviewer's value is the metric's; half a point counts as the same impression.
function judge.agrees(metric, value, expected)
  if metric.eval_type == "continuous_qualitative" and type(value) == "number"
    and type(expected) == "number" then
    return math.abs(value - expected) <= 0.5
  end
  return value == expected
end

--- Whether a value is good enough for the call to pass.
function judge.passes(metric, value)
  if metric.failing then return value ~= metric.failing end
  if type(value) ~= "number" then return value ~= false end
  if metric.at_most then return value <= metric.at_most end
  return value >= metric.at_least
end

return judge
