local process = require "process"
local web = require "web"

-- LUA_PATH and LUA_CPATH are inherited.
local function row(name, script, changes)
  local host = {
    name = "lighttpd, " .. name, version = "lighttpd -v", start = web.start, checks = web.checks,
    command = [[sh -c 'exec lighttpd -D -f "$HOSTS/lighttpd/lighttpd.conf"']],
    environment = { SCRIPT = script }, reload = "USR1",
  }
  for field, value in pairs(changes) do host[field] = value end
  return host
end

local queue = row("queue", "queue", {
  blocks = false, reply = "queued\n",
  checks = {
    vote = web.checks.vote, load = web.checks.load, stalls = web.checks.stalls,
    shutdown = web.checks.shutdown,
  },
})

function queue.start(host)
  web.start(host)
  local helper = ("lua5.4 %s/lighttpd/helper.lua"):format(host.folder)
  process.start(host:with_environment() .. helper, host.log)
end

return { row("blocking", "vote", { blocks = true }), queue }
