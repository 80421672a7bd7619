--- filters_v2 of a list of call logs: { field, op, value }, or { operator = "and" or "or",
--- conditions = { … } }. Operators that the documents do not show are refused, not guessed.

local json = require "cekura.sandbox.json"

local filters = {}

--- The fields that can be compared.
local FIELDS = {
  id = true, agent = true, agent_name = true, project = true, call_id = true, topic = true,
  customer_number = true, call_ended_reason = true, dropoff_point = true, feedback = true,
  success = true, is_reviewed = true, status = true, timestamp = true, duration = true,
}

local OPERATORS = {}

function OPERATORS.eq(a, b) return a == b end

function OPERATORS.gte(a, b)
  return type(a) == type(b) and (type(a) == "number" or type(a) == "string") and a >= b
end

--- Returns the value of a field; a duration, such as "01:10", in seconds.
local function value_of(call, field)
  local value = call[field]
  if field ~= "duration" then return value end
  local minutes, seconds = value:match "^(%d+):(%d+)$"
  return minutes * 60 + seconds
end

local function compile_condition(filter)
  local operator, field, wanted = OPERATORS[filter.op], filter.field, filter.value
  if not FIELDS[field] then
    return nil, ("The sandbox does not filter by %s."):format(json.encode(field or json.null))
  elseif not operator then
    return nil, ("The sandbox knows the operators eq and gte, not %s."):format(
      json.encode(filter.op or json.null))
  end
  return function(call) return operator(value_of(call, field), wanted) end
end

local compile -- function(filter): a test, or nil and a problem

local function compile_group(filter)
  local decides = filter.operator == "or" -- one condition with this result decides
  if not decides and filter.operator ~= "and" or not json.is_array(filter.conditions) then
    return nil, 'Expected {"operator": "and" or "or", "conditions": [...]}.'
  end
  local tests = {}
  for i, condition in ipairs(filter.conditions) do
    local test, problem = compile(condition)
    if not test then return nil, problem end
    tests[i] = test
  end
  return function(call)
    for _, test in ipairs(tests) do
      if test(call) == decides then return decides end
    end
    return not decides
  end
end

function compile(filter)
  if type(filter) ~= "table" or json.is_array(filter) then return nil, "Expected an object." end
  if filter.operator ~= nil then return compile_group(filter) end
  return compile_condition(filter)
end

--- Returns a test of views.call_log; or nil and a problem if the text is not a filter.
---@param text string
---@return (fun(call: table): boolean)? test
---@return string? problem
function filters.compile(text)
  local filter, problem = json.decode(text)
  if problem then return nil, "Expected JSON: " .. problem end
  return compile(filter)
end

return filters
