-- Retry-After: how long a call waits, and which calls wait.
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"

local new, is_sound = retries.client, retries.is_sound
local VOTE, SPENDING = "runs.mark_metric_vote", "results.bulk_evaluate_metrics"

local function http_date(seconds) return os.date("!%a, %d %b %Y %H:%M:%S GMT", seconds) end

describe("Retry-After", function()
  local server
  local NOON = 1767268800  -- 2026-01-01 12:00:00 UTC, by the clock of a server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local function refusal(value, status) return faults.status(status or 429, value) end

  describe("is in err.retry_after, and a wait beyond the deadline does not begin:", function()
    -- { title, headers, seconds }; decisions_spec has every form of the value
    for _, row in ipairs {
      { "seconds", { ["Retry-After"] = "120" }, 120 },
      { "an hour", { ["Retry-After"] = "3600" }, 3600 },
      { "a name in lower case", { ["retry-after"] = "120" }, 120 },
      { "a name in capitals", { ["RETRY-AFTER"] = "120" }, 120 },
      { "the longest of several headers", { ["Retry-After"] = { "60", "120", "90" } }, 120 },
      { "the valid one of several headers", { ["Retry-After"] = { "120", "-1", "1792540800" } },
        120 },
      { "the longer of seconds and a date",
        { ["Retry-After"] = { "60", http_date(NOON + 120) }, Date = http_date(NOON) }, 120 },
      { "a date", { ["Retry-After"] = http_date(NOON + 120), Date = http_date(NOON) }, 120 },
    } do
      local title, headers, seconds = table.unpack(row)

      it(title, function()
        for _, name in ipairs { VOTE, SPENDING } do
          local client <close> = new(server, { deadline = 50 })
          server:clear()
          server:script { refusal(headers) }
          local taken, _, err = clock.time(calls.make, client, name)
          assert.same({ "rate_limited", "no", 429, 1, seconds },
            { err.kind, err.applied, err.status, err.attempts, err.retry_after })
          assert.is_true(taken < clock.AT_ONCE)
          assert.equal(1, server:deliveries())
        end
      end)
    end

    it("a date without a Date of the response", function()
      local client <close> = new(server, { deadline = 50 })
      server:script { refusal { ["Retry-After"] = http_date(os.time() + 120) } }
      local _, err = calls.vote(client)
      assert.is_true(err.retry_after > 60 and err.retry_after <= 120)
    end)

    it("of a 503, which does not pause other calls", function()
      local client <close> = new(server, { deadline = 50 })
      server:script { refusal({ ["Retry-After"] = "120" }, 503) }
      local taken, _, err = clock.time(calls.vote, client)
      assert.same({ "server", "unknown", 1, 120 },
        { err.kind, err.applied, err.attempts, err.retry_after })
      assert.is_true(taken < clock.AT_ONCE)
      assert.same({ success = true }, (calls.vote(client)))
    end)

    it("of a failure that is not retried", function()
      local client <close> = new(server)
      server:script { refusal({ ["Retry-After"] = "120" }, 503) }
      local _, err = calls.make(client, SPENDING)
      assert.same({ "server", 120, 1 }, { err.kind, err.retry_after, err.attempts })
    end)

    it("of the last attempt", function()
      local client <close> = new(server, { max_attempts = 1 })
      server:script { refusal { ["Retry-After"] = "120" } }
      local taken, _, err = clock.time(calls.make, client, SPENDING)
      assert.equal(120, err.retry_after)
      assert.is_true(taken < clock.AT_ONCE)
    end)

    it("of the last response only", function()
      local client <close> = new(server)
      server:script { refusal { ["Retry-After"] = "0" }, faults.status(400) }
      local _, err = calls.vote(client)
      assert.same({ 400, 2 }, { err.status, err.attempts })
      assert.is_nil(err.retry_after)
    end)
  end)

  describe("causes no wait:", function()
    -- { title, headers, retry_after of the error }; decisions_spec has every form of the value
    for _, row in ipairs {
      { "without the header", {} },
      { "if it is empty", { ["Retry-After"] = "" } },
      { "if it is zero", { ["Retry-After"] = "0" }, 0 },
      { "if it is negative", { ["Retry-After"] = "-120" } },
      { "if it is a word", { ["Retry-After"] = "soon" } },
      { "if it has bytes that are not text", { ["Retry-After"] = "12\xff\xfe" } },
      { "if it is a date in the past", { ["Retry-After"] = http_date(NOON - 120),
        Date = http_date(NOON) }, 0 },
      { "if it is the current time of a clock that is years behind",
        { ["Retry-After"] = "Sat, 01 Jan 2000 12:00:00 GMT",
          Date = "Sat, 01 Jan 2000 12:00:00 GMT" }, 0 },
      { "if it is a number of a thousand digits", { ["Retry-After"] = ("9"):rep(1000) } },
      { "if it is an epoch time", { ["Retry-After"] = tostring(NOON + 60) } },
      { "if it is more than an hour", { ["Retry-After"] = "3601" } },
      { "if it is a date two hours away", { ["Retry-After"] = http_date(NOON + 7200),
        Date = http_date(NOON) } },
      { "if it is very long", { ["Retry-After"] = ("x"):rep(10000) } },
      { "if it is another header", { ["X-Retry-After"] = "120", ["Retry-Afterwards"] = "120" } },
    } do
      local title, headers, retry_after = table.unpack(row, 1, 3)

      it(title, function()
        for _, name in ipairs { VOTE, SPENDING } do
          local client <close> = new(server, { max_attempts = 2 })
          server:clear()
          server:script { refusal(headers), "ok", refusal(headers), refusal(headers) }
          local taken, value, response = clock.time(calls.make, client, name)
          assert.same({ success = true }, value)
          assert.equal(2, response.attempts)
          assert.is_true(taken < clock.AT_ONCE)
          local _, err = calls.make(client, name)
          assert.same({ "rate_limited", 2 }, { err.kind, err.attempts })
          assert.equal(retry_after, err.retry_after)
          is_sound(client, server)
        end
      end)
    end
  end)

  describe("is honoured, and the wait is never shorter:", function()
    -- { title, headers, seconds, status, call }
    for _, row in ipairs {
      { "seconds of a 429", { ["Retry-After"] = "1" }, 1, 429, VOTE },
      { "seconds of a 429, in a call that spends credits",
        { ["Retry-After"] = "1" }, 1, 429, SPENDING },
      { "seconds of a 503", { ["Retry-After"] = "1" }, 1, 503, VOTE },
      { "a date", { ["Retry-After"] = http_date(NOON + 1), Date = http_date(NOON) }, 1, 429,
        VOTE },
      { "the longest of several", { ["Retry-After"] = { "0", "1", "0" } }, 1, 429, SPENDING },
    } do
      local title, headers, seconds, status, name = table.unpack(row)

      it(title, function()
        local waits = {}
        local client <close> = new(server, { on_event = function(event)
          waits[#waits + 1] = event.wait
        end })
        server:script { refusal(headers, status) }
        local taken, _, response = clock.time(calls.make, client, name)
        assert.equal(2, response.attempts)
        assert.is_true(taken >= seconds and taken < seconds + clock.LIMIT)
        assert.same({ seconds }, waits)
        local first, second = table.unpack(server:ledger())
        assert.is_true(second.at - first.at >= seconds)
        is_sound(client, server)
      end)
    end
  end)

  describe("of a 429 pauses every call of the client,", function()
    local SECOND = "1"

    for _, name in ipairs { VOTE, SPENDING } do
      it("after " .. name .. ": the next call waits", function()
        local client <close> = new(server, { max_attempts = 1 })
        server:script { refusal { ["Retry-After"] = SECOND } }
        local _, err = calls.make(client, name)
        assert.same({ "rate_limited", 1 }, { err.kind, err.retry_after })
        local _, response = assert(calls.vote(client))
        assert.equal(1, response.attempts)
        local first, second = table.unpack(server:ledger())
        assert.is_true(second.at - first.at >= 1)
      end)

      it("after " .. name .. ": a call with a shorter deadline fails at once", function()
        local client <close> = new(server, { max_attempts = 1 })
        server:script { refusal { ["Retry-After"] = "50" } }
        assert.equal(50, select(2, calls.make(client, name)).retry_after)
        for _, next_name in ipairs(calls.names) do
          local taken, value, err = clock.time(calls.make, client, next_name, nil,
            { deadline = 10 })
          assert.is_nil(value)
          assert.same({ "rate_limited", "no", 0, next_name, "POST" },
            { err.kind, err.applied, err.attempts, err.endpoint, err.method })
          assert.is_true(err.retry_after > 10 and err.retry_after <= 50)
          assert.same({}, { err.status, err.body, err.detail, err.fields, err.request_id })
          assert.is_nil(tostring(err):find "[\r\n]")
          assert.is_true(taken < clock.AT_ONCE)
        end
        assert.equal(1, server:deliveries())
      end)
    end

    it("and no call of another client", function()
      local paused <close> = new(server, { max_attempts = 1, deadline = 10 })
      local other <close> = new(server)
      server:script { refusal { ["Retry-After"] = "50" } }
      calls.vote(paused)
      local taken, value = clock.time(calls.vote, other)
      assert.same({ success = true }, value)
      assert.is_true(taken < clock.AT_ONCE)
      assert.equal("rate_limited", select(2, calls.vote(paused)).kind)
      assert.equal(2, server:deliveries())
    end)

    it("and no dry run or refused call", function()
      local client <close> = new(server, { max_attempts = 1, deadline = 10 })
      server:script { refusal { ["Retry-After"] = "50" } }
      calls.vote(client)
      assert.equal("validation", select(2, calls.vote(client, { run_id = -1 })).kind)
      assert.equal("POST", calls.vote(client, nil, { dry_run = true }).method)
    end)
  end)
end)
