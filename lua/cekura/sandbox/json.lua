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

--- Returns the value, or nil and a problem. The table of [] is not marked, because lua-cjson 2.1.0
--- does not distinguish it from that of {}.
---@param text string
---@return any value
---@return string? problem
function json.decode(text)
  if not utf8.len(text) then return nil, "the text is not UTF-8" end
  return internal.read_json(text)
end

--- Returns the JSON text. Raises if JSON cannot represent the value.
---@param value any
---@return string
function json.encode(value) return assert(internal.json(value)) end

return json
