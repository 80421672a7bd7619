-- make sandbox: lua tools/sandbox.lua PORT. A port that is taken is no mistake of the program's:
-- one line instead of a traceback.

local port = arg[1]
local done, problem = pcall(require "cekura.sandbox".serve, { port = tonumber(port) or port })
if done then return end
io.stderr:write((tostring(problem):gsub("^[^:]*:%d+: ", "")),
  "\nPORT names another port: make sandbox PORT=8081\n")
os.exit(1)
