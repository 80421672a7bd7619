--- Makes results, runs and call logs from the catalogue and a seed. The seed determines what
--- happened in them, not how many there are or their names.

local catalogue = require "cekura.sandbox.data.catalogue"
local judge = require "cekura.sandbox.judge"
local random = require "cekura.sandbox.random"
local scenarios = require "cekura.sandbox.data.scenarios"

local generate = {}

local DAY = 86400
local DAYS = 60 -- the age of the oldest data

local FIRST_RESULT, RESULTS = 301, 144
local FIRST_RUN = 5000
local FIRST_CALL_LOG, CALL_LOGS = 70001, 320

--- The agents of nine successive results: two for the airline, the rest for the clinic.
local AGENTS = { 231, 232, 224, 231, 231, 232, 224, 231, 232 }

--- Runs that are the same with every seed. 5544 is the documentation's example: the agent missed
--- the reschedule step, the metric counted it nevertheless, and there is no vote yet.
local FIXED_RUNS = {
  [5544] = {
    scenario = 24270, status = "completed", unreviewed = true,
    facts = { verified = true, offered = true, confirmed = false },
    values = { [55] = 3 },
  },
}

--- Returns an index of a list by its items' ids.
function generate.by_id(list)
  local index = {}
  for _, item in ipairs(list) do index[item.id] = item end
  return index
end

local agents = generate.by_id(catalogue.agents)
local scenario_by_id = generate.by_id(scenarios.list)

local scenarios_of = {} -- by the id of the agent
for _, agent in ipairs(catalogue.agents) do scenarios_of[agent.id] = {} end
for _, scenario in ipairs(scenarios.list) do
  table.insert(scenarios_of[scenario.agent], scenario)
end

--- Returns the n-th of `count` evenly spread times in the days before `base`.
local function moment(base, n, count)
  return base - DAYS * DAY + (n - 0.5) / count * DAYS * DAY
end

--- Returns the facts of a call, which determine its transcript and the true value of each metric.
local function facts_of(seed, id, scenario, fixed)
  local function draw(purpose) return random.draw(seed, id, purpose) end
  local facts = {
    verified = draw "verified" < 0.92,
    offered = draw "offered" < 0.9,
    confirmed = draw "confirmed" < 0.72,
    careful = scenario.id ~= 24273 or draw "careful" < 0.85,
    followup = draw "followup" < 0.6,
    warmth = 2 + math.floor(draw "warmth" ^ 0.7 * 4),
    latency = math.floor(620 + draw "latency" ^ 3 * 1400),
  }
  for name, value in pairs(fixed or {}) do facts[name] = value end
  facts.warm = facts.warmth >= 4
  facts.intended = scenario.outcome
  if facts.confirmed then facts.outcome = scenario.outcome
  elseif scenario.outcome ~= "resolved" then facts.outcome = "unresolved"
  else facts.outcome = draw "outcome" < 0.6 and "escalated" or "abandoned"
  end
  facts.escalated = facts.outcome == "escalated"
  facts.abandoned = facts.outcome == "abandoned"
  return facts
end

