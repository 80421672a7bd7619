--- Tells a pipeline by its exit code whether a result is good enough.
--- Exit code 1 always means that a threshold was missed, and nothing else.

local cekura = require "cekura"

local base = require "cekura.review.gate.base"
local checks = require "cekura.review.gate.checks"
local command = require "cekura.review.internal.command"
local cost = require "cekura.review.internal.cost"
local ids = require "cekura.review.internal.ids"
local output = require "cekura.review.internal.output"
local files = require "cekura.review.internal.files"
local reports = require "cekura.review.gate.reports"
local responses = require "cekura.review.internal.responses"
local scope = require "cekura.review.internal.scope"
local sharing = require "cekura.review.gate.sharing"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"
local times = require "cekura.review.internal.times"
local values = require "cekura.review.internal.values"
local verdicts = require "cekura.review.gate.verdict"
local waiting = require "cekura.review.internal.waiting"

local gate = {
  name = "gate",
  summary = "tell a pipeline whether a result is good enough",
  description = "Tells a pipeline whether a result is good enough, once the result is finished.",
  example = "gate --agent 231 --latest --min-success-rate 0.9 --junit gate.xml",
  advice = "there is no verdict",
  lost = "network",
  empty = { verdict = "none" },
  notes = [[
Without --evaluate and --share it only reads. --evaluate names metrics to evaluate again on the
result's runs, which SPENDS CREDITS: the cost is printed, and the evaluation is started only if
--apply is given. Without --apply the verdict is about the current values.

--latest takes the newest result of --agent or --project. If it is not finished, the gate waits for
it: an older result would be about another version of the agent.

Thresholds; at least one is required:
  --min-success-rate 0.9         the least share of runs that passed
  --metric "55>=2.5"             the mean value of metric 55 over the runs; also <=, > and <; a
                                 binary metric counts as 5 or 0
  --metric "52=confirmed>=0.8"   the share of runs of which metric 52 says "confirmed"
  --base 373                     not worse than result 373: success, binary metrics, ratings, and
                                 the numbers whose --metric says with < or > which are better
A run that was not connected has not passed; if such runs decide, a person is needed. A run to which
a metric does not apply is left out. --base fails if something is clearly worse, as
`cekura-review compare` judges it: at 95 %, or --confidence, adjusted for the number of comparisons.

--confidence 0.95 accounts for chance. A threshold is passed if the whole interval of the value
passes it, missed if the whole interval misses it, and else unclear. The interval is Wilson's for
shares and binary metrics, and Student's t for other means, which need two different values. With
--base, "better" and "no change" pass. The runs are assumed to be independent of each other, and no
number of them shows a share of 1. Without --confidence nothing is unclear.

The reports do not decide. --junit has a case for each threshold, and one for each scenario, metric
and repetition: it fails if this one value misses the threshold, even if the mean of all does not,
and without a threshold if a binary metric says "failed". --summary appends Markdown, for
$GITHUB_STEP_SUMMARY. --share 7d (or 12h, 30m) creates a PUBLIC link: anybody who has it can read
the result until then. If a report or the link is lost, a gate that would pass ends with 4.

--json prints the verdict, which is "none" after an error, with `result_id`, `checks`, `shared` (the
link) and `lost` (reports).

Exit codes: 0 pass; 1 below a threshold, or worse than --base, and nothing else; 2 wrong usage, id
or key, or too few credits; 3 a person is needed: the runs were not connected, or a metric has no
value, or one that cannot be read; 4 no connection, a report is lost, or it is unknown whether the
evaluation was started; 5 not finished in time; 6 unclear, with --confidence only; 130 Ctrl-C.

A job for GitLab, with a warning if it is unclear:
  gate:
    script:
      - cekura-review gate --agent 231 --latest --min-success-rate 0.9 --confidence 0.95
        --junit gate.xml
    allow_failure:
      exit_codes: 6
    artifacts:
      when: always
      reports:
        junit: gate.xml

A step for GitHub:
  - run: cekura-review gate --agent 231 --latest --min-success-rate 0.9
      --summary "$GITHUB_STEP_SUMMARY"
    env:
      CEKURA_API_KEY: ${{ secrets.CEKURA_API_KEY }}]],
}

local fail, say = command.fail, command.say

-- ---- the command line ----

local function add_thresholds(parser)
  parser:option("--min-success-rate", "The least share of runs that pass.", nil,
    command.share):argname "SHARE"
  parser:option("--metric", "A threshold for a metric; may be repeated."):count "*"
    :convert(checks.threshold):argname "THRESHOLD"
  parser:option("--base", "Not worse than this result.", nil, ids.one):argname "ID"
  parser:option("--confidence", "Account for chance: 0.95.", nil, command.confidence)
    :argname "SHARE"
end

function gate.add_options(parser)
  parser:mutex(
    parser:option("--result", "The id of the result.", nil, ids.one):argname "ID",
    parser:flag("--latest", "The newest result of the agent or the project."))
  scope.add(parser)
  add_thresholds(parser)
  parser:option("--evaluate", "Evaluate these metrics first: 55,57.", nil, ids.list):argname "IDS"
  command.add_spending(parser, "Start that evaluation")
  waiting.add_options(parser, 900)
  parser:option("--junit", "Write a report as JUnit's XML."):argname "FILE"
  parser:option("--summary", "Append a report in Markdown."):argname "FILE"
  parser:option("--share", "Create a public link to the result: 7d.", nil, sharing.duration)
    :argname "DURATION"
end

local function check_scope(options)
  if not options.result and not options.latest then
    command.misuse "which result? Say --result, or --latest with --agent"
  elseif options.result and (options.agent or options.project) then
    command.misuse "--agent and --project go with --latest"
  end
  if not options.latest then return end
  scope.set_defaults(options)
  if not options.agent and not options.project then
    command.misuse "--latest of which agent? Say --agent or --project"
  end
