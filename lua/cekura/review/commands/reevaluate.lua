--- Evaluates metrics again on the runs of one result, and prints the values before and after.
--- Prints the plan and its cost unless --apply is given.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local cost = require "cekura.review.internal.cost"
local ids = require "cekura.review.internal.ids"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local responses = require "cekura.review.internal.responses"
local spent = require "cekura.review.internal.spent"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"
local values = require "cekura.review.internal.values"
local waiting = require "cekura.review.internal.waiting"

local LOOK = "a started evaluation continues: without --apply this command prints the values"

local reevaluate = {
  name = "reevaluate",
  summary = "evaluate metrics again on the runs of one result",
  description = "Evaluates metrics again on the runs of one result, and compares the values.",
  example = "reevaluate 373 --metrics 55,57 --apply",
  advice = LOOK,
  empty = { started = "no", values = cekura.array {} },
  notes = [[
Without --apply nothing is started: the plan with its cost and the current values are printed.
With --json, `started` is "yes", "no" or "unknown", and each of the `values` has `before`, `after`
and `changed`.

Exit codes: 0 done; 1 too few credits, or the server refused the call; 2 wrong usage, ids or key; 4
no connection, or it is unknown whether the evaluation was started; 5 not done in time;
130 Ctrl-C.]],
}
local fail = command.fail

-- ---- the command line ----

function reevaluate.add_options(parser)
  parser:argument("result", "The id of the result."):convert(ids.one)
  parser:option("--metrics", "The metrics to evaluate: 55,57.", nil, ids.list)
    :argname "IDS":count "1"
  parser:option("--runs", "Only these runs (default: all that were completed).", nil, ids.list)
    :argname "IDS"
  command.add_spending(parser, "Start the evaluation")
  waiting.add_options(parser, 600)
end

-- ---- the plan ----

local function run_of(result, id) return (result.runs or {})[tostring(id)] end

--- Returns { result, metrics, call }; `call` has the arguments of results:evaluate_metrics.
local function make_plan(client, options)
  local result = command.found("result", options.result,
    responses.result(client.results:get { result_id = options.result }))
  local run_ids = options.runs or responses.completed_runs(result)
  if #run_ids == 0 then
    fail("usage", "no run of result %d is completed: the result is %s", result.id, result.status)
  end
  for _, id in ipairs(run_ids) do
    if not run_of(result, id) then
      fail("usage", "run %d is not one of result %s", id, result.id)
    end
  end
  return {
    result = result, metrics = metrics.list(client, options.metrics),
    call = { result_id = options.result, run_ids = run_ids, metric_ids = options.metrics },
  }
end

--- Calls visit(id, run, metric) for each run and metric, in order.
local function for_each(plan, result, visit)
  for _, id in ipairs(plan.call.run_ids) do
    for _, metric in ipairs(plan.metrics) do visit(id, run_of(result, id) or {}, metric) end
  end
end

--- Returns the values as data, each with `before`, in the order of for_each.
local function values_of(plan)
  local list = cekura.array {}
  for_each(plan, plan.result, function(id, run, metric)
    list[#list + 1] = { run_id = id, scenario = run.scenario_name, metric_id = metric.id,
      metric = metric.name, before = metrics.values(run)[metric.id] }
  end)
  return list
end

--- Prints the plan. Returns the data for --json.
local function print_plan(client, plan, options)
  local result, call = plan.result, plan.call
  output.print(("Result %s, %s: %s."):format(result.id, texttable.show(result.name), result.status))
  local list = values_of(plan)
  local rows = { { "run", "scenario", "metric", "says" } }
  for i, row in ipairs(list) do
    rows[i + 1] = { row.run_id, row.scenario, row.metric, row.before }
  end
  texttable.print(rows)
  local evaluations = #call.run_ids * #call.metric_ids
  local data = command.keep { result_id = result.id, run_ids = call.run_ids,
    metric_ids = call.metric_ids, evaluations = evaluations, started = "no", values = list }
  data.estimate, data.balance = cost.show(client, {
    evaluations = evaluations, metric_ids = call.metric_ids,
    made_of = text.count(#call.run_ids, "run") .. " × " .. text.count(#call.metric_ids, "metric"),
    scopes = { cost.scope(result.agent) }, apply = options.apply,
    max_evaluations = options.max_evaluations,
  })
  return data
end

-- ---- starting ----

local ENDED = { completed = true, failed = true, timeout = true, cancelled = true }

local UNKNOWN = "%s. The result is %s, changed last at %s: nothing shows that it was started. It "
  .. "is not sent again: run this in a minute without --apply"

--- Starts the evaluation. If it is unknown whether the call was applied, the status of the result
--- decides: an evaluation makes the result run.
local function start(client, plan, data)
  if not ENDED[plan.result.status] then
    fail("failed", "the result is %s: start this once it has ended", plan.result.status)
  end
  data.started = "unknown"
  local started, err = client.results:evaluate_metrics(plan.call)
  data.started = started ~= nil and "yes" or err.applied
  if data.started == "yes" then return end
  if data.started == "no" then error(err, 0) end
  local now = assert(responses.result(client.results:get { result_id = plan.call.result_id }))
  if ENDED[now.status] then fail("network", UNKNOWN, err, now.status, now.updated_at) end
  command.say("%s. But the result is %s: it was started, and is not sent again", err, now.status)
  data.started = "yes"
  spent.settle(data.evaluations)
end

-- ---- the new values ----

local function wait(client, plan, options)
  local result, err = responses.result(client.results:wait(
    { result_id = options.result, after = plan.result }, waiting.options(options)))
  if not result then fail(waiting.code_of(err), "%s. %s", err, LOOK) end
  return result
end

local function mark_of(metric, before, after)
  if values.are_equal(metric.eval_type, before, after) then return "" end
  return before == nil and "new" or after == nil and "gone" or "changed"
end

--- Prints the values before and after, and adds `after` and `changed` to the data.
local function print_changes(plan, result, list)
  local rows, changed, i = { { "run", "scenario", "metric", "old", "", "new", "" } }, 0, 0
  for_each(plan, result, function(id, run, metric)
    i = i + 1
    local row = list[i]
    row.after = metrics.values(run)[metric.id]
    local mark = mark_of(metric, row.before, row.after)
    row.changed = mark ~= ""
    if row.changed then changed = changed + 1 end
    rows[i + 1] = { id, run.scenario_name, metric.name, row.before, "→", row.after, mark }
  end)
  texttable.print(rows)
  output.print(("%d of %s changed."):format(changed, text.count(i, "value")))
end

function reevaluate.run(options)
  local client <close> = cost.client(options)
  local plan = make_plan(client, options)
  local data = print_plan(client, plan, options)
  if not options.apply then
    output.print "Nothing was started: --apply does it."
    return "ok", data
  end
  start(client, plan, data)
  print_changes(plan, wait(client, plan, options), data.values)
  return "ok", data
end

return reevaluate
