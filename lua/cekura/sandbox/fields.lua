--- Reads a table of options or the fields of a rule: a row for each, read by one function.

require "cekura.core" -- brings the next one
local internal = require "cekura.internal"

local fields = {}

--- The types that a row can name: a test, and what the message calls it.
local TYPES = {
  boolean = { function(v) return type(v) == "boolean" end, "a boolean" },
  string = { function(v) return type(v) == "string" end, "a string" },
  number = { function(v) return type(v) == "number" and v == v end, "a number" },
  integer = { function(v) return math.type(v) == "integer" end, "an integer" },
  table = { function(v) return type(v) == "table" end, "a table" },
  key = { function(v) return type(v) == "string" and v:find "^[\33-\126]+$" ~= nil end,
    "a string of visible ASCII characters" },
  body = { function(v) return type(v) == "string" or type(v) == "table" end,
    "a string or a table" },
  cap = { function(v) return type(v) == "boolean" or math.type(v) == "integer" and v >= 0 end,
    "a boolean or how many requests to keep" },
  optimiser = { function(v) return v == "improves" or v == "fails" or v == "asks" end,
    '"improves", "fails" or "asks"' },
  times = { function(v) return v == math.huge or math.type(v) == "integer" and v >= 0 end,
    "an integer or math.huge" },
}

--- `, did you mean "…"?` if a known name is near, else nothing.
---@param name any
---@param known table name → anything
function fields.suggestion(name, known)
  local names = {}
  for other in pairs(known) do names[#names + 1] = other end
  table.sort(names)
  local near = internal.nearest(tostring(name), names)
  return near and (', did you mean "%s"?'):format(near) or ""
end

local function shown(value)
  if type(value) == "string" then return ("string %q"):format(value) end
  return type(value) == "number" and tostring(value) or type(value)
end

--- What is wrong with a value, or nil.
local function problem_with(value, row)
  local fits, name = table.unpack(TYPES[row.type])
  if not fits(value) then
    return ("%s expected, got %s"):format(name, shown(value))
  elseif row.min and value < row.min then
    return ("at least %d expected, got %s"):format(row.min, value)
  elseif row.max and value > row.max then
    return ("at most %d expected, got %s"):format(row.max, value)
  end
end

--- A complete copy of `given`, whole numbers as integers; raises an error that names `where`.
---@param given any
---@param rows table name → { type, default?, required?, min?, max? }
---@param where string
function fields.read(given, rows, where)
  if type(given) ~= "table" then
    error(("%s: a table expected, got %s"):format(where, shown(given)), 0)
  end
  for name in pairs(given) do
    if not rows[name] then
      error(("%s: unknown field %q%s"):format(where, tostring(name),
        fields.suggestion(name, rows)), 0)
    end
  end
  local values = {}
  for name, row in pairs(rows) do
    local value = given[name]
    if value == nil then value = row.default end
    if value == nil and row.required then error(("%s.%s is required"):format(where, name), 0) end
    if type(value) == "number" then value = math.tointeger(value) or value end
    local problem = value ~= nil and problem_with(value, row)
    if problem then error(("%s.%s: %s"):format(where, name, problem), 0) end
    values[name] = value
  end
  return values
end

return fields
