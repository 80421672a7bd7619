--- Converts responses, as responses.lua copies them, to the records that a report counts: calls,
--- metrics and reviews.
---
--- Reviews are part of a metric (`metrics:get`): each has the expected value, the feedback, and the
--- id of the run or the call log. The time of that call and the metric's current value are part of
--- the run or the call log.

local cekura = require "cekura"
local times = require "cekura.review.internal.times"
local values = require "cekura.review.internal.values"

local reading = {}

--- Fields that the API documents as strings may be null or missing.
local function text(value)
  return type(value) == "string" and value or ""
end

--- Returns the first argument that is a time, in seconds.
local function first_time(...)
  for i = 1, select("#", ...) do
    local time = times.parse((select(i, ...)))
    if time then return time end
  end
end

--- Returns what the metrics say of a call now: { [metric id] = cekura.MetricValue }.
local function evaluations(call)
  local said = {}
  for _, row in ipairs(cekura.values(call)) do
    if row.id then said[row.id] = row end
  end
  return said
end

--- Returns the key of a run, or of a call log.
---@param kind "run"|"call log"
---@param id integer
function reading.key(kind, id) return ("%s %d"):format(kind, id) end

--- Returns the call that is a run of a result.
function reading.run(run, result)
  return {
    key = reading.key("run", run.id), is_run = true,
    agent = text(run.agent_name or result.agent_name),
    time = first_time(run.timestamp, run.executed_at, run.created_at, result.created_at),
    title = text(run.scenario_name), where = text(result.name), said = evaluations(run),
  }
end

--- Returns the call that is a call log.
function reading.call_log(log)
  return {
    key = reading.key("call log", log.id), agent = text(log.agent_name),
    time = first_time(log.timestamp, log.created_at), agent_id = log.agent_id or log.agent,
    project_id = log.project, title = text(log.topic), where = "production",
    said = evaluations(log),
  }
end

--- Returns { id, name, kind, description, values } of a metric.
function reading.metric(metric)
  local words = {}
  for i, value in ipairs(metric.enum_values or {}) do words[i] = tostring(value) end
  return {
    id = metric.id, name = metric.name or ("metric %d"):format(metric.id),
    kind = values.type_of(metric.eval_type), description = text(metric.description),
    values = words,
  }
end

--- Returns the key of the reviewed call: "run 5544", "call log 70071"; nil if it is unknown.
local function key_of(review)
  local set = type(review.test_set) == "table" and review.test_set or {}
  local kind = ({ Run = "run", CallLog = "call log" })[set.source_model]
  return kind and set.source_id and reading.key(kind, set.source_id) or nil
end

local function lines_of(value)
  if type(value) == "table" then
    local lines = {}
    for i, line in ipairs(value) do lines[i] = tostring(line) end
    return lines
  end
  return text(value) ~= "" and { value } or {}
end

--- Returns the metric's current value of a call, and its explanation; nil without a value.
function reading.said(metric, call)
  local now = call.said[metric.id] or {}
  return values.read(metric.kind, now.value, metric.values), now.explanation
end

--- Returns the metric's current value of the call and its explanation. Without a current value,
--- they are those that were reviewed.
local function said_by(metric, review, call)
  local said, explanation = reading.said(metric, call)
  if said ~= nil then return said, explanation end
  return values.read(metric.kind, review.actual_value, metric.values), review.explanation
end

--- Returns a review of `metric` with the data of its call; nil if the reviewer gave no expected
--- value, or one that the metric cannot have.
function reading.review(metric, review, call)
  local expected = values.read(metric.kind, review.expected_value, metric.values)
  local said, explanation = said_by(metric, review, call)
  if expected == nil then return nil end
  return {
    metric = metric.id, key = call.key, time = call.time, title = call.title, where = call.where,
    said = said, expected = expected, agrees = values.agree(metric.kind, said, expected),
    feedback = text(review.feedback), explanation = lines_of(explanation),
    transcript = text(review.test_set.transcript),
  }
end

--- Returns the newest review of each call: { [key] = review }.
function reading.last_reviews(reviews)
  local last = {}
  local function changed_at(review) return first_time(review.updated_at, review.created_at) or 0 end
  for _, review in ipairs(reviews or {}) do
    local key = key_of(review)
    local other = key and last[key]
    if key and (not other or changed_at(review) >= changed_at(other)) then last[key] = review end
  end
  return last
end

return reading
