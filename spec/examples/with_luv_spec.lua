-- examples/with_luv.lua, and a client in luv's event loop.
-- No call, retry or wait may block the loop.
local calls = require "support.calls"
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local uv = require "luv"

local is_checked = (os.getenv "CEKURA_RUN" or "") ~= ""
local is_slow = clock.is_slow

describe("the example with luv", function()
  it("votes while its timer ticks", function()
    local output, code = child.run_checked { child.lua, "examples/with_luv.lua" }
    assert.equal(0, code, output)
    local ticks = tonumber(output:match "^6 runs, 0 failed, 57 requests, (%d+) ticks\n$")
    -- A second passes because of the 429.
    assert.is_true(ticks ~= nil and ticks > (is_slow and 10 or 50), output)
  end)
end)

describe("luv's loop", function()
  local TICK = 10                            -- milliseconds
  local LATE = is_slow and 800 or 300        -- milliseconds; a wait takes a second

  local function now() return uv.hrtime() / 1e6 end

  -- Runs the loop until no task is left. Returns the latest tick and the longest step, in ms, and
  -- how many ticks there were.
  local function run(client)
    local ticks, latest, longest, due = 0, 0, 0, now() + TICK
    local poll, timer, ticker = uv.new_poll(client:pollfd()), uv.new_timer(), uv.new_timer()

    local function step()
      local started = now()
      local is_task_left = client:step()
      local seconds = is_task_left and client:timeout()
      longest = math.max(longest, now() - started)
      if not is_task_left then
        latest = math.max(latest, now() - due)  -- of the tick that is due at the end
        for _, handle in ipairs { poll, timer, ticker } do handle:close() end
        return
      end
      poll:start("r", step)
      if seconds then timer:start(math.ceil(seconds * 1000), 0, step) else timer:stop() end
    end

    ticker:start(TICK, TICK, function()
      ticks, latest, due = ticks + 1, math.max(latest, now() - due), now() + TICK
    end)
    timer:start(0, 0, step)
    uv.run()
    return latest, longest, ticks
  end

  -- A tick may also be late because other processes use the processor. A call that blocks the loop
  -- does so each time.
  local function is_never_late(begin)
    local latest, longest, ticks
    for _ = 1, 5 do
      local client <close> = begin()
      latest, longest, ticks = run(client)
      if latest < LATE and longest < LATE then return ticks end
    end
    error(("a tick was %.1f ms late, a step took %.1f ms"):format(latest, longest), 2)
  end

  local OPTIONS = { timeout = 0.3, connect_timeout = 0.3, deadline = 60, max_attempts = 20,
    backoff = { base = 0.2, cap = 0.4 } }
  if is_checked then OPTIONS.timeout, OPTIONS.connect_timeout = 3, 3 end

  -- Returns entries of all kinds of delays and failures, twice, with one 429 among them.
  local function misbehave(kind)
    local slow = { { "read" }, { "sleep", 0.2 }, faults.ok()[1] }
    local entries = {}
    for _ = 1, 2 do
      local more = { slow, faults.status(503), faults.hang(), slow, faults.slow_head(0.002),
        faults.trickle(0.005), faults.close_before_answer(), faults.reset_before_answer(), slow,
        faults.status(503, { ["Retry-After"] = "1" }), slow, faults.cut_body() }
      table.move(more, 1, #more, #entries + 1, entries)
    end
    table.insert(entries, 9, faults.status(429, { ["Retry-After"] = "1" }))
    for i, entry in ipairs(kind.handshakes) do table.insert(entries, 3 * i, entry) end
    return entries
  end

  for _, kind in ipairs {
    { "in plain text", {}, handshakes = {} },
    { "over TLS", { tls = true }, handshakes = {
      faults.cut_handshake(), faults.reset_before_handshake(), faults.hang_before_handshake() } },
  } do
    local what, options = table.unpack(kind)

    it("is not blocked by calls, retries or waits " .. what, function()
      local server <close> = faults.start(options)
      local done
      local ticks = is_never_late(function()
        server:clear()
        server:script(misbehave(kind))
        local client = retries.client(server, OPTIONS)
        done = 0
        for _ = 1, 16 do
          client:spawn(function()
            for _ = 1, 2 do if calls.vote(client) then done = done + 1 end end
          end)
        end
        return client
      end)
      assert.equal(32, done)
      assert.is_true(server:deliveries() > 32)
      assert.is_true(ticks > (is_checked and 5 or 50))
    end)
  end

  it("is not blocked by a thousand tasks at once", function()
    local server <close> = faults.start()
    is_never_late(function()
      local client = retries.client(server, { deadline = 60 })
      for i = 1, 1000 do
        client:spawn(function()
          client:sleep(0.05)
          if i % 20 == 0 then calls.vote(client) end
        end)
      end
      return client
    end)
  end)

  it("is blocked by a call outside of a task, which the measurement detects", function()
    local server <close> = faults.start()
    server:script { { { "read" }, { "sleep", 2 * LATE / 1000 }, faults.ok()[1] } }
    local client <close> = retries.client(server, { timeout = 60 })
    client:spawn(function()
      client:sleep(0.05)
      coroutine.wrap(calls.vote)(client)
    end)
    local latest, longest = run(client)
    assert.is_true(latest > LATE and longest > LATE)
  end)
end)
