--- The options of sandbox.start, and the fields of a fault: a row each, read by one function.

local json = require "cekura.sandbox.json"

local options = {}

--- The types that a row can name: a test, and what the message calls it.
local TYPES = {
  boolean = { function(v) return type(v) == "boolean" end, "a boolean" },
  string = { function(v) return type(v) == "string" end, "a string" },
  number = { function(v) return type(v) == "number" and v == v end, "a number" },
  integer = { function(v) return math.type(v) == "integer" end, "an integer" },
  table = { function(v) return type(v) == "table" end, "a table" },
  key = { function(v) return type(v) == "string" and v:find "^[\33-\126]+$" ~= nil end,
    "a string of visible ASCII characters" },
  pattern = { function(v) return type(v) == "string" and pcall(string.find, "", v) end,
    "a Lua pattern" },
  body = { function(v) return type(v) == "string" or type(v) == "table" end,
    "a string or a table" },
  cap = { function(v) return type(v) == "boolean" or math.type(v) == "integer" and v >= 0 end,
    "a boolean or how many requests to keep" },
  optimiser = { function(v) return v == "improves" or v == "fails" or v == "asks" end,
    '"improves", "fails" or "asks"' },
  times = { function(v) return v == math.huge or math.type(v) == "integer" and v >= 0 end,
    "an integer or math.huge" },
}

local START = {
  port = { type = "integer", min = 0, max = 65535, default = 0 },
  api_key = { type = "key", default = "sandbox-key" },
  evaluation_time = { type = "number", min = 0, default = 0.2 },
  balance = { type = "number", min = 0, default = 10000 },
  credits_per_evaluation = { type = "number", min = 0, default = 1 },
  seed = { type = "integer", default = 1 },
  faults = { type = "table", default = {} },
  optimiser = { type = "optimiser", default = "improves" },
  rate_limit = { type = "table" },
  record = { type = "cap", default = true },
  log = { type = "boolean", default = false },
  now = { type = "integer", min = 0 },
}

local RATE_LIMIT = {
  per_second = { type = "number", min = 0, required = true },
  retry_after = { type = "number", min = 0, default = 1 },
}

local FAULT = {
  method = { type = "string" },
  path = { type = "pattern" },
  times = { type = "times", default = 1 },
  skip = { type = "integer", min = 0, default = 0 },
  status = { type = "integer", min = 200, max = 599 },
  headers = { type = "table" },
  body = { type = "body" },
  delay = { type = "number", min = 0, max = 86400 },
  drop = { type = "boolean" },
  truncate = { type = "integer", min = 0 },
  applied = { type = "boolean" },
}

--- How many requests are kept where nobody says.
local DEFAULT_RECORD = 10000

--- How many letters have to be changed, added or left out to get from `a` to `b`.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal
    diagonal, row[0] = row[0], i
    for j = 1, #b do
      local change = diagonal + (a:byte(i) == b:byte(j) and 0 or 1)
      diagonal, row[j] = row[j], math.min(change, row[j] + 1, row[j - 1] + 1)
    end
  end
  return row[#b]
end

--- `, did you mean "…"?` where a known name is near, else nothing.
local function suggestion(name, rows)
  local nearest, least = nil, 3
  for known in pairs(rows) do
    local d = distance(tostring(name), known)
    if d < least or d == least and nearest and known < nearest then nearest, least = known, d end
  end
  return nearest and (', did you mean "%s"?'):format(nearest) or ""
end

--- What is wrong with a value, or nil.
local function problem_with(value, row)
  local fits, name = table.unpack(TYPES[row.type])
  if not fits(value) then
    return ("%s expected, got %s"):format(name, type(value) == "number" and value or type(value))
  elseif row.min and value < row.min then
    return ("at least %d expected, got %s"):format(row.min, value)
  elseif row.max and value > row.max then
    return ("at most %d expected, got %s"):format(row.max, value)
  end
end

--- A complete copy of `given`; raises where something is wrong, naming `where`.
local function read(given, rows, where)
  if type(given) ~= "table" then error(where .. ": a table expected, got " .. type(given), 0) end
  local values = {}
  for name in pairs(given) do
    if not rows[name] then
      error(("%s: unknown field %q%s"):format(where, tostring(name), suggestion(name, rows)), 0)
    end
  end
  for name, row in pairs(rows) do
    local value = given[name]
    if value == nil then value = row.default end
    if value == nil and row.required then error(("%s.%s is required"):format(where, name), 0) end
    local problem = value ~= nil and problem_with(value, row)
    if problem then error(("%s.%s: %s"):format(where, name, problem), 0) end
    values[name] = value
  end
  return values
end

--- Header names and values that can be sent as they are.
local function check_headers(headers, where)
  for name, value in pairs(headers) do
    if type(name) ~= "string" or not name:find "^[%w!#$&'*+.^_`|~-]+$" then
      error(("%s.headers: %q is no header name"):format(where, tostring(name)), 0)
    elseif type(value) ~= "string" and math.type(value) ~= "integer" then
      error(("%s.headers.%s: a string expected, got %s"):format(where, name, type(value)), 0)
    elseif tostring(value):find "[%c]" then
      error(("%s.headers.%s: control characters cannot be sent"):format(where, name), 0)
    end
  end
end

--- The rules of `faults`, complete, each body as the text that is sent.
---@param faults table[]
---@param where string what an error message calls it
---@return table[]
function options.faults(faults, where)
  local rules = {}
  if type(faults) ~= "table" or #faults == 0 and next(faults) ~= nil then
    error(where .. ": a list of rules expected", 0)
  end
  for i, given in ipairs(faults) do
    local here = ("%s[%d]"):format(where, i)
    local rule = read(given, FAULT, here)
    if rule.headers then check_headers(rule.headers, here) end
    if type(rule.body) == "table" then rule.body = json.encode(rule.body) end
    rules[i] = rule
  end
  return rules
end

--- The options of sandbox.start, complete and ready to cross to the server's state.
---@param given table?
---@return table
function options.start(given)
  local config = read(given or {}, START, "options")
  config.faults = options.faults(config.faults, "options.faults")
  if config.rate_limit then
    config.rate_limit = read(config.rate_limit, RATE_LIMIT, "options.rate_limit")
  end
  config.now = config.now or os.time()
  if config.record == true then config.record = DEFAULT_RECORD end
  config.record = config.record or 0
  return config
end

return options