end

--- Ends the command if options of --evaluate are given without it.
local function check_evaluate(options)
  if options.evaluate then return end
  if options.apply then
    fail("usage", "--apply is for --evaluate: there is nothing else to apply")
  elseif options.max_evaluations then
    fail("usage", "--max-evaluations is for --evaluate: nothing else is evaluated")
  end
end

local function check_options(options)
  check_scope(options)
  check_evaluate(options)
  if not options.min_success_rate and #options.metric == 0 and not options.base then
    fail("usage", "name a threshold: --min-success-rate, --metric or --base; --help shows how")
  elseif options.base and options.base == options.result then
    fail("usage", "--base and --result must be two results")
  elseif options.junit and options.summary and files.are_same(options.junit, options.summary) then
    fail("usage", "--junit and --summary must be two files")
  end
end

-- ---- the result ----

local ENOUGH = 20  -- results in a row that are not newer

--- Returns the id of the newest result. The API's document does not say in which order the list is:
--- it is read until it gets older.
local function find_latest(client, options)
  local newest, newest_time, older = nil, -1, 0
  local next_result = responses.pages_of_results(client.results:pages {
    agent_id = options.agent, project_id = options.project, page_size = 2 * ENOUGH })
  for result in next_result do
    local time = times.parse(result.created_at) or 0
    older = older + 1
    if time > newest_time or time == newest_time and result.id > newest.id then
      newest, newest_time, older = result, time, 0
    end
    if older == ENOUGH then break end
  end
  if not newest then fail("usage", "there is no result") end
  say("the newest result is %d, %s, of %s", newest.id, texttable.show(newest.name),
    texttable.show(newest.created_at))
  return newest.id
end

local function get_result(client, id)
  return command.found("result", id, responses.result(client.results:get { result_id = id }))
end

--- Returns the result as it was before the evaluation; nil if nothing is evaluated.
local function evaluate(client, options)
  local before = get_result(client, options.result)
  local runs, metric_ids = responses.completed_runs(before), options.evaluate
  if #runs == 0 then fail("person", "result %d has no finished run", options.result) end
  cost.show(client, {
    evaluations = #runs * #metric_ids, metric_ids = metric_ids,
    made_of = text.count(#runs, "run") .. " × " .. text.count(#metric_ids, "metric"),
    scopes = { cost.scope(before.agent) }, apply = options.apply,
    max_evaluations = options.max_evaluations, refusal = "usage",
  })
  if not options.apply then
    output.print "Nothing is evaluated: --apply does it."
    return nil
  end
  assert(client.results:evaluate_metrics { result_id = options.result, run_ids = runs,
    metric_ids = metric_ids })
  return before
end

--- Returns the finished result as the API writes it, and a checked copy.
local function await(client, options)
  local before
  if options.evaluate then
    before = evaluate(client, options)
  else  -- a wait retries: without this, a wrong address would use up --timeout
    get_result(client, options.result)
  end
  local raw = assert(client.results:wait({ result_id = options.result, after = before },
    waiting.options(options)))
  return raw, assert(responses.result(raw))
end

-- ---- the command ----

--- Ends the command if a threshold is about a value that its metric cannot have. Asks only if no
--- run has the value, and goes on if the metric cannot be read.
local function check_words(client, list)
  for _, check in ipairs(list) do
    local metric = check.word and check.found == 0
      and responses.metric(client.metrics:get { metric_id = check.metric_id })
    local value, problem = true, nil
    if metric then value, problem = values.cell(check.word, metric) end
    if value == nil then fail("usage", "a value of metric %d %s", check.metric_id, problem) end
  end
end

local function judge(client, options)
  if options.latest then options.result = find_latest(client, options) end
  local raw_base = options.base and base.get(client, options)
  local raw, result = await(client, options)
  local list = checks.of(result, options)
  check_words(client, list)
  if options.base then base.add(list, raw_base, raw, options) end
  return verdicts.of(result, list)
end

--- Prints the verdict, and writes the reports. Returns the results of `run`.
local function report(client, options, verdict)
  local problems, link = cekura.array {}, nil
  if options.share then
    local problem
    link, problem = sharing.create(client, verdict.result.id, options.share)
    problems[1] = problem
  end
  for _, problem in ipairs(reports.write(options, verdict, link)) do
    problems[#problems + 1] = problem
  end
  for _, problem in ipairs(problems) do say("a report is lost: %s", problem) end
  verdicts.print(verdict)
  if link then text.print("public until %s: %s", link.expires_at, link.url) end
  local data = verdicts.data(verdict)
  data.shared, data.lost = link, problems
  return #problems > 0 and verdict.code == "ok" and "network" or verdict.code, data
end

local MISTAKES = { config = true, authentication = true, permission = true, not_found = true,
  bad_request = true, validation = true, budget = true }

--- Returns the name of the exit code for an error, which is never "failed", and a message.
local function explain(problem)
  local code, message = command.explain(problem, gate.advice)
  if type(problem) == "table" and problem.kind then
    code = MISTAKES[problem.kind] and "usage" or waiting.code_of(problem)
  end
  return code == "failed" and "network" or code, message or code
end

function gate.run(options)
  check_options(options)
  local done, code, data = pcall(function()
    local client <close> = cost.client(options)
    return report(client, options, judge(client, options))
  end)
  if done then return code, data end
  local message
  code, message = explain(code)
  for _, problem in ipairs(reports.write_none(options, message)) do
    say("a report is lost: %s", problem)
  end
  return fail(code, "%s", message)
end

return gate
