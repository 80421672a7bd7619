-- Evaluates metrics again on the runs of one result, and prints the values before and after.
-- Prints the plan and its cost unless --apply is given.
--
--   lua5.4 examples/reevaluate_result.lua 373 --metrics 55,57            the plan and its cost
--   lua5.4 examples/reevaluate_result.lua 373 --metrics 55,57 --apply    SPENDS CREDITS
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local cost = require "support.cost"
local ids = require "support.ids"
local metrics = require "support.metrics"
local output = require "support.output"
local responses = require "support.responses"
local text = require "support.text"
local texttable = require "support.table"
local values = require "support.values"
local waiting = require "support.waiting"

local NAME = "reevaluate_result"
local LOOK = "a started evaluation continues: without --apply this command prints the values"
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Evaluates metrics again on the runs of one result, and prints the old and the new values.")

parser:epilog [[
Without --apply nothing is started: the plan with its cost and the current values are printed.

Exit codes: 0 done; 1 the server refused the call, for lack of credits or another reason; 2 wrong
usage, ids or key; 4 no connection, or it is unknown whether the evaluation was started; 5 not done
in time; 130 Ctrl-C.]]

parser:argument("result", "The id of the result."):convert(ids.one)
parser:option("--metrics", "The metrics to evaluate: 55,57.", nil, ids.list)
  :argname "IDS":count "1"
parser:option("--runs", "Only these runs (default: all that were completed).", nil, ids.list)
  :argname "IDS"
parser:flag("--apply", "Start the evaluation; spends credits.")
parser:option("--max-evaluations", "Refuse to start more evaluations.", nil, command.count)
  :argname "N"
waiting.add_options(parser, 600)

-- ---- the plan ----

local function run_of(result, id) return (result.runs or {})[tostring(id)] end

--- Returns { result, metrics, call }; `call` has the arguments of results:evaluate_metrics.
local function make_plan(client, options)
  local result = assert(responses.result(client.results:get { result_id = options.result }))
  local run_ids = options.runs or responses.completed_runs(result)
  if #run_ids == 0 then fail("usage", "no run of result %s was completed", result.id) end
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

local function print_plan(client, plan)
  local result, call = plan.result, plan.call
  output.print(("Result %s, %s: %s."):format(result.id, texttable.show(result.name), result.status))
  local rows = { { "run", "scenario", "metric", "says" } }
  for_each(plan, result, function(id, run, metric)
    rows[#rows + 1] = { id, run.scenario_name, metric.name, metrics.values(run)[metric.id] }
  end)
  texttable.print(rows)
  local sent = assert(client.results:evaluate_metrics(call, { dry_run = true }))
  cost.print(client, sent.evaluations, text.count(#call.run_ids, "run") .. " × "
    .. text.count(#call.metric_ids, "metric"))
end

-- ---- starting ----

local ENDED = { completed = true, failed = true, timeout = true, cancelled = true }

local UNKNOWN = "%s. The result is %s, changed last at %s: nothing shows that it was started. It "
  .. "is not sent again: run this in a minute without --apply"

--- Starts the evaluation. If it is unknown whether the call was applied, the status of the result
--- decides: an evaluation makes the result run.
local function start(client, plan, most)
  if not ENDED[plan.result.status] then
    fail("failed", "the result is %s: start this once it has ended", plan.result.status)
  end
  local started, err = client.results:evaluate_metrics(plan.call, { max_evaluations = most })
  if started ~= nil or err.applied == "yes" then return end
  if err.applied == "no" then error(err, 0) end
  local now = assert(responses.result(client.results:get { result_id = plan.call.result_id }))
  if ENDED[now.status] then fail("network", UNKNOWN, err, now.status, now.updated_at) end
  command.say(NAME, ": ", tostring(err), ". But the result is ", tostring(now.status),
    ": it was started, and is not sent again")
end

-- ---- the new values ----

local function wait(client, plan, options)
  local result, err = responses.result(client.results:wait(
    { result_id = options.result, after = plan.result }, waiting.options(options)))
  if not result then fail(waiting.code_of(err), "%s. %s", err, LOOK) end
  return result
end

local function print_changes(plan, result)
  local rows, changed = { { "run", "scenario", "metric", "old", "", "new", "" } }, 0
  for_each(plan, result, function(id, run, metric)
    local before = metrics.values(run_of(plan.result, id) or {})[metric.id]
    local after = metrics.values(run)[metric.id]
    local mark = values.are_equal(metric.eval_type, before, after) and ""
      or before == nil and "new" or after == nil and "gone" or "changed"
    if mark ~= "" then changed = changed + 1 end
    rows[#rows + 1] = { id, run.scenario_name, metric.name, before, "→", after, mark }
  end)
  texttable.print(rows)
  output.print(("%d of %s changed."):format(changed, text.count(#rows - 1, "value")))
end

command.run(NAME, LOOK, function()
  local options = parser:parse()
  local client <close> = assert(cekura.new())
  local plan = make_plan(client, options)
  print_plan(client, plan)
  if not options.apply then
    output.print "Nothing was started: --apply does it."
    return "ok"
  end
  start(client, plan, options.max_evaluations)
  print_changes(plan, wait(client, plan, options))
  return "ok"
end)
