-- Tells a pipeline whether a result is good enough, by its exit code.
--
--   lua5.4 examples/ci_gate.lua --result 373 --min-success-rate 0.9 --metric "55>=2.5"
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- also through a link
package.path = folder .. "?.lua;" .. package.path  -- for what is in support/

local json = require "cjson".new()
local answers = require "support.answers"
local command = require "support.command"
local cost = require "support.cost"
local ids = require "support.ids"
local metrics = require "support.metrics"
local output = require "support.output"
local values = require "support.report.values"
local texttable = require "support.table"
local waiting = require "support.waiting"

local NAME = "ci_gate"
local ADVICE = "there is no verdict"
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Tells a pipeline whether a result is good enough. It waits until the result is finished.")

parser:epilog [[
Without --evaluate it only reads. --evaluate runs metrics again over the result's runs, which SPENDS
CREDITS: its cost is shown, and it happens only together with --apply. Without --apply the verdict
is on the values that are there.

Thresholds, at least one of them:
  --min-success-rate 0.9     that share of all runs has passed
  --metric "55>=2.5"         the mean value of metric 55 over the runs; also <=, > and <
  --metric "52=confirmed>=0.8"   metric 52 says "confirmed" of that share of the runs

Exit codes: 0 pass; 1 below a threshold; 2 wrong usage, id or key; 3 a person is needed: the runs
did not get through, or a metric has no value; 4 no connection, or it is unknown whether the
evaluation was started; 5 not finished in time; 130 Ctrl-C. With --json a line on stdout says the
same.]]

local function share(given)
  local number = tonumber(given)
  if number and number >= 0 and number <= 1 then return number end
  return nil, ("'%s' is not a share from 0 to 1"):format(given)
end

local NO_THRESHOLD = "'%s' is no threshold, such as 55>=2.5 or 52=confirmed>=0.8"

--- "55>=3" → { id, compare, bound }; "52=confirmed>=0.8" has a `value`, too.
local function threshold(given)
  local id, value, compare, bound = given:match "^%s*(%d+)%s*=?([^<>]-)%s*([<>]=?)%s*(%S+)%s*$"
  bound = tonumber(bound)
  if not bound or (value ~= "") ~= (given:find "^%s*%d+%s*=" ~= nil) then
    return nil, NO_THRESHOLD:format(given)
  end
  return { text = given, id = math.tointeger(tonumber(id)), compare = compare, bound = bound,
    value = value ~= "" and value or nil }
end

parser:option("--result", "Its id.", nil, ids.one):argname "ID":count "1"
parser:option("--min-success-rate", "The least share of runs that pass.", nil, share)
  :argname "SHARE"
parser:option("--metric", "A threshold for a metric; may be given again and again."):count "*"
  :convert(threshold):argname "THRESHOLD"
parser:option("--evaluate", "Run these metrics again first: 55,57.", nil, ids.list):argname "IDS"
parser:flag("--apply", "Do so, and spend the credits.")
parser:flag("--json", "The verdict as one line of JSON on stdout.")
waiting.add_options(parser, 900)
waiting.add_progress(parser)

local function read_options()
  local options = parser:parse()
  if not options.min_success_rate and #options.metric == 0 then
    fail("usage", "name a threshold: --min-success-rate or --metric; --help shows how")
  elseif options.apply and not options.evaluate then
    fail("usage", "--apply is for --evaluate: there is nothing else to apply")
  end
  return options
end

-- ---- messages: with --json, stdout has the verdict alone ----

local function say(...) command.say(NAME, ": ", ...) end

local MISTAKES = { config = true, authentication = true, permission = true, not_found = true,
  bad_request = true, validation = true }

--- Ends it for what a call has returned: never with 1, for that is said of a result alone.
local function stop(err)
  local code = MISTAKES[err.kind] and "usage" or waiting.code_of(err)
  fail(code == "failed" and "network" or code, "%s", err)
end

--- The value of a call.
local function need(value, err) return value or stop(err) end

-- ---- evaluating again ----

