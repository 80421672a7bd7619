-- Improves a metric in seven steps: find where reviewers and the metric disagree, vote, optimise,
-- look at the difference, save it, evaluate again, and compare. A state file records each step: the
-- same command continues after an interruption. The reviewed runs are put into the metric's Lab,
-- because the optimiser reads its test sets, and no document says that a vote creates one.
--
--   lua5.4 examples/labs_cycle.lua --metric 55 --agent 231 --sheet votes.csv          the plan
--   lua5.4 examples/labs_cycle.lua --metric 55 --agent 231 --sheet votes.csv --apply  does it
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local FOLDER = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = FOLDER .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local cost = require "support.cost"
local csv = require "support.csv"
local files = require "support.files"
local ids = require "support.ids"
local jobs = require "support.jobs"
local metrics = require "support.metrics"
local output = require "support.output"
local proposal = require "support.proposal"
local responses = require "support.responses"
local state = require "support.state"
local texttable = require "support.table"
local text = require "support.text"
local values = require "support.values"
local waiting = require "support.waiting"

local NAME = "labs_cycle"
local ADVICE = "run the same command again to continue: nothing is paid twice"
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Improves a metric in seven steps: look, vote, optimise, diff, save, evaluate, compare.")

parser:epilog [[
Without --apply it only reads, and prints the plan with the cost of each step. With --apply it
performs the steps. Votes and test sets cost nothing. The optimiser and the evaluation
SPEND CREDITS, and print their cost before they start.

The votes are yours: --sheet names a sheet for vote_from_csv. If the file does not exist, it is
written with the runs that are worth a look, for you to fill in. To start over, remove the state
file.

Exit codes: 0 done; 1 something was refused, or agreement fell; 2 wrong usage, sheet or key; 3 a
person is needed: for votes, or by the optimiser; 4 no connection, or it is unknown whether
something was started; 5 not done in time; 130 Ctrl-C.]]

parser:option("--metric", "The metric's id.", nil, ids.one):argname "ID":count "1"
parser:option("--agent", "The agent whose results are read.", nil, ids.one)
  :argname "ID":count "1"
parser:option("--last", "How many of its newest results (default: 8).", nil, command.count)
  :argname "N"
parser:option("--sheet", "The votes, as vote_from_csv reads them."):argname "FILE"
parser:option("--want", "How many disagreements the optimiser needs.", 6, command.count)
  :argname "N"
parser:option("--state", "The record of the steps (default: labs_cycle-METRIC.state).")
  :argname "FILE"
parser:flag("--apply", "Vote, spend credits, and save the improvement.")
parser:flag("--restart", "Start failed or unknown steps again; may pay twice.")
waiting.add_options(parser, 1800)

-- `cycle` has { client, options, saved, data, metric, results, runs }; `data` is saved.data.

local STEPS = 7

local function begin(number, name, question)
  text.print("\nStep %d of %d, %s: %s", number, STEPS, name, question)
end

-- ---- 1: where do reviewers and the metric disagree? ----