--- Returns the results without their runs: { id, agent, name, created_at, first_run, run_count }.
---@param base number epoch seconds at which the data ends
function generate.results(base)
  local list, next_run = {}, FIRST_RUN
  for i = 1, RESULTS do
    local agent = agents[AGENTS[(i - 1) % #AGENTS + 1]]
    local created = moment(base, i, RESULTS)
    list[i] = {
      id = FIRST_RESULT + i - 1, agent = agent, index = i, created_at = created,
      name = ("%s, %s"):format(agent.name, os.date("!%d %B", created // 1 | 0)),
      first_run = next_run, run_count = 5 + i * 7 % 6,
    }
    next_run = next_run + list[i].run_count
  end
  return list
end

--- Returns an entry for each call log: { id, index, timestamp, agent }.
function generate.call_logs(base)
  local list = {}
  for i = 1, CALL_LOGS do
    list[i] = {
      id = FIRST_CALL_LOG + i - 1, index = i, timestamp = moment(base, i, CALL_LOGS),
      agent = agents[AGENTS[(i * 5) % #AGENTS + 1]],
    }
  end
  return list
end

--- Returns the status of a run. Some runs are not connected, more of them on bad days.
local function run_status(seed, id, result)
  local draw, bad_day = random.draw(seed, id, "status"), result.index % 48 == 20
  if draw < (bad_day and 0.6 or 0.03) then return "failed" end
  return draw > 0.99 and "timeout" or "completed"
end

--- Returns a run or a call log without its facts and evaluations.
local function new_call(kind, id, base, timestamp, agent, scenario)
  return {
    kind = kind, id = id, agent = agent, scenario = scenario, timestamp = timestamp,
    age_days = (base - timestamp) / DAY, evaluations = {}, by_metric = {}, pending = 0,
  }
end

--- Returns whether a metric is defined for an agent.
function generate.is_for(metric, agent)
  for _, id in ipairs(metric.agents) do
    if id == agent.id then return true end
  end
  return false
end

--- Adds the first value of each metric of the call's agent.
---@param fixed table? values by metric id
local function evaluate(call, metrics, seed, fixed)
  for _, metric in ipairs(metrics) do
    if not metric.fresh and generate.is_for(metric, call.agent) then
      local value = fixed and fixed[metric.id]
      if value == nil then value = judge.value(metric, call, 0, nil, seed) end
      local evaluation = { metric = metric, value = value, n = 0, updated_at = call.updated_at }
      call.evaluations[#call.evaluations + 1] = evaluation
      call.by_metric[metric.id] = evaluation
    end
  end
end

--- Adds votes on some of the evaluations, more often on wrong ones.
local function review(call, seed)
  for _, evaluation in ipairs(call.evaluations) do
    local metric = evaluation.metric
    local truth = judge.truth(metric, call.facts)
    local agrees = judge.agrees(metric, evaluation.value, truth)
    if random.draw(seed, call.id, "review", metric.id) < (agrees and 0.35 or 0.65) then
      evaluation.expected = truth
      evaluation.thumbs_up = agrees
      evaluation.feedback = agrees and "" or judge.feedback(metric, call.facts)
      evaluation.reviewed_at = call.updated_at
      call.is_reviewed = true
    end
  end
end

--- Returns the run `id` of `result`.
---@param metrics table[] all metrics
function generate.run(seed, base, result, id, metrics)
  local fixed = FIXED_RUNS[id] or {}
  local order = id - result.first_run
  local choices = scenarios_of[result.agent.id]
  local scenario = scenario_by_id[fixed.scenario] or choices[order % #choices + 1]
  local run = new_call("run", id, base, result.created_at + 30 + order * 95, result.agent, scenario)
  run.result = result
  run.status = fixed.status or run_status(seed, id, result)
  run.updated_at = run.timestamp + 3600
  run.facts = facts_of(seed, id, scenario, fixed.facts)
  if run.status ~= "completed" then
    run.error_message = run.status == "failed" and "Websocket handshake failed"
      or "The call was not answered in time"
    return run
  end
  evaluate(run, metrics, seed, fixed.values)
  if not fixed.unreviewed and random.draw(seed, id, "reviewed") < 0.35 then review(run, seed) end
  return run
end

--- Returns the call log of an entry of generate.call_logs.
function generate.call_log(seed, base, entry, metrics)
  local choices = scenarios_of[entry.agent.id]
  local scenario = choices[entry.index % #choices + 1]
  local log = new_call("call_log", entry.id, base, entry.timestamp, entry.agent, scenario)
  log.facts = facts_of(seed, entry.id, scenario)
  log.updated_at = log.timestamp + 600
  if random.draw(seed, entry.id, "judged") < 0.08 then return log end -- not evaluated
  evaluate(log, metrics, seed)
  if random.draw(seed, entry.id, "reviewed") < 0.3 then review(log, seed) end
  return log
end

return generate
