-- Tasks: task:wait(), client:sleep(), and where they block.
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local tasks = require "support.tasks"

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

  describe("is waited for", function()
    it("by two tasks, and by the main thread", function()
      local function succeeds() return vote().success end
      local task = client:spawn(succeeds)
      local function wait() return task:wait() end
      local one, two = client:spawn(wait), client:spawn(wait)
      assert.same({ true, true, true }, { (one:wait()), (two:wait()), (task:wait()) })
      assert.equal(1, server:deliveries())
    end)

    it("in a chain of 500", function()
      local task = client:spawn(function() return vote().success end)
      for _ = 1, 500 do
        task = client:spawn(function(before) return before:wait() end, task)
      end
      assert.is_true((task:wait()))
      tasks.is_idle(client)
    end)

    it("after its end, without a yield", function()
      local done = client:spawn(function() return 1 end)
      done:wait()
      local steps = {}
      local one = client:spawn(function()
        done:wait()
        steps[#steps + 1] = 1
      end)
      local two = client:spawn(function() steps[#steps + 1] = 2 end)
      one:wait()
      two:wait()
      assert.same({ 1, 2 }, steps)
    end)

    it("by its parent", function()
      local task = client:spawn(function()
        local inner = {}
        for i = 1, 3 do inner[i] = client:spawn(function() return vote() and i end) end
        local sum = 0
        for _, each in ipairs(inner) do sum = sum + each:wait() end
        return sum
      end)
      assert.equal(6, task:wait())
    end)

    it("by itself, which raises", function()
      local task
      task = client:spawn(function() return pcall(task.wait, task) end)
      local ok, message = task:wait()
      assert.is_false(ok)
      assert.matches("cannot wait for its own end", message)
    end)

    -- Returns tasks that wait for each other in a cycle, each with `wait`.
    local function cycle(count, wait)
      local all = {}
      for i = 1, count do
        all[i] = client:spawn(function() return wait(all[i % count + 1], i) end)
      end
      return all
    end

    local function plain(task) return task:wait() end
    local function in_coroutine(task) return coroutine.wrap(plain)(task) end

    -- { what, function that starts other endless work, function with which a task waits }
    for _, row in ipairs {
      { "with nothing else", function() end, plain },
      { "with a task that sleeps", function() client:spawn(client.sleep, client, 1000) end, plain },
      { "with a call without a response", function()
          server:script { "hang" }
          client:spawn(vote)
        end, plain },
      { "in coroutines", function() client:spawn(client.sleep, client, 1000) end, in_coroutine },
      { "one of them in a coroutine", function() client:spawn(client.sleep, client, 1000) end,
        function(task, i) return (i == 2 and in_coroutine or plain)(task) end },
    } do
      local what, prepare, wait = table.unpack(row)
      for _, count in ipairs { 2, 3, 50 } do
        if count < 50 or wait == plain then
          it(("in a cycle of %d %s, which raises"):format(count, what), function()
            prepare()
            local all = cycle(count, wait)
            for _, task in ipairs(all) do
              local value, message = task:wait()
              assert.is_nil(value)
              assert.matches("deadlock", message)
            end
          end)
        end
      end
    end

    it("in a cycle, which raises in the last task, which can continue", function()
      client:spawn(client.sleep, client, 1000)
      local all = cycle(3, function(task, i)
        if i < 3 then return task:wait() end
        local ok, message = pcall(task.wait, task)
        assert.is_false(ok)
        assert.matches("deadlock", message)
        assert(client:sleep(0.01))
        return "went on"
      end)
      for i = 3, 1, -1 do assert.equal("went on", all[i]:wait()) end
    end)

    it("by an item of its own each, which raises", function()
      client:spawn(client.sleep, client, 1000)
      local task
      task = client:spawn(function()
        return client:each({ 1, 2 }, function() return task:wait() end)
      end)
      local report = task:wait()
      assert.same({ 0, 2 }, { report.ok, report.failed })
      assert.matches("deadlock", report.errors[1].error)
    end)

    it("by several tasks while it waits itself", function()
      local last = client:spawn(function() return client:sleep(0.05) end)
      local middle = client:spawn(function() return last:wait() end)
      local all = {}
      for i = 1, 3 do
        all[i] = client:spawn(function() return middle:wait() and last:wait() end)
      end
      for i = 1, 3 do assert.is_true(all[i]:wait()) end
    end)

    it("by a task that it has waited for before", function()
      local one, two
      one = client:spawn(function() return two:wait() end)
      two = client:spawn(function()
        client:sleep(0.01)
        assert.is_true(one:cancel())
        return select(2, one:wait()).kind
      end)
      assert.equal("cancelled", two:wait())
    end)

    it("by itself below a C function that cannot yield, which raises", function()
      local task
      task = client:spawn(function()
        local list = { 1, 2 }
        return pcall(table.sort, list, function() return task:wait() end)
      end)
      local ok, message = task:wait()
      assert.is_false(ok)
      assert.matches("deadlock", message)
    end)
  end)

  describe("sleeps", function()
    it("and is resumed in the order of time", function()
      local order = {}
      for _, seconds in ipairs { 0.03, 0.01, 0.02, 0, 0.01 } do
        client:spawn(function()
          assert.is_true(client:sleep(seconds))
          order[#order + 1] = seconds
        end)
      end
      while client:step(1) do end
      assert.same({ 0, 0.01, 0.01, 0.02, 0.03 }, order)
    end)

    it("until task:wake()", function()
      for _, seconds in ipairs { 1000, math.huge } do
        local task = client:spawn(function() return client:sleep(seconds) end)
        client:step()
        assert.is_true((client:spawn(function() return task:wake() end):wait()))
        assert.is_true((task:wait()))
        assert.is_false(task:wake())
      end
    end)

    it("for a non-negative number only", function()
      for _, seconds in ipairs { -1, 0 / 0, "x", {} } do
        assert.is_false((pcall(client.sleep, client, seconds)))
      end
      assert.is_false((pcall(client.sleep, client)))
    end)

    it("for the time given, outside of tasks too", function()
      local taken, woken = clock.time(client.sleep, client, 0.05)
      assert.is_true(taken >= 0.05 and woken)
    end)
  end)

  describe("that cannot yield blocks:", function()
    -- { where, a function that returns the result of a call made there }
    for _, row in ipairs {
      { "a comparator", function()
        local got
        table.sort({ 1, 2 }, function(a, b)
          got = got or vote()
          return a < b
        end)
        return got
      end },
      { "string.gsub", function()
        local got
        ("x"):gsub("x", function() got = vote() end)
        return got
      end },
      { "a metamethod below C", function()
        return setmetatable({}, { __tostring = function() return tostring(vote().success) end })
      end },
      { "an iterator by coroutine.wrap", function()
        local got
        for each in coroutine.wrap(function() coroutine.yield(vote()) end) do got = each end
        return got
      end },
      { "a scheduler of coroutines", function()
        local got
        local threads = { coroutine.create(function() got = vote() end),
          coroutine.create(function() coroutine.yield() end) }
        while #threads > 0 do
          for i = #threads, 1, -1 do
            assert(coroutine.resume(threads[i]))
            if coroutine.status(threads[i]) == "dead" then table.remove(threads, i) end
          end
        end
        return got
      end },
    } do
      local where, run = table.unpack(row)
      it("in " .. where, function()
        local order = {}
        local task = client:spawn(function()
          local got = run()
          got = getmetatable(got) and { success = tostring(got) == "true" } or got
          order[#order + 1] = 1
          return got.success
        end)
        client:spawn(function() order[#order + 1] = 2 end)
        assert.is_true((task:wait()))
        client:step()
        assert.same({ 1, 2 }, order)
        assert.is_true((run() and true))  -- outside of tasks as well
      end)
    end

    it("in a sleep in a coroutine of its own", function()
      local task = client:spawn(function()
        return coroutine.wrap(function() return client:sleep(0.01), vote().success end)()
      end)
      assert.same({ true, true }, { task:wait() })
    end)

    it("but not below pcall and a metamethod in Lua", function()
      local order = {}
      local object = setmetatable({}, { __index = function() return vote().success end })
      client:spawn(function()
        local name = select(2, pcall(function() return object.x end)) and 1
        order[#order + 1] = name
      end)
      client:spawn(function() order[#order + 1] = 2 end):wait()
      assert.same({ 2 }, order)
      while client:step(0.1) do end
      assert.same({ 2, 1 }, order)
    end)
  end)

  describe("of one client and a task of another", function()
    local other

    before_each(function() other = retries.client(server, { timeout = 60, deadline = 60 }) end)
    after_each(function() other:close() end)

    it("can make calls of the other client, which block", function()
      local task = client:spawn(function()
        return calls.vote(other).success, vote().success
      end)
      assert.same({ true, true }, { task:wait() })
    end)

    it("can wait for each other", function()
      local inner = other:spawn(function() return calls.vote(other).success end)
      local task = client:spawn(function() return inner:wait() end)
      assert.is_true((task:wait()))
    end)

    it("can be made in each other, ten deep", function()
      local function nest(depth)
        if depth == 0 then return "bottom" end
        local own = depth % 2 == 0 and client or other
        return own:spawn(function()
          assert(calls.vote(own))
          return nest(depth - 1)
        end):wait()
      end
      assert.equal("bottom", nest(10))
      assert.equal(10, server:deliveries())
      tasks.is_idle(client)
      tasks.is_idle(other)
    end)

    it("in a cycle of waits raise", function()
      local one, two
      one = client:spawn(function() return two:wait() end)
      two = other:spawn(function() return one:wait() end)
      local value, message = one:wait()
      assert.is_nil(value)
      assert.matches("deadlock", tostring(message))
    end)

    it("in a cycle of three waits raise, although other tasks sleep", function()
      for _, own in ipairs { client, other } do own:spawn(own.sleep, own, 1000) end
      local one, two, three
      one = client:spawn(function() return two:wait() end)
      two = other:spawn(function() return three:wait() end)
      three = client:spawn(function() return one:wait() end)
      for _, task in ipairs { one, two, three } do
        local value, message = task:wait()
        assert.is_nil(value)
        assert.matches("deadlock", tostring(message))
      end
    end)
  end)

  describe("in nested waits", function()
    -- Each wait is in a coroutine of its own, where it blocks.
    local function nest(depth)
      if depth == 0 then return "bottom" end
      return coroutine.wrap(function()
        return client:spawn(function() return nest(depth - 1) end):wait()
      end)()
    end

    it("20 deep returns its result", function() assert.equal("bottom", nest(20)) end)

    for _, depth in ipairs { 40, 60, 100, 150, 250, 1000 } do
      it(depth .. " deep returns its result or an error", function()
        local ok, value, err = pcall(nest, depth)
        assert.is_true(not ok or value == "bottom" or tostring(err):find "stack overflow" ~= nil,
          tostring(err))
        assert.is_true(client:spawn(vote):wait().success)
      end)
    end

    it("is cancelled by another that is being cancelled, or task:cancel() raises", function()
      local all = {}
      local count = 20000
      for i = 1, count do
        all[i] = client:spawn(function()
          local _ <close> = tasks.closing(function() if i < count then all[i + 1]:cancel() end end)
          coroutine.yield()
        end)
      end
      client:step()
      pcall(all[1].cancel, all[1])
      for _, task in ipairs(all) do task:cancel() end
      for _, task in ipairs(all) do assert.is_true(task:ended()) end
    end)
  end)
end)
