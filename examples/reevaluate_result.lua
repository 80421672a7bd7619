-- Runs metrics again over the runs of one result, and shows what they say now: old → new.
--
--   lua5.4 examples/reevaluate_result.lua 373 --metrics 55,57            the plan and its cost
--   lua5.4 examples/reevaluate_result.lua 373 --metrics 55,57 --apply    SPENDS CREDITS
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- also through a link
package.path = folder .. "?.lua;" .. package.path  -- for what is in support/

local answers = require "support.answers"
local command = require "support.command"
local cost = require "support.cost"
local ids = require "support.ids"
local metrics = require "support.metrics"
local output = require "support.output"
local values = require "support.report.values"
local texttable = require "support.table"
local waiting = require "support.waiting"

local NAME = "reevaluate_result"
local LOOK = "what was started goes on: without --apply this command shows what the metrics say"
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Runs metrics again over the runs of one result, and shows what they say now: old → new.")

parser:epilog [[
Without --apply nothing is started: the plan is shown with its cost, and what the metrics say now.

Exit codes: 0 done; 1 it was refused, as without credits; 2 wrong usage, ids or key; 4 no
connection, or it is unknown whether it was started; 5 not done in time; 130 Ctrl-C.]]

parser:argument("result", "The id of the result."):convert(ids.one)
parser:option("--metrics", "The metrics to run again: 55,57.", nil, ids.list)
  :argname "IDS":count "1"
parser:option("--runs", "Only these runs (default: all that were completed).", nil, ids.list)
  :argname "IDS"
parser:flag("--apply", "Do it; spends credits.")
parser:option("--max-evaluations", "Refuse to start more than this.", nil, command.count)
  :argname "N"
waiting.add_options(parser, 600)
waiting.add_progress(parser)

-- ---- the plan ----

--- The runs' ids, in order.
local function completed(result)
  local list = {}
  for _, run in pairs(result.runs or {}) do
    if run.status == "completed" then list[#list + 1] = run.id end
  end
  table.sort(list)
  if #list == 0 then fail("usage", "no run of result %s was completed", result.id) end
  return list
end

local function run_of(result, id) return (result.runs or {})[tostring(id)] end

local function check_runs(result, list)
  for _, id in ipairs(list) do
    if not run_of(result, id) then
      fail("usage", "run %d is not one of result %s", id, result.id)
    end
  end
  return list
end

local function make_plan(client, options)
  local result = assert(answers.result(client.results:get { result_id = options.result }))
  return {
    result = result, metrics = metrics.get(client, options.metrics),
    call = {
      result_id = options.result, metric_ids = options.metrics,
      run_ids = options.runs and check_runs(result, options.runs) or completed(result),
    },
  }
end

--- Calls visit(id, run, metric) for each run and metric, in order.
local function for_each(plan, result, visit)
  for _, id in ipairs(plan.call.run_ids) do
    for _, metric in ipairs(plan.metrics) do visit(id, run_of(result, id) or {}, metric) end
  end
end

local function print_values(plan)
  local rows = { { "run", "scenario", "metric", "says" } }
  for_each(plan, plan.result, function(id, run, metric)
    rows[#rows + 1] = { id, run.scenario_name, metric.name, metrics.values(run)[metric.id] }
  end)
  texttable.print(rows)
end

local function print_plan(client, plan)
  local result, call = plan.result, plan.call
  output.print(("Result %s, %s: %s."):format(result.id, texttable.show(result.name), result.status))
  print_values(plan)
  local sent = assert(client.results:evaluate_metrics(call, { dry_run = true }))
  cost.print(client, sent.evaluations, cost.count(#call.run_ids, "run") .. " × "
    .. cost.count(#call.metric_ids, "metric"))
end

-- ---- starting ----

local ENDED = { completed = true, failed = true, timeout = true, cancelled = true }

local UNKNOWN = "%s. The result is %s, changed last at %s: nothing shows that it was started. It "
  .. "is not sent again: look once more in a minute, without --apply"

--- What nobody knows can be seen: an evaluation that was started makes the result run.
local function look(client, plan, err)
  local result =
    assert(answers.result(client.results:get { result_id = plan.call.result_id }))
  if ENDED[result.status] then fail("network", UNKNOWN, err, result.status, result.updated_at) end
  command.say(NAME, ": ", tostring(err), ". But the result is ", tostring(result.status),
    ": it was started, and is not sent again")
end

local function start(client, plan, most)
  if not ENDED[plan.result.status] then
    fail("failed", "the result is %s: start this once it has ended", plan.result.status)
  end
  local started, err = client.results:evaluate_metrics(plan.call, { max_evaluations = most })
  if started ~= nil or err.applied == "yes" then return end
  if err.applied == "no" then error(err, 0) end
  look(client, plan, err)
end

-- ---- what became of it ----

local function wait(client, options)
  local result, err = answers.result(client.results:wait({ result_id = options.result },
    waiting.options(options)))
  if not result then fail(waiting.code_of(err), "%s. %s", err, LOOK) end
  return result
end

--- What a row is marked with.
local function mark(metric, before, after)
  if values.are_equal(metric.eval_type, before, after) then return "" end
  return before == nil and "new" or after == nil and "gone" or "changed"
end

local function print_changes(plan, result)
  local rows, changed = { { "run", "scenario", "metric", "old", "", "new", "" } }, 0
  for_each(plan, result, function(id, run, metric)
    local before = metrics.values(run_of(plan.result, id) or {})[metric.id]
    local after = metrics.values(run)[metric.id]
    local word = mark(metric, before, after)
    if word ~= "" then changed = changed + 1 end
    rows[#rows + 1] = { id, run.scenario_name, metric.name, before, "→", after, word }
  end)
  texttable.print(rows)
  output.print(("%d of %s changed."):format(changed, cost.count(#rows - 1, "value")))
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
  print_changes(plan, wait(client, options))
  return "ok"
end)
