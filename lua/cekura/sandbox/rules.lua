--- Checks the rules of `faults` when they are set: a rule that can never apply would let a test
--- pass that tests nothing, and a rule that cannot be sent would end as a 500.

local ascii = require "cekura.internal.ascii"
local check = require "cekura.internal.check"
local Faults = require "cekura.sandbox.faults"
local fields = require "cekura.sandbox.fields"
local json = require "cekura.sandbox.json"
local rows = require "cekura.sandbox.rows"

local rules = {}

local function is_times(value)
  return value == math.huge or type(value) == "number" and math.tointeger(value) and value >= 0
end

local function is_body(value) return type(value) == "string" or type(value) == "table" end

local FAULT = {
  { "method", "string" },
  { "path", "string" },
  { "times", is_times, wanted = "a whole number from 0 or math.huge", default = 1 },
  { "skip", "integer", 0, default = 0 },
  { "status", "integer", 200, 599 },
  { "headers", "table" },
  { "body", is_body, wanted = "a string or a table" },
  { "delay", "number", 0, 86400 },
  { "drop", "boolean" },
  { "truncate", "integer", 0 },
  { "applied", "boolean" },
}

--- The methods that client:request sends; true if the API has endpoints with the method.
local METHODS = { GET = true, POST = true, PATCH = true,
  PUT = false, DELETE = false, HEAD = false, OPTIONS = false }

--- Raises an error about a field of the rule that `here` names.
local function refuse(here, field, text, ...)
  error(("%s.%s: %s"):format(here, field, text:format(...)), 0)
end

-- ---- the response of a rule ----

local function check_effect(rule, here)
  local replaces = Faults.replaces(rule)
  local changes = replaces or rule.delay or rule.truncate or next(rule.headers or {})
  if rule.applied and not changes or rule.applied == false and not replaces then
    refuse(here, "applied", "needs status, body or drop beside it")
  elseif not changes then
    error(here .. ": changes nothing: status, body, drop, delay, headers or truncate expected", 0)
  end
end

--- Raises if a part of the response would not reach the client.
local function check_sent(rule, here)
  for _, field in ipairs { "status", "headers", "body", "truncate" } do
    if rule.drop and rule[field] ~= nil then
      refuse(here, field, "is never sent, because drop closes the connection")
    end
  end
  local has_body = rule.status ~= 204 and rule.status ~= 304
  if not has_body and (rule.body or "") ~= "" then
    refuse(here, "body", "a response with status %d has none", rule.status)
  end
  local size = rule.truncate and Faults.replaces(rule) and #Faults.body(rule)
  if size and rule.truncate >= size then
    refuse(here, "truncate", "%d leaves out nothing of a body of %d bytes", rule.truncate, size)
  end
end

local problem_in_json -- function(value, depth): the part of a value that JSON lacks, or nil

--- Returns the same for a table. A table with a value at 1 is a list.
local function problem_in_table(table, depth)
  if depth == 0 then return "a table that contains itself, or is nested too deeply" end
  local is_list = json.is_array(table)
  for key, value in pairs(table) do
    if math.type(key) == "integer" ~= is_list or not is_list and type(key) ~= "string" then
      return ("the key %s beside others, or a list with holes"):format(tostring(key))
    end
    if not is_list and not utf8.len(key) then return "a key that is not UTF-8" end
    local problem = problem_in_json(value, depth - 1)
    if problem then return problem end
  end
  return is_list and check.list_problem(table) and "a list with holes"
end

function problem_in_json(value, depth)
  local kind = type(value)
  if kind == "table" then return problem_in_table(value, depth) end
  if kind == "number" and value - value ~= 0 then return tostring(value) end -- not finite
  if kind == "string" and not utf8.len(value) then return "a string that is not UTF-8" end
  local is_known = kind == "string" or kind == "boolean" or kind == "number" or value == json.null
  return not is_known and "a " .. kind
end

--- The text of a body; a table becomes JSON.
local function body_text(body, here)
  if type(body) ~= "table" then return body end
  local problem = problem_in_json(body, 60)
  if problem then refuse(here, "body", "JSON cannot hold %s", problem) end
  return json.encode(body)
end

--- The headers that delimit a response: the sandbox sets them.
local FRAMING = {
  ["content-length"] = true, ["transfer-encoding"] = true, connection = true,
  ["keep-alive"] = true, upgrade = true, trailer = true,
}

local MAX_HEADERS = 16 * 1024 -- bytes of all names and values

--- Returns a header's value as it is sent, or nil and a problem.
local function header_text(value)
  if math.type(value) and math.tointeger(value) then return ("%d"):format(value) end
  if type(value) ~= "string" then
    return nil, "must be a string, got " .. type(value)
  elseif value:find "[\0-\31\127]" then
    return nil, "control characters cannot be sent"
  elseif not value:find "[^ ]" then
    return nil, "must not be empty"
  end
  return value
end

--- Returns the headers as strings. Raises if two names differ only by case.
local function read_headers(headers, here)
  local texts, seen, size = {}, {}, 0
  for name, value in pairs(headers) do
    if type(name) ~= "string" or not name:find "^[A-Za-z0-9!#$&'*+.^_`|~-]+$" then
      error(("%s.headers: %q is not a header name"):format(here, tostring(name)), 0)
    end
    local lower, text, problem = ascii.lower(name), header_text(value)
    if FRAMING[lower] then problem = "the sandbox sets this itself; see truncate and drop" end
    if seen[lower] then problem = "is there twice" end
    if problem then refuse(here, "headers." .. name, "%s", problem) end
    texts[name], seen[lower], size = text, true, size + #name + #text
  end
  if size > MAX_HEADERS then
    refuse(here, "headers", "must have at most %d bytes, got %d", MAX_HEADERS, size)
  end
  return texts
