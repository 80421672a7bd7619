-- A service that blocks the thread of HAProxy that runs it. Load it with `lua-load-per-thread`:
-- with `lua-load` other threads spin on the lock of the Lua state, and after two seconds the
-- watchdog aborts HAProxy. task.lua does not block.
-- The client is created by the first request, because HAProxy forks after it has loaded this file.
local cekura = require "cekura"
local votes = require "votes"

local client

core.register_service("vote", "http", function(applet)
  client = client or assert(cekura.new { deadline = 10 })
  local text = votes.answer(client, applet.path, applet.qs) .. "\n"
  applet:set_status(200)
  applet:add_header("content-length", #text)
  applet:start_response()
  applet:send(text)
end)
