--- The API's answers as the records that a report is counted from.
---
--- What a reviewer said of a metric stands in the metric itself: `metrics:get` lists its reviews,
--- each with the expected value, the feedback, and the run or call log that it is of. When that
--- call took place, and what the metric says of it today, stands in the run or the call log.

local cekura = require "cekura"
local metrics = require "support.metrics"
local times = require "support.report.times"
local values = require "support.report.values"

local reading = {}

--- Some of what the documents call a string may be null or missing.
local function text(value)
  return type(value) == "string" and value or ""
end

local function id(value) return value ~= nil and value ~= cekura.null and tostring(value) or nil end

--- The first that is a time.
local function first_time(...)
  for i = 1, select("#", ...) do
    local time = times.parse((select(i, ...)))
    if time then return time end
  end
end

--- What each metric says of a call today: { [metric id] = { value, explanation, name } }.
local function evaluations(call)
  local said = {}
  for _, e in ipairs(metrics.entries(call)) do
    if e.id then
      said[id(e.id)] =
        { value = values.of_entry(e), explanation = e.explanation, name = e.name }
    end
  end
  return said
end

--- A run of the result that it stands in.
function reading.run(run, result)
  return {
    key = "run " .. id(run.id), agent = text(run.agent_name or result.agent_name),
    time = first_time(run.timestamp, run.executed_at, run.created_at, result.created_at),
    title = text(run.scenario_name), where = text(result.name), said = evaluations(run),
  }
end

function reading.call_log(log)
  return {
    key = "call log " .. id(log.id), agent = text(log.agent_name),
    time = first_time(log.timestamp, log.created_at), agent_id = id(log.agent_id or log.agent),
    project_id = id(log.project), title = text(log.topic), where = "production",
    said = evaluations(log),
  }
end

local function enum_values(list)
  local read = {}
  for i, value in ipairs(type(list) == "table" and list or {}) do read[i] = tostring(value) end
  return read
end

function reading.metric(metric)
  return {
    id = id(metric.id), name = metric.name or "metric " .. id(metric.id),
    kind = values.type_of(metric.eval_type), description = text(metric.description),
    values = enum_values(metric.enum_values),
  }
end

--- What a review is of: "run 5544", "call log 70071"; nil where the answer does not say.
function reading.source_of(review)
  local set = type(review.test_set) == "table" and review.test_set or {}
  local name = set.source_model == "Run" and "run " or set.source_model == "CallLog" and "call log "
  return name and id(set.source_id) and name .. id(set.source_id) or nil
end

local function lines_of(value)
  if type(value) == "table" then
    local lines = {}
    for i, line in ipairs(value) do lines[i] = tostring(line) end
    return lines
  end
  return text(value) ~= "" and { value } or {}
end

--- What the metric says of the call today, and why; where that is nothing, what it said when it was
--- reviewed.
local function said_by(metric, review, call)
  local now = call.said[metric.id] or {}
  local said = values.read(metric.kind, now.value, metric.values)
  if said ~= nil then return said, now.explanation end
  return values.read(metric.kind, review.actual_value, metric.values), review.explanation
end

--- A review of `metric`, with the call that it is of; nil where the reviewer named no value, for
--- there is nothing to compare then.
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

--- Of several reviews of one call the newest: the last word counts. { [source] = review }.
function reading.last_words(reviews)
  local last = {}
  local function age(review) return first_time(review.updated_at, review.created_at) or 0 end
  for _, review in ipairs(reviews or {}) do
    local source = reading.source_of(review)
    local other = source and last[source]
    if source and (not other or age(review) >= age(other)) then last[source] = review end
  end
  return last
end

return reading