end

-- ---- the requests that a rule matches ----

--- Returns the methods, as keys, of the endpoints that a rule's path matches.
local function methods_of(rule_path)
  local methods, path = {}, rule_path:gsub("[^/]+", function(segment)
    return segment:find "^[0-9][0-9.]*$" and "{}" or nil
  end)
  for _, row in ipairs(rows) do
    local is_match = Faults.fits_path(path, (row.path:gsub("{[^}]*}", "{}")))
    methods[row.method] = is_match or methods[row.method]
  end
  return methods
end

--- Returns the first segment that is similar to a segment of the API's paths, or part of one, and
--- the API's segment.
local function mistyped(path)
  local known, names = {}, {}
  for _, row in ipairs(rows) do
    for name in row.path:gsub("{[^}]*}", ""):gmatch "[^/]+" do
      known[name], names[#names + 1] = true, name
    end
  end
  for segment in path:gsub("^%^", ""):gsub("%$$", ""):gsub("%%(%p)", "%1"):gmatch "[^/]+" do
    if not known[segment] and #segment > 2 and segment:find "[^0-9]" then
      local near = fields.nearest(segment, known)
      for _, name in ipairs(names) do near = near or name:find(segment, 1, true) and name end
      if near then return segment, near end
    end
  end
end

--- Raises if no request to the API can match the rule. A rule with a body or a 2xx status may
--- define an endpoint for client:request; any other rule needs an endpoint of the API.
local function check_endpoint(rule, here)
  local methods = methods_of(rule.path)
  local makes_up = rule.body ~= nil or rule.status ~= nil and rule.status < 300
  if not next(methods) then
    local segment, near = mistyped(rule.path)
    if near then
      refuse(here, "path", "no endpoint has %q in its path, did you mean %q?", segment, near)
    elseif not makes_up then
      refuse(here, "path", "no endpoint has this path: %q (add a body to make one up)", rule.path)
    end
  elseif METHODS[rule.method] and not methods[rule.method] and not makes_up then
    refuse(here, "method", "no endpoint with this path takes %s, but %s does", rule.method,
      (next(methods)))
  end
end

--- Returns whether the pattern is malformed. string.find notices it only if a match gets as far as
--- the mistake, so brackets are counted, too.
local function is_malformed(pattern)
  if not pattern:find "[%^$*+?.(%[%%-]" then return false end -- plain text
  local rest = pattern:gsub("%%%%", "a"):gsub("%%b..", "a")
  if rest:find "%%b" or (rest .. "/"):find "%%f[^%[]" then return true end
  if rest:find "%%%d" and not rest:find("(", 1, true) then return true end
  rest = rest:gsub("%%.", "a"):gsub("%[%^?.[^%]]*%]", "a"):gsub("%b()", "")
  if rest:find "[%%%[()]" then return true end
  for _, row in ipairs(rows) do
    if not pcall(string.find, row.path, pattern) then return true end
  end
  return false
end

local function check_path(rule, here)
  local path = rule.path
  if path:find("://", 1, true) then
    refuse(here, "path", "must be a path without scheme and host")
  elseif path:find "%?[A-Za-z_]+=" then
    refuse(here, "path", "must be a path without the query")
  elseif path:find "{[A-Za-z_]*}" then
    refuse(here, "path", "must have an id or the pattern %%d+ instead of %s", path:match "{.-}")
  elseif #path > 200 then
    refuse(here, "path", "must have at most 200 bytes, got %d", #path)
  end
  if is_malformed(Faults.pattern_of(path)) then
    refuse(here, "path", "must be a Lua pattern, got %q", path)
  end
  local has_quantifiers = path:gsub("%%[^A-Za-z0-9]", ""):find "[%%*+?%[%]()]"
  if not has_quantifiers then check_endpoint(rule, here) end
end

-- ---- the list ----

local function read_rule(given, here)
  local rule = fields.read(given, FAULT, here)
  if rule.method and METHODS[rule.method] == nil then
    refuse(here, "method", "unknown method %q%s", rule.method,
      fields.suggestion(rule.method:upper(), METHODS))
  end
  if rule.path then check_path(rule, here) end
  if rule.headers then rule.headers = read_headers(rule.headers, here) end
  rule.body = body_text(rule.body, here)
  check_effect(rule, here)
  check_sent(rule, here)
  return rule
end

--- Returns whether `earlier` applies to every request that `later` matches.
local function covers(earlier, later)
  return earlier.times == math.huge and earlier.skip == 0
    and (not earlier.method or earlier.method == later.method)
    and (not earlier.path or earlier.path == later.path)
end

--- Returns the complete rules, each body as the text that is sent. Raises an error that names the
--- rule and the field.
---@param faults any
---@param where string what an error message calls it
---@return table[]
function rules.read(faults, where)
  local problem = type(faults) ~= "table" and "must be a list, got " .. type(faults)
    or check.list_problem(faults)
  if problem then error(("%s: %s, such as { { status = 503 } }"):format(where, problem), 0) end
  local list = {}
  for i, given in ipairs(faults) do
    list[i] = read_rule(given, ("%s[%d]"):format(where, i))
    for j = 1, i - 1 do
      if covers(list[j], list[i]) then
        error(("%s[%d]: can never apply, because %s[%d] applies to all its requests"):format(
          where, i, where, j), 0)
      end
    end
  end
  return list
end

return rules
