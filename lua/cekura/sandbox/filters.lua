--- filters_v2 of a list of call logs: { field, op, value }, or { operator = "and" or "or",
--- conditions = { … } }. The documents show the operators eq and gte; what they do not show, the
--- sandbox refuses, because it would have to guess what it means.

local json = require "cekura.sandbox.json"

local filters = {}

--- Of what a list of call logs shows, what can be compared.
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

--- What a field is compared as: a duration, which reads "01:10", in seconds.
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

local compile -- function(filter): a test, or nil and what is wrong

local function compile_all(list)
  local tests = {}
  for i, filter in ipairs(list) do
    local test, problem = compile(filter)
    if not test then return nil, problem end
    tests[i] = test
  end
  return tests
end

local function compile_group(filter)
  local decides = filter.operator == "or" -- the answer of one condition that is that of all
  if not decides and filter.operator ~= "and" or not json.is_array(filter.conditions) then
    return nil, 'Expected {"operator": "and" or "or", "conditions": [...]}.'
  end
  local tests, problem = compile_all(filter.conditions)
  if not tests then return nil, problem end
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

--- A test of what a list shows of a call log; nil and a problem where the text is no filter.
---@param text string
---@return (fun(call: table): boolean)? test
---@return string? problem
function filters.compile(text)
  local filter, problem = json.decode(text)
  if problem then return nil, "Expected JSON: " .. problem end
  return compile(filter)
end

return filters
