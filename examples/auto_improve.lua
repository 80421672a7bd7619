-- Lets the optimiser improve metrics from what reviewers said of them, and shows what would change.
--
--   lua5.4 examples/auto_improve.lua --metrics 55,57            what it would do, and the cost
--   lua5.4 examples/auto_improve.lua --metrics 55,57 --start    starts it, and shows the proposals
--   lua5.4 examples/auto_improve.lua --metrics 55,57 --apply    saves them
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere. What has been started
-- stands in a state file: the same command goes on with it, and does not pay again.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- also through a link
package.path = folder .. "?.lua;" .. package.path  -- for what is in support/

local answers = require "support.answers"
local command = require "support.command"
local cost = require "support.cost"
local ids = require "support.ids"
local jobs = require "support.jobs"
local output = require "support.output"
local proposal = require "support.proposal"
local state = require "support.state"
local text = require "support.text"
local waiting = require "support.waiting"

local NAME = "auto_improve"
local ADVICE = "run the same command again to go on: the jobs go on, too, and are not paid again"
local ENOUGH = 6  -- disagreements, from which on the optimiser has something to go by
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Lets the optimiser improve metrics from what reviewers said, and shows what would change.")

parser:epilog [[
Without --start or --apply nothing is started and nothing is changed: the plan is shown with its
cost, and the proposals of jobs that were started before.

  --start  starts the optimiser, which SPENDS CREDITS, where the state file has no job yet. It waits
           and shows the proposals. No metric is changed.
  --apply  does the same, and then saves the proposals to the metrics. After --start it saves what
           was shown, and spends nothing. A proposal that scores worse than the metric is not saved.

Exit codes: 0 done; 1 a job failed, or something was refused; 2 wrong usage or key; 3 the optimiser
asks a person; 4 no connection, or it is unknown whether a job was started; 5 not done in time;
130 Ctrl-C. Of several metrics' codes it is the highest.]]

parser:option("--metrics", "Their ids: 55,57.", nil, ids.list):argname "IDS":count "1"
parser:option("--state", "Where it is noted what has been started.", "auto_improve.state")
  :argname "FILE"
parser:flag("--start", "Start the optimiser; spends credits.")
parser:flag("--apply", "Start it where needed, and save what it proposes.")
parser:flag("--restart", "With these: replace the jobs that are known by new ones. Pays again.")
waiting.add_options(parser, 1800)
waiting.add_progress(parser)

local function read_options()
  local options = parser:parse()
  options.start = options.start or options.apply
  if options.restart and not options.start then
    fail("usage", "--restart spends credits: say --start or --apply, too")
  end
  return options
end

-- ---- the metrics ----

local function get_metric(client, id)
  return assert(answers.metric(client.metrics:get { metric_id = id }))
end

--- All of them first: an id that is wrong ends it before anything is started.
local function get_metrics(client, list)
  local metrics = {}
  for i, id in ipairs(list) do metrics[i] = get_metric(client, id) end
  return metrics
end

-- ---- starting ----

local FEW = "  That is little to go by: the optimiser wants %d disagreements or more."

local function print_plan(client, id, metric)
  local reviews, wrong = jobs.reviews(metric)
  if #reviews == 0 then fail("failed", "metric %d: nobody has reviewed it yet: vote first", id) end
  text.print("  reviewed calls: %d; the reviewer disagreed with the metric on %d", #reviews, wrong)
  if wrong < ENOUGH then text.print(FEW, ENOUGH) end
  cost.print(client, #reviews, "at least: one for each reviewed call")
end

--- The metric's job; nil where there is none, and none may be started.
local function job_of(client, known, id, metric, options)
  local job = not options.restart and jobs.find(known, id)
  text.print("metric %d, %s", id, metric.name)
  if job then
    text.print("  the optimiser was started before: %s", job.progress_id)
    return job
  end
  print_plan(client, id, metric)
  if not options.start then return nil end
  job = jobs.start(client, known, metric, { metric_id = id })
  text.print("  started: %s", job.progress_id)
  return job
end

-- ---- what has come of it ----

--- Shows what would change, and saves it where that is asked for. Returns the name of a code.
local function conclude(client, known, id, answer, options)
  local metric = get_metric(client, id)  -- anew: it may have changed while the job went on
  text.print("metric %d, %s: the proposal", id, metric.name)
  if jobs.find(known, id).saved then
    output.print "  was saved before; --restart starts another job"
    return "ok"
  elseif not next(proposal.changes(metric, answer)) then
    output.print "  nothing to improve: the metric is as proposed"
    return "ok"
  end
  proposal.print(metric, answer)
  if not options.apply then return "ok" end
  return jobs.save(client, known, metric, answer)
end

-- ---- all of it ----

local function worse(one, other)
  return command.codes[one] >= command.codes[other] and one or other
end

local NOT_STARTED = "\nNothing was started: --start does it, and shows what the optimiser proposes."
local NOT_SAVED = "\nNo metric was changed: --apply saves what is proposed."

--- What goes wrong with one metric is told, and the others go on.
local function await(client, known, id, job, options)
  local answer, code, message = jobs.wait(client, id, job, options)
  if answer then return conclude(client, known, id, answer, options) end
  command.say(NAME, ": ", message)
  return code
end

local function improve_all(client, known, options)
  local metrics, started, code = get_metrics(client, options.metrics), {}, "ok"
  for i, id in ipairs(options.metrics) do
    local job = job_of(client, known, id, metrics[i], options)
    if job then started[#started + 1] = { id = id, job = job } end
  end
  for _, each in ipairs(started) do
    code = worse(code, await(client, known, each.id, each.job, options))
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
  local known = state.open(options.state,
    { work = NAME, server = client.api_url, is_written = options.start })
  return improve_all(client, known, options)
end)
