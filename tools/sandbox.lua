-- Runs a sandbox in the foreground, for `make sandbox`. Usage: lua tools/sandbox.lua PORT
-- If the port is in use, it prints one line instead of a traceback.

local port = arg[1]
local done, problem = pcall(require "cekura.sandbox".serve, { port = tonumber(port) or port })
if done then return end
io.stderr:write((tostring(problem):gsub("^[^:]*:%d+: ", "")),
  "\nPORT names another port: make sandbox PORT=8081\n")
os.exit(1)
