local web = require "web"

-- The paths are set by the configuration alone.
local function row(scope, changes)
  local host = {
    name = "Apache, " .. scope, version = "apache2 -v", start = web.start, checks = web.checks,
    command = [[sh -c 'unset LUA_PATH LUA_CPATH
      exec apache2 -D FOREGROUND -f "$HOSTS/apache/apache.conf"']],
    environment = { LUA_SCOPE = scope },
    blocks = false, reload = "USR1", threads = 100,
  }
  for field, value in pairs(changes or {}) do host[field] = value end
  return host
end

return { row "thread", row "server 1 100", row("once", { requests = 50 }) }
