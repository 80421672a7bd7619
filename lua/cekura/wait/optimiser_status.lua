--- What the optimiser's progress means. Its documents show what it proposes in the end, but no
--- state: this takes one from `status` or `state`, in any case of letters, at the top or in one of
--- the objects that such answers are usually wrapped in.

local ascii = require "cekura.internal.ascii"

local null = require "cjson".null

local job = {}

local ENVELOPES = { "data", "result", "progress", "job", "task" }

local STATES = {
  success = "done", succeeded = "done", completed = "done", complete = "done", done = "done",
  error = "failed", failed = "failed", failure = "failed",
  cancelled = "failed", canceled = "failed",
}

--- Of a question to a person there is no word in the documents but "User-answer-driven feedback
--- corrections". So: a state that waits for, or requires, something that a person does; or a
--- question that stands there.
local WAITS = { "^await", "^wait", "^need", "^require", "^pending_", "^paused_", "_required$",
  "_needed$" }
local PERSONAL = { "user", "human", "person", "question", "answer", "clarif", "input", "approv",
  "action", "review", "confirm", "feedback", "response" }
local QUESTIONS = { "questions", "question", "pending_questions", "clarifying_questions",
  "clarifications" }

local function matches(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

local function is_there(value)
  if type(value) == "table" then return next(value) ~= nil end
  return value ~= nil and value ~= null and value ~= "" and value ~= false
end

--- The answer itself and the objects in it that may hold the state: the inner ones know better.
local function levels(answer)
  local list = {}
  if type(answer) ~= "table" then return list end
  for _, name in ipairs(ENVELOPES) do
    if type(answer[name]) == "table" then list[#list + 1] = answer[name] end
  end
  list[#list + 1] = answer
  return list
end

--- "Waiting for user" → "waiting_for_user"
local function word_of(state) return (ascii.lower(state):gsub("[^a-z0-9]+", "_")) end

local function own_state(level)
  for _, name in ipairs { "status", "state" } do
    if type(level[name]) == "string" and level[name] ~= "" then return level[name] end
  end
end

--- The state in the server's words; nil where it names none.
---@param answer any
---@return string?
function job.state(answer)
  for _, level in ipairs(levels(answer)) do
    local state = own_state(level)
    if state then return state end
  end
end

--- What a person is asked; nil where nothing is.
---@return any
function job.questions(answer)
  for _, level in ipairs(levels(answer)) do
    for _, name in ipairs(QUESTIONS) do
      if is_there(level[name]) then return level[name] end
    end
  end
end

local function has_proposal(answer)
  for _, level in ipairs(levels(answer)) do
    if is_there(level.improved_metric_description) then return true end
  end
  return false
end

--- Why it failed, in the server's words; nil where it does not say.
---@return string?
function job.reason(answer)
  for _, level in ipairs(levels(answer)) do
    for _, name in ipairs { "error", "error_message", "detail", "message" } do
      if type(level[name]) == "string" and level[name] ~= "" then return level[name] end
    end
  end
end

local function asks(state)
  local word = word_of(state)
  return matches(word, WAITS) and matches(word, PERSONAL)
end

--- "done", "failed", "asks" or "going". A failure counts whatever else is there; a proposal means
--- done; an `error` is a failure also where no state says so.
---@param answer any
function job.read(answer)
  local state = job.state(answer)
  local meaning = state and STATES[word_of(state)]
  if meaning == "failed" then return "failed" end
  if has_proposal(answer) or meaning == "done" then return "done" end
  if job.questions(answer) ~= nil or state and asks(state) then return "asks" end
  local failed = not state and type(answer) == "table" and is_there(answer.error)
  return failed and "failed" or "going"
end

return job
