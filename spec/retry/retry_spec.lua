-- Retries: which failed attempts are followed by another one, and what arrives at the server.
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"

local new, is_sound, times = retries.client, retries.is_sound, retries.times

local VOTE, LOGS = "runs.mark_metric_vote", "calls.evaluate_metrics"
local SPENDING = {
  "results.evaluate_metrics", "results.bulk_evaluate_metrics", LOGS,
  "metric_reviews.process_feedbacks",
}
local SHORT = clock.SHORT

-- The kinds of calls: a vote, a call that spends credits, and such a call with retry_unknown.
local CALLERS = { "vote", "spending", "insistent" }

-- The classes of failed attempts: which kinds of calls are retried, and `applied`.
local CLASSES = {
  ["never sent"] = { vote = true, spending = true, insistent = true, applied = "no" },
  ["refused for now"] = { vote = true, spending = true, insistent = true, applied = "no" },
  ["lost"] = { vote = true, insistent = true, applied = "unknown" },
  ["cut off"] = { vote = true, applied = "yes" },
  ["unreadable"] = { applied = "yes" },
  ["refused"] = { applied = "no" },
  ["doubtful"] = { applied = "unknown" },
}

local PLAIN, TLS, BOTH = { "plain" }, { "tls" }, { "plain", "tls" }

-- Return entries that send these bytes; the connection ends with a FIN (over TLS after
-- close_notify), or without close_notify.
local function closed(bytes) return { { "send", bytes }, { "close" } } end
local function cut(bytes) return { { "send", bytes }, { "tls_cut" } } end

local OK = "HTTP/1.1 200 OK\r\n"

