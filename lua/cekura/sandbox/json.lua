--- JSON as the sandbox reads and writes it, with the client's reader and writer: sorted keys, and
--- whole numbers without a fraction.

local core = require "cekura.core"
local internal = require "cekura.internal"

local json = { null = core.null }

local ARRAY = getmetatable(core.array {})

--- Marks `list` as a JSON array and returns it. cekura.array would refuse other metatables.
---@generic T: table
---@param list T
---@return T
function json.array(list)
  return setmetatable(list, ARRAY)
end

--- Returns whether `value` is an array: it has an item at 1, or it is marked.
---@param value any
---@return boolean
function json.is_array(value)
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
    json.array(value)
  end
  for _, part in pairs(value) do mark_empty_lists(part) end
end

--- Returns the value, or nil and a problem. lua-cjson 2.1.0 does not distinguish the table of []
--- from that of {}: the former is marked here.
---@param text string
---@return any value
---@return string? problem
function json.decode(text)
  if not utf8.len(text) then return nil, "the text is not UTF-8" end
  local value, problem = internal.read_json(text)
  if problem or not text:find(EMPTY_LIST) then return value, problem end
  value = internal.read_json(fill_empty_lists(text))
  mark_empty_lists(value)
  return value
end

--- Returns the JSON text. Raises if JSON cannot represent the value.
---@param value any
---@return string
function json.encode(value) return assert(internal.json(value)) end

return json
