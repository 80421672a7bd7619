--- A sandbox of the Cekura API inside the process: a server on a loopback port, in its own thread.
--- It keeps state as Cekura does, and injects faults by rules.
---
---     local sandbox = require "cekura.sandbox"
---     local server <close> = sandbox.start()
---     local client = cekura.new { api_url = server.url, api_key = server.api_key }

local fields = require "cekura.sandbox.fields"
local native = require "cekura.sandbox.server"
local options = require "cekura.sandbox.options"
local rules = require "cekura.sandbox.rules"

local sandbox = {}

--- A rule that could never apply, or that has no effect, is an error when it is set. A rule with
--- a body or a 2xx status may have a path that the API does not have: it then defines an endpoint.
---@class cekura.sandbox.Fault
---@field method string? only requests with this method, in capitals
---@field path string? only requests whose path, as on the wire, contains this text or Lua pattern
---@field times number? the number of requests that it applies to (default 1; math.huge: all)
---@field skip integer? the number of matching requests that it leaves alone first (default 0)
---@field status integer? 200 to 599: replaces the real response
---@field body string|table? replaces the real response; a table is sent as JSON
---@field drop boolean? closes the connection instead, after the request has been read
---@field applied boolean? with status, body or drop: the request takes effect first
---@field headers table<string, string>? added to the response, real or replaced
---@field delay number? seconds before the response, real or replaced; others are not delayed
---@field truncate integer? sends only so many bytes of the announced body, then closes

---@class cekura.sandbox.Options
---@field port integer? default 0: a free one
---@field api_key string? default "sandbox-key"
---@field evaluation_time number? seconds that an evaluation or an optimiser job takes (default 0.2)
---@field optimiser "improves"|"fails"|"asks"|nil how optimiser jobs end; "asks": with a question
---@field votes_feed_lab boolean? whether votes create test sets, too (default false)
---@field balance number? initial credits (default 10000)
---@field credits_per_evaluation number? for one metric on one run or call log (default 1)
---@field seed integer? the same seed makes the same data (default 1)
---@field faults cekura.sandbox.Fault[]? the first rule that matches a request applies to it
---@field rate_limit { per_second: number, retry_after: number? }? other requests get a 429
---@field record boolean|integer? how many requests are kept (default: the last 10000)
---@field log boolean? writes a line to stderr for each request
---@field now integer? epoch seconds; the data ends at the midnight (UTC) before (default: now)

---@class cekura.sandbox.Request
---@field method string
---@field path string as on the wire, percent-encoded
---@field query string as on the wire, without the question mark
---@field headers table<string, string> by lower-case name
---@field body string? nil if it was larger than 32 MiB
---@field connection integer the number of its TCP connection: 1, 2, …
---@field at number seconds since the sandbox started
---@field status integer? of the response; nil if the connection was closed instead

---@class cekura.sandbox.Server
---@field url string "http://127.0.0.1:PORT"
---@field port integer
---@field api_key string
---@field private native userdata
local Server = {}

--- Raises, at the line of the method's caller, unless the call is like `usage`.
local function check_call(self, usage, extra)
  if getmetatable(self) ~= Server then error("call it with a colon: server:" .. usage, 3) end
  if extra ~= nil then error("one argument too many: server:" .. usage, 3) end
end

--- Calls a method of the native server. Raises at the line of the method's caller.
local function call(self, what, ...)
  local ok, result = pcall(self.native[what], self.native, ...)
  if not ok then error(result, 3) end
  return result
end

local methods = {}

--- Returns the requests in order of arrival: the last ones, limited by the option `record`.
---@return cekura.sandbox.Request[]
function methods:requests(...)
  check_call(self, "requests()", ...)
  local requests = call(self, "control", "requests")
  return requests
end

--- Removes the recorded requests. State, faults and connections stay as they are.
function methods:clear(...)
  check_call(self, "clear()", ...)
  call(self, "control", "clear")
end

