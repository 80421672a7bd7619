--- Decodes JSON without mixing up its empty lists and empty objects, for which lua-cjson 2.1.0
--- returns the same table.

local core = require "cekura.core"
local internal = require "cekura.internal"

local lists = {}

local ARRAY = getmetatable(core.array {})

--- Marks a list as a JSON array and returns it. cekura.array would refuse other metatables.
---@generic T: table
---@param list T
---@return T
function lists.mark(list) return setmetatable(list, ARRAY) end

--- Returns whether a value is an array: it has an item at 1, or it is marked.
---@param value any
---@return boolean
function lists.is_array(value)
  return type(value) == "table" and (value[1] ~= nil or getmetatable(value) == ARRAY)
end

local EMPTY_LIST = "%[[ \t\r\n]*%]"
local IN_EMPTY = "\1[]" -- the item that an empty list has until it is marked

--- Returns the text of a JSON value with an item in each empty list.
local function fill_empty_lists(text)
  local bare = text:gsub("\\.", "__"):gsub('"[^"]*"', function(quoted)
    return ("_"):rep(#quoted)
  end)
  local parts, from = {}, 1
  for start, after in bare:gmatch("()" .. EMPTY_LIST .. "()") do
    parts[#parts + 1] = text:sub(from, start - 1) .. '["\\u0001[]"]'
    from = after
  end
  return table.concat(parts) .. text:sub(from)
end

--- Empties and marks the lists that fill_empty_lists filled.
local function mark_empty_lists(value)
  if type(value) ~= "table" then return end
  if value[1] == IN_EMPTY then
    value[1] = nil
    lists.mark(value)
  end
  for _, part in pairs(value) do mark_empty_lists(part) end
end

--- Returns the value of a JSON text, in which the tables of empty lists are marked as arrays.
--- Returns nil and a problem if the text is not JSON in UTF-8.
---@param text string
---@return any value
---@return string? problem
function lists.read(text)
  if not utf8.len(text) then return nil, "the text is not UTF-8" end
  local value, problem = internal.read_json(text)
  if problem or not text:find(EMPTY_LIST) then return value, problem end
  value = internal.read_json(fill_empty_lists(text))
  mark_empty_lists(value)
  return value
end

return lists
