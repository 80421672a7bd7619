-- A host's event loop: polls the descriptor, at most for client:timeout(), and steps.
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local script = require "support.script"

local times = retries.times

describe("a host's event loop", function()
  local server, client

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    server:clear()
    client = retries.client(server, { timeout = 60, deadline = 60 })
  end)
  after_each(function() client:close() end)

  it("gets a descriptor and what to poll it for", function()
    assert.equal("integer", math.type(client:pollfd()))
    assert.equal("r", client:events())
    assert.equal(client:pollfd(), client:pollfd())
    local other <close> = retries.client(server)
    assert.not_equal(client:pollfd(), other:pollfd())
  end)

  it("has no timeout if no call or task is left", function()
    for _ = 1, 3 do
      assert.is_nil((client:timeout()))
      assert.is_false(client:step())
      assert.is_true(client:spawn(calls.vote, client):wait().success)
      assert.is_true(calls.vote(client).success)
    end
    assert.is_nil((client:timeout()))
  end)

  it("cannot sleep for negative or NaN seconds", function()
    for _, seconds in ipairs { -1, 0 / 0 } do
      assert.error_matches(function() client:sleep(seconds) end, "expected seconds from 0")
    end
  end)

  it("has a timeout of 0 if a task is ready", function()
    client:spawn(coroutine.yield)
    for _ = 1, 2 do
      assert.equal(0, client:timeout())
      client:step()
    end
    assert.is_nil((client:timeout()))
  end)

  it("has a timeout until the next sleep or call ends", function()
    local task = client:spawn(function() client:sleep(50) end)
    client:step()
    assert.is_true(client:timeout() > 40 and client:timeout() <= 50)
    task:cancel()
    assert.is_nil((client:timeout()))
    server:script { "hang" }
    task = client:spawn(calls.vote, client, nil, { timeout = 30 })
    repeat client:step(0.01) until server:deliveries() == 1
    assert.is_true(client:timeout() <= 30)
    task:cancel()
    assert.is_nil((client:timeout()))
  end)

  it("finishes all tasks with descriptor and timeout alone", function()
    server:script { faults.status(503), "close_before_answer", faults.status(429) }
    local one = retries.client(server)
    local done = 0
    for _ = 1, 20 do
      one:spawn(function() if calls.vote(one).success then done = done + 1 end end)
    end
    while one:step(one:timeout() or error "it would wait for ever") do end
    assert.equal(20, done)
    assert.is_nil((one:timeout()))
    one:close()
  end)

  -- A host that steps when luv says that the descriptor is ready or the timeout has passed. No
  -- timeout is shorter than the 10 seconds that the loop runs, so that a call goes on only if the
  -- descriptor tells. The code that is inserted ends with a call outside of tasks.
  local HOST = [[
    local cekura, uv = require "cekura", require "luv"
    local failures, on_failure = 0, function() end
    local client = assert(cekura.new { api_url = %q, api_key = "k", allow_http = true,
      backoff = { base = 0.2 }, timeout = 30, deadline = 60,
      on_event = function(event)
        if event.type ~= "retry" then return end
        failures = failures + 1
        on_failure()
      end })
    local function put(text)
      return client:request {
        method = "PUT", path = "/", body = { text = text }, idempotent = true,
      }
    end
    %s
    local poll, due, limit = uv.new_poll(client:pollfd()), uv.new_timer(), uv.new_timer()
    local function step()
      if not client:step() then return uv.stop() end
      due:start(math.ceil(client:timeout() * 1000), 0, step)
    end
    poll:start("r", step)
    due:start(0, 0, step)
    limit:start(10000, 0, uv.stop)
    uv.run()
    print(task:ended() and task:wait() ~= nil, failures)
  ]]

  local SLOW = { { "read_head" }, { "sleep", 0.5 }, { "read" }, { "answer", 200, {}, "{}" } }
  local SLOWER = { { "read_head" }, { "sleep", 1 }, { "read" }, { "answer", 200, {}, "{}" } }

  it("notices that a call goes on that was retried while another call blocked", function()
    server:script { faults.status(503), SLOW, SLOWER }
    assert.equal("true\ntrue\t1\n", (script.run(HOST:format(server.url, [[
      local task = client:spawn(put, ("x"):rep(16 * 1024 * 1024))
      repeat client:step(0.001) until failures == 1
      print(put "y" ~= nil)
    ]]))))
  end)

  -- Both calls fail before the first step after the callback.
  it("notices that a call goes on that failed together with a call that blocks", function()
    server:script { { { "sleep", 0.3 }, { "answer", 503, {}, "" } }, faults.status(503), SLOW,
      SLOWER }
    assert.equal("true\ntrue\t2\n", (script.run(HOST:format(server.url, [[
      local task = client:spawn(put, ("x"):rep(16 * 1024 * 1024))
      repeat client:step(0.001) until client:timeout() > 1
      function on_failure()
        on_failure = function() end
        uv.sleep(600)
      end
      print(put "y" ~= nil)
    ]]))))
  end)

  it("does not wait longer than the argument of step", function()
    server:script { "hang" }
    client:spawn(calls.vote, client)
    client:spawn(function() client:sleep(1000) end)
    for _ = 1, 3 do
      clock.within(clock.AT_ONCE, function() assert.is_true(client:step(0)) end)
      clock.within(clock.AT_ONCE + 0.05, function() assert.is_true(client:step(0.05)) end)
    end
    clock.within(clock.AT_ONCE, function()
      for _, seconds in ipairs { -1, 0 / 0, -math.huge } do client:step(seconds) end
    end)
  end)

  it("is not blocked by many ready tasks", function()
    local spent = 0
    for _ = 1, 20 do
      client:spawn(function()
        local till = os.clock() + 0.01
        while os.clock() < till do end
        spent = spent + 1
      end)
    end
    local began = os.clock() -- of this process, because others use the processor, too
    assert.is_true(client:step())
    assert.is_true(os.clock() - began < 0.15)
    assert.is_true(spent > 0 and spent < 20)
    while client:step() do end
    assert.equal(20, spent)
  end)

  it("ends the tasks of a closed client", function()
    server:script(times(2, "hang"))
    local learnt = {}
    local function run(name, stand, ...)
      learnt[name] = select(2, stand(...)).kind
    end
    client:spawn(run, "in flight", calls.vote, client)
    client:spawn(run, "asleep", client.sleep, client, 1000)
    local closes = client:spawn(function()
      client:sleep(0)
      client:close()
    end)
    client:spawn(run, "waiting", closes.wait, client:spawn(calls.vote, client))
    repeat client:step(0.01) until closes:ended()
    assert.equal(0, client:timeout())
    while client:step(client:timeout()) do end
    assert.same({ ["in flight"] = "cancelled", asleep = "config", waiting = "cancelled" }, learnt)
    assert.same({ nil, "config" }, { (client:step()), select(2, client:step()).kind })
    for _, name in ipairs { "pollfd", "events", "timeout" } do
      assert.equal("config", select(2, client[name](client)).kind)
    end
  end)
end)
