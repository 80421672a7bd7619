--- The field selection of a list, `ql`: "{id,status}" or "{id,metadata{ended_reason}}". The syntax
--- and the errors are those of django-restql. Its operators (aliases, -, * and arguments), which
--- the API's document does not show, are refused.

local json = require "cekura.sandbox.json"

local select = {}

local block -- function(text, at): the fields in braces and the position behind; or nil, a problem

--- Returns the name at a position and the position behind it, with the block that may follow.
local function field(text, at)
  local name, after = text:match("^%s*([%w_]+)%s*()", at)
  if not name then return nil, ("QuerySyntaxError: a name expected at %d."):format(at) end
  if text:sub(after, after) ~= "{" then return name, after, true end
  local fields, problem = block(text, after)
  if not fields then return nil, problem end
  return name, problem, fields
end

function block(text, at)
  local after = text:match("^%s*{()", at)
  if not after then return nil, ('QuerySyntaxError: "{" expected at %d.'):format(at) end
  local fields = {}
  at = text:match("^%s*}%s*()", after)
  if at then return fields, at end -- it selects nothing
  repeat
    local name, behind, nested = field(text, after)
    if not name then return nil, behind end
    if fields[name] then
      return nil, ("QueryFormatError: the field %s is included more than once."):format(name)
    end
    fields[name] = nested
    local mark
    mark, after = text:match("^([,}])%s*()", behind)
    if not mark then
      return nil, ('QuerySyntaxError: "," or "}" expected at %d.'):format(behind)
    end
  until mark == "}"
  return fields, after
end

--- Returns the selected fields: a table that has for each name the fields in it, or true for all.
---@param text string
---@return table? fields
---@return string? problem
function select.parse(text)
  local fields, after = block(text, 1)
  if not fields then return nil, after --[[@as string]] end
  if after <= #text then
    return nil, ("QuerySyntaxError: nothing expected at %d."):format(after)
  end
  return fields
end

--- Returns an object or a list of objects with only the keys in `fields`. Other keys are ignored.
local function keys_of(value, fields)
  local chosen = {}
  if json.is_array(value) then
    for i, item in ipairs(value) do chosen[i] = keys_of(item, fields) end
    return json.array(chosen)
  elseif type(value) ~= "table" then
    return value
  end
  for name, nested in pairs(fields) do
    local part = value[name]
    if part ~= nil and nested ~= true then part = keys_of(part, nested) end
    chosen[name] = part
  end
  return chosen
end

--- Returns an item with only the selected fields; or nil and a problem if one of them is unknown,
--- or has no fields.
---@param item table
---@param fields table of select.parse
function select.from(item, fields)
  for name, nested in pairs(fields) do
    if item[name] == nil then return nil, ("`%s` field is not found"):format(name) end
    if nested ~= true and type(item[name]) ~= "table" and item[name] ~= json.null then
      return nil, ("`%s` is not a nested field"):format(name)
    end
  end
  return keys_of(item, fields)
end

return select
