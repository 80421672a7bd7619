-- A process that forks with a client: the parent's calls are sent once, whatever the child does.
local faults = require "support.faults"
local retries = require "support.retries"
local scratch = require "support.scratch"
local script = require "support.script"
local votes = require "support.votes"

local times = retries.times

describe("a fork", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  -- `forking` is an on_event that forks once, at the first event of a type.
  local START = [[
    io.stdout:setvbuf "line"
    local fork, cekura = require "fork", require "cekura"
    local URL, PATH = %q, %q
    local in_child
    local function forking(type)
      return function(event)
        if event.type == type and in_child == nil then in_child = fork.go_on() end
      end
    end
    local function new(on_event)
      return assert(cekura.new { api_url = URL, api_key = "k", deadline = 20, on_event = on_event,
        backoff = { base = 0.01, cap = 0.01 } })
    end
    local function vote(client, item)
      return require "support.votes".cast(client, item)
    end
    local function show(value, err)
      print(in_child and "child" or "parent", value and value.success, err and err.kind,
        err and err.applied)
    end
  ]]

  local function run(text, path) return script.run(START:format(server.url, path or "") .. text) end

  -- Returns how often each item has arrived.
  local function arrived()
    local counts = {}
    for _, item in ipairs(votes.arrived(server:ledger())) do
      counts[item] = (counts[item] or 0) + 1
    end
    return counts
  end

  local PARENTS = "child\tnil\tconfig\tunknown\n"

  describe("in on_event returns an error in the child,", function()
    for type, deliveries in pairs { request = 1, response = 1, retry = 2 } do
      it("for a call that blocks, at a " .. type, function()
        if type == "retry" then server:script { faults.status(503) } end
        local output, code = run(([[
          local client = new(forking %q)
          show(vote(client, 1))
          show(vote(in_child and new() or client, 2))
          if in_child then os.exit(true, true) end
          show(vote(client, 3))
        ]]):format(type))
        assert.equal(PARENTS .. "child\ttrue\tnil\tnil\n"
          .. ("parent\ttrue\tnil\tnil\n"):rep(3), output)
        assert.equal(0, code)
        assert.same({ deliveries, 2, 1 }, arrived())
      end)

      it("for a task's call, at a " .. type, function()
        -- The call that arrives second is still in flight when the other one is retried.
        if type == "retry" then
          server:script { faults.status(503), { { "held", 3 }, faults.ok()[1] } }
        end
        local output, code = run(([[
          local client = new(forking %q)
          local one, other = client:spawn(vote, client, 1), client:spawn(vote, client, 2)
          local value, err = one:wait()
          if in_child then
            print("child", value, err.kind)
            print("child", select(2, other:wait()).kind)
            print("child", select(2, client:step(1)).kind)
            os.exit(true)
          end
          show(value, err)
          show(other:wait())
        ]]):format(type))
        assert.equal("child\tnil\tconfig\n" .. ("child\tconfig\n"):rep(2)
          .. ("parent\ttrue\tnil\tnil\n"):rep(2), output)
        assert.equal(0, code)
        assert.equal(2, arrived()[1] + arrived()[2] - deliveries + 1)
      end)
    end

    it("for a call that gives up, or that raises", function()
      server:script { faults.status(400) }
      local output = run [[
        local fork_once = forking "give_up"
        local client = new(function(event)
          fork_once(event)
          if in_child then error "of the child" end
        end)
        show(vote(client, 1))
        if in_child then os.exit(true) end
        show(vote(client, 2))
      ]]
      assert.matches("parent\tnil\tbad_request\tno\nparent\ttrue\tnil\tnil\n$", output)
      assert.same({ 1, 1 }, arrived())
    end)

    it("for a task's call, while another call blocks", function()
      -- Both calls get this entry, because either may arrive first.
      server:script(times(2, { { "read" }, { "sleep", 0.5 }, faults.ok()[1] }))
      local output, code = run [[
        local client = new(forking "give_up")
        client:spawn(function()
          client.runs:mark_metric_vote(require "support.votes".arguments(1), { deadline = 0.15 })
        end)
        client:step(0)
        show(vote(client, 2))
        if in_child then os.exit(true) end
      ]]
      assert.equal(PARENTS .. "parent\ttrue\tnil\tnil\n", output)
      assert.equal(0, code)
      assert.same({ 1, 1 }, arrived())
    end)

    it("for a task's call, while the client sleeps", function()
      local output, code = run [[
        local client = new(forking "response")
        client:spawn(vote, client, 1)
        client:step(0)
        local slept, err = client:sleep(0.3)
        print(in_child and "child" or "parent", slept, err and err.kind)
        if in_child then os.exit(true) end
      ]]
      assert.equal("child\tnil\tconfig\nparent\ttrue\tnil\n", output)
      assert.equal(0, code)
      assert.same({ 1 }, arrived())
    end)
  end)

  it("returns an error for the parent's client in the child, and none in the parent", function()
    assert.same("parent\ttrue\tnil\tnil\nchild\tnil\tconfig\tno\nparent\ttrue\tnil\tnil\n", (run [[
      local client = new()
      show(vote(client, 1))
      in_child = require "fork".go_on()
      show(vote(client, 2))
      if in_child then os.exit(true, true) end]]))
    assert.same({ [1] = 1, [2] = 1 }, arrived())
  end)

  it("in a task resumes no other task in the child", function()
    local output, code = run [[
      local client = new()
      client:spawn(function() in_child = fork.go_on() end)
      for i = 1, 3 do
        client:spawn(function() print(in_child and "child" or "parent", i) end)
      end
      while client:step(0.1) do end
      if in_child then os.exit(true) end
    ]]
    assert.equal("parent\t1\nparent\t2\nparent\t3\n", output)
    assert.equal(0, code)
  end)

  -- { how the child ends, its output }
  for _, ending in ipairs {
    "os.exit(true)", "os.exit(true, true)", "client:close() os.exit(true)",
    "client = nil collectgarbage() collectgarbage() os.exit(true)",
    "show(vote(new(), 9)) os.exit(true, true)",
  } do
    it("in an item of each does not affect the parent if the child ends with " .. ending, function()
      local path = scratch.path()
      local output, code = run(([[
        local client = new()
        local report = client:each({ 1, 2, 3, 4, 5, 6 }, function(item)
          if item == 3 then in_child = fork.go_on() end
          if in_child then %s end
          return vote(client, item)
        end, { concurrency = 3, journal = PATH, key = tostring, work = "work" })
        print(report.ok, report.failed, report.unknown)
      ]]):format(ending), path)
      local own = ending:find "vote" and 1 or nil
      assert.equal((own and "child\ttrue\tnil\tnil\n" or "") .. "6\t0\t0\n", output)
      assert.equal(0, code)
      assert.same({ 1, 1, 1, 1, 1, 1, nil, nil, own }, arrived())
      os.remove(path)
    end)
  end

  it("in an item of each lets only the parent write the journal", function()
    local path = scratch.path()
    local text = [[
      local client = new()
      local report, err = client:each({ 1, 2, 3, 4, 5, 6 }, function(item)
        if item == 3 then in_child = fork.go_on() end
        return vote(client, item)
      end, { concurrency = 3, journal = PATH, key = tostring, work = "work" })
      if in_child then
        print("child", report, err.kind)
        os.exit(true)
      end
      print(report.ok, report.failed, report.unknown, report.skipped)
    ]]
    local output = run(text, path)
    assert.equal("child\tnil\tconfig\n6\t0\t0\t0\n", output)
    assert.same({ 1, 1, 1, 1, 1, 1 }, arrived())
    server:clear()
    assert.equal("0\t0\t0\t6\n", (run(text:gsub("if item.-\n", "\n"), path)))
    assert.same({}, arrived())
    os.remove(path)
  end)

  it("lets the child close the parent's client", function()
    local output = run [[
      local client = new()
      print(fork.run(function()
        local own = new()
        client:close()
        return (vote(own, 1)).success
      end))
      show(vote(client, 2))
    ]]
    assert.equal("true\nparent\ttrue\tnil\tnil\n", output)
  end)

  it("lets the child collect the parent's client, with calls in flight and idle connections",
    function()
      server:script { faults.ok(), { { "held", 3 }, faults.ok()[1] } }
      local output, code = run [[
        local client = new()
        show(client:request { method = "GET", path = "/one" })
        local task = client:spawn(vote, client, 2)
        for _ = 1, 5 do client:step(0.01) end
        print(fork.run(function()
          client, task = nil, nil
          collectgarbage()
          collectgarbage()
          return (vote(new(), 3)).success
        end))
        show(task:wait())
        show(vote(client, 4))
      ]]
      assert.equal("parent\ttrue\tnil\tnil\ntrue\n" .. ("parent\ttrue\tnil\tnil\n"):rep(2), output)
      assert.equal(0, code)
      assert.same({ [0] = 1, [2] = 1, [3] = 1, [4] = 1 }, arrived())
    end)

  it("lets a child that waits for the parent's task know that its call may take effect", function()
    server:script { { { "held", 2 }, faults.ok()[1] } }
    local output = run [[
      local client = new()
      local task = client:spawn(vote, client, 1)
      for _ = 1, 5 do client:step(0.01) end
      print(fork.run(function()
        local value, err = task:wait()
        vote(new(), 2)
        return ("%s %s %s"):format(value, err.kind, err.applied)
      end))
      show(task:wait())
    ]]
    assert.equal("nil config unknown\nparent\ttrue\tnil\tnil\n", output)
  end)

  it("can be repeated by children", function()
    server:script(times(4, { { "held", 4 }, faults.ok()[1] }))
    local output = run [[
      local client = new()
      local task = client:spawn(vote, client, 1)
      for _ = 1, 5 do client:step(0.01) end
      for generation = 2, 4 do
        if fork.go_on() then
          client = new()
          task = client:spawn(vote, client, generation)
          for _ = 1, 3 do client:step(0.01) end
        else
          break
        end
      end
      print(task:wait().success)
      os.exit(true, true)
    ]]
    assert.equal(("true\n"):rep(4), output)
    assert.same({ 1, 1, 1, 1 }, arrived())
  end)
end)
