--- The state of a sandbox and its changes over time. Nothing runs in the background: `settle`
--- finishes the jobs that are due before the state is read or changed.

local catalogue = require "cekura.sandbox.data.catalogue"
local generate = require "cekura.sandbox.generate"
local history = require "cekura.sandbox.history"
local judge = require "cekura.sandbox.judge"
local lab = require "cekura.sandbox.lab"
local optimiser = require "cekura.sandbox.optimiser"
local Ring = require "cekura.sandbox.ring"

---@class cekura.sandbox.Store
local Store = {}
Store.__index = Store

local DAY = 86400
local KEPT = 10000 -- votes and jobs in server:state()

--- Returns a copy of the catalogue's metrics: each store changes its own.
local function new_metrics(base)
  local list = {}
  for i, row in ipairs(catalogue.metrics) do
    local metric = { version = 1, level = 0, evaluation_trigger = "always",
      updated_at = base - 45 * DAY, salt = row.slug } -- of the random numbers: the slug can change
    for key, value in pairs(row) do metric[key] = value end
    metric.known =
      { { description = metric.description, custom_code = metric.custom_code, level = 0 } }
    history.record(metric, metric.updated_at)
    list[i] = metric
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
    votes_feed_lab = config.votes_feed_lab, test_sets = {}, links = 0,
    balance = { initial = config.balance, remaining = config.balance, used = 0 },
    now = function() return config.now + clock() - started end,
    agents = generate.by_id(catalogue.agents), projects = generate.by_id(catalogue.projects),
    metric_list = new_metrics(base), result_list = generate.results(base),
    call_log_list = generate.call_logs(base),
    run_cache = {}, call_log_cache = {},
    votes = Ring.new(KEPT), jobs = Ring.new(KEPT), jobs_by_progress = {},
    running = {}, first_running = 1, last_running = 0, -- a queue
    staged = 0, -- jobs in it that have several metrics
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

--- Adds the votes on a call to the Labs, if the option `votes_feed_lab` is set.
local function feed_lab(store, call)
  if not store.votes_feed_lab then return end
  for _, evaluation in ipairs(call.evaluations) do lab.add_vote(store, call, evaluation) end
end

--- Returns the run, which is made at its first use; nil if there is none with the id.
function Store:run(id)
  local run = self.run_cache[id]
  if run then return run end
  local result = self.result_of_run[id]
  if not result then return nil end
  run = generate.run(self.seed, self.base, result, id, self.metric_list)
  self.run_cache[id] = run
  feed_lab(self, run)
  return run
end

--- Returns the call log, which is made at its first use; nil if there is none with the id.
function Store:call_log(id)
  local log = self.call_log_cache[id]
  if log then return log end
  local entry = self.call_log_entries[id]
  if not entry then return nil end
  log = generate.call_log(self.seed, self.base, entry, self.metric_list)
  self.call_log_cache[id] = log
  feed_lab(self, log)
  return log
end

function Store:runs_of(result)
  local runs = {}
  for i = 1, result.run_count do runs[i] = self:run(result.first_run + i - 1) end
  return runs
end

