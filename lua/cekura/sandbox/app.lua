--- The sandbox's side of a request: from what came over the wire to what goes back. Runs in the
--- lua_State of the server (src/sandbox/app.h), which calls the two functions that `open`
--- returns, one at a time.

local ascii = require "cekura.internal.ascii"
local check = require "cekura.sandbox.check"
local Faults = require "cekura.sandbox.faults"
local json = require "cekura.sandbox.json"
local Ring = require "cekura.sandbox.ring"
local Routes = require "cekura.sandbox.routes"
local Store = require "cekura.sandbox.store"
local snapshot = require "cekura.sandbox.snapshot"

local App = {}
App.__index = App

local EMPTY = {}

-- ---- what every request goes through ----

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

--- At most so many requests in each second, counted from the first.
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

local READS_NO_BODY = { GET = true, HEAD = true, DELETE = true }

--- The JSON value of the body; nil, and a status with the body of an answer, where it is none.
local function parse_body(request)
  if READS_NO_BODY[request.method] then return EMPTY end
  if not request.body then return nil, detail(413, "The request is too large.") end
  local media_type = request.headers["content-type"] or ""
  if media_type:match "^%s*([^;%s]*)" ~= "application/json" then
    return nil, detail(415, 'Unsupported media type "%s" in request.', media_type)
  end
  local value, problem = json.decode(request.body)
  if problem then return nil, detail(400, "JSON parse error - %s", problem) end
  return value
end

--- What stands in the path, as the endpoint wants it; nil for an id that is none.
local function path_argument(endpoint, text)
  if endpoint.parameter_type ~= "integer" then return text end
  return text:find "^%d+$" and math.tointeger(tonumber(text))
end

--- The real answer: status, the value of the body (nil for none), headers (nil for none).
function App:answer(request, at)
  local status, value, headers = self:authenticate(request.headers)
  if not status then status, value, headers = self:throttle(at) end
  if status then return status, value, headers end
  local endpoint, text = self.routes:find(request.method, request.path)
  if not endpoint then
    if text then return detail(405, 'Method "%s" not allowed.', request.method) end
    return detail(404, "Not found.")
  elseif not endpoint.handler then
    return detail(501, "The sandbox does not serve this endpoint.")
  end
  local id = text and path_argument(endpoint, text)
  if text and not id then return detail(404, "Not found.") end
  local body
  body, status, value = parse_body(request)
  if status then return status, value end
  local args, problems = check.request(endpoint.row, parse_query(request.query), body)
  if not args then return 400, problems end
  if id then args[endpoint.parameter] = id end
  self.store:settle()
  return endpoint.handler(self.store, args, request)
end

-- ---- faults ----

local JSON_TYPE = "application/json"

--- Status, headers and text of the real answer.
function App:real_answer(request, at)
  local status, value, headers = self:answer(request, at)
  if value == nil then return status, headers or {}, "" end
  headers = headers or {}
  headers["Content-Type"] = JSON_TYPE
  return status, headers, json.encode(value)
end

--- Sets a header in place of one whose name differs by case.
local function set_header(headers, name, value)
  for other in pairs(headers) do
    if other:lower() == name:lower() then headers[other] = nil end
  end
  headers[name] = value
end

--- Status, headers and text of the answer, with the rule applied if there is one.
function App:answer_with(rule, request, at)
  if not rule then return self:real_answer(request, at) end
  local replaces = Faults.replaces(rule)
  local status, headers, text
  if not replaces or rule.applied then status, headers, text = self:real_answer(request, at) end
  if replaces then
    local media_type
    text, media_type = Faults.body(rule)
    status, headers = rule.status or 200, { ["Content-Type"] = media_type }
  end
  for name, content in pairs(rule.headers or EMPTY) do set_header(headers, name, content) end
  return status, headers, text
end

--- How many bytes to send; nil for all of them. Says so, once, if a rule leaves nothing out.
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

-- ---- what the server calls ----

-- Percent-encoded, as a client writes it in a query.
local function in_address(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

function App:log(request, started)
  local line = ("%s %s %s %s ms\n"):format(request.method,
    request.query == "" and request.path or request.path .. "?" .. request.query,
    request.status or "dropped", ascii.format("%.1f", (self.clock() - started) * 1000))
  local key = self.config.api_key
  for _, written in ipairs { key, in_address(key) } do
    line = line:gsub(written:gsub("%p", "%%%0"), "…")
  end
  io.stderr:write(line)
end

--- One request. Returns status, headers, body, delay in seconds, whether to close the connection
--- instead, and how many bytes of the body to send: nil for what is as usual.
function App:handle(method, target, headers, body, connection)
  local now = self.clock()
  local path, query = target:match "^([^?]*)%??(.*)$"
  local request = { method = method, path = path, query = query, headers = headers, body = body,
    connection = connection, at = now - self.started }
  self.requests:add(request)
  local rule = self.faults:take(method, path)
  local status, answer_headers, text = self:answer_with(rule, request, request.at)
  if not (rule and rule.drop) then request.status = status end
  if self.config.log then self:log(request, now) end
  if not rule then return status, answer_headers, text end
  return status, answer_headers, text, rule.delay, rule.drop, cut(rule, text)
end

--- What the host asks for: control(what, …).
local CONTROL = {}

function CONTROL.requests(app) return app.requests:list() end

function CONTROL.clear(app) app.requests:clear() end

function CONTROL.faults(app, rules) app.faults = Faults.new(rules) end

function CONTROL.state(app, part, id)
  app.store:settle()
  return snapshot.of(app.store, app.faults, part, id)
end

--- The two functions that the server calls.
---@param config table options.lua's, complete
---@param clock fun(): number seconds of a monotonic clock
function App.open(config, clock)
  local core = require "cekura.core"
  local app = setmetatable({
    config = config, clock = clock, started = clock(), window = -math.huge, in_window = 0,
    store = Store.new(config, clock), routes = Routes.new(core.endpoints),
    requests = Ring.new(config.record), faults = Faults.new(config.faults),
  }, App)
  local function handle(...) return app:handle(...) end
  local function control(what, ...) return CONTROL[what](app, ...) end
  return handle, control
end

return App
