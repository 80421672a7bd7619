--- The path of a request in the sandbox, from the bytes of the request to those of the response.
--- The server calls the two functions that `open` returns, one at a time (src/sandbox/app.h).

local ascii = require "cekura.internal.ascii"
local check = require "cekura.sandbox.check"
local Faults = require "cekura.sandbox.faults"
local json = require "cekura.sandbox.json"
local Ring = require "cekura.sandbox.ring"
local Routes = require "cekura.sandbox.routes"
local rows = require "cekura.sandbox.rows"
local Store = require "cekura.sandbox.store"
local snapshot = require "cekura.sandbox.snapshot"

local App = {}
App.__index = App

local EMPTY = {}

--- The header of a deprecated endpoint (RFC 9745): the date of the API document of version 2.
local DEPRECATION = "@1787270400" -- 2026-08-21

-- ---- the response ----

local function detail(status, text, ...)
  return status, { detail = text:format(...) }
end

function App:authenticate(headers)
  local key = headers["x-cekura-api-key"]
  if not key or key == "" then
    return detail(401, "Authentication credentials were not provided.")
  elseif key ~= self.config.api_key then
    return detail(401, "Invalid API key.")
  end
end

--- Limits the requests per second. A second begins with its first request.
function App:throttle(at)
  local limit = self.config.rate_limit
  if not limit then return nil end
  if at >= self.window + 1 then self.window, self.in_window = at, 0 end
  self.in_window = self.in_window + 1
  if self.in_window <= limit.per_second then return nil end
  local seconds = ("%d"):format(math.ceil(limit.retry_after))
  local text = ("Request was throttled. Expected available in %s seconds."):format(seconds)
  return 429, { detail = text }, { ["Retry-After"] = seconds }
end

local function unescape(text)
  text = text:gsub("+", " ")
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function parse_query(query)
  if query == "" then return EMPTY end
  local values = {}
  for name, value in query:gmatch "([^&=]+)=([^&]*)" do values[unescape(name)] = unescape(value) end
  return values
end

local HAS_NO_BODY = { GET = true, HEAD = true, DELETE = true }

--- Returns the JSON value of the body; or nil, a status and the response's body.
local function parse_body(request)
  if HAS_NO_BODY[request.method] then return EMPTY end
  if not request.body then return nil, detail(413, "The request is too large.") end
  local media_type = request.headers["content-type"] or ""
  if media_type:match "^%s*([^;%s]*)" ~= "application/json" then
    return nil, detail(415, 'Unsupported media type "%s" in request.', media_type)
  end
  local value, problem = json.decode(request.body)
  if problem then return nil, detail(400, "JSON parse error - %s", problem) end
  return value
end

--- Returns the endpoint and the parameter in its path; or nil, a status and the response's body.
function App:route(request)
  local endpoint, text = self.routes:find(request.method, request.path)
  if not endpoint then
    if text then return nil, detail(405, 'Method "%s" not allowed.', request.method) end
    return nil, detail(404, "Not found.")
  elseif not endpoint.handler then
    return nil, detail(501, "The sandbox does not serve this endpoint.")
  elseif text and endpoint.parameter_type == "integer" then
    local id = text:find "^%d+$" and math.tointeger(tonumber(text))
    if not id then return nil, detail(404, "Not found.") end
    return endpoint, id
  end
  return endpoint, text
end

--- Checks the arguments of a request and calls the endpoint's handler. Returns the status and the
--- value of the body (nil: none).
function App:call(endpoint, id, request)
  local body, status, problem = parse_body(request)
  if status then return status, problem end
  local args, problems = check.request(endpoint.row, parse_query(request.query), body)
  if not args then return 400, problems end
  if id then args[endpoint.parameter] = id end
  self.store:settle()
  return endpoint.handler(self.store, args, request, endpoint.version)
end

