-- One result: a metric is evaluated again on some of its runs, and the new values are awaited.
--
--   lua5.4 examples/evaluate_and_wait.lua     with CEKURA_API_KEY, or with a sandbox
--
-- This spends credits, one evaluation for each run and metric: two with these ids.

local cekura = require "cekura"
local client <close> = assert(cekura.new())

-- Replace these ids by yours.
local evaluation = { result_id = 373, run_ids = { 5543, 5544 }, metric_ids = { 55 } }

-- A dry run sends nothing. The limit below refuses a call that would start more evaluations.
local plan = assert(client.results:evaluate_metrics(evaluation, { dry_run = true }))
print("evaluations:", plan.evaluations)

-- Returns the values of the metric by run.
local function values_of(result)
  local values = {}
  for _, run_id in ipairs(evaluation.run_ids) do
    for _, metric in ipairs(cekura.values(result.runs[tostring(run_id)])) do
      if metric.id == evaluation.metric_ids[1] then values[run_id] = metric.value end
    end
  end
  return values
end

-- The evaluation runs in the background. With `after`, wait does not take the status of the result
-- as it is now for a new one.
local before = assert(client.results:get { result_id = evaluation.result_id })
local started, err =
  client.results:evaluate_metrics(evaluation, { max_evaluations = plan.evaluations })
if not started and err.applied ~= "no" then
  error("it may have been started: look at the result before you pay again: " .. err, 0)
end
assert(started, err)
local after = assert(client.results:wait({ result_id = evaluation.result_id, after = before },
  { timeout = 600 }))

local old, new = values_of(before), values_of(after)
for _, run_id in ipairs(evaluation.run_ids) do
  print(("run %d: %s -> %s"):format(run_id, old[run_id], new[run_id]))
end
