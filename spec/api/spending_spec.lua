-- spend_limit and client:spent(): the evaluations that a server starts, and those that are counted.
local cekura = require "cekura"
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local range = require "support.range"
local script = require "support.script"
local spent = require "support.spent"
local tasks = require "support.tasks"

local EVALUATE, BULK = "results.evaluate_metrics", "results.bulk_evaluate_metrics"
local LOGS, FEEDBACKS = "calls.evaluate_metrics", "metric_reviews.process_feedbacks"
local MOST = math.maxinteger

describe("spending", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local function new(options)
    local all = { api_url = server.url, api_key = "the-key", backoff = { base = 0.001 } }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(cekura.new(all))
  end

  -- Makes a call that starts `count` evaluations.
  local function evaluate(client, count, options)
    return calls.make(client, EVALUATE, { run_ids = range(count) }, options)
  end

  -- Returns how many evaluations the requests ask for that the server has answered with a 200.
  local function started()
    local sum = 0
    for _, row in ipairs(server:ledger()) do
      local ids = row.body:match '"run_ids":%[([^%]]*)%]'
      sum = sum + select(2, ids:gsub("%d+", ""))
    end
    return sum
  end

  local function is_refused(message, value, err)
    assert.is_nil(value)
    assert.same({ "budget", "no", 0, false },
      { err.kind, err.applied, err.attempts, err.retryable })
    assert.matches(message, tostring(err), 1, true)
  end

  describe("with spend_limit", function()
    it("permits calls up to the limit, and refuses one more", function()
      local client <close> = new { spend_limit = 10 }
      assert(evaluate(client, 4))
      assert(evaluate(client, 6))
      is_refused("results.evaluate_metrics: would start 1 metric evaluations, spend_limit is 10, "
        .. "of which 10 are spent (0 unknown) and 0 in flight: nothing was sent (budget)",
        evaluate(client, 1))
      assert.same(spent { evaluations = 10, calls = 2 }, client:spent())
      assert.equal(10, started())
      assert(calls.vote(client))  -- spends nothing
      assert(calls.make(client, LOGS, { call_logs = {} }))  -- starts nothing
    end)

    it("permits a smaller call after a refused one", function()
      local client <close> = new { spend_limit = 10 }
      assert(evaluate(client, 4))
      is_refused("would start 7 metric evaluations", evaluate(client, 7))
      assert(evaluate(client, 6))
      assert.equal(10, started())
    end)

    it("releases what the server refused", function()
      local client <close> = new { spend_limit = 5, max_attempts = 1 }
      for _, code in ipairs { 400, 401, 403, 404, 409, 429, 307 } do
        server:script { faults.status(code, { ["Retry-After"] = "0" }) }
        assert.equal("no", select(2, evaluate(client, 5)).applied)
        assert.same(spent {}, client:spent())
      end
      assert(evaluate(client, 5))
    end)

    it("releases what was not sent", function()
      local client <close> = new { spend_limit = 5, api_url = "http://127.0.0.1:1" }
      assert.equal("network", select(2, evaluate(client, 5)).kind)
      assert.same(spent {}, client:spent())
    end)

    it("counts what may have been applied, and what was applied without a readable response",
        function()
      local client <close> = new { spend_limit = 5, max_attempts = 1 }
      server:script { "close_before_answer", faults.status(500), "cut_body", "not_json" }
      for _, applied in ipairs { "unknown", "unknown", "yes", "yes" } do
        assert.equal(applied, select(2, evaluate(client, 1)).applied)
      end
      assert.same(spent { evaluations = 2, evaluations_unknown = 2, calls = 2, calls_unknown = 2 },
        client:spent())
      is_refused("spend_limit is 5, of which 4 are spent (2 unknown) and 0 in flight",
        evaluate(client, 2))
      assert.equal(4, started())
    end)

    it("reserves once for the retries of refused attempts", function()
      local client <close> = new { spend_limit = 5 }
      local refused = faults.status(429, { ["Retry-After"] = "0" })
      server:script { refused, refused, refused, faults.ok() }
      assert(evaluate(client, 5))
      assert.same(spent { evaluations = 5, calls = 1 }, client:spent())
    end)

    it("reserves again for each retry after an unknown attempt", function()
      local client <close> = new { spend_limit = 10 }
      server:script { faults.status(503), faults.ok() }
      assert(evaluate(client, 5, { retry_unknown = true }))
      assert.same(spent { evaluations = 5, evaluations_unknown = 5, calls = 1, calls_unknown = 1 },
        client:spent())
      assert.equal(10, started())
    end)

    it("ends a call with its own error if a retry does not fit", function()
      local events = {}
      local client <close> = new { spend_limit = 9,
        on_event = function(event) events[#events + 1] = event.type end }
      server:script { faults.status(503), faults.ok() }
      local value, err = evaluate(client, 5, { retry_unknown = true })
      assert.is_nil(value)
      assert.same({ "server", "unknown", 1, 503 },
        { err.kind, err.applied, err.attempts, err.status })
      assert.matches(" (not tried again: another attempt would exceed spend_limit)", err.message, 1,
        true)
      assert.same({ "request", "response", "give_up" }, events)
      assert.same(spent { evaluations_unknown = 5, calls_unknown = 1 }, client:spent())
      assert.equal(5, started())
    end)

    it("refuses before anything waits in the queue, and sends no event", function()
      local events = 0
      local client <close> = new { spend_limit = 1, max_attempts = 1, deadline = 60,
        on_event = function() events = events + 1 end }
      server:script { faults.status(429, { ["Retry-After"] = "50" }) }
      calls.vote(client)
      events = 0
      is_refused("would start 2", evaluate(client, 2))
      assert.equal(0, events)
    end)

    it("holds exactly for 1,000 concurrent tasks with calls of mixed sizes", function()
      local client <close> = new { spend_limit = 401, max_attempts = 1 }
      local problems, sizes = {}, { 3, 1, 2, 7 }
      for i = 1, 1000 do
        client:spawn(function()
          local size = sizes[i % #sizes + 1]
          local value, err = evaluate(client, size)
          if not value and err.kind ~= "budget" then problems[#problems + 1] = tostring(err) end
        end)
      end
      while client:step(1) do end
      assert.same({}, problems)
      assert.equal(401, started())  -- calls of one evaluation fill the rest
      assert.equal(401, client:spent().evaluations)
    end)

    it("shows what concurrent calls have reserved, in the error and in spent()", function()
      local client <close> = new { spend_limit = 10 }
      server:script { { { "held" }, faults.ok()[1] } }
      local task = client:spawn(evaluate, client, 7)
      tasks.drive(client, function() return server:deliveries() == 1 end)
      assert.same(spent { in_flight = 7 }, client:spent())
      is_refused("spend_limit is 10, of which 0 are spent (0 unknown) and 7 in flight",
        evaluate(client, 4))
      server:release()
      assert(task:wait())
      assert.same(spent { evaluations = 7, calls = 1 }, client:spent())
    end)

    it("is each client's own", function()
      local one <close> = new { spend_limit = 3 }
      local two <close> = new { spend_limit = 5 }
      assert(evaluate(one, 3))
      assert(evaluate(two, 5))
      is_refused("spend_limit is 3", evaluate(one, 1))
      is_refused("spend_limit is 5", evaluate(two, 1))
      assert.equal(8, started())
    end)

    it("limits the calls of each", function()
      local client <close> = new { spend_limit = 7 }
      local report = assert(client:each(range(20), function() return evaluate(client, 2) end))
      assert.same({ 3, 17 }, { report.ok, report.failed })
      assert.equal("budget", report.errors[1].error.kind)
      assert.equal(6, started())
    end)

    it("applies together with max_evaluations", function()
      local client <close> = new { spend_limit = 10, max_evaluations = 5 }
      is_refused("would start 6 metric evaluations, max_evaluations is 5: nothing was sent",
        evaluate(client, 6))
      is_refused("would start 11 metric evaluations, spend_limit is 10",
        evaluate(client, 11, { max_evaluations = 20 }))
      assert.same({}, server:ledger())
    end)
  end)

  describe("with spend_limit, of a call of unknown size,", function()
    local function request(client, changes, options)
      local arguments = { method = "POST", path = "/test_framework/v1/scenarios/run/" }
      for name, value in pairs(changes) do arguments[name] = value end
      return client:request(arguments, options)
    end

    -- { what, function that makes the call, how many evaluations the arguments prove }
    for _, row in ipairs {
      { "a bulk call", function(client, options)
        return calls.make(client, BULK, { result_ids = range(29), metric_ids = range(2) }, options)
      end, 58 },
      { "the optimiser", function(client, options)
        return calls.make(client, FEEDBACKS, {}, options)
      end, 0 },
      { "a run of reviews", function(client, options)
        return calls.make(client, "metrics.run_reviews", {}, options)
      end, 0 },
      { "a request", function(client, options) return request(client, {}, options) end, 0 },
      { "a GET that spends credits", function(client, options)
        return request(client, { method = "GET", spends_credits = true }, options)
      end, 0 },
    } do
      local what, make, proven = table.unpack(row)

      it(what .. ", is refused unless the caller states the size or permits it", function()
        local client <close> = new { spend_limit = 600 }
        is_refused("the number of metric evaluations is not known"
          .. (proven > 0 and " (at least 58)" or "") .. ", spend_limit is 600: nothing was sent; "
          .. "state the number with the option evaluations, or set uncounted = true", make(client))
        is_refused("would start 601 metric evaluations", make(client, { evaluations = 601 }))
        assert(make(client, { evaluations = 456 }))
        assert.same(spent { evaluations = 456, calls = 1 }, client:spent())
        is_refused("would start 145 metric evaluations", make(client, { evaluations = 145 }))
        assert(make(client, { uncounted = true }))
        assert.same(spent { evaluations = 456 + proven, calls = 2, uncounted = 1 }, client:spent())
        assert.equal(2, server:deliveries())
      end)
    end

    it("reserves what the arguments prove", function()
      local client <close> = new { spend_limit = 100 }
      local changes = { result_ids = range(29), metric_ids = range(2) }
      assert(calls.make(client, BULK, changes, { uncounted = true }))
      is_refused("would start at least 58 metric evaluations, spend_limit is 100, of which 58",
        calls.make(client, BULK, changes, { uncounted = true }))
      is_refused("would start 58 metric evaluations",
        calls.make(client, BULK, changes, { evaluations = 3 }))
      assert.equal(1, server:deliveries())
    end)

    it("counts an unknown one", function()
      local client <close> = new { spend_limit = 0, max_attempts = 1 }
      server:script { faults.status(500) }
      calls.make(client, FEEDBACKS, {}, { uncounted = true })
      assert.same(spent { calls_unknown = 1, uncounted = 1 }, client:spent())
    end)
  end)

  describe("of a dry run", function()
    it("is nothing", function()
      local client <close> = new { spend_limit = 5 }
      for _ = 1, 3 do
        assert.equal(5, assert(evaluate(client, 5, { dry_run = true })).evaluations)
      end
      assert.same(spent {}, client:spent())
    end)

    it("is refused as the call would be", function()
      local client <close> = new { spend_limit = 5 }
      is_refused("would start 6", evaluate(client, 6, { dry_run = true }))
      is_refused("is not known", calls.make(client, FEEDBACKS, {}, { dry_run = true }))
      assert.same({}, server:ledger())
    end)
  end)

  describe("without a limit", function()
    it("is counted, too", function()
      local client <close> = new()
      assert.same(spent {}, client:spent())
      assert(evaluate(client, 3))
      assert(calls.make(client, BULK, { result_ids = range(29), metric_ids = range(2) }))
      assert(calls.vote(client))
      assert.same(spent { evaluations = 61, calls = 2, uncounted = 1 }, client:spent())
      for _, number in pairs(client:spent()) do assert.equal("integer", math.type(number)) end
    end)

    it("returns a new table each time", function()
      local client <close> = new()
      client:spent().evaluations = 5
      assert.same(spent {}, client:spent())
    end)

    it("has no sum that overflows", function()
      local client <close> = new()
      assert(calls.make(client, FEEDBACKS, {}, { evaluations = MOST - 1 }))
      is_refused("would start 2 metric evaluations, spend_limit is 9223372036854775807, of which "
        .. "9223372036854775806 are spent", evaluate(client, 2))
      assert(evaluate(client, 1))
      assert.same(spent { evaluations = MOST, calls = 2 }, client:spent())
    end)
  end)

  it("with huge limits is exact", function()
    local client <close> = new { spend_limit = MOST - 1, max_evaluations = MOST }
    is_refused("would start 9223372036854775807 metric evaluations, spend_limit is "
      .. "9223372036854775806", calls.make(client, FEEDBACKS, {}, { evaluations = MOST }))
    assert(calls.make(client, FEEDBACKS, {}, { evaluations = MOST - 1 }))
    is_refused("would start 1", evaluate(client, 1))
  end)

  describe("is refused as an option:", function()
    for _, row in ipairs {
      { -1, "-1" }, { 1.5, "1.5" }, { 2 ^ 63, "9.223372036854776e+18" }, { 0 / 0, tostring(0 / 0) },
      { math.huge, "inf" }, { "5", '"5"' }, { true, "boolean" }, { {}, "table" },
      { math.mininteger, "-9223372036854775808" },
    } do
      it("spend_limit = " .. tostring(row[2]), function()
        local client, err = cekura.new { api_key = "k", spend_limit = row[1] }
        assert.is_nil(client)
        assert.same({ spend_limit = { "must be a whole number from 0, got " .. row[2] } },
          err.fields)
      end)
    end

    it("of a single call", function()
      local client <close> = new()
      local _, err = evaluate(client, 1, { spend_limit = 5 })
      assert.same({ ["options.spend_limit"] =
        { "is an option of cekura.new, not of a single call" } }, err.fields)
    end)

    it("under another name", function()
      for _, name in ipairs { "budget", "spendlimit", "max_spend", "credit_limit" } do
        local _, err = cekura.new { api_key = "k", [name] = 5 }
        assert.same({ [name] = { 'unknown option, did you mean "spend_limit"?' } }, err.fields)
      end
    end)
  end)

  describe("of a call that does not end by itself", function()
    local HANG = { timeout = 60, deadline = 60 }

    local function begin(client, count)
      server:script { "hang" }
      local task = client:spawn(evaluate, client, count)
      tasks.drive(client, function() return server:deliveries() == 1 end)
      return task
    end

    local UNKNOWN = spent { evaluations_unknown = 3, calls_unknown = 1 }

    it("is unknown if the task is cancelled", function()
      local client <close> = new(HANG)
      assert.is_true(begin(client, 3):cancel())
      assert.same(UNKNOWN, client:spent())
    end)

    it("is unknown if the client is closed, even if no task runs any more", function()
      local client <close> = new(HANG)
      begin(client, 3)
      client:close()
      assert.same(UNKNOWN, client:spent())
      client:step()
      assert.same(UNKNOWN, client:spent())
    end)

    it("is unknown if on_event closes the client", function()
      local client
      client = new { timeout = 60, on_event = function(event)
        if event.type == "request" then client:close() end
      end }
      server:script { "hang" }
      local _, err = evaluate(client, 3)
      assert.equal("cancelled", err.kind)
      local now = client:spent()
      assert.equal(0, now.in_flight)
      assert.equal(err.applied == "unknown" and 3 or 0, now.evaluations_unknown)
    end)

    it("is released if the task is cancelled while it waits", function()
      local options, waits = {}, false
      for name, value in pairs(tasks.NEVER) do options[name] = value end
      function options.on_event(event) waits = waits or event.type == "retry" end
      local client <close> = new(options)
      server:script { faults.status(429, { ["Retry-After"] = "500" }) }
      local task = client:spawn(evaluate, client, 3)
      tasks.drive(client, function() return waits end)
      assert.equal(3, client:spent().in_flight)
      assert.is_true(task:cancel())
      assert.same(spent {}, client:spent())
    end)

    it("is unknown if other code closes its coroutine", function()
      local client <close> = new(HANG)
      local routine
      server:script { "hang" }
      local task = client:spawn(function()
        routine = coroutine.running()
        evaluate(client, 3)
      end)
      tasks.drive(client, function() return server:deliveries() == 1 end)
      coroutine.close(routine)
      task:cancel()
      assert.same(UNKNOWN, client:spent())
    end)

    it("is unknown if the timeout passes", function()
      clock.patiently(function()
        server:clear()
        local client <close> = new { timeout = clock.SHORT, max_attempts = 1 }
        server:script { "hang" }
        assert.equal("timeout", select(2, evaluate(client, 3)).kind)
        assert.same(UNKNOWN, client:spent())
      end)
    end)
  end)

  it("is not changed by what on_event raises", function()
    local client <close> = new { spend_limit = 5, on_event = function() error "on purpose" end }
    warn "@off"
    assert(evaluate(client, 5))
    assert.same(spent { evaluations = 5, calls = 1 }, client:spent())
  end)

  it("in a forked child is an error, and the parent's is exact", function()
    local output, code = script.run(([[
      io.stdout:setvbuf "line"
      local fork, cekura, calls = require "fork", require "cekura", require "support.calls"
      local client = assert(cekura.new { api_url = %q, api_key = "k" })
      local task = client:spawn(calls.make, client, %q)
      client:step(0.05)
      if fork.go_on() then
        local none, err = client:spent()
        print("child", none, err.kind)
        os.exit(0, true)
      end
      assert(task:wait())
      local spent = client:spent()
      print("parent", spent.evaluations, spent.in_flight)]]):format(server.url, EVALUATE))
    assert.equal(0, code, output)
    assert.matches("child\tnil\tconfig\n", output, 1, true)
    assert.matches("parent\t1\t0\n", output, 1, true)
    assert.equal(1, server:deliveries())
  end)

  it("of the default client is cekura:spent()", function()
    local output = script.run(([[
      local cekura, calls = require "cekura", require "support.calls"
      assert(calls.make(cekura, %q))
      print(cekura:spent().evaluations)]]):format(EVALUATE), {
      CEKURA_API_URL = server.url, CEKURA_API_KEY = "k" })
    assert.equal("1\n", output)
  end)

  it("by a dot raises", function()
    local client <close> = new()
    assert.has_error(function() client.spent() end)
    assert.has_error(function() cekura.spent() end)
  end)
end)
