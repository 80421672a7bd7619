--- Steps 1 and 2 of `labs`: where reviewers and the metric disagree, and votes.

local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local metrics = require "cekura.review.internal.metrics"
local parts = require "cekura.review.labs.cycle"
local sheet = require "cekura.review.sheet"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"
local values = require "cekura.review.internal.values"
local sheets = require "cekura.review.votes.sheets"

local vote = {}

-- ---- 1: where do reviewers and the metric disagree? ----

local NEVER_RUN = "metric %d has judged none of these %ss: evaluate it first"

--- Reads the calls, the same ones once the cycle has started. Returns the number of disagreements.
function vote.look(cycle)
  parts.begin(1, "look", "where do reviewers and the metric disagree?")
  cycle.ids = cycle.data.read or cycle.source.find(cycle)
  cycle.items = parts.read(cycle)
  local noun = cycle.source.noun
  if #cycle.items == 0 then command.fail("failed", NEVER_RUN, cycle.options.metric, noun) end
  local reviewed, agreed = parts.agreement(cycle)
  if cycle.source.batch == "result" then
    text.print("  results: %s", table.concat(cycle.ids, ", "))
  end
  text.print("  The metric has judged %s in them; reviewers have reviewed %d.",
    text.count(#cycle.items, noun), reviewed)
  text.print("  agreement: %s", parts.share_text(cycle, agreed, reviewed))
  cycle.report.judged, cycle.report.reviewed, cycle.report.agreed = #cycle.items, reviewed, agreed
  return reviewed - agreed
end

-- ---- 2: votes ----

--- Returns unreviewed calls, the odd ones first: the metric gave its best value to a call that was
--- not a success, or a lower value to a call that was.
local function worth_a_look(cycle, count)
  local best, odd, other = -math.huge, {}, {}
  for _, item in ipairs(cycle.items) do
    item.measure = values.measure(cycle.metric.eval_type, item.value)
    best = math.max(best, item.measure or best)
  end
  for _, item in ipairs(cycle.items) do
    local met = cycle.source.is_success(item.call)
    local is_odd = met ~= nil and item.measure and met ~= (item.measure == best)
    if not item.is_reviewed then table.insert(is_odd and odd or other, item) end
  end
  table.move(other, 1, #other, #odd + 1, odd)
  return table.move(odd, 1, math.min(count, #odd), 1, {})
end

local FILL_IN = "\n  %s has a row for each of these %ss. Fill in thumbs_up (yes or no: was the"
  .. "\n  metric right?), expected_value and feedback, and run this again. Rows that are not filled"
  .. "\n  in are left out."

local function write_sheet(cycle, items)
  local column, path = cycle.source.column, cycle.options.sheet
  local header = { column, "metric_id", "thumbs_up", "expected_value", "feedback" }
  local rows = {}
  for i, item in ipairs(items) do
    rows[i] = { [column] = item.id, metric_id = cycle.options.metric }
  end
  local done, problem = files.replace(path, sheet.format(header, rows))
  if not done then command.fail("usage", "%s", problem) end
  text.print(FILL_IN, path, cycle.source.noun)
end

--- Prints calls to vote on, and writes them to a sheet unless it exists.
local function ask_for_votes(cycle, missing)
  local items, source = worth_a_look(cycle, 2 * missing), cycle.source
  text.print("  Unreviewed %ss that are worth a look:", source.noun)
  for _, item in ipairs(items) do
    local why = (metrics.explanation(item.entry.explanation) or ""):match "^[^\n]*"
    text.print("\n  %s %s, %s. The metric says %s: %s", source.noun, item.id,
      source.title(item.call) or "", texttable.show(values.word(item.value)), why)
    text.print("    %s", ((item.call.transcript or ""):gsub("\n", "\n    ")))
  end
  local path = cycle.options.sheet
  if path and not files.exists(path) then return write_sheet(cycle, items) end
  text.print("\n  --sheet FILE writes %s sheet for your votes, and sends it when it is filled in.",
    path and "another" or "a")
end

--- Sends the votes and creates test sets. The journal prevents votes from sending them again.
local function send_sheet(cycle)
  local options = cycle.options
  local code, data = sheets.send { sheet = options.sheet, lab = true, dry_run = not options.apply,
    concurrency = 8, progress = false, remedy = "Correct them, then run this again" }
  cycle.report.votes = data
  if code ~= "ok" then command.fail(code, "the votes are not all in: see above") end
end

--- Returns whether there are enough disagreements. A plan assumes that a sheet has enough.
---@param wrong integer
function vote.vote(cycle, wrong)
  parts.begin(2, "vote",
    "say where the metric is wrong, and what would be right. Votes cost nothing.")
  local wanted = cycle.options.want
  text.print("  disagreements: %d; the optimiser needs %d", wrong, wanted)
  local path = cycle.options.sheet
  if path and files.exists(path) then
    send_sheet(cycle)
    if not cycle.options.apply then return true end
    cycle.metric = metrics.get(cycle.client, cycle.options.metric)
    cycle.items = parts.read(cycle)
    local reviewed, agreed = parts.agreement(cycle)
    wrong = reviewed - agreed
    cycle.report.reviewed, cycle.report.agreed = reviewed, agreed
    text.print("  disagreements now: %d; agreement: %s", wrong,
      parts.share_text(cycle, agreed, reviewed))
  end
  if wrong < wanted then ask_for_votes(cycle, wanted - wrong) end
  return wrong >= wanted
end

--- Saves the current values of the reviewed calls, with which the last step compares.
function vote.save_baseline(cycle)
  local before = {}
  for _, item in ipairs(cycle.items) do
    if item.is_reviewed then
      before[#before + 1] = { id = item.id, batch = item.batch, value = item.value,
        expected = item.expected, feedback = item.entry.feedback }
    end
  end
  cycle.data.read, cycle.data.before = cycle.ids, before
  cycle.saved:keep()
end

return vote
