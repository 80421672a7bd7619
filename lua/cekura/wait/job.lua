--- `client.metric_reviews:wait` and `client.metrics:wait`: the states and the results of jobs.
--- A job that has failed, and a job that asks a person something, are errors.

local ascii = require "cekura.internal.ascii"

local null = require "cjson".null

--- The meaning of `status`, in any case of letters. A job in any other state is running. The API's
--- document does not list the states of jobs.
local STATES = {
  success = "done", error = "failed",     -- Cekura's guide "Auto-optimise Metrics on a Schedule"
  completed = "done", failed = "failed",  -- the final states of a Result: results-retrieve
  timeout = "failed", cancelled = "failed",
  awaiting_user_input = "asks",           -- metric-reviews-process-feedbacks-answer resumes the job
}

local function is_text(value) return type(value) == "string" and value ~= "" end

local function is_present(value)
  if type(value) == "table" then return next(value) ~= nil end
  return value ~= nil and value ~= null and value ~= "" and value ~= false
end

local function object(value)
  return type(value) == "table" and value[1] == nil and value or {}
end

--- Fields of the job itself. Its results may have fields with the same names.
local OWN = { status = true, error = true, message = true }

--- Returns the response with the fields of `output` and of `output.meta_harness`, which has the
--- code, added to it. A field that is at several places has its innermost value that is not empty.
local function with_output(response)
  local job, output = {}, object(object(response).output)
  for _, part in ipairs { object(response), output, object(output.meta_harness) } do
    for name, value in pairs(part) do
      local is_better = is_present(value) and not OWN[name]
      if is_better or not is_present(job[name]) then job[name] = value end
    end
  end
  return job
end

--- Returns "done", "failed", "asks" or "running". Without a status, which the document does not
--- promise, the field `result` shows that the job is done.
local function status_of(response, result)
  response = object(response)
  local job, status = with_output(response), response.status
  local meaning = is_text(status) and STATES[ascii.lower(status)]
  if meaning then return meaning end
  if is_present(job.questions) then return "asks" end
  if is_present(status) then return "running" end
  if is_present(response.error) then return "failed" end
  return (is_text(job[result]) or next(object(job[result]))) and "done" or "running"
end

--- Returns why a job has failed.
local function reason_of(job)
  for _, name in ipairs { "error", "message", "status" } do
    if is_text(job[name]) then return job[name] end
  end
  return "error"
end

local function judge(response, result)
  local status, job = status_of(response, result), with_output(response)
  if status == "done" then return true end
  if status == "running" then return false end
  if status == "failed" then
    return nil, "failed", ("the job has failed (%s)"):format(reason_of(job))
  end
  return nil, "needs_person", ("the job asks a person something (%s): answer it in the dashboard")
    :format(is_text(job.status) and job.status or "it has questions"), job.questions
end

local function whole(value)
  local number = type(value) == "number" and math.tointeger(value)
  return number and number >= 0 and number or 0
end

--- Returns how many parts of the job have ended, how many there are, and how many have failed. A
--- job without counts is one part.
local function count(response, result)
  local job, is_done = with_output(response), status_of(response, result) == "done"
  local total = whole(job.total)
  if total == 0 then return is_done and 1 or 0, 1, 0 end
  local failed = math.min(whole(job.failed), total)
  return is_done and total or math.min(whole(job.completed) + failed, total), total, failed
end

local function describe(response)
  if response == nil then return "nothing is known of the job" end
  local job = with_output(response)
  local state = "the job has no status"
  if is_present(job.status) then state = ('the job\'s status is "%s"'):format(job.status) end
  if whole(job.total) == 0 then return state end
  return ("%s, %d of %d done"):format(state, count(response))
end

--- Returns what `cekura.wait` needs to wait for a kind of job.
---@param resource_name string
---@param call string the call that reads the progress of a job
---@param result string the field that a job has once it is done
local function kind(resource_name, call, result)
  local job = { name = resource_name .. ".wait" }

  function job.read(resource, arguments, options)
    return resource[call](resource, arguments, options)
  end

  function job.new(_, resource, arguments)
    return {
      poll = function(wait) return job.read(resource, arguments, wait:poll_options()) end,
      judge = function(response) return judge(response, result) end,
      count = function(response) return count(response, result) end,
      describe = describe,
      result = with_output,
    }
  end

  return job
end

return {
  -- metric-reviews-process-feedbacks-progress: ProcessFeedbacksResponse requires the description.
  metric_reviews = kind("metric_reviews", "process_feedbacks_progress",
    "improved_metric_description"),
  -- metrics-run-reviews-progress_3: "completed/failed counts and metric data when finished".
  metrics = kind("metrics", "run_reviews_progress", "metric"),
}
