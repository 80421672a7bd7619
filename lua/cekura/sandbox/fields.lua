--- Reads a table of options or a rule of `faults`. It is described by rows, as the client's options
--- are (`internal.check_options`).

require "cekura.core" -- preloads cekura.internal
local internal = require "cekura.internal"

local fields = {}

--- Returns the known name that was probably meant, or nil.
---@param name any
---@param known table name → anything
function fields.nearest(name, known)
  local names = {}
  for other in pairs(known) do names[#names + 1] = other end
  table.sort(names)
  return internal.nearest(tostring(name), names)
end

--- Returns the text `, did you mean "…"?`; an empty text if no known name is similar.
function fields.suggestion(name, known)
  local near = fields.nearest(name, known)
  return near and (', did you mean "%s"?'):format(near) or ""
end

--- Returns a copy of `given` with the defaults, whole numbers as integers. Raises an error with
--- every problem.
---@param given any
---@param rows table[] { name, type or test, low, top, wanted =, default =, required = }
---@param where string what an error message calls the table
function fields.read(given, rows, where)
  if type(given) ~= "table" then
    error(("%s: must be a table, got %s"):format(where, type(given)), 0)
  end
  local lines = {}
  for i, problem in ipairs(internal.check_options(nil, given, rows, "field", where)) do
    lines[i] = table.concat(problem, ": ")
  end
  local values = {}
  for _, row in ipairs(rows) do
    local name = row[1]
    local value = given[name]
    if value == nil then value = row.default end
    if value == nil and row.required then
      lines[#lines + 1] = ("%s.%s: is required"):format(where, name)
    end
    values[name] = math.type(value) == "float" and math.tointeger(value) or value
  end
  if #lines > 0 then error(table.concat(lines, "; "), 0) end
  return values
end

return fields
