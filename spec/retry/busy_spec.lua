-- A script that does not step for longer than a timeout, or a process that is stopped: responses
-- that have arrived meanwhile count, and no request is sent late.
local calls = require "support.calls"
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local system = require "system"

local SPENDING, LIST = "results.bulk_evaluate_metrics", "results.list"
local MANY, SOME = 100, 36  -- each more than one step reads from the sockets
local tool = os.getenv "CEKURA_RUN" or ""
local TIMEOUT = tool == "" and 1 or 5
local BUSY = TIMEOUT * 1.3

local server  -- of each describe

local patient = retries.patient(it, function() return server end)

local function late(entry, timeout)
  return { { "read" }, { "sleep", (timeout or TIMEOUT) * 0.8 }, table.unpack(entry or faults.ok()) }
end

-- Starts `count` calls and steps until the server has received all of them, and until libcurl has
-- no timer that would make it read the sockets. No response has arrived by then.
local function begin(client, count, name, timeout)
  local tasks = {}
  for i = 1, count do tasks[i] = client:spawn(calls.make, client, name) end
  local began = system.monotime()
  local function is_after(share) return system.monotime() > began + (timeout or TIMEOUT) * share end
  repeat
    client:step(0.01)
  until is_after(0.5) and (is_after(0.75) or server:deliveries() == count)
  assert.equal(count, server:deliveries())
  return tasks
end

for what, options in pairs { ["plain HTTP"] = {}, ["TLS"] = { tls = true } } do
  describe("after a busy time, over " .. what .. ",", function()
    setup(function() server = faults.start(options) end)
    teardown(function() server:stop() end)

    local function new(more)
      local all = { timeout = TIMEOUT, max_attempts = 1 }
      for name, value in pairs(more or {}) do all[name] = value end
      return retries.client(server, all)
    end

    local function all_are_ok(tasks, server_has)
      for _, task in ipairs(tasks) do
        local value, err = task:wait()
        assert.is_nil(not value and tostring(err) or nil)
      end
      assert.equal(server_has or #tasks, server:deliveries())
    end

    for _, name in ipairs { SPENDING, LIST } do
      local is_tls = next(options) ~= nil
      local count, longer = is_tls and SOME or MANY, is_tls and 2 or 1  -- for the handshakes
      patient(("all of %d responses to %s count"):format(count, name), function()
        local timeout = TIMEOUT * longer
        local client <close> = new { timeout = timeout }
        server:usually(late(nil, timeout))
        local tasks = begin(client, count, name, timeout)
        system.sleep(BUSY * longer)
        all_are_ok(tasks)
      end)
    end

    patient("a response of many reads counts", function()
      local client <close> = new()
      local body = '["' .. ("x"):rep(300000) .. '"]'
      server:script { late(faults.ok(body)) }
      local tasks = begin(client, 1, LIST)
      system.sleep(BUSY)
      local value, err = tasks[1]:wait()
      assert.is_nil(not value and tostring(err) or nil)
      assert.equal(300000, #value[1])
    end)

    patient("a response to a blocking call counts", function()
      local busy
      local client <close> = new { on_event = function(event)
        if event.type ~= "response" or busy then return end
        busy = true
        assert.is_true(server:wait(2))
        system.sleep(BUSY)
      end }
      server:script { { { "read" }, { "sleep", TIMEOUT * 0.7 }, faults.ok()[1] }, late() }
      begin(client, 1, SPENDING)
      local value, err = calls.make(client, SPENDING)
      assert.is_nil(not value and tostring(err) or nil)
      assert.is_true(busy)
      assert.equal(2, server:deliveries())
    end)

    patient("a response to the second attempt counts", function()
      local client <close> = new { max_attempts = 2 }
      server:script { faults.status(503, { ["Retry-After"] = "0" }), late() }
      local task = client:spawn(calls.make, client, LIST)
      while server:deliveries() < 2 do client:step(0.01) end
      local till = system.monotime() + TIMEOUT / 2
      while system.monotime() < till do client:step(0.01) end
      system.sleep(BUSY)
      all_are_ok({ task }, 2)
    end)

    patient("a wait between two attempts has passed, and the next attempt begins", function()
      local client <close> = new { max_attempts = 2 }
      server:script { faults.status(429, { ["Retry-After"] = "1" }) }
      local limited = client:spawn(calls.make, client, SPENDING)
      while server:deliveries() < 1 do client:step(0.01) end
      for _ = 1, 10 do client:step(0.01) end
      local queued = client:spawn(calls.make, client, SPENDING)
      client:step(0)
      system.sleep(math.max(BUSY, 1.1))
      all_are_ok({ limited, queued }, 3)
    end)

    patient("a call whose response has not arrived times out", function()
      local client <close> = new()
      server:usually { { "hang" } }
      local tasks = begin(client, 3, SPENDING)
      system.sleep(BUSY)
      for _, task in ipairs(tasks) do
        local _, err = task:wait()
        assert.same({ "timeout", "unknown", 1 }, { err.kind, err.applied, err.attempts })
      end
    end)
  end)
end

describe("a request whose deadline passes before it can be sent", function()
  setup(function() server = faults.start { tls = true } end)
  teardown(function() server:stop() end)

  -- Starts a call, and returns while the handshake waits for the client.
  local function begin_handshake(client)
    local task = client:spawn(calls.make, client, SPENDING)
    client:step(0)
    system.sleep(BUSY)
    return task
  end

  patient("is not sent", function()
    local client <close> = retries.client(server, { timeout = TIMEOUT, max_attempts = 1 })
    local _, err = begin_handshake(client):wait()
    assert.same({ "timeout", "no", 1 }, { err.kind, err.applied, err.attempts })
    assert.equal(0, server:deliveries())
  end)

  patient("is retried", function()
    local client <close> = retries.client(server, { timeout = TIMEOUT })
    local value, response = begin_handshake(client):wait()
    assert.same({ success = true }, value)
    assert.equal(2, response.attempts)
    assert.equal(1, server:deliveries())
  end)
end)

describe("a process that is stopped for longer than a timeout", function()
  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  local START = [[
    local cekura = require "cekura"
    local client = cekura.new { api_url = %q, api_key = "k", timeout = %f, max_attempts = 1 }
    local function evaluate()
      return client.results:bulk_evaluate_metrics { result_ids = { 1 }, metric_ids = { 2 } }
    end
    %s]]

  for what, text in pairs {
    ["a call that blocks"] = "print(evaluate())",
    ["a task's call"] = "print(client:spawn(evaluate):wait())",
    ["each"] = "print(client:each({ 1 }, evaluate).ok == 1)",
  } do
    patient("receives the response of " .. what, function()
      server:script { late() }
      local process = child.start_checked { child.lua, "-e",
        START:format(server.url, TIMEOUT, text) }
      assert.is_true(server:wait(1, clock.LIMIT))
      system.sleep(TIMEOUT / 2)
      process:signal "STOP"
      system.sleep(BUSY)
      process:signal "CONT"
      assert.matches("^t", (process:finish()))
      assert.equal(1, server:deliveries())
    end)
  end
end)
