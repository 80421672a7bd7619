-- Ctrl-C in the stock interpreter ends a call, or the wait for a retry, at once.
local calls = require "support.calls"
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local system = require "system"

-- Seconds from the signal to the end of the process: 200 ms for the library, the rest for `kill`,
-- the end of the interpreter, and the tool that it runs under. A busy machine makes some ends late.
local USUAL = (os.getenv "CEKURA_RUN" or "") == "" and 0.35 or clock.END

local START = [[
  io.stdout:setvbuf "line"
  local arguments = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
  local function new(options)
    options.api_url, options.api_key = %q, "k"
    return assert(require "cekura".new(options))
  end
  local PATIENT = { timeout = 60, deadline = 80000, backoff = { base = 80000, cap = 80000 } }
  local client = new(PATIENT)
]]

describe("Ctrl-C", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local running  -- the process that a test has started

  after_each(function()
    if running then running:signal "KILL" end  -- the test has failed
    running = nil
  end)

  local function start(text)
    running = child.start_checked { child.lua, "-e", START:format(server.url) .. text }
    return running
  end

  -- Waits until the server has read requests and played their entries.
  local function await_request(count)
    assert.is_true(server:wait(count or 1))
    server:ledger()
  end

  local spans = {}  -- the seconds that processes took to end

  -- Sends the signal. Returns the output of the process, and its exit code.
  local function interrupt(process)
    local sent = system.monotime()
    process:signal "INT"
    local output, code = process:finish()
    local seconds = system.monotime() - sent
    running = nil
    assert.is_true(seconds < clock.END, ("%.3f seconds\n%s"):format(seconds, output))
    spans[#spans + 1] = seconds
    return output, code
  end

  -- { what, the server's script, `applied` of the call }
  local blocked = {
    { "a call to a server that does not respond", { "hang" }, "unknown" },
    { "a call whose response arrives byte by byte", { faults.trickle(5) }, "yes" },
    { "a wait that the server asked for",
      { faults.status(503, { ["Retry-After"] = 3500 }) }, "unknown" },
    { "a wait that is for all calls of a client",
      { faults.status(429, { ["Retry-After"] = 3500 }) }, "no" },
    { "a wait of the client's own", { faults.status(503) }, "unknown" },
  }

  for _, row in ipairs(blocked) do
    local what, entries, applied = table.unpack(row)

    local function begin(text)
      server:script(entries)
      local process = start(text)
      await_request()
      return process
    end

    describe("in " .. what, function()
      it("ends the process with the interpreter's message", function()
        local output, code = interrupt(begin [[
          client.runs:mark_metric_vote(arguments)
          print "went on"]])
        assert.matches("interrupted!", output)
        assert.is_nil(output:find("went on", 1, true))
        assert.equal(1, code)
        assert.equal(1, server:deliveries())
      end)

      it("is an error that a pcall catches, and the client can still be used", function()
        local output, code = interrupt(begin [[
          print(pcall(function()
            local value, err = client.runs:mark_metric_vote(arguments)
            print("went on", value, err)
          end))
          print(new(PATIENT).runs:mark_metric_vote(arguments).success)
          print(client.runs:mark_metric_vote(arguments, { deadline = 0.2 }))]])
        assert.matches("false\t[^\n]*interrupted!\ntrue\n", output)
        assert.is_nil(output:find("went on", 1, true))
        assert.equal(0, code)
      end)

      it("is an error that a pcall of the call catches", function()
        local output, code = interrupt(begin [[
          print(pcall(client.runs.mark_metric_vote, client.runs, arguments))
          print "went on"]])
        assert.matches("false\t[^\n]*interrupted!\nwent on\n", output)
        assert.equal(0, code)
      end)

      -- The interpreter's hook is on the main thread: in a coroutine, the call returns an error.
      it("cancels a call in a coroutine", function()
        local output, code = interrupt(begin [[
          local run = coroutine.wrap(function()
            local value, err = client.runs:mark_metric_vote(arguments)
            print(value, err.kind, err.applied, err.attempts)
          end)
          run()
          print "went on"]])
        assert.matches("nil\tcancelled\t" .. applied .. "\t1\n", output)
        assert.matches("interrupted!", output)
        assert.is_nil(output:find("went on", 1, true))
        assert.equal(1, code)
      end)

      it("is not swallowed by on_event", function()
        local output, code = interrupt(begin [[
          PATIENT.on_event = function() return 1 + 1 end
          new(PATIENT).runs:mark_metric_vote(arguments)
          print "went on"]])
        assert.matches("interrupted!", output)
        assert.is_nil(output:find("went on", 1, true))
        assert.equal(1, code)
      end)

      it("ends a script that has a hook of its own", function()
        local output, code = interrupt(begin [[
          debug.sethook(function() end, "l")
          client.runs:mark_metric_vote(arguments)
          print "went on"]])
        assert.matches("interrupted!", output)
        assert.is_nil(output:find("went on", 1, true))
        assert.equal(1, code)
      end)
    end)
  end

  -- The on_event of another call sends the signal while the call is queued.
  local QUEUED = [[
    local limited
    PATIENT.on_event = function(event)
      limited = limited or event.type == "retry"
      if event.status == 200 and limited then io.popen "kill -INT $PPID":close() end
    end
    client = new(PATIENT)
    local function vote() return client.runs:mark_metric_vote(arguments) end
    for _ = 1, %d do client:spawn(vote) end
    while client:step(1) do end
    collectgarbage()
    client:spawn(vote)
    client:spawn(vote)
    while not limited do client:step(1) end
    coroutine.wrap(function()
      local value, err = vote()
      print(value, err.kind, err.applied, err.attempts, err.message)
      for _ = 1, 100 do ("x"):rep(100) end
    end)()]]

  local late_and_limited = {
    { { "read" }, { "sleep", 1 }, { "answer", 200, {}, '{"success": true}' } },
    faults.status(429, { ["Retry-After"] = 20 }),
  }

  for what, row in pairs {
    ["in a new handle"] = {},
    ["in the handle of a response that could not be read"] = { "not_json", "not_json", "not_json" },
  } do
    it("ends a call that is queued after a 429, " .. what, function()
      local before = #row
      server:script(table.move(late_and_limited, 1, 2, before + 1, row))
      local process = start(QUEUED:format(before))
      local output = process:finish()
      running = nil
      assert.matches("^nil\tcancelled\tno\t0\tcancelled\n", output)
      assert.matches("interrupted!", output)
      assert.equal(before + 2, server:deliveries())
    end)
  end

  -- The signal arrives at varying moments, also while a response is decoded in a protected call.
  it("is not swallowed among many short calls", function()
    for _ = 1, 10 do
      server:clear()
      local process = start [[
        local till = os.time() + 3
        while os.time() < till do
          local value, err = client.runs:mark_metric_vote(arguments)
          if not value then print(err) break end
        end
        print "went on"]]
      await_request(3)
      local output, code = interrupt(process)
      assert.matches("interrupted!\nstack", output)
      assert.is_nil(output:find("went on", 1, true))
      assert.equal(1, code)
    end
  end)

  -- on_event runs in a protected call, which turns all other errors into warnings.
  it("is not swallowed while on_event runs", function()
    server:script { "hang" }
    local process = start [[
      PATIENT.timeout = 2
      PATIENT.max_attempts = 1
      PATIENT.on_event = function(event)
        if event.type ~= "request" then return end
        print "in on_event"
        local till = os.time() + 2
        while os.time() < till do end
      end
      new(PATIENT).runs:mark_metric_vote(arguments)
      print "went on"]]
    assert.equal("in on_event", process:line())
    local output, code = interrupt(process)
    assert.matches("interrupted!", output)
    assert.is_nil(output:find("went on", 1, true))
    assert.equal(1, code)
  end)

  it(("has ended half of these processes within %.2f s"):format(USUAL), function()
    table.sort(spans)
    local half = spans[#spans // 2]
    if half then assert.is_true(half < USUAL, half) end  -- nil if only this test runs
  end)
end)

-- Ctrl-C raises wherever Lua runs, such as in on_event between two attempts.
describe("the error of Ctrl-C", function()
  for _, kind in ipairs { "request", "response", "retry" } do
    it("is raised by the call if it ends on_event at a " .. kind, function()
      local server <close> = faults.start()
      server:script { faults.status(503, { ["Retry-After"] = "30" }), faults.status(503) }
      local last
      local client <close> = retries.client(server, { deadline = 60, on_event = function(event)
        last = event.type
        if event.type ~= kind then return end
        debug.sethook(function()
          debug.sethook()
          error("interrupted!", 0)
        end, "", 1)
      end })
      assert.error_matches(function() calls.vote(client) end, "interrupted!")
      assert.equal(kind, last)
    end)
  end
end)

describe("a hook of the script", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  -- Returns delayed responses, for which the client polls several times, and a wait between them.
  local function slow(wait)
    return {
      { { "read" }, { "sleep", 0.25 }, { "answer", 503, { { "Retry-After", wait } }, "{}" } },
      { { "read" }, { "sleep", 0.25 }, { "answer", 200, {}, '{"success": true}' } },
    }
  end

  for what, hook in pairs {
    ["for lines"] = [[debug.sethook(function() seen = seen + 1 end, "l")]],
    ["for calls and returns"] = [[debug.sethook(function() seen = seen + 1 end, "cr")]],
    ["for a count"] = [[debug.sethook(function() seen = seen + 1 end, "", 1)]],
    ["on its own thread"] = [[
      debug.sethook(coroutine.running(), function() seen = seen + 1 end, "l")]],
  } do
    for where, run in pairs {
      ["the main thread"] = "work()", ["a coroutine"] = "coroutine.wrap(work)()",
    } do
      it(what .. ", as a coverage tool has, does not end a call in " .. where, function()
        server:script(slow(what == "for lines" and "1" or "0"))
        local process = child.start_checked { child.lua, "-e", START:format(server.url) .. ([[
          local seen = 0
          local function work()
            %s
            local value, response = client.runs:mark_metric_vote(arguments)
            print(value.success, response.attempts)
          end
          %s
          debug.sethook()
          print(seen > 0 and "seen")]]):format(hook, run) }
        local output, code = process:finish()
        assert.matches("true\t2\nseen\n$", output)
        assert.equal(0, code)
        assert.equal(2, server:deliveries())
      end)
    end
  end
end)
