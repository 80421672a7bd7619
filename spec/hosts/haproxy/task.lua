-- A service that does not block. A task of HAProxy steps the client; a request spawns its work and
-- waits in HAProxy's way.
local cekura = require "cekura"
local votes = require "votes"

local client

core.register_task(function()
  while true do
    if client then client:step() end
    core.msleep(5)
  end
end)

core.register_service("vote", "http", function(applet)
  client = client or assert(cekura.new { deadline = 10 })
  local task = client:spawn(votes.answer, client, applet.path, applet.qs)
  while not task:ended() do core.msleep(5) end
  local text = assert(task:wait()) .. "\n"  -- returns at once
  applet:set_status(200)
  applet:add_header("content-length", #text)
  applet:start_response()
  applet:send(text)
end)
