-- server.lua FIFO: the sandbox in a process of its own, so that what it does is not counted.
-- Writes "URL KEY IDS" to the FIFO, IDS being a project's call logs, and serves until its
-- input ends.
local sandbox = require "cekura.sandbox"
local server = sandbox.start { balance = 1e15, evaluation_time = 0, record = false }

local function call_logs_of(project)
  local agents, ids = server:state "agents", {}
  for id, log in pairs(server:state "call_logs") do
    if agents[log.agent_id].project_id == project then ids[#ids + 1] = id end
  end
  return table.concat(ids, ",")
end

local answer <close> = assert(io.open(arg[1], "w"))
answer:write(("%s %s %s\n"):format(server.url, server.api_key, call_logs_of(14)))
answer:close()
io.read() -- the end of the input is the end of the bench