-- { class, entry of the server, kind, status; either = another possible kind, what = title, over =
-- transports (default: both), wait = Retry-After, sent = deliveries of an attempt (default: 1),
-- slow = true if it ends by a timeout, options = of the client }
local ROWS = {
  { "never sent", "close_before_handshake", "tls", over = TLS, sent = 0 },
  { "never sent", "reset_before_handshake", "tls", either = "network", over = TLS, sent = 0 },
  { "never sent", "cut_handshake", "tls", over = TLS, sent = 0 },
  { "never sent", "hang_before_handshake", "timeout", over = TLS, sent = 0, slow = true,
    options = { connect_timeout = SHORT } },

  { "refused for now", faults.status(429), "rate_limited", 429, what = "429" },
  { "refused for now", faults.status(429, { ["Retry-After"] = 0.2 }), "rate_limited", 429,
    what = "429 with Retry-After", wait = 0.2 },
  { "refused for now", faults.status(429, { ["Retry-After"] = 0 }), "rate_limited", 429,
    what = "429 with Retry-After: 0", wait = 0 },

  { "lost", faults.status(408), "bad_request", 408, what = "408" },
  { "lost", faults.status(500), "server", 500, what = "500" },
  { "lost", faults.html(502), "server", 502, what = "502 in HTML" },
  { "lost", faults.status(503), "server", 503, what = "503" },
  { "lost", faults.status(503, { ["Retry-After"] = 0.2 }), "server", 503,
    what = "503 with Retry-After", wait = 0.2 },
  { "lost", faults.status(504), "server", 504, what = "504" },
  { "lost", "close_before_answer", "network" },
  { "lost", "reset_before_answer", "network" },
  { "lost", "continue_and_close", "network" },
  { "lost", cut "", "network", over = TLS, what = "no response, without close_notify" },
  { "lost", closed "HTTP/1.1 200 OK", "network", what = "half a status line" },
  { "lost", closed "HTTP/1.1 103 Early Hints\r\nLink: x", "network",
    what = "half an interim head" },
  { "lost", cut "HTTP/1.1 103 Early Hints\r\nLink: x", "network", over = TLS,
    what = "half an interim head without close_notify" },
  { "lost", "not_http", "response" },
  { "lost", closed "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n[]", "response",
    what = "a status of four digits" },
  { "lost", closed "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\n[]", "response",
    what = "a carriage return in the status line" },
  { "lost", "hang", "timeout", slow = true },
  { "lost", faults.slow_head(SHORT / 4), "timeout", slow = true, over = PLAIN,
    what = "a head that arrives slowly" },

  { "cut off", "status_line_only", "response", 200 },
  { "cut off", "half_header", "response", 200 },
  { "cut off", cut(OK), "response", 200, over = TLS,
    what = "a status line alone, without close_notify" },
  { "cut off", cut(OK .. "Content-Le"), "response", 200, over = TLS,
    what = "half a head without close_notify" },
  { "cut off", closed "HTTP/1.1 204 No Content\r\n", "response", 204,
    what = "a status line of 204 alone" },
  { "cut off", closed(OK .. "Content-Length: 17\r\nContent-Length: 2\r\n\r\n[]"), "response",
    200, what = "two different lengths" },
  { "cut off", closed(OK .. "Content-Length: 2, 17\r\n\r\n[]"), "response", 200,
    what = "a list of different lengths" },
  { "cut off", closed(OK .. "Content-Length: 2x\r\n\r\n[]"), "response", 200,
    what = "a length with other text" },
  { "cut off", closed(OK .. "Content-Length: +2\r\n\r\n[]"), "response", 200,
    what = "a length with a sign" },
  { "cut off", closed(OK .. "X: a\rb\r\nContent-Length: 2\r\n\r\n[]"), "response", 200,
    what = "a carriage return in a header" },
  { "cut off", closed(OK .. "\tX: a\r\nContent-Length: 2\r\n\r\n[]"), "response", 200,
    what = "a continuation of the status line" },
  { "cut off", closed(OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\nX: a\r\n b\r\n\r\n"),
    "response", 200, what = "a continuation in a trailer" },
  { "cut off", "cut_body", "response", 200 },
  { "cut off", "reset_in_body", "response", 200, over = PLAIN },
  { "cut off", "cut_chunked", "response", 200 },
  { "cut off", "unended_chunked", "response", 200 },
  { "cut off", "cut_close_delimited", "response", 200 },
  { "cut off", "empty_close_delimited", "response", 200 },
  { "cut off", cut(OK .. "\r\n[1, 2"), "response", 200, over = TLS,
    what = "half a value without close_notify" },
  { "cut off", cut(OK .. "Content-Length: 18\r\n\r\n[1, 2]"), "response", 200, over = TLS,
    what = "a short body without close_notify" },
  { "cut off", cut(OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"), "response", 200,
    over = TLS, what = "a body without its last chunk and without close_notify" },
  { "cut off", faults.trickle(SHORT / 4), "timeout", 200, slow = true, over = PLAIN,
    what = "a body that arrives slowly" },

  { "unreadable", "not_json", "response", 200 },
  { "unreadable", faults.html(200), "response", 200, what = "HTML with 200" },
  { "unreadable", "invalid_utf8", "response", 200 },
  { "unreadable", closed(OK .. "Transfer-Encoding: chunked, identity\r\n\r\n2\r\n[]\r\n0\r\n\r\n"),
    "response", 200, what = "a coding after chunked" },
  { "unreadable", closed(OK .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
    .. "2\r\n[]\r\n0\r\n\r\n"), "response", 200, what = "a coding in a header after chunked" },
  { "unreadable", closed(OK .. ("X: y\r\n"):rep(4096) .. "Content-Length: 2\r\n\r\n[]"), "response",
    200, what = "a head of too many lines" },
  { "unreadable", closed(OK .. "X: " .. ("y"):rep(120000) .. "\r\nContent-Length: 2\r\n\r\n[]"),
    "response", 200, what = "a head with too long a line" },
  { "unreadable", "endless_body", "response", 200, over = PLAIN,
    options = { max_response_bytes = 1000 } },
  { "unreadable", faults.ok(("[1, "):rep(1000)), "response", 200,
    what = "more than max_response_bytes", options = { max_response_bytes = 1000 } },

  { "refused", faults.status(400), "bad_request", 400, what = "400" },
  { "refused", faults.status(401), "authentication", 401, what = "401" },
  { "refused", faults.status(403), "permission", 403, what = "403" },
  { "refused", faults.status(404), "not_found", 404, what = "404" },
  { "refused", faults.status(409, { ["Retry-After"] = 0 }), "bad_request", 409,
    what = "409 with Retry-After", wait = 0 },
  { "refused", faults.status(422), "bad_request", 422, what = "422" },
  { "refused", faults.redirect(307), "response", 307, what = "307" },

  { "doubtful", faults.redirect(302), "response", 302, what = "302" },
  { "doubtful", faults.status(501), "server", 501, what = "501" },
}

describe("an attempt that fails", function()
  local servers = {}

  setup(function()
    servers.plain = faults.start()
    servers.tls = faults.start { tls = true }
  end)
  teardown(function()
    servers.plain:stop()
    servers.tls:stop()
  end)
  before_each(function()
    servers.plain:clear()
    servers.tls:clear()
  end)

  -- ---- the table

  -- Makes the call while the server plays the row's entry `count` times.
  local function make(row, name, caller, server, client, count, max_attempts)
    server:clear()
    server:script(times(count, row[2]))
    return clock.time(calls.make, client, name, nil, {
      max_attempts = max_attempts,
      retry_unknown = caller == "insistent" or nil,
      timeout = row.slow and SHORT or nil,
    })
  end

  local function has_failed(row, value, err, attempts)
    assert.is_nil(value)
    assert.same({ CLASSES[row[1]].applied, row[4], attempts },
      { err.applied, err.status, err.attempts })
    if err.kind ~= row.either then assert.equal(row[3], err.kind) end
    assert.equal(row.wait, err.retry_after)
  end

  local function has_succeeded(value, response, attempts)
    assert.same({ success = true }, value)
    assert.same({ 200, attempts }, { response.status, response.attempts })
  end

  -- `count`: how often the server plays the row's entry
  local function check(row, name, caller, server, count, max_attempts)
    local client <close> = new(server, row.options)
    local attempts, sent = 1, row.sent or 1
    if max_attempts > 1 and CLASSES[row[1]][caller] then attempts = 2 end
    local seconds, value, result = make(row, name, caller, server, client, count, max_attempts)
    if attempts > count then
      has_succeeded(value, result, attempts)
      assert.equal(sent + 1, server:deliveries())
    else
      has_failed(row, value, result, attempts)
      assert.equal(sent * attempts, server:deliveries())
    end
    assert.is_true(seconds >= (attempts - 1) * (row.wait or 0) and seconds < clock.LIMIT)
    is_sound(client, server)
  end

  for number, row in ipairs(ROWS) do
    local spending = SPENDING[number % #SPENDING + 1]

    for _, transport in ipairs(row.over or BOTH) do
      for _, caller in ipairs(CALLERS) do
        local name = caller == "vote" and VOTE or spending
        local what = row.what or row[2]:gsub("_", " ")

        it(("is %s: %s, over %s, %s"):format(row[1], what, transport, caller), function()
          local server = servers[transport]
          if not row.slow then check(row, name, caller, server, 2, 2) end
          for most = 1, 2 do
            local function once() check(row, name, caller, server, 1, most) end
            if row.slow then clock.patiently(once) else once() end
          end
        end)
      end
    end
  end

  -- ---- never sent, because there is no server

  for _, row in ipairs {
    { "DNS", "http://" .. ("x"):rep(64) .. ".invalid" },  -- too long for a label
    { "refused", "http://127.0.0.1:1" },
    { "refused, over TLS", "https://127.0.0.1:1" },
  } do
    it("is never sent: " .. row[1], function()
      local client <close> = new(servers.plain, { api_url = row[2], allow_http = true })
      for _, name in ipairs { VOTE, SPENDING[1] } do
        for attempts = 1, 2 do
          local _, err = calls.make(client, name, nil, { max_attempts = attempts })
          assert.same({ "network", "no", attempts }, { err.kind, err.applied, err.attempts })
        end
      end
    end)
  end

  it("that was never sent is followed by one that is, once a server listens", function()
    for _, name in ipairs { VOTE, SPENDING[2] } do
      local up
      local gone = sandbox.start()
      gone:stop()
      local client <close> = new(servers.plain, { api_url = gone.url, on_event = function(event)
        if event.type == "retry" then
          up = up or sandbox.start { port = gone.port, api_key = "the-key" }
        end
      end })
      local _, response = assert(calls.make(client, name))
      assert.equal(2, response.attempts)
      assert.equal(1, #up:requests())
      up:stop()
    end
  end)

  it("because of a certificate is not retried, and nothing is sent", function()
    local certificates = require "support.tls".certificates()
    local server <close> = faults.start { tls = certificates.expired }
    local client <close> = new(server, { ca_file = certificates.ca })
    for _, name in ipairs { VOTE, SPENDING[1] } do
      local _, err = calls.make(client, name, nil, { retry_unknown = true })
      assert.same({ "tls", "no", 1 }, { err.kind, err.applied, err.attempts })
    end
    assert.same({ 2, 2, 0 }, { server:connections(), server:silent(), server:deliveries() })
  end)

  -- ---- dead connections

  describe("on a dead connection:", function()
    -- The ends of an idle connection. With "next", it ends when the next request arrives, which the
    -- server records. libcurl may notice the others before it sends.
    local DEATHS = { "fin", "tls_cut", "reset", "close_next", "reset_next" }

    -- A call that would wait fails, unless its random wait is among the first 20 s of a day.
    local PATIENT = { deadline = 20, backoff = { base = 86400, cap = 86400 } }

    local function vote_is_safe(server, client, how)
      local _, response = assert(calls.vote(client))
      assert.is_true(response.attempts <= 2)
      assert.is_true(server:deliveries() <= response.attempts)
      if how:find "next" then assert.equal(2, server:deliveries()) end
    end

    local function spending_is_sent_once(server, client, name)
      server:clear()
      local _, response = assert(calls.make(client, name, nil, { retry_unknown = true }))
      assert.same({ 1, 1 }, { response.attempts, server:deliveries() })
    end

    -- Returns a client with one connection, which is dead.
    local function with_dead_connection(server, how, options)
      local client = new(server, options)
      assert(calls.vote(client))
      server:clear()
      assert.is_true(server:kill_idle(how) > 0)
      return client
    end

    -- Returns a client with several dead connections: each of the calls at once makes one.
    local function with_dead_pool(server, how)
      local client = new(server)
      local tasks = {}
      for i = 1, 4 do tasks[i] = client:spawn(calls.vote, client) end
      for i = 1, 4 do assert(tasks[i]:wait()) end
      server:clear()
      assert.is_true(server:kill_idle(how) > 1, "no pool to kill")
      return client
    end

    local function check_deaths(transport, how)
      local where = ("%s, over %s"):format(how, transport)

      it("a vote is sent again safely, " .. where, function()
        local client <close> = with_dead_connection(servers[transport], how)
        vote_is_safe(servers[transport], client, how)
        is_sound(client, servers[transport])
      end)

      it("a call that spends credits is sent once, " .. where, function()
        local client <close> = with_dead_connection(servers[transport], how)
        spending_is_sent_once(servers[transport], client, SPENDING[2])
        is_sound(client, servers[transport])
      end)

      it("a vote is sent again safely with a pool of them, " .. where, function()
        local client <close> = with_dead_pool(servers[transport], how)
        vote_is_safe(servers[transport], client, how)
        spending_is_sent_once(servers[transport], client, SPENDING[3])
        is_sound(client, servers[transport])
      end)

      it("calls that spend credits are sent once with a pool of them, " .. where, function()
        local client <close> = with_dead_pool(servers[transport], how)
        for _, name in ipairs(SPENDING) do
          spending_is_sent_once(servers[transport], client, name)
        end
        is_sound(client, servers[transport])
      end)
    end

    for _, transport in ipairs(BOTH) do
      for _, how in ipairs(DEATHS) do check_deaths(transport, how) end

      for _, how in ipairs { "close_next", "reset_next" } do
        it(("a vote fails with max_attempts = 1, %s, over %s"):format(how, transport), function()
          local server = servers[transport]
          local client <close> = with_dead_connection(server, how, { max_attempts = 1 })
          local _, err = calls.vote(client)
          assert.same({ "network", "unknown", 1 }, { err.kind, err.applied, err.attempts })
          assert.equal(1, server:deliveries())
        end)

        it(("a vote is sent again at once, %s, over %s"):format(how, transport), function()
          local server = servers[transport]
          local client <close> = with_dead_connection(server, how, PATIENT)
          local _, response = assert(calls.vote(client))
          local attempts, ledger = response.attempts, server:ledger()
          assert.same({ 2, 2, 1 }, { attempts, #ledger, server:connections() })
          assert.is_true(ledger[2].connection > ledger[1].connection)
        end)

        it(("a vote is sent again at once, and no third time, %s, over %s"):format(how, transport),
          function()
            local server = servers[transport]
            local client <close> = with_dead_connection(server, how, PATIENT)
            server:script { "close_before_answer" }
            local _, err = calls.vote(client)
            assert.same({ "network", "unknown", 2 }, { err.kind, err.applied, err.attempts })
            assert.equal(2, server:deliveries())
          end)
      end
    end

    it("many votes are sent again at once", function()
      local COUNT, QUOTA = 120, 50
      local SLOW = { { "sleep", 0.5 }, faults.ok()[1] }  -- no vote waits for a connection
      local server = servers.plain
      local client <close> = new(server, PATIENT)
      local function vote_together()
        server:usually(SLOW)
        local tasks = {}
        for i = 1, COUNT do tasks[i] = client:spawn(calls.vote, client) end
        for i = 1, COUNT do assert(tasks[i]:wait()) end
      end
      vote_together()
      server:clear()
      server:kill_idle "close_next"
      vote_together()
      assert.is_true(server:deliveries() > COUNT + QUOTA)
      server:clear()
    end)
  end)

  -- ---- truncated responses that libcurl reports as complete

  for what, entry in pairs {
    ["the half header"] = "half_header", ["the cut close-delimited body"] = "cut_close_delimited",
  } do
    for _, transport in ipairs(BOTH) do
      it(("with %s is not a success, over %s"):format(what, transport), function()
        local server = servers[transport]
        local client <close> = new(server)
        server:script { entry }
        local value, response = calls.vote(client)
        assert.same({ { success = true }, 2 }, { value, response.attempts })
        assert.equal(2, server:deliveries())
        for _, name in ipairs(SPENDING) do
          server:clear()
          server:script { entry }
          local nothing, err = calls.make(client, name, nil, { retry_unknown = true })
          assert.is_nil(nothing)
          assert.same({ "response", "yes", 200, 1 },
            { err.kind, err.applied, err.status, err.attempts })
          assert.equal(1, server:deliveries())
        end
        is_sound(client, server)
      end)
    end
  end

  it("is not a complete value whose body ends with the connection, however that ends", function()
    local head = OK .. "Content-Type: application/json\r\n\r\n"
    local reset = { { "send", head .. '{"success": true}' }, { "sleep", 0.05 }, { "reset" } }
    for _, row in ipairs {
      { "plain", "whole_close_delimited" }, { "tls", "whole_close_delimited" },
      { "tls", "tls_cut_close_delimited" }, { "plain", reset }, { "tls", reset },
    } do
      local server = servers[row[1]]
      local client <close> = new(server)
      server:clear()
      server:script { row[2] }
      local value, response = calls.make(client, SPENDING[1])
      assert.same({ success = true }, value, tostring(response))
      assert.same({ 1, 1 }, { response.attempts, server:deliveries() })
    end
  end)

  -- ---- a large body

  describe("while a large body is sent", function()
    local MEGABYTES = 4
    local many, long

    setup(function()
      many, long = {}, ("feedback"):rep(MEGABYTES << 17)
      for i = 1, MEGABYTES << 16 do many[i] = 1000000000000000 + i end  -- at least 17 bytes each
    end)

    local function make_large(client, name, options)
      return calls.make(client, name, { [name == LOGS and "call_logs" or "feedback"] =
        name == LOGS and many or long }, options)
    end

    for _, transport in ipairs(BOTH) do
      for what, entry in pairs {
        ["by the connection's death"] = faults.reset_mid_request(),
        ["by a FIN"] = { { "read_body", 65536 }, { "close" } },
      } do
        it(("%s is retried only if that is harmless, over %s"):format(what, transport),
          function()
            local server = servers[transport]
            local client <close> = new(server)

            server:script { entry }
            local _, err = make_large(client, LOGS)
            assert.same({ "network", "unknown", 1 }, { err.kind, err.applied, err.attempts })
            assert.equal(1, server:deliveries())
            is_sound(client, server)

            for _, name in ipairs { VOTE, LOGS } do
              server:clear()
              server:script { entry }
              local _, response = assert(make_large(client, name, { retry_unknown = true }))
              assert.equal(2, response.attempts)
              assert.equal(2, server:deliveries())
              assert.is_true(server:ledger()[2].complete)
            end
            is_sound(client, server)
          end)
      end

      for status, row in pairs {
        [413] = { "bad_request", "no", 1 }, [503] = { "server", "unknown", 1 },
      } do
        it(("by an early %d has that status, over %s"):format(status, transport), function()
          local server = servers[transport]
          local client <close> = new(server)
          server:script { faults.early_error(status) }
          local _, err = make_large(client, LOGS)
          assert.same(row, { err.kind, err.applied, err.attempts })
          assert.same({ status, "no" }, { err.status, err.detail })
          assert.equal(1, server:deliveries())
          is_sound(client, server)
        end)
      end
    end
  end)

  -- ---- several attempts

  describe("counts for `applied` with all attempts of the call:", function()
    -- { entries, caller, kind, applied, attempts }
    for _, row in ipairs {
      { { "reset_before_answer", faults.status(400) }, "vote", "bad_request", "unknown", 2 },
      { { faults.status(503), faults.status(404) }, "vote", "not_found", "unknown", 2 },
      { { faults.status(429), "close_before_answer", faults.status(403) }, "vote", "permission",
        "unknown", 3 },
      { { "cut_body", faults.status(400) }, "vote", "bad_request", "yes", 2 },
      { { "cut_body", faults.status(503), faults.status(401) }, "vote", "authentication", "yes",
        3 },
      { { faults.status(429), faults.status(429), faults.status(400) }, "vote", "bad_request",
        "no", 3 },
      { { faults.status(429), faults.status(400) }, "spending", "bad_request", "no", 2 },
      { { faults.status(429), faults.status(503), "ok" }, "spending", "server", "unknown", 2 },
      { { faults.status(503), faults.status(400) }, "insistent", "bad_request", "unknown", 2 },
      { { faults.status(503), "cut_body", "ok" }, "insistent", "response", "yes", 2 },
      { { "close_before_answer", "close_before_answer", "close_before_answer" }, "insistent",
        "network", "unknown", 3 },
    } do
      local names = {}
      for i, entry in ipairs(row[1]) do
        names[i] = type(entry) == "string" and entry or tostring(entry[1][2])
      end

      it(table.concat(names, ", ") .. ", " .. row[2], function()
        local server = servers.plain
        local client <close> = new(server, { max_attempts = 3 })
        server:script(row[1])
        local _, err = calls.make(client, row[2] == "vote" and VOTE or SPENDING[1], nil,
          { retry_unknown = row[2] == "insistent" })
        assert.same({ row[3], row[4], row[5] }, { err.kind, err.applied, err.attempts })
        assert.equal(row[5], server:deliveries())
        is_sound(client, server)
      end)
    end

    -- The server stops before the first retry: later attempts are never sent.
    for entry, applied in pairs { reset_before_answer = "unknown", cut_body = "yes" } do
      it(entry .. ", and then no server", function()
        for _, transport in ipairs(BOTH) do
          local server <close> = faults.start { tls = transport == "tls" }
          local client <close> = new(server, { max_attempts = 3, on_event = function(event)
            if event.type == "retry" then server:stop() end
          end })
          server:script { entry }
          local _, err = calls.vote(client)
          assert.same({ "network", applied, 3 }, { err.kind, err.applied, err.attempts })
          assert.is_nil(err.status)
        end
      end)
    end
  end)

  it("is followed by others up to max_attempts", function()
    local server = servers.plain
    for most = 1, 6 do
      local client <close> = new(server, { max_attempts = most })
      server:clear()
      server:script(times(8, faults.status(503)))
      assert.equal(most, select(2, calls.vote(client)).attempts)
      assert.equal(most, server:deliveries())
      assert.equal(1, select(2, calls.vote(client, nil, { max_attempts = 1 })).attempts)
      assert.equal(most + 1, server:deliveries())
    end
  end)

  it("is followed by up to three others by default", function()
    local server = servers.plain
    local client <close> = new(server)
    server:script { faults.status(500), faults.status(502), faults.status(503),
      faults.status(504), faults.status(500) }
    assert.equal(4, select(2, calls.vote(client)).attempts)
  end)

  it("is followed by a random wait that grows up to a cap", function()
    local server = servers.plain
    local waits = {}
    local client <close> = new(server, {
      max_attempts = 8, backoff = { base = 0.01, cap = 0.03 },
      on_event = function(event) waits[#waits + 1] = event.wait end,
    })
    server:script(times(8, faults.status(503)))
    local seconds = clock.time(calls.vote, client)
    assert.equal(7, #waits)
    local sum, different = 0, false
    for i, wait in ipairs(waits) do
      assert.is_true(wait >= 0 and wait <= math.min(0.01 * 2 ^ (i - 1), 0.03))
      sum, different = sum + wait, different or wait ~= waits[1]
    end
    assert.is_true(different)
    assert.is_true(seconds >= sum)
  end)

  it("is followed by a wait of up to twice the base if it met a 429 without Retry-After", function()
    local server = servers.plain
    local longest = { [429] = 0, [503] = 0 }
    local client <close> = new(server, {
      backoff = { base = 0.004, cap = 1 },
      on_event = function(event)
        if event.wait then longest[event.status] = math.max(longest[event.status], event.wait) end
      end,
    })
    for _ = 1, 40 do  -- all waits are in the same half of the range once in 2^40 runs
      server:script { faults.status(429) }
      assert(calls.vote(client))
      server:script { faults.status(503) }
      assert(calls.vote(client))
    end
    assert.is_true(longest[503] <= 0.004)
    assert.is_true(longest[429] > 0.004 and longest[429] <= 0.008)
  end)

  it("is sent again with the same bytes", function()
    local server = servers.plain
    local client <close> = new(server)
    server:script { faults.status(429), "ok" }
    assert(calls.make(client, LOGS, { call_logs = { 1, 2, 3 } }, { headers = { ["X-A"] = "1" } }))
    local first, second = table.unpack(server:ledger())
    for _, field in ipairs { "request_line", "body", "headers" } do
      assert.same(first[field], second[field])
    end
  end)
end)
