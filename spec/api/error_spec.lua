-- Errors: their fields, their text, and whether the call may be sent again.
local cekura = require "cekura"
local calls = require "support.calls"
local clock = require "support.clock"
local sandbox = require "cekura.sandbox"
local script = require "support.script"
local faults = require "support.faults"

local VOTE = "runs.mark_metric_vote"
local SPENDING = "results.evaluate_metrics"
local VOTE_PATH = "/test_framework/v1/runs/5544/mark_metric_vote/"

local function is_one_line(err)
  local line = tostring(err)
  assert.is_nil(line:find "[\r\n]")
  assert.truthy(utf8.len(line))
  return line
end

describe("an error", function()
  local server, client

  local function new(options)
    local all = { api_url = server.url, api_key = "the-key", max_attempts = 1 }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(cekura.new(all))
  end

  setup(function()
    server = faults.start()
    client = new()
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:clear() end)

  -- Returns the error of a call for which the server plays this entry.
  local function failure(entry, name)
    server:script { entry }
    local value, err = calls.make(client, name or VOTE)
    assert.is_nil(value)
    return err
  end

  describe("of status", function()
    for _, row in ipairs {
      { 300, "response", "unknown" },
      { 301, "response", "unknown" },
      { 302, "response", "unknown" },
      { 303, "response", "unknown" },
      { 307, "response", "no" },
      { 308, "response", "no" },
      { 400, "bad_request", "no" },
      { 401, "authentication", "no", "check api_key or CEKURA_API_KEY" },
      { 402, "bad_request", "no" },
      { 403, "permission", "no" },
      { 404, "not_found", "no" },
      { 405, "bad_request", "no" },
      { 408, "bad_request", "unknown" },
      { 409, "bad_request", "no" },
      { 413, "bad_request", "no" },
      { 422, "bad_request", "no" },
      { 429, "rate_limited", "no" },
      { 499, "bad_request", "no" },
      { 500, "server", "unknown" },
      { 501, "server", "unknown" },
      { 502, "server", "unknown" },
      { 503, "server", "unknown" },
      { 504, "server", "unknown" },
      { 599, "server", "unknown" },
    } do
      local status, kind, applied, advice = table.unpack(row)

      it(status .. " is of kind " .. kind, function()
        for _, name in ipairs(calls.names) do
          local err = failure(faults.status(status, { ["X-Request-ID"] = "r-17" },
            '{"detail": "what the server says"}'), name)
          assert.same({
            kind, applied, status, "what the server says", '{"detail": "what the server says"}',
            "r-17", name, "POST", 1,
          }, {
            err.kind, err.applied, err.status, err.detail, err.body,
            err.request_id, err.endpoint, err.method, err.attempts,
          })
          assert.is_nil(err.fields)
          local line = is_one_line(err)
          for _, part in ipairs { name, tostring(status), kind, "what the server says", advice } do
            assert.truthy(line:find(part, 1, true))
          end
          assert.equal(applied == "unknown", line:find("may have acted on it", 1, true) ~= nil)
        end
        assert.equal(#calls.names, server:deliveries())
      end)
    end
  end)

  describe("has detail or fields from a body", function()
    -- { title, body, detail, fields, part of the line }
    for _, row in ipairs {
      { "with detail", '{"detail": "Not found."}', "Not found.", nil, "Not found." },
      { "with error", '{"error": "no such run"}', "no such run", nil, "no such run" },
      { "with message", '{"message": "no such run"}', "no such run", nil, "no such run" },
      { "with one field", '{"metric_ids": ["This list may not be empty."]}', nil,
        { metric_ids = { "This list may not be empty." } },
        "metric_ids: This list may not be empty." },
      { "with a field of several messages", '{"run_id": ["a", "b"]}', nil,
        { run_id = { "a", "b" } }, "run_id: a" },
      { "with a field whose message is not a list", '{"run_id": "no such run"}', nil,
        { run_id = { "no such run" } }, "run_id: no such run" },
      { "with several fields", '{"a": ["x"], "b": ["y"]}', nil, { a = { "x" }, b = { "y" } },
        "status 400" },
      { "with non_field_errors", '{"non_field_errors": ["Not enough credits."]}', nil,
        { non_field_errors = { "Not enough credits." } }, "Not enough credits." },
      { "with a field that is not a message", '{"a": ["x"], "d": 5}', nil, { a = { "x" } },
        "a: x" },
      { "that is a list of lists", '[["x"], "y", 5]', nil, nil, "status 400" },
      { "with a nested field", '{"call_logs": {"0": ["Unknown."]}}', nil,
        { call_logs = { ["0"] = { "Unknown." } } }, "call_logs" },
      { "with a list that has nothing for some items",
        '{"call_logs": [{}, {"id": ["Unknown."]}]}', nil,
        { call_logs = { {}, { id = { "Unknown." } } } }, "call_logs" },
      { "with a detail that is a list", '{"detail": ["a", "b"]}', nil, { detail = { "a", "b" } },
        "detail: a" },
      { "that is a list of messages", '["Enter a whole number."]', "Enter a whole number.", nil,
        "Enter a whole number." },
      { "that is a string: none", '"no"', nil, nil, "status 400" },
      { "that is a number: none", "17", nil, nil, "status 400" },
      { "that is null: none", "null", nil, nil, "status 400" },
      { "that is empty: none", "", nil, nil, "status 400" },
      { "that is HTML: none",
        "<html>\r\n<body>Bad Request</body>\r\n</html>", nil, nil, "status 400" },
      { "that is cut off: none", '{"detail": "x', nil, nil, "status 400" },
      { "with invalid UTF-8", '{"detail": "a\xff"}', "a\u{FFFD}", nil, "status 400: a\u{FFFD}" },
      { "with half of a surrogate pair", '{"detail": "a\\ud800"}', "a\u{FFFD}", nil,
        "status 400: a\u{FFFD}" },
      { "with a detail of several lines",
        '{"detail": "one\\ntwo\\r\\nthree"}', "one\ntwo\r\nthree", nil, "one" },
      { "with line breaks in a field and its message",
        '{"a\\nb": ["c\\nd"]}', nil, { ["a\nb"] = { "c\nd" } },
        "a" },
      { "with a long detail",
        '{"detail": "x' .. ("é"):rep(1000) .. '"}', "x" .. ("é"):rep(1000), nil,
        ("é"):rep(100) },
      { "with a NUL in its detail", '{"detail": "a\\u0000b"}', "a\0b", nil, "a" },
    } do
      local title, body, detail, fields, part = table.unpack(row, 1, 5)

      it(title, function()
        local err = failure(faults.status(400, {}, body))
        assert.equal("bad_request", err.kind)
        assert.equal(detail, err.detail)
        assert.same(fields, err.fields)
        assert.equal(body, err.body)
        assert.truthy(is_one_line(err):find(part, 1, true))
      end)
    end

    it("of megabytes, and keeps 64 KiB of it", function()
      local err = failure(faults.status(500, {}, ("0123456789abcdef"):rep(1 << 17)))
      assert.equal(("0123456789abcdef"):rep(1 << 12), err.body)
    end)
  end)

  describe("of a 2xx that is not JSON shows the content type and the first words:", function()
    local function answered(content_type, body, coding)
      local headers = { { "Content-Type", content_type } }
      if coding then headers[2] = { "Content-Encoding", coding } end
      return { { "answer", 200, headers, body } }
    end

    local PACKED = "\x1f\x8b\b\0\0\0\0\0\0\3\xabV\x4a\x54\xb2\x32\xac\5\0\xc2\x87\xb9\x25\7\0\0\0"
    local PAGE = "<html>\r\n<head>\t<title>Sign in</title></head>\r\n</html>"

    -- { title, entry, parts of the message }
    for _, row in ipairs {
      { "of a page", answered("text/html; charset=utf-8", PAGE),
        { "not JSON", "text/html; charset=utf-8", "<html> <head> <title>Sign in</title>" } },
      { "of plain text", answered("text/plain", "Service  is\n\n down"),
        { "not JSON", "text/plain", '"Service is down"' } },
      { "of blanks", answered("application/json", " \r\n "), { "blank", "application/json" } },
      { "of an object that is cut off", answered("application/json", '{"a": [1, {"b": "c'),
        { "cut off", "application/json", '{"a": [1, {"b": "c' } },
      { "of an open string", answered("application/json", '"abc'), { "cut off", '"abc' } },
      { "of invalid JSON", answered("application/json", '{"a" 1}'), { '{"a" 1}' } },
      { "of gzip with trailing bytes", answered("application/json", PACKED .. "more", "gzip"),
        { "application/json", "gzip" } },
      { "of text that is declared as gzip",
        answered("text/html", PAGE, "gzip"), { "text/html", "gzip" } },
      { "of gzip that is not declared", answered("application/json", PACKED),
        { "not valid UTF-8", "application/json" } },
      { "of binary data",
        answered("image/png", "\x89PNG\r\n\x1a\nabc"), { "image/png", "PNG abc" } },
      { "of a long text", answered("text/plain", ("é "):rep(1000)), { ("é "):rep(20) } },
      { "of a content type with invalid text",
        answered("a\tb\xff", "hello"), { "a b\u{FFFD}", "hello" } },
      { "of a response without a content type",
        { { "send", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" } },
        { "none", "hello" } },
    } do
      local title, entry, parts = table.unpack(row)

      it(title, function()
        local err = failure(entry, "calls.evaluate_metrics")
        assert.same({ "response", "yes", 200 }, { err.kind, err.applied, err.status })
        local line = is_one_line(err)
        for _, part in ipairs(parts) do assert.truthy(line:find(part, 1, true), line) end
        assert.is_nil(line:find("Expected value", 1, true), line)
        assert.is_nil(line:find "  ", line)
        assert.is_true(#line < 400)
        assert.is_string(err.body)
      end)
    end

    it("without the key", function()
      local own <close> = new { api_key = "a-key-of-some-length" }
      for _, entry in ipairs {
        answered("text/a-key-of-some-length", "<b>a-key-of-some-length</b>"),
        answered("text/html", ("x"):rep(70) .. "a-key-of-some-length"),
      } do
        server:script { entry }
        local _, err = calls.vote(own)
        assert.is_nil(tostring(err):find("a-key-", 1, true))
        assert.truthy(tostring(err):find("***", 1, true))
      end
    end)
  end)

  describe("has retryable if sending the call again is harmless and may help:", function()
    -- { title, entry, retryable of a vote, retryable of a call that spends credits }
    for _, row in ipairs {
      { "400", faults.status(400), false, false },
      { "401", faults.status(401), false, false },
      { "403", faults.status(403), false, false },
      { "404", faults.status(404), false, false },
      { "408", faults.status(408), true, false },
      { "409", faults.status(409), false, false },
      { "429", faults.status(429), true, true },
      { "500", faults.status(500), true, false },
      { "501", faults.status(501), false, false },
      { "503", faults.status(503), true, false },
      { "a redirect", faults.status(307), false, false },
      { "a lost response", "close_before_answer", true, false },
      { "a reset", "reset_before_answer", true, false },
      { "a response that is cut off", "cut_body", true, false },
      { "HTML with status 200", faults.html(200), false, false },
      { "JSON that is cut off", faults.ok '{"a": ', false, false },
    } do
      local title, entry, vote, spending = table.unpack(row, 1, 4)
      it("after " .. title, function()
        assert.equal(vote, failure(entry).retryable)
        assert.equal(spending, failure(entry, SPENDING).retryable)
        server:script { entry, entry, entry }
        for _, arguments in ipairs {
          { method = "GET", path = "/x/" }, { method = "PUT", path = "/x/", idempotent = true },
        } do
          assert.equal(vote, select(2, client:request(arguments)).retryable)
        end
        local _, err = client:request { method = "POST", path = "/x/" }
        assert.equal(spending, err.retryable)
      end)
    end

    it("after a timeout", function()
      server:script { "hang", "hang" }
      local options = { timeout = clock.SHORT, max_attempts = 1 }
      assert.is_true(select(2, calls.vote(client, {}, options)).retryable)
      assert.is_false(select(2, calls.make(client, SPENDING, {}, options)).retryable)
    end)

    it("without a connection, if no earlier attempt may have been applied", function()
      local gone = faults.start()
      gone:stop()
      local own <close> = new { api_url = gone.url }
      for _, name in ipairs(calls.names) do
        assert.is_true(select(2, calls.make(own, name)).retryable)
      end
      local insistent <close> = new { max_attempts = 2, backoff = { base = 0, cap = 0 } }
      server:script { faults.status(503), faults.status(429) }
      local _, err = calls.make(insistent, SPENDING, {}, { retry_unknown = true })
      assert.same({ "rate_limited", "unknown", false }, { err.kind, err.applied, err.retryable })
    end)

    it("never if nothing was sent because of a mistake", function()
      assert.is_false(select(2, calls.vote(client, { run_id = 0 })).retryable)
      local _, err = calls.make(client, SPENDING, {}, { max_evaluations = 0 })
      assert.same({ "budget", false }, { err.kind, err.retryable })
      assert.is_false(select(2, cekura.new { api_key = "" }).retryable)
      local closed = new()
      closed:close()
      assert.is_false(select(2, calls.vote(closed)).retryable)
    end)

    it("after a wait that timed out, but not after one with a mistake", function()
      server:usually(faults.ok '{"status": "running"}')
      local _, err = client.results:wait({ result_id = 373 }, { timeout = 0.05, interval = 0.01 })
      server:clear()
      assert.same({ "timeout", true }, { err.kind, err.retryable })
      _, err = client:each({ 1, n = 2 }, function() end)
      assert.same({ "validation", false }, { err.kind, err.retryable })
    end)

    it("never after a task was cancelled", function()
      local task = client:spawn(function() return calls.vote(client) end)
      task:cancel()
      local _, err = task:wait()
      assert.same({ "cancelled", false }, { err.kind, err.retryable })
    end)
  end)

  describe("of TLS", function()
    local function failing(url, options)
      local own <close> = new { api_url = url, ca_file = (options or {}).ca_file,
        proxy = url:find "^https" and "" or nil }
      return select(2, calls.make(own, SPENDING))
    end

    it("names ca_file if the certificate is not trusted", function()
      local secure <close> = faults.start { tls = true }
      local err = failing(secure.url)
      assert.same({ "tls", "no", false }, { err.kind, err.applied, err.retryable })
      assert.matches("ca_file", tostring(err), 1, true)
      assert.matches("CEKURA_CA_FILE", tostring(err), 1, true)
      err = failing(secure.url, { ca_file = "/no/such/file" })
      assert.matches("ca_file", tostring(err), 1, true)
    end)

    it("asks whether the server uses TLS if the response is plain text", function()
      local plain <close> = sandbox.start()
      local err = failing((plain.url:gsub("^http:", "https:")))
      assert.same({ "tls", "no" }, { err.kind, err.applied })
      assert.matches("TLS.*http://", tostring(err))
    end)

    it("suggests https if the response to plain http is TLS", function()
      server:script { { { "read" }, { "send", "\x15\3\1\0\2\2\x46" }, { "close" } } }
      assert.matches("https://", tostring(failing(server.url)), 1, true)
    end)

    it("has none of these hints for any other reason", function()
      local gone = faults.start()
      gone:stop()
      for _, err in ipairs { failing(gone.url), failing((gone.url:gsub("^http:", "https:"))) } do
        local _, count = tostring(err):gsub("https?://", "")
        assert.equal(0, count)
      end
      server:script { "close_before_answer", "hang" }
      assert.is_nil(tostring(failing(server.url)):find("TLS", 1, true))
    end)
  end)

  describe("without a response:", function()
    local function is(kind, applied, err)
      assert.same({ kind, applied, VOTE, "POST", 1 },
        { err.kind, err.applied, err.endpoint, err.method, err.attempts })
      assert.same({}, { err.status, err.body, err.detail, err.fields, err.request_id })
      assert.truthy(is_one_line(err):find(kind, 1, true))
    end

    it("has kind network and applied no if nobody listens", function()
      local gone = faults.start()
      gone:stop()
      local own <close> = new { api_url = gone.url }
      local _, err = calls.vote(own)
      is("network", "no", err)
    end)

    for _, name in ipairs { "close_before_answer", "reset_before_answer" } do
      it("has kind network after " .. name, function() is("network", "unknown", failure(name)) end)
    end

    it("says what cannot be reached, and libcurl's message about it", function()
      local gone = faults.start()
      gone:stop()
      for url, text in pairs {
        [gone.url] = "^the connection failed: .*127%.0%.0%.1.*" .. gone.port,
        ["https://name.invalid"] = "^the name of the server cannot be resolved: .*name%.invalid",
      } do
        local own <close> = new { api_url = url, proxy = url:find "^https" and "" or nil }
        local _, err = calls.vote(own)
        is("network", "no", err)
        assert.matches(text, err.message)
      end
    end)

    -- { entry, message }: the same with every version of libcurl.
    local OK = "HTTP/1.1 200 OK\r\n"
    local function sent(bytes) return { { "send", bytes }, { "close" } } end
    for _, row in ipairs {
      { "close_before_answer", "the connection was closed before a response came" },
      { "reset_before_answer", "the connection was closed before a response came" },
      { "continue_and_close", "the connection was closed before a response came" },
      { sent "HTTP/1.1 200 O", "the connection was closed before a response came" },
      { "hang", "timed out" },
      { "not_http", "the response is not HTTP/1.1 (does the server speak http? For TLS, api_url "
        .. "begins with https://)" },
      { sent "HTTP/1.1 99 Low\r\n\r\n", "the response is not HTTP/1.1 (does the server speak "
        .. "http? For TLS, api_url begins with https://)" },
      { "status_line_only", "the response was cut off (content type: none, without any text)" },
      { "cut_body", "the response was cut off (content type: application/json, begins with "
        .. '"{"succ")' },
      { "reset_in_body", "the response was cut off (content type: application/json, begins with "
        .. '"{"succ")' },
      { "cut_chunked", "the response was cut off, or its chunks are malformed (content type: "
        .. 'application/json, begins with "{"succ")' },
      { sent(OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\nnot a number"),
        "the response was cut off, or its chunks are malformed (content type: none, begins with "
        .. '"[]")' },
      { sent(OK .. "Content-Length: -1\r\n\r\n[]"),
        "the response's head is malformed (content type: none, without any text)" },
      { sent(OK .. "no header\r\nContent-Length: 2\r\n\r\n[]"),
        "the response's head is malformed (content type: none, without any text)" },
      { sent(OK .. "Transfer-Encoding: unknown\r\n\r\n[]"),
        "the response's encoding is broken, or other bytes follow it (content type: none, "
        .. "without any text)" },
      { "endless_head", "the response's head is too large, or there is no memory for it (content "
        .. "type: application/json, without any text)" },
    } do
      local what = type(row[1]) == "string" and row[1] or row[1][1][2]
      it(("has a message of its own after %q"):format(what), function()
        server:script { row[1] }
        local _, err = calls.vote(client, {}, { timeout = row[1] == "hang" and 0.2 or nil })
        assert.equal(row[2], err.message)
      end)
    end

    for _, row in ipairs {
      { "a hanging server", "hang", { timeout = clock.SHORT } },
      { "a hanging server and a shorter deadline", "hang",
        { timeout = 60, deadline = clock.SHORT } },
      { "a head that arrives slowly", faults.slow_head(clock.SHORT / 4),
        { timeout = clock.SHORT } },
    } do
      it("has kind timeout after " .. row[1], function()
        clock.patiently(function()
          server:clear()
          server:script { row[2] }
          local started = os.time()
          local _, err = calls.vote(client, {}, row[3])
          assert.is_true(os.time() - started < 15)
          assert.same({ "timeout", "unknown" }, { err.kind, err.applied })
          assert.equal(1, server:deliveries())
          assert.same({ success = true }, (calls.vote(client)))
        end)
      end)
    end

    it("has kind timeout and applied yes after a body that arrives slowly", function()
      clock.patiently(function()
        server:clear()
        server:script { faults.trickle(clock.SHORT / 2) }
        local own <close> = new { timeout = 2 * clock.SHORT }
        local _, err = calls.vote(own)
        assert.same({ "timeout", "yes", 200 }, { err.kind, err.applied, err.status })
        assert.same({ success = true }, (calls.vote(client)))
      end)
    end)
  end)

  describe("over TLS:", function()
    local certificates = require "support.tls".certificates()

    local function of(certificate, entries, options)
      local secure <close> = faults.start { tls = certificate }
      secure:script(entries or {})
      local own <close> = new { api_url = secure.url, ca_file = certificates.ca,
        connect_timeout = options and options.connect_timeout }
      local value, err = calls.vote(own)
      return value, err, secure:deliveries()
    end

    it("does not occur with a valid certificate", function()
      local value, _, deliveries = of(certificates.valid)
      assert.same({ success = true }, value)
      assert.equal(1, deliveries)
    end)

    for _, name in ipairs { "expired", "not_yet_valid", "wrong_host", "self_signed",
      "unknown_authority" } do
      it("has kind tls if the certificate is " .. name:gsub("_", " "), function()
        local _, err, deliveries = of(certificates[name])
        assert.same({ "tls", "no", 0 }, { err.kind, err.applied, deliveries })
        is_one_line(err)
      end)
    end

    it("has kind tls if the certificate authority is unknown", function()
      local secure <close> = faults.start { tls = true }
      local own <close> = new { api_url = secure.url }
      local _, err = calls.vote(own)
      assert.same({ "tls", "no", 0 }, { err.kind, err.applied, secure:deliveries() })
    end)

    it("has kind tls if ca_file does not exist", function()
      local secure <close> = faults.start { tls = true }
      local own <close> = new { api_url = secure.url, ca_file = "/nowhere/at/all" }
      local _, err = calls.vote(own)
      assert.same({ "tls", "no", 0 }, { err.kind, err.applied, secure:deliveries() })
    end)

    it("has kind timeout if the handshake hangs", function()
      local _, err, deliveries = of(certificates.valid, { "hang_before_handshake" },
        { connect_timeout = 0.3 })
      assert.same({ "timeout", "no", 0 }, { err.kind, err.applied, deliveries })
    end)

    for _, name in ipairs { "cut_handshake", "close_before_handshake",
      "reset_before_handshake" } do
      it("has applied no after " .. name, function()
        local _, err, deliveries = of(certificates.valid, { name })
        assert.same({ "no", 0 }, { err.applied, deliveries })
        assert.is_true(err.kind == "tls" or err.kind == "network")
      end)
    end
  end)

  describe("as text", function()
    it("has the URL of the call in url", function()
      assert.equal(server.url .. VOTE_PATH, failure(faults.status(404)).url)
    end)

    it("has a URL in url that is longer than any head", function()
      local ids = {}
      for i = 1, 20000 do ids[i] = 1000000000000 + i end
      local plan = assert(client.runs:bulk({ run_ids = ids }, { dry_run = true }))
      assert.is_true(#plan.url > 256 * 1024)
      server:usually(faults.status(414, {}, "{}"))
      local _, err = client.runs:bulk { run_ids = ids }
      assert.equal(plan.url, err.url)
    end)

    it("is printed by assert", function()  -- in a child, because busted replaces assert
      server:script { faults.status(404, {}, '{"detail": "No such run."}') }
      local output, code = script.run(([[
        local client = assert(require "cekura".new { api_url = %q, api_key = "the-key" })
        assert(client.runs:mark_metric_vote {
          run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 1,
        })]]):format(server.url))
      assert.truthy(output:find("runs.mark_metric_vote: status 404: No such run. (not_found)\n",
        1, true), output)
      assert.equal(1, code)
    end)

    it("can be concatenated on either side", function()
      local err = failure(faults.status(404, {}, '{"detail": "No such run."}'))
      assert.equal("failed: " .. tostring(err), "failed: " .. err)
      assert.equal(tostring(err) .. "!", err .. "!")
      assert.equal(tostring(err) .. tostring(err), err .. err)
      assert.equal(tostring(err) .. "1", err .. 1)
    end)

    it("says what the server may have done", function()
      local later = faults.status(503, {}, '{"detail": "try later"}')
      assert.equal("results.evaluate_metrics: status 503: try later "
        .. "(server; the server may have acted on it: look before you send it again)",
        tostring(failure(later, SPENDING)))
      assert.matches("; the server did act on it: do not send it again%)$",
        tostring(failure(faults.html(200), SPENDING)))
    end)

    it("has no warning if an idempotent call may be sent again", function()
      assert.equal("runs.mark_metric_vote: status 503: scripted "
        .. "(server; the server may have acted on it: it may be sent again)",
        tostring(failure(faults.status(503))))
      for _, entry in ipairs { faults.status(501), faults.status(302), "close_before_answer",
        faults.html(200), "cut_body" } do
        local line = tostring(failure(entry))
        assert.is_nil(line:find("look before", 1, true), line)
        server:script { entry }
        local _, err = client:request { method = "PUT", path = "/x/", idempotent = true, body = {} }
        assert.is_nil(tostring(err):find("look before", 1, true), line)
      end
      assert.matches("(response; the server did act on it: it may be sent again)",
        tostring(failure "cut_body"), 1, true)
    end)

    it("warns of sending a GET again only if it spends credits", function()
      for _, spends in ipairs { true, false } do
        server:script { "close_before_answer" }
        local _, err = client:request { method = "GET", path = "/x/", spends_credits = spends }
        assert.equal(spends and "unknown" or "no", err.applied)
        assert.equal(spends, tostring(err):find("look before", 1, true) ~= nil)
      end
    end)

    it("shows Retry-After and the attempts of a 429", function()
      local limited = faults.status(429, { ["Retry-After"] = "17.2" }, '{"detail": "Too many."}')
      local own <close> = new()
      server:script { limited }
      assert.matches("Too many. (Retry-After: 18 s, 1 attempt)",
        tostring(select(2, calls.vote(own))), 1, true)
      local delivered = server:deliveries()
      for _, name in ipairs(calls.names) do
        local _, err = calls.make(own, name, {}, { deadline = 1 })
        assert.same({ "rate_limited", "no", true, 0 },
          { err.kind, err.applied, err.retryable, err.attempts })
        assert.matches("rate limit.*%(Retry%-After: 1[5678] s, nothing was sent%)", tostring(err))
      end
      assert.equal(delivered, server:deliveries())
      local other <close> = new { max_attempts = 3, backoff = { base = 0, cap = 0 } }
      server:script { faults.status(429), faults.status(429), faults.status(429) }
      local _, err = calls.vote(other)
      assert.matches("status 429: scripted (3 attempts)", tostring(err), 1, true)
    end)

    it("is one line after a script has removed its fields", function()
      local err = failure(faults.status(404))
      for name in pairs(err) do err[name] = nil end
      assert.equal("string", type(is_one_line(err)))
    end)
  end)
end)