--- Returns every run and call log.
function Store:calls()
  local calls = {}
  for _, result in ipairs(self.result_list) do
    for i = 1, result.run_count do calls[#calls + 1] = self:run(result.first_run + i - 1) end
  end
  for _, entry in ipairs(self.call_log_list) do calls[#calls + 1] = self:call_log(entry.id) end
  return calls
end

--- Returns the metric with this number or slug, both a string; or nil.
function Store:metric(id)
  local metric = self.metrics[id:find "^[0-9]+$" and math.tointeger(tonumber(id)) or id]
  if metric then return metric end
  for _, other in ipairs(self.metric_list) do
    if other.slug == id then return other end
  end
end

-- ---- the result of a call ----

--- Returns whether every metric passes; if `reviewed`, with the value of the vote instead.
local function passes(call, reviewed)
  for _, evaluation in ipairs(call.evaluations) do
    local value = evaluation.value
    if reviewed and evaluation.expected ~= nil then value = evaluation.expected end
    if not judge.passes(evaluation.metric, value) then return false end
  end
  return true
end

--- Returns whether the metrics pass, without the votes; nil for a call log without metrics.
function Store.success(call)
  if #call.evaluations == 0 then
    if call.kind == "run" then return false end
    return nil
  end
  return passes(call, false)
end

--- Returns "success", "failure", "reviewed_success" or "reviewed_failure".
function Store.evaluation_status(call)
  local good = #call.evaluations > 0 and passes(call, call.is_reviewed)
  return (call.is_reviewed and "reviewed_" or "") .. (good and "success" or "failure")
end

-- ---- votes ----

--- Records a reviewer's vote on an evaluation of a call.
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
  if self.votes_feed_lab then lab.add_vote(self, call, evaluation) end
end

-- ---- credits and jobs ----

--- Pays for the evaluations. Returns whether the balance covers them, and their cost.
function Store:charge(evaluations)
  local cost = evaluations * self.credits_per_evaluation
  if cost > self.balance.remaining then return false, cost end
  self.balance.remaining = self.balance.remaining - cost
  self.balance.used = self.balance.used + cost
  return true, cost
end

--- Queues a job that ends after `evaluation_time`, and returns it.
function Store:start_job(job)
  job.id = ("job-%d"):format(self.jobs.count + 1)
  job.status = "running"
  job.started = self.now()
  job.due = job.started + self.evaluation_time
  self.jobs:add(job)
  self.last_running = self.last_running + 1
  self.running[self.last_running] = job -- they take equally long: the first one is due first
  return job
end

--- Starts to evaluate `metrics` on `calls`.
---@param result table? the result of the runs
function Store:start_evaluation(calls, metrics, result)
  for _, call in ipairs(calls) do call.pending = call.pending + 1 end
  if result then result.pending = result.pending + 1 end
  local job = { kind = "evaluation", calls = calls, metrics = metrics, result = result, done = 0 }
  if #metrics > 1 then self.staged = self.staged + 1 end
  self:start_job(job)
end

local function evaluate_again(store, call, metric, at)
  if call.status and call.status ~= "completed" then return end -- it has no transcript
  local evaluation = call.by_metric[metric.id]
  if not evaluation then
    evaluation = { metric = metric, n = -1 }
    call.evaluations[#call.evaluations + 1] = evaluation
    call.by_metric[metric.id] = evaluation
  end
  evaluation.n = evaluation.n + 1
  local expected = evaluation.expected
  if expected == nil then expected = lab.learned(store, call, metric) end
  evaluation.value = judge.value(metric, call, evaluation.n, expected, store.seed)
  evaluation.level = metric.level
  evaluation.updated_at = at
end

--- Functions that finish a job, by its kind. They return the job's status unless it is completed.
local FINISH = {}

--- Runs the metrics of a job that are due. They run one after the other and take equally long, so
--- a call has new and old values for a while.
local function run_metrics(store, job, now)
  local each = store.evaluation_time / #job.metrics
  while job.done < #job.metrics do
    local at = math.min(job.started + (job.done + 1) * each, job.due)
    if at > now then return end
    job.done = job.done + 1
    for _, call in ipairs(job.calls) do
      evaluate_again(store, call, job.metrics[job.done], at)
      call.updated_at = math.max(call.updated_at, at)
    end
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
  job.outcome = optimiser.finish(job, store.seed, store.optimiser, store.credits_per_evaluation)
  return job.outcome.questions and "waiting" or nil -- for a person
end

function FINISH.reviews(store, job)
  local values, rows = optimiser.try(job.reviews, job.level, store.seed)
  job.rows, job.score = rows, optimiser.score(job.reviews, values)
  for i, review in ipairs(job.is_saved and job.reviews or {}) do
    review.actual, review.updated_at = values[i], job.due
  end
end

--- Finishes the jobs and the metrics that are due. Call it before the state is read or changed.
function Store:settle()
  local first = self.first_running
  local job = self.running[first]
  if not job then return end
  local now = self.now()
  for i = first, self.staged > 0 and self.last_running or 0 do
    local staged = self.running[i]
    if staged.kind == "evaluation" then run_metrics(self, staged, math.min(now, staged.due)) end
  end
  while job and job.due <= now do
    if job.status == "running" then
      job.status = FINISH[job.kind](self, job) or "completed"
    end
    self.running[first] = nil
    first = first + 1
    job = self.running[first]
  end
  self.first_running = first
end

--- Ends the jobs that are running.
function Store:finish_jobs()
  self:settle()
  local now = self.now()
  for i = self.first_running, self.last_running do self.running[i].due = now end
  self:settle()
end

local function start_with_progress(store, job)
  store:start_job(job)
  job.progress_id = optimiser.progress_id(store.seed, store.jobs.count)
  store.jobs_by_progress[job.progress_id] = job
  return job
end

--- Starts an optimiser job for a metric. It uses the labels of now.
---@param options table the fields of process_feedbacks
---@param reviews table[] of lab.reviews
function Store:start_optimiser(metric, options, reviews)
  local copies = {}
  for i, review in ipairs(reviews) do
    copies[i] = {}
    for name, value in pairs(review) do copies[i][name] = value end
  end
  return start_with_progress(self, {
    kind = "optimiser", metric = metric, options = options, reviews = copies, level = metric.level,
  })
end

--- Starts to score the labels of a metric with a draft of it.
---@param draft table the fields of the metric that differ
---@param is_saved boolean whether the reviews get the new values
function Store:start_reviews(metric, draft, reviews, is_saved)
  return start_with_progress(self, {
    kind = "reviews", metric = metric, reviews = reviews, is_saved = is_saved,
    level = optimiser.level_of(metric, draft),
  })
end

--- Saves changes to a metric. The description or the code that the optimiser proposed improves it.
---@param changes table field → value
function Store:update_metric(metric, changes)
  metric.level = optimiser.level_of(metric, changes)
  for name, value in pairs(changes) do metric[name] = value end
  self:note_version(metric)
end

--- Gives the metric the fields of one of its versions. Returns whether there is one with the id.
function Store:restore_metric(metric, id)
  if not history.restore(metric, id) then return false end
  self:note_version(metric, ("Restored version %d"):format(id))
  return true
end

function Store:note_version(metric, reason)
  metric.version = metric.version + 1
  metric.updated_at = self.now()
  history.record(metric, metric.updated_at, reason)
end

--- Returns the run's status at present.
function Store.run_status(run)
  return run.pending > 0 and "evaluating" or run.status
end

--- Returns the result's status: "failed" if most of its calls were not connected.
function Store:result_status(result)
  if result.pending > 0 then return "running" end
  local failed = 0
  for _, run in ipairs(self:runs_of(result)) do
    if run.status == "failed" then failed = failed + 1 end
  end
  return failed * 2 > result.run_count and "failed" or "completed"
end

return Store
