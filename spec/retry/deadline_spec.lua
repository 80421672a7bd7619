-- The deadline of a call, and the timeout of an attempt, whatever the server does.
local black_hole = require "support.black_hole"
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"

local new, is_sound, times = retries.client, retries.is_sound, retries.times
local VOTE, SPENDING, LOGS =
  "runs.mark_metric_vote", "results.bulk_evaluate_metrics", "calls.evaluate_metrics"
local DEADLINE = clock.SHORT * 2
local PACE = DEADLINE / 100  -- seconds a byte

describe("the deadline", function()
  local plain, secure, hole

  setup(function()
    plain, secure, hole = faults.start(), faults.start { tls = true }, black_hole.start()
  end)
  teardown(function()
    plain:stop()
    secure:stop()
    hole:stop()
  end)
  before_each(function()
    plain:clear()
    secure:clear()
  end)

  local FOR_EVER = "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" .. (" "):rep(9999)
  local many = {}
  for i = 1, 200000 do many[i] = 1000000000000000 + i end

  -- Calls that end without another attempt:
  -- { what, entry, kind, applied, status; `tls`; `hole`; the `name` and `changes` of the call }
  for _, row in ipairs {
    { "no connection is made", nil, "timeout", "no", hole = true },
    { "the handshake does not end", "hang_before_handshake", "timeout", "no", tls = true },
    { "no response comes", "hang", "timeout", "unknown" },
    { "no response comes, over TLS", "hang", "timeout", "unknown", tls = true },
    { "the head comes byte by byte", faults.slow_head(DEADLINE / 5), "timeout", "unknown" },
    { "an endless head comes line by line", { { "send", "HTTP/1.1 200 OK\r\n" },
      { "send_slowly", ("X: y\r\n"):rep(999), PACE } }, "timeout", "yes", 200 },
    { "interim responses never end", { { "send_slowly",
      ("HTTP/1.1 100 Continue\r\n\r\n"):rep(100), PACE } }, "timeout", "unknown" },
    { "the body comes byte by byte", { { "send_slowly", FOR_EVER, PACE } }, "timeout", "yes",
      200 },
    { "the body comes byte by byte, over TLS", { { "send_slowly", FOR_EVER, PACE } },
      "timeout", "yes", 200, tls = true },
    { "the body of a 400 comes byte by byte",
      { { "send", "HTTP/1.1 400 Bad Request\r\n\r\n" }, { "send_slowly", FOR_EVER, PACE } },
      "bad_request", "no", 400 },
    { "the server does not read a large body", { { "read_head" }, { "sleep", 30 } }, "timeout",
      "unknown", name = LOGS, changes = { call_logs = many } },
    { "the server does not read a large body, over TLS", { { "read_head" }, { "sleep", 30 } },
      "timeout", "unknown", name = LOGS, changes = { call_logs = many }, tls = true },
  } do
    local what, entry, kind, applied, status = table.unpack(row, 1, 5)

    it("ends a call when " .. what, function()
      local server = row.tls and secure or plain
      local client <close> = new(server, row.hole and { api_url = hole.url })
      for _, name in ipairs { row.name or VOTE, row.name and LOGS or SPENDING } do
        clock.within(DEADLINE + clock.OVERRUN, function()
          server:clear()
          server:script { entry }
          local seconds, value, err = clock.time(calls.make, client, name, row.changes,
            { deadline = DEADLINE, retry_unknown = true })
          assert.is_nil(value)
          assert.same({ kind, applied, status, 1 },
            { err.kind, err.applied, err.status, err.attempts })
          assert.is_true(seconds >= DEADLINE * 0.95)
        end)
      end
      if not row.hole then is_sound(client, server) end
    end)
  end

  -- { what, entry that is repeated, kind, applied, options of the client }
  for _, row in ipairs {
    { "503", faults.status(503), "server", "unknown" },
    { "429", faults.status(429), "rate_limited", "no" },
    { "429 with Retry-After", faults.status(429, { ["Retry-After"] = "0.05" }), "rate_limited",
      "no" },
    { "connections that die", "reset_before_answer", "network", "unknown" },
    { "truncated responses", "cut_body", "response", "yes" },
    { "silence", "hang", "timeout", "unknown", { timeout = DEADLINE / 4 } },
    { "TLS handshakes that are cut off", "close_before_handshake", "tls", "no", tls = true },
    { "refused connections", nil, "network", "no", { api_url = "http://127.0.0.1:1" } },
    { "connections that are not made", nil, "timeout", "no",
      { connect_timeout = DEADLINE / 4 }, hole = true },
  } do
    local what, entry, kind, applied, options = table.unpack(row, 1, 5)

    it("ends a call that repeatedly meets " .. what, function()
      local server = row.tls and secure or plain
      local all = { max_attempts = 100, backoff = { base = 0.02, cap = 0.05 } }
      for name, value in pairs(options or {}) do all[name] = value end
      if row.hole then all.api_url = hole.url end
      local client <close> = new(server, all)
      local err
      clock.within(DEADLINE + clock.OVERRUN, function()
        server:clear()
        server:script(times(100, entry))
        err = select(2, calls.vote(client, nil, { deadline = DEADLINE }))
      end)
      -- the deadline may also end an attempt before it fails in the same way
      if err.kind ~= "timeout" then assert.equal(kind, err.kind) end
      assert.is_true(err.applied == applied or err.applied == "unknown")
      assert.is_true(err.attempts > 1)
      assert.is_true(server:deliveries() <= err.attempts)
      if not (row.hole or all.api_url) then is_sound(client, server) end
    end)
  end

  it("ends a call at once if the next wait would exceed it", function()
    for _, row in ipairs {
      { 429, VOTE, "rate_limited" }, { 429, SPENDING, "rate_limited" }, { 503, VOTE, "server" },
    } do
      local client <close> = new(plain, { deadline = 20 })
      plain:clear()
      plain:script { faults.status(row[1], { ["Retry-After"] = "21" }) }
      local seconds, _, err = clock.time(calls.make, client, row[2])
      assert.is_true(seconds < clock.AT_ONCE)
      assert.same({ row[3], 21, 1 }, { err.kind, err.retry_after, err.attempts })
      assert.equal(1, plain:deliveries())
    end
  end)

  it("can be set for the client and for the call", function()
    local client <close> = new(plain, { deadline = DEADLINE })
    clock.within(DEADLINE + clock.OVERRUN, function()
      plain:script { "hang" }
      assert.equal("timeout", select(2, calls.vote(client)).kind)
    end)
    plain:script { faults.trickle(DEADLINE / 10) }  -- 17 bytes
    assert.same({ success = true }, (calls.vote(client, nil, { deadline = clock.LIMIT })))
  end)

  it("and the timeout of an attempt do not change each other", function()
    local client <close> = new(plain, { max_attempts = 1, timeout = DEADLINE })
    clock.within(DEADLINE + clock.OVERRUN, function()
      plain:script { "hang" }
      assert.equal("timeout", select(2, calls.vote(client)).kind)
    end)
    plain:clear()
    plain:script { "hang", "hang" }
    local seconds, _, response = clock.time(calls.vote, client, nil, { max_attempts = 3 })
    assert.equal(3, response.attempts)
    assert.is_true(seconds >= 2 * DEADLINE * 0.95)
    assert.equal(3, plain:deliveries())
  end)

  it("starts with each call", function()
    local client <close> = new(plain, { deadline = 4 * DEADLINE })
    for _ = 1, 3 do
      plain:script { { { "read" }, { "sleep", 2 * DEADLINE }, faults.ok()[1] } }
      assert.same({ success = true }, (calls.vote(client)))
    end
  end)

  it("includes waits, as response.elapsed and event.elapsed do", function()
    local events = {}
    local client <close> = new(plain, { on_event = function(event)
      events[#events + 1] = event
    end })
    plain:script { faults.status(429, { ["Retry-After"] = "0.1" }) }
    local seconds, _, response = clock.time(calls.vote, client)
    assert.is_true(response.elapsed >= 0.1 and response.elapsed <= seconds)
    assert.is_true(events[#events].elapsed >= 0.1 and events[#events].elapsed <= seconds)
  end)
end)
