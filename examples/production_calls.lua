-- Production calls: the newest ones that failed are evaluated, and the values are counted.
--
--   lua5.4 examples/production_calls.lua     with CEKURA_API_KEY, or with a sandbox
--
-- This spends credits, one evaluation for each call.

local cekura = require "cekura"
local client <close> = assert(cekura.new())

local AGENT, METRIC, NEWEST = 231, 55, 5  -- replace these ids by yours

-- Lists are newest first. Without a range of times, the API lists the last 30 days.
local ids = {}
for log in client.calls:pages {
  agent_id = AGENT, filters_v2 = { field = "success", op = "eq", value = false },
} do
  ids[#ids + 1] = log.id
  if #ids == NEWEST then break end
end
if #ids == 0 then error("the agent has no such call", 0) end

-- The response has the calls as they were before the evaluation, with which wait recognises new
-- values.
local logs = assert(client.calls:evaluate_metrics(
  { agent_id = AGENT, call_logs = ids, metrics = { METRIC } }, { max_evaluations = NEWEST }))
local done, err = client.calls:wait({ call_logs = logs, metrics = { METRIC } }, { timeout = 600 })

-- A metric that does not apply to a call never gets a value: the wait ends with a timeout, and
-- err.last has the calls as they are then.
if not done and err.kind ~= "timeout" then error(err, 0) end

-- Returns what the metric says of a call, as text.
local function value_of(log)
  for _, metric in ipairs(cekura.values(log)) do
    if metric.id == METRIC and metric.value ~= nil then return tostring(metric.value) end
  end
  return "no value"
end

local counts = {}
for _, log in ipairs(done or err.last or {}) do
  local value = value_of(log)
  counts[value] = (counts[value] or 0) + 1
end
for value, count in pairs(counts) do print(("%d x %s"):format(count, value)) end
