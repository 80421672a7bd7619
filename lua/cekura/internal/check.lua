--- Checks of arguments that the functions written in Lua share, besides `internal.check_options`.
--- A problem is { path, message }.

require "cekura.core"  -- preloads cekura.internal
local internal = require "cekura.internal"

local check = {}

--- For rows of `internal.check_options`: the option `progress`.
function check.is_meter(value) return type(value) == "boolean" or type(value) == "function" end
check.METER = "true, false or a function"

--- Returns the integer that an id is, which may be a text of digits; nil for anything else.
function check.to_id(value)
  if type(value) == "string" and not value:find "^[0-9]+$" then return nil end
  local id = math.tointeger(tonumber(value))
  return id and id > 0 and id or nil
end

check.HOLE = "must be a list without holes: keys 1 to n"

--- Returns what is wrong with a list, or nil. It may have the field `n` that table.pack sets. A
--- list whose metatable computes its items is not checked.
---@param list table
---@return string?
function check.list_problem(list)
  local metatable = getmetatable(list)
  if type(metatable) == "table" and type(metatable.__index) == "function" then return nil end
  local count, last = 0, 0
  for key, value in next, list do
    if key == "n" then
      last = math.max(last, math.tointeger(value) or math.huge)
    elseif type(key) == "string" then
      return "must be a list, got a table with string keys"
    else
      local is_index = math.type(key) == "integer" and key > 0
      count, last = count + 1, math.max(last, is_index and key or math.huge)
    end
  end
  return count ~= last and check.HOLE or nil
end

--- Raises, at the line of the method's caller, unless there is a table of arguments, and of options
--- if any are given.
---@param name string of the method: "results:wait"
function check.tables(name, arguments, options)
  local function expect(ok, what, value)
    if ok then return end
    error(("%s takes a table of %s, got %s"):format(name, what, type(value)), 4)
  end
  expect(type(arguments) == "table", "arguments", arguments)
  expect(options == nil or type(options) == "table", "options", options)
end

--- Returns all problems as one line.
---@param problems table[]
function check.line(problems)
  local lines = {}
  for i, problem in ipairs(problems) do lines[i] = problem[1] .. ": " .. problem[2] end
  return table.concat(lines, "; ")
end

--- Returns one error of all problems.
---@param endpoint string "results.wait"
---@param problems table[]
---@param first cekura.Error? of the same call: its message and fields come first
function check.error(endpoint, problems, first)
  local lines, fields = { first and first.message }, first and first.fields or {}
  if #problems > 0 then lines[#lines + 1] = check.line(problems) end
  for _, problem in ipairs(problems) do
    fields[problem[1]] = fields[problem[1]] or {}
    table.insert(fields[problem[1]], problem[2])
  end
  local new = internal.error("validation", table.concat(lines, "; "))
  new.endpoint, new.fields = endpoint, fields
  return new
end

return check
