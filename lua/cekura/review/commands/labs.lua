--- Improves a metric in seven steps: find where reviewers and the metric disagree, vote, optimise,
--- look at the difference, save it, evaluate again, and compare. A state file records each step:
--- the same command continues after an interruption. The reviewed calls are put into the metric's
--- Lab, because the optimiser reads its test sets, and no document says that a vote creates one.

local cekura = require "cekura"

local calls = require "cekura.review.labs.calls"
local command = require "cekura.review.internal.command"
local evaluate = require "cekura.review.labs.evaluate"
local files = require "cekura.review.internal.files"
local ids = require "cekura.review.internal.ids"
local improvement = require "cekura.review.internal.improvement"
local metrics = require "cekura.review.internal.metrics"
local optimise = require "cekura.review.labs.optimise"
local output = require "cekura.review.internal.output"
local runs = require "cekura.review.labs.runs"
local scope = require "cekura.review.internal.scope"
local state = require "cekura.review.internal.state"
local text = require "cekura.review.internal.text"
local vote = require "cekura.review.labs.vote"
local waiting = require "cekura.review.internal.waiting"

local labs = {
  name = "labs",
  summary = "improve a metric in seven steps, from votes to a comparison",
  description =
    "Improves a metric in seven steps: look, vote, optimise, diff, save, evaluate, compare.",
  example = "labs --metric 55 --agent 231 --sheet votes.csv",
  advice = "run the same command again to continue: nothing is paid twice",
  notes = [[
Without --apply it only reads, and prints the plan with the cost of each step. With --apply it
performs the steps. Votes and test sets cost nothing. The optimiser, the scores of its proposal and
the evaluation SPEND CREDITS, and print their cost before they start.

The votes are yours: --sheet names a sheet for `votes`. If the file does not exist, it is
written with the runs or calls that are worth a look, for you to fill in. A proposal that is worse
on held-out labels is not saved, as by `improve`. To start over, remove the state file.

Exit codes: 0 done; 1 something was refused, the proposal is worse, or agreement fell; 2 wrong
usage, sheet or key; 3 a person is needed: for votes, or by the optimiser; 4 no connection, or it is
unknown whether something was started; 5 not done in time; 130 Ctrl-C.]],
}

local SOURCES = { runs = runs, calls = calls }

-- ---- the command line ----

function labs.add_options(parser)
  parser:option("--metric", "The metric's id.", nil, ids.one):argname "ID":count "1"
  scope.add(parser)
  parser:option("--source", "What is reviewed: runs of results, or production calls.", "runs")
    :choices { "runs", "calls" }:argname "runs|calls"
  parser:option("--last", "How many of the newest results (default: 8) or calls (100).", nil,
    command.count):argname "N"
  parser:option("--sheet", "The votes, as `votes` reads them."):argname "FILE"
  parser:option("--want", "How many disagreements the optimiser needs.", 6, command.count)
    :argname "N"
  parser:option("--state", "The record of the steps (default: labs-METRIC.state).")
    :argname "FILE"
  parser:flag("--apply", "Vote, spend credits, and save the improvement.")
  parser:flag("--restart", "Start failed or unknown steps again; may pay twice.")
  improvement.add_options(parser)
  waiting.add_options(parser, 1800)
end

local function check_options(options)
  scope.set_defaults(options)
  if not (options.agent or options.project) then
    command.misuse "whose calls? Say --agent or --project"
  end
  if options.rescore and not options.apply then
    command.fail("usage", "--rescore spends credits: say --apply, too")
  end
end

-- ---- the command ----

local PLAN_ONLY = "\nThis was the plan: nothing was changed. --apply does it."

--- Performs the seven steps. Returns the name of the exit code.
local function perform(cycle)
  local apply, wrong = cycle.options.apply, vote.look(cycle)
  local is_enough = cycle.data.before ~= nil or vote.vote(cycle, wrong)
  if apply and not is_enough then
    command.fail("person", "the optimiser needs %d disagreements: vote first", cycle.options.want)
  elseif apply and not cycle.data.before then
    vote.save_baseline(cycle)
  end
  local job = optimise.start(cycle)
  optimise.save(cycle, optimise.propose(cycle, job))
  evaluate.evaluate(cycle)
  local code = evaluate.compare(cycle)
  if not apply and not cycle.data.evaluated then output.print(PLAN_ONLY) end
  return is_enough and code or "person"
end

--- Opens the state, which belongs to the metric, the agent, the source and the --last of its first
--- run.
local function open_state(client, options)
  local path = options.state or ("labs-%d.state"):format(options.metric)
  for _, ending in ipairs(options.sheet and { "", ".journal" } or {}) do
    if files.are_same(path, options.sheet .. ending) then
      command.fail("usage", "--state and --sheet%s must be two files", ending)
    end
  end
  local saved = state.open(path, {
    work = ("labs of metric %d"):format(options.metric), server = client.api_url,
    arguments = { agent = options.agent, project = options.project, source = options.source,
      last = options.last },
    is_written = options.apply,
  })
  local arguments = saved.data.arguments
  arguments.last = math.tointeger(arguments.last) or SOURCES[options.source].last
  return saved
end

function labs.run(options)
  check_options(options)
  local client <close> = assert(cekura.new())
  local saved = open_state(client, options)
  local cycle = {
    client = client, options = options, saved = saved, data = saved.data,
    source = SOURCES[options.source],
    scope = options.agent and "agent " .. options.agent or "project " .. options.project,
    report = { metric_id = options.metric, source = options.source },
  }
  cycle.metric = metrics.get(client, options.metric)
  text.print("The review loop of metric %d, %s", options.metric, cycle.metric.name)
  local code, _, problem = command.attempt(perform, cycle)
  cycle.report.error = problem
  return code, cycle.report
end

return labs
