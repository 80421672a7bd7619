-- The whole loop by which a metric gets better, step by step: find where reviewers and the metric
-- disagree, vote, optimise, look at the difference, save it, evaluate again, and compare.
--
--   lua5.4 examples/labs_cycle.lua --metric 55 --agent 231 --sheet votes.csv          the plan
--   lua5.4 examples/labs_cycle.lua --metric 55 --agent 231 --sheet votes.csv --apply  does it
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere. Each step that is done
-- stands in a state file: the same command goes on where it ended, however it ended.

local cekura = require "cekura"
local FOLDER = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- also through a link
package.path = FOLDER .. "?.lua;" .. package.path  -- for what is in support/

local answers = require "support.answers"
local command = require "support.command"
local cost = require "support.cost"
local csv = require "support.csv"
local files = require "support.files"
local ids = require "support.ids"
local jobs = require "support.jobs"
local metrics = require "support.metrics"
local output = require "support.output"
local proposal = require "support.proposal"
local state = require "support.state"
local text = require "support.text"
local texttable = require "support.table"
local values = require "support.report.values"
local waiting = require "support.waiting"

local NAME = "labs_cycle"
local ADVICE = "run the same command again to go on: what has been started is not paid again"
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "The whole loop by which a metric gets better, step by step: look, vote, optimise, compare.")

parser:epilog [[
Without --apply it only reads, and shows the plan with the cost of each step. With --apply it goes
through the steps. Votes cost nothing; the optimiser and the evaluation SPEND CREDITS, and each says
how many before it does.

The votes are yours: --sheet names a sheet for vote_from_csv. If there is no such file, it is
written with the runs that are worth a look, for you to fill in. To begin anew, remove the state
file.

Exit codes: 0 done; 1 something was refused, or agreement fell; 2 wrong usage, sheet or key; 3 a
person is needed: for votes, or by the optimiser; 4 no connection, or it is unknown whether
something was started; 5 not done in time; 130 Ctrl-C.]]

parser:option("--metric", "The metric's id.", nil, ids.one):argname "ID":count "1"
parser:option("--agent", "The agent whose results are looked at.", nil, ids.one)
  :argname "ID":count "1"
parser:option("--last", "How many of its newest results (default: 8).", nil, command.count)
  :argname "N"
parser:option("--sheet", "The votes, as vote_from_csv reads them."):argname "FILE"
parser:option("--want", "How many disagreements the optimiser is to have.", 6, command.count)
  :argname "N"
parser:option("--state", "What has been done (default: labs_cycle-METRIC.state)."):argname "FILE"
parser:flag("--apply", "Do it: vote, spend credits, and save the improvement.")
parser:flag("--restart", "Start again what failed, or may have been started. May pay twice.")
waiting.add_options(parser, 1800)
waiting.add_progress(parser)

-- ---- the story: { client, options, known, data, metric, runs } ----

local STEPS = 7

local function begin(number, name, question)
  text.print("\nStep %d of %d, %s: %s", number, STEPS, name, question)
end

local function get_metric(story)
  return assert(answers.metric(story.client.metrics:get { metric_id = story.options.metric }))
end

-- ---- 1: where do reviewers and the metric disagree? ----

local function entry_of(run, metric_id)
  for _, entry in ipairs(metrics.entries(run)) do
    if entry.id == metric_id then return entry end
  end
end

