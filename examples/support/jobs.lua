--- Jobs of the optimiser. Each start costs credits: it is saved to the state file before and after
--- the call, so that no job is started twice by mistake, whenever the process ends.

local command = require "support.command"
local cost = require "support.cost"
local proposal = require "support.proposal"
local responses = require "support.responses"
local text = require "support.text"
local values = require "support.values"
local waiting = require "support.waiting"

local jobs = {}

local UNKNOWN = "metric %s: it is unknown whether the optimiser was started at %s: look at the "
  .. "metric in the dashboard. --restart starts it, and may pay twice"
local UNSAVED = "metric %s: the optimiser's job is %s, but that cannot be saved: %s. Keep the id: "
  .. 'add {"progress_id":"%s"} to the state by hand'

local function now() return os.date "!%Y-%m-%dT%H:%M:%SZ" end

local function jobs_of(state)
  state.data.jobs = state.data.jobs or {}
  return state.data.jobs
end

--- Returns the metric's job, { progress_id, description, saved }; nil if none was started. Ends the
--- command if it is unknown whether a job was started.
function jobs.find(state, metric_id)
  metric_id = tostring(metric_id)
  local job = jobs_of(state)[metric_id]
  if job and not job.progress_id then
    command.fail("network", UNKNOWN, metric_id, job.starting)
  end
  return job
end

--- Starts the optimiser, which spends credits. The new job replaces an older one, unless the server
--- refuses to start it; then the error is raised.
---@param metric table of metrics:get
---@param arguments table of metric_reviews:process_feedbacks
function jobs.start(client, state, metric, arguments)
  local metric_id = tostring(metric.id)
  local before = jobs_of(state)[metric_id]
  jobs_of(state)[metric_id] = { starting = now() }
  state:keep()
  local response, err = client.metric_reviews:process_feedbacks(arguments)
  if response == nil then
    if err.applied == "no" then jobs_of(state)[metric_id] = before end
    state:keep()
    error(err, 0)
  end
  local job = responses.job(response)
  local id = job and job.progress_id
  if not id or id == "" then command.fail("network", UNKNOWN, metric_id, now()) end
  jobs_of(state)[metric_id] = { progress_id = id, description = metric.description }
  local saved, problem = state:save()
  if not saved then command.fail("network", UNSAVED, metric_id, id, problem, id) end
  cost.print_per_sample(job.estimated_cost_per_sample)
  return jobs_of(state)[metric_id]
end

-- ---- reviews ----

--- Returns the reviews in the metric's Lab, and how many of them disagree with the metric.
---@param metric table of metrics:get
function jobs.reviews(metric)
  local reviews, wrong = metric.reviews or {}, 0
  for _, review in ipairs(reviews) do
    local said, expected = review.actual_value, review.expected_value
    if expected ~= nil and not values.are_same(metric.eval_type, said, expected) then
      wrong = wrong + 1
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
local LATE = "metric %s: the optimiser is not done after %s seconds. It continues: run the same "
  .. "command again"
local LOST = "metric %s: %s. The job continues: run the same command again"

--- Returns the questions of an error, on one line.
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

--- Waits for the job. Returns its result, or nil, the name of an exit code, and a message.
---@return table? result
---@return string? code
---@return string? message
function jobs.wait(client, metric_id, job, options)
  command.say("metric ", metric_id, ": waiting for the optimiser's job ", job.progress_id)
  local result, err = responses.progress(client.metric_reviews:wait(
    { progress_id = job.progress_id }, waiting.options(options)))
  if result then return result end
  return nil, waiting.code_of(err), message_of(metric_id, job, err, options)
end

-- ---- saving ----

local WORSE = "metric %s: not saved: the proposal scores worse than the metric"
local EDITED = "metric %s: not saved: somebody has changed its description since the optimiser was "
  .. "started. --restart starts it from there, and pays again"

--- Saves the proposal of a job to its metric, unless it scores worse or somebody has edited the
--- metric meanwhile. Returns the name of an exit code.
---@param metric table of metrics:get, just now
---@param result table of jobs.wait
function jobs.save(client, state, metric, result)
  local metric_id = tostring(metric.id)
  local job, changes = jobs_of(state)[metric_id], proposal.changes(metric, result)
  -- A job that was added by hand has no description.
  local is_edited = job.description ~= nil and metric.description ~= job.description
  if is_edited and changes.description or proposal.is_worse(result) then
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
