--- The field selection of a list, `ql`: "{id,status}" or "{id,metadata{ended_reason}}". The syntax
--- and the errors are those of django-restql: "*" selects all fields, and "-" excludes one. Its
--- aliases and arguments, which the API's document does not show, are refused.

local json = require "cekura.sandbox.json"

local select = {} -- its patterns have no classes such as %s, which depend on the locale

local block -- function(text, at): the selection in braces and the position behind; or nil, why not

--- Adds the field at a position to a selection. Returns the position behind it; or nil, a problem.
local function add_field(selection, text, at)
  if text:find("^[ \t\r\n]*%*", at) then
    selection.has_all = true
    return (text:match("^[ \t\r\n]*%*[ \t\r\n]*()", at))
  end
  local minus, name, after = text:match("^[ \t\r\n]*(%-?)([A-Za-z0-9_]+)[ \t\r\n]*()", at)
  if not name then return nil, ("QuerySyntaxError: a name expected at %d."):format(at) end
  if selection.fields[name] ~= nil then
    return nil, ("QueryFormatError: the field %s is included more than once."):format(name)
  end
  selection.fields[name] = minus == ""
  if minus == "-" then selection.has_all = true end
  if minus == "-" or text:sub(after, after) ~= "{" then return after end
  selection.fields[name], after = block(text, after)
  if not selection.fields[name] then return nil, after end
  return after
end

function block(text, at)
  local after = text:match("^[ \t\r\n]*{()", at)
  if not after then return nil, ('QuerySyntaxError: "{" expected at %d.'):format(at) end
  local selection = { fields = {}, has_all = false }
  at = text:match("^[ \t\r\n]*}[ \t\r\n]*()", after)
  if at then return selection, at end -- it selects nothing
  repeat
    local behind, problem = add_field(selection, text, after)
    if not behind then return nil, problem end
    local mark
    mark, after = text:match("^([,}])[ \t\r\n]*()", behind)
    if not mark then
      return nil, ('QuerySyntaxError: "," or "}" expected at %d.'):format(behind)
    end
  until mark == "}"
  return selection, after
end

--- Returns the selection: { fields, has_all }. `fields` has for each name true, false if it is
--- excluded, or the selection in it.
---@param text string
---@return table? selection
---@return string? problem
function select.parse(text)
  local selection, after = block(text, 1)
  if not selection then return nil, after --[[@as string]] end
  if after <= #text then
    return nil, ("QuerySyntaxError: nothing expected at %d."):format(after)
  end
  return selection
end

--- Returns an object, or a list of objects, with only the selected keys. Unknown ones are ignored.
local function keys_of(value, selection)
  local chosen = {}
  if json.is_array(value) then
    for i, item in ipairs(value) do chosen[i] = keys_of(item, selection) end
    return json.array(chosen)
  elseif type(value) ~= "table" then
    return value
  end
  for name, part in pairs(value) do
    local wanted = selection.fields[name]
    if wanted == nil then wanted = selection.has_all end
    if type(wanted) == "table" then part = keys_of(part, wanted) end
    if wanted then chosen[name] = part end
  end
  return chosen
end

--- Returns an item with only the selected fields; or nil and a problem if one of them is unknown,
--- or has no fields.
---@param item table
---@param selection table of select.parse
function select.from(item, selection)
  for name, wanted in pairs(selection.fields) do
    if item[name] == nil then return nil, ("`%s` field is not found"):format(name) end
    if type(wanted) == "table" and type(item[name]) ~= "table" and item[name] ~= json.null then
      return nil, ("`%s` is not a nested field"):format(name)
    end
  end
  return keys_of(item, selection)
end

return select
