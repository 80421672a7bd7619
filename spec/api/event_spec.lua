-- on_event: the events of a call, and what on_event may do.
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

  local function new(options) return retries.observed(server, options) end

  -- Returns a line for each event: "type attempt status kind applied", "-" for an absent field.
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

  describe("reports", function()
    -- { what, script, call, events, options of the call }
    for _, row in ipairs {
      { "a success", {}, VOTE, { "request 1 - - -", "response 1 200 - -" } },
      { "a success that spends credits", {}, SPENDING,
        { "request 1 - - -", "response 1 200 - -" } },
      { "a retry", { faults.status(503) }, VOTE, {
        "request 1 - - -", "response 1 503 server unknown", "retry 1 503 server unknown",
        "request 2 - - -", "response 2 200 - -" } },
      { "a lost response", { "reset_before_answer" }, VOTE, {
        "request 1 - - -", "response 1 - network unknown", "retry 1 - network unknown",
        "request 2 - - -", "response 2 200 - -" } },
      { "a truncated response", { "cut_body" }, SPENDING, {
        "request 1 - - -", "response 1 200 response yes", "give_up 1 200 response yes" } },
      { "a failure", { faults.status(404) }, VOTE, {
        "request 1 - - -", "response 1 404 not_found no", "give_up 1 404 not_found no" } },
      { "a call that is not retried", { faults.status(503) }, SPENDING, {
        "request 1 - - -", "response 1 503 server unknown", "give_up 1 503 server unknown" } },
      { "a failure after failures", times(2, faults.status(500)), VOTE, {
        "request 1 - - -", "response 1 500 server unknown", "retry 1 500 server unknown",
        "request 2 - - -", "response 2 500 server unknown", "give_up 2 500 server unknown" },
        { max_attempts = 2 } },
      { "`applied` over all attempts when the call gives up",
        { "close_before_answer", faults.status(400) }, VOTE, {
        "request 1 - - -", "response 1 - network unknown", "retry 1 - network unknown",
        "request 2 - - -", "response 2 400 bad_request no", "give_up 2 400 bad_request unknown" } },
      { "a timeout", { "hang" }, VOTE, {
        "request 1 - - -", "response 1 - timeout unknown", "give_up 1 - timeout unknown" },
        { timeout = clock.SHORT, max_attempts = 1 } },
      { "a Retry-After beyond the deadline",
        { faults.status(429, { ["Retry-After"] = "3500" }) }, VOTE, {
        "request 1 - - -", "response 1 429 rate_limited no", "give_up 1 429 rate_limited no" } },
      { "a response that is not JSON", { "not_json" }, VOTE, {
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

    it("a call that gives up because the client is paused", function()
      local client <close>, events = new { max_attempts = 1, deadline = 5 }
      server:script { faults.status(429, { ["Retry-After"] = "3500" }) }
      calls.vote(client)
      calls.make(client, SPENDING)
      assert.equal("give_up 0 - rate_limited no", lines(events)[4])
      assert.equal(SPENDING, events[4].endpoint)
      assert.equal(4, #events)
    end)

    it("the seconds until the next attempt", function()
      local client <close>, events = new()
      server:script { faults.status(429, { ["Retry-After"] = "0.1" }) }
      calls.vote(client)
      assert.equal(0.1, events[3].wait)
      -- The wait starts when the response arrives, before on_event is called.
      assert.is_true(events[4].elapsed - events[1].elapsed >= 0.1)
    end)

    it("the method and the URL at every step", function()
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

    it("the bodies with event_bodies", function()
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

    it("nothing if nothing is sent", function()
      local client <close>, events = new { max_evaluations = 0 }
      calls.vote(client, { run_id = -1 })
      calls.vote(client, nil, { dry_run = true })
      calls.make(client, SPENDING)
      client:close()
      calls.vote(client)
      assert.same({}, events)
    end)

    it("no key, even if the server repeats it", function()
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

  it("gets a new table each time, in the coroutine that made the call", function()
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

  describe("does not fail the call", function()
    -- Returns the output of a script with this `on_event`, whose vote gets a 503 first.
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

    it("if it raises an error, which becomes a warning", function()
      has_warned(run [[function() error "my mistake" end]], "my mistake")
    end)

    it("if it indexes an absent field", function()
      has_warned(run [[function(event) return event.request.method end]], "nil value")
    end)

    it("if it raises a table", function()
      has_warned(run [[function()
        error(setmetatable({}, { __tostring = function() return "my table" end }))
      end]], "my table")
    end)

    it("if it raises nil", function()
      has_warned(run [[function() error(nil) end]], "nil")
    end)

    it("if its error raises another one in __tostring", function()
      local output = run [[function()
        error(setmetatable({}, { __tostring = function() error "twice" end }))
      end]]
      assert.truthy(output:find("true 2\n", 1, true), output)
    end)

    it("if __tostring of its error returns a table", function()
      local output = run [[function()
        error(setmetatable({}, { __tostring = function() return {} end }))
      end]]
      assert.truthy(output:find("true 2\n", 1, true), output)
    end)

    it("if it yields", function()
      local client <close> = new { on_event = function() coroutine.yield() end }
      local value = coroutine.wrap(function() return calls.vote(client) end)()
      assert.same({ success = true }, value)
    end)
  end)

  it("may call another client", function()
    local other <close> = retries.client(server)
    local count = 0
    local client <close> = new { on_event = function()
      count = count + (calls.vote(other) and 1 or 0)
    end }
    assert.same({ success = true }, (calls.vote(client)))
    assert.same({ 2, 3 }, { count, server:deliveries() })
  end)

  it("may wake a task", function()
    local client, task
    client = new { on_event = function() task:wake() end }
    task = client:spawn(client.sleep, client, 1000)
    client:step(0)
    calls.vote(client)
    assert.is_true(task:wait())
    client:close()
  end)

  describe("cannot use its own client:", function()
    -- { what raises, the function that is called with the client and a suspended task }
    for what, use in pairs {
      ["an endpoint"] = function(client) calls.vote(client) end,
      ["a dry run"] = function(client) calls.vote(client, nil, { dry_run = true }) end,
      ["client:request"] = function(client) client:request { method = "GET", path = "/" } end,
      ["client:each"] = function(client) client:each({ 1 }, print) end,
      ["pages"] = function(client) for _ in client.results:pages {} do print "item" end end,
      ["wait"] = function(client) client.results:wait { result_id = 1 } end,
      ["client:spawn"] = function(client) client:spawn(print) end,
      ["client:sleep"] = function(client) client:sleep(0) end,
      ["client:step"] = function(client) client:step(0) end,
      ["client:pollfd"] = function(client) client:pollfd() end,
      ["client:timeout"] = function(client) client:timeout() end,
      ["task:wait"] = function(_, task) task:wait() end,
      ["task:cancel"] = function(_, task) task:cancel() end,
    } do
      it(what .. " raises", function()
        local client, task
        local raised = {}
        client = new { on_event = function(event)
          local ok, message = pcall(use, client, task)
          raised[event.type] = not ok and message or "nothing"
        end }
        task = client:spawn(client.sleep, client, 1000)
        client:step(0)
        server:script { faults.status(503), faults.status(400) }
        assert.equal("bad_request", select(2, calls.vote(client)).kind)
        for _, type in ipairs { "request", "response", "retry", "give_up" } do
          assert.matches("a client cannot be used by its own on_event", raised[type])
        end
        assert.equal(2, server:deliveries())
        assert.same({ true, { success = true } }, { task:cancel(), (calls.vote(client)) })
        client:close()
      end)
    end

    it("a call raises also in the event of a task's call", function()
      local client, message
      client = new { on_event = function() message = select(2, pcall(calls.vote, client)) end }
      assert.same({ success = true }, (client:spawn(calls.vote, client):wait()))
      assert.matches("its own on_event", message)
      client:close()
    end)

    it("the coroutine of a task remains suspended if it is resumed", function()
      local client, coroutine_of_task
      client = new { on_event = function() coroutine.resume(coroutine_of_task) end }
      local task = client:spawn(function()
        coroutine_of_task = coroutine.running()
        return calls.vote(client)
      end)
      assert.same({ success = true }, (task:wait()))
      assert.equal(1, server:deliveries())
      client:close()
    end)

    it("the coroutine of a task can be closed, and the task ends", function()
      for _, moment in ipairs { "response", "retry", "give_up" } do
        local client, coroutine_of_task
        client = new { on_event = function(event)
          if event.type == moment then coroutine.close(coroutine_of_task) end
        end }
        server:script { faults.status(503), faults.status(400) }
        local task = client:spawn(function()
          coroutine_of_task = coroutine.running()
          return calls.vote(client)
        end)
        assert.equal("cancelled", select(2, task:wait()).kind)
        client:close()
      end
    end)
  end)

  describe("closes its client,", function()
    -- { event, script, kind and `applied` of the result, attempts }
    for _, row in ipairs {
      { "request", {}, "cancelled", nil, 1 },
      { "request", { "hang" }, "cancelled", nil, 1 },
      { "response", {}, nil, nil, 1 },
      { "response", { faults.status(503) }, "cancelled", "unknown", 1 },
      { "response", { faults.status(400) }, "bad_request", "no", 1 },
      { "response", { "close_before_answer" }, "cancelled", "unknown", 1 },
      { "retry", { faults.status(503) }, "cancelled", "unknown", 1 },
      { "retry", { faults.status(429) }, "cancelled", "no", 1 },
      { "give_up", { faults.status(400) }, "bad_request", "no", 1 },
      { "give_up", times(4, faults.status(503)), "server", "unknown", 4 },
    } do
      local moment, entries, kind, applied, attempts = table.unpack(row, 1, 5)

      it(("at a %s, and the call returns %s"):format(moment, kind or "its value"), function()
        local events, client = {}, nil
        client = new { on_event = function(event)
          events[#events + 1] = event.type
          if event.type == moment then client:close() end
        end }
        server:script(entries)
        local runs = client.runs
        local value, err = runs:mark_metric_vote(calls.arguments(VOTE))
        assert.equal(moment, events[#events])  -- a closed client has no more events
        if kind == nil then
          assert.same({ success = true }, value)
        else
          assert.same({ nil, kind, attempts }, { value, err.kind, err.attempts })
        end
        if applied then assert.equal(applied, err.applied) end
        assert.is_true(server:deliveries() <= attempts)
        assert.equal("config", select(2, runs:mark_metric_vote(calls.arguments(VOTE))).kind)
        assert.matches("closed", tostring(client))
      end)
    end

    it("and other clients are not affected", function()
      local other <close> = retries.client(server)
      local client
      client = new { on_event = function() client:close() end }
      calls.vote(client)
      assert.same({ success = true }, (calls.vote(other)))
    end)

    it("and every task's call in flight is cancelled", function()
      local client
      client = new { timeout = 60, deadline = 60, on_event = function(event)
        if event.type == "response" then client:close() end
      end }
      server:script { "hang", "hang" }
      local one, two = client:spawn(calls.vote, client), client:spawn(calls.vote, client)
      while server:deliveries() < 2 do client:step(0.01) end
      client:spawn(calls.vote, client):wait()
      assert.same({ "cancelled", "cancelled" },
        { select(2, one:wait()).kind, select(2, two:wait()).kind })
    end)
  end)

  it("keeps its client alive while the call runs", function()
    local client
    client = new { on_event = function()
      client = nil
      collectgarbage()
      collectgarbage()
    end }
    assert.same({ success = true }, (client.runs:mark_metric_vote(calls.arguments(VOTE))))
  end)

  it("counts against the deadline, and loses no response, if it is slow", function()
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

  it("is not collected before its client", function()
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
