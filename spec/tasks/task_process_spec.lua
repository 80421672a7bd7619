-- Tasks in a process that ends, forks or is interrupted while they are suspended.
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local script = require "support.script"

local times = retries.times

describe("a process with tasks", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local START = [[
    io.stdout:setvbuf "line"
    local arguments = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
    local cekura = require "cekura"
    local function new(on_event)
      return assert(cekura.new { api_url = %q, api_key = "k", timeout = 60, deadline = 80000,
        backoff = { base = 80000, cap = 80000 }, on_event = on_event })
    end
    local client = new()
    local function vote(one)
      one = one or client
      return one.runs:mark_metric_vote(arguments)
    end
  ]]

  local function text_of(text) return START:format(server.url) .. text end
  local function run(text) return script.run(text_of(text)) end

  for what, ending in pairs {
    ["the end of the script"] = "", ["os.exit"] = "os.exit(7)", ["lua_close"] = "os.exit(7, true)",
    ["an error"] = "error 'boom'", ["the end, with the client to be closed"] = "client:close()",
  } do
    it("ends them with " .. what, function()
      local limit = faults.status(429, { ["Retry-After"] = 70 })
      server:script { "hang", "hang", faults.status(503), limit }
      local output, code = run([[
        local tasks = {}
        for i = 1, 6 do tasks[i] = client:spawn(vote) end
        tasks[7] = client:spawn(client.sleep, client, 1000)
        tasks[8] = client:spawn(tasks[7].wait, tasks[7])
        for _ = 1, 20 do client:step(0.01) end
        client:spawn(vote)
        print "goes"
      ]] .. ending)
      assert.matches("^goes\n", output)
      assert.equal(ending:find "exit" and 7 or ending:find "error" and 1 or 0, code, output)
    end)
  end

  it("leaves no descriptor open if clients are collected with calls in flight", function()
    server:script(times(40, "hang"))
    local output = run [[
      local function descriptors()
        collectgarbage()
        collectgarbage()
        local pipe <close> = assert(io.popen "unset LD_PRELOAD; ls /proc/$PPID/fd | wc -l")
        return pipe:read "n"
      end
      local function use()
        local one = new()
        for _ = 1, 2 do one:spawn(vote, one) end
        one:spawn(one.sleep, one, 1000)
        for _ = 1, 10 do one:step(0.002) end
      end
      use()
      client = nil
      local before = descriptors()
      for _ = 1, 10 do use() end
      print(descriptors() - before <= 3)
    ]]
    assert.equal("true\n", output)
    assert.is_true(server:deliveries() > 2)
  end)

  it("returns errors in a forked child, and continues in the parent", function()
    server:script { { { "held", 2 }, faults.ok()[1] } }
    local output, code = run [[
      local fork = require "fork"
      local ended = client:spawn(function() return "result" end)
      ended:wait()
      local task = client:spawn(vote)
      for _ = 1, 5 do client:step(0.01) end
      local function kind(value, err) return ("%s %s"):format(value, err and err.kind) end
      print(fork.run(function()
        return table.concat({
          kind(task:wait()), kind(task:cancel()), kind(client:step()), kind(client:spawn(vote)),
          kind(client:sleep(0)), kind(client:timeout()), kind(client:pollfd()), ended:wait(),
          tostring(task:ended()), tostring(new():spawn(vote, new()):wait().success),
        }, "\n")
      end))
      print(task:wait().success)
      local forks = client:spawn(function()
        print((fork.run(function()
          return kind(client:sleep(0)) .. "\n" .. kind(vote())
        end)))
        return vote().success
      end)
      print(forks:wait())
    ]]
    local nothing = ("nil config\n"):rep(7)
    local rest = "result\nfalse\ntrue\ntrue\nnil config\nnil config\ntrue\n"
    assert.equal(nothing .. rest, output)
    assert.equal(0, code)
  end)

  it("can fork in a task, whose child shares nothing", function()
    local output = script.run(text_of [[
      local fork, in_child = require "fork", nil
      local task = client:spawn(function()
        vote()
        in_child = fork.go_on()
        coroutine.yield()
        return vote()
      end)
      local value, err = task:wait()
      print(in_child, value and value.success, err.kind)
      if in_child then os.exit(true) end
    ]], { LSAN_OPTIONS = "detect_leaks=0" })  -- gcc 12's LeakSanitizer crashes after this fork
    assert.equal("true\tnil\tconfig\nfalse\ttrue\tnil\n", output)
    assert.equal(2, server:deliveries())
  end)

  describe("is interrupted by Ctrl-C", function()
    local running

    after_each(function()
      if running then running:signal "KILL" end
      running = nil
    end)

    -- { where, script, line that it writes when it is there }
    for _, row in ipairs {
      { "in task:wait() of a call", "client:spawn(vote):wait()" },
      { "in task:wait() of a sleep",
        "vote_and_go() client:spawn(client.sleep, client, 1000):wait()" },
      { "in task:wait() of one that waits",
        "local task = client:spawn(vote) client:spawn(task.wait, task):wait()" },
      { "in client:step(1000)", "client:spawn(vote) while client:step(1000) do end" },
      { "in client:step(math.huge)", "client:spawn(vote) while client:step(math.huge) do end" },
      { "in client:sleep(1000)", "vote_and_go() client:sleep(1000)" },
      { "in a call beside tasks", "client:spawn(vote) vote()" },
      { "in a task that blocks",
        "client:spawn(function() table.sort({ 1, 2 }, function() vote() end) end):wait()" },
      { "in on_event of a task's call", [[
          local one = new(function(event)
            if event.type ~= "response" then return end
            print "in on_event"
            local till = os.time() + 30
            while os.time() < till do end
          end)
          one:spawn(vote, one)
          while one:step(10) do end]], "in on_event" },
    } do
      local where, text, line = table.unpack(row)
      it(where, function()
        if not line then server:script(times(4, "hang")) end
        running = child.start_checked { child.lua, "-e", text_of([[
          local function vote_and_go()
            client:spawn(vote)
            for _ = 1, 10 do client:step(0.01) end
          end
        ]] .. text .. "\nprint 'went on'") }
        assert.is_true(server:wait(1, clock.LIMIT))
        server:ledger()
        if line then assert.equal(line, running:line()) end
        local seconds, output, code = clock.time(function()
          running:signal "INT"
          return running:finish()
        end)
        running = nil
        assert.matches("interrupted!", output)
        assert.is_nil(output:find("went on", 1, true))
        assert.equal(1, code)
        assert.is_true(seconds < clock.END + 0.15, ("%.3f seconds"):format(seconds))
      end)
    end

    -- A wait must not rely on being interrupted, because the signal can arrive just before.
    for where, text in pairs {
      ["a call"] = "vote()",
      ["client:sleep"] = "client:sleep(1000)",
      ["task:wait"] = "client:spawn(vote):wait()",
      ["client:step"] = "client:spawn(vote) while client:step(1000) do end",
      ["client:step(math.huge)"] =
        "client:spawn(client.sleep, client, 1000) while client:step(math.huge) do end",
    } do
      it("just before " .. where .. " waits", function()
        server:script { "hang" }
        local build = os.getenv "CEKURA_BUILD" or "build"
        running = child.start_checked({ child.lua, "-e", text_of(text .. "\nprint 'went on'") },
          { LD_PRELOAD = build .. "/late_signal.so" })
        local seconds, output, code = clock.time(function() return running:finish() end)
        running = nil
        assert.matches("interrupted!", output)
        assert.is_nil(output:find("went on", 1, true))
        assert.equal(1, code)
        assert.is_true(seconds < clock.END + 0.35, ("%.3f seconds"):format(seconds))
      end)
    end

    it("in a pcall, and its tasks continue", function()
      server:script { { { "held" }, faults.ok()[1] } }
      running = child.start_checked { child.lua, "-e", text_of [[
        io.stdout:setvbuf "line"
        local task = client:spawn(vote)
        print(pcall(function() print(task:wait()) print "went on" end))
        print(task:ended())
        print(task:wait().success)]] }
      assert.is_true(server:wait(1, clock.LIMIT))
      server:ledger()
      running:signal "INT"
      assert.matches("^false\t[^\n]*interrupted!$", running:line())
      assert.equal("false", running:line())
      server:release()
      local output, code = running:finish()
      running = nil
      assert.equal("true\n", output)
      assert.equal(0, code)
    end)
  end)
end)
