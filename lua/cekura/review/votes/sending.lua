--- Sending the rows of a sheet, step by step, with one journal. No row is lost: each is done
--- according to the journal, or among the rejects, or left for the next run.

local command = require "cekura.review.internal.command"
local journal = require "cekura.each.journal"
local output = require "cekura.review.internal.output"
local rejects = require "cekura.review.votes.rejects"
local steps = require "cekura.review.votes.steps"

local sending = {}

---@class cekura.review.VoteTask
---@field client table
---@field sheet cekura.review.Sheet
---@field rows cekura.review.VoteRow[] the good rows
---@field outcome cekura.review.VoteOutcome
---@field options table of the command line

local function work_of(options) return "votes of " .. options.sheet:match "[^/]*$" end

--- Returns the items as a list that becomes empty when the command gives up.
local function until_stopped(items, outcome)
  return setmetatable({}, {
    __len = function() return outcome.stopped_by and 0 or #items end,
    __index = function(_, index) return not outcome.stopped_by and items[index] or nil end,
  })
end

--- Items that an earlier run did not finish are sent again. A vote that arrives twice counts once,
--- because it updates the evaluation (runs-mark-metric-vote-create and
--- call-logs-mark-metric-vote-create), and a test set that exists is returned
--- (test-sets-create-from-run and test-sets-create-from-call-log).
local function send_all(task, step, items)
  local outcome, options = task.outcome, task.options
  return task.client:each(until_stopped(items, outcome), function(item)
    return outcome:add(item.rows, step.send(task.client, item))
  end, {
    concurrency = options.concurrency, progress = options.progress, key = step.key,
    journal = options.journal, work = work_of(options), group = steps.group, redo_unknown = true,
  })
end

--- Adds the rows of an item that the journal does not have as done to the rejects.
local function reject_item(outcome, item, problem)
  for _, row in ipairs(item.rows) do
    if not row.error then table.insert(outcome.rejects, row) end
    row.error = row.error or problem
  end
end

--- Writes rejects after an early end: also the rows that the journal does not have as done. Writes
--- nothing if the journal cannot be read, because it is then not the journal of this run.
local function reject_unsent(task)
  local log <close> = journal.open(task.options.journal,
    { api = task.client.api_url, work = work_of(task.options), group = steps.group })
  if not log then return end
  for _, step in ipairs(steps.of(task.options)) do
    for _, item in ipairs(step.items(task.rows)) do
      local state = log:state(step.key(item))
      local is_unknown = state == "started" or state == "unknown"
      if state ~= "done" then
        reject_item(task.outcome, item, is_unknown and step.maybe or step.left)
      end
    end
  end
  task.outcome:write_rejects(task.sheet, task.options)
end

--- Performs a step. Returns the numbers of its items, of which some are left if the command gives
--- up. After an early end, the file of rejects has the rows that were not sent.
local function perform(task, step)
  local items = step.items(task.rows)
  local done, report, err = pcall(send_all, task, step, items)
  if not (done and report) then
    if task.options.rejects then reject_unsent(task) end
    if not done then error(report, 0) end
    command.fail(command.code_of(err), "%s", err)
  end
  for _, e in ipairs(report.errors) do  -- also those of items whose function raised
    for _, row in ipairs(items[e.index].rows) do
      if not row.error then task.outcome:add_error(row, e.error) end
    end
  end
  local numbers = { ok = report.ok, failed = report.failed, skipped = report.skipped,
    unknown = report.unknown }
  numbers.left = #items - report.ok - report.failed - report.skipped - report.unknown
  return numbers
end

local GAVE_UP = "gave up, with %d %s left: %s. Fix that, then run the same command again to "
  .. "continue"

--- Prints the numbers of a step, and what to do about its items.
local function sum_up(task, step, numbers)
  if numbers.unknown > 0 then
    task.outcome:add_code "network"
    command.say(step.unknown, numbers.unknown)
  end
  if numbers.left > 0 then
    command.say(GAVE_UP, numbers.left, step.name, task.outcome.stopped_by)
  end
  output.print(step.counts:format(numbers.ok, numbers.failed, numbers.skipped, numbers.unknown))
end

--- Sends the rows: each step unless the command gave up in the one before. Returns the numbers of
--- each step, by its name in --json.
---@param task cekura.review.VoteTask
function sending.perform(task)
  local options, outcome = task.options, task.outcome
  if options.rejects then
    local done, problem = rejects.try(options.rejects)
    if not done then command.fail("usage", "--rejects: %s", problem) end
  end
  local performed, numbers = {}, {}
  for _, step in ipairs(steps.of(options)) do
    if outcome.stopped_by then break end
    performed[#performed + 1] = step
    numbers[step.data] = perform(task, step)
  end
  local last = performed[#performed]
  if not options.rejects then outcome:list_failed(options.sheet, numbers[last.data].left > 0) end
  for _, step in ipairs(performed) do sum_up(task, step, numbers[step.data]) end
  outcome:write_rejects(task.sheet, options)
  return numbers
end

return sending
