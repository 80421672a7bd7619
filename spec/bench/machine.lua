-- Describes the machine and the versions of what `make bench` runs.
local python = require "support.python"
local shell = require "bench.shell"

local PYTHON_VERSIONS = [[
import sys, requests, httpx, aiohttp
print("Python %d.%d" % sys.version_info[:2], ", requests ", requests.__version__, ", httpx ",
      httpx.__version__, ", aiohttp ", aiohttp.__version__, sep="")
]]

local COMMANDS = {
  { "sh", "-c", '. /etc/os-release; echo "$PRETTY_NAME"' },
  { "sh", "-c", [[echo "$(nproc) x $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"]] },
  { "curl-config", "--version" },
  { shell.lua, "-e", "print(_VERSION .. ', lua-cjson ' .. require 'cjson'._VERSION)" },
  { "sh", "-c", "nginx -v 2>&1 | sed 's/.*: //; s/ .*//'" },
  { python, "-c", PYTHON_VERSIONS },
  { "node", "-p",
    "`Node.js ${process.version}, undici ${require('undici/package.json').version}`" },
  { "lua5.4", "-e", "package.path = '/usr/share/lua/5.3/?.lua'; "
    .. "print('lua-http ' .. require 'http.version'.version)" },
}

-- Returns one line. What is not installed is left out.
return function()
  local parts = {}
  for _, command in ipairs(COMMANDS) do
    local output = shell.try(command)
    parts[#parts + 1] = output and output:match "[^\n]+"
  end
  return table.concat(parts, "; ")
end
