--- What the stand-in remembers, and what happens to it as time passes. Nothing runs in the
--- background: whatever is due is done before anybody looks (`settle`).

local catalogue = require "cekura.sandbox.data.catalogue"
local generate = require "cekura.sandbox.generate"
local judge = require "cekura.sandbox.judge"
local optimiser = require "cekura.sandbox.optimiser"
local Ring = require "cekura.sandbox.ring"

---@class cekura.sandbox.Store
local Store = {}
Store.__index = Store

local DAY = 86400
local KEPT = 10000 -- votes and finished jobs that state() can show

local function copy(row)
  local new = {}
  for key, value in pairs(row) do new[key] = value end
  return new
end

--- Each store has metrics of its own: they change.
local function new_metrics(base)
  local list = {}
  for i, row in ipairs(catalogue.metrics) do
    list[i] = copy(row)
    list[i].version = 1
    list[i].evaluation_trigger = "always"
    list[i].updated_at = base - 45 * DAY
  end
  return list
end

local function index_runs(results)
  local index = {}
  for _, result in ipairs(results) do
    for id = result.first_run, result.first_run + result.run_count - 1 do index[id] = result end
  end
  return index
end

---@param config table the options of sandbox.start
---@param clock fun(): number seconds of a monotonic clock
---@return cekura.sandbox.Store
function Store.new(config, clock)
  local base = config.now // DAY * DAY
  local started = clock()
  local store = setmetatable({
    seed = config.seed, base = base, evaluation_time = config.evaluation_time,
    credits_per_evaluation = config.credits_per_evaluation, optimiser = config.optimiser,
    balance = { initial = config.balance, remaining = config.balance, used = 0 },
    now = function() return config.now + clock() - started end,
    agents = generate.by_id(catalogue.agents), projects = generate.by_id(catalogue.projects),
    metric_list = new_metrics(base), result_list = generate.results(base),
    call_log_list = generate.call_logs(base),
    run_cache = {}, call_log_cache = {},
    votes = Ring.new(KEPT), jobs = Ring.new(KEPT), optimiser_jobs = {},
    running = {}, first_running = 1, last_running = 0, -- a queue
    staged = 0, -- how many in it have several metrics
  }, Store)
  store.metrics = generate.by_id(store.metric_list)
  store.results = generate.by_id(store.result_list)
  store.result_of_run = index_runs(store.result_list)
  store.call_log_entries = generate.by_id(store.call_log_list)
  for _, result in ipairs(store.result_list) do
    result.updated_at = result.created_at + 3600
    result.pending = 0
  end
  return store
end

-- ---- looking things up ----

--- The run, made the first time that it is asked for; nil where there is none.
function Store:run(id)
  local run = self.run_cache[id]
  if run then return run end
  local result = self.result_of_run[id]
  if not result then return nil end
  run = generate.run(self.seed, self.base, result, id, self.metric_list)
  self.run_cache[id] = run
  return run
end

function Store:call_log(id)
  local log = self.call_log_cache[id]
  if log then return log end
  local entry = self.call_log_entries[id]
  if not entry then return nil end
  log = generate.call_log(self.seed, self.base, entry, self.metric_list)
  self.call_log_cache[id] = log
  return log
end

function Store:runs_of(result)
  local runs = {}
  for i = 1, result.run_count do runs[i] = self:run(result.first_run + i - 1) end
  return runs
end