local function finished_runs(result)
  local list = {}
  for _, run in pairs(result.runs or {}) do
    if run.status == "completed" then list[#list + 1] = run.id end
  end
  table.sort(list)
  return list
end

local PLAN = "to evaluate: %s × %s = at least %s; balance: %s credits"

local function say_plan(client, runs, metric_ids)
  local balance = answers.balance(client.billing:info {}) or {}
  say(PLAN:format(cost.count(#runs, "run"), cost.count(#metric_ids, "metric"),
    cost.count(#runs * #metric_ids, "metric evaluation"),
    texttable.show(balance.credits_remaining)))
end

local function get_result(client, options)
  return need(answers.result(client.results:get { result_id = options.result }))
end

local function evaluate(client, options)
  local runs = finished_runs(get_result(client, options))
  if #runs == 0 then fail("person", "result %d has no finished run", options.result) end
  say_plan(client, runs, options.evaluate)
  if not options.apply then return say "nothing is evaluated without --apply" end
  local started, err = client.results:evaluate_metrics {
    result_id = options.result, run_ids = runs, metric_ids = options.evaluate,
  }
  if started == nil then stop(err) end
end

-- ---- checks: { name, wanted, found, runs, verdict } ----

local COMPARE = {
  [">="] = function(a, b) return a >= b end, ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end, ["<"] = function(a, b) return a < b end,
}

--- `found` is nil where no run says anything: that no threshold can be held against.
local function judge(check, compare, bound)
  check.wanted = compare .. texttable.show(bound)
  check.verdict = "person"
  if check.found then check.verdict = COMPARE[compare](check.found, bound) and "ok" or "failed" end
  return check
end

--- Of the runs themselves: the API's success_rate is a share here and a percentage there.
local function check_success(result, least)
  local passed, all = 0, 0
  for _, run in pairs(result.runs or {}) do
    all = all + 1
    if run.success == true then passed = passed + 1 end
  end
  return judge({ name = "success rate", runs = all, found = all > 0 and passed / all or nil },
    ">=", least)
end

--- A number for each value: itself, or whether it is the one that is wanted.
local function number_of(entry, value, wanted)
  if not wanted then return values.measure(entry.type, value) end
  local is_it = texttable.show(value) == wanted or values.are_equal(entry.type, value, wanted)
  return is_it and 1 or 0
end

local function entry_for(run, metric_id)
  local found
  for _, entry in ipairs(metrics.entries(run)) do
    if entry.id == metric_id then found = entry end
  end
  return found or {}
end

local NO_NUMBER = 'metric %d says "%s", which has no mean: ask for a share, such as %d=%s>=0.8'

local function check_metric(result, wanted)
  local sum, count = 0, 0
  for _, run in pairs(result.runs or {}) do
    local entry = entry_for(run, wanted.id)
    local value = values.of_entry(entry)
    local number = value == nil and 0 or number_of(entry, value, wanted.value)
    if not number then fail("usage", NO_NUMBER, wanted.id, value, wanted.id, value) end
    sum, count = sum + number, count + (value == nil and 0 or 1)
  end
  local what = wanted.value and ('share of "%s"'):format(wanted.value) or "mean"
  return judge({ name = ("metric %d, %s"):format(wanted.id, what), metric_id = wanted.id,
    runs = count, found = count > 0 and sum / count or nil }, wanted.compare, wanted.bound)
end

local function check_all(result, options)
  local checks = {}
  if options.min_success_rate then
    checks[1] = check_success(result, options.min_success_rate)
  end
  for _, wanted in ipairs(options.metric) do
    checks[#checks + 1] = check_metric(result, wanted)
  end
  return checks
end

-- ---- the verdict ----

--- What the line did, and not the agent: no threshold says anything about it.
local BROKEN = { failed = true, cancelled = true, timeout = true }

local function code_of(result, checks)
  local code = BROKEN[result.status] and "person" or "ok"
  for _, check in ipairs(checks) do
    if code ~= "person" and check.verdict ~= "ok" then code = check.verdict end
  end
  return code
end

local WORDS = { ok = "pass", failed = "FAIL", person = "no value" }
local VERDICTS = { ok = "pass", failed = "below the threshold", person = "needs a person" }

local function print_table(checks)
  local rows = { { "check", "wanted", "found", "runs", "verdict" } }
  for i, check in ipairs(checks) do
    rows[i + 1] = { check.name, check.wanted, check.found and ("%.4g"):format(check.found),
      check.runs, WORDS[check.verdict] }
  end
  texttable.print(rows)
end

--- One line that a person finds in a log, and a program in another.
local function summary_of(result, code, checks)
  local good = 0
  for _, check in ipairs(checks) do good = good + (check.verdict == "ok" and 1 or 0) end
  return ("result %d (%s): %s, %d of %s"):format(result.id, texttable.show(result.status),
    VERDICTS[code], good, cost.count(#checks, "check"))
end

json.encode_invalid_numbers "null"

local function print_json(value) output.print(json.encode(value)) end

local function row_of(check)
  return { name = check.name, metric_id = check.metric_id, wanted = check.wanted,
    found = check.found, runs = check.runs, verdict = values.lower(WORDS[check.verdict]) }
end

local function report_in_json(result, code, checks)
  local entries = {}
  for i, check in ipairs(checks) do entries[i] = row_of(check) end
  print_json { verdict = VERDICTS[code], exit_code = command.codes[code], result_id = result.id,
    status = result.status, checks = entries }
  say(summary_of(result, code, checks))
end

local function report(result, code, checks)
  print_table(checks)
  output.print(NAME .. ": " .. summary_of(result, code, checks))
end

-- ---- all of it ----

local function gate(options)
  local client <close> = need(cekura.new())
  if options.evaluate then
    evaluate(client, options)
  else  -- a wait goes on without a connection: a wrong address would take all of --timeout
    get_result(client, options)
  end
  local result = need(answers.result(client.results:wait({ result_id = options.result },
    waiting.options(options))))
  local checks = check_all(result, options)
  local code = code_of(result, checks)
  local tell = options.json and report_in_json or report
  tell(result, code, checks)
  return code
end

--- What ends it early is on stdout, too.
local function gate_in_json(options)
  local done, result = pcall(gate, options)
  if done then return result end
  if type(result) == "table" and result.code then
    print_json { verdict = "none", exit_code = result.code, error = result.message }
  end
  error(result, 0)
end

command.run(NAME, ADVICE, function()
  local options = read_options()
  return options.json and gate_in_json(options) or gate(options)
end, "network")  -- 1 is said of a result alone
