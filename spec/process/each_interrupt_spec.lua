-- Ctrl-C in client:each, in the stock interpreter; the progress of each on a terminal.
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"
local script = require "support.script"
local system = require "system"
local terminal = require "support.terminal"
local votes = require "support.votes"

local GRACE = 2  -- seconds that items in flight are given to end

local is_checked = (os.getenv "CEKURA_RUN" or "") ~= ""
local QUICK = is_checked and clock.LIMIT or GRACE  -- seconds of a process that does not wait

describe("Ctrl-C in each", function()
  local server, path, running

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:clear()
    path = scratch.path()
  end)

  after_each(function()
    if running then running:signal "KILL" end  -- the test has failed before its end
    running = nil
    os.remove(path)
  end)

  -- Starts a process, and waits until `count` requests have arrived.
  local function start(text, count)
    running = child.start_checked { child.lua, "-e",
      votes.START:format(server.url, "k") .. ("local PATH = %q\n"):format(path) .. text }
    assert.is_true(server:wait(count))
    server:ledger()
    return running
  end

  -- Waits for the end of the process. Returns its output, its exit code, and the seconds since
  -- `sent`.
  local function finish(process, sent)
    local output, code = process:finish()
    running = nil
    return output, code, system.monotime() - sent
  end

  local function interrupt(process)
    local sent = system.monotime()
    process:interrupt()
    server:release()
    return finish(process, sent)
  end

  local function ends_interrupted(output, code)
    assert.matches("interrupted!\nstack", output)
    assert.is_nil(output:find("went on", 1, true), output)
    assert.equal(1, code)
  end

  -- Returns the events in the journal, sorted.
  local function events()
    local list = {}
    for event in scratch.read(path):gmatch "Z (%l+ %d+)" do list[#list + 1] = event end
    return votes.sorted(list)
  end

  local LATE_OK = { { "held" }, faults.ok()[1] }  -- after the signal

  local THREE = [[
    local votes = require "support.votes"
    local function go(options)
      options.journal, options.work, options.concurrency = PATH, "w", 3
      return client:each(votes.items(10), vote, options)
    end
  ]]

  it("starts no item, and waits for the items in flight", function()
    server:script(retries.times(3, LATE_OK))
    local process = start(THREE .. [[
      go {}
      print "went on"]], 3)
    ends_interrupted(interrupt(process))
    assert.equal(3, server:deliveries())
    assert.same({ "done 1", "done 2", "done 3", "started 1", "started 2", "started 3" }, events())
    process = start(THREE .. [[
      local report = assert(go {})
      print(report.ok, report.skipped, report.unknown)]], 10)
    local output = finish(process, 0)
    assert.equal("7\t3\t0\n", output)
    assert.equal(10, server:deliveries())
  end)

  it("cancels after two seconds the items in flight, which are unknown then", function()
    server:script(retries.times(3, { { "hang" } }))
    local output, code, seconds = interrupt(start(THREE .. [[
      local started = os.clock()
      print(pcall(go, {}))
      print(os.clock() - started < 1)  -- each sleeps instead of polling meanwhile
      print(client:step(), vote(100).success)
      local report = assert(go {})
      print(report.ok, report.skipped, report.unknown)
      print(report.errors[1].error)
      report = assert(go { redo_unknown = true })
      print(report.ok, report.skipped, report.unknown)]], 3))
    assert.matches("^false\t[^\n]*interrupted!\ntrue\nfalse\ttrue\n7\t0\t3\n", output)
    assert.matches("\n3\t7\t0\n$", output)
    assert.equal(0, code)
    assert.is_true(seconds >= GRACE - 0.05 and seconds < GRACE + clock.END, seconds)
    assert.same({ "unknown 1", "unknown 2", "unknown 3" }, table.move(events(), 24, 26, 1, {}))
    assert.same({ 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 100 },
      votes.sorted(votes.arrived(server:ledger())))
  end)

  it("ends at once the second time", function()
    server:script(retries.times(3, { { "hang" } }))
    local process = start(THREE .. [[
      go {}
      print "went on"]], 3)
    process:signal "INT"
    system.sleep(0.3)  -- much less than GRACE
    local sent = system.monotime()
    process:signal "INT"
    local output, code, seconds = finish(process, sent)
    assert.equal("", output)
    assert.equal(2, code)  -- the signal's number
    assert.is_true(seconds < clock.END, seconds)
    assert.same({ "started 1", "started 2", "started 3" }, events())
  end)

  it("stops an each within each", function()
    server:script(retries.times(4, LATE_OK))
    local output, code = interrupt(start([[
      local votes = require "support.votes"
      client:each({ 10, 20, 30 }, function(outer)
        local report, problem = client:each(votes.items(9), function(inner)
          local value = vote(outer + inner)
          print("inner", value and value.success)
          return value
        end, { concurrency = 2 })
        print("outer", report, problem.kind, problem.applied, problem.report.ok, problem)
        return report, problem
      end, { concurrency = 2, journal = PATH, work = "w" })
      print "went on"]], 4))
    ends_interrupted(output, code)
    assert.equal(4, server:deliveries())
    assert.equal(4, select(2, output:gsub("inner\ttrue\n", "")))
    assert.equal(2, select(2, output:gsub("outer\tnil\tcancelled\tno\t2\t[^\n]*interrupted", "")))
    assert.same({ "started 10", "started 20", "unknown 10", "unknown 20" }, events())
  end)

  it("does not fail an inner each that has started all of its items",
    function()
      server:script(retries.times(2, LATE_OK))
      local output, code = interrupt(start([[
        client:each({ 10, 20 }, function(outer)
          local report = assert(client:each({ outer + 1, outer + 2 }, vote))
          print("outer", report.ok)
        end, { concurrency = 1, journal = PATH, work = "w" })
        print "went on"]], 2))
      ends_interrupted(output, code)
      assert.matches("outer\t2\n", output)
      assert.same({ "done 10", "started 10" }, events())
    end)

  it("fails an inner each that has read its last item but not started it", function()
    server:script { faults.status(429, { ["Retry-After"] = 3500 }) }
    local output, code = interrupt(start([[
      client:each({ 10 }, function(outer)
        return client:each({ outer + 1, outer + 2 }, vote, { concurrency = 1 })
      end, { journal = PATH, work = "w" })
      print "went on"]], 1))
    ends_interrupted(output, code)
    assert.same({ "failed 10", "started 10" }, events())
  end)

  it("cancels an inner each and a source that is being read after two seconds", function()
    server:script(retries.times(6, { { "hang" } }))
    local output, code, seconds = interrupt(start([[
      local given = 0
      local function source()
        given = given + 1
        if given == 2 then vote(100) end
        return given * 10
      end
      client:each(source, function(outer)
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        client:each({ 1, 2 }, function(inner) return vote(outer + inner) end)
        print "went on"
      end, { journal = PATH, work = "w" })
      print "went on"]], 3))
    ends_interrupted(output, code)
    assert.matches("^closed\n", output)
    assert.is_true(seconds >= GRACE - 0.05 and seconds < GRACE + clock.END, seconds)
    assert.equal(3, server:deliveries())
    assert.same({ "started 10", "unknown 10" }, events())
    assert.equal(0, server:open())
  end)

  -- The interpreter's hook is on the main thread: in a coroutine, each returns an error instead.
  it("fails an each in a coroutine", function()
    server:script(retries.times(3, LATE_OK))
    local output, code = interrupt(start(THREE .. [[
      coroutine.wrap(function()
        local report, problem = go {}
        print(report, problem.kind, problem.report.ok, problem.report.unknown, problem)
      end)()
      print "went on"]], 3))
    ends_interrupted(output, code)
    assert.matches("^nil\tcancelled\t3\t0\tcekura: each: interrupted", output)
    assert.equal(3, server:deliveries())
  end)

  -- Only task:wait() raises: the items in flight are given no time to end.
  it("ends the process at once while the main thread waits for an each in a task", function()
    clock.within(QUICK, function()
      os.remove(path)
      server:clear()
      server:script(retries.times(3, { { "hang" } }))
      ends_interrupted(interrupt(start(THREE .. [[
        client:spawn(go, {}):wait()
        print "went on"]], 3)))
    end)
    assert.same({ "started 1", "started 2", "started 3" }, events())
    local output = finish(start(THREE .. [[
      local report = assert(client:spawn(go, {}):wait())
      print(report.ok, report.failed, report.unknown)]], 10), 0)
    assert.equal("7\t0\t3\n", output)
    assert.equal(10, server:deliveries())
  end)

  it("lets an each in a task continue if the wait for it catches the error", function()
    server:script(retries.times(3, LATE_OK))
    local output, code = interrupt(start(THREE .. [[
      local task = client:spawn(go, {})
      print(pcall(function() print(task:wait()) print "went on" end))
      print(task:wait().ok)]], 3))
    assert.matches("^false\t[^\n]*interrupted!\n10\n$", output)
    assert.equal(0, code)
    assert.equal(10, server:deliveries())
  end)

  it("is not lost while each waits for a call", function()
    clock.within(QUICK, function()
      os.remove(path)
      server:clear()
      server:script(retries.times(3, faults.status(429, { ["Retry-After"] = 3500 })))
      ends_interrupted(interrupt(start(THREE .. [[
        go {}
        print "went on"]], 3)))
    end)
    assert.equal(3, server:deliveries())
    assert.same({ "failed 1", "failed 2", "failed 3" }, table.move(events(), 1, 3, 1, {}))
  end)

  -- The signal may arrive at any moment.
  it("is not lost among many short calls", function()
    for _ = 1, 8 do
      server:clear()
      os.remove(path)
      local output, code = interrupt(start([[
        client:each(function() return {} end, function() return vote(1) end)
        print "went on"]], math.random(3, 40)))
      ends_interrupted(output, code)
    end
  end)

  it("cancels an each of a coroutine in an item", function()
    server:script(retries.times(3, { { "hang" } }))
    local output, code, seconds = interrupt(start([[
      client:each({ 10, 20 }, function(outer)
        if outer == 20 then return vote(outer) end
        coroutine.wrap(function()
          local report, problem = client:each({ 1, 2 }, function(inner)
            return vote(outer + inner)
          end)
          print("inner", (report or problem.report).unknown)
        end)()
      end)
      print "went on"]], 3))
    ends_interrupted(output, code)
    assert.matches("^inner\t2\n", output)
    assert.is_true(seconds >= GRACE - 0.05 and seconds < GRACE + clock.END, seconds)
    assert.equal(0, server:open())
  end)

  it("clears the progress line", function()
    server:script(retries.times(4, { { "hang" } }))
    local ran = terminal.run(80, votes.START:format(server.url, "k") .. [[
      local votes = require "support.votes"
      io.stderr:write "before\n"
      print(pcall(client.each, client, votes.items(10), function(item)
        if item <= 3 then return vote(item) end
        client:sleep(0.3)
        look "then"
        -- in a shell of its own, because os.execute ignores the signal
        io.popen("exec env -u LD_PRELOAD sh -c 'kill -INT $PPID'"):close()
        while true do client:sleep(1) end
      end, { progress = true, concurrency = 4 }))
      io.stderr:write "after\n"]], { TERM = "xterm" })
    assert.matches("^false\t[^\n]*interrupted!\n$", ran.stdout)
    assert.equal(2, #ran.screen.looks["then"])
    assert.matches("^%[.*%] 0/10 +0%%", ran.screen.looks["then"][2])
    assert.same({ "before", "after" }, ran.screen.rows)
  end)
end)

-- Ctrl-C sets a hook on the main thread, and the hook raises the error. Here the script sets such a
-- hook for one instruction after the other; the result must always be the same.
describe("Ctrl-C in each", function()
  local START = votes.START .. [[
    local votes = require "support.votes"
    local main, path = coroutine.running(), %q

    local function interrupt_after(count, also)
      debug.sethook(main, function()
        debug.sethook(main)
        if also then also() end
        error "interrupted!"
      end, "", count)
    end

    -- Raises unless no task is left, and the next run completes the items.
    local function check(what, go)
      debug.sethook(main)
      assert(not client:step(), what .. ": a task is left")
      collectgarbage()
      local report, problem = go()
      assert(report, what .. ": " .. tostring(problem))
      assert(report.ok + report.skipped == 3, what .. ": not all done")
      os.remove(path)
    end
  ]]

  local server, path

  setup(function() server = sandbox.start() end)
  teardown(function() server:stop() end)
  before_each(function() path = scratch.path() end)
  after_each(function() os.remove(path) end)

  local function run(text)
    local output, code =
      script.run(START:format(server.url, server.api_key, path) .. text)
    assert.equal(0, code, output)
    return output
  end

  for what, path_or_nil in pairs { ["with a journal"] = "path", ["without one"] = "nil" } do
    it("leaves nothing behind at any instruction of the main thread, " .. what, function()
      local count = run(([[
        local instructions, came = 0, nil
        repeat
          instructions, came = instructions + 1, false
          local begun, ended = 0, 0
          local function go()
            return client:each({ 1, 2, 3 }, function(item)
              begun = begun + 1
              assert(vote(item))
              ended = ended + 1
            end, { journal = %s, work = "w", concurrency = 2, progress = function() end })
          end
          local ok, raised = pcall(function()
            interrupt_after(instructions, function() came = true end)
            go()
            debug.sethook(main)
          end)
          assert(ok ~= came, "swallowed")
          assert(ok or raised:find "interrupted!$", raised)
          assert(begun == ended, "left in flight")
          check(instructions, go)
        until not came
        print(instructions)]]):format(path_or_nil))
      assert.is_true(math.tointeger(count) > 200)
    end)
  end

  for what, call in pairs { ["each"] = "inner(item)",
      ["each in a coroutine"] = "coroutine.wrap(inner)(item)" } do
    it("loses no item at any call of a function of the caller, within " .. what, function()
      local count = run(([[
        local calls = 0
        repeat
          calls = calls + 1
          local done, seen = {}, 0
          local function notice()
            seen = seen + 1
            if seen == calls then interrupt_after(1) end
          end
          local function inner(item)
            local left = 3
            local report, problem = client:each(function()
              notice()
              left = left - 1
              return left > 0 and left or nil
            end, function(number)
              notice()
              local value = vote(item * 10 + number)
              if value then done[item] = (done[item] or 0) + 1 end
              notice()
              return value
            end)
            notice()
            return report, problem
          end
          local function go()
            return client:each({ 1, 2, 3 }, function(item) return %s end, {
              journal = path, work = "w", concurrency = 2, redo_unknown = true,
              progress = notice, key = function(item)
                notice()
                return item
              end,
            })
          end
          pcall(go)
          local came = seen >= calls
          seen = calls  -- one interruption per round
          for item in io.open(path):read "a":gmatch "Z done (%%d)" do
            assert(done[math.tointeger(item)] == 2, calls .. ": done is not done")
          end
          check(calls, go)
          for item = 1, 3 do assert(done[item] >= 2, calls .. ": not all done") end
        until not came
        print(calls)]]):format(call))
      assert.is_true(math.tointeger(count) > 20)
    end)
  end
end)

describe("each with progress = true", function()
  local server

  setup(function() server = sandbox.start { faults = { { times = math.huge, delay = 0.02 } } } end)
  teardown(function() server:stop() end)

  local function run(columns, text)
    local ran = terminal.run(columns, votes.START:format(server.url, server.api_key) .. [[
      local votes = require "support.votes"
      local function go(source, fn)
        return assert(client:each(source, fn or vote, { progress = true, concurrency = 2 }))
      end
      ]] .. text, { TERM = "xterm" })
    assert.equal(0, ran.code, ran.stderr)
    return ran
  end

  it("draws a line on a terminal, and erases it", function()
    local ran = run(80, [[
      io.stderr:write "before\n"
      go(votes.items(20), function(item)
        if item == 15 then look "then" end
        if item == 2 then return nil, "no" end
        return vote(item)
      end)
      io.stderr:write "after\n"]])
    assert.equal("", ran.stdout)
    assert.same({ "before", "after" }, ran.screen.rows)
    local seen = ran.screen.looks["then"]
    assert.equal(2, #seen)
    local done, percent, rate =
      seen[2]:match "^%[=*> *%] (%d+)/20 +(%d+)%%  ([%d.]+)/s  .*  1 failed$"
    assert.is_truthy(done, seen[2])
    assert.equal(done * 5, math.tointeger(percent))
    assert.is_true(tonumber(rate) > 0)
  end)

  it("erases the line if the source raises", function()
    local ran = run(80, [[
      local left = 8
      print(pcall(go, function()
        left = left - 1
        if left == 0 then
          look "then"
          error("no", 0)
        end
        return left
      end))]])
    assert.equal("false\tno\n", ran.stdout)
    assert.equal(1, #ran.screen.looks["then"])
    assert.same({}, ran.screen.rows)
  end)

  it("writes a line at the end to a file", function()
    local ran = run("pipe", [[
      go(votes.items(6), function(item)
        if item == 2 then return nil, "no" end
        return vote(item)
      end)]])
    assert.equal("", ran.stdout)
    assert.matches("^6 of 6 done, 1 failed, [%d.]+/s, took 0:0%d\n$", ran.stderr)
  end)
end)
