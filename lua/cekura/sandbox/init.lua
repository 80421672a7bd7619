--- A stand-in for the Cekura API inside the process: a server on a loopback port, in a thread of
--- its own, that keeps state as Cekura does and misbehaves on request.
---
---     local sandbox = require "cekura.sandbox"
---     local server <close> = sandbox.start()
---     local client = cekura.new { api_url = server.url, api_key = server.api_key }

local core = require "cekura.core"
local json = require "cekura.sandbox.json"
local native = require "cekura.sandbox.server"
local options = require "cekura.sandbox.options"

json.know_array(core.array and getmetatable(core.array {})) -- the client's mark, in fault bodies

local sandbox = {}

---@class cekura.sandbox.Fault
---@field method string? only requests with this method
---@field path string? only requests whose path, as on the wire, matches this Lua pattern
---@field times number? for how many requests (default 1; math.huge: for all)
---@field skip integer? how many requests that fit go by before (default 0)
---@field status integer? 200 to 599: answers with this instead of the real answer
---@field body string|table? answers with this instead; a table is sent as JSON
---@field drop boolean? closes the connection instead, once the request has been read
---@field applied boolean? with status, body or drop: does what was asked all the same, first
---@field headers table<string, string>? added to the answer, whichever that is
---@field delay number? seconds before the answer, whichever that is; others are not held up
---@field truncate integer? announces the whole body, sends only so many bytes, and closes

---@class cekura.sandbox.Options
---@field port integer? default 0: a free one
---@field api_key string? default "sandbox-key"
---@field evaluation_time number? seconds that an evaluation or an optimiser job takes (default 0.2)
---@field optimiser "improves"|"fails"|"asks"|nil how its jobs end; "asks": with a question
---@field balance number? credits to begin with (default 10000)
---@field credits_per_evaluation number? for one metric on one run or call log (default 1)
---@field seed integer? what the data is made from (default 1)
---@field faults cekura.sandbox.Fault[]? the first rule that fits a request applies to it
---@field rate_limit { per_second: number, retry_after: number? }? beyond it: 429
---@field record boolean|integer? how many requests are kept: the last 10000, unless said otherwise
---@field log boolean? a line on stderr for each request
---@field now integer? epoch seconds; the data ends at midnight (UTC) before (default: os.time())

---@class cekura.sandbox.Request
---@field method string
---@field path string as on the wire, percent-encoded
---@field query string as on the wire, without the question mark
---@field headers table<string, string> by lower-case name
---@field body string? nil where it was more than 32 MiB
---@field connection integer which TCP connection it came over: 1, 2, …
---@field at number seconds since the sandbox started
---@field status integer? what was answered; nil where the connection was closed instead

---@class cekura.sandbox.Server
---@field url string "http://127.0.0.1:PORT"
---@field port integer
---@field api_key string
---@field private native userdata
local Server = {}
Server.__index = Server

--- The requests that arrived, in order: the last ones, as many as the option `record` says.
---@return cekura.sandbox.Request[]
function Server:requests() return self.native:control "requests" end

--- Forgets the recorded requests. State, faults and connections stay as they are.
function Server:clear() self.native:control "clear" end

--- The state as plain tables, by id where there is one: runs, results, call_logs, metrics, agents;
--- jobs and votes (lists, the last 10000); balance { initial, remaining, used }; connections (how
--- many TCP connections have been accepted). With the name of one of those, that one alone; with
--- an id, too, that one item, or nil. All of it is some megabytes to copy: name what you need.
---
---     server:state("runs", 5544).is_reviewed
---@param part string?
---@param id integer?
---@return any
function Server:state(part, id)
  if part == "connections" then return self.native:connections() end
  local state = self.native:control("state", part, id)
  if not part then state.connections = self.native:connections() end
  return state
end

--- Replaces the faults; without an argument there are none any more.
---@param rules cekura.sandbox.Fault[]?
function Server:faults(rules)
  local ok, faults = pcall(options.faults, rules or {}, "faults")
  if not ok then error(faults, 2) end
  self.native:control("faults", faults)
end

--- Closes every connection and ends the thread. Twice does no harm.
function Server:stop() self.native:stop() end

Server.__close = Server.stop

function Server:__tostring() return ("cekura.sandbox (%s)"):format(self.url) end

--- Starts a sandbox; raises where an option is wrong or the port is taken. Raises the process's
--- soft limit of descriptors (`ulimit -S -n`) as far as the hard limit allows, up to 65,536: the
--- sandbox and the client need one each for a connection.
---@param given cekura.sandbox.Options?
---@return cekura.sandbox.Server
function sandbox.start(given)
  local ok, config = pcall(options.start, given)
  if not ok then error("sandbox.start: " .. config, 2) end
  local started, server = pcall(native.start, config)
  if not started then error("sandbox.start: " .. tostring(server), 2) end
  local port = server:port()
  return setmetatable({
    native = server, port = port, url = "http://127.0.0.1:" .. port, api_key = config.api_key,
  }, Server)
end

local WELCOME = [[
A sandbox of the Cekura API is listening.

  export CEKURA_API_URL=%s
  export CEKURA_API_KEY=%s

Try a vote on run 5544, metric 55:

  curl -s "$CEKURA_API_URL/test_framework/v1/runs/5544/mark_metric_vote/" \
    -H "X-CEKURA-API-KEY: $CEKURA_API_KEY" -H "Content-Type: application/json" \
    -d '{"metric_id": 55, "thumbs_up": false, "expected_value": 2}'

and see the run with curl -s -H … "$CEKURA_API_URL/test_framework/v1/runs/5544/".
Ctrl-C ends it.
]]

--- Runs a sandbox in the foreground, until SIGINT or SIGTERM comes; then returns.
---@param given cekura.sandbox.Options?
function sandbox.serve(given)
  local server
  native.until_signal(function()
    server = sandbox.start(given)
    io.stdout:write(WELCOME:format(server.url, server.api_key))
    io.stdout:flush()
  end)
  server:stop()
end

return sandbox
