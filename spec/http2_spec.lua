-- Sending again over HTTP/2, where a server has words for what HTTP/1 only does.
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"

local new, is_sound = retries.client, retries.is_sound
local h2 = faults.h2
local VOTE = "runs.mark_metric_vote"
local SPENDING = {
  "results.evaluate_metrics", "results.bulk_evaluate_metrics", "calls.evaluate_metrics",
  "metric_reviews.process_feedbacks",
}

describe("over HTTP/2", function()
  if not faults.has_h2() then return pending "needs Python's h2 library" end

  local server

  setup(function() server = faults.start { h2 = true } end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local function protocols()
    local list = {}
    for i, row in ipairs(server:ledger()) do list[i] = row.request_line:match "HTTP/[%d.]+$" end
    return list
  end

  it("what spends nothing is HTTP/2 indeed", function()
    local client <close> = new(server)
    assert(calls.vote(client))
    for _, name in ipairs(calls.companions) do assert(calls.make(client, name)) end
    local expected = {}
    for i = 1, 1 + #calls.companions do expected[i] = "HTTP/2" end
    assert.same(expected, protocols())
  end)

  -- Over HTTP/2 a vote would join its connection, and libcurl would no longer tell apart what was
  -- refused and what was lost.
  it("what spends credits is not sent, but over an HTTP/1.1 connection of its own", function()
    local client <close> = new(server)
    assert(calls.vote(client))
    for _, name in ipairs(SPENDING) do assert(calls.make(client, name)) end
    assert(calls.vote(client))
    assert.same({ "HTTP/2", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/2" }, protocols())
    assert.equal(1 + #SPENDING, server:connections())
  end)

  -- libcurl 7.88 would send it there, and take the one's answer for the other's.
  it("no vote joins the HTTP/1.1 connection of a call that is under way", function()
    local client <close> = new(server, { timeout = clock.SHORT * 4 })
    assert(calls.vote(client))
    server:script { "hang" }
    local task = client:spawn(calls.make, client, SPENDING[1], nil, { max_attempts = 1 })
    while server:deliveries() < 2 do client:step(0.05) end
    server:kill_idle "fin"  -- there is no other connection
    for _ = 1, 3 do assert.is_true(assert(calls.vote(client)).success) end
    local _, err = task:wait()
    assert.same({ "timeout", "unknown" }, { err.kind, err.applied })
    local _, over_http1 = table.concat(protocols(), " "):gsub("HTTP/1.1", "")
    assert.equal(1, over_http1)
  end)

  -- { what, entry, kind, applied, status; `final`: it is not sent again }
  for _, row in ipairs {
    { "a stream that is refused", "refused_stream", "network", "unknown" },
    { "a stream that is wanted over HTTP/1.1", "http_1_1_required", "network", "unknown" },
    { "429", h2.status(429), "rate_limited", "no", 429 },
    { "503", h2.status(503), "server", "unknown", 503 },
    { "408", h2.status(408), "bad_request", "unknown", 408 },
    { "400", h2.status(400), "bad_request", "no", 400, final = true },
    { "307", h2.redirect(307), "response", "no", 307, final = true },
    { "no JSON", "not_json", "response", "yes", 200, final = true },
    { "a stream that is reset", h2.rst_stream(), "network", "unknown" },
    { "a stream that is cancelled", h2.rst_stream "CANCEL", "network", "unknown" },
    { "a stream that the server is too busy for", h2.rst_stream "ENHANCE_YOUR_CALM", "network",
      "unknown" },
    { "a stream that is reset without an error", h2.rst_stream "NO_ERROR", "network", "unknown" },
    { "a farewell that leaves it out", "goaway", "network", "unknown" },
    { "an angry farewell that leaves it out", h2.goaway "ENHANCE_YOUR_CALM", "network", "unknown" },
    { "a farewell that covers it, and the end", "goaway_then_close", "network", "unknown" },
    { "the end of the connection", "close_before_answer", "network", "unknown" },
    { "a reset of the connection", "reset_before_answer", "network", "unknown" },
    { "silence", "hang", "timeout", "unknown", timeout = clock.SHORT * 2 },
    { "an answer that ends after its head", "reset_after_headers", "response", "yes", 200 },
    { "an answer that ends in its body", "reset_in_body", "response", "yes", 200 },
    { "an answer that ends with the connection", "cut_body", "response", "yes", 200 },
  } do
    local what, entry, kind, applied, status = table.unpack(row, 1, 5)

    local function make(client, options)
      options.timeout = row.timeout
      server:clear()
      server:script { entry }
      local value, result = calls.make(client, VOTE, nil, options)
      assert.is_true(server:deliveries() <= result.attempts)
      return value, result
    end

    it("a vote meets " .. what, function()
      local client <close> = new(server)
      local value, result = make(client, {})
      assert.equal(not row.final, value ~= nil)
      assert.same(row.final and { 1, 1 } or { 2, 2 }, { result.attempts, server:deliveries() })
      is_sound(client, server)

      local other <close> = new(server)
      value, result = make(other, { max_attempts = 1 })
      assert.is_nil(value)
      assert.same({ kind, applied, status, 1, 1 }, { result.kind, result.applied, result.status,
        result.attempts, server:deliveries() })
      is_sound(other, server)
    end)
  end

  it("a farewell that lets the request be answered is no failure", function()
    local client <close> = new(server)
    server:script { "goaway_then_ok" }
    local _, response = assert(calls.vote(client))
    assert.same({ 1, 1 }, { response.attempts, server:deliveries() })
    is_sound(client, server)
  end)

  for _, entry in ipairs { "refused_stream", "http_1_1_required" } do
    it("what was refused is sent again over HTTP/1.1: " .. entry, function()
      local client <close> = new(server)
      server:script { entry }
      assert(calls.vote(client))
      assert.same({ "HTTP/2", "HTTP/1.1" }, protocols())
    end)
  end

  describe("a connection that waits for a request", function()
    for _, how in ipairs { "fin", "tls_cut", "goaway", "reset", "close_next", "reset_next" } do
      it("dies: " .. how, function()
        for _, name in ipairs { VOTE, SPENDING[1] } do
          local client <close> = new(server)
          assert(calls.vote(client))
          server:clear()
          server:kill_idle(how)
          local _, response = assert(calls.make(client, name, nil, { retry_unknown = true }))
          local most = name == VOTE and 2 or 1
          assert.is_true(response.attempts <= most)
          assert.is_true(server:deliveries() <= response.attempts)
          is_sound(client, server)
        end
      end)

      it("dies, and so do all others: " .. how, function()
        local client <close> = new(server)
        assert(calls.vote(client))
        for _, name in ipairs(SPENDING) do assert(calls.make(client, name)) end
        server:clear()
        server:kill_idle(how)
        local _, response = assert(calls.vote(client))
        assert.is_true(server:deliveries() <= response.attempts)
        server:clear()
        assert(calls.make(client, SPENDING[3]))
        assert.equal(1, server:deliveries())
        is_sound(client, server)
      end)

      it("dies, and there may be no other: " .. how, function()
        local client <close> = new(server, { max_attempts = 1 })
        assert(calls.vote(client))
        server:clear()
        server:kill_idle(how)
        local value, err = calls.vote(client)
        if not value then
          assert.same({ "network", 1 }, { err.kind, err.attempts })
          assert.is_true(err.applied == "unknown" or server:deliveries() == 0)
        end
        assert.is_true(server:deliveries() <= 1)
        local other <close> = new(server)
        is_sound(other, server)
      end)
    end
  end)

  describe("a large body", function()
    local many = {}
    for i = 1, 100000 do many[i] = 1000000000000000 + i end

    -- { what, entry, kind, applied, status }
    for _, row in ipairs {
      { "arrives", h2.ok() },
      { "is refused early", h2.early_error(413), "bad_request", "no", 413 },
      { "meets an early 503", h2.early_error(503), "server", "unknown", 503 },
      { "loses its connection", { { "read_head" }, { "reset" } }, "network", "unknown" },
      { "has its stream reset", { { "read_head" }, { "rst_stream", "INTERNAL_ERROR" } }, "network",
        "unknown" },
      { "has its stream refused", "refused_stream", "network", "unknown" },
    } do
      local what, entry, kind, applied, status = table.unpack(row, 1, 5)

      it(what, function()
        local client <close> = new(server, { max_attempts = 1 })
        server:script { entry }
        local value, result = calls.make(client, VOTE, { expected_value = many })
        assert.equal(kind == nil, value ~= nil)
        if kind then
          assert.same({ kind, applied, status }, { result.kind, result.applied, result.status })
        else
          assert.is_true(server:ledger()[1].complete)
        end
        assert.same({ 1, 1 }, { result.attempts, server:deliveries() })
        is_sound(client, server)
      end)
    end
  end)

  it("the deadline holds", function()
    local client <close> = new(server)
    for _, entry in ipairs { "hang", { { "headers", 200, {} }, { "hang" } } } do
      clock.within(2 * clock.SHORT + clock.OVERRUN, function()
        server:script { entry }
        local _, err = calls.make(client, VOTE, nil, { deadline = 2 * clock.SHORT })
        assert.same({ "timeout", 1 }, { err.kind, err.attempts })
      end)
    end
  end)
end)
