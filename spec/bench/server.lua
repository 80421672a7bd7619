-- server.lua FIFO: the sandbox in a separate process, so that its instructions are not counted.
-- Writes "URL KEY IDS" to the FIFO, where IDS are call logs of a project, and serves until stdin
-- ends.
local sandbox = require "cekura.sandbox"
local server = sandbox.start { balance = 1e15, evaluation_time = 0, record = false }

local function call_logs_of(project)
  local agents, ids = server:state "agents", {}
  for id, log in pairs(server:state "call_logs") do
    if agents[log.agent_id].project_id == project then ids[#ids + 1] = id end
  end
  return table.concat(ids, ",")
end

local fifo <close> = assert(io.open(arg[1], "w"))
fifo:write(("%s %s %s\n"):format(server.url, server.api_key, call_logs_of(14)))
fifo:close()
io.read()  -- returns when the bench has ended
