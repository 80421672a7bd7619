--- Checks the arguments of a request against an endpoint's row. The problems are worded as in the
--- Django REST framework: { field = { "This field is required." } }.

require "cekura.core" -- preloads cekura.internal
local internal = require "cekura.internal"

local json = require "cekura.sandbox.json"

local check = {}

--- Returns Python's name for the type of a JSON value.
local function type_name(value)
  if value == json.null then return "NoneType" end
  if type(value) == "table" then return json.is_array(value) and "list" or "dict" end
  if type(value) == "number" then return math.tointeger(value) and "int" or "float" end
  return ({ string = "str", boolean = "bool" })[type(value)]
end

--- A function for each type: returns the value as handlers get it, or nil and the problem: a text,
--- or for a list of objects the problems of each.
local TYPES = {}

local INT32 = { lowest = -2 ^ 31 | 0, highest = 2 ^ 31 - 1 | 0 }

function TYPES.integer(value, field)
  local integer = type(value) == "number" and math.tointeger(value)
  if not integer then return nil, "A valid integer is required." end
  if field.format == "int32" and integer > INT32.highest then
    return nil, ("Ensure this value is less than or equal to %d."):format(INT32.highest)
  elseif field.format == "int32" and integer < INT32.lowest then
    return nil, ("Ensure this value is greater than or equal to %d."):format(INT32.lowest)
  end
  return integer
end

function TYPES.number(value)
  if type(value) == "number" and value - value == 0 then return value end
  return nil, "A valid number is required."
end

function TYPES.string(value, field)
  if type(value) ~= "string" then return nil, "Not a valid string." end
  if #value < (field.min_length or 0) then return nil, "This field may not be blank." end
  if field.max_length and (utf8.len(value) or #value) > field.max_length then
    return nil, ("Ensure this field has no more than %d characters."):format(field.max_length)
  elseif field.format == "date-time" and not internal.timestamp(value) then
    return nil, "Enter a valid date/time."
  end
  return value
end

function TYPES.boolean(value)
  if type(value) == "boolean" then return value end
  return nil, "Must be a valid boolean."
end

function TYPES.any(value) return value end

function TYPES.object(value)
  if type(value) == "table" and not json.is_array(value) then return value end
  return nil, ('Expected a dictionary of items but got type "%s".'):format(type_name(value))
end

local function check_choice(value, field)
  for _, allowed in ipairs(field.enum) do
    if value == allowed then return value end
  end
  local text = type(value) == "string" and value or json.encode(value)
  return nil, ('"%s" is not a valid choice.'):format(text)
end

local check_fields -- function(fields, given, args, problems, place): checks the fields in a place

--- Returns the objects of a list, or nil and a list with the problems of each: {} if it has none.
local function check_objects(value, field)
  local objects, problems, are_valid = json.array {}, json.array {}, true
  for i, item in ipairs(value) do
    objects[i], problems[i] = {}, {}
    if type(item) == "table" and not json.is_array(item) then
      check_fields(field.fields, item, objects[i], problems[i])
    else
      local text = ("Invalid data. Expected a dictionary, but got %s."):format(type_name(item))
      problems[i] = { non_field_errors = json.array { text } }
    end
    are_valid = are_valid and not next(problems[i])
  end
  if are_valid then return objects end
  return nil, problems
end

--- Returns a problem with the type or the length of a list, or nil.
local function list_problem(value, field)
  if not json.is_array(value) then
    return ('Expected a list of items but got type "%s".'):format(type_name(value))
  elseif #value < (field.min_items or 0) then
    return "This list may not be empty."
  elseif field.max_items and #value > field.max_items then
    return ("Ensure this field has no more than %d elements."):format(field.max_items)
  end
end

function TYPES.array(value, field)
  local unfit = list_problem(value, field)
  if unfit then return nil, unfit end
  if field.fields then return check_objects(value, field) end
  local check_item = field.enum and check_choice or TYPES[field.items or "any"]
  local items = json.array {}
  for i, item in ipairs(value) do
    local problem
    items[i], problem = check_item(item, field)
    if problem then return nil, ("Item %d: %s"):format(i - 1, problem) end
  end
  return items
end

--- Returns the value as handlers get it, or nil and the problem.
local function check_value(value, field)
  if value == nil then
    return nil, field.required and "This field is required." or nil
  elseif value == json.null then
    if field.nullable or field.type == "any" then return value end
    return nil, "This field may not be null."
  elseif field.enum and field.type ~= "array" then
    return check_choice(value, field)
  end
  return TYPES[field.type](value, field)
end

local function check_one_of(values, names)
  local given = 0
  for _, name in ipairs(names) do
    if values[name] ~= nil then given = given + 1 end
  end
  if given == 1 then return nil end
  local all = table.concat(names, " or ")
  return given == 0 and ("Provide either %s."):format(all)
    or ("Provide either %s, not both."):format(all)
end

local function to_integer(text)
  return text:find "^%-?%d+$" and math.tointeger(tonumber(text)) or text
end

--- Converts the text of a query by the type of its field. Other text stays a string, which
--- check_value refuses.
local FROM_QUERY = { integer = to_integer }

function FROM_QUERY.number(text)
  local number = text:find "^%-?%d" and not text:find "[xX]" and json.decode(text)
  return type(number) == "number" and number or text
end

function FROM_QUERY.array(text, field)
  local list = json.array {}
  for item in text:gmatch "[^,]+" do
    list[#list + 1] = field.items == "integer" and to_integer(item) or item
  end
  return list
end

local BOOLEANS = { ["true"] = true, ["false"] = false }

function FROM_QUERY.boolean(text)
  local value = BOOLEANS[text]
  if value == nil then return text end
  return value
end

--- Checks the fields in one place of the request, or those of an object in a list.
---@param fields table[] rows as in cekura.endpoints
---@param given table name → value
---@param args table name → value: the valid ones are added
---@param problems table name → problems: those found are added
---@param place "query"|"body"|nil
function check_fields(fields, given, args, problems, place)
  for _, field in ipairs(fields) do
    if not place or field.place == place then
      local value = given[field.name]
      local convert = place == "query" and value ~= nil and FROM_QUERY[field.type]
      if convert then value = convert(value, field) end
      local problem
      args[field.name], problem = check_value(value, field)
      if type(problem) == "string" then problem = json.array { problem } end
      problems[field.name] = problem
    end
  end
end

--- Returns the arguments of a request by name, or nil and the body of a 400.
---@param row table as in cekura.endpoints
---@param query table name → string
---@param body any the JSON value
---@return table? args
---@return table? problems
function check.request(row, query, body)
  if type(body) ~= "table" or json.is_array(body) then
    local text = ("Invalid data. Expected a dictionary, but got %s."):format(type_name(body))
    return nil, { non_field_errors = json.array { text } }
  end
  local args, problems = {}, {}
  check_fields(row.fields, query, args, problems, "query")
  check_fields(row.fields, body, args, problems, "body")
  local missing = row.one_of and check_one_of(args, row.one_of)
  if missing and not next(problems) then problems.non_field_errors = json.array { missing } end
  if next(problems) then return nil, problems end
  return args
end

return check
