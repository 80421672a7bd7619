--- `client.metric_reviews:wait`: a job has ended when it proposes a description, or when its status
--- says so. A failed job and a job that asks a person something are errors.

local ascii = require "cekura.internal.ascii"

local null = require "cjson".null

local optimiser = { name = "metric_reviews.wait" }

--- The meaning of `status` or `state`, in any case of letters. A job in any other state, or none,
--- is running. The failures are those of all objects of the API: the proposal of a failed job must
--- not be taken for a result.
local OPTIMISER_STATUS = {
  success = "done", completed = "done",
  error = "failed", failed = "failed", failure = "failed", timeout = "failed",
  cancelled = "failed", canceled = "failed",
  awaiting_user_input = "asks",
}

--- Objects that may wrap the state. What is in them comes before what is next to them.
local WRAPPERS = { "data", "result", "progress", "job", "task" }

local function is_text(value) return type(value) == "string" and value ~= "" end

local function is_present(value)
  if type(value) == "table" then return next(value) ~= nil end
  return value ~= nil and value ~= null and value ~= "" and value ~= false
end

--- Returns the first field with one of the names that passes the test; nil if there is none.
local function find(response, test, ...)
  if type(response) ~= "table" then return nil end
  for _, wrapper in ipairs(WRAPPERS) do
    local found = find(response[wrapper], test, ...)
    if found ~= nil then return found end
  end
  for _, name in ipairs { ... } do
    if test(response[name]) then return response[name] end
  end
end

local function state_of(response) return find(response, is_text, "status", "state") end
local function questions_of(response) return find(response, is_present, "questions", "question") end

--- Returns "done", "failed", "asks" or "running". A failure counts whatever else there is, and a
--- proposal means done. Without a state, an `error` is a failure.
local function status_of(response)
  local state = state_of(response)
  local status = state and OPTIMISER_STATUS[ascii.lower(state)]
  if status == "failed" then return "failed" end
  if status == "done" or find(response, is_present, "improved_metric_description") then
    return "done"
  end
  if status == "asks" or questions_of(response) ~= nil then return "asks" end
  local has_failed = not state and type(response) == "table" and is_present(response.error)
  return has_failed and "failed" or "running"
end

local function judge(response)
  local status, state = status_of(response), state_of(response)
  if status == "done" then return true end
  if status == "running" then return false end
  if status == "asks" then
    return nil, "needs_person", ("the job asks a person something (%s): answer it in the dashboard")
      :format(state or "it has questions"), questions_of(response)
  end
  local reason = find(response, is_text, "error", "error_message", "detail", "message")
  return nil, "failed", ("the job has failed (%s)"):format(reason or state or "error")
end

local function count(response) return status_of(response) == "done" and 1 or 0, 1 end

local function describe(response)
  if response == nil then return "nothing is known of the job" end
  local state = state_of(response)
  return state and ('the job\'s state is "%s"'):format(state) or "the job names no state"
end

function optimiser.read(resource, arguments, options)
  return resource:process_feedbacks_progress(arguments, options)
end

function optimiser.new(_, resource, arguments)
  return {
    poll = function(wait) return optimiser.read(resource, arguments, wait:poll_options()) end,
    judge = judge, count = count, describe = describe,
  }
end

return optimiser
