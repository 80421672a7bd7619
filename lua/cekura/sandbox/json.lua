--- JSON as the sandbox reads and writes it, with the client's reader and writer: sorted keys, and
--- whole numbers without a fraction.

local core = require "cekura.core"
local internal = require "cekura.internal"
local lists = require "cekura.internal.lists"

local json = {
  null = core.null, array = lists.mark, is_array = lists.is_array, decode = lists.read,
}

--- Returns the JSON text. Raises if JSON cannot represent the value.
---@param value any
---@return string
function json.encode(value) return assert(internal.json(value)) end

return json
