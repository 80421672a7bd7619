-- The fault server: it misbehaves by script, and keeps a ledger of the requests that reached it.
-- fault_server.py is the process behind it.
--
--   local faults = require "support.faults"
--   local server = faults.start()          -- plain; or { tls = true }: see start
--   server:script { "hang", faults.status(503), { { "read_head" }, { "reset" } } }
--   … client.runs:mark_metric_vote{ … } …
--   assert.equal(1, #server:ledger())
--   server:stop()
--
-- A script is a list of entries, one for each request that arrives, in order over all connections.
-- When the script is empty, every response is 200 {"success": true} with the note "default", or the
-- entry of server:usually. An entry is a list of steps, or the name of a behaviour
-- (faults.behaviours) without arguments. After the steps the connection is kept alive.
--
-- These are the steps. Unless the first step of an entry reads or ends the connection, the whole
-- request is read first. Strings may contain any byte.
--
--   { "read" }                     the whole request
--   { "read_head" }                up to the blank line
--   { "read_bytes", n }            the first n bytes, counted from the request line
--   { "read_body", n }             the head and n bytes of the body
--   { "answer", status, headers, body }   a valid response; headers: a list of { name, value }
--   { "send", bytes }, { "send_slowly", bytes, seconds_per_byte }
--   { "flood", bytes }             sends them repeatedly, until the peer closes
--   { "gzip_bomb", size }          a response that unpacks to `size` spaces
--   { "sleep", seconds }
--   { "held", n }                  waits for server:release(), or until n requests have begun to
--                                  arrive (nil: only for the release)
--   { "limited", n, seconds, headers }    waits and answers 200, or 429 with these headers while n
--                                  other requests are in such a step. The note says which.
--   { "note", text }               sends nothing; sets the `note` of the ledger's row
--   { "tunnel" }                   acts as a proxy on CONNECT; the row's body is what the client
--                                  sent through the tunnel
--   { "planned" }                  plays the entry of server:plan for this request
--   { "hang" }                     sends nothing until the peer closes
--   { "cork" }                     delays everything sent afterwards until the FIN
--   { "close" }                    FIN (after close_notify), then reads and counts what arrives
--   { "tls_cut" }                  the same without close_notify
--   { "reset" }                    RST
--   { "next", "close"|"reset" }    ends the connection without a response when its next request
--                                  has been read (close) or begins to arrive (reset). The ledger
--                                  has that request; it takes no entry.
--
-- An entry that consists of one of these steps is for a new connection. If it is the first of the
-- script, the next connection takes it: { "close_before_handshake" },
-- { "reset_before_handshake" }, { "hang_before_handshake" }, { "cut_handshake" }.
local json = require "cjson".new()
local clock = require "support.clock"
local python = require "support.python"
local system = require "system"

local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
local faults = {}

-- ---- behaviours: functions that return an entry

local SUCCESS = '{"success": true}'
local JSON_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

-- Returns a list of { name, value } from such a list, or from { Name = "value" or { "value", … } }.
local function list_of_headers(headers)
  local list = {}
  for name, value in pairs(headers or {}) do
    if math.type(name) then
      list[name] = value
    else
      for _, each in ipairs(type(value) == "table" and value or { value }) do
        list[#list + 1] = { name, tostring(each) }
      end
    end
  end
  return list
end

local function answer(status, headers, body)
  return { "answer", status, list_of_headers(headers), body or "" }
end

local common = {}

function common.ok(body) return { answer(200, nil, body or SUCCESS) } end

function common.status(code, headers, body)
  return { answer(code or 500, headers, body or '{"detail": "scripted"}') }
end

function common.redirect(code, location)
  return { answer(code or 307, { Location = location or "http://127.0.0.1:1/elsewhere" }) }
end

function common.html(code)
  local body = "<html>\r\n<head><title>Bad Gateway</title></head>\r\n<body></body>\r\n</html>\r\n"
  return { answer(code or 502, { ["Content-Type"] = "text/html" }, body) }
end

function common.limited(most, seconds, headers)
  return { { "limited", most, seconds, list_of_headers(headers) } }
end

function common.not_json() return common.ok "It worked." end
function common.empty() return common.ok "" end
function common.invalid_utf8() return common.ok '{"success": \xff\xfe\xc0\xaf}' end
function common.deep_json(depth) return common.ok(("["):rep(depth or 100000)) end
function common.hang() return { { "hang" } } end
function common.close_before_answer() return { { "read" }, { "close" } } end
function common.reset_before_answer() return { { "read" }, { "reset" } } end

local function send_and_close(bytes) return { { "send", bytes }, { "close" } } end

function common.status_line_only() return send_and_close "HTTP/1.1 200 OK\r\n" end

-- Ends in the middle of a header.
function common.half_header() return send_and_close(JSON_HEAD .. "Content-Le") end

function common.cut_body()
  return send_and_close(JSON_HEAD .. 'Content-Length: 100\r\n\r\n{"succ')
end

function common.reset_in_body()
  return { { "send", JSON_HEAD .. 'Content-Length: 100\r\n\r\n{"succ' }, { "sleep", 0.05 },
    { "reset" } }
end

-- Without Content-Length the end of the connection is the end of the body.
function common.cut_close_delimited() return send_and_close(JSON_HEAD .. '\r\n{"succ') end
function common.whole_close_delimited() return send_and_close(JSON_HEAD .. "\r\n" .. SUCCESS) end
function common.empty_close_delimited() return send_and_close(JSON_HEAD .. "\r\n") end

function common.cut_chunked()
  return send_and_close(JSON_HEAD .. 'Transfer-Encoding: chunked\r\n\r\n6\r\n{"succ\r\n')
end

-- The JSON is complete, but the last chunk is missing.
function common.unended_chunked()
  local body = ("%x\r\n%s\r\n"):format(#SUCCESS, SUCCESS)
  return send_and_close(JSON_HEAD .. "Transfer-Encoding: chunked\r\n\r\n" .. body)
end

-- A close-delimited body over TLS without close_notify: an attacker could have truncated it.
function common.tls_cut_close_delimited()
  return { { "send", JSON_HEAD .. "\r\n" .. SUCCESS }, { "tls_cut" } }
end

function common.trickle(seconds_per_byte, body)
  body = body or SUCCESS
  return {
    { "send", ("%sContent-Length: %d\r\n\r\n"):format(JSON_HEAD, #body) },
    { "send_slowly", body, seconds_per_byte or 0.2 },
  }
end

function common.slow_head(seconds_per_byte)
  return { { "send_slowly", JSON_HEAD .. "Content-Length: 2\r\n\r\n{}", seconds_per_byte or 0.2 } }
end

function common.endless_body()
  return { { "send", JSON_HEAD .. "\r\n[" }, { "flood", (" "):rep(65536) } }
end

function common.endless_head()
  return { { "send", JSON_HEAD }, { "flood", "X-More: " .. ("x"):rep(4096) .. "\r\n" } }
end

function common.gzip_bomb(size) return { { "gzip_bomb", size or 1 << 30 } } end
function common.not_http() return send_and_close "SSH-2.0-OpenSSH_9.2\r\n" end

-- Refuses a request when its head has arrived, before its body has.
function common.early_error(code)
  local refusal = answer(code or 413, { Connection = "close" }, '{"detail": "no"}')
  return { { "read_head" }, refusal, { "close" } }
end

function common.continue_then(code, headers, body)
  local rest = answer(code or 200, headers, body or SUCCESS)
  return { { "read_head" }, { "send", "HTTP/1.1 100 Continue\r\n\r\n" }, { "read" }, rest }
end

-- Sends 100 Continue, and closes.
function common.continue_and_close()
  return { { "read" }, { "send", "HTTP/1.1 100 Continue\r\n\r\n" }, { "close" } }
end

-- Resets the connection when `n` bytes of the body have arrived.
function common.reset_mid_request(n) return { { "read_body", n or 65536 }, { "reset" } } end

-- Answers, and ends the connection: together with the response ("fin"), or at the next request,
-- when it has been read ("close") or begins to arrive ("reset").
function common.ok_then_dead(how)
  local ok = answer(200, nil, SUCCESS)
  if how == "fin" then return { { "cork" }, ok, { "close" } } end
  return { ok, { "next", how or "reset" } }
end

function common.close_before_handshake() return { { "close_before_handshake" } } end
function common.reset_before_handshake() return { { "reset_before_handshake" } } end
function common.tunnel() return { { "tunnel" } } end

function common.hang_before_handshake() return { { "hang_before_handshake" } } end
function common.cut_handshake() return { { "cut_handshake" } } end

faults.behaviours = common
setmetatable(faults, { __index = common })

-- ---- the server

local server = {}
server.__index = server

local function whole_numbers(value)
  if type(value) == "table" then
    for key, each in pairs(value) do value[key] = whole_numbers(each) end
  end
  return type(value) == "number" and math.tointeger(value) or value
end

local function heard(self)
  local line = self.replies:read "l"
  if not line then error("the fault server has ended; stderr may say why", 0) end
  local reply = json.decode(line)
  if reply.error then error("fault server: " .. reply.error, 0) end
  return whole_numbers(reply.value)
end

local function ask(self, command)
  self.commands:write(json.encode(command), "\n")
  self.commands:flush()
  return heard(self)
end

local function quoted(text) return "'" .. text:gsub("'", [['\'']]) .. "'" end

-- The server's replies come through a FIFO, because io.popen is a pipe in one direction, and a
-- socket library would ignore SIGPIPE in the whole process, where the client must handle it. The
-- child gets no LD_PRELOAD: `make asan` sets it for the interpreter only.
local COMMAND = [[
  exec env -u LD_PRELOAD %s -E -B -S %s]]

local function spawn(options)
  local fifo = os.tmpname()
  assert(os.remove(fifo))
  assert(os.execute("exec env -u LD_PRELOAD mkfifo -m 600 " .. quoted(fifo)))
  local arguments = ("%s %s >%s"):format(quoted(folder .. "fault_server.py"),
    quoted(json.encode(options)), quoted(fifo))
  local commands = assert(io.popen(COMMAND:format(python, arguments), "w"))
  local replies = assert(io.open(fifo, "rb"))
  os.remove(fifo)
  return { commands = commands, replies = replies }
end

-- Starts a server. The options are `tls`, true or { cert = path, key = path } (true selects
-- certificates().valid of support/tls.lua), and `alpn`, the protocols that it offers; it speaks
-- only HTTP/1.1. `server.url` is its address. If `tls` is true, a client must trust
-- `server.ca_file`.
function faults.start(options)
  options = options or {}
  local tls, ca_file = options.tls, nil
  if tls == true then
    local certificates = require "support.tls".certificates()
    tls, ca_file = certificates.valid, certificates.ca
  end
  tls = tls or {}
  local self = spawn { cert = tls.cert, key = tls.key, alpn = options.alpn }
  setmetatable(self, server)
  self.port = heard(self)
  self.url = (tls.cert and "https://localhost:%d" or "http://127.0.0.1:%d"):format(self.port)
  self.ca_file = ca_file
  return self
end

local function entry_of(name_or_entry)
  if type(name_or_entry) ~= "string" then return name_or_entry end
  local behaviour = faults.behaviours[name_or_entry]
  return assert(behaviour, "no such behaviour: " .. name_or_entry)()
end

-- Replaces the rest of the script.
function server:script(list)
  local entries = {}
  for index, entry in ipairs(list) do entries[index] = entry_of(entry) end
  ask(self, { ["do"] = "script", entries = entries })
end

-- Sets the entry of every request that arrives when the script is empty, until the next clear.
function server:usually(entry) ask(self, { ["do"] = "usual", entry = entry_of(entry) }) end

-- Answers each request by the first number in its path, or else in its body, in any order of
-- arrival. `plan` has a list of entries for each number; the last entry is repeated. "7/2" is for a
-- request for page 2, "usual" for numbers without a list. The number 10007 has its own pass through
-- the list of 7.
function server:plan(plan) ask(self, { ["do"] = "plan", plan = plan }) end

-- Returns the requests that have begun to arrive, in order: a list of { n, connection (its number),
-- at (seconds since the start), request_line, method, path, headers (names in lower case), body
-- (the part that was read), complete, note, answered (the system time at which a step "answer" had
-- written the response) }.
function server:ledger() return ask(self, { ["do"] = "ledger" }) end

-- Returns #server:ledger() at less cost.
function server:deliveries() return ask(self, { ["do"] = "deliveries" }) end

-- Waits up to `seconds` for `count` deliveries in the ledger. Returns whether they arrived.
function server:wait(count, seconds)
  return ask(self, { ["do"] = "wait", count = count, seconds = seconds or clock.LIMIT })
end

-- Ends every step "held", also those that come later, until the next clear.
function server:release() ask(self, { ["do"] = "release" }) end

-- Return numbers of TCP connections: those accepted since the start or the last clear; those among
-- them that never carried a byte of a request (a TLS handshake does not count); those that resumed
-- an earlier TLS session; and all that are open now.
function server:connections() return ask(self, { ["do"] = "connections" }) end
function server:silent() return ask(self, { ["do"] = "silent" }) end
function server:resumed() return ask(self, { ["do"] = "resumed" }) end
function server:open() return ask(self, { ["do"] = "open" }) end

-- Waits until no connection is open. Returns whether that came about.
function server:closes()
  local till = system.monotime() + clock.LIMIT
  while self:open() > 0 and system.monotime() < till do system.sleep(0.01) end
  return self:open() == 0
end

-- Ends every connection that waits for a request, and returns their number. "fin" (over TLS after
-- close_notify), "tls_cut" (without it) and "reset" end them before the function returns;
-- "close_next" and "reset_next" when their next request arrives, without a response. "notify" sends
-- only a close_notify, and "forge" an unsolicited response: {"success": "forged"}. Neither ends the
-- connection, but the server sends no response on it any more.
function server:kill_idle(how) return ask(self, { ["do"] = "kill_idle", how = how or "fin" }) end

-- Empties the ledger and the script. Connections stay open.
function server:clear() ask(self, { ["do"] = "clear" }) end

-- Ends the process. A second call is a no-op.
function server:stop()
  if not self.commands then return end
  self.commands:close()  -- the process ends with its stdin; close waits for it
  self.replies:close()
  self.commands = nil
end

server.__gc = server.stop
server.__close = server.stop

return faults
