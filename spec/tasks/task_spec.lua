-- Tasks: functions that stand in a call, a sleep or a wait while others go on.
local cekura = require "cekura"
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"
local script = require "support.script"

local times = retries.times
local SPENDING = "results.bulk_evaluate_metrics"
local NEVER = { timeout = 60, deadline = 80000, backoff = { base = 80000, cap = 80000 } }

-- A variable that is closed when its scope is left, however that comes about.
local function closing(fn)
  return setmetatable({}, { __close = function(_, raised) fn(raised) end })
end

local function merged(...)
  local all = {}
  for _, options in ipairs { ... } do
    for name, value in pairs(options) do all[name] = value end
  end
  return all
end

describe("a task", function()
  local server, client

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    server:clear()
    client = retries.client(server, { timeout = 60, deadline = 60 })
  end)
  after_each(function() client:close() end)

  local function vote(options) return calls.vote(client, nil, options) end

  -- Steps until that holds.
  local function drive(holds, other)
    local till = os.time() + clock.LIMIT
    while not holds() do
      assert(os.time() < till, "it never came to that")
      assert((other or client):step(0.01) ~= nil)
    end
  end

  -- The server has got so many requests.
  local function drive_to(count)
    drive(function() return server:deliveries() >= count end)
  end

  local function is_cancelled(task, applied)
    local value, err = task:wait()
    assert.is_nil(value)
    assert.same({ "cancelled", applied or "no" }, { err.kind, err.applied })
    assert.is_true(task:ended())
    assert.equal(applied or "no", task:applied())
    assert.is_nil(tostring(err):find "[\r\n]")
  end

  -- A client that nobody uses any more has nothing to wait for.
  local function is_idle(one)
    assert.is_false((one or client):step())
    assert.is_nil((one or client):timeout())
  end

  describe("gives", function()
    for what, values in pairs {
      ["nothing"] = table.pack(), ["nil"] = table.pack(nil), ["a value"] = table.pack(7),
      ["false"] = table.pack(false), ["a table and a function"] = table.pack({}, print),
      ["a nil in the middle and at the end"] = table.pack(1, nil, 3, nil),
      ["nil and a message"] = table.pack(nil, "x"),
    } do
      it(what .. ", as often as it is asked", function()
        local task = client:spawn(function() return table.unpack(values, 1, values.n) end)
        for _ = 1, 3 do assert.same(values, table.pack(task:wait())) end
        is_idle()
      end)
    end

    it("a thousand values, and takes as many", function()
      local list = {}
      for i = 1, 1000 do list[i] = i end
      local task = client:spawn(function(...)
        client:sleep(0)
        return ...
      end, table.unpack(list))
      assert.same(list, { task:wait() })
    end)

    it("its function the arguments that it was begun with", function()
      for _, values in ipairs { table.pack(), table.pack(nil), table.pack(nil, 2, nil, nil) } do
        local task = client:spawn(table.pack, table.unpack(values, 1, values.n))
        assert.same(values, (task:wait()))
      end
    end)

    it("what a call gives", function()
      local value, response = client:spawn(vote):wait()
      assert.same({ true, 200, 1 }, { value.success, response.status, response.attempts })
      server:script { faults.status(404) }
      local none, err = client:spawn(vote):wait()
      assert.same({ nil, "not_found", "no" }, { none, err.kind, err.applied })
    end)

    it("what it has in hand, also when its coroutine is taken up by hand later", function()
      local own
      local task = client:spawn(function()
        own = coroutine.running()
        return print, 2
      end)
      assert.same({ print, 2 }, { task:wait() })
      assert.is_false((coroutine.resume(own, "x")))
      coroutine.close(own)
      assert.same({ print, 2 }, { task:wait() })
    end)
  end)

  describe("that raises", function()
    local object = setmetatable({}, { __tostring = function() return "object" end })
    for what, raised in pairs {
      ["a string"] = "boom", ["a table"] = { 1 }, ["an object"] = object, ["false"] = false,
      ["a number"] = 7, ["a function"] = print,
    } do
      it(what .. " gives nil and that", function()
        for _, before in ipairs { function() end, coroutine.yield, vote } do
          local closed
          local task = client:spawn(function()
            local _ <close> = closing(function(err) closed = { err } end)
            before()
            error(raised, 0)
          end)
          local results = table.pack(task:wait())
          assert.same({ n = 2, nil, raised }, results)
          assert.same({ raised }, closed)
          assert.is_true(task:ended())
        end
        is_idle()
      end)
    end

    it("nil gives nil and nil", function()
      assert.same(table.pack(nil, nil), table.pack(client:spawn(error):wait()))
    end)

    it("while its variables are closed gives what was raised last", function()
      local task = client:spawn(function()
        local _ <close> = closing(function() error("last", 0) end)
        error("first", 0)
      end)
      assert.same({ n = 2, nil, "last" }, table.pack(task:wait()))
    end)

    it("leaves the others alone", function()
      local good = client:spawn(vote)
      client:spawn(error, "boom")
      assert.same({ success = true }, (good:wait()))
    end)

    it("the text that Ctrl-C raises ends the task, and nothing else", function()
      local task = client:spawn(error, "interrupted!", 0)
      assert.same({ true, false }, { pcall(client.step, client) })
      assert.same({ n = 2, nil, "interrupted!" }, table.pack(task:wait()))
      is_idle()
    end)

    it("can be caught in it, around calls too", function()
      server:script { faults.status(503), faults.status(404) }
      local task = client:spawn(function()
        local ok, message = pcall(function()
          client:sleep(0)
          local _, err = vote()  -- the 503 first, then again
          error(err)
        end)
        return ok, message.kind, select(2, pcall(vote)).success
      end)
      assert.same({ false, "not_found", true }, { task:wait() })
    end)
  end)

  describe("and the calls of others", function()
    it("are on the wire at the same time", function()
      server:script(times(20, "hang"))
      local tasks = {}
      for i = 1, 20 do tasks[i] = client:spawn(vote) end
      drive_to(20)  -- and none of them has been answered
      for _, task in ipairs(tasks) do
        assert.is_false(task:ended())
        assert.is_true(task:cancel())
        is_cancelled(task, "unknown")
      end
      assert.equal(20, server:deliveries())
      is_idle()
    end)

    it("come back in whatever order the server likes", function()
      server:script { { { "read" }, { "sleep", clock.SHORT }, faults.ok()[1] } }
      local order = {}
      local function run(name)
        vote()
        order[#order + 1] = name
      end
      local slow = client:spawn(run, "slow")
      drive_to(1)
      client:spawn(run, "quick"):wait()
      slow:wait()
      assert.same({ "quick", "slow" }, order)
    end)

    it("go on while one is tried again", function()
      server:script { faults.status(503) }
      local other = retries.client(server, NEVER)
      local waits = other:spawn(calls.vote, other)
      drive(function() return server:deliveries() == 1 end, other)
      drive(function() return other:timeout() > 61 end, other)  -- in the wait before the retry
      for _ = 1, 3 do assert.is_true(other:spawn(calls.vote, other):wait().success) end
      assert.is_false(waits:ended())
      waits:cancel()
      is_cancelled(waits, "unknown")
      other:close()
    end)

    it("move while somebody blocks in one, but the tasks do not", function()
      server:script { { { "read" }, { "sleep", clock.SHORT }, faults.ok()[1] }, faults.status(503) }
      local went_on = false
      local task = client:spawn(function()
        vote()
        went_on = true
      end)
      drive_to(1)
      assert.is_true(vote().success)  -- the 503 first, then again
      client:sleep(2 * clock.SHORT)
      assert.equal(3, server:deliveries())
      assert.is_false(went_on)
      task:wait()
      assert.is_true(went_on)
    end)

    it("reuse connections", function()
      local function several() for _ = 1, 5 do assert(vote()) end return true end
      local before = server:connections()
      local tasks = {}
      for i = 1, 4 do tasks[i] = client:spawn(several) end
      for _, task in ipairs(tasks) do assert.is_true((task:wait())) end
      assert.equal(20, server:deliveries())
      assert.is_true(server:connections() - before <= 4)
    end)

    it("of all five endpoints run side by side against the sandbox", function()
      local box <close> = sandbox.start { api_key = "the-key" }
      local one <close> = assert(cekura.new { api_key = "the-key", api_url = box.url })
      local tasks = {}
      for round = 1, 4 do
        for i, name in ipairs(calls.names) do
          local changes = name == "calls.evaluate_metrics" and { call_logs = { 70023 } } or nil
          tasks[(round - 1) * 5 + i] = one:spawn(calls.make, one, name, changes)
        end
      end
      for _, task in ipairs(tasks) do
        local value, response = task:wait()
        assert.truthy(value, tostring(response))
        assert.equal(1, response.attempts)
      end
      assert.equal(20, #box:requests())
    end)
  end)

  describe("is waited for", function()
    it("by two others, and from outside", function()
      local function answer() return vote().success end
      local task = client:spawn(answer)
      local function wait() return task:wait() end
      local one, two = client:spawn(wait), client:spawn(wait)
      assert.same({ true, true, true }, { (one:wait()), (two:wait()), (task:wait()) })
      assert.equal(1, server:deliveries())
    end)

    it("in a chain", function()
      local task = client:spawn(function() return vote().success end)
      for _ = 1, 500 do
        task = client:spawn(function(before) return before:wait() end, task)
      end
      assert.is_true((task:wait()))
      is_idle()
    end)

    it("when it has ended, without letting others in", function()
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

    it("by one that began it", function()
      local task = client:spawn(function()
        local inner = {}
        for i = 1, 3 do inner[i] = client:spawn(function() return vote() and i end) end
        local sum = 0
        for _, each in ipairs(inner) do sum = sum + each:wait() end
        return sum
      end)
      assert.equal(6, task:wait())
    end)

    it("in vain, by itself", function()
      local task
      task = client:spawn(function() return pcall(task.wait, task) end)
      local ok, message = task:wait()
      assert.is_false(ok)
      assert.matches("cannot wait for its own end", message)
    end)

    -- Tasks that wait for each other in a circle, by `wait`; the last to begin closes it.
    local function circle(count, wait)
      local tasks = {}
      for i = 1, count do
        tasks[i] = client:spawn(function() return wait(tasks[i % count + 1], i) end)
      end
      return tasks
    end

    local function plain(task) return task:wait() end
    local function in_coroutine(task) return coroutine.wrap(plain)(task) end

    -- { what else there is, which does not end, how the tasks wait }
    for _, row in ipairs {
      { "with nothing else", function() end, plain },
      { "with a task that sleeps", function() client:spawn(client.sleep, client, 1000) end, plain },
      { "with a call that is not answered", function()
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
          it(("in vain, in a circle of %d %s: an error"):format(count, what), function()
            prepare()
            local tasks = circle(count, wait)
            for _, task in ipairs(tasks) do
              local value, message = task:wait()
              assert.is_nil(value)
              assert.matches("deadlock", message)
            end
          end)
        end
      end
    end

    it("in vain, in a circle: the one that closes it can go on", function()
      client:spawn(client.sleep, client, 1000)
      local tasks = circle(3, function(task, i)
        if i < 3 then return task:wait() end
        local ok, message = pcall(task.wait, task)
        assert.is_false(ok)
        assert.matches("deadlock", message)
        assert(client:sleep(0.01))
        return "went on"
      end)
      for i = 3, 1, -1 do assert.equal("went on", tasks[i]:wait()) end
    end)

    it("in vain, for the task of its each", function()
      client:spawn(client.sleep, client, 1000)
      local task
      task = client:spawn(function()
        return client:each({ 1, 2 }, function() return task:wait() end)
      end)
      local report = task:wait()
      assert.same({ 0, 2 }, { report.ok, report.failed })
      assert.matches("deadlock", report.errors[1].error)
    end)

    it("together with others, for one that waits itself, which is no circle", function()
      local last = client:spawn(function() return client:sleep(0.05) end)
      local middle = client:spawn(function() return last:wait() end)
      local tasks = {}
      for i = 1, 3 do
        tasks[i] = client:spawn(function() return middle:wait() and last:wait() end)
      end
      for i = 1, 3 do assert.is_true(tasks[i]:wait()) end
    end)

    it("again, after it has waited in the other direction", function()
      local one, two
      one = client:spawn(function() return two:wait() end)
      two = client:spawn(function()
        client:sleep(0.01)
        assert.is_true(one:cancel())
        return select(2, one:wait()).kind
      end)
      assert.equal("cancelled", two:wait())
    end)

    it("in vain, below a function that cannot be left", function()
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

  -- { how a task comes to stand, what a call in it may have done }
  local stands = {
    { "not begun", "no", function(run) return client:spawn(run) end },
    { "in a call", "unknown", function(run)
      server:script { "hang" }
      local task = client:spawn(run, vote)
      drive_to(1)
      return task
    end },
    { "in a call that has been answered", "yes", function(run)
      local answered = false
      client:close()
      client = retries.client(server, { on_event = function(event)
        answered = answered or event.type == "response"
      end })
      local task = client:spawn(run, vote)
      client:step()
      while not answered do client:sleep(0.01) end  -- moves the transfer, and no task
      return task
    end },
    { "in a wait between two attempts", "unknown", function(run)
      server:script { faults.status(503) }
      local retrying = false
      client:close()
      client = retries.client(server, merged(NEVER, { on_event = function(event)
        retrying = retrying or event.type == "retry"
      end }))
      local task = client:spawn(run, vote)
      drive(function() return retrying end)
      return task
    end },
    { "behind a 429 that another has met", "no", function(run)
      server:script { faults.status(429, { ["Retry-After"] = 3500 }) }
      client:close()
      client = retries.client(server, NEVER)
      client:spawn(vote)
      drive_to(1)
      drive(function() return client:timeout() > 61 end)
      local task = client:spawn(run, vote)
      client:step()
      return task
    end },
    { "asleep", "no", function(run)
      local task = client:spawn(run, function() return client:sleep(1000) end)
      client:step()
      return task
    end },
    { "waiting for another", "no", function(run)
      local other = client:spawn(function() client:sleep(1000) end)
      local task = client:spawn(run, function() return other:wait() end)
      client:step()
      return task
    end },
    { "after a yield of its own", "no", function(run)
      local task = client:spawn(run, coroutine.yield)
      client:step()
      return task
    end },
    { "after a call", "yes", function(run)
      local task = client:spawn(run, function()
        assert(vote())
        return client:sleep(1000)
      end)
      drive_to(1)
      drive(function() return client:timeout() > 61 end)
      return task
    end },
  }

  local READY = {
    ["not begun"] = true, ["in a call that has been answered"] = true,
    ["after a yield of its own"] = true,
  }

  for _, row in ipairs(stands) do
    local where, applied, begin = table.unpack(row)

    describe("that stands " .. where, function()
      local closed, went_on, own

      -- Its function, and how it is seen to end.
      local function run(stand)
        own = coroutine.running()
        local _ <close> = closing(function(err) closed = { err } end)
        stand()
        went_on = true
      end

      before_each(function() closed, went_on, own = nil, false, nil end)

      local function is_given_up()
        assert.is_false(went_on)
        if own then assert.same({}, closed) end  -- it had begun
      end

      it("can be cancelled, once", function()
        local task = begin(run)
        assert.is_false(task:ended())
        assert.is_true(task:cancel())
        is_given_up()
        assert.is_true(task:ended())
        assert.is_false(task:cancel())
        if where ~= "in a call that has been answered" then is_cancelled(task, applied) end
        assert.is_true(server:deliveries() <= 1)
      end)

      it("can be cancelled by another task, and its own are told", function()
        local task = begin(run)
        local waits = client:spawn(function() return task:wait() end)
        local other = client:spawn(function() return task:cancel() end)
        if READY[where] then return end  -- its turn comes first
        assert.is_true((other:wait()))
        is_given_up()
        local value, err = waits:wait()
        assert.is_nil(value)
        assert.equal("cancelled", err.kind)
      end)

      it("cannot be cancelled again while its variables are closed", function()
        local task, seen
        task = begin(function(...)
          local _ <close> = closing(function()
            seen = { task:cancel(), task:ended(), task:wake(), (pcall(task.wait, task)) }
            collectgarbage()
          end)
          return run(...)
        end)
        assert.is_true(task:cancel())
        if own then assert.is_false(seen[1] or seen[2] or seen[3]) end
        assert.is_true(task:ended())
        assert.is_nil((task:wait()))
        client:close()
        is_given_up()
      end)

      it("gives what it raises when it is cancelled", function()
        local begun = false
        local task = begin(function(...)
          begun = true
          local _ <close> = closing(function() error("in the end", 0) end)
          return run(...)
        end)
        assert.is_true(task:cancel())
        local value, err = task:wait()
        assert.is_nil(value)
        if begun then assert.equal("in the end", err) else assert.equal("cancelled", err.kind) end
      end)

      it("ends when its client does", function()
        local got
        local task = begin(function(stand)
          got = table.pack(stand and stand())
          got.then_ = table.pack(vote())
        end)
        client:close()
        assert.equal(0, select("#", task:wait()))
        assert.equal("config", got.then_[2].kind)
        local err = got[2]
        if err then assert.is_true(err.kind == "cancelled" or err.kind == "config") end
        assert.is_nil((client:step()))
      end)

      it("is no harm to whoever forgets it with its client", function()
        begin(run)
        client = retries.client(server)
        collectgarbage()
        collectgarbage()
        assert.is_true((client:spawn(vote):wait().success))
      end)

      it("survives that somebody resumes its coroutine", function()
        local task = begin(run)
        if not own then return end
        for _ = 1, 3 do
          collectgarbage()
          if not went_on then assert.is_true((coroutine.resume(own))) end
        end
        assert.is_false(task:ended())
        if where == "after a yield of its own" then
          assert.is_true(went_on)
          assert.equal("cancelled", select(2, task:wait()).kind)
        elseif not went_on then
          assert.is_true(task:cancel())
          is_given_up()
        end
        client:spawn(vote)
        client:step()
      end)

      it("survives that somebody closes its coroutine", function()
        local task = begin(run)
        if not own then return end
        coroutine.close(own)
        collectgarbage()
        is_given_up()
        assert.is_true(task:cancel() or task:ended())
        local value, err = task:wait()
        assert.same({ nil, "cancelled" }, { value, err.kind })
        collectgarbage()
        server:script {}
        assert.is_true((client:spawn(function() return 1 end):wait()) == 1)
      end)
    end)
  end

  it("whose coroutine somebody closes in a call ends with the call, and says so", function()
    local own
    local task = client:spawn(function()
      own = coroutine.running()
      vote()
    end)
    client:step()
    coroutine.close(own)
    collectgarbage()
    local value, err = task:wait()
    assert.is_nil(value)
    assert.same({ "cancelled", "yes" }, { err.kind, err.applied })
    assert.equal("yes", task:applied())
    assert.matches("resumed or closed by somebody else", tostring(err))
  end)

  it("that somebody resumes after its call has been answered goes on", function()
    local own, steps = nil, {}
    local task = client:spawn(function()
      own = coroutine.running()
      steps[1] = vote().success
      coroutine.yield()
      steps[2] = vote().success
      return "end"
    end)
    client:step()
    while not steps[1] do
      client:sleep(0.01)  -- moves the transfer, not the task
      assert.is_true((coroutine.resume(own)))
    end
    for _ = 1, 3 do assert.is_true((calls.vote(client).success)) end  -- its call is used again
    assert.equal("end", (task:wait()))
    assert.same({ true, true }, steps)
  end)

  describe("that is cancelled", function()
    it("by itself is not: it runs", function()
      local task
      task = client:spawn(function() return task:cancel(), vote().success end)
      assert.same({ false, true }, { task:wait() })
    end)

    it("before it has begun never begins", function()
      local begun = false
      local task = client:spawn(function() begun = true end)
      assert.is_true(task:cancel())
      client:step()
      assert.is_false(begun)
      is_cancelled(task)
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

    it("in a call that spends says what it may have done", function()
      server:script { "hang" }
      local task = client:spawn(calls.make, client, SPENDING)
      drive_to(1)
      task:cancel()
      is_cancelled(task, "unknown")
    end)

    it("can make calls while its variables are closed, which block", function()
      server:script { "hang" }
      local last
      local task = client:spawn(function()
        local _ <close> = closing(function() last = vote().success end)
        vote()
      end)
      drive_to(1)
      assert.is_true(task:cancel())
      assert.is_true(last)
      is_cancelled(task, "yes")
    end)

    it("by variables of others, one after the other, takes all along", function()
      local tasks = {}
      for i = 1, 150 do
        tasks[i] = client:spawn(function()
          local _ <close> = closing(function() if tasks[i + 1] then tasks[i + 1]:cancel() end end)
          client:sleep(1000)
        end)
      end
      client:step()
      tasks[1]:cancel()
      for _, task in ipairs(tasks) do
        task:cancel()
        assert.is_true(task:ended())
      end
      is_idle()
    end)
  end)

  describe("and on_event", function()
    local function with(on_event)
      client:close()
      client = retries.client(server, { on_event = on_event })
      return client:spawn(vote)
    end

    it("that raises is only warned of", function()
      local output = script.run(([[
        warn "@on"
        local client = require "cekura".new { api_url = %q, api_key = "k",
          on_event = function() error "boom" end }
        local task = client:spawn(function()
          return client.runs:mark_metric_vote {
            run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
        end)
        print((task:wait()).success)]]):format(server.url))
      assert.matches("true\n$", output)
      assert.matches("on_event: .-boom", output)
    end)

    -- { what it does to the coroutine that its task stands in }
    for what, act in pairs {
      ["resumes"] = function(own) coroutine.resume(own) end,
      ["closes"] = function(own) coroutine.close(own) end,
    } do
      for _, type in ipairs { "response", "retry", "give_up" } do
        it(what .. " its task's coroutine, at a " .. type .. ", does no harm", function()
          server:script { faults.status(503), faults.status(404) }
          local own
          local function on_event(event)
            if event.type ~= type or not own then return end
            act(own)
            collectgarbage()
          end
          with(on_event):cancel()
          local task = client:spawn(function()
            own = coroutine.running()
            vote()
            return "end"
          end)
          local value, err = task:wait()
          assert.is_true(value == "end" or err.kind == "cancelled")
          own = nil
          collectgarbage()
          assert.is_true(vote().success)
          is_idle()
        end)
      end
    end

    for _, type in ipairs { "request", "response" } do
      it("may close the client, at a " .. type, function()
        local task = with(function(event) if event.type == type then client:close() end end)
        local others = {}
        for i = 1, 3 do others[i] = client:spawn(vote) end
        table.insert(others, task)
        for _, each in ipairs(others) do
          local value, err = each:wait()
          assert.is_nil(value)
          assert.is_true(err.kind == "cancelled" or err.kind == "config")
        end
      end)
    end
  end)

  describe("where one cannot let others in, blocks:", function()
    -- { where, what runs there and returns the result of a call }
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
      { "a scheduler of somebody else's", function()
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
      it(where, function()
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
        assert.is_true((run() and true))  -- outside of any task as well
      end)
    end

    it("a sleep in a coroutine of its own, while others' transfers move", function()
      local task = client:spawn(function()
        return coroutine.wrap(function() return client:sleep(0.01), vote().success end)()
      end)
      assert.same({ true, true }, { task:wait() })
    end)

    it("a call below pcall, a metamethod in Lua and a for loop does not", function()
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

  describe("of one client and of another", function()
    local other

    before_each(function() other = retries.client(server, { timeout = 60, deadline = 60 }) end)
    after_each(function() other:close() end)

    it("can make each other's calls, which block", function()
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

    it("can be begun in each other, ten deep", function()
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
      is_idle()
      is_idle(other)
    end)

    it("in a circle are a deadlock", function()
      local one, two
      one = client:spawn(function() return two:wait() end)
      two = other:spawn(function() return one:wait() end)
      local value, message = one:wait()
      assert.is_nil(value)
      assert.matches("deadlock", tostring(message))
    end)

    it("in a circle of three are a deadlock, although others sleep", function()
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

  describe("deep down", function()
    -- Each waits in a coroutine of somebody else's, where it cannot be let stand.
    local function nest(depth)
      if depth == 0 then return "bottom" end
      return coroutine.wrap(function()
        return client:spawn(function() return nest(depth - 1) end):wait()
      end)()
    end

    it("is found", function() assert.equal("bottom", nest(20)) end)

    for _, depth in ipairs { 40, 60, 100, 150, 250, 1000 } do
      it(depth .. " waits is an error at the worst", function()
        local ok, value, err = pcall(nest, depth)
        assert.is_true(not ok or value == "bottom" or tostring(err):find "stack overflow" ~= nil,
          tostring(err))
        assert.is_true(client:spawn(vote):wait().success)
      end)
    end

    it("is cancelled from within others' cancellations, or an error", function()
      local tasks = {}
      local count = 20000
      for i = 1, count do
        tasks[i] = client:spawn(function()
          local _ <close> = closing(function() if i < count then tasks[i + 1]:cancel() end end)
          coroutine.yield()
        end)
      end
      client:step()
      pcall(tasks[1].cancel, tasks[1])
      for _, task in ipairs(tasks) do task:cancel() end
      for _, task in ipairs(tasks) do assert.is_true(task:ended()) end
    end)
  end)

  it("applied is the most that calls in it, and in those begun in it, may have done", function()
    local inner
    local task = client:spawn(function()
      inner = client:spawn(vote)
      inner:wait()
      client:sleep(1000)
    end)
    drive_to(1)
    drive(function() return inner:ended() end)
    assert.same({ "yes", "yes" }, { inner:applied(), task:applied() })
    task:cancel()
    is_cancelled(task, "yes")
    server:script { faults.status(404), faults.close_before_answer() }
    local refused = client:spawn(vote)
    refused:wait()
    assert.equal("no", refused:applied())
    local doubt = client:spawn(calls.make, client, SPENDING)
    doubt:wait()
    assert.equal("unknown", doubt:applied())
  end)

  describe("can sleep", function()
    it("and is woken in order of time", function()
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

    it("until another wakes it", function()
      for _, seconds in ipairs { 1000, math.huge } do
        local task = client:spawn(function() return client:sleep(seconds) end)
        client:step()
        assert.is_true((client:spawn(function() return task:wake() end):wait()))
        assert.is_true((task:wait()))
        assert.is_false(task:wake())
      end
    end)

    it("only for a time that is one", function()
      for _, seconds in ipairs { -1, 0 / 0, "x", {} } do
        assert.is_false((pcall(client.sleep, client, seconds)))
      end
      assert.is_false((pcall(client.sleep, client)))
    end)

    it("outside of tasks too, for that long", function()
      local taken, woken = clock.time(client.sleep, client, 0.05)
      assert.is_true(taken >= 0.05 and woken)
    end)
  end)

  it("that yields by itself lets the others go on, in turn", function()
    local order = {}
    for name = 1, 3 do
      client:spawn(function()
        for _ = 1, 3 do
          order[#order + 1] = name
          assert.equal(0, select("#", coroutine.yield("x", "y")))
        end
      end)
    end
    while client:step() do end
    assert.same({ 1, 2, 3, 1, 2, 3, 1, 2, 3 }, order)
  end)

  it("is refused to what is none, and by what is no client", function()
    for _, value in ipairs { 1, "x", {}, client } do
      assert.is_false((pcall(client.spawn, client, value)))
    end
    assert.is_false((pcall(client.spawn, client)))
    assert.is_false((pcall(client.spawn, {}, print)))
    local task = client:spawn(print)
    for _, name in ipairs { "wait", "cancel", "wake", "applied", "ended" } do
      for _, value in ipairs { client, {}, 1, client.runs } do
        assert.is_false((pcall(task[name], value)))
      end
      assert.is_false((pcall(task[name])))
    end
    task:cancel()
    client:close()
    local none, err = client:spawn(print)
    assert.same({ nil, "config" }, { none, err.kind })
  end)

  it("of ten thousand costs nothing when they are over", function()
    local function run(count)
      local tasks = {}
      for i = 1, count do tasks[i] = client:spawn(function() return client:sleep(0) and i end) end
      for i, task in ipairs(tasks) do assert(task:wait() == i) end
    end
    local function memory()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    run(100)
    local before = memory()
    run(10000)
    local after = memory()
    assert.is_true(after - before < 1000)  -- the client's list of them has kept its size
    run(10000)
    assert.is_true(memory() - after < 50)
  end)
end)
