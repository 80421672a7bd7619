--- Jobs of the optimiser, and the scorings of labels. Each start costs credits: it is saved to the
--- state file before and after the call, so that nothing is started twice by mistake, whenever the
--- process ends.

local command = require "cekura.review.internal.command"
local cost = require "cekura.review.internal.cost"
local proposal = require "cekura.review.internal.proposal"
local responses = require "cekura.review.internal.responses"
local times = require "cekura.review.internal.times"
local waiting = require "cekura.review.internal.waiting"

local jobs = {}

local UNKNOWN = "metric %s: it is unknown whether %s was started at %s: look at the metric in the "
  .. "dashboard. --%s starts it, and may pay twice"
local UNSAVED = "metric %s: the progress_id of %s is %s, but that cannot be saved: %s. Keep the "
  .. 'id: add {"progress_id":"%s"} to the state by hand'

local function jobs_of(state)
  state.data.jobs = state.data.jobs or {}
  return state.data.jobs
end

-- ---- starting ----

-- { what is started, the option that starts it again }
local OPTIMISER = { "the optimiser", "restart" }
local SCORINGS = {
  current = { "the scoring of the metric", "rescore" },
  proposed = { "the scoring of the proposal", "rescore" },
}

--- Ends the command if it is unknown whether the job was started.
local function check_known(metric_id, job, what)
  if job and not job.progress_id then
    command.fail("network", UNKNOWN, metric_id, what[1], job.starting or "an unknown time", what[2])
  end
  return job
end

--- Starts a job, and records it as box[name]. It replaces an older one unless the server refuses to
--- start it. Raises the error of `call`. Returns the record, and the server's estimate of its cost.
---@param fields table what the job's record has besides progress_id
---@param call fun(): any, table?
local function start(state, box, name, metric_id, what, fields, call)
  local before = box[name]
  box[name] = { starting = times.utc() }
  state:keep()
  local response, err = call()
  if response == nil then
    if err.applied == "no" then box[name] = before end
    state:keep()
    error(err, 0)
  end
  local job = responses.job(response)
  local id = job and job.progress_id
  if not id or id == "" then check_known(metric_id, box[name], what) end
  fields.progress_id = id
  box[name] = fields
  local saved, problem = state:save()
  if not saved then command.fail("network", UNSAVED, metric_id, what[1], id, problem, id) end
  return fields, job.estimated_cost_per_sample
end

--- Returns the metric's job, { progress_id, fields, held_out, share, scores, saved }; nil if none
--- was started. Ends the command if it is unknown whether a job was started.
function jobs.find(state, metric_id)
  return check_known(metric_id, jobs_of(state)[tostring(metric_id)], OPTIMISER)
end

--- Returns the metric's job, also if it is unknown whether it was started.
function jobs.peek(state, metric_id) return jobs_of(state)[tostring(metric_id)] end

--- Removes the metric's job from the state, and saves it.
function jobs.forget(state, metric_id)
  jobs_of(state)[tostring(metric_id)] = nil
  state:keep()
end

--- Starts the optimiser, which spends credits.
---@param metric table of metrics:get
---@param split cekura.review.Split
---@param share number of the labels that was to be held out
function jobs.start(client, state, metric, split, share)
  local fields =
    { fields = proposal.fields(metric), held_out = split.held_out, share = share }
  local job, estimate =
    start(state, jobs_of(state), tostring(metric.id), metric.id, OPTIMISER, fields, function()
      return client.metric_reviews:process_feedbacks {
        metric_id = metric.id, test_set_ids = split.learned,
      }
    end)
  cost.print_per_sample(estimate)
  return job
end

--- Returns a scoring of a job; nil if none was started. Ends the command if that is unknown.
---@param name "current"|"proposed"
function jobs.find_scoring(state, metric_id, name)
  local scores = jobs.find(state, metric_id).scores or {}
  return check_known(metric_id, scores[name], SCORINGS[name])
end

--- Starts a scoring, which spends credits. It evaluates all labels in the Lab, because run_reviews
--- has no field that selects some.
---@param name "current"|"proposed"
---@param draft table the fields in which the draft differs from the metric
---@param labels integer the labels in the metric's Lab
function jobs.start_scoring(client, state, metric_id, name, draft, labels)
  local job = jobs.find(state, metric_id)
  job.scores = job.scores or {}
  local arguments = { metric_id = metric_id, skip_save = true }
  for field, value in pairs(draft) do arguments[field] = value end
  return (start(state, job.scores, name, metric_id, SCORINGS[name], {}, function()
    return client.metrics:run_reviews(arguments, { evaluations = labels })
  end))
end

-- ---- waiting ----

local GONE = "metric %s: the server does not know the job %s: %s. --%s starts another one"
local FAILED = "metric %s: %s has failed: %s. --%s starts another one, and pays again"
local ASKS = "metric %s: the optimiser asks a person: %s. Answer in the dashboard, then run the "
  .. "same command again"
local LATE = "metric %s: %s is not done after %s seconds. It continues: run the same command again"
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

local function message_of(metric_id, job, err, what, options)
  if err.kind == "not_found" then
    return GONE:format(metric_id, job.progress_id, err.message, what[2])
  end
  if err.kind == "failed" then
    return FAILED:format(metric_id, what[1], err.message, what[2])
  end
  if err.kind == "needs_person" then return ASKS:format(metric_id, questions_of(err)) end
  if waiting.code_of(err) == "timeout" then
    return LATE:format(metric_id, what[1], options.timeout)
  end
  return LOST:format(metric_id, tostring(err))
end

--- Returns the result of a job; fails if the wait does.
local function wait(resource, reader, metric_id, job, what, options)
  command.say("metric %s: waiting for %s, job %s", metric_id, what[1], job.progress_id)
  local result, err = reader(resource:wait({ progress_id = job.progress_id,
    agent_id = options.agent, project_id = options.project }, waiting.options(options)))
  if result then return result end
  return command.fail(waiting.code_of(err), "%s", message_of(metric_id, job, err, what, options))
end

--- Waits for the proposal of a job, and returns it. Ends the command if there is none.
function jobs.wait(client, metric_id, job, options)
  return wait(client.metric_reviews, responses.progress, metric_id, job, OPTIMISER, options)
end

--- Waits for a scoring, and returns it. Ends the command if there is none.
function jobs.wait_for_scoring(client, metric_id, name, scoring, options)
  return wait(client.metrics, responses.scoring, metric_id, scoring, SCORINGS[name], options)
end

-- ---- cancelling ----

-- Refusals after which there is nothing left to cancel.
local ENDED = { bad_request = true, not_found = true }

--- Cancels a job. Returns whether it was cancelled; false and the server's message if it had ended
--- before. Raises every other error.
function jobs.cancel(client, job)
  local done, err = client.metric_reviews:process_feedbacks_cancel {
    progress_id = job.progress_id,
  }
  if done ~= nil then return true end
  if not ENDED[err.kind] then error(err, 0) end
  return false, err.detail or err.message
end

return jobs