--- Returns the state as plain tables: runs, results, call_logs, metrics, test_sets, agents by id;
--- jobs and votes (lists, the last 10000); balance { initial, remaining, used }; faults (a list of
--- { times_applied }, one for each rule); connections (the number of accepted TCP connections).
--- With the name of a part, returns that part. With an id as well, a number or its digits, returns
--- that item or nil. The whole state is some megabytes to copy.
---
---     server:state("runs", 5544).is_reviewed
---@param part string?
---@param id integer|string|nil
---@return any
function methods:state(part, id, ...)
  check_call(self, "state(part, id)", ...)
  local state = call(self, "control", "state", part, id)
  if part == "connections" then return (call(self, "connections")) end
  if part == nil then state.connections = call(self, "connections") end
  return state
end

--- Ends the evaluations and optimiser jobs that are running. Nothing else ends them if the option
--- evaluation_time is math.huge.
function methods:finish_jobs(...)
  check_call(self, "finish_jobs()", ...)
  call(self, "control", "finish_jobs")
end

--- Replaces the fault rules; without an argument there are none. Raises if a rule is wrong.
---@param given cekura.sandbox.Fault[]?
function methods:faults(given, ...)
  check_call(self, "faults { rule, … }", ...)
  if given == nil then given = {} end
  local ok, list = pcall(rules.read, given, "faults")
  if not ok then error(list, 2) end
  call(self, "control", "faults", list)
end

--- Closes every connection and ends the thread. A second call is a no-op.
function methods:stop(...)
  check_call(self, "stop()", ...)
  self.native:stop()
end

local NAMES = { url = true, port = true, api_key = true }
for name in pairs(methods) do NAMES[name] = true end

function Server.__index(_, name)
  local method = methods[name]
  if method == nil then
    error(("the sandbox has no %q%s"):format(tostring(name), fields.suggestion(name, NAMES)), 2)
  end
  return method
end

function Server.__newindex(_, name)
  error(("the sandbox takes no %q: its options belong to sandbox.start"):format(tostring(name)), 2)
end

function Server:__close() self.native:stop() end

function Server:__tostring() return ("cekura.sandbox (%s)"):format(self.url) end

--- Returns a server, or nil and a problem.
local function start(given, extra)
  if extra ~= nil then return nil, "sandbox.start: one argument too many" end
  local ok, config = pcall(options.start, given)
  if not ok then return nil, "sandbox.start: " .. config end
  local started, server = pcall(native.start, config)
  if not started then return nil, "sandbox.start: " .. tostring(server) end
  local port = server:port()
  return setmetatable({
    native = server, port = port, url = "http://127.0.0.1:" .. port, api_key = config.api_key,
  }, Server)
end

--- Starts a sandbox and returns its server. Raises if an option is wrong or the port is in use.
--- Increases the process's soft limit of descriptors (`ulimit -S -n`) to the hard limit or 65,536,
--- because the sandbox and the client need one each for a connection.
---@param given cekura.sandbox.Options?
---@return cekura.sandbox.Server
function sandbox.start(given, ...)
  local server, problem = start(given, ...)
  if not server then error(problem, 2) end
  return server
end

local WELCOME = [[
A sandbox of the Cekura API is listening.

  export CEKURA_API_URL=%s
  export CEKURA_API_KEY=%s

Try a vote on run 5544, metric 55:

  curl -s "$CEKURA_API_URL/test_framework/v1/runs/5544/mark_metric_vote/" \
    -H "X-CEKURA-API-KEY: $CEKURA_API_KEY" -H "Content-Type: application/json" \
    -d '{"metric_id": 55, "thumbs_up": false, "expected_value": 2}'

and see the run with curl -s -H … "$CEKURA_API_URL/test_framework/v2/runs/5544/".
Ctrl-C ends it.
]]

--- Runs a sandbox in the foreground until SIGINT or SIGTERM arrives, then returns.
---@param given cekura.sandbox.Options?
---@param write fun(text: string)? writes the welcome; by default to stdout
function sandbox.serve(given, write)
  local server, problem
  local ok, failure = pcall(native.until_signal, function()
    server, problem = start(given)
    if not server then error(problem, 0) end
    local welcome = WELCOME:format(server.url, server.api_key)
    if write then return write(welcome) end
    io.stdout:write(welcome)
    io.stdout:flush()
  end)
  if not ok then error(failure, 2) end
  server:stop()
end

return sandbox
