--- Checks a table of options against rows { name, test, what it must be }, as the C side does its
--- own: all that is wrong is said at once, and of an unknown name which one was probably meant.

require "cekura.core"  -- brings the next one
local internal = require "cekura.internal"

local check = {}

function check.elsewhere() return true end
function check.is_boolean(value) return type(value) == "boolean" end
function check.is_function(value) return type(value) == "function" end
function check.is_text(value) return type(value) == "string" and value ~= "" end

function check.is_count(value)
  return type(value) == "number" and value > 0 and math.tointeger(value) ~= nil
end

function check.is_meter(value) return check.is_boolean(value) or check.is_function(value) end

local DAY = 86400

function check.is_seconds(value)
  return type(value) == "number" and value >= 0.001 and value <= DAY  -- false for NaN
end

check.HOLE = "must be a list without holes: keys 1 to n"

--- Whether the items may be computed, so that the table's own keys say nothing.
local function is_computed(list)
  local metatable = getmetatable(list)
  return type(metatable) == "table" and type(metatable.__index) == "function"
end

--- Returns what is wrong with a list, in the words that every call uses, or nil. The list may have
--- the field `n` that table.pack gives it.
---@param list table
function check.list_problem(list)
  local count, last = 0, 0
  if is_computed(list) then return nil end
  for key, value in next, list do
    if key == "n" then
      last = math.max(last, math.tointeger(value) or math.huge)
    elseif type(key) == "string" then
      return "must be a list, got a table with string keys"
    else
      if math.type(key) ~= "integer" or key < 1 then key = math.huge end
      count, last = count + 1, math.max(last, key)
    end
  end
  return count ~= last and check.HOLE or nil
end

--- Raises, at the line of the method's caller, if there is no table of arguments or options.
---@param name string what was called: "results:wait"
function check.tables(name, arguments, options)
  local function expect(ok, what, value)
    if ok then return end
    error(("%s takes a table of %s, got %s"):format(name, what, type(value)), 4)
  end
  expect(type(arguments) == "table", "arguments", arguments)
  expect(options == nil or type(options) == "table", "options", options)
end

check.SECONDS = "a number of seconds from 0.001 to 86400"

local function index_of(rows)
  local names, row_of = {}, {}
  for i, row in ipairs(rows) do names[i], row_of[row[1]] = row[1], row end
  return names, row_of
end

local function unknown(what, name, names)
  local near = internal.nearest(tostring(name), names)
  return ("unknown %s%s"):format(what, near and (', did you mean "%s"?'):format(near) or "")
end

--- A function that takes a client and a table, and returns a list of problems { path, message },
--- empty where nothing is wrong. No path shows the client's key.
---@param rows table[]
---@param what string "option" or "field"
---@param prefix string before each name
function check.new(rows, what, prefix)
  local names, row_of = index_of(rows)
  local function message_of(name, value)
    local row = row_of[name]
    if not row then return unknown(what, name, names) end
    return not row[2](value) and "must be " .. row[3] or nil
  end
  return function(client, given)
    local problems = {}
    for name, value in pairs(given) do
      local message = message_of(name, value)
      local path = message and prefix .. internal.redacted(client, tostring(name))
      if message then problems[#problems + 1] = { path, message } end
    end
    table.sort(problems, function(one, other) return one[1] < other[1] end)
    return problems
  end
end

--- All of them as one line.
function check.line(problems)
  local lines = {}
  for i, problem in ipairs(problems) do lines[i] = problem[1] .. ": " .. problem[2] end
  return table.concat(lines, "; ")
end

--- One error of all problems, like those that the C side finds.
---@param endpoint string what was called: "results.wait"
---@param problems table[]
---@param first cekura.Error? what the C side has found already, of the same call
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
