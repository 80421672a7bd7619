-- Idle connections: they are kept for the next call, for half a minute.
local calls = require "support.calls"
local faults = require "support.faults"
local retries = require "support.retries"
local system = require "system"

local IDLE = 30  -- seconds that a connection is kept

describe("an idle connection", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  it("is closed when it expires if the client is stepped, and not before", function()
    local client <close> = retries.client(server)
    assert(calls.vote(client))
    assert(calls.make(client, "results.bulk_evaluate_metrics"))
    assert.equal(2, server:open())
    client:sleep(IDLE / 3)
    assert(calls.vote(client))
    assert.equal(2, server:connections())
    local since = system.monotime()
    client:sleep(IDLE / 3)
    assert.is_true(server:open() > 0)
    client:sleep(IDLE + 1 - (system.monotime() - since))
    assert.equal(0, server:open())
    assert(calls.vote(client))
    assert.equal(3, server:connections())
  end)
end)
