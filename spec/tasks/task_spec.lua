-- Tasks: their results, their errors, and calls of several tasks.
local calls = require "support.calls"
local cekura = require "cekura"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"
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

  describe("has results:", function()
    for what, values in pairs {
      ["nothing"] = table.pack(), ["nil"] = table.pack(nil), ["a value"] = table.pack(7),
      ["false"] = table.pack(false), ["a table and a function"] = table.pack({}, print),
      ["a nil in the middle and at the end"] = table.pack(1, nil, 3, nil),
      ["nil and a message"] = table.pack(nil, "x"),
    } do
      it("task:wait() returns " .. what .. ", each time", function()
        local task = client:spawn(function() return table.unpack(values, 1, values.n) end)
        for _ = 1, 3 do assert.same(values, table.pack(task:wait())) end
        tasks.is_idle(client)
      end)
    end

    it("task:wait() returns a thousand values", function()
      local list = {}
      for i = 1, 1000 do list[i] = i end
      local task = client:spawn(function(...)
        client:sleep(0)
        return ...
      end, table.unpack(list))
      assert.same(list, { task:wait() })
    end)

    it("its function gets the arguments of spawn", function()
      for _, values in ipairs { table.pack(), table.pack(nil), table.pack(nil, 2, nil, nil) } do
        local task = client:spawn(table.pack, table.unpack(values, 1, values.n))
        assert.same(values, (task:wait()))
      end
    end)

    it("task:wait() returns the results of a call", function()
      local value, response = client:spawn(vote):wait()
      assert.same({ true, 200, 1 }, { value.success, response.status, response.attempts })
      server:script { faults.status(404) }
      local none, err = client:spawn(vote):wait()
      assert.same({ nil, "not_found", "no" }, { none, err.kind, err.applied })
    end)

    it("task:wait() returns them even if other code resumes its coroutine after its end", function()
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
      it(what .. " has the results nil and that", function()
        for _, before in ipairs { function() end, coroutine.yield, vote } do
          local closed
          local task = client:spawn(function()
            local _ <close> = tasks.closing(function(err) closed = { err } end)
            before()
            error(raised, 0)
          end)
          local results = table.pack(task:wait())
          assert.same({ n = 2, nil, raised }, results)
          assert.same({ raised }, closed)
          assert.is_true(task:ended())
        end
        tasks.is_idle(client)
      end)
    end

    it("nil has the results nil and what Lua makes of nil", function()
      local raised
      if _VERSION ~= "Lua 5.4" then raised = "<no error object>" end
      assert.same(table.pack(nil, raised), table.pack(client:spawn(error):wait()))
    end)

    it("while its variables are closed has the last error as result", function()
      local task = client:spawn(function()
        local _ <close> = tasks.closing(function() error("last", 0) end)
        error("first", 0)
      end)
      assert.same({ n = 2, nil, "last" }, table.pack(task:wait()))
    end)

    it("does not affect other tasks", function()
      local good = client:spawn(vote)
      client:spawn(error, "boom")
      assert.same({ success = true }, (good:wait()))
    end)

    it("the text of Ctrl-C ends the task, and nothing else", function()
      local task = client:spawn(error, "interrupted!", 0)
      assert.same({ true, false }, { pcall(client.step, client) })
      assert.same({ n = 2, nil, "interrupted!" }, table.pack(task:wait()))
      tasks.is_idle(client)
    end)

    it("is caught by a pcall in it, even around calls", function()
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

  describe("shares the connections of its client:", function()
    it("the calls of 20 tasks are in flight at the same time", function()
      server:script(retries.times(20, "hang"))
      local all = {}
      for i = 1, 20 do all[i] = client:spawn(vote) end
      drive_to(20)  -- and none of them has a response
      for _, task in ipairs(all) do
        assert.is_false(task:ended())
        assert.is_true(task:cancel())
        tasks.is_cancelled(task, "unknown")
      end
      assert.equal(20, server:deliveries())
      tasks.is_idle(client)
    end)

    it("tasks continue in the order of their responses", function()
      server:script { { { "held" }, faults.ok()[1] } }
      local order = {}
      local function run(name)
        vote()
        order[#order + 1] = name
      end
      local slow = client:spawn(run, "slow")
      drive_to(1)
      client:spawn(run, "quick"):wait()
      server:release()
      slow:wait()
      assert.same({ "quick", "slow" }, order)
    end)

    it("other calls continue while one waits for a retry", function()
      server:script { faults.status(503) }
      local other = retries.client(server, tasks.NEVER)
      local waits = other:spawn(calls.vote, other)
      tasks.drive(other, function() return server:deliveries() == 1 end)
      tasks.drive(other, function() return other:timeout() > 61 end)  -- until the retry
      for _ = 1, 3 do assert.is_true(other:spawn(calls.vote, other):wait().success) end
      assert.is_false(waits:ended())
      waits:cancel()
      tasks.is_cancelled(waits, "unknown")
      other:close()
    end)

    it("a call that blocks advances the calls of tasks, but resumes no task", function()
      server:script { { { "held", 3 }, faults.ok()[1] }, faults.status(503) }
      local went_on = false
      local task = client:spawn(function()
        vote()
        went_on = true
      end)
      drive_to(1)
      assert.is_true(vote().success)  -- the 503 first, then again
      client:sleep(clock.SHORT)
      assert.equal(3, server:deliveries())
      assert.is_false(went_on)
      task:wait()
      assert.is_true(went_on)
    end)

    it("four tasks with five calls each use at most four connections", function()
      local function several() for _ = 1, 5 do assert(vote()) end return true end
      local before = server:connections()
      local all = {}
      for i = 1, 4 do all[i] = client:spawn(several) end
      for _, task in ipairs(all) do assert.is_true((task:wait())) end
      assert.equal(20, server:deliveries())
      assert.is_true(server:connections() - before <= 4)
    end)

    it("calls of all five endpoints succeed at the same time", function()
      local box <close> = sandbox.start { api_key = "the-key", votes_feed_lab = true }
      local one <close> = assert(cekura.new { api_key = "the-key", api_url = box.url })
      local all = {}
      for round = 1, 4 do
        for i, name in ipairs(calls.names) do
          local changes = name == "calls.evaluate_metrics" and { call_logs = { 70023 } } or nil
          all[(round - 1) * 5 + i] = one:spawn(calls.make, one, name, changes)
        end
      end
      for _, task in ipairs(all) do
        local value, response = task:wait()
        assert.truthy(value, tostring(response))
        assert.equal(1, response.attempts)
      end
      assert.equal(20, #box:requests())
    end)
  end)

  it("has the maximum of `applied` over its calls and those of its descendants", function()
    local inner
    local task = client:spawn(function()
      inner = client:spawn(vote)
      inner:wait()
      client:sleep(1000)
    end)
    drive_to(1)
    tasks.drive(client, function() return inner:ended() end)
    assert.same({ "yes", "yes" }, { inner:applied(), task:applied() })
    task:cancel()
    tasks.is_cancelled(task, "yes")
    server:script { faults.status(404), faults.close_before_answer() }
    local refused = client:spawn(vote)
    refused:wait()
    assert.equal("no", refused:applied())
    local doubt = client:spawn(calls.make, client, SPENDING)
    doubt:wait()
    assert.equal("unknown", doubt:applied())
  end)

  it("that yields is resumed after the other tasks", function()
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

  it("raises if spawn, or a method, is misused", function()
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

  it("that makes a call takes less than 4 KiB of Lua's memory more than the call", function()
    server:usually(faults.ok())
    local function memory_of(run)
      assert(run())
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      for _ = 1, 20 do assert(run()) end
      collectgarbage "restart"
      return (collectgarbage "count" - before) / 20
    end
    local of_task = memory_of(function() return client:spawn(vote):wait() end) - memory_of(vote)
    assert.is_true(of_task < 4, of_task)
  end)

  it("leaves no memory behind after its end", function()
    local function run(count)
      local all = {}
      for i = 1, count do all[i] = client:spawn(function() return client:sleep(0) and i end) end
      for i, task in ipairs(all) do assert(task:wait() == i) end
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
    assert.is_true(after - before < 1000)  -- the client's list of tasks keeps its size
    run(10000)
    assert.is_true(memory() - after < 50)
  end)
end)
