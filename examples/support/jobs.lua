--- Jobs of the optimiser. Each start is paid for: what is known of it is on the disk before it and
--- right after it, so that whatever happens in between, no job is started twice unnoticed.

local answers = require "support.answers"
local command = require "support.command"
local proposal = require "support.proposal"
local text = require "support.text"
local values = require "support.report.values"
local waiting = require "support.waiting"

local jobs = {}

local UNKNOWN = "metric %s: it is unknown whether the optimiser was started at %s: look at the "
  .. "metric in the dashboard. --restart starts it, and may pay twice"
local UNSAVED = "metric %s: the optimiser's job is %s, but that cannot be saved: %s. Keep the id: "
  .. 'put {"progress_id":"%s"} there by hand'

local function now() return os.date "!%Y-%m-%dT%H:%M:%SZ" end

local function jobs_of(state)
  state.data.jobs = state.data.jobs or {}
  return state.data.jobs
end

--- What is known of the metric's job: { progress_id, description, saved }, or nil where none was
--- started. Ends the command where a start was begun and nobody knows what became of it.
function jobs.find(state, metric_id)
  metric_id = tostring(metric_id)
  local job = jobs_of(state)[metric_id]
  if job and not job.progress_id then
    command.fail("network", UNKNOWN, metric_id, job.starting)
  end
  return job
end

--- Starts the optimiser, which spends credits. The new job replaces one that is there; a call that
--- certainly was not acted on leaves everything as it was.
---@param metric table as metrics:get returns it
---@param arguments table of metric_reviews:process_feedbacks
function jobs.start(client, state, metric, arguments)
  local metric_id = tostring(metric.id)
  local before = jobs_of(state)[metric_id]
  jobs_of(state)[metric_id] = { starting = now() }
  state:keep()
  local answer, err = client.metric_reviews:process_feedbacks(arguments)
  if answer == nil then
    if err.applied == "no" then jobs_of(state)[metric_id] = before end
    state:keep()
    error(err, 0)
  end
  local job = answers.job(answer)
  local id = job and job.progress_id
  if not id or id == "" then command.fail("network", UNKNOWN, metric_id, now()) end
  jobs_of(state)[metric_id] = { progress_id = id, description = metric.description }
  local saved, problem = state:save()
  if not saved then command.fail("network", UNSAVED, metric_id, id, problem, id) end
  return jobs_of(state)[metric_id]
end

-- ---- what reviewers said ----

--- The reviews that the optimiser works on, and how many of them say that the metric was wrong.
---@param metric table as metrics:get returns it
---@param is_meant? fun(review: table): boolean
function jobs.reviews(metric, is_meant)
  local reviews, wrong = {}, 0
  for _, review in ipairs(metric.reviews or {}) do
    if not is_meant or is_meant(review) then
      reviews[#reviews + 1] = review
      if not values.are_same(metric.eval_type, review.actual_value, review.expected_value) then
        wrong = wrong + 1
      end
    end
  end
  return reviews, wrong
end

-- ---- waiting ----

local GONE = "metric %s: the server does not know the job %s: %s. --restart starts another one"
local FAILED = "metric %s: the optimiser's job has failed: %s. --restart starts another one, "
  .. "and pays again"
local ASKS = "metric %s: the optimiser asks a person: %s. Answer in the dashboard, then run the "
  .. "same command again"
local LATE = "metric %s: the optimiser is not done after %s seconds. It goes on: run the same "
  .. "command again"
local LOST = "metric %s: %s. The job goes on: run the same command again"

--- What a person is asked, on one line.
local function questions_of(err)
  local questions, lines = err.questions, {}
  if type(questions) ~= "table" then return questions and tostring(questions) or tostring(err) end
  for _, question in ipairs(questions) do
    if type(question) == "table" then question = question.question or question.text end
    lines[#lines + 1] = tostring(question)
  end
  return table.concat(lines, " / ")
end

local function message_of(metric_id, job, err, options)
  if err.kind == "not_found" then return GONE:format(metric_id, job.progress_id, err.message) end
  if err.kind == "failed" then return FAILED:format(metric_id, err.message) end
  if err.kind == "needs_person" then return ASKS:format(metric_id, questions_of(err)) end
  if waiting.code_of(err) == "timeout" then return LATE:format(metric_id, options.timeout) end
  return LOST:format(metric_id, tostring(err))
end

--- Waits for the job. Returns its answer, or nil, the name of an exit code, and a message.
---@return table? answer
---@return string? code
---@return string? message
function jobs.wait(client, metric_id, job, options)
  command.say("metric ", metric_id, ": waiting for the optimiser's job ", job.progress_id)
  local answer, err = answers.progress(client.metric_reviews:wait(
    { progress_id = job.progress_id }, waiting.options(options)))
  if answer then return answer end
  return nil, waiting.code_of(err), message_of(metric_id, job, err, options)
end

-- ---- saving ----

local WORSE = "metric %s: not saved: the proposal scores worse than the metric"
local EDITED = "metric %s: not saved: somebody has changed its description since the optimiser was "
  .. "started. --restart starts it from there, and pays again"

--- Saves what a job proposes to its metric. Returns the name of an exit code.
---@param metric table as metrics:get returns it just now
---@param answer table of jobs.wait
function jobs.save(client, state, metric, answer)
  local metric_id = tostring(metric.id)
  local job, changes = jobs_of(state)[metric_id], proposal.changes(metric, answer)
  -- One that was put there by hand has no description to compare with.
  local is_edited = job.description ~= nil and metric.description ~= job.description
  if is_edited and changes.description or proposal.is_worse(answer) then
    command.say((is_edited and EDITED or WORSE):format(metric_id))
    return is_edited and "person" or "failed"
  end
  changes.metric_id = metric_id
  local saved, err = client.metrics:update(changes)
  if saved == nil then error(err, 0) end
  job.saved = true
  state:keep()
  text.print("  saved to metric %s", metric_id)
  return "ok"
end

return jobs
