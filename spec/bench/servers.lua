-- The servers of `make bench`: nginx over http and TLS, the same in front of a slow server, one
-- that records requests, and slow servers with and without a limit. They end with the bench.
local python = require "support.python"
local tls = require "support.tls"
local shell = require "bench.shell"
local servers = {}

local DELAY, LONG_DELAY = 50, 1000  -- milliseconds
local LIMIT = 32  -- requests in flight, above which the limited server responds 429

-- Returns the port and the process of a slow server.
local function start_slow(...)
  local port, process = shell.read({ shell.build "slow", ... }):match "(%d+) (%d+)"
  return assert(port, "spec/bench/slow.c has not started"), process
end

local FREE_PORTS = [[
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))
]]

local function free_ports(names)
  local ports = shell.read { python, "-c", FREE_PORTS, #names }:gmatch "%d+"
  local by_name = {}
  for _, name in ipairs(names) do by_name[name] = ports() end
  return by_name
end

local function content_of(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function write(path, ...)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(...))
end

-- Starts nginx on free ports and returns them. Another process may have taken one of them by then.
local function start_nginx(folder, values)
  for _ = 1, 5 do
    local ports = free_ports { "http", "tls", "slow_tls", "record" }
    local config = content_of "spec/bench/nginx.conf":gsub("{([%l_]+)}", function(name)
      return values[name] or ports[name]
    end)
    write(folder .. "/nginx.conf", config)
    if pcall(shell.run, { "nginx", "-p", folder, "-e", folder .. "/error.log",
      "-c", folder .. "/nginx.conf" }) then return ports end
  end
  error "nginx does not start"
end

-- Ends the processes and removes the folder when this process ends, also if it is killed.
local function end_with_us(folder, processes)
  local script = 'trap "" INT TERM HUP; read _; kill "$@" $(cat "$0/pid"); rm -rf "$0"'
  return io.popen(shell.line { "sh", "-c", script, folder, table.unpack(processes) }, "w")
end

-- Writes the system's authorities and ours to a file that replaces the system's.
local function write_bundle(path, system, ours)
  write(path, content_of(system), content_of(ours))
end

-- Returns the words that run a command with our authority among the system's: in a mount namespace.
local function trusting(bundle, system)
  local mount = 'mount --bind "$0" "$1" && shift && exec "$@"'
  local namespace = shell.is_root() and { "unshare", "--mount" }
    or { "unshare", "--map-root-user", "--mount" }
  return table.move({ "sh", "-c", mount, bundle, system }, 1, 5, #namespace + 1, namespace)
end

-- Starts all servers. Returns
--   http, tls, slow, slow_tls, limited, slowest, record   their URLs
--   logs             the file of the large response
--   trusting         words before a command that uses TLS
--   requests()       the lines of the recorded requests
--   stop()
function servers.start()
  local folder = shell.read { "mktemp", "-d" }:match "[^\n]+"
  local certificates = tls.certificates()
  local slow, slow_process = start_slow(DELAY)
  local limited, limited_process = start_slow(DELAY, LIMIT)
  local slowest, slowest_process = start_slow(LONG_DELAY)
  write(folder .. "/pid")
  local lifeline = end_with_us(folder, { slow_process, limited_process, slowest_process })
  shell.run { "mkdir", folder .. "/root" }
  shell.run { shell.lua, "spec/bench/logs.lua", "make", folder .. "/root/logs.json" }
  local ports = start_nginx(folder, { folder = folder, slow = slow,
    certificate = certificates.valid.cert, key = certificates.valid.key })
  local system = shell.read { "curl-config", "--ca" }:match "[^\n]+"
  write_bundle(folder .. "/bundle", system, certificates.ca)
  local function url(port, scheme) return ("%s://127.0.0.1:%s"):format(scheme or "http", port) end
  return {
    http = url(ports.http), tls = url(ports.tls, "https"), slow = url(slow),
    slow_tls = url(ports.slow_tls, "https"), limited = url(limited),
    slowest = url(slowest), record = url(ports.record),
    logs = folder .. "/root/logs.json", journal = folder .. "/votes.journal",
    trusting = trusting(folder .. "/bundle", system),
    requests = function() return content_of(folder .. "/requests") end,
    stop = function() lifeline:close() end,
  }
end

return servers