--- Returns the ids of the results. Once the cycle has started, they stay the same.
local function result_ids(cycle)
  if cycle.data.results then return cycle.data.results end
  local list = assert(responses.results(cycle.client.results:list {
    agent_id = cycle.options.agent, page_size = math.min(cycle.data.arguments.last, 100),
  }))
  local found = {}
  for _, result in ipairs(list.results) do
    if result.status == "completed" then found[#found + 1] = tostring(result.id) end
  end
  if #found == 0 then fail("failed", "agent %d has no finished result", cycle.options.agent) end
  return found
end

--- Returns the reviews of runs in the metric's Lab: { [run id] = review }.
local function lab_of(metric)
  local lab = {}
  for _, review in ipairs(metric.reviews or {}) do
    local set = review.test_set or {}
    if set.source_model == "Run" and set.id then lab[tostring(set.source_id)] = review end
  end
  return lab
end

--- Adds the runs of a result that the metric has judged. The expected value of a run is that of the
--- last vote; the API documents only that of the Lab.
local function add_runs(runs, result, metric_id, lab)
  for _, run in pairs(result.runs or {}) do
    local row, entry = metrics.entry(run, metric_id)
    if row and row.value ~= nil then
      local id, expected = tostring(run.id), entry.expected_value
      if expected == nil and lab[id] then expected = lab[id].expected_value end
      runs[#runs + 1] = { id = id, result = tostring(result.id), run = run, entry = entry,
        value = row.value, expected = expected, is_reviewed = expected ~= nil }
    end
  end
end

--- Returns the runs of all results that the metric has judged, the oldest first.
local function read_runs(cycle)
  local runs, lab = {}, lab_of(cycle.metric)
  for _, id in ipairs(cycle.results) do
    local result = assert(responses.result(cycle.client.results:get { result_id = id }))
    add_runs(runs, result, cycle.options.metric, lab)
  end
  table.sort(runs, function(a, b) return tonumber(a.id) < tonumber(b.id) end)
  return runs
end

local function agrees(cycle, value, expected)
  return values.are_same(cycle.metric.eval_type, value, expected)
end

--- Returns a value as it is compared; one that cannot be read, unchanged.
local function shown(cycle, value)
  return values.read(values.type_of(cycle.metric.eval_type), value) or value
end

--- Returns how many runs were reviewed, and in how many of them the reviewer and the metric agree.
local function agreement_of(cycle, runs)
  local reviewed, agreed = 0, 0
  for _, run in ipairs(runs) do
    if run.is_reviewed then reviewed = reviewed + 1 end
    if run.is_reviewed and agrees(cycle, run.value, run.expected) then
      agreed = agreed + 1
    end
  end
  return reviewed, agreed
end

local function share_text(part, whole)
  if whole == 0 then return "nobody has reviewed anything" end
  return ("%s (%d of %s)"):format(text.percent(part / whole), part, text.count(whole, "run"))
end

local NEVER_RUN = "metric %d has judged none of these runs: evaluate it first"

local function look(cycle)
  begin(1, "look", "where do reviewers and the metric disagree?")
  cycle.results = result_ids(cycle)
  cycle.runs = read_runs(cycle)
  if #cycle.runs == 0 then fail("failed", NEVER_RUN, cycle.options.metric) end
  local reviewed, agreed = agreement_of(cycle, cycle.runs)
  text.print("  results: %s", table.concat(cycle.results, ", "))
  text.print("  The metric has judged %s in them; reviewers have reviewed %d.",
    text.count(#cycle.runs, "run"), reviewed)
  text.print("  agreement: %s", share_text(agreed, reviewed))
  return reviewed - agreed
end

-- ---- 2: votes ----

--- Returns whether a run met its expected outcome; nil if that is unknown.
local function is_met(run)
  local score = values.measure("numeric", run.expected_outcome and run.expected_outcome.score)
  return score and score >= 100
end

--- Returns unreviewed runs, the odd ones first: the metric gave its best value to a run that missed
--- its expected outcome, or a lower value to a run that met it.
local function worth_a_look(cycle, count)
  local best, odd, other = -math.huge, {}, {}
  for _, run in ipairs(cycle.runs) do
    run.measure = values.measure(cycle.metric.eval_type, run.value)
    best = math.max(best, run.measure or best)
  end
  for _, run in ipairs(cycle.runs) do
    local met = is_met(run.run)
    local is_odd = met ~= nil and run.measure and met ~= (run.measure == best)
    if not run.is_reviewed then table.insert(is_odd and odd or other, run) end
  end
  table.move(other, 1, #other, #odd + 1, odd)
  return table.move(odd, 1, math.min(count, #odd), 1, {})
end

local HEADER = { "run_id", "metric_id", "thumbs_up", "expected_value", "feedback" }
local FILL_IN = "\n  %s has a row for each of these runs. Fill in thumbs_up (yes or no: was the"
  .. "\n  metric right?), expected_value and feedback, remove the rows that you leave out, and run"
  .. "\n  this again."

local function write_sheet(path, metric_id, runs)
  local lines = { csv.line(HEADER) }
  for _, run in ipairs(runs) do
    lines[#lines + 1] = csv.line { run.id, tostring(metric_id), "", "", "" }
  end
  local done, problem = files.replace(path, table.concat(lines))
  if not done then fail("usage", "%s", problem) end
  text.print(FILL_IN, path)
end

local function exists(path)
  local file = path and io.open(path, "rb")
  return file ~= nil and file ~= false and file:close()
end

--- Prints runs to vote on, and writes them to a sheet unless it exists.
local function ask_for_votes(cycle, missing)
  local runs = worth_a_look(cycle, 2 * missing)
  text.print("  Unreviewed runs that are worth a look:")
  for _, run in ipairs(runs) do
    local why = type(run.entry.explanation) == "table" and run.entry.explanation[1] or ""
    text.print("\n  run %s, %s. The metric says %s: %s", run.id, run.run.scenario_name or "",
      texttable.show(values.word(run.value)), why)
    text.print("    %s", ((run.run.transcript or ""):gsub("\n", "\n    ")))
  end
  local path = cycle.options.sheet
  if path and not exists(path) then return write_sheet(path, cycle.options.metric, runs) end
  text.print("\n  --sheet FILE writes %s sheet for your votes, and sends it when it is filled in.",
    path and "another" or "a")
end

local CODES = { "failed", "usage", [4] = "network", [130] = "interrupted" }

--- Runs vote_from_csv, which votes and creates test sets. Its journal prevents it from doing that
--- again.
local function send_sheet(cycle)
  local interpreter = 0
  while arg[interpreter - 1] do interpreter = interpreter - 1 end
  local words = { arg[interpreter], FOLDER .. "vote_from_csv.lua", cycle.options.sheet, "--lab" }
  words[#words + 1] = cycle.options.apply and "--no-progress" or "--dry-run"
  for i, word in ipairs(words) do words[i] = "'" .. word:gsub("'", [['\'']]) .. "'" end
  local _, _, code = os.execute("exec " .. table.concat(words, " "))
  if code == 0 then return end
  fail(CODES[code] or "failed", "the votes are not all in: see above%s",
    code == 2 and ". Remove the rows that you leave out: there is no --skip-bad here" or "")
end

--- Returns whether there are enough disagreements. A plan assumes that a sheet has enough.
local function vote(cycle, wrong)
  begin(2, "vote", "say where the metric is wrong, and what would be right. Votes cost nothing.")
  local wanted = cycle.options.want
  text.print("  disagreements: %d; the optimiser needs %d", wrong, wanted)
  if exists(cycle.options.sheet) then
    send_sheet(cycle)
    if not cycle.options.apply then return true end
    cycle.metric = metrics.get(cycle.client, cycle.options.metric)
    cycle.runs = read_runs(cycle)
    local reviewed, agreed = agreement_of(cycle, cycle.runs)
    wrong = reviewed - agreed
    text.print("  disagreements now: %d; agreement: %s", wrong, share_text(agreed, reviewed))
  end
  if wrong < wanted then ask_for_votes(cycle, wanted - wrong) end
  return wrong >= wanted
end

--- Saves the current values of the reviewed runs, with which the last step compares.
local function save_baseline(cycle)
  local before = {}
  for _, run in ipairs(cycle.runs) do
    if run.is_reviewed then
      before[#before + 1] = { id = run.id, result = run.result, value = run.value,
        expected = run.expected, feedback = run.entry.feedback }
    end
  end
  cycle.data.results, cycle.data.before = cycle.results, before
  cycle.saved:keep()
end

--- Returns the number of runs that the optimiser reads, and that are evaluated again.
local function count_reviewed(cycle)
  return cycle.data.before and #cycle.data.before or (agreement_of(cycle, cycle.runs))
end

-- ---- 3: the optimiser ----

--- Creates the test set of a reviewed run, or gets the one that exists. Returns it.
local function put_in_lab(cycle, run)
  return assert(responses.test_set(cycle.client.test_sets:create_from_run {
    run_id = run.id, metrics = { {
      metric = cycle.metric.id, expected_value = run.expected, feedback = run.feedback,
    } },
  }))
end

--- Returns the ids of the test sets of the reviewed runs. Creates those that the Lab does not have,
--- or has with another expected value.
local function fill_lab(cycle)
  local lab, test_sets = lab_of(cycle.metric), {}
  for i, run in ipairs(cycle.data.before) do
    local review = lab[run.id]
    local is_there = review
      and values.are_equal(cycle.metric.eval_type, review.expected_value, run.expected)
    test_sets[i] = (is_there and review.test_set or put_in_lab(cycle, run)).id
  end
  return test_sets
end

local function optimise(cycle)
  begin(3, "optimise", "let the optimiser read what reviewers said. It SPENDS CREDITS.")
  local id, options = tostring(cycle.options.metric), cycle.options
  local job = (cycle.data.jobs or {})[id]
  -- A job whose proposal is saved is not started again.
  local is_restarted = options.apply and options.restart and job and not job.saved
  job = not is_restarted and jobs.find(cycle.saved, id)
  if job then
    text.print("  started before: %s", job.progress_id)
    return job
  end
  cost.print(cycle.client, count_reviewed(cycle), "at least: one for each reviewed run")
  if not options.apply then return nil end
  job = jobs.start(cycle.client, cycle.saved, cycle.metric,
    { metric_id = options.metric, test_set_ids = fill_lab(cycle) })
  text.print("  started: %s", job.progress_id)
  return job
end

-- ---- 4 and 5: the difference, and saving it ----

local function show_difference(cycle, job)
  begin(4, "diff", "what would change?")
  if not job then return output.print "  Known once the optimiser has run." end
  local result, code, message =
    jobs.wait(cycle.client, tostring(cycle.options.metric), job, cycle.options)
  if not result then fail(code, "%s", message) end
  cycle.metric = metrics.get(cycle.client, cycle.options.metric)
  if job.saved then
    output.print "  Nothing: the proposal was saved."
  elseif not next(proposal.changes(cycle.metric, result)) then
    output.print "  Nothing: the metric is as the optimiser proposes."
    job.saved = true
  else
    proposal.print(cycle.metric, result)
  end
  return result
end

local function save(cycle, job, result)
  begin(5, "save", "save the proposal to the metric.")
  if job and job.saved then return output.print "  Done." end
  if not cycle.options.apply then
    return output.print "  One update of the metric; it costs nothing."
  end
  local code = jobs.save(cycle.client, cycle.saved, cycle.metric, result)
  if code ~= "ok" then fail(code, "the improvement is not saved: the cycle ends here") end
end

-- ---- 6: evaluating again ----

--- Returns { [result id] = list of run ids }, and the result ids in order.
local function by_result(cycle)
  local lists, order = {}, {}
  for _, run in ipairs(cycle.data.before or {}) do
    if not lists[run.result] then
      lists[run.result] = {}
      order[#order + 1] = run.result
    end
    table.insert(lists[run.result], run.id)
  end
  return lists, order
end

local UNKNOWN = "it is unknown whether result %s is being evaluated: --restart starts it, and may "
  .. "pay twice"

--- Starts an evaluation. The state is saved before and after the call, so that no evaluation is
--- started twice by mistake.
local function evaluate_result(cycle, id, run_ids)
  local evaluated, options = cycle.data.evaluated, cycle.options
  local before = evaluated[id]
  if before == "started" then return end
  if before == "starting" and not options.restart then fail("network", UNKNOWN, id) end
  local result = assert(responses.result(cycle.client.results:get { result_id = id }))
  cycle.data.unevaluated[id] =
    { id = result.id, status = result.status, updated_at = result.updated_at }
  evaluated[id] = "starting"
  cycle.saved:keep()
  local started, err = cycle.client.results:evaluate_metrics {
    result_id = id, run_ids = run_ids, metric_ids = { options.metric },
  }
  local applied = started ~= nil and "yes" or err.applied
  evaluated[id] = applied == "yes" and "started" or applied == "unknown" and "starting" or before
  cycle.saved:keep()
  if applied ~= "yes" then error(err, 0) end
end

local function evaluate(cycle)
  begin(6, "evaluate", "run the metric again over the reviewed runs. It SPENDS CREDITS.")
  local lists, order = by_result(cycle)
  cost.print(cycle.client, count_reviewed(cycle), "at least: one for each reviewed run")
  if not cycle.options.apply and not cycle.data.evaluated then return end
  cycle.data.evaluated = cycle.data.evaluated or {}
  cycle.data.unevaluated = cycle.data.unevaluated or {}  -- the results as they were before
  for _, id in ipairs(order) do
    if cycle.options.apply then evaluate_result(cycle, id, lists[id]) end
  end
  for _, id in ipairs(order) do
    local done, err = cycle.client.results:wait(
      { result_id = id, after = cycle.data.unevaluated[id] },
      { timeout = cycle.options.timeout, interval = cycle.options.interval })
    if not done then fail(waiting.code_of(err), "%s. %s", err, ADVICE) end
  end
  output.print "  Done."
end

-- ---- 7: before and after ----

-- By whether the metric agreed with the reviewer before, and whether it does now.
local VERDICTS = {
  [true] = { [true] = "right", [false] = "NOW WRONG" },
  [false] = { [true] = "NOW RIGHT", [false] = "still wrong" },
}

local function compare(cycle)
  begin(7, "compare", "does the metric agree with the reviewers now?")
  if not cycle.data.evaluated then output.print "  Known after the evaluation." return "ok" end
  local after, before, now = {}, 0, 0
  for _, run in ipairs(read_runs(cycle)) do after[run.id] = run.value end
  local rows = { { "run", "reviewer", "before", "after", "" } }
  for _, run in ipairs(cycle.data.before) do
    local agreed = agrees(cycle, run.value, run.expected)
    local agrees_now = agrees(cycle, after[run.id], run.expected)
    before, now = before + (agreed and 1 or 0), now + (agrees_now and 1 or 0)
    rows[#rows + 1] =
      { run.id, shown(cycle, run.expected), shown(cycle, run.value), shown(cycle, after[run.id]),
        VERDICTS[agreed][agrees_now] }
  end
  local all = #cycle.data.before
  texttable.print(rows)
  text.print("  agreement: %s before, %s now", share_text(before, all), share_text(now, all))
  return now >= before and "ok" or "failed"
end

-- ---- the command ----

local PLAN_ONLY = "\nThis was the plan: nothing was changed. --apply does it."

local function improve(cycle)
  local apply, wrong = cycle.options.apply, look(cycle)
  local is_enough = cycle.data.before ~= nil or vote(cycle, wrong)
  if apply and not is_enough then
    fail("person", "the optimiser needs %d disagreements: vote first", cycle.options.want)
  elseif apply and not cycle.data.before then
    save_baseline(cycle)
  end
  local job = optimise(cycle)
  save(cycle, job, show_difference(cycle, job))
  evaluate(cycle)
  local code = compare(cycle)
  if not apply and not cycle.data.evaluated then output.print(PLAN_ONLY) end
  return is_enough and code or "person"
end

local LAST = 8  -- results, unless --last is given

--- Opens the state, which belongs to the metric, the agent and the --last of its first run.
local function open_state(client, options)
  local path = options.state or ("%s-%d.state"):format(NAME, options.metric)
  for _, ending in ipairs(options.sheet and { "", ".journal" } or {}) do
    if files.are_same(path, options.sheet .. ending) then
      fail("usage", "--state and --sheet%s must be two files", ending)
    end
  end
  local saved = state.open(path, {
    work = ("%s of metric %d"):format(NAME, options.metric), server = client.api_url,
    arguments = { agent = options.agent, last = options.last }, is_written = options.apply,
  })
  saved.data.arguments.last = math.tointeger(saved.data.arguments.last) or LAST
  return saved
end

command.run(NAME, ADVICE, function()
  local options = parser:parse()
  local client <close> = assert(cekura.new())
  local saved = open_state(client, options)
  local cycle = { client = client, options = options, saved = saved, data = saved.data }
  cycle.metric = metrics.get(client, options.metric)
  text.print("The review loop of metric %d, %s", options.metric, cycle.metric.name)
  return improve(cycle)
end)
