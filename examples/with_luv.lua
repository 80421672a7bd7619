-- Votes from luv's event loop, while a timer of the host keeps ticking. `drive` is the part to
-- copy; it needs only luv (Debian's lua-luv, LuaRocks' luv).
--
--   lua5.4 examples/with_luv.lua
--
-- The server is a sandbox in this process, which is slow and returns errors.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local output = require "support.output"
local sandbox = require "cekura.sandbox"
local uv = require "luv"

local NAME, TICK = "with_luv", 10  -- milliseconds

local parser = command.parser(NAME,
  "Votes in a sandbox from luv's event loop, while a timer ticks every 10 ms.")
parser:option("--votes", "How many votes (default: 200).", 200, command.count):argname "N"
parser:option("--concurrency", "How many calls at once (default: 8).", 8, command.count):argname "N"

-- ---- a client in luv's loop ----

--- Runs the tasks of a client in luv's loop. One descriptor reports activity on all connections,
--- one timer ends the waits; neither keeps the loop alive after the last task. Returns a function
--- to call after client:spawn, which starts the new task. Close the client after the loop has
--- ended.
local function drive(client)
  local poll, timer = uv.new_poll(client:pollfd()), uv.new_timer()

  local function step()
    local is_task_left = client:step()
    local seconds = is_task_left and client:timeout()
    if is_task_left then poll:start("r", step) else poll:stop() end
    if seconds then timer:start(math.ceil(seconds * 1000), 0, step) else timer:stop() end
  end

  return function() timer:start(0, 0, step) end
end

-- ---- the host: a clock that must not be late ----

local clock = { ticks = 0, latest = 0 }

--- Ticks until the task has ended.
function clock.tick_until_end(task)
  local timer, due = uv.new_timer(), uv.hrtime() / 1e6 + TICK
  timer:start(TICK, TICK, function()
    local now = uv.hrtime() / 1e6
    clock.ticks, clock.latest, due = clock.ticks + 1, math.max(clock.latest, now - due), now + TICK
    if task:ended() then timer:close() end
  end)
end

-- ---- the work: in a task, a call does not block the loop ----

local function vote_all(client, options)
  local left = options.votes
  return client:each(function()
    left = left - 1
    return left >= 0 and 5544 or nil
  end, function(run_id)
    return client.runs:mark_metric_vote {
      run_id = run_id, metric_id = 55, thumbs_up = false, expected_value = 2,
    }
  end, { concurrency = options.concurrency })
end

--- Runs the loop until no handle is active, or until Ctrl-C. The loop handles the signal itself,
--- because luv treats an "interrupted!" that Lua raises in a callback as an error of the callback.
local function run_loop()
  local signal, is_interrupted = uv.new_signal(), false
  signal:start("sigint", function()
    is_interrupted = true
    uv.stop()
  end)
  uv.unref(signal)
  uv.run()
  -- luv 1.44 crashes in lua_close if a handle is not completely closed.
  uv.walk(function(handle)
    if not handle:is_closing() then handle:close() end
  end)
  uv.run()
  if is_interrupted then error("interrupted!", 0) end
end

-- Every response takes 20 ms. Two are a 503, and one is a 429 with a Retry-After of one second.
local FAULTS = {
  { status = 503, skip = 10, times = 2 },
  { status = 429, skip = 40, headers = { ["Retry-After"] = "1" } },
  { delay = 0.02, times = math.huge },
}

command.run(NAME, "nothing is left to do", function()
  local options = parser:parse()
  local server <close> = sandbox.start { faults = FAULTS }
  local client <close> = assert(cekura.new { api_url = server.url, api_key = server.api_key })

  local task = client:spawn(vote_all, client, options)
  local wake = drive(client)
  wake()
  clock.tick_until_end(task)
  local started = uv.hrtime()
  run_loop()

  local report, err = task:wait()  -- it has ended
  if not report then command.fail(command.code_of(err), "%s", err) end
  output.print(("%d votes, %d failed, %d requests in %.1f seconds"):format(
    report.ok, report.failed, #server:requests(), (uv.hrtime() - started) / 1e9))
  output.print(("%d ticks, the latest %.1f ms late"):format(clock.ticks, clock.latest))
  return report.failed == 0 and "ok" or "failed"
end)
