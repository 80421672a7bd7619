--- An improvement of a metric, from the plan to the save, as `improve` and `labs` perform it: the
--- optimiser learns from a part of the labels, and the rest shows whether its proposal is better
--- before it is saved.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local cost = require "cekura.review.internal.cost"
local holdout = require "cekura.review.internal.holdout"
local jobs = require "cekura.review.internal.jobs"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local proposal = require "cekura.review.internal.proposal"
local saving = require "cekura.review.internal.saving"
local text = require "cekura.review.internal.text"

local improvement = {}

local SHARE = 1 / 3  -- of the labels that is held out

--- Adds the options of scoring and saving.
function improvement.add_options(parser)
  parser:option("--hold-out", "The share of labels that only score the proposal (default: 1/3).",
    SHARE, holdout.share):argname "SHARE"
  parser:flag("--save-anyway", "Save a proposal that is worse, or could not be scored.")
  parser:flag("--rescore", "Score again; pays again.")
end

-- ---- the plan ----

local ENOUGH = 6  -- disagreements that the optimiser needs for a good proposal

local EMPTY = "metric %d: its Lab has no test set: cekura-review votes --lab creates them from "
  .. "votes"
local ALL_OUT = "metric %d: all %s are held out, so that the optimiser has nothing to read: "
  .. "--hold-out sets a smaller share"
local NONE_OUT = "  No label is held out: the Lab has %s. The proposal can be saved with "
  .. "--save-anyway, or with --hold-out 0 from the start."
local FEW_OUT = "  Held-out labels are few (%d): below %d a difference of scores may be chance."
local FEW_WRONG = "  Disagreements are few (%d): the optimiser needs %d or more."

--- Prints what evaluations of one metric cost. Ends the command if they cannot be paid.
---@param apply boolean? whether they are started now
local function show_cost(client, metric, evaluations, made_of, apply)
  cost.show(client, { evaluations = evaluations, made_of = made_of, metric_ids = { metric.id },
    scopes = { cost.scope(metric.agents and metric.agents[1], metric.project) }, apply = apply })
end

--- Prints the plan and its cost. Ends the command if there is nothing to start.
---@param metric table of metrics:get
---@param share number options.hold_out
---@param split cekura.review.Split
---@param apply boolean? whether it is started now
function improvement.print_plan(client, metric, share, split, apply)
  local learned, out, labels = #split.learned, #split.held_out, holdout.labels(metric)
  if split.all == 0 then command.fail("failed", EMPTY, metric.id) end
  if learned == 0 then
    command.fail("failed", ALL_OUT, metric.id, text.count(split.all, "test set"))
  end
  text.print("  test sets in the Lab: %d; held out: %d; for the optimiser: %d", split.all, out,
    learned)
  text.print("  the reviewer disagreed with the metric on %d of those %d", split.wrong, learned)
  if split.wrong < ENOUGH then text.print(FEW_WRONG, split.wrong, ENOUGH) end
  if out == 0 and share > 0 then text.print(NONE_OUT, text.count(labels, "label")) end
  if out > 0 and out < holdout.ENOUGH then text.print(FEW_OUT, out, holdout.ENOUGH) end
  local scoring = out > 0 and 2 * labels or 0
  show_cost(client, metric, learned + scoring, out > 0
    and ("at least: %d for the optimiser, 2 × %d for the scores"):format(learned, labels)
    or "at least: one for each test set", apply)
end

-- ---- the score ----

local NO_VALUES = "the response has no values of the labels"

local NAMES = { "current", "proposed" }

