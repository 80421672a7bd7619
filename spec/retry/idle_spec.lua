-- Idle connections: they are kept for the next call, for half a minute.
local calls = require "support.calls"
local faults = require "support.faults"
local retries = require "support.retries"
local system = require "system"

local IDLE = 30  -- seconds that a connection is kept

local CALLS = {
  vote = calls.vote,
  ["a read"] = function(client) return calls.make(client, "results.get") end,
  ["a paid call"] = function(client) return calls.make(client, "results.evaluate_metrics") end,
}

local WAYS = {
  http = { "fin", "reset", "forge" },
  https = { "fin", "tls_cut", "notify", "reset", "forge" },
}

describe("an idle connection", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  it("is closed when it expires if the client is stepped, and not before", function()
    local client <close> = retries.client(server)
    assert(calls.vote(client))
    assert.equal(1, server:open())
    client:sleep(IDLE / 3)
    assert(calls.vote(client))
    assert.equal(1, server:connections())
    local since = system.monotime()
    client:sleep(IDLE / 3)
    assert.is_true(server:open() > 0)
    client:sleep(IDLE + 1 - (system.monotime() - since))
    assert.equal(0, server:open())
    assert(calls.vote(client))
    assert.equal(2, server:connections())
  end)

  it("is not used by a call that spends credits, which closes its own", function()
    local client <close> = retries.client(server)
    assert(calls.vote(client))
    for _ = 1, 3 do assert(calls.make(client, "results.evaluate_metrics")) end
    assert.equal(1, server:open())
    assert(calls.vote(client))
    local connections = {}
    for i, row in ipairs(server:ledger()) do connections[i] = row.connection end
    local first = connections[1]
    assert.same({ first, first + 1, first + 2, first + 3, first }, connections)
  end)
end)

-- Fails unless a call succeeds at once, with one delivery and the response to it.
local function is_undisturbed(server, client, call)
  server:clear()
  local value, response = call(client)
  assert.same({ success = true }, value, response)
  assert.same({ 1, 1 }, { response.attempts, server:deliveries() })
end

for transport, ways in pairs(WAYS) do
  describe("over " .. transport .. ", an idle connection that the server has ended by", function()
    local server
    setup(function() server = faults.start { tls = transport == "https" } end)
    teardown(function() server:stop() end)

    for _, way in ipairs(ways) do
      it(way .. " does not disturb the next call", function()
        for _, call in pairs(CALLS) do
          for _, seconds in ipairs { 0, 1.1 } do  -- libcurl 8.23 checks it once per second
            local client <close> = retries.client(server, { max_attempts = 1 })
            assert(calls.vote(client))
            is_undisturbed(server, client, calls.vote)
            assert.equal(1, server:kill_idle(way))
            system.sleep(seconds)
            is_undisturbed(server, client, call)
            is_undisturbed(server, client, calls.vote)
          end
        end
      end)

      it(way .. " does not disturb calls at once", function()
        local client <close> = retries.client(server, { max_attempts = 1 })
        local function call_at_once()
          local tasks = {}
          for i = 1, 8 do tasks[i] = client:spawn(calls.vote, client) end
          for i = 1, 8 do assert.same({ success = true }, (assert(tasks[i]:wait()))) end
        end
        call_at_once()
        assert.is_true(server:kill_idle(way) > 0)
        server:clear()
        call_at_once()
        assert.equal(8, server:deliveries())
      end)
    end

    it("ending it with the response does not disturb the next call", function()
      for _, call in pairs(CALLS) do
        local client <close> = retries.client(server, { max_attempts = 1 })
        server:script { { { "answer", 200, {}, '{"success": true}' }, { "close" } } }
        assert(calls.vote(client))
        server:deliveries()  -- waits until the connection has ended
        is_undisturbed(server, client, call)
      end
    end)
  end)
end
