-- Runs the optimiser on metrics, prints what it would change, and saves that with --apply. It reads
-- the test sets in the metric's Lab, which vote_from_csv --lab creates. A state file records which
-- jobs were started: the same command continues them, and does not pay again.
--
--   lua5.4 examples/auto_improve.lua --metrics 55,57            the plan and its cost
--   lua5.4 examples/auto_improve.lua --metrics 55,57 --start    starts it, and prints the proposals
--   lua5.4 examples/auto_improve.lua --metrics 55,57 --apply    saves them
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local cost = require "support.cost"
local ids = require "support.ids"
local jobs = require "support.jobs"
local metrics = require "support.metrics"
local output = require "support.output"
local proposal = require "support.proposal"
local state = require "support.state"
local text = require "support.text"
local waiting = require "support.waiting"

local NAME = "auto_improve"
local ADVICE = "run the same command again to continue: started jobs are not paid again"
local ENOUGH = 6  -- disagreements that the optimiser needs for a good proposal
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Runs the optimiser, which improves metrics from reviews, and prints what would change.")

parser:epilog [[
Without --start or --apply nothing is started or changed: the plan with its cost is printed, and the
proposals of jobs that were started before.

  --start  starts the optimiser, which SPENDS CREDITS, for metrics without a job in the state file.
           It waits and prints the proposals. No metric is changed.
  --apply  does the same, then saves the proposals to the metrics. After --start it saves what was
           printed, and spends nothing. A proposal that scores worse than the metric is not saved.

Exit codes: 0 done; 1 a job failed, or something was refused; 2 wrong usage or key; 3 the optimiser
asks a person; 4 no connection, or it is unknown whether a job was started; 5 not done in time;
130 Ctrl-C. With several metrics it is the highest of their codes.]]

parser:option("--metrics", "The ids of the metrics: 55,57.", nil, ids.list):argname "IDS":count "1"
parser:option("--state", "The record of what was started.", "auto_improve.state")
  :argname "FILE"
parser:flag("--start", "Start the optimiser; spends credits.")
parser:flag("--apply", "Start it if needed, and save what it proposes.")
parser:flag("--restart", "With --start or --apply: start new jobs for all metrics. Pays again.")
waiting.add_options(parser, 1800)

local function read_options()
  local options = parser:parse()
  options.start = options.start or options.apply
  if options.restart and not options.start then
    fail("usage", "--restart spends credits: say --start or --apply, too")
  end
  return options
end

-- ---- starting ----

local FEW = "  These are few: the optimiser needs %d disagreements or more."

local EMPTY = "metric %d: its Lab has no test set: vote_from_csv --lab creates them from votes"

local function print_plan(client, id, metric)
  local reviews, wrong = jobs.reviews(metric)
  if #reviews == 0 then fail("failed", EMPTY, id) end
  text.print("  test sets in the Lab: %d; the reviewer disagreed with the metric on %d", #reviews,
    wrong)
  if wrong < ENOUGH then text.print(FEW, ENOUGH) end
  cost.print(client, #reviews, "at least: one for each test set")
end

--- Returns the metric's job; nil if there is none, and none may be started.
local function job_of(client, saved, id, metric, options)
  local job = not options.restart and jobs.find(saved, id)
  text.print("metric %d, %s", id, metric.name)
  if job then
    text.print("  the optimiser was started before: %s", job.progress_id)
    return job
  end
  print_plan(client, id, metric)
  if not options.start then return nil end
  job = jobs.start(client, saved, metric, { metric_id = id })
  text.print("  started: %s", job.progress_id)
  return job
end

-- ---- the proposals ----

--- Waits for the proposal, prints it, and saves it if --apply is given. Returns the name of an exit
--- code: an error with one metric does not end the command.
local function conclude(client, saved, id, job, options)
  local result, code, message = jobs.wait(client, id, job, options)
  if not result then
    command.say(NAME, ": ", message)
    return code
  end
  local metric = metrics.get(client, id)  -- again, because it may have changed during the wait
  text.print("metric %d, %s: the proposal", id, metric.name)
  if jobs.find(saved, id).saved then
    output.print "  was saved before; --restart starts another job"
    return "ok"
  elseif not next(proposal.changes(metric, result)) then
    output.print "  nothing to improve: the metric is as proposed"
    return "ok"
  end
  proposal.print(metric, result)
  if not options.apply then return "ok" end
  return jobs.save(client, saved, metric, result)
end

-- ---- the command ----

local NOT_STARTED = "\nNothing was started: --start does it, and shows what the optimiser proposes."
local NOT_SAVED = "\nNo metric was changed: --apply saves the proposals."

local function improve_all(client, saved, options)
  local list, started, code = metrics.list(client, options.metrics), {}, "ok"
  for i, id in ipairs(options.metrics) do
    local job = job_of(client, saved, id, list[i], options)
    if job then started[#started + 1] = { id = id, job = job } end
  end
  for _, each in ipairs(started) do
    local its_code = conclude(client, saved, each.id, each.job, options)
    if command.codes[its_code] > command.codes[code] then code = its_code end
  end
  if #started == 0 then
    output.print(NOT_STARTED)
  elseif not options.apply then
    output.print(NOT_SAVED)
  end
  return code
end

command.run(NAME, ADVICE, function()
  local options = read_options()
  local client <close> = assert(cekura.new())
  local saved = state.open(options.state,
    { work = NAME, server = client.api_url, is_written = options.start })
  return improve_all(client, saved, options)
end)
