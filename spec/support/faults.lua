-- A server that misbehaves by script, and a ledger of what reached it.
--
--   local faults = require "support.faults"
--   local server = faults.start()          -- plain; or { tls = true }: see start
--   server:script { "hang", faults.status(503), { { "read_head" }, { "reset" } } }
--   … client.runs:mark_metric_vote{ … } …
--   assert.equal(1, #server:ledger())
--   server:stop()
--
-- A script is a list of entries, one for each request that arrives, in order over all
-- connections; when it has run out, every answer is 200 {"success": true} with the note "default",
-- or what server:usually says. An entry is a list of steps, or the name of a behaviour
-- (faults.behaviours) that takes no argument. After its steps a connection is kept alive.
--
-- The steps. Unless an entry begins with a step that reads or ends, the whole request is read
-- first. Strings may contain any byte.
--
--   { "read" }                     the whole request
--   { "read_head" }                up to the blank line
--   { "read_bytes", n }            the first n bytes, counted from the request line
--   { "read_body", n }             the head and n bytes of the body
--   { "answer", status, headers, body }   a proper one; headers are a list of { name, value }
--   { "send", bytes }, { "send_slowly", bytes, seconds_per_byte }
--   { "flood", bytes }             again and again, until the peer goes away
--   { "gzip_bomb", size }          an answer that unpacks to `size` spaces
--   { "sleep", seconds }
--   { "limited", n, seconds, headers }    takes its time and answers 200; 429 with those headers
--                                  where n others are in such a step. The note says which.
--   { "note", text }               sends nothing: the ledger's row gets it as its `note`
--   { "tunnel" }                   what a proxy does with CONNECT; the row's body is
--                                  what the client sent through it
--   { "planned" }                  what server:plan has for this request
--   { "hang" }                     no answer, until the peer goes away
--   { "cork" }                     what is sent from here on waits for the FIN and goes with it
--   { "close" }                    FIN (after close_notify), then reads on and only counts
--   { "tls_cut" }                  the same without close_notify
--   { "reset" }                    RST
--   { "next", "close"|"reset" }    what the next request on this connection gets: it is read, or
--                                  only begins to be, and the connection ends without an answer.
--                                  Such a request is in the ledger and takes no entry.
--
-- An entry that consists of one of these is for a connection that is just being accepted; if it
-- is first in the script, the next connection gets it: { "close_before_handshake" },
-- { "reset_before_handshake" }, { "hang_before_handshake" }, { "cut_handshake" }.
local json = require "cjson".new()

local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
local faults = {}

-- ---- behaviours: functions that return an entry

local SUCCESS = '{"success": true}'
local JSON_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

-- { Name = "value" or { "value", … } }, or a list of { name, value } already
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

-- ends in the middle of a header, where another would have been
function common.half_header() return send_and_close(JSON_HEAD .. "Content-Le") end

function common.cut_body()
  return send_and_close(JSON_HEAD .. 'Content-Length: 100\r\n\r\n{"succ')
end

function common.reset_in_body()
  return { { "send", JSON_HEAD .. 'Content-Length: 100\r\n\r\n{"succ' }, { "sleep", 0.05 },
    { "reset" } }
end

-- without Content-Length the end of the connection is the end of the body
function common.cut_close_delimited() return send_and_close(JSON_HEAD .. '\r\n{"succ') end
function common.whole_close_delimited() return send_and_close(JSON_HEAD .. "\r\n" .. SUCCESS) end
function common.empty_close_delimited() return send_and_close(JSON_HEAD .. "\r\n") end

function common.cut_chunked()
  return send_and_close(JSON_HEAD .. 'Transfer-Encoding: chunked\r\n\r\n6\r\n{"succ\r\n')
end

-- whole JSON, but the last chunk that would say so is missing
function common.unended_chunked()
  local body = ("%x\r\n%s\r\n"):format(#SUCCESS, SUCCESS)
  return send_and_close(JSON_HEAD .. "Transfer-Encoding: chunked\r\n\r\n" .. body)
end

-- TLS without close_notify, which a close-delimited body needs: anyone could have cut it
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

-- refuses as soon as the head is there, while the body is still on its way
function common.early_error(code)
  local refusal = answer(code or 413, { Connection = "close" }, '{"detail": "no"}')
  return { { "read_head" }, refusal, { "close" } }
end

function common.continue_then(code, headers, body)
  local rest = answer(code or 200, headers, body or SUCCESS)
  return { { "read_head" }, { "send", "HTTP/1.1 100 Continue\r\n\r\n" }, { "read" }, rest }
end

-- a 100 Continue, and then nothing
function common.continue_and_close()
  return { { "read" }, { "send", "HTTP/1.1 100 Continue\r\n\r\n" }, { "close" } }
end

-- the connection dies while `n` bytes of the body have arrived and more are on their way
function common.reset_mid_request(n) return { { "read_body", n or 65536 }, { "reset" } } end

-- answers, and the connection is dead then: at once ("fin", which comes with the answer), or for
-- the next request, which is read ("close") or begins to be ("reset") and gets no answer
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

-- A FIFO for the answers, because io.popen is a pipe in one direction, and a socket library would
-- ignore SIGPIPE for the whole process, which hides what the client does about it. The child gets
-- no LD_PRELOAD: under `make asan` that is for the interpreter.
local python = [[
  exec env -u LD_PRELOAD python3 -E -B -S %s]]

local function spawn(options)
  local fifo = os.tmpname()
  assert(os.remove(fifo))
  assert(os.execute("exec env -u LD_PRELOAD mkfifo -m 600 " .. quoted(fifo)))
  local arguments = ("%s %s >%s"):format(quoted(folder .. "fault_server.py"),
    quoted(json.encode(options)), quoted(fifo))
  local commands = assert(io.popen(python:format(arguments), "w"))
  local replies = assert(io.open(fifo, "rb"))
  os.remove(fifo)
  return { commands = commands, replies = replies }
end

-- Options: `tls`, true or { cert = path, key = path }; true stands for certificates().valid of
-- support/tls.lua. `alpn`, the protocols that it claims to speak; it speaks HTTP/1.1.
-- `server.url` is its address, `server.ca_file` what a client must trust if `tls` was true.
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

-- Replaces what is left of the script.
function server:script(list)
  local entries = {}
  for index, entry in ipairs(list) do entries[index] = entry_of(entry) end
  ask(self, { ["do"] = "script", entries = entries })
end

-- What every request gets that finds the script empty, until the next clear.
function server:usually(entry) ask(self, { ["do"] = "usual", entry = entry_of(entry) }) end

-- Answers each request by the first number in its path, or else in its body, whatever the order in
-- which they arrive: `plan` has a list of entries for each number, of which the last is repeated.
-- "7/2" is for a request for page 2, "usual" for numbers without a list. The number 10007 takes its
-- entries from the list of 7, from the first one on.
function server:plan(plan) ask(self, { ["do"] = "plan", plan = plan }) end

-- What has arrived until now, in order: a list of { n, connection (its number), at (seconds since
-- the start), request_line, method, path, headers (names in lower case), body (as far as it was
-- read), complete, note, answered (when a step "answer" had written it, by the system's clock) }. A
-- request is in it from its first byte on.
function server:ledger() return ask(self, { ["do"] = "ledger" }) end

-- #server:ledger(), cheaper
function server:deliveries() return ask(self, { ["do"] = "deliveries" }) end

-- Whether the ledger has (or comes to have, within some seconds) at least `count` deliveries.
function server:wait(count, seconds)
  return ask(self, { ["do"] = "wait", count = count, seconds = seconds or 5 })
end

-- TCP connections accepted since the start or the last clear; those among them that never carried
-- a byte of a request (a TLS handshake is none), and those that took up an earlier one's TLS
-- session; those that are open now, whenever they came.
function server:connections() return ask(self, { ["do"] = "connections" }) end
function server:silent() return ask(self, { ["do"] = "silent" }) end
function server:resumed() return ask(self, { ["do"] = "resumed" }) end
function server:open() return ask(self, { ["do"] = "open" }) end

-- Ends every connection that waits for a request, and returns how many. At once, and done on
-- return: "fin" (over TLS after close_notify), "tls_cut" (without), "reset". When their next
-- request arrives, unanswered: "close_next", "reset_next".
function server:kill_idle(how) return ask(self, { ["do"] = "kill_idle", how = how or "fin" }) end

-- Empties ledger and script. Open connections stay.
function server:clear() ask(self, { ["do"] = "clear" }) end

-- Ends the process. May be called again.
function server:stop()
  if not self.commands then return end
  self.commands:close()  -- it ends with its stdin; this waits for it
  self.replies:close()
  self.commands = nil
end

server.__gc = server.stop
server.__close = server.stop

return faults
