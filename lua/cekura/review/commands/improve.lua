--- Runs the optimiser on metrics, prints what it would change with scores on held-out labels, and
--- saves that with --apply. A state file records what was started and saved: the same command
--- continues, and does not pay again.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local holdout = require "cekura.review.internal.holdout"
local ids = require "cekura.review.internal.ids"
local improvement = require "cekura.review.internal.improvement"
local jobs = require "cekura.review.internal.jobs"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local saving = require "cekura.review.internal.saving"
local scope = require "cekura.review.internal.scope"
local shard = require "cekura.review.internal.shard"
local state = require "cekura.review.internal.state"
local text = require "cekura.review.internal.text"
local waiting = require "cekura.review.internal.waiting"

local improve = {
  name = "improve",
  summary = "let the optimiser improve metrics, and score that before saving",
  description = "Runs the optimiser, which improves metrics, and scores what it proposes.",
  example = "improve --metrics 55 --start",
  advice = "run the same command again to continue: started jobs are not paid again",
  notes = [[
Without an option nothing is started or changed: the plan with its cost is printed, and the
proposals of jobs that were started before.

  --start    starts the optimiser, which SPENDS CREDITS, for metrics without a job in the state
             file. Then it scores the metric and the proposal: two evaluations for each label in the
             Lab, because the API cannot select labels. It prints both. No metric is changed.
  --apply    does the same, then saves the proposals to the metrics. After --start it saves what was
             printed, and spends nothing. A proposal that is worse on the held-out labels, or has
             no score, is not saved unless you say --save-anyway.
  --undo     restores the metrics as they were before the last save of the state file, unless
             somebody has changed a saved field since.
  --discard  cancels jobs that run, and removes them from the state file.

A third of the labels is held out: the optimiser does not read them. Which ones depends only on the
ids of their test sets, so that a label is never learned from first and held out later. The
optimiser's own score is on the labels that it learned from. With --hold-out 0 nothing is held out
or scored, and no score is needed.

--agent or --project is for a key that is limited to it: it is sent with each look at a job.

Exit codes: 0 done; 1 a job failed, something was refused, or a proposal is worse; 2 wrong usage or
key; 3 a person has to decide: the optimiser asks, or somebody has edited the metric; 4 no
connection, or it is unknown whether a job was started; 5 not done in time; 130 Ctrl-C. With several
metrics it is the highest of their codes.]],
}

-- ---- the command line ----

function improve.add_options(parser)
  parser:option("--metrics", "The ids of the metrics: 55,57.", nil, ids.list)
    :argname "IDS":count "1"
  parser:option("--state", "The record of what was started and saved.", "improve.state")
    :argname "FILE"
  parser:mutex(
    parser:flag("--start", "Start the optimiser and the scoring; spends credits."),
    parser:flag("--apply", "Start them if needed, and save what the optimiser proposes."),
    parser:flag("--undo", "Restore the metrics as they were before the save."),
    parser:flag("--discard", "Cancel the jobs, and forget them."))
  parser:flag("--restart", "With --start or --apply: start new jobs for all metrics. Pays again.")
  improvement.add_options(parser)
  parser:mutex(
    scope.option(parser, "agent", "The metrics' agent, for a key that is limited to it"),
    scope.option(parser, "project", "Their project, for a key that is limited to it"))
  shard.add(parser)
  waiting.add_options(parser, 1800)
end

-- Options that pay again.
local AGAIN = { "restart", "rescore" }

local function check_options(options)
  options.start = options.start or options.apply
  for _, name in ipairs(AGAIN) do
    if options[name] and not options.start then
      command.fail("usage", "--%s spends credits: say --start or --apply, too", name)
    end
  end
  scope.set_defaults(options)
  shard.set_default(options)
  options.metrics = shard.select(options.shard, options.metrics, tostring)
end

-- ---- one metric ----

--- Returns the metric's job; nil if it has no job, and this run may not start one.
local function job_of(client, saved, metric, options)
  local job = not options.restart and jobs.find(saved, metric.id)
  text.print("metric %d, %s", metric.id, metric.name)
  if job then
    text.print("  the optimiser was started before: %s", job.progress_id)
    return job
  end
  local split = holdout.split(metric, options.hold_out)
  improvement.print_plan(client, metric, options.hold_out, split, options.start)
  if not options.start then return nil end
  job = jobs.start(client, saved, metric, split, options.hold_out)
  text.print("  started: %s", job.progress_id)
  return job
end

-- ---- all metrics ----

--- The outcome of all metrics: the highest of the exit codes, and data for --json.
local function new_outcome() return { code = "ok", metrics = cekura.array {} } end

local function add_code(outcome, code)
  if command.codes[code] > command.codes[outcome.code] then outcome.code = code end
end

--- Performs the work of one metric. Its failure does not end the command.
local function add(outcome, id, work, ...)
  local code, data, problem = command.attempt(work, ...)
  add_code(outcome, code)
  data = data or { id = id, error = problem }
  data.exit_code = command.codes[code]
  table.insert(outcome.metrics, data)
end

local NOT_STARTED = "\nNothing was started: --start does it, and shows what the optimiser proposes."
local NOT_SAVED = "\nNo metric was changed: --apply saves the proposals."

--- Starts the jobs of all metrics before it waits for the first. After a failure it starts no
--- other.
local function improve_all(client, saved, options, outcome)
  local list, started = metrics.list(client, options.metrics), {}
  for i, id in ipairs(options.metrics) do
    local code = command.attempt(function()
      started[id] = job_of(client, saved, list[i], options)
      return "ok"
    end)
    add_code(outcome, code)
    if not started[id] then
      table.insert(outcome.metrics,
        { id = id, name = list[i].name, saved = false, exit_code = command.codes[code] })
    end
    if code ~= "ok" then break end
  end
  for _, id in ipairs(options.metrics) do
    if started[id] then add(outcome, id, improvement.conclude, client, saved, id, options) end
  end
  if next(started) == nil then
    if outcome.code == "ok" then output.print(NOT_STARTED) end
  elseif not options.apply then
    output.print(NOT_SAVED)
  end
end

function improve.run(options)
  check_options(options)
  local client <close> = assert(cekura.new())
  local saved = state.open(shard.path(options.shard, options.state), {
    work = "improve", server = client.api_url,
    is_written = options.start or options.undo or options.discard,
  })
  local outcome = new_outcome()
  local work = options.undo and saving.undo or options.discard and improvement.discard
  if work then
    for _, id in ipairs(options.metrics) do add(outcome, id, work, client, saved, id) end
  elseif #options.metrics == 0 then
    output.print "This shard has none of the metrics."
  else
    improve_all(client, saved, options, outcome)
  end
  return outcome.code, { metrics = outcome.metrics }
end

return improve
