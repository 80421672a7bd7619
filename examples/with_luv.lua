-- An event loop: votes from luv's, while a timer of the host keeps ticking. `drive` is the part to
-- copy; it needs only luv (Debian's lua-luv, LuaRocks' luv).
--
--   lua5.4 examples/with_luv.lua     starts a sandbox of its own, and costs nothing

local cekura = require "cekura"
local sandbox = require "cekura.sandbox"
local uv = require "luv"

-- Runs the tasks of a client in luv's loop. One descriptor reports activity on all connections,
-- one timer ends the waits; neither keeps the loop alive after the last task. Returns a function
-- to call after client:spawn, which starts the new task. Close the client after the loop has ended.
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

-- Every response takes 20 ms. Two are a 503, and one is a 429 with a Retry-After of one second.
local server <close> = sandbox.start { faults = {
  { status = 503, skip = 10, times = 2 },
  { status = 429, skip = 40, headers = { ["Retry-After"] = "1" } },
  { delay = 0.02, times = math.huge },
} }
local client <close> = assert(cekura.new { api_url = server.url, api_key = server.api_key })

local task = client:spawn(function()  -- in a task, a call does not block the loop
  return client:each({ 5540, 5541, 5542, 5543, 5544, 5545 }, function(run_id)
    for _ = 1, 9 do
      assert(client.runs:mark_metric_vote {
        run_id = run_id, metric_id = 55, thumbs_up = false, expected_value = 2,
      })
    end
    return true
  end)
end)

local ticks, clock = 0, uv.new_timer()
clock:start(10, 10, function()
  ticks = ticks + 1
  if task:ended() then clock:close() end
end)

drive(client)()
uv.run()
uv.walk(function(handle)  -- luv 1.44 crashes in lua_close if a handle is not completely closed
  if not handle:is_closing() then handle:close() end
end)
uv.run()

local report = assert(task:wait())  -- it has ended
print(("%d runs, %d failed, %d requests, %d ticks"):format(report.ok, report.failed,
  #server:requests(), ticks))
