-- logs.lua URL KEY COUNT IDS: evaluates the call logs IDS COUNT times; a response has about 1 MiB.
-- logs.lua decode FILE COUNT: decodes the file COUNT times with lua-cjson alone.

local function decode_only(file, count)
  local text = assert(io.open(file)):read "a"
  local decode = require "cjson".decode
  for _ = 1, count do decode(text) end
end

local function ask(url, key, count, ids)
  local cekura = require "cekura"
  local client = assert(cekura.new { api_url = url, api_key = key })
  local call_logs = {}
  for id in ids:gmatch "%d+" do call_logs[#call_logs + 1] = id end
  for _ = 1, count do
    assert(client.calls:evaluate_metrics {
      project_id = 14, call_logs = call_logs, metrics = { 55 },
    })
  end
end

if arg[1] == "decode" then
  decode_only(arg[2], tonumber(arg[3]))
else
  ask(arg[1], arg[2], tonumber(arg[3]), arg[4])
end
