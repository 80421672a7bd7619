--- JSON as the sandbox reads and writes it. lua-cjson reads; the client's writer writes, with
--- sorted keys and whole numbers without a fraction.

local cjson = require "cjson"
local core = require "cekura.core"
local internal = require "cekura.internal"

local json = { null = cjson.null }

local ARRAY = getmetatable(core.array {})

--- The metatables that make a table an array even if it is empty.
local is_array_mark = { [ARRAY] = true }
for _, mark in pairs { cjson.array_mt, cjson.empty_array_mt } do is_array_mark[mark] = true end

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
  return type(value) == "table" and (value[1] ~= nil or is_array_mark[getmetatable(value)] == true)
end

local reader = cjson.new()
reader.decode_invalid_numbers(false)
if reader.decode_array_with_array_mt then reader.decode_array_with_array_mt(true) end

--- Returns the value, or nil and a problem. lua-cjson does not check UTF-8, and 2.1.0 does not mark
--- the table of [].
---@param text string
---@return any value
---@return string? problem
function json.decode(text)
  if not utf8.len(text) then return nil, "the text is not UTF-8" end
  local ok, value = pcall(reader.decode, text)
  if ok then return value end
  return nil, value
end

--- Returns the JSON text. Raises if JSON cannot represent the value.
---@param value any
---@return string
function json.encode(value) return assert(internal.json(value)) end

return json
