-- Tasks: task:cancel().
local calls = require "support.calls"
local faults = require "support.faults"
local retries = require "support.retries"
local tasks = require "support.tasks"

local SPENDING = "results.bulk_evaluate_metrics"

describe("a task", function()
  local server, client

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    server:clear()
    client = retries.client(server, { timeout = 60, deadline = 60 })
  end)
  after_each(function() client:close() end)

  local function vote() return calls.vote(client) end

  local function drive_to(count)
    tasks.drive(client, function() return server:deliveries() >= count end)
  end

  describe("that is cancelled", function()
    it("by itself is not ended: task:cancel() returns false", function()
      local task
      task = client:spawn(function() return task:cancel(), vote().success end)
      assert.same({ false, true }, { task:wait() })
    end)

    it("before it begins never runs", function()
      local begun = false
      local task = client:spawn(function() begun = true end)
      assert.is_true(task:cancel())
      client:step()
      assert.is_false(begun)
      tasks.is_cancelled(task)
    end)

    it("after its end keeps its results", function()
      local task = client:spawn(function() return 1, 2 end)
      task:wait()
      assert.is_false(task:cancel())
      assert.same({ 1, 2 }, { task:wait() })
    end)

    it("in a call closes the connection", function()
      server:script { "hang" }
      local task = client:spawn(vote)
      drive_to(1)
      assert.equal(1, server:open())
      task:cancel()
      for _ = 1, 100 do if server:open() == 0 then break end end
      assert.equal(0, server:open())
    end)

    it("in a call that spends credits has applied = unknown", function()
      server:script { "hang" }
      local task = client:spawn(calls.make, client, SPENDING)
      drive_to(1)
      task:cancel()
      tasks.is_cancelled(task, "unknown")
    end)

    it("can make calls, which block, while its variables are closed", function()
      server:script { "hang" }
      local last
      local task = client:spawn(function()
        local _ <close> = tasks.closing(function() last = vote().success end)
        vote()
      end)
      drive_to(1)
      assert.is_true(task:cancel())
      assert.is_true(last)
      tasks.is_cancelled(task, "yes")
    end)

    it("by the variables of another one that is cancelled ends, 150 deep", function()
      local all = {}
      for i = 1, 150 do
        all[i] = client:spawn(function()
          local _ <close> = tasks.closing(function() if all[i + 1] then all[i + 1]:cancel() end end)
          client:sleep(1000)
        end)
      end
      client:step()
      all[1]:cancel()
      for _, task in ipairs(all) do
        task:cancel()
        assert.is_true(task:ended())
      end
      tasks.is_idle(client)
    end)
  end)
end)