--- Returns the status, the value of the body (nil: none) and the headers (nil: none).
function App:respond(request, at)
  local status, value, headers = self:authenticate(request.headers)
  if not status then status, value, headers = self:throttle(at) end
  if status then return status, value, headers end
  local endpoint, id, problem = self:route(request)
  if not endpoint then return id, problem end
  status, value = self:call(endpoint, id, request)
  return status, value, endpoint.is_deprecated and { Deprecation = DEPRECATION } or nil
end

-- ---- faults ----

--- Sets a header and removes one whose name differs by case.
local function set_header(headers, name, value)
  for other in pairs(headers) do
    if other:lower() == name:lower() then headers[other] = nil end
  end
  headers[name] = value
end

--- Returns the status, the headers and the text of the response, after the rule (nil: none).
function App:respond_with(rule, request, at)
  local replaces = rule and Faults.replaces(rule)
  local status, value, headers
  if not replaces or rule.applied then status, value, headers = self:respond(request, at) end
  local text, media_type = "", nil
  if replaces then
    text, media_type = Faults.body(rule)
    status, headers = rule.status or 200, nil
  elseif value ~= nil then
    text, media_type = json.encode(value), "application/json"
  end
  headers = headers or {}
  headers["Content-Type"] = media_type
  for name, content in pairs(rule and rule.headers or EMPTY) do
    set_header(headers, name, content)
  end
  return status, headers, text
end

--- Returns how many bytes to send, nil for all. Warns once if a rule leaves nothing out.
local function cut(rule, text)
  local bytes = rule.truncate
  if not bytes or bytes < #text then return bytes end
  if not rule.has_warned then
    io.stderr:write(("cekura.sandbox: truncate = %d leaves out nothing of %d bytes\n"):format(
      bytes, #text))
  end
  rule.has_warned = true
  return nil
end

-- ---- the functions that the server calls ----

--- Writes a line to stderr. The key is replaced, also where a query has it percent-encoded.
function App:log(request, started)
  local line = ("%s %s %s %s ms\n"):format(request.method,
    request.query == "" and request.path or request.path .. "?" .. request.query,
    request.status or "dropped", ascii.format("%.1f", (self.clock() - started) * 1000))
  local key = self.config.api_key
  local encoded = key:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end)
  for _, written in ipairs { key, encoded } do
    line = line:gsub(written:gsub("%p", "%%%0"), "…")
  end
  io.stderr:write(line)
end

--- Handles a request. Returns the status, the headers, the body, the delay in seconds, whether to
--- close the connection instead, and how many bytes of the body to send: nil for the usual.
function App:handle(method, target, headers, body, connection)
  local now = self.clock()
  local path, query = target:match "^([^?]*)%??(.*)$"
  local request = { method = method, path = path, query = query, headers = headers, body = body,
    connection = connection, at = now - self.started }
  self.requests:add(request)
  local rule = self.faults:take(method, path)
  local status, response_headers, text = self:respond_with(rule, request, request.at)
  if not (rule and rule.drop) then request.status = status end
  if self.config.log then self:log(request, now) end
  if not rule then return status, response_headers, text end
  return status, response_headers, text, rule.delay, rule.drop, cut(rule, text)
end

--- The functions that the host calls by name with control(name, …).
local CONTROL = {}

function CONTROL.requests(app) return app.requests:list() end

function CONTROL.clear(app) app.requests:clear() end

function CONTROL.faults(app, rules) app.faults = Faults.new(rules) end

function CONTROL.state(app, part, id)
  app.store:settle()
  return snapshot.of(app.store, app.faults, part, id)
end

function CONTROL.finish_jobs(app) app.store:finish_jobs() end

--- Returns the functions handle and control.
---@param config table options.lua's, complete
---@param clock fun(): number seconds of a monotonic clock
function App.open(config, clock)
  local app = setmetatable({
    config = config, clock = clock, started = clock(), window = -math.huge, in_window = 0,
    store = Store.new(config, clock), routes = Routes.new(rows),
    requests = Ring.new(config.record), faults = Faults.new(config.faults),
  }, App)
  local function handle(...) return app:handle(...) end
  local function control(what, ...) return CONTROL[what](app, ...) end
  return handle, control
end

return App
