--- Checks responses: each function takes the results of a call, and returns a copy with the fields
--- that the commands use, or nil and an error. A null in the response is an absent field in the
--- copy.
---
---     local result = assert(responses.result(client.results:get { result_id = 373 }))

local cekura = require "cekura"
local internal = require "cekura.internal"

local responses = {}

-- ---- types: functions that take a value and its path, and return the value or raise a Misfit ----

local Misfit = {}

local KINDS = { table = "an object or a list", string = "a string", number = "a number",
  boolean = "a boolean", ["nil"] = "missing" }

local function misfit(path, value, wanted)
  local what = path == "" and "the response" or ("the response's `%s`"):format(path:gsub("^%.", ""))
  error(setmetatable({ message = ("%s is %s, not %s"):format(what,
    KINDS[type(value)] or "null", wanted) }, Misfit), 0)
end

local function any(value) return value end

local function text(value, path)
  if type(value) == "string" then return value end
  return misfit(path, value, "a string")
end

--- Text that is only shown: any other type than a table becomes text.
local function words(value)
  return type(value) ~= "table" and tostring(value) or nil
end

local function number_of(value)
  return type(value) ~= "table" and tonumber(value) or nil
end

local function id(value, path)
  local found = math.tointeger(number_of(value))
  if found and found > 0 then return found end
  return misfit(path, value, "an id")
end

--- An id; nil for anything else.
local function perhaps_id(value)
  local found = math.tointeger(number_of(value))
  return found and found > 0 and found or nil
end

local function is_there(value) return value ~= nil and value ~= cekura.null end

local function required(read)
  return { read = function(value, path)
    if not is_there(value) then value = nil end
    return read(value, path)
  end }
end

local function record(fields)
  return function(value, path)
    if type(value) ~= "table" or #value > 0 then misfit(path, value, "an object") end
    local copy = {}
    for name, read in pairs(fields) do
      local item, inner = value[name], path .. "." .. name
      if type(read) == "table" then
        copy[name] = read.read(item, inner)
      elseif is_there(item) then
        copy[name] = read(item, inner)
      end
    end
    return copy
  end
end

local function list(read)
  return function(value, path)
    if type(value) ~= "table" or next(value) ~= nil and #value == 0 then
      misfit(path, value, "a list")
    end
    local copy = {}
    for i, item in ipairs(value) do copy[i] = read(item, ("%s[%d]"):format(path, i)) end
    return copy
  end
end

--- A value that is checked only if it is an object or a list; nil for anything else.
local function perhaps(read)
  return function(value, path) return type(value) == "table" and read(value, path) or nil end
end

-- ---- the API's objects ----

--- Read by cekura.values.
local entry = record {
  id = perhaps_id, name = words, type = words, eval_type = words, enum = any, value = any,
  score = any, passed = any, expected_value = any, feedback = words, explanation = any,
  thumbs_up = any,
}

local entries = perhaps(list(entry))  -- some documents type them as a string
local evaluation = perhaps(record { metrics = entries })

local run = record {
  id = perhaps_id, status = words, success = any, scenario_name = words, agent_name = words,
  test_profile_data = perhaps(record { id = perhaps_id, name = words }),
  transcript = words, expected_outcome = perhaps(record { score = any }), evaluation = evaluation,
  timestamp = words, executed_at = words, created_at = words, scenario = perhaps_id,
  personality = perhaps_id, personality_name = words, agent = perhaps_id,
}

local SUMMARY = {
  id = required(id), name = words, status = words, total_runs_count = number_of,
  success_rate = number_of, created_at = words, updated_at = words, agent_name = words,
  agent = perhaps_id,
}

--- { [id] = run }. A run without an id gets the one under which it is listed.
local function runs(value, path)
  if type(value) ~= "table" then misfit(path, value, "an object") end
  local by_id = {}
  for key, item in pairs(value) do
    if is_there(item) then
      local inner = ("%s.%s"):format(path, key)
      local copy = run(item, inner)
      copy.id = copy.id or id(key, inner .. ".id")
      by_id[tostring(copy.id)] = copy
    end
  end
  return by_id
end

