--- The plan of calls: which production calls are sent, which have a value or were sent already, and
--- the cost.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local cost = require "cekura.review.internal.cost"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local responses = require "cekura.review.internal.responses"
local shard = require "cekura.review.internal.shard"
local text = require "cekura.review.internal.text"

local callplan = { AT_ONCE = 100 }  -- calls in a request

-- ---- which calls ----

--- Returns an iterator over the calls that fit the options.
local function pages(client, options)
  local conditions = {}
  for option, field in pairs { success = "success", reviewed = "is_reviewed" } do
    if options[option] then
      conditions[#conditions + 1] = { field = field, op = "eq", value = options[option] == "yes" }
    end
  end
  return responses.pages_of_calls(client.calls:pages {
    agent_id = options.agent, project_id = options.project,
    filters_v2 = #conditions > 0 and { operator = "and", conditions = conditions } or nil,
    timestamp_from = options.since, timestamp_to = options["until"],
    page_size = math.min(options.limit or callplan.AT_ONCE, callplan.AT_ONCE),
  })
end

--- Returns whether a call has a value of each metric, readable or not.
local function has_all(log, wanted)
  for _, id in ipairs(wanted) do
    local row = metrics.entry(log, id)
    if not row or not row.applies then return false end
  end
  return true
end

--- Adds a call to the plan.
local function sort_in(plan, call, log, options)
  local is_done, state = has_all(call, options.metrics), log:state(call.id)
  if is_done then plan.values[#plan.values + 1] = metrics.values(call) end
  if is_done and not options.again then return end
  if state == "done" then
    table.insert(plan.sent, call.id)
    if not is_done then table.insert(plan.awaited, call) end
  elseif state == "unknown" and not options.redo_unknown then
    table.insert(plan.unknown, call.id)
  else
    table.insert(plan.left, call.id)
  end
end

--- Makes a plan of the calls of this part. `left`, `sent` and `unknown` are ids, by their state in
--- the journal; `awaited` are the calls of `sent` that have no value yet, as they are now. `values`
--- are those of the calls that have all values. Reads no more pages than --limit needs.
function callplan.make(client, log, options)
  local plan = { left = cekura.array {}, sent = cekura.array {}, unknown = cekura.array {},
    awaited = {}, values = {} }
  local seen = {}
  for call in pages(client, options) do
    local is_ours = not seen[call.id] and shard.has(options.shard, call.id)
    seen[call.id] = true
    if is_ours then sort_in(plan, call, log, options) end
    if #plan.left + #plan.sent + #plan.unknown == options.limit then break end
  end
  if not next(seen) then
    command.fail("usage", "no call fits: are the id, the dates and the other filters right?")
  end
  plan.evaluations = #plan.left * #options.metrics
  return plan
end

-- ---- the plan ----

--- Returns the data for --json.
function callplan.data(plan, options)
  return {
    metric_ids = options.metrics, agent_id = options.agent, project_id = options.project,
    shard = options.shard, journal = options.journal, evaluations = plan.evaluations,
    to_send = plan.left, already_sent = plan.sent, with_values = #plan.values,
    started = cekura.array {}, unknown = plan.unknown,
  }
end

local function print_nothing(plan, options)
  local recorded, part = #plan.sent + #plan.unknown, options.shard
  if recorded > 0 then
    output.print(("Nothing to send: %s in %s."):format(recorded == 1 and "the call is"
      or ("all %d calls are"):format(recorded), options.journal))
  elseif part and #plan.values == 0 then
    output.print(("Nothing to send: no call is in part %d of %d."):format(part.index, part.total))
  end
end

--- Prints the plan. Returns the estimate and the balance; nil if there is nothing to
--- send.
function callplan.print(client, plan, options)
  output.print(text.count(#plan.left, "call") .. " to evaluate.")
  if #plan.values > 0 then
    local left_out = options.again and "" or ", left out"
    output.print(("Have all values already: %d%s."):format(#plan.values, left_out))
  end
  if #plan.left == 0 then return print_nothing(plan, options) end
  if #plan.sent > 0 then
    output.print(("Already sent, according to %s: %d."):format(options.journal, #plan.sent))
  end
  return cost.show(client, {
    evaluations = plan.evaluations, metric_ids = options.metrics,
    made_of = text.count(#plan.left, "call") .. " × " .. text.count(#options.metrics, "metric"),
    scopes = { cost.scope(options.agent, options.project) },
    apply = options.apply, max_evaluations = options.max_evaluations,
  })
end

return callplan
