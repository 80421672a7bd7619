-- The fault server of the other specs, tested with the curl command.
local clock = require "support.clock"
local faults = require "support.faults"
local python = require "support.python"
local system = require "system"
local tls = require "support.tls"

local function options(server)
  return "-s --noproxy '*' -m 120 " .. (server.ca_file and "--cacert " .. server.ca_file or "")
end

-- Returns curl's output (the body, or with -i the whole response) and its exit code.
local function curl(server, arguments)
  local command = "exec env -u LD_PRELOAD curl %s %s %s/path 2>&1"
  local pipe = assert(io.popen(command:format(options(server), arguments or "", server.url)))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  return output, code
end

-- Makes two requests with one curl, which keeps its connection if possible.
local function curl_twice(server, body)
  local arguments = "-d %s -o /dev/null %s/first --next %s -d two"
  return curl(server, arguments:format(body or "one", server.url, options(server)))
end

describe("the fault server", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  it("responds with 200 without a script, and records the request", function()
    assert.equal('{"success": true}', (curl(server, "-H 'X-One: 1' --data-binary 'a=b'")))
    local row = server:ledger()[1]
    assert.equal("POST /path HTTP/1.1", row.request_line)
    assert.same({ 1, "POST", "/path", "a=b", true, "1" },
      { row.n, row.method, row.path, row.body, row.complete, row.headers["x-one"] })
    assert.equal(1, server:connections())
    assert.equal(0, server:silent())
  end)

  it("keeps a connection alive", function()
    assert.equal('{"success": true}', (curl_twice(server)))
    assert.equal(2, server:deliveries())
    assert.equal(1, server:connections())
  end)

  it("plays one entry for each request", function()
    server:script { faults.status(503, { ["Retry-After"] = "7" }, "no\0\xff"), "not_json" }
    local response = curl(server, "-i")
    assert.matches("^HTTP/1.1 503 ", response)
    assert.matches("\r\nRetry%-After: 7\r\n", response)
    assert.matches("\r\n\r\nno\0\xff$", response)
    assert.equal("It worked.", (curl(server)))
    assert.equal('{"success": true}', (curl(server)))
  end)

  for name, code in pairs {
    reset_before_answer = 56, close_before_answer = 52, cut_body = 18, cut_chunked = 18,
    unended_chunked = 18, reset_in_body = 56, status_line_only = 0, half_header = 0, not_http = 1,
    cut_close_delimited = 0, whole_close_delimited = 0, empty_close_delimited = 0,
  } do
    it("plays " .. name, function()
      server:script { name }
      assert.equal(code, select(2, curl(server, "-d x")))
      assert.equal(1, server:deliveries())
      assert.is_true(server:ledger()[1].complete)
    end)
  end

  for _, name in ipairs { "hang", "trickle", "slow_head", "endless_body" } do
    it("plays " .. name .. ", which does not end", function()
      server:script { name }
      assert.equal(28, select(2, curl(server, "-m 0.3 -o /dev/null")))
    end)
  end

  it("plays gzip_bomb, which expands to a gigabyte", function()
    server:script { "gzip_bomb" }
    local command = "unset LD_PRELOAD; curl -s --noproxy '*' --compressed %s | wc -c"
    local pipe = assert(io.popen(command:format(server.url)))
    assert.equal(1 << 30, pipe:read "n")
    pipe:close()
  end)

  it("records a request whose connection dies while its body is sent", function()
    server:script { faults.reset_mid_request(5000) }
    local _, code = curl(server, "-d $(printf %0100000d 1)")
    local row = server:ledger()[1]
    assert.is_true(code == 55 or code == 56)
    assert.is_false(row.complete)
    assert.equal(5000, #row.body)
  end)

  it("refuses a request before its body has arrived", function()
    server:script { faults.early_error(413) }
    assert.equal('{"detail": "no"}', (curl(server, "-d x")))
    assert.equal(0, server:open())
  end)

  it("plays a dead connection that looks alive, so that curl sends again", function()
    for _, how in ipairs { "close", "reset" } do
      server:clear()
      server:script { faults.ok_then_dead(how), faults.ok "[2]" }
      assert.equal("[2]", (curl_twice(server)))
      assert.equal(3, server:deliveries())
      assert.equal(2, server:connections())
    end
  end)

  it("sends its FIN together with the response", function()
    server:script { faults.ok_then_dead "fin" }
    local script = "exec 3<>/dev/tcp/127.0.0.1/%d; echo $'GET / HTTP/1.1\\r\\n\\r' >&3; "
      .. "timeout 120 cat <&3"
    local bash <close> = assert(io.popen(("exec bash -c %q"):format(script:format(server.port))))
    assert.matches('{"success": true}$', bash:read "a")
    assert.is_true(bash:close())  -- the connection has ended, and timeout has not
  end)

  it("closes idle connections on command", function()
    local client <close> = assert(io.popen("exec env -u LD_PRELOAD bash", "w"))
    for fd = 3, 5 do
      client:write(("exec %d<>/dev/tcp/127.0.0.1/%d; echo $'GET / HTTP/1.1\\r\\n\\r' >&%d\n")
        :format(fd, server.port, fd))
    end
    client:flush()
    assert.is_true(server:wait(3))
    assert.equal(3, server:kill_idle "close_next")
    client:write "echo >&3\n"
    client:flush()
    assert.is_true(server:wait(4))
    assert.equal(2, server:kill_idle "fin")
    assert.equal(0, server:kill_idle "reset")
  end)

  it("refuses an unknown step", function()
    assert.has_error(function() server:script { { { "smile" } } } end,
      "fault server: no such step: smile")
    assert.has_error(function() server:script { "smile" } end, "no such behaviour: smile")
  end)

  it("exits with the process that started it", function()
    local script = ([[
      package.path = %q
      local server = require "support.faults".start()
      io.write(server.port)
      os.exit(false, false)]]):format(package.path)
    local file = os.tmpname()
    local handle = assert(io.open(file, "w"))
    handle:write(script)
    handle:close()
    local pipe = assert(io.popen(arg[-1] .. " " .. file))
    local port = pipe:read "n"
    pipe:close()
    os.remove(file)
    local till = system.monotime() + clock.LIMIT
    local function is_refused()
      return select(2, curl { url = "http://127.0.0.1:" .. port }) == 7
    end
    while not is_refused() do assert.is_true(system.monotime() < till) end
  end)

  it("holds responses until they are released, or until requests have arrived", function()
    server:script { { { "held" }, faults.ok "[1]"[1] }, { { "held", 3 }, faults.ok "[2]"[1] } }
    local function start() return assert(io.popen("exec env -u LD_PRELOAD curl " .. options(server)
      .. server.url)) end
    local one <close> = start()
    assert.is_true(server:wait(1))
    local two <close> = start()
    assert.is_true(server:wait(2))
    for _, row in ipairs(server:ledger()) do assert.is_nil(row.answered) end
    curl(server)
    assert.equal("[2]", two:read "a")
    assert.is_nil(server:ledger()[1].answered)
    server:release()
    assert.equal("[1]", one:read "a")
  end)
end)

local READ_TO_END = [[
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
connection = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))),
                                 server_hostname="127.0.0.1", suppress_ragged_eofs=False)
connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
try:
    while connection.recv(4096): pass
    print("close_notify")
except ssl.SSLError:
    print("without close_notify")
]]

describe("the fault server over TLS", function()
  local certificates = tls.certificates()

  local function code_with(certificate, script)
    local server <close> = faults.start { tls = certificate }
    server.ca_file = certificates.ca
    server:script(script or {})
    local output, code = curl(server, "-v -d x")
    return code, server:deliveries(), server:silent(), output
  end

  it("has a certificate that curl accepts", function()
    assert.same({ 0, 1, 0 }, { table.unpack({ code_with(certificates.valid) }, 1, 3) })
  end)

  for name, said in pairs {
    expired = "expired", not_yet_valid = "not yet valid", wrong_host = "does not match",
    self_signed = "self[- ]signed", unknown_authority = "unable to get local issuer",
  } do
    it("has a certificate that is refused: " .. name, function()
      local code, deliveries, silent, output = code_with(certificates[name])
      assert.same({ 60, 0, 1 }, { code, deliveries, silent })
      assert.matches(said, output)
    end)
  end

  for _, name in ipairs { "close_before_handshake", "reset_before_handshake", "cut_handshake" } do
    it("plays " .. name, function()
      local code, deliveries, silent = code_with(certificates.valid, { name })
      assert.same({ 0, 1 }, { deliveries, silent })
      assert.is_true(code == 35 or code == 7)  -- 7: a reset while curl connects
    end)
  end

  -- Returns how the server ends the connection: "close_notify" or "without close_notify".
  local function ending_of(script)
    local server <close> = faults.start { tls = certificates.valid }
    server:script(script)
    local pipe <close> = assert(io.popen(("exec env -u LD_PRELOAD %s -E -c '%s' %d '%s'")
      :format(python, READ_TO_END, server.port, certificates.ca)))
    return pipe:read "a"
  end

  it("can omit close_notify", function()
    assert.equal("close_notify\n", ending_of { "cut_close_delimited" })
    assert.equal("without close_notify\n", ending_of { "tls_cut_close_delimited" })
  end)
end)
