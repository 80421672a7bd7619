--- Filters of lists: { field, op, value }, or { operator = "and" or "or", conditions = { … } }.
--- Fields and operators that the documents do not show are refused, not guessed.

local json = require "cekura.sandbox.json"
local views = require "cekura.sandbox.views"

local filters = {}

local function are_texts(a, b) return type(a) == "string" and type(b) == "string" end

--- Returns whether two values can be ordered.
local function are_like(a, b)
  return are_texts(a, b) or type(a) == "number" and type(b) == "number"
end

local OPERATORS = {
  eq = function(a, b) return a == b end,
  neq = function(a, b) return a ~= b end,
  gt = function(a, b) return are_like(a, b) and a > b end,
  gte = function(a, b) return are_like(a, b) and a >= b end,
  lt = function(a, b) return are_like(a, b) and a < b end,
  lte = function(a, b) return are_like(a, b) and a <= b end,
  contains = function(a, b) return are_texts(a, b) and a:find(b, 1, true) ~= nil end,
  startswith = function(a, b) return are_texts(a, b) and a:sub(1, #b) == b end,
  isnull = function(a, b) return (a == json.null) == (b == true) end,
}

OPERATORS["in"] = function(a, list)
  for _, b in ipairs(list) do
    if a == b then return true end
  end
  return false
end

--- Returns what is compared of a value: a duration, such as "01:10", and a time in seconds.
local function comparable(field, value)
  if type(value) ~= "string" then return value end
  local minutes, seconds = value:match "^(%d+):(%d+)$"
  if field == "duration" and minutes then return minutes * 60 + seconds end
  local is_time = field == "timestamp" or field:find "_at$"
  return is_time and views.seconds(value) or value
end

--- Returns a function that applies test to a value, or to each item of a list until one passes.
local function of_any(test)
  return function(value)
    if not json.is_array(value) then return test(value) end
    for _, item in ipairs(value) do
      if test(item) then return true end
    end
    return false
  end
end

local function compile_condition(filter, known)
  local field, op, wanted = filter.field, filter.op, filter.value
  local key = known.fields[field]
  if not key then
    return nil, ("The sandbox does not filter by %s."):format(json.encode(field or json.null))
  elseif not known.operators[op] then
    return nil, ("The operator %s is not supported."):format(json.encode(op or json.null))
  elseif op == "in" and type(wanted) ~= "table" then
    return nil, "The operator in needs a list as value."
  end
  local compare = OPERATORS[op]
  wanted = comparable(field, wanted)
  local test = of_any(function(value) return compare(comparable(field, value), wanted) end)
  return function(item) return test(item[key]) end
end

local compile -- function(filter, known): a test, or nil and a problem

local function compile_group(filter, known)
  local decides = filter.operator == "or" -- one condition with this result decides
  if not decides and filter.operator ~= "and" or not json.is_array(filter.conditions) then
    return nil, 'Expected {"operator": "and" or "or", "conditions": [...]}.'
  end
  local tests = {}
  for i, condition in ipairs(filter.conditions) do
    local test, problem = compile(condition, known)
    if not test then return nil, problem end
    tests[i] = test
  end
  return function(item)
    for _, test in ipairs(tests) do
      if test(item) == decides then return decides end
    end
    return not decides
  end
end

function compile(filter, known)
  if type(filter) ~= "table" or json.is_array(filter) then return nil, "Expected an object." end
  if filter.operator ~= nil then return compile_group(filter, known) end
  return compile_condition(filter, known)
end

--- Returns a test of a view; or nil and a problem if the text is not a filter.
---@param text string
---@param known { fields: table<string, string>, operators: table<string, true> } `fields` has the
--- key in the view for each field
---@return (fun(item: table): boolean)? test
---@return string? problem
function filters.compile(text, known)
  local filter, problem = json.decode(text)
  if problem then return nil, "Expected JSON: " .. problem end
  return compile(filter, known)
end

return filters