local result = { runs = runs }
for name, read in pairs(SUMMARY) do result[name] = read end

local call_log = record {
  id = required(id), status = words, success = any, topic = words, agent_name = words,
  timestamp = words, created_at = words, updated_at = words, agent_id = perhaps_id,
  transcript = words, agent = perhaps_id, project = perhaps_id,
  evaluation = evaluation, metrics = entries,
}

local review = record {
  id = perhaps_id, actual_value = any, expected_value = any, feedback = words, explanation = any,
  created_at = words, updated_at = words,
  test_set = perhaps(record {
    id = perhaps_id, source_model = words, source_id = perhaps_id, agent = perhaps_id,
    transcript = words,
  }),
}

local metric = record {
  id = required(id), name = words, description = words, eval_type = words,
  agents = perhaps(list(perhaps_id)), project = perhaps_id, enum_values = perhaps(list(any)),
  reviews = list(review), evaluation_trigger = words,
  trigger_type = words, evaluation_trigger_prompt = words,
  evaluation_trigger_custom_code = words, type = words, custom_code = words,
  metric_description_program = any, metric_description_variables = any,
  evaluation_trigger_program = any, evaluation_trigger_variables = any,
}

local version = record { history_id = perhaps_id, history_date = words, description = words }

local scoring = record {
  review_results = perhaps(list(record {
    test_set_id = perhaps_id, actual_value = any, error = words,
  })),
}

local progress = {
  improved_metric_description = text, improved_evaluation_trigger = text,
  improved_trigger_kind = words, trigger_type = words, custom_code = text, type = words,
  old_score = any, new_score = any, unresolved_samples = any, optimization_summary = words,
  metric_description_program = any, metric_description_variables = any,
  evaluation_trigger_program = any, evaluation_trigger_variables = any, feedback_edits = any,
  unauthorized_label_changes = any, estimated_cost_per_sample = words,
}

-- ---- the calls ----

local function check(endpoint, shape, value)
  local ok, found = pcall(shape, value, "")
  if ok then return found end
  if getmetatable(found) ~= Misfit then error(found, 0) end
  local err = internal.error("response", found.message .. ": it cannot be used")
  err.endpoint = endpoint
  return nil, err
end

local function reader(endpoint, shape)
  return function(value, err)
    if value == nil then return nil, err end
    return check(endpoint, shape, value)
  end
end

--- Returns the ids of the completed runs of a result, in order.
function responses.completed_runs(of_result)
  local ids = {}
  for _, one in pairs(of_result.runs or {}) do
    if one.status == "completed" then ids[#ids + 1] = one.id end
  end
  table.sort(ids)
  return ids
end

--- Returns whether a run has met its expected outcome completely, with a score of 100; nil if that
--- is unknown. No document of the API names another threshold.
function responses.is_outcome_met(of_run)
  local score = tonumber(of_run.expected_outcome and of_run.expected_outcome.score)
  return score and score >= 100
end

responses.result = reader("results.get", record(result))
responses.results = reader("results.list", record { results = required(list(record(SUMMARY))) })
responses.metric = reader("metrics.get", metric)
responses.call_log = reader("calls.get", call_log)
responses.call_logs = reader("calls.evaluate_metrics", list(call_log))
responses.job = reader("metric_reviews.process_feedbacks",
  record { progress_id = words, estimated_cost_per_sample = words })
responses.progress = reader("metric_reviews.wait", record(progress))
responses.scoring = reader("metrics.wait", scoring)
responses.versions = reader("metrics.history", record { results = required(list(version)) })
responses.test_set = reader("test_sets.create_from_run", record { id = required(id) })
responses.balance = reader("billing.info", record {
  credits_remaining = any,
  subscription_status = perhaps(record { pack = perhaps(record { subscription_overage = any }) }),
})

--- Returns a function that wraps an iterator over items. An item that does not fit raises an error.
local function items(endpoint, shape)
  return function(next_item)
    return function()
      local item = next_item()
      return item ~= nil and assert(check(endpoint, shape, item)) or nil
    end
  end
end

responses.pages_of_results = items("results.list", record(SUMMARY))
responses.pages_of_calls = items("calls.list", call_log)

return responses
