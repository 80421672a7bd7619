--- Steps 6 and 7 of `labs`: evaluating the reviewed calls again, and comparing.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local jobs = require "cekura.review.internal.jobs"
local output = require "cekura.review.internal.output"
local parts = require "cekura.review.labs.cycle"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"
local values = require "cekura.review.internal.values"
local waiting = require "cekura.review.internal.waiting"

local evaluate = {}

-- ---- 6: evaluating again ----

--- Returns { [batch] = list of call ids }, and the batches in order.
local function by_batch(cycle)
  local lists, order = {}, {}
  for _, item in ipairs(cycle.data.before or {}) do
    if not lists[item.batch] then
      lists[item.batch] = {}
      order[#order + 1] = item.batch
    end
    table.insert(lists[item.batch], item.id)
  end
  return lists, order
end

--- Returns the number of calls whose evaluation has not been started.
local function count_left(cycle, lists)
  local count = 0
  for batch, ids in pairs(lists) do
    if cycle.data.evaluated[batch] ~= "started" then count = count + #ids end
  end
  return count
end

local UNKNOWN = "it is unknown whether %s %s is being evaluated: --restart starts it, and may pay "
  .. "twice"

--- Starts an evaluation. The state is saved before and after the call, so that no evaluation is
--- started twice by mistake.
local function start(cycle, batch, ids)
  local evaluated, source, snapshots = cycle.data.evaluated, cycle.source, cycle.data.unevaluated
  local before = evaluated[batch]
  if before == "started" then return end
  if before == "starting" and not cycle.options.restart then
    command.fail("network", UNKNOWN, source.batch, batch)
  end
  if source.snapshot_before then snapshots[batch] = source.snapshot_before(cycle, batch) end
  evaluated[batch] = "starting"
  cycle.saved:keep()
  local started, err = source.evaluate(cycle, batch, ids)
  if started == nil then
    if err.applied == "no" then evaluated[batch] = before end
    cycle.saved:keep()
    error(err, 0)
  end
  if source.snapshot_after then snapshots[batch] = source.snapshot_after(cycle, started) end
  evaluated[batch] = "started"
  cycle.saved:keep()
end

local ADVICE = "run the same command again to continue: nothing is paid twice"

--- Prints the estimate of what is left to start.
local function show_cost(cycle, lists)
  local left = cycle.data.evaluated and count_left(cycle, lists) or parts.count_reviewed(cycle)
  if left == 0 then return end
  parts.show_cost(cycle, left, ("at least: one for each reviewed %s"):format(cycle.source.noun),
    cycle.options.apply)
end

function evaluate.evaluate(cycle)
  local data = cycle.data
  parts.begin(6, "evaluate",
    ("run the metric again over the reviewed %ss. It SPENDS CREDITS."):format(cycle.source.noun))
  local lists, order = by_batch(cycle)
  show_cost(cycle, lists)
  if not cycle.options.apply and not data.evaluated then return end
  data.evaluated = data.evaluated or {}
  data.unevaluated = data.unevaluated or {}  -- what the waits compare with
  for _, batch in ipairs(order) do
    if cycle.options.apply then start(cycle, batch, lists[batch]) end
  end
  for _, batch in ipairs(order) do
    if data.evaluated[batch] then
      local done, err = cycle.source.wait(cycle, batch, data.unevaluated[batch])
      if not done then command.fail(waiting.code_of(err), "%s. %s", err, ADVICE) end
    end
  end
  output.print "  Done."
end

-- ---- 7: before and after ----

-- By whether the metric agreed with the reviewer before, and whether it does now.
local VERDICTS = {
  [true] = { [true] = "right", [false] = "NOW WRONG" },
  [false] = { [true] = "NOW RIGHT", [false] = "still wrong" },
}

--- Returns a value as it is compared; one that cannot be read, unchanged.
local function shown(cycle, value)
  return values.read(values.type_of(cycle.metric.eval_type), value) or value
end

--- Returns the calls whose labels the optimiser has not read: { [call id] = true }.
local function held_out_calls(cycle)
  local job, calls, is_out = jobs.peek(cycle.saved, cycle.options.metric), {}, {}
  for _, id in ipairs(job and job.held_out or {}) do is_out[id] = true end
  for id, review in pairs(parts.lab_of(cycle)) do
    calls[id] = is_out[review.test_set.id] or nil
  end
  return calls
end

local function new_count() return { total = 0, before = 0, now = 0 } end

local function count(counts, agreed, agrees_now)
  counts.total = counts.total + 1
  counts.before = counts.before + (agreed and 1 or 0)
  counts.now = counts.now + (agrees_now and 1 or 0)
end

local function print_count(cycle, title, counts)
  text.print("  %s: %s before, %s now", title,
    parts.share_text(cycle, counts.before, counts.total),
    parts.share_text(cycle, counts.now, counts.total))
end

--- Prints the reviewed calls and the agreement, before and now. Returns the name of the exit code.
function evaluate.compare(cycle)
  parts.begin(7, "compare", "does the metric agree with the reviewers now?")
  if not cycle.data.evaluated then output.print "  Known after the evaluation." return "ok" end
  local after, all, unread = {}, new_count(), new_count()
  local is_held_out, column, calls = held_out_calls(cycle), cycle.source.column, cekura.array {}
  for _, item in ipairs(parts.read(cycle)) do after[item.id] = item.value end
  local rows = { { cycle.source.noun, "reviewer", "before", "after", "" } }
  for i, item in ipairs(cycle.data.before) do
    local agreed = parts.agrees(cycle, item.value, item.expected)
    local agrees_now = parts.agrees(cycle, after[item.id], item.expected)
    count(all, agreed, agrees_now)
    if is_held_out[item.id] then count(unread, agreed, agrees_now) end
    rows[i + 1] = { item.id, shown(cycle, item.expected), shown(cycle, item.value),
      shown(cycle, after[item.id]), VERDICTS[agreed][agrees_now] }
    calls[i] = { [column] = math.tointeger(tonumber(item.id)), expected_value = item.expected,
      before = item.value, after = after[item.id], agreed = agreed, agrees_now = agrees_now,
      held_out = is_held_out[item.id] or false }
  end
  texttable.print(rows)
  if unread.total > 0 then
    print_count(cycle, "of the labels that the optimiser has not read", unread)
  end
  print_count(cycle, "agreement", all)
  cycle.report.calls, cycle.report.agreement, cycle.report.held_out = calls, all, unread
  return all.now >= all.before and "ok" or "failed"
end

return evaluate
