-- Debug hooks on the main thread, by which signal libraries announce signals: a hook runs while a
-- call waits, and interrupts it only if it raises.
local cekura = require "cekura"
local calls = require "support.calls"
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local votes = require "support.votes"

-- Returns an entry whose response is sent after server:release(), or after `count` requests.
local function held(body, count)
  return { { "held", count }, faults.ok(body)[1] }
end

describe("a signal's handler", function()
  local server, running

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  after_each(function()
    if running then running:signal "KILL" end  -- the test has failed
    running = nil
  end)

  local START = [[
    local signals = require "signals"
    local has_come = false
    local function on_hup()
      has_come = true
      print "hup"
    end
    signals.on("HUP", function() return on_hup() end)
  ]]

  -- Starts the script. Returns when it waits for a response, or, with says_so, prints "ready".
  local function start(text, says_so)
    running = child.start_checked { child.lua, "-e",
      votes.START:format(server.url, "k") .. START .. text }
    if says_so then assert.equal("ready", running:line()) end
    if not says_so then assert.is_true(server:wait(1, clock.LIMIT)) end
    server:ledger()
    return running
  end

  local function finish()
    local output, code = running:finish()
    running = nil
    return output, code
  end

  -- { what waits, script, its output, whether nothing is sent }
  local waits = {
    { "a call", [[
        local value, response = vote(1)
        print(value.success, response.attempts)]], "true\t1\n" },
    { "a call in a coroutine", [[
        coroutine.wrap(function() print((vote(1) or {}).success) end)()]], "true\n" },
    { "client:step", [[
        local task = client:spawn(vote, 1)
        while client:step(10) do end
        print(task:wait().success)]], "true\n" },
    { "task:wait", [[
        local value, err = client:spawn(vote, 1):wait()
        print(value and value.success, err and err.kind)]], "true\tnil\n" },
    { "client:sleep", [[
        print "ready"
        local slept
        repeat slept = client:sleep(0.3) until has_come
        print(slept)]], "true\n", true },
    { "each", [[
        local report = assert(client:each({ 1, 2, 3 }, vote, { concurrency = 1 }))
        print(report.ok, #report.errors)]], "3\t0\n" },
    { "each in a coroutine", [[
        coroutine.wrap(function()
          local report = client:each({ 1, 2, 3 }, vote, { concurrency = 1 })
          print(report and report.ok, report and #report.errors)
        end)()]], "3\t0\n" },
    { "pages", [[
        for item in client.results:pages {} do print(item) end
        print "end"]], "end\n", nil, '{"count": 0, "results": []}' },
    { "on_event", [[
        local own = assert(cekura.new { api_url = client.api_url, api_key = "k",
          on_event = function(event)
            if event.type ~= "request" then return end
            print "ready"
            repeat until has_come
          end })
        print(require "support.votes".cast(own, 1).success)]], "true\n", true },
  }

  for _, row in ipairs(waits) do
    local what, text, output, says_so, body = table.unpack(row, 1, 5)

    it("runs during " .. what .. ", which continues", function()
      server:script { held(body) }
      start(text, says_so):signal "HUP"
      assert.equal("hup", running:line())
      server:release()
      assert.same({ output, 0 }, { finish() })
    end)

    it("that raises ends " .. what .. " with its error", function()
      server:script { held(body) }
      local process = start("function on_hup() error('stopped: ' .. 7, 0) end\n" .. text, says_so)
      process:signal "HUP"
      local ended, code = finish()
      assert.matches("stopped: 7\nstack", ended)
      assert.is_nil(ended:find(output, 1, true))
      assert.equal(1, code)
    end)
  end

  it("runs each time", function()
    server:script { "hang" }
    start [[
      local count = 0
      function on_hup()
        count = count + 1
        print("hup", count)
        if count == 3 then client:close() end
      end
      local value, err = vote(1)
      print(value, err.kind, count)
    ]]
    for count = 1, 3 do
      running:signal "HUP"
      assert.equal("hup\t" .. count, running:line())
    end
    assert.same({ "nil\tcancelled\t3\n", 0 }, { finish() })
  end)

  it("cannot use the client, and the call ends with that error", function()
    server:script { "hang" }
    start [[
      function on_hup() vote(2) end
      print(pcall(vote, 1))
      print(vote(3).success)
    ]]
    running:signal "HUP"
    local output, code = finish()
    assert.matches("false\t.-a client cannot be used.-\ntrue\n", output)
    assert.equal(0, code)
    assert.same({ 1, 3 }, votes.arrived(server:ledger()))
  end)

  it("may call another client", function()
    server:script { held(nil, 2) }
    start [[
      local other = assert(cekura.new { api_url = client.api_url, api_key = "k" })
      function on_hup()
        print("handler", require "support.votes".cast(other, 2).success)
      end
      print(vote(1).success)
    ]]
    running:signal "HUP"
    assert.same({ "handler\ttrue\ntrue\n", 0 }, { finish() })
    assert.same({ 1, 2 }, votes.arrived(server:ledger()))
  end)

  it("may raise any value, which a pcall of the call catches", function()
    server:script { "hang" }
    start [[
      local stop = { "stop" }
      function on_hup() error(stop) end
      local ok, raised = pcall(client.runs.mark_metric_vote, client.runs,
        require "support.votes".arguments(1))
      print(ok, raised == stop)
      print(vote(2).success)
    ]]
    running:signal "HUP"
    assert.same({ "false\ttrue\ntrue\n", 0 }, { finish() })
  end)

  it("does not change what Ctrl-C does", function()
    server:script { "hang" }
    start [[
      vote(1)
      print "went on"
    ]]
    running:signal "HUP"
    assert.equal("hup", running:line())
    running:signal "INT"
    local output, code = finish()
    assert.matches("interrupted!\nstack", output)
    assert.is_nil(output:find("went on", 1, true))
    assert.equal(1, code)
  end)

  -- The handler sets a hook of the script while a call waits.
  for what, arguments in pairs {
    ["for a count of 1"] = '"", 1', ["for a count of 1000"] = '"", 1000', ["for lines"] = '"l"',
    ["for calls and returns"] = '"cr"', ["for everything"] = '"crl", 7',
  } do
    it("may set a debug hook " .. what .. ", which runs and does not end the call", function()
      server:script { held() }
      start(([[
        local main, runs = coroutine.running(), 0
        function on_hup()
          print "hup"
          debug.sethook(main, function() runs = runs + 1 end, %s)
        end
        local value, response = vote(1)
        debug.sethook(main)
        print(value.success, response.attempts, runs > 0 or %q == "a count of 1000")
      ]]):format(arguments, what:sub(5)))
      running:signal "HUP"
      assert.equal("hup", running:line())
      server:release()
      assert.same({ "true\t1\ttrue\n", 0 }, { finish() })
      assert.equal(1, server:deliveries())
    end)
  end

  for what, raised in pairs {
    ["a table"] = "{}", ["a number"] = "7", ["false"] = "false", ["nil"] = "nil",
    ["text"] = "'stop'", ["the text of Ctrl-C"] = "'interrupted!'",
  } do
    it("may set a debug hook that raises " .. what .. ", which ends the call", function()
      server:script { "hang" }
      start(([[
        local main, raised = coroutine.running(), %s
        function on_hup()
          debug.sethook(main, function()
            debug.sethook(main)
            error(raised, 0)
          end, "", 1)
        end
        local ok, got = pcall(vote, 1)
        print(ok, got == select(2, pcall(error, raised, 0)), debug.gethook(main))
        print(vote(2).success)
      ]]):format(raised))
      running:signal "HUP"
      assert.same({ "false\ttrue\tnil\ntrue\n", 0 }, { finish() })
    end)
  end

  it("may set a debug hook that sets another one, which ends the call", function()
    server:script { "hang" }
    start [[
      local main = coroutine.running()
      local function second()
        debug.sethook(main)
        error("second", 0)
      end
      local function first() debug.sethook(main, second, "", 1) end
      function on_hup() debug.sethook(main, first, "", 1) end
      print(pcall(vote, 1))
    ]]
    running:signal "HUP"
    assert.same({ "false\tsecond\n", 0 }, { finish() })
  end)

  it("may set a debug hook that stays after it has raised", function()
    server:script { "hang" }
    start [[
      local main, left = coroutine.running(), 2
      local function hook()
        left = left - 1
        if left >= 0 then error("again " .. left, 0) end
      end
      function on_hup() debug.sethook(main, hook, "", 1) end
      print(pcall(function() print(pcall(vote, 1)) end))
      print(debug.gethook(main) == hook, left < 0)
    ]]
    running:signal "HUP"
    local output, code = finish()
    assert.equal("false\tagain 0\ntrue\ttrue\n", output)
    assert.equal(0, code)
  end)
end)

describe("a debug hook on the main thread", function()
  local main = coroutine.running()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)
  after_each(function() debug.sethook(main) end)

  -- Makes the next instruction of the main thread raise this value.
  local function raise_on_main(raised)
    debug.sethook(main, function()
      debug.sethook(main)
      error(raised, 0)
    end, "", 1)
  end

  for _, kind in ipairs { "request", "response" } do
    it("that raises in on_event of a task's " .. kind .. " is raised by step, but not by the call",
      function()
        local thrown, has_raised = {}, false
        local client <close> = assert(cekura.new { api_url = server.url, api_key = "k",
          on_event = function(event)
            if event.type ~= kind or has_raised then return end
            has_raised = true
            raise_on_main(thrown)
          end })
        local task = client:spawn(calls.vote, client)
        local ok, raised = pcall(function() while client:step(1) do end end)
        assert.is_false(ok)
        assert.equal(thrown, raised)
        assert.same({ success = true }, (task:wait()))
        assert.equal(1, server:deliveries())
      end)
  end

  -- The hook may raise before any code of the call runs again: when the call returns.
  it("that raises during a call lets the client close its connections", function()
    local client = assert(cekura.new { api_url = server.url, api_key = "k",
      on_event = function(event)
        if event.type == "response" then raise_on_main "hook" end
      end })
    assert.same({ false, "hook" }, { pcall(calls.vote, client) })
    assert.equal(1, server:open())
    client:close()
    assert.is_true(server:closes())
  end)

  it("that raises as a task ends leaves the task its result", function()
    local client <close> = assert(cekura.new { api_url = server.url, api_key = "k" })
    local task = client:spawn(function()
      raise_on_main "hook"
      error("boom", 0)
    end)
    local ok, raised = pcall(function() client:step() end)
    assert.same({ false, "hook" }, { ok, raised })
    assert.same({ n = 2, nil, "boom" }, table.pack(task:wait()))
  end)
end)

describe("an error with the text of Ctrl-C", function()
  local server, client

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:clear()
    client = assert(cekura.new { api_url = server.url, api_key = "k" })
  end)

  after_each(function() client:close() end)

  it("ends a task, and not a call that blocks", function()
    server:script { { { "sleep", 0.3 }, faults.ok()[1] } }
    local task = client:spawn(function()
      client:sleep(0.05)
      error "it was interrupted!"
    end)
    assert.same({ success = true }, (calls.vote(client)))
    local value, raised = task:wait()
    assert.is_nil(value)
    assert.matches("it was interrupted!$", raised)
  end)

  it("fails an item of each", function()
    local report = assert(client:each({ 1, 2 }, function(item)
      if item == 1 then error("interrupted!", 0) end
      return true
    end))
    assert.same({ 1, 1 }, { report.ok, report.failed })
    assert.equal("interrupted!", report.errors[1].error)
  end)

  it("is a warning in on_event", function()
    local own <close> = assert(cekura.new { api_url = server.url, api_key = "k",
      on_event = function() error("interrupted!", 0) end })
    assert.same({ success = true }, (calls.vote(own)))
  end)
end)