--- The results that this is about: once the story has begun, always the same.
local function result_ids(story)
  if story.data.results then return story.data.results end
  local list = assert(answers.results(story.client.results:list {
    agent_id = story.options.agent, page_size = math.min(story.data.arguments.last, 100),
  }))
  local found = {}
  for _, result in ipairs(list.results) do
    if result.status == "completed" then found[#found + 1] = tostring(result.id) end
  end
  if #found == 0 then fail("failed", "agent %d has no finished result", story.options.agent) end
  return found
end

local function add_runs(runs, result, metric_id)
  for _, run in pairs(result.runs or {}) do
    local entry = entry_of(run, metric_id)
    local value = entry and values.of_entry(entry)
    if value ~= nil then
      runs[#runs + 1] = { id = tostring(run.id), result = tostring(result.id), run = run,
        entry = entry, value = value, expected = entry.expected_value,
        is_reviewed = entry.expected_value ~= nil }
    end
  end
end

--- The runs of the results that the metric has judged, the oldest first.
local function read_runs(story)
  local runs = {}
  for _, id in ipairs(story.results) do
    local result = assert(answers.result(story.client.results:get { result_id = id }))
    add_runs(runs, result, story.options.metric)
  end
  table.sort(runs, function(a, b) return tonumber(a.id) < tonumber(b.id) end)
  return runs
end

local function agrees(story, value, expected)
  return values.are_same(story.metric.eval_type, value, expected)
end

--- How many runs a reviewer has gone over, and on how many of these he agrees.
local function agreement_of(story, runs)
  local reviewed, agreed = 0, 0
  for _, run in ipairs(runs) do
    if run.is_reviewed then reviewed = reviewed + 1 end
    if run.is_reviewed and agrees(story, run.value, run.expected) then
      agreed = agreed + 1
    end
  end
  return reviewed, agreed
end

local function share_text(part, whole)
  if whole == 0 then return "nobody has reviewed anything" end
  return ("%s (%d of %s)"):format(text.percent(part / whole), part, cost.count(whole, "run"))
end

local NEVER_RUN = "metric %d has judged none of these runs: evaluate it first"

local function look(story)
  begin(1, "look", "where do reviewers and the metric disagree?")
  story.results = result_ids(story)
  story.runs = read_runs(story)
  if #story.runs == 0 then fail("failed", NEVER_RUN, story.options.metric) end
  local reviewed, agreed = agreement_of(story, story.runs)
  text.print("  results: %s", table.concat(story.results, ", "))
  text.print("  The metric has judged %s in them; reviewers have gone over %d.",
    cost.count(#story.runs, "run"), reviewed)
  text.print("  agreement: %s", share_text(agreed, reviewed))
  return reviewed - agreed
end

-- ---- 2: votes ----

local function is_met(run)
  local score = values.measure("numeric", run.expected_outcome and run.expected_outcome.score)
  return score and score >= 100
end

local function measure(story, run) return values.measure(story.metric.eval_type, run.value) end

local function highest(story)
  local most
  for _, run in ipairs(story.runs) do
    local value = measure(story, run)
    if value and (not most or value > most) then most = value end
  end
  return most
end

--- The metric gave its best value to a call that missed its outcome, or a lower one to a call that
--- met it: nothing is proven by that, but there is reason to look.
local function is_odd(story, run, most)
  local met, value = is_met(run.run), measure(story, run)
  return met ~= nil and value ~= nil and met ~= (value == most)
end

--- The runs that nobody has reviewed, those that look odd first.
local function worth_a_look(story, count)
  local most, odd, other = highest(story), {}, {}
  for _, run in ipairs(story.runs) do
    if not run.is_reviewed then table.insert(is_odd(story, run, most) and odd or other, run) end
  end
  table.move(other, 1, #other, #odd + 1, odd)
  return table.move(odd, 1, math.min(count, #odd), 1, {})
end

local function print_run(run)
  local why = type(run.entry.explanation) == "table" and run.entry.explanation[1] or ""
  text.print("\n  run %s, %s. The metric says %s: %s", run.id, run.run.scenario_name or "",
    texttable.show(run.value), why)
  output.print(text.indent(run.run.transcript or "", "    "))
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

local function ask_for_votes(story, missing)
  local runs = worth_a_look(story, 2 * missing)
  text.print("  Worth a look, of the runs that nobody has reviewed:")
  for _, run in ipairs(runs) do print_run(run) end
  local path = story.options.sheet
  if path and not exists(path) then return write_sheet(path, story.options.metric, runs) end
  text.print("\n  --sheet FILE writes %s sheet for your votes, and sends it when it is filled in.",
    path and "another" or "a")
end

local function quoted(word) return "'" .. word:gsub("'", [['\'']]) .. "'" end

--- The Lua that runs this.
local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

local CODES = { "failed", "usage", [4] = "network", [130] = "interrupted" }

--- With the journal of that example: votes that are in are not sent again.
local function send_sheet(story)
  local words = { interpreter(), FOLDER .. "vote_from_csv.lua", story.options.sheet }
  words[#words + 1] = story.options.apply and "--no-progress" or "--dry-run"
  for i, word in ipairs(words) do words[i] = quoted(word) end
  local _, _, code = os.execute("exec " .. table.concat(words, " "))
  if code == 0 then return end
  fail(CODES[code] or "failed", "the votes are not all in: see above%s",
    code == 2 and ". Rows that you leave out are to be removed: there is no --skip-bad here" or "")
end

--- Whether there are enough disagreements, now or, in a plan, once the sheet is sent.
local function vote(story, wrong)
  begin(2, "vote", "say where the metric is wrong, and what would be right. Votes cost nothing.")
  local wanted = story.options.want
  text.print("  disagreements: %d; the optimiser is to have %d", wrong, wanted)
  if exists(story.options.sheet) then
    send_sheet(story)
    if not story.options.apply then return true end
    story.runs = read_runs(story)
    local reviewed, agreed = agreement_of(story, story.runs)
    wrong = reviewed - agreed
    text.print("  disagreements now: %d; agreement: %s", wrong, share_text(agreed, reviewed))
  end
  if wrong < wanted then ask_for_votes(story, wanted - wrong) end
  return wrong >= wanted
end

--- From here on everything is compared with how it was now.
local function remember(story)
  local before = {}
  for _, run in ipairs(story.runs) do
    if run.is_reviewed then
      before[#before + 1] =
        { id = run.id, result = run.result, value = run.value, expected = run.expected }
    end
  end
  story.data.results, story.data.before = story.results, before
  story.known:keep()
end

-- ---- 3: the optimiser ----

--- The reviews of these runs in the metric's Lab.
local function reviews_of(story)
  local is_ours = {}
  for _, run in ipairs(story.data.before or story.runs) do is_ours[run.id] = true end
  return (jobs.reviews(story.metric, function(review)
    local set = review.test_set or {}
    return set.source_model == "Run" and is_ours[tostring(set.source_id)] == true
  end))
end

local NOT_IN_LAB = "the metric's Lab has none of these runs: add them there"

--- An improvement that is saved is not started again.
local function is_to_restart(story, id)
  local job = (story.data.jobs or {})[id]
  return story.options.apply and story.options.restart and job and not job.saved
end

local function optimise(story)
  begin(3, "optimise", "let the optimiser read what reviewers said. It SPENDS CREDITS.")
  local id = tostring(story.options.metric)
  local job = not is_to_restart(story, id) and jobs.find(story.known, id)
  if job then
    text.print("  started before: %s", job.progress_id)
    return job
  end
  local reviews, test_sets = reviews_of(story), {}
  for _, review in ipairs(reviews) do test_sets[#test_sets + 1] = review.test_set.id end
  cost.print(story.client, #reviews, "at least: one for each reviewed run")
  if not story.options.apply then return nil end
  if #reviews == 0 then fail("person", NOT_IN_LAB) end
  job = jobs.start(story.client, story.known, story.metric,
    { metric_id = story.options.metric, test_set_ids = test_sets })
  text.print("  started: %s", job.progress_id)
  return job
end

-- ---- 4 and 5: what would change, and saving it ----

local function show_difference(story, job)
  begin(4, "diff", "what would change?")
  if not job then return output.print "  Known once the optimiser has run." end
  local answer, code, message =
    jobs.wait(story.client, tostring(story.options.metric), job, story.options)
  if not answer then fail(code, "%s", message) end
  story.metric = get_metric(story)
  if job.saved then
    output.print "  Nothing any more: it was saved."
  elseif not next(proposal.changes(story.metric, answer)) then
    output.print "  Nothing: the metric is as the optimiser proposes."
    job.saved = true
  else
    proposal.print(story.metric, answer)
  end
  return answer
end

local function save(story, job, answer)
  begin(5, "save", "make the metric what is proposed.")
  if job and job.saved then return output.print "  Done." end
  if not story.options.apply then
    return output.print "  One update of the metric; it costs nothing."
  end
  local code = jobs.save(story.client, story.known, story.metric, answer)
  if code ~= "ok" then fail(code, "the improvement is not saved: the story ends here") end
end

-- ---- 6: evaluating again ----

--- { [result id] = list of run ids }, and the results in order.
local function by_result(story)
  local lists, order = {}, {}
  for _, run in ipairs(story.data.before or {}) do
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

--- Notes it before and after, so that no evaluation is started twice unnoticed.
local function evaluate_result(story, id, run_ids)
  local evaluated, options = story.data.evaluated, story.options
  local before = evaluated[id]
  if before == "started" then return end
  if before == "starting" and not options.restart then fail("network", UNKNOWN, id) end
  evaluated[id] = "starting"
  story.known:keep()
  local started, err = story.client.results:evaluate_metrics {
    result_id = id, run_ids = run_ids, metric_ids = { options.metric },
  }
  local applied = started ~= nil and "yes" or err.applied
  evaluated[id] = applied == "yes" and "started" or applied == "unknown" and "starting" or before
  story.known:keep()
  if applied ~= "yes" then error(err, 0) end
end

local function wait_for_result(story, id)
  local done, err = story.client.results:wait({ result_id = id },
    { timeout = story.options.timeout, interval = story.options.interval })
  if not done then fail(waiting.code_of(err), "%s. %s", err, ADVICE) end
end

local function evaluate(story)
  begin(6, "evaluate", "run the metric again over the reviewed runs. It SPENDS CREDITS.")
  local lists, order = by_result(story)
  local count = #(story.data.before or {})
  if not story.data.before then count = agreement_of(story, story.runs) end
  cost.print(story.client, count, "at least: one for each reviewed run")
  if not story.options.apply and not story.data.evaluated then return end
  story.data.evaluated = story.data.evaluated or {}
  for _, id in ipairs(order) do
    if story.options.apply then evaluate_result(story, id, lists[id]) end
  end
  for _, id in ipairs(order) do
    wait_for_result(story, id)
  end
  output.print "  Done."
end

-- ---- 7: before and after ----

local function change_text(story, run, after)
  local was = agrees(story, run.value, run.expected)
  local is = agrees(story, after, run.expected)
  if is then return is, was and "right" or "NOW RIGHT" end
  return is, was and "NOW WRONG" or "still wrong"
end

local function compare(story)
  begin(7, "compare", "does the metric agree with the reviewers now?")
  if not story.data.evaluated then output.print "  Known after the evaluation." return "ok" end
  local after, before, now = {}, 0, 0
  for _, run in ipairs(read_runs(story)) do after[run.id] = run.value end
  local rows = { { "run", "reviewer", "before", "after", "" } }
  for _, run in ipairs(story.data.before) do
    local is, words = change_text(story, run, after[run.id])
    if agrees(story, run.value, run.expected) then before = before + 1 end
    if is then now = now + 1 end
    rows[#rows + 1] = { run.id, run.expected, run.value, after[run.id], words }
  end
  local all = #story.data.before
  texttable.print(rows)
  text.print("  agreement: %s before, %s now", share_text(before, all), share_text(now, all))
  return now >= before and "ok" or "failed"
end

-- ---- all of it ----

--- The first two steps: until there is something for the optimiser to go by.
local function gather(story)
  local wrong = look(story)
  if story.data.before then return true end
  local is_enough = vote(story, wrong)
  if is_enough and story.options.apply then
    remember(story)
    story.metric = get_metric(story)
  end
  return is_enough
end

local PLAN_ONLY = "\nThis was the plan: nothing was changed. --apply does it."

local function tell(story)
  local is_enough = gather(story)
  if not is_enough and story.options.apply then
    fail("person", "the optimiser is to have %d disagreements: vote first", story.options.want)
  end
  local job = optimise(story)
  local answer = show_difference(story, job)
  save(story, job, answer)
  evaluate(story)
  local code = compare(story)
  if not story.options.apply and not story.data.evaluated then output.print(PLAN_ONLY) end
  return is_enough and code or "person"
end

local LAST = 8  -- results, unless somebody says otherwise

--- A state is of the metric, the agent and the results that it was begun with.
local function open_state(client, options)
  local path = options.state or ("%s-%d.state"):format(NAME, options.metric)
  for _, ending in ipairs(options.sheet and { "", ".journal" } or {}) do
    if files.are_same(path, options.sheet .. ending) then
      fail("usage", "--state and --sheet%s must be two files", ending)
    end
  end
  local known = state.open(path, {
    work = ("%s of metric %d"):format(NAME, options.metric), server = client.api_url,
    arguments = { agent = options.agent, last = options.last }, is_written = options.apply,
  })
  known.data.arguments.last = math.tointeger(known.data.arguments.last) or LAST
  return known
end

command.run(NAME, ADVICE, function()
  local options = parser:parse()
  local client <close> = assert(cekura.new())
  local known = open_state(client, options)
  local story = { client = client, options = options, known = known, data = known.data }
  story.metric = get_metric(story)
  text.print("The review loop of metric %d, %s", options.metric, story.metric.name)
  return tell(story)
end)
