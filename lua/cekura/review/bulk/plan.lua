--- The plan of bulk: which results are sent, which are left out and why, and what it costs.

local cekura = require "cekura"
local cost = require "cekura.review.internal.cost"
local ids = require "cekura.review.internal.ids"
local output = require "cekura.review.internal.output"
local results = require "cekura.review.bulk.results"
local texttable = require "cekura.review.internal.table"
local text = require "cekura.review.internal.text"

local bulkplan = {}

local endpoint = cekura.endpoints["results.bulk_evaluate_metrics"]

-- ---- lists of results ----

--- Returns the ids of results.
function bulkplan.ids(list)
  local found = cekura.array {}
  for i, result in ipairs(list) do found[i] = result.id end
  return found
end

--- Returns how many runs results have together.
function bulkplan.runs(list)
  local runs = 0
  for _, result in ipairs(list) do runs = runs + result.runs end
  return runs
end

--- Returns words for results: "result 371", "2 results from 371 to 373".
function bulkplan.named(list) return ids.named(bulkplan.ids(list), "result") end

-- ---- the plan ----

--- Returns the list in chunks, each as long as the endpoint allows.
local function chunks_of(list)
  local size, chunks
  for _, field in ipairs(endpoint.fields) do
    if field.name == "result_ids" then size, chunks = field.max_items, {} end
  end
  for chunk in cekura.chunks(list, size) do chunks[#chunks + 1] = chunk end
  return chunks
end

--- The results that were found are divided twice. `without_runs` and `left_out` are not evaluated;
--- `list` is. By the journal, the results of `list` are `done`, `unknown` or `left`.
---@class cekura.review.BulkPlan
---@field found cekura.review.ResultSummary[]
---@field without_runs cekura.review.ResultSummary[]
---@field left_out cekura.review.ResultSummary[] older than those that fit the limit
---@field list cekura.review.ResultSummary[]
---@field done cekura.review.ResultSummary[]
---@field unknown cekura.review.ResultSummary[]
---@field left cekura.review.ResultSummary[]
---@field chunks cekura.review.ResultSummary[][] `left` in calls
---@field evaluations integer of `left`, at most

--- Makes a plan. The newest results are selected before the journal is read: a second run selects
--- the same ones, and does not pay for older ones instead.
---@return cekura.review.BulkPlan
function bulkplan.make(found, log, options)
  local plan = { found = found, list = {}, without_runs = {}, left_out = {} }
  for _, result in ipairs(found) do
    table.insert(result.runs > 0 and plan.list or plan.without_runs, result)
  end
  if options.newest then
    plan.list, plan.left_out = results.newest(plan.list, options.max_evaluations, #options.metrics)
  end
  for state, list in pairs(log:sort(plan.list, options.redo_unknown)) do plan[state] = list end
  plan.chunks = chunks_of(plan.left)
  plan.evaluations = bulkplan.runs(plan.left) * #options.metrics
  return plan
end

--- Returns the data for --json.
function bulkplan.data(plan, options)
  local ids_of = bulkplan.ids
  return {
    metric_ids = options.metrics, agent_id = options.agent, project_id = options.project,
    shard = options.shard, journal = options.journal, evaluations = plan.evaluations,
    calls = #plan.chunks, to_send = ids_of(plan.left), already_sent = ids_of(plan.done),
    left_out = ids_of(plan.left_out), without_runs = ids_of(plan.without_runs),
    started = cekura.array {}, unknown = ids_of(plan.unknown), results = cekura.array {},
  }
end

-- ---- printing ----

local MOST_NAMED = 10

--- Prints the results that are not sent for a reason.
local function print_left_out(list, reason)
  if #list == 0 then return end
  local words = table.concat(bulkplan.ids(list), ", ", 1, math.min(#list, MOST_NAMED))
  output.print(("Left out, %s: %s%s."):format(reason, words,
    #list > MOST_NAMED and (" and %d more"):format(#list - MOST_NAMED) or ""))
end

--- Returns why there is nothing to send.
local function why_nothing(plan, options)
  local part = options.shard
  if #plan.found == 0 and part then
    return ("no result is in part %d of %d"):format(part.index, part.total)
  elseif #plan.list == 0 then
    return "no result has runs"
  elseif #plan.list == 1 then
    return ("%s is in %s"):format(bulkplan.named(plan.list), options.journal)
  end
  return ("all %d results are in %s"):format(#plan.list, options.journal)
end

--- Returns where the prices of the metrics are listed.
local function scopes_of(plan, options)
  if options.agent or options.project then return { cost.scope(options.agent, options.project) } end
  local scopes, seen = {}, {}
  for _, result in ipairs(plan.left) do
    if result.agent and not seen[result.agent] then
      seen[result.agent] = true
      scopes[#scopes + 1] = cost.scope(result.agent)
    end
  end
  return scopes
end

--- Prints the plan. Returns the estimate and the balance; nil if there is nothing to
--- send.
---@param known_metrics table[] of metrics:get
function bulkplan.print(client, plan, known_metrics, options)
  local names = {}
  for i, metric in ipairs(known_metrics) do names[i] = metric.name end
  output.print(("Metrics: %s."):format(texttable.show(table.concat(names, ", "))))
  print_left_out(plan.without_runs, "without runs")
  print_left_out(plan.left_out, ("because of --max-evaluations %d"):format(
    options.max_evaluations or 0))
  if #plan.left == 0 then
    output.print(("Nothing to send: %s."):format(why_nothing(plan, options)))
    return nil
  end
  if #plan.done > 0 then
    output.print(("Already sent, according to %s: %d of %s."):format(options.journal, #plan.done,
      text.count(#plan.list, "result")))
  end
  local low, high = ids.range(bulkplan.ids(plan.left))
  output.print(("%s, from %d to %d, in %s."):format(text.count(#plan.left, "result"), low, high,
    text.count(#plan.chunks, "call")))
  return cost.show(client, {
    evaluations = plan.evaluations, metric_ids = options.metrics, scopes = scopes_of(plan, options),
    made_of = ("at most: %s × %s"):format(text.count(bulkplan.runs(plan.left), "run"),
      text.count(#names, "metric")),
    apply = options.apply, at_most = true, max_evaluations = options.max_evaluations,
    hint = ". --newest sends those that fit",
  })
end

return bulkplan
