--- JSON as the sandbox reads and writes it. lua-cjson reads; the writer is here, because responses
--- have sorted keys and whole numbers without a fraction, and a fault may send invalid UTF-8.

local ascii = require "cekura.internal.ascii"
local cjson = require "cjson"
local core = require "cekura.core"

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

--- Returns the value, or nil and a problem. lua-cjson 2.1.0 does not mark the table of [].
---@param text string
---@return any value
---@return string? problem
function json.decode(text)
  local ok, value = pcall(reader.decode, text)
  if ok then return value end
  return nil, value
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return ESCAPES[char] or ("\\u%04x"):format(char:byte())
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

local function number(value)
  local integer = math.tointeger(value)
  if integer then return ("%d"):format(integer) end
  if value ~= value or value == math.huge or value == -math.huge then return "null" end
  return ascii.format("%.14g", value)
end

local write -- function(value, out): appends the pieces of the text

local function write_array(list, out)
  out[#out + 1] = "["
  for i = 1, #list do
    if i > 1 then out[#out + 1] = "," end
    write(list[i], out)
  end
  out[#out + 1] = "]"
end

local function write_object(object, out)
  local keys = {}
  for key in pairs(object) do keys[#keys + 1] = key end
  table.sort(keys)
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = quote(key)
    out[#out + 1] = ":"
    write(object[key], out)
  end
  out[#out + 1] = "}"
end

local WRITERS = {
  string = function(value, out) out[#out + 1] = quote(value) end,
  number = function(value, out) out[#out + 1] = number(value) end,
  boolean = function(value, out) out[#out + 1] = tostring(value) end,
  userdata = function(_, out) out[#out + 1] = "null" end,
  table = function(value, out)
    if json.is_array(value) then write_array(value, out) else write_object(value, out) end
  end,
}

function write(value, out)
  local writer = WRITERS[type(value)] or error("no JSON for a " .. type(value))
  writer(value, out)
end

--- Returns the JSON text. A table is an array if json.is_array says so; other keys are strings.
---@param value any
---@return string
function json.encode(value)
  local out = {}
  write(value, out)
  return table.concat(out)
end

return json
