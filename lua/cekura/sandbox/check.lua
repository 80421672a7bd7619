--- Checks the arguments of a request against an endpoint's row. The problems are worded as in the
--- Django REST framework: { field = { "This field is required." } }.

local json = require "cekura.sandbox.json"

local check = {}

--- Returns Python's name for the type of a JSON value.
local function type_name(value)
  if value == json.null then return "NoneType" end
  if type(value) == "table" then return json.is_array(value) and "list" or "dict" end
  if type(value) == "number" then return math.tointeger(value) and "int" or "float" end
  return ({ string = "str", boolean = "bool" })[type(value)]
end

--- A function for each type: returns the value as handlers get it, or nil and the problem.
local TYPES = {}

function TYPES.integer(value)
  local integer = type(value) == "number" and math.tointeger(value)
  if integer then return integer end
  return nil, "A valid integer is required."
end

function TYPES.string(value, field)
  if type(value) ~= "string" then return nil, "Not a valid string." end
  if #value < (field.min_length or 0) then return nil, "This field may not be blank." end
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

--- An empty table passes as a list: lua-cjson 2.1.0 does not distinguish [] from {}.
function TYPES.array(value, field)
  if type(value) ~= "table" or not json.is_array(value) and next(value) ~= nil then
    return nil, ('Expected a list of items but got type "%s".'):format(type_name(value))
  elseif #value < (field.min_items or 0) then
    return nil, "This list may not be empty."
  elseif field.max_items and #value > field.max_items then
    return nil, ("Ensure this field has no more than %d elements."):format(field.max_items)
  end
  local items, check_item = json.array {}, TYPES[field.items or "any"]
  for i, item in ipairs(value) do
    local problem
    items[i], problem = check_item(item, field)
    if problem then return nil, ("Item %d: %s"):format(i - 1, problem) end
  end
  return items
end

local function check_enum(value, field)
  for _, allowed in ipairs(field.enum) do
    if value == allowed then return value end
  end
  local text = type(value) == "string" and value or json.encode(value)
  return nil, ('"%s" is not a valid choice.'):format(text)
end

--- Returns the value as handlers get it, or nil and the problem.
local function check_value(value, field)
  if value == nil then
    return nil, field.required and "This field is required." or nil
  elseif value == json.null then
    local takes_null = field.nullable or field.type == "any"
    return takes_null and value or nil, not takes_null and "This field may not be null." or nil
  elseif field.enum then
    return check_enum(value, field)
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

function FROM_QUERY.array(text)
  local list = json.array {}
  for item in text:gmatch "[^,]+" do list[#list + 1] = to_integer(item) end
  return list
end

local BOOLEANS = { ["true"] = true, ["false"] = false }

function FROM_QUERY.boolean(text)
  local value = BOOLEANS[text:lower()]
  if value == nil then return text end
  return value
end

--- Checks the fields in one place of the request.
---@param fields table[] rows as in cekura.endpoints
---@param place "query"|"body"
---@param given table name → value
---@param args table name → value: the valid ones are added
---@param problems table name → list of problems: those found are added
local function check_fields(fields, place, given, args, problems)
  for _, field in ipairs(fields) do
    if field.place == place then
      local value = given[field.name]
      local convert = place == "query" and value ~= nil and FROM_QUERY[field.type]
      if convert then value = convert(value) end
      local problem
      args[field.name], problem = check_value(value, field)
      if problem then problems[field.name] = json.array { problem } end
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
  check_fields(row.fields, "query", query, args, problems)
  check_fields(row.fields, "body", body, args, problems)
  local missing = row.one_of and check_one_of(args, row.one_of)
  if missing and not next(problems) then problems.non_field_errors = json.array { missing } end
  if next(problems) then return nil, problems end
  return args
end

return check