--- Every run and call log that there is.
function Store:calls()
  local calls = {}
  for _, result in ipairs(self.result_list) do
    for i = 1, result.run_count do calls[#calls + 1] = self:run(result.first_run + i - 1) end
  end
  for _, entry in ipairs(self.call_log_list) do calls[#calls + 1] = self:call_log(entry.id) end
  return calls
end

--- By number, or by slug.
function Store:metric(id)
  local metric = self.metrics[id:find "^[0-9]+$" and math.tointeger(tonumber(id)) or id]
  if metric then return metric end
  for _, other in ipairs(self.metric_list) do
    if other.slug == id then return other end
  end
end

-- ---- what a call is worth ----

--- The value that counts: the reviewer's, where one has spoken.
local function value_of(evaluation, reviewed)
  if reviewed and evaluation.expected ~= nil then return evaluation.expected end
  return evaluation.value
end

local function passes(call, reviewed)
  for _, evaluation in ipairs(call.evaluations) do
    if not judge.passes(evaluation.metric, value_of(evaluation, reviewed)) then return false end
  end
  return true
end

--- true, false, or nil for a call log that has not been judged. By the metrics alone.
function Store.success(call)
  if #call.evaluations == 0 then
    if call.kind == "run" then return false end
    return nil
  end
  return passes(call, false)
end

--- "success", "failure", "reviewed_success" or "reviewed_failure".
function Store.evaluation_status(call)
  local good = #call.evaluations > 0 and passes(call, call.is_reviewed)
  return (call.is_reviewed and "reviewed_" or "") .. (good and "success" or "failure")
end

-- ---- votes ----

--- Records a reviewer's vote on what `evaluation` says about `call`.
---@param vote table { thumbs_up, expected_value, feedback }; nil for null
function Store:vote(call, evaluation, vote)
  local now = self.now()
  evaluation.expected = judge.normalise(evaluation.metric, vote.expected_value)
  evaluation.thumbs_up = vote.thumbs_up
  evaluation.feedback = vote.feedback or ""
  evaluation.reviewed_at = now
  call.is_reviewed = true
  call.updated_at = now
  self.votes:add {
    kind = call.kind, id = call.id, metric_id = evaluation.metric.id, thumbs_up = vote.thumbs_up,
    expected_value = vote.expected_value, feedback = vote.feedback, at = now,
  }
end

--- Every evaluation by `metric` that a reviewer has gone over: { call, evaluation }.
function Store:reviews(metric)
  local reviews = {}
  for _, call in ipairs(self:calls()) do
    local evaluation = call.by_metric[metric.id]
    if evaluation and evaluation.reviewed_at then
      reviews[#reviews + 1] = { call = call, evaluation = evaluation }
    end
  end
  return reviews
end

-- ---- credits and jobs ----

--- Pays for that many evaluations. False, and nothing is paid, where the balance does not do.
function Store:charge(evaluations)
  local cost = evaluations * self.credits_per_evaluation
  if cost > self.balance.remaining then return false, cost end
  self.balance.remaining = self.balance.remaining - cost
  self.balance.used = self.balance.used + cost
  return true, cost
end

function Store:start_job(job)
  job.id = ("job-%d"):format(self.jobs.count + 1)
  job.status = "running"
  job.started = self.now()
  job.due = job.started + self.evaluation_time
  self.jobs:add(job)
  self.last_running = self.last_running + 1
  self.running[self.last_running] = job -- all take equally long: the first is always due first
  return job
end

--- Runs `metrics` over `calls`: they are being evaluated from now on, and done in a while.
---@param result table? the result whose runs they are
function Store:start_evaluation(calls, metrics, result)
  for _, call in ipairs(calls) do call.pending = call.pending + 1 end
  if result then result.pending = result.pending + 1 end
  local job = { kind = "evaluation", calls = calls, metrics = metrics, result = result, done = 0 }
  if #metrics > 1 then self.staged = self.staged + 1 end
  self:start_job(job)
end

local function evaluate_again(store, call, metric, at)
  if call.status and call.status ~= "completed" then return end -- there is no transcript to judge
  local evaluation = call.by_metric[metric.id]
  if not evaluation then
    evaluation = { metric = metric, n = -1 }
    call.evaluations[#call.evaluations + 1] = evaluation
    call.by_metric[metric.id] = evaluation
  end
  evaluation.n = evaluation.n + 1
  evaluation.value = judge.value(metric, call, evaluation.n, evaluation.expected, store.seed)
  evaluation.updated_at = at
end

local FINISH = {}

--- Runs the metrics whose turn has come by then. They take equally long, one after the other, so
--- that for a while a call has new values beside old ones.
local function run_metrics(store, job, now)
  local each = store.evaluation_time / #job.metrics
  local at = job.due - (#job.metrics - job.done - 1) * each
  while job.done < #job.metrics and at <= now do
    job.done = job.done + 1
    for _, call in ipairs(job.calls) do
      evaluate_again(store, call, job.metrics[job.done], at)
      call.updated_at = math.max(call.updated_at, at)
    end
    at = job.due - (#job.metrics - job.done - 1) * each
  end
end

function FINISH.evaluation(store, job)
  run_metrics(store, job, job.due)
  if #job.metrics > 1 then store.staged = store.staged - 1 end
  for _, call in ipairs(job.calls) do
    call.pending = call.pending - 1
    call.updated_at = math.max(call.updated_at, job.due)
  end
  if job.result then
    job.result.pending = job.result.pending - 1
    job.result.updated_at = job.due
  end
end

function FINISH.optimiser(store, job)
  job.outcome = optimiser.finish(job, store.seed, store.optimiser)
end

--- Of jobs that are not due yet, what has come about so far.
function Store:settle_staged(now)
  for i = self.first_running, self.last_running do
    local job = self.running[i]
    if job.kind == "evaluation" then run_metrics(self, job, math.min(now, job.due)) end
  end
end

--- Finishes what is due. To be called before the state is read or changed.
function Store:settle()
  local first = self.first_running
  local job = self.running[first]
  if not job then return end
  local now = self.now()
  if self.staged > 0 then self:settle_staged(now) end
  while job and job.due <= now do
    FINISH[job.kind](self, job)
    job.status = "completed"
    self.running[first] = nil
    first = first + 1
    job = self.running[first]
  end
  self.first_running = first
end

--- Starts to improve `metric` from what reviewers said of it.
---@param options table the fields of process_feedbacks
---@param reviews table[] of Store:reviews
function Store:start_optimiser(metric, options, reviews)
  local job = self:start_job {
    kind = "optimiser", metric = metric, options = options, reviews = reviews,
  }
  job.progress_id = optimiser.progress_id(self.seed, self.jobs.count)
  self.optimiser_jobs[job.progress_id] = job
  return job
end

--- Takes over what a person saved. What the optimiser proposed makes the metric better.
---@param changes table field → value
function Store:update_metric(metric, changes)
  for name, value in pairs(changes) do metric[name] = value end
  for _, job in pairs(self.optimiser_jobs) do
    local outcome = job.metric == metric and job.outcome
    if outcome and outcome.improved_metric_description == metric.description then
      metric.improved = true
    end
  end
  metric.version = metric.version + 1
  metric.updated_at = self.now()
end

--- What counts as the run's status just now.
function Store.run_status(run)
  return run.pending > 0 and "evaluating" or run.status
end

--- A result has failed where the line was bad, whatever its metrics say.
function Store:result_status(result)
  if result.pending > 0 then return "running" end
  local failed = 0
  for _, run in ipairs(self:runs_of(result)) do
    if run.status == "failed" then failed = failed + 1 end
  end
  return failed * 2 > result.run_count and "failed" or "completed"
end

return Store
