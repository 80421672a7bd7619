-- Tasks: every place where a task is suspended, and everything that can end it there.
local calls = require "support.calls"
local faults = require "support.faults"
local retries = require "support.retries"
local tasks = require "support.tasks"

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

  local function vote() return calls.vote(client) end

  local function drive_to(count)
    tasks.drive(client, function() return server:deliveries() >= count end)
  end

  -- { where a task is suspended, `applied` of its call, function that suspends it there }
  local places = {
    { "not begun", "no", function(run) return client:spawn(run) end },
    { "in a call", "unknown", function(run)
      server:script { "hang" }
      local task = client:spawn(run, vote)
      drive_to(1)
      return task
    end },
    { "in a call that has its response", "yes", function(run)
      local has_response = false
      client:close()
      client = retries.client(server, { on_event = function(event)
        has_response = has_response or event.type == "response"
      end })
      local task = client:spawn(run, vote)
      client:step()
      while not has_response do client:sleep(0.01) end  -- which resumes no task
      return task
    end },
    { "in a wait between two attempts", "unknown", function(run)
      server:script { faults.status(503) }
      local retrying = false
      client:close()
      client = retries.client(server, merged(tasks.NEVER, { on_event = function(event)
        retrying = retrying or event.type == "retry"
      end }))
      local task = client:spawn(run, vote)
      tasks.drive(client, function() return retrying end)
      return task
    end },
    { "queued after the 429 of another call", "no", function(run)
      server:script { faults.status(429, { ["Retry-After"] = 3500 }) }
      client:close()
      client = retries.client(server, tasks.NEVER)
      client:spawn(vote)
      drive_to(1)
      tasks.drive(client, function() return client:timeout() > 61 end)
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
      tasks.drive(client, function() return client:timeout() > 61 end)
      return task
    end },
  }

  local READY = {
    ["not begun"] = true, ["in a call that has its response"] = true,
    ["after a yield of its own"] = true,
  }

  for _, row in ipairs(places) do
    local where, applied, begin = table.unpack(row)

    describe("that is " .. where, function()
      local closed, went_on, own

      -- The function of the task. It records how it ends.
      local function run(suspend)
        own = coroutine.running()
        local _ <close> = tasks.closing(function(err) closed = { err } end)
        suspend()
        went_on = true
      end

      before_each(function() closed, went_on, own = nil, false, nil end)

      local function is_given_up()
        assert.is_false(went_on)
        if own then assert.same({}, closed) end  -- the task has started
      end

      it("can be cancelled, once", function()
        local task = begin(run)
        assert.is_false(task:ended())
        assert.is_true(task:cancel())
        is_given_up()
        assert.is_true(task:ended())
        assert.is_false(task:cancel())
        if where ~= "in a call that has its response" then tasks.is_cancelled(task, applied) end
        assert.is_true(server:deliveries() <= 1)
      end)

      it("can be cancelled by another task, which ends the waits for it", function()
        local task = begin(run)
        local waits = client:spawn(function() return task:wait() end)
        local other = client:spawn(function() return task:cancel() end)
        if READY[where] then return end  -- it is resumed first
        assert.is_true((other:wait()))
        is_given_up()
        local value, err = waits:wait()
        assert.is_nil(value)
        assert.equal("cancelled", err.kind)
      end)

      it("cannot be cancelled again while its variables are closed", function()
        local task, seen
        task = begin(function(...)
          local _ <close> = tasks.closing(function()
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

      it("has the error of its variables as result when it is cancelled", function()
        local begun = false
        local task = begin(function(...)
          begun = true
          local _ <close> = tasks.closing(function() error("in the end", 0) end)
          return run(...)
        end)
        assert.is_true(task:cancel())
        local value, err = task:wait()
        assert.is_nil(value)
        if begun then assert.equal("in the end", err) else assert.equal("cancelled", err.kind) end
      end)

      it("ends when its client does", function()
        local got
        local task = begin(function(suspend)
          got = table.pack(suspend and suspend())
          got.then_ = table.pack(vote())
        end)
        client:close()
        assert.equal(0, select("#", task:wait()))
        assert.equal("config", got.then_[2].kind)
        local err = got[2]
        if err then assert.is_true(err.kind == "cancelled" or err.kind == "config") end
        for _ = 1, 100 do  -- a step resumes as many tasks as there is time for
          if client:step() == nil then break end
        end
        assert.is_nil((client:step()))
      end)

      it("can be collected with its client", function()
        begin(run)
        client = retries.client(server)
        collectgarbage()
        collectgarbage()
        assert.is_true((client:spawn(vote):wait().success))
      end)

      it("can still be cancelled if other code resumes its coroutine", function()
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

      it("ends if other code closes its coroutine", function()
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

  it("ends with its call if other code closes its coroutine meanwhile", function()
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
    assert.matches("resumed or closed by other code", tostring(err))
  end)

  it("continues if other code resumes it after its response", function()
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
      client:sleep(0.01)  -- advances the transfer, and resumes no task
      assert.is_true((coroutine.resume(own)))
    end
    for _ = 1, 3 do assert.is_true((calls.vote(client).success)) end  -- its call is reused
    assert.equal("end", (task:wait()))
    assert.same({ true, true }, steps)
  end)

  describe("whose client has an on_event", function()
    local function with(on_event)
      client:close()
      client = retries.client(server, { on_event = on_event })
      return client:spawn(vote)
    end

    -- { what on_event does, the function }
    for what, act in pairs {
      ["resumes"] = function(own) coroutine.resume(own) end,
      ["closes"] = function(own) coroutine.close(own) end,
    } do
      for _, type in ipairs { "response", "retry", "give_up" } do
        it(("ends if that %s its coroutine at a %s"):format(what, type), function()
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
          tasks.is_idle(client)
        end)
      end
    end

    for _, type in ipairs { "request", "response" } do
      it("ends if that closes the client at a " .. type, function()
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
end)
