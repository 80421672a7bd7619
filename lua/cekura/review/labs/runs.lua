--- The runs of an agent's newest results, as the source of a review. A batch is a result.

local command = require "cekura.review.internal.command"
local responses = require "cekura.review.internal.responses"
local waiting = require "cekura.review.internal.waiting"

local runs = { noun = "run", column = "run_id", model = "Run", last = 8, batch = "result" }

local PAGE_SIZE = 100

--- Returns the ids of the newest completed results.
function runs.find(cycle)
  local options, found = cycle.options, {}
  local list = assert(responses.results(cycle.client.results:list {
    agent_id = options.agent, project_id = options.project,
    page_size = math.min(cycle.data.arguments.last, PAGE_SIZE),
  }))
  for _, result in ipairs(list.results) do
    if result.status == "completed" then found[#found + 1] = tostring(result.id) end
  end
  if #found == 0 then
    command.fail("failed", "%s has no finished result", cycle.scope)
  end
  return found
end

--- Returns a list of { id, batch, call } for the runs of these results.
function runs.read(cycle, ids)
  local list = {}
  for _, id in ipairs(ids) do
    local result = assert(responses.result(cycle.client.results:get { result_id = id }))
    for _, run in pairs(result.runs or {}) do
      list[#list + 1] = { id = tostring(run.id), batch = tostring(result.id), call = run }
    end
  end
  return list
end

runs.is_success = responses.is_outcome_met

function runs.title(run) return run.scenario_name end

--- Puts a run into the Lab of a metric, and returns the results of the call.
function runs.create_test_set(client, id, label)
  return client.test_sets:create_from_run { run_id = id, metrics = { label } }
end

--- Returns the result as it is now, with which the wait compares.
function runs.snapshot_before(cycle, batch)
  local result = assert(responses.result(cycle.client.results:get { result_id = batch }))
  return { id = result.id, status = result.status, updated_at = result.updated_at }
end

--- Starts to evaluate runs of a result. Returns the results of the call.
function runs.evaluate(cycle, batch, ids)
  return cycle.client.results:evaluate_metrics {
    result_id = batch, run_ids = ids, metric_ids = { cycle.options.metric },
  }
end

--- Waits for the evaluation of a result. Returns the results of the wait.
function runs.wait(cycle, batch, snapshot)
  local options = waiting.options(cycle.options)
  options.progress = nil
  return cycle.client.results:wait({ result_id = batch, after = snapshot }, options)
end

return runs
