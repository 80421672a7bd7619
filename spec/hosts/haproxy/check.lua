local web = require "web"

local function row(name, changes)
  return {
    name = "HAProxy, " .. name, version = "haproxy -v", start = web.start, checks = web.checks,
    command = [[sh -c 'unset LUA_PATH LUA_CPATH; exec haproxy -W -f "$HOSTS/haproxy/haproxy.cfg"']],
    environment = changes.environment, blocks = changes.blocks, reload = "USR2",
  }
end

return {
  row("task", {
    environment = { LUA_LOAD = "lua-load", SCRIPT = "task", THREADS = 2 }, blocks = false,
  }),
  row("blocking", {
    environment = { LUA_LOAD = "lua-load", SCRIPT = "vote", THREADS = 1 }, blocks = true,
  }),
  row("per thread", {
    environment = { LUA_LOAD = "lua-load-per-thread", SCRIPT = "vote", THREADS = 2 },
  }),
}
