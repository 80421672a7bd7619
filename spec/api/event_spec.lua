-- on_event: what a script is told while a call goes on, and what it may do then.
local cekura = require "cekura"
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local script = require "support.script"

local times = retries.times
local VOTE, SPENDING = "runs.mark_metric_vote", "results.bulk_evaluate_metrics"

describe("on_event", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  -- A client and the list of its events, as they come.
  local function new(options)
    local events = {}
    local all = { on_event = function(event) events[#events + 1] = event end }
    for name, value in pairs(options or {}) do all[name] = value end
    return retries.client(server, all), events
  end

  -- "type attempt status kind applied", or a dash for what is not there.
  local function lines(events)
    local list = {}
    for i, event in ipairs(events) do
      local words = {}
      for j, name in ipairs { "type", "attempt", "status", "kind", "applied" } do
        words[j] = tostring(event[name] or "-")
      end
      list[i] = table.concat(words, " ")
    end
    return list
  end

  local KNOWN = {}
  for _, name in ipairs {
    "type", "endpoint", "attempt", "elapsed", "status", "kind", "applied", "wait",
    "method", "url",
  } do KNOWN[name] = true end

  local function are_well_formed(events, name, seconds)
    local before = 0
    for _, event in ipairs(events) do
      for field in pairs(event) do assert.is_true(KNOWN[field], field) end
      assert.equal(name, event.endpoint)
      assert.equal("integer", math.type(event.attempt))
      assert.equal("float", math.type(event.elapsed))
      assert.is_true(event.elapsed >= before and event.elapsed <= seconds)
      assert.equal(event.type == "retry", event.wait ~= nil)
      before = event.elapsed
    end
  end

  describe("tells of", function()
    -- { what, script, call, events, options of the call }
    for _, row in ipairs {
      { "a success", {}, VOTE, { "request 1 - - -", "response 1 200 - -" } },
      { "a success that spends credits", {}, SPENDING,
        { "request 1 - - -", "response 1 200 - -" } },
      { "a retry", { faults.status(503) }, VOTE, {
        "request 1 - - -", "response 1 503 server unknown", "retry 1 503 server unknown",
        "request 2 - - -", "response 2 200 - -" } },
      { "a lost answer", { "reset_before_answer" }, VOTE, {
        "request 1 - - -", "response 1 - network unknown", "retry 1 - network unknown",
        "request 2 - - -", "response 2 200 - -" } },
      { "an answer that was cut off", { "cut_body" }, SPENDING, {
        "request 1 - - -", "response 1 200 response yes", "give_up 1 200 response yes" } },
      { "a failure", { faults.status(404) }, VOTE, {
        "request 1 - - -", "response 1 404 not_found no", "give_up 1 404 not_found no" } },
      { "one that is not made again", { faults.status(503) }, SPENDING, {
        "request 1 - - -", "response 1 503 server unknown", "give_up 1 503 server unknown" } },
      { "a failure after failures", times(2, faults.status(500)), VOTE, {
        "request 1 - - -", "response 1 500 server unknown", "retry 1 500 server unknown",
        "request 2 - - -", "response 2 500 server unknown", "give_up 2 500 server unknown" },
        { max_attempts = 2 } },
      { "what all attempts together may have done", { "close_before_answer", faults.status(400) },
        VOTE, {
        "request 1 - - -", "response 1 - network unknown", "retry 1 - network unknown",
        "request 2 - - -", "response 2 400 bad_request no", "give_up 2 400 bad_request unknown" } },
      { "a timeout", { "hang" }, VOTE, {
        "request 1 - - -", "response 1 - timeout unknown", "give_up 1 - timeout unknown" },
        { timeout = clock.SHORT, max_attempts = 1 } },
      { "a wait that is not begun", { faults.status(429, { ["Retry-After"] = "3500" }) }, VOTE, {
        "request 1 - - -", "response 1 429 rate_limited no", "give_up 1 429 rate_limited no" } },
      { "an answer that cannot be read", { "not_json" }, VOTE, {
        "request 1 - - -", "response 1 200 - -", "give_up 1 200 response yes" } },
    } do
      local what, entries, name, expected, options = table.unpack(row, 1, 5)

      it(what, function()
        local client <close>, events = new()
        server:script(entries)
        local seconds = clock.time(calls.make, client, name, nil, options)
        assert.same(expected, lines(events))
        are_well_formed(events, name, seconds)
      end)
    end

    it("a call that is not begun because the client is paused", function()
      local client <close>, events = new { max_attempts = 1, deadline = 5 }
      server:script { faults.status(429, { ["Retry-After"] = "3500" }) }
      calls.vote(client)
      calls.make(client, SPENDING)
      assert.equal("give_up 0 - rate_limited no", lines(events)[4])
      assert.equal(SPENDING, events[4].endpoint)
      assert.equal(4, #events)
    end)

    it("how long is waited", function()
      local client <close>, events = new()
      server:script { faults.status(429, { ["Retry-After"] = "0.1" }) }
      calls.vote(client)
      assert.equal(0.1, events[3].wait)
      -- It is counted from the answer, of which the events are told later.
      assert.is_true(events[4].elapsed - events[1].elapsed >= 0.1)
    end)

    it("the method and the address, at every step", function()
      local client <close>, events = new()
      server:script { faults.status(503), faults.status(404), "not_json" }
      calls.vote(client)
      calls.vote(client)
      client:request { method = "GET", path = "/x/", query = { a = "b c" } }
      assert.is_true(#events >= 9)
      for _, event in ipairs(events) do
        assert.is_nil(event.body)
        if event.endpoint == VOTE then
          assert.equal("POST " .. server.url .. "/test_framework/v1/runs/5544/mark_metric_vote/",
            event.method .. " " .. event.url)
        else
          assert.equal("GET " .. server.url .. "/x/?a=b%20c", event.method .. " " .. event.url)
        end
      end
    end)

    it("the bodies, with event_bodies", function()
      local key = "the-very-secret-key"
      local client <close>, events = new { event_bodies = true, api_key = key, max_attempts = 2 }
      server:script { faults.status(503, {}, "one moment " .. key), faults.ok "{ }" }
      calls.vote(client, { feedback = key })
      local task = client:spawn(function() return client.results:get { result_id = 373 } end)
      server:script { faults.status(404, {}, "") }
      task:wait()
      local bodies = {}
      for i, event in ipairs(events) do
        bodies[i] = event.type .. " " .. tostring(event.body):gsub("^{.*feedback.*}$", "{feedback}")
        if event.body and event.type == "request" then
          assert.matches('"feedback":"[redacted]"', event.body, 1, true)
        end
      end
      assert.same({
        "request {feedback}", "response one moment " .. ("*"):rep(#key), "retry nil",
        "request {feedback}", "response { }", "request nil", "response nil", "give_up nil",
      }, bodies)
    end)

    it("nothing, where nothing is sent", function()
      local client <close>, events = new { max_evaluations = 0 }
      calls.vote(client, { run_id = -1 })
      calls.vote(client, nil, { dry_run = true })
      calls.make(client, SPENDING)
      client:close()
      calls.vote(client)
      assert.same({}, events)
    end)

    it("no secret, also where the server repeats it", function()
      local key = "the-very-secret-key"
      local client <close>, events = new { api_key = key, max_attempts = 2 }
      server:script { faults.status(503, { ["X-Key"] = key }, key),
        faults.status(400, { ["X-Key"] = key }, ('{"detail": %q}'):format(key)), faults.ok(key) }
      calls.vote(client)
      calls.vote(client)
      assert.is_true(#events >= 7)
      for _, event in ipairs(events) do
        assert.is_nil(getmetatable(event))
        for name, value in pairs(event) do
          assert.is_nil((name .. tostring(value)):find(key, 1, true))
        end
      end
    end)
  end)

  it("is called with the event alone, where the call was made, a new table each time", function()
    local seen, count, routine = {}, 0, nil
    local client <close> = new { on_event = function(event, ...)
      assert.equal(0, select("#", ...))
      assert.is_nil(seen[event])
      assert.equal(routine, coroutine.running())
      seen[event], count = true, count + 1
      for name in pairs(event) do event[name] = nil end
    end }
    server:script { faults.status(503) }
    local value, response = coroutine.wrap(function()
      routine = coroutine.running()
      return calls.vote(client)
    end)()
    assert.same({ { success = true }, 2, 5 }, { value, response.attempts, count })
  end)

  describe("that raises an error", function()
    -- What a script writes in which `on_event` is that, and a vote meets a 503 first.
    local function run(on_event)
      server:script { faults.status(503) }
      return (script.run(([[
        warn "@on"
        local client = assert(require "cekura".new { api_url = %q, api_key = "the-key",
          backoff = { base = 0.001, cap = 0.001 }, on_event = %s })
        local value, response = client.runs:mark_metric_vote {
          run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 1,
        }
        io.stdout:write(tostring(value and value.success), " ", response.attempts, "\n")
      ]]):format(server.url, on_event)))
    end

    local function has_warned(output, text)
      local _, count = output:gsub("Lua warning: cekura: on_event: [^\n]*" .. text, "")
      assert.equal(5, count, output)
      assert.truthy(output:find("true 2\n", 1, true), output)
    end

    it("costs nothing: it is a warning", function()
      has_warned(run [[function() error "my mistake" end]], "my mistake")
    end)

    it("of a field that is not there costs nothing", function()
      has_warned(run [[function(event) return event.request.method end]], "nil value")
    end)

    it("that is a table costs nothing", function()
      has_warned(run [[function()
        error(setmetatable({}, { __tostring = function() return "my table" end }))
      end]], "my table")
    end)

    it("that is nil costs nothing", function()
      has_warned(run [[function() error(nil) end]], "nil")
    end)

    it("that raises another when it is shown costs nothing", function()
      local output = run [[function()
        error(setmetatable({}, { __tostring = function() error "twice" end }))
      end]]
      assert.truthy(output:find("true 2\n", 1, true), output)
    end)

    it("that is no string when it is shown costs nothing", function()
      local output = run [[function()
        error(setmetatable({}, { __tostring = function() return {} end }))
      end]]
      assert.truthy(output:find("true 2\n", 1, true), output)
    end)

    it("because it yields costs nothing", function()
      local client <close> = new { on_event = function() coroutine.yield() end }
      local value = coroutine.wrap(function() return calls.vote(client) end)()
      assert.same({ success = true }, value)
    end)
  end)

  describe("may make calls of its own,", function()
    it("on the same client, at every event", function()
      local inner, busy = {}, false
      local client
      client = new { on_event = function()
        if busy then return end
        busy = true
        inner[#inner + 1] = { calls.vote(client, { run_id = 1 }) }
        busy = false
      end }
      server:script { faults.ok '{"n": 1}', faults.ok '{"n": 2}', faults.ok '{"n": 3}' }
      local value, response = calls.vote(client)
      client:close()
      assert.equal(200, response.status)
      assert.equal(2, #inner)
      local numbers = { value.n, inner[1][1].n, inner[2][1].n }
      table.sort(numbers)
      assert.same({ 1, 2, 3 }, numbers)
      assert.equal(3, server:deliveries())
    end)

    it("while it waits for another attempt", function()
      local inner
      local client
      client = new { on_event = function(event)
        if event.type == "retry" then inner = { calls.make(client, SPENDING) } end
      end }
      server:script { faults.status(503, nil, '{"detail": "outer"}'), faults.ok '{"inner": true}',
        faults.ok '{"outer": true}' }
      local value, response = calls.vote(client)
      client:close()
      assert.same({ { outer = true }, 2 }, { value, response.attempts })
      assert.same({ inner = true }, inner[1])
    end)

    it("whose failures are its own", function()
      local inner
      local client
      client = new { on_event = function(event)
        if event.type == "response" and not inner then
          inner = {}
          inner = { calls.make(client, SPENDING) }
        end
      end }
      server:script { faults.status(400, nil, '{"detail": "outer"}'),
        faults.status(404, nil, '{"detail": "inner"}') }
      local _, err = calls.vote(client)
      client:close()
      assert.same({ "bad_request", 400, "outer", VOTE },
        { err.kind, err.status, err.detail, err.endpoint })
      assert.same({ "not_found", 404, "inner", SPENDING },
        { inner[2].kind, inner[2].status, inner[2].detail, inner[2].endpoint })
    end)

    it("as deep as it likes", function()
      local depth = 0
      local client
      client = new { on_event = function(event)
        if event.type ~= "request" or depth == 10 then return end
        depth = depth + 1
        assert.same({ success = true }, (calls.vote(client)))
      end }
      assert.same({ success = true }, (calls.vote(client)))
      client:close()
      assert.equal(11, server:deliveries())
    end)

    it("on another client", function()
      local other <close> = retries.client(server)
      local count = 0
      local client <close> = new { on_event = function()
        count = count + (calls.vote(other) and 1 or 0)
      end }
      assert.same({ success = true }, (calls.vote(client)))
      assert.same({ 2, 3 }, { count, server:deliveries() })
    end)
  end)

  describe("may close the client,", function()
    -- { event, script, what the call may have done, attempts }
    for _, row in ipairs {
      { "request", {}, nil, 1 },
      { "response", {}, "yes", 1 },
      { "response", { faults.status(503) }, "unknown", 1 },
      { "response", { faults.status(400) }, "no", 1 },
      { "response", { "close_before_answer" }, "unknown", 1 },
      { "retry", { faults.status(503) }, "unknown", 1 },
      { "retry", { faults.status(429) }, "no", 1 },
      { "give_up", { faults.status(400) }, "no", 1 },
      { "give_up", times(4, faults.status(503)), "unknown", 4 },
      { "request", { "hang" }, nil, 1 },
    } do
      local moment, entries, applied, attempts = table.unpack(row, 1, 4)

      it(("at a %s, of %s"):format(moment, tostring(applied)), function()
        for _, how in ipairs { "close", "forget" } do
          local client
          client = new { on_event = function(event)
            if event.type ~= moment then return end
            if how == "close" then client:close() end
            client = nil
            collectgarbage()
            collectgarbage()
          end }
          server:clear()
          server:script(entries)
          local runs = client.runs
          local value, err = runs:mark_metric_vote(calls.arguments(VOTE), { timeout = clock.SHORT })
          if how == "close" then
            assert.is_nil(value)
            assert.same({ "cancelled", attempts }, { err.kind, err.attempts })
            if applied then assert.equal(applied, err.applied) end
            assert.is_nil(tostring(err):find "[\r\n]")
            assert.is_true(server:deliveries() <= attempts)
            assert.equal("config", select(2, runs:mark_metric_vote(calls.arguments(VOTE))).kind)
          else  -- the call keeps it alive
            assert.equal(err.attempts, server:deliveries())
          end
        end
      end)
    end

    it("and then it is not called any more", function()
      local events = {}
      local client
      client = new { on_event = function(event)
        events[#events + 1] = event
        client:close()
      end }
      calls.vote(client)
      assert.is_true(#events <= 3)
      assert.equal("request", events[1].type)
    end)

    it("and others go on", function()
      local other <close> = retries.client(server)
      local client
      client = new { on_event = function() client:close() end }
      for _ = 1, 3 do
        calls.vote(client)
        assert.same({ success = true }, (calls.vote(other)))
      end
    end)

    it("also in a call that another call's event makes", function()
      local depth, inner = 0, nil
      local client
      client = new { on_event = function(event)
        depth = depth + 1
        if depth == 1 then inner = { calls.vote(client) }
        elseif event.type == "response" and depth > 1 then client:close() end
      end }
      local value, err = calls.vote(client)
      assert.is_nil(value)
      assert.is_nil(inner[1])
      assert.same({ "cancelled", "cancelled" }, { err.kind, inner[2].kind })
      assert.is_true(server:deliveries() <= 2)
    end)
  end)

  it("that is slow counts against the deadline, and harms no answer", function()
    local client <close> = new { on_event = function(event)
      if event.type ~= "request" then return end
      local until_then = os.clock() + 2 * clock.SHORT
      repeat until os.clock() >= until_then
    end }
    local value = calls.vote(client, nil, { timeout = clock.LIMIT })
    assert.same({ success = true }, value)
    server:script(times(4, faults.status(503)))
    local _, err = calls.vote(client, nil, { deadline = 3 * clock.SHORT })
    assert.is_true(err.attempts <= 2)
  end)

  it("is kept for as long as the client", function()
    local count = 0
    local client <close> = assert(cekura.new { api_url = server.url, api_key = "the-key",
      on_event = function() count = count + 1 end })
    for _ = 1, 3 do
      collectgarbage()
      assert(calls.vote(client))
    end
    assert.equal(6, count)
  end)
end)
