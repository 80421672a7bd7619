-- logs.lua make FILE: writes 1.2 MB of call logs, in the response of the sandbox.
-- logs.lua call URL KEY COUNT: receives such a response COUNT times.
-- logs.lua decode FILE COUNT: decodes the file COUNT times with lua-cjson alone.
local SIZE = 1200000

local function call_logs_of(server, project)
  local agents, ids = server:state "agents", {}
  for id, log in pairs(server:state "call_logs") do
    if agents[log.agent_id].project_id == project then ids[#ids + 1] = id end
  end
  return table.concat(ids, ",")
end

local function response_of(server)
  local body = ('{"project_id":14,"call_logs":[%s],"metrics":[55]}')
    :format(call_logs_of(server, 14))
  local command = ("curl -s -H 'X-CEKURA-API-KEY: %s' -H 'Content-Type: application/json' -d '%s' "
    .. "%s/observability/v1/call-logs/evaluate_metrics/"):format(server.api_key, body, server.url)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

-- Returns the JSON text of a list with more objects: its first ones, up to `size` bytes in total.
local function grown(list, size)
  local more = list:sub(2, size - #list):match "^(.*}),{\"agent\"" or error "no list of call logs"
  return list:sub(1, -2) .. "," .. more .. "]"
end

local modes = {}

function modes.make(path)
  local server <close> = require "cekura.sandbox".start { balance = 1e15, evaluation_time = 0 }
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(grown(response_of(server), SIZE)))
end

function modes.call(url, key, count)
  local client = assert(require "cekura".new { api_url = url, api_key = key })
  for _ = 1, tonumber(count) do
    local logs = assert(client.calls:evaluate_metrics {
      project_id = 14, call_logs = { 1 }, metrics = { 55 },
    })
    assert(#logs > 248)
  end
end

function modes.decode(path, count)
  local file <close> = assert(io.open(path))
  local text, decode = file:read "a", require "cjson".decode
  for _ = 1, tonumber(count) do decode(text) end
end

modes[arg[1]](table.unpack(arg, 2))
