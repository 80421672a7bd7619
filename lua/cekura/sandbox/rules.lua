--- The rules of `faults`, checked when they are set: a rule that can never apply, or that cannot be
--- sent, would let a test pass that tests nothing.

local catalogue = require "cekura.sandbox.catalogue"
local core = require "cekura.core"
local Faults = require "cekura.sandbox.faults"
local fields = require "cekura.sandbox.fields"
local json = require "cekura.sandbox.json"
local pattern = require "cekura.sandbox.pattern"

local rules = {}

local FAULT = {
  method = { type = "string" },
  path = { type = "string" },
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

local METHODS =
  { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true, HEAD = true, OPTIONS = true }

--- Raises an error about a field of the rule that `here` names.
local function refuse(here, field, text, ...)
  error(("%s.%s: %s"):format(here, field, text:format(...)), 0)
end

-- ---- what a rule does ----

local function adds_to_answer(rule)
  return rule.delay or rule.truncate or next(rule.headers or {})
end

local function check_effect(rule, here)
  local replaces = Faults.replaces(rule)
  local changes = replaces or adds_to_answer(rule)
  if rule.applied and not changes or rule.applied == false and not replaces then
    refuse(here, "applied", "this needs status, body or drop beside it")
  elseif not changes then
    error(here .. ": this changes nothing: status, body, drop, delay, headers or truncate expected",
      0)
  end
  for _, field in ipairs { "status", "headers", "body", "truncate" } do
    if rule.drop and rule[field] ~= nil then
      refuse(here, field, "this is never sent, because drop closes the connection")
    end
  end
end

local problem_in_json -- function(value, depth): what JSON cannot hold of a value, or nil

--- The same for a table: one with a value at 1 is a list.
local function problem_in_table(value, depth)
  if depth == 0 then return "a table that contains itself, or is nested too deeply" end
  local is_list, count = json.is_array(value), 0
  for key, item in pairs(value) do
    count = count + 1
    if math.type(key) == "integer" ~= is_list or not is_list and type(key) ~= "string" then
      return ("the key %s beside others, or a list with holes"):format(tostring(key))
    end
    local problem = problem_in_json(item, depth - 1)
    if problem then return problem end
  end
  for i = 1, is_list and count or 0 do
    if value[i] == nil then return "a list with holes" end
  end
end

function problem_in_json(value, depth)
  local kind = type(value)
  if kind == "table" then return problem_in_table(value, depth) end
  if kind == "number" and (value ~= value or math.abs(value) == math.huge) then
    return tostring(value)
  end
  local is_known = kind == "string" or kind == "boolean" or kind == "number" or value == json.null
  return not is_known and "a " .. kind or nil
end

--- The text of a body; a table becomes JSON.
local function body_text(body, here)
  if type(body) ~= "table" then return body end
  local problem = problem_in_json(body, 60)
  if problem then refuse(here, "body", "JSON cannot hold %s", problem) end
  return json.encode(body)
end

local function check_body(rule, here)
  local has_none = rule.status == 204 or rule.status == 304
  if has_none and (rule.body or "") ~= "" then
    refuse(here, "body", "an answer with status %d has none", rule.status)
  end
  if not (rule.truncate and Faults.replaces(rule)) then return end
  local size = #Faults.body(rule)
  if rule.truncate >= size then
    refuse(here, "truncate", "%d leaves out nothing of a body of %d bytes", rule.truncate, size)
  end
end

-- ---- headers ----

local function lower(text)
  return (text:gsub("[A-Z]", function(char) return string.char(char:byte() + 32) end))
end

--- Headers by which the sandbox says how its answer ends.
local FRAMING = {
  ["content-length"] = true, ["transfer-encoding"] = true, connection = true,
  ["keep-alive"] = true, upgrade = true, trailer = true,
}

local MAX_HEADERS = 16 * 1024 -- bytes, with all names and values

local function problem_with_value(value)
  if type(value) ~= "string" then
    return "a string expected, got " .. type(value)
  elseif value:find "[\0-\31\127]" then
    return "control characters cannot be sent"
  elseif not value:find "[^ ]" then
    return "a text that is not empty expected"
  end
end

--- The headers as they are sent: strings, with names that differ by more than case.
local function read_headers(headers, here)
  local texts, seen, size = {}, {}, 0
  for name, value in pairs(headers) do
    if type(name) ~= "string" or not name:find "^[A-Za-z0-9!#$&'*+.^_`|~-]+$" then
      error(("%s.headers: %q is not a header name"):format(here, tostring(name)), 0)
    elseif FRAMING[lower(name)] then
      refuse(here, "headers." .. name, "the sandbox sets this itself; see truncate and drop")
    elseif seen[lower(name)] then
      refuse(here, "headers." .. name, "this is there twice")
    end
    seen[lower(name)] = true
    local whole = type(value) == "number" and math.tointeger(value)
    texts[name] = whole and ("%d"):format(whole) or value
    local problem = problem_with_value(texts[name])
    if problem then refuse(here, "headers." .. name, "%s", problem) end
    size = size + #name + #texts[name]
  end
  if size > MAX_HEADERS then
    refuse(here, "headers", "at most %d bytes expected, got %d", MAX_HEADERS, size)
  end
  return texts
end

-- ---- which requests a rule fits ----

--- What a path says if it is read as a text; nil for a pattern with classes, sets and so on.
local function literal(path)
  if path:gsub("%%[^A-Za-z0-9]", ""):find "[%%*+?%[%]()]" then return nil end
  return (path:gsub("^%^", ""):gsub("%$$", ""):gsub("%%([^A-Za-z0-9])", "%1"))
end

--- The segments of the API's paths that are not ids: as keys, and in order.
local function known_segments()
  local known, names = {}, {}
  for _, row in ipairs(core.endpoints) do
    for segment in row.path:gsub("{[^}]*}", ""):gmatch "[^/]+" do
      if not known[segment] then names[#names + 1] = segment end
      known[segment] = true
    end
  end
  table.sort(names)
  return known, names
end

--- Whether a segment of a rule's path can be the id in an endpoint's path.
local function can_be_id(segment, row, text)
  if segment:find "^[0-9.]+$" then return true end
  for _, field in ipairs(row.fields) do
    if field.place == "path" and field.type == "integer" then return false end
  end
  local resource = row.path:match "([^/]+)/{"
  return resource ~= nil and (text:find(resource .. "/" .. segment, 1, true) ~= nil
    or catalogue.has_slug(segment))
end

--- The methods of the endpoints that a rule's path fits, with each of its segments as an id.
local function methods_for(path, text)
  local methods = {}
  for _, row in ipairs(core.endpoints) do
    for id in (text .. "/5544"):gmatch "[^/]+" do
      local instance = row.path:gsub("{[^}]*}", (id:gsub("%%", "%%%%")))
      if can_be_id(id, row, text) and Faults.fits_path(path, instance) then
        methods[row.method] = true
      end
    end
  end
  return methods
end

--- The first segment that is nearly one of the API's, or a part of one, and which.
local function mistyped(text)
  local known, names = known_segments()
  for segment in text:gmatch "[^/]+" do
    if not known[segment] and #segment > 2 and segment:find "[^0-9]" then
      local suggestion = fields.suggestion(segment, known)
      if suggestion ~= "" then return segment, suggestion end
      for _, name in ipairs(names) do
        if name:find(segment, 1, true) then
          return segment, (', did you mean "%s"?'):format(name)
        end
      end
    end
  end
end

--- Whether the rule answers for an endpoint that the sandbox need not know.
local function is_whole_answer(rule)
  return rule.body ~= nil or rule.status ~= nil and rule.status < 300
end

--- Methods that the API has; client:request can send others.
local OF_API = { GET = true, POST = true, PATCH = true }

local function check_endpoint(rule, text, here)
  local methods = methods_for(rule.path, text)
  if not next(methods) then
    local segment, suggestion = mistyped(text)
    if segment then
      refuse(here, "path", "no endpoint has %q in its path%s", segment, suggestion)
    elseif not is_whole_answer(rule) then
      refuse(here, "path", "no endpoint has this path: %q (with a body, the rule answers for one)",
        rule.path)
    end
  elseif OF_API[rule.method] and not methods[rule.method] and not is_whole_answer(rule) then
    refuse(here, "method", "no endpoint with this path takes %s, but %s does", rule.method,
      (next(methods)))
  end
end

local function check_path(rule, here)
  local path = rule.path
  if path:find("://", 1, true) then
    refuse(here, "path", "a path expected, without scheme and host")
  elseif path:find "%?[A-Za-z_]+=" then
    refuse(here, "path", "a path expected, without the query")
  elseif path:find "{[A-Za-z_]*}" then
    refuse(here, "path", "an id or the pattern %%d+ expected instead of %s", path:match "{.-}")
  elseif #path > 200 then
    refuse(here, "path", "at most 200 bytes expected, got %d", #path)
  end
  local problem = pattern.problem_with(Faults.pattern_of(path))
  if problem then refuse(here, "path", "a Lua pattern expected, but %s", problem) end
  local text = literal(path)
  if text then check_endpoint(rule, text, here) end
end

local function check_method(rule, here)
  if METHODS[rule.method] then return end
  local upper = rule.method:gsub("[a-z]", function(char) return string.char(char:byte() - 32) end)
  refuse(here, "method", "unknown method %q%s", rule.method, fields.suggestion(upper, METHODS))
end

-- ---- the list ----

local function read_rule(given, here)
  local rule = fields.read(given, FAULT, here)
  if rule.method then check_method(rule, here) end
  if rule.path then check_path(rule, here) end
  if rule.headers then rule.headers = read_headers(rule.headers, here) end
  rule.body = body_text(rule.body, here)
  check_effect(rule, here)
  check_body(rule, here)
  return rule
end

--- Whether `earlier` takes every request that `later` fits.
local function takes_all_of(earlier, later)
  return earlier.times == math.huge and earlier.skip == 0
    and (not earlier.method or earlier.method == later.method)
    and (not earlier.path or earlier.path == later.path)
end

local function check_order(list, where)
  for i, later in ipairs(list) do
    for j = 1, i - 1 do
      if takes_all_of(list[j], later) then
        error(("%s[%d]: this can never apply, because %s[%d] applies to all its requests"):format(
          where, i, where, j), 0)
      end
    end
  end
end

local function is_list(faults)
  local count = 0
  for _ in pairs(faults) do count = count + 1 end
  for i = 1, count do
    if faults[i] == nil then return false end
  end
  return true
end

--- The rules of `faults`, complete, each body as the text that is sent. Raises an error that names
--- the rule and the field.
---@param faults any
---@param where string what an error message calls it
---@return table[]
function rules.read(faults, where)
  if type(faults) ~= "table" or not is_list(faults) then
    local hint = type(faults) == "table" and faults[1] == nil and next(faults) ~= nil
      and ", such as { { status = 503 } }" or " without holes or other keys"
    error(where .. ": a list of rules expected" .. hint, 0)
  end
  local list = {}
  for i, given in ipairs(faults) do list[i] = read_rule(given, ("%s[%d]"):format(where, i)) end
  check_order(list, where)
  return list
end

return rules
