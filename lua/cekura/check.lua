--- Checks a table of options against rows { name, test, what it must be }, as the C side does its
--- own: all that is wrong is said at once, and of an unknown name which one was probably meant.

require "cekura.core"  -- brings the next one
local internal = require "cekura.internal"

local check = {}

function check.is_boolean(value) return type(value) == "boolean" end
function check.is_function(value) return type(value) == "function" end
function check.is_text(value) return type(value) == "string" and value ~= "" end
function check.is_count(value) return math.type(value) == "integer" and value > 0 end
function check.is_meter(value) return check.is_boolean(value) or check.is_function(value) end

local DAY = 86400

function check.is_seconds(value)
  return type(value) == "number" and value >= 0.001 and value <= DAY  -- false for NaN
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

--- A function that takes a table and returns a list of problems, each a line with its path: empty
--- where nothing is wrong. A row without a test is checked by somebody else.
---@param rows table[]
---@param what string "option" or "field"
---@param prefix string before each name
function check.new(rows, what, prefix)
  local names, row_of = index_of(rows)
  local function problem_of(name, value)
    local row = row_of[name]
    if not row then return unknown(what, name, names) end
    if row[2] and not row[2](value) then return "must be " .. row[3] end
  end
  return function(given)
    local problems = {}
    for name, value in pairs(given) do
      local problem = problem_of(name, value)
      if problem then problems[#problems + 1] = ("%s%s: %s"):format(prefix, name, problem) end
    end
    table.sort(problems)
    return problems
  end
end

return check