--- Starts the scorings that are missing, or all with options.rescore. The cost is printed first.
local function start_scorings(client, saved, metric, changes, options)
  local drafts, labels, missing = { current = {}, proposed = changes }, holdout.labels(metric), {}
  for _, name in ipairs(NAMES) do
    if options.rescore or not jobs.find_scoring(saved, metric.id, name) then
      missing[#missing + 1] = name
    end
  end
  if #missing == 0 then return end
  show_cost(client, metric, #missing * labels,
    ("%d × %s in the Lab, to score the metric and the proposal"):format(#missing,
      text.count(labels, "label")), true)
  for _, name in ipairs(missing) do
    jobs.start_scoring(client, saved, metric.id, name, drafts[name], labels)
  end
end

--- Returns the scorings of the metric and of the proposal, which are started if options.start is
--- set; nil if one is missing.
local function scorings_of(client, saved, metric, changes, options)
  if options.start then start_scorings(client, saved, metric, changes, options) end
  local list = {}
  for i, name in ipairs(NAMES) do
    list[i] = jobs.find_scoring(saved, metric.id, name)
    if not list[i] then return nil end
  end
  for i, name in ipairs(NAMES) do
    list[i] = jobs.wait_for_scoring(client, metric.id, name, list[i], options)
  end
  return list
end

--- Returns the score on the held-out labels. Returns nil and why if there is none, and only nil if
--- none is wanted.
---@param metric table of metrics:get
---@param result table of jobs.wait
---@param changes table of proposal.changes
---@return cekura.review.Score?
---@return string? problem
local function score_of(client, saved, metric, result, changes, options)
  local job = jobs.find(saved, metric.id)
  local held_out = job.held_out
  -- Such a proposal is not saved, whatever it scores.
  if proposal.is_worse(result) and not options.save_anyway then return nil, "it is worse" end
  if not held_out then return nil, "the state does not say which labels were held out" end
  if job.share == 0 then return nil end
  if #held_out == 0 then return nil, "no label was held out" end
  local list = scorings_of(client, saved, metric, changes, options)
  if not list then return nil, "--start scores it" end
  local score = holdout.score(metric, held_out, list[1], list[2])
  if not score then return nil, NO_VALUES end
  if score.labels == 0 then return nil, "no held-out label could be scored" end
  return score
end

-- ---- the proposal ----

---@class cekura.review.Found
---@field metric table of metrics:get, just now
---@field result table of jobs.wait
---@field changes table of proposal.changes; empty if there is nothing to save
---@field score cekura.review.Score?
---@field problem string? why there is no score, although there should be one
---@field data table for --json

--- Adds what an earlier run has saved to the data.
local function add_saved(saved, job, data)
  local last = saving.last(saved, job, data.id)
  data.saved = true
  if last then
    data.changes, data.score = proposal.data(last.before, last.after), last.score
  end
  output.print "  was saved before; --undo restores the metric, --restart starts another job"
end

--- Waits for the proposal of a metric's job, and prints it with its scores.
---@param options table timeout, interval, progress, start, save_anyway, rescore
---@return cekura.review.Found
function improvement.propose(client, saved, id, options)
  local job = jobs.find(saved, id)
  local result = jobs.wait(client, id, job, options)
  local metric = metrics.get(client, id)  -- again, because it may have changed during the wait
  local found = { metric = metric, result = result, changes = {}, data = {
    id = id, name = metric.name, job = job.progress_id, saved = false, changes = cekura.array {},
    unresolved = proposal.unresolved(result),
    optimiser = { old_score = result.old_score, new_score = result.new_score },
  } }
  text.print("metric %d, %s: the proposal", id, metric.name)
  if saving.is_saved(saved, job, metric, options.start) then
    add_saved(saved, job, found.data)
    return found
  end
  found.changes = proposal.changes(metric, result)
  if not next(found.changes) then
    output.print "  nothing to improve: the metric is as proposed"
    return found
  end
  found.data.changes = proposal.data(metric, found.changes)
  proposal.print(metric, result)
  local score, problem = score_of(client, saved, metric, result, found.changes, options)
  found.score, found.problem, found.data.score = score, problem, score
  if score then holdout.print(score) end
  if problem then text.print("  not scored: %s", problem) end
  return found
end

--- Does both, the second if options.apply is set. Returns the name of an exit code, and the data.
function improvement.conclude(client, saved, id, options)
  local found, code = improvement.propose(client, saved, id, options), "ok"
  if options.apply and next(found.changes) then
    code = saving.save(client, saved, found, options)
  end
  return code, found.data
end

-- ---- discarding ----

--- Cancels the metric's job if it runs, and removes it from the state. A saved proposal stays
--- saved. Returns the name of an exit code, and data for --json.
function improvement.discard(client, saved, id)
  local job = jobs.peek(saved, id)
  if not job then
    text.print("metric %d: there is no job to discard", id)
    return "ok", { id = id, discarded = false }
  end
  local what = "the start whose outcome is unknown is forgotten; its job cannot be cancelled here"
  if job.progress_id then
    local is_cancelled, reason = jobs.cancel(client, job)
    what = is_cancelled and "the job is cancelled"
      or ("the job had ended: %s"):format(text.line(reason))
  end
  jobs.forget(saved, id)
  text.print("metric %d: %s", id, what)
  if job.saved then output.print "  The saved proposal stays: --undo restores the metric." end
  return "ok", { id = id, job = job.progress_id, discarded = true }
end

return improvement
