-- Tells a pipeline by its exit code whether a result is good enough.
-- Exit code 1 always means that a threshold was missed, and nothing else.
--
--   lua5.4 examples/ci_gate.lua --result 373 --min-success-rate 0.9 --metric "55>=2.5"
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local ascii = require "cekura.internal.ascii"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local json = require "cjson".new()
local command = require "support.command"
local ids = require "support.ids"
local metrics = require "support.metrics"
local output = require "support.output"
local responses = require "support.responses"
local text = require "support.text"
local texttable = require "support.table"
local values = require "support.values"
local waiting = require "support.waiting"

local NAME = "ci_gate"
local ADVICE = "there is no verdict"
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Tells a pipeline whether a result is good enough. Waits until the result is finished.")

parser:epilog [[
Without --evaluate it only reads. --evaluate names metrics to evaluate again on the result's runs,
which SPENDS CREDITS: the cost is printed, and the evaluation is started only if --apply is given.
Without --apply the verdict is about the current values.

Thresholds; at least one is required:
  --min-success-rate 0.9         the least share of runs that passed
  --metric "55>=2.5"             the mean value of metric 55 over the runs; also <=, > and <; a
                                 binary metric counts as 5 or 0
  --metric "52=confirmed>=0.8"   the share of runs of which metric 52 says "confirmed"
A run to which a metric does not apply is left out.

Exit codes: 0 pass; 1 below a threshold; 2 wrong usage, id or key; 3 a person is needed: the runs
were not connected, or a metric has no value, or one that cannot be read; 4 no connection, or it is
unknown whether the evaluation was started; 5 not finished in time; 130 Ctrl-C. With --json, one
line of JSON on stdout says the same.]]

local function share(given)
  local number = tonumber(given)
  if number and number >= 0 and number <= 1 then return number end
  return nil, ("'%s' is not a share from 0 to 1"):format(given)
end

local NO_THRESHOLD = "'%s' is not a threshold, such as 55>=2.5 or 52=confirmed>=0.8"

--- Parses "55>=3" as { text, id, compare, bound }, and "52=confirmed>=0.8" with a `value`.
local function threshold(given)
  local id, value, compare, bound = given:match "^%s*(%d+)%s*=?([^<>]-)%s*([<>]=?)%s*(%S+)%s*$"
  bound = tonumber(bound)
  if not bound or (value ~= "") ~= (given:find "^%s*%d+%s*=" ~= nil) then
    return nil, NO_THRESHOLD:format(given)
  end
  return { text = given, id = math.tointeger(tonumber(id)), compare = compare, bound = bound,
    value = value ~= "" and value or nil }
end

parser:option("--result", "The id of the result.", nil, ids.one):argname "ID":count "1"
parser:option("--min-success-rate", "The least share of runs that pass.", nil, share)
  :argname "SHARE"
parser:option("--metric", "A threshold for a metric; may be repeated."):count "*"
  :convert(threshold):argname "THRESHOLD"
parser:option("--evaluate", "Evaluate these metrics first: 55,57.", nil, ids.list):argname "IDS"
parser:flag("--apply", "Start that evaluation; spends credits.")
parser:flag("--json", "The verdict as one line of JSON on stdout.")
waiting.add_options(parser, 900)

local function read_options()
  local options = parser:parse()
  if not options.min_success_rate and #options.metric == 0 then
    fail("usage", "name a threshold: --min-success-rate or --metric; --help shows how")
  elseif options.apply and not options.evaluate then
    fail("usage", "--apply is for --evaluate: there is nothing else to apply")
  end
  return options
end

-- ---- messages: with --json, stdout has only the verdict ----

local function say(...) command.say(NAME, ": ", ...) end

local MISTAKES = { config = true, authentication = true, permission = true, not_found = true,
  bad_request = true, validation = true }

--- Ends the command with the error of a call, and never with exit code 1.
local function stop(err)
  local code = MISTAKES[err.kind] and "usage" or waiting.code_of(err)
  fail(code == "failed" and "network" or code, "%s", err)
end

--- Returns the value of a call; an error ends the command.
local function need(value, err) return value or stop(err) end

-- ---- evaluating again ----

local PLAN = "to evaluate: %s × %s = at least %s; balance: %s credits"

local function get_result(client, options)
  return need(responses.result(client.results:get { result_id = options.result }))
end

--- Returns the result as it was before the evaluation; nil if nothing is evaluated.
local function evaluate(client, options)
  local before = get_result(client, options)
  local runs = responses.completed_runs(before)
  local metric_ids = options.evaluate
  if #runs == 0 then fail("person", "result %d has no finished run", options.result) end
  local balance = responses.balance(client.billing:info {}) or {}
  say(PLAN:format(text.count(#runs, "run"), text.count(#metric_ids, "metric"),
    text.count(#runs * #metric_ids, "metric evaluation"),
    texttable.show(balance.credits_remaining)))
  if not options.apply then
    say "nothing is evaluated without --apply"
    return nil
  end
  local started, err = client.results:evaluate_metrics {
    result_id = options.result, run_ids = runs, metric_ids = metric_ids,
  }
  if started == nil then stop(err) end
  return before
end

-- ---- checks: { name, wanted, found, runs, verdict } ----

local COMPARE = {
  [">="] = function(a, b) return a >= b end, ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end, ["<"] = function(a, b) return a < b end,
}

--- Sets `wanted` and `verdict` of a check. Without a value, a person has to decide.
local function judge(check, compare, bound)
  check.wanted = compare .. texttable.show(bound)
  check.verdict = "person"
  if check.found then check.verdict = COMPARE[compare](check.found, bound) and "ok" or "failed" end
  return check
end

--- Counts the runs, because the API's success_rate is a share in one response and a percentage in
--- another.
local function check_success(result, least)
  local passed, all = 0, 0
  for _, run in pairs(result.runs or {}) do
    all = all + 1
    if run.success == true then passed = passed + 1 end
  end
  return judge({ name = "success rate", runs = all, found = all > 0 and passed / all or nil },
    ">=", least)
end

--- Returns a value as a number; if there is a wanted value, 1 or 0 for equal or not.
local function number_of(row, wanted)
  if not wanted then return values.measure(row.kind, row.value) end
  return values.is_written(row, wanted) and 1 or 0
end

local NO_NUMBER = 'metric %d says "%s", which has no mean: ask for a share, such as %d=%s>=0.8'

--- Returns the sum of a metric's values over the runs, and their count. A run to which the metric
--- does not apply is neither a pass nor a failure. Returns nil if a value cannot be read.
local function sum_of(result, wanted)
  local sum, count = 0, 0
  for _, run in pairs(result.runs or {}) do
    local row = metrics.entry(run, wanted.id)
    if row and row.applies then
      if row.value == nil then
        say(("the value of metric %d in run %d cannot be read"):format(wanted.id, run.id))
        return nil
      end
      local number = number_of(row, wanted.value)
      if not number then fail("usage", NO_NUMBER, wanted.id, row.value, wanted.id, row.value) end
      sum, count = sum + number, count + 1
    end
  end
  return sum, count
end

local function check_metric(result, wanted)
  local sum, count = sum_of(result, wanted)
  local what = wanted.value and ('share of "%s"'):format(wanted.value) or "mean"
  return judge({ name = ("metric %d, %s"):format(wanted.id, what), metric_id = wanted.id,
    runs = count or 0, found = sum and count > 0 and sum / count or nil }, wanted.compare,
    wanted.bound)
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

-- These are failures of the telephone line, not of the agent: thresholds do not apply.
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

--- Returns the verdict in one line.
local function summary_of(result, code, checks)
  local good = 0
  for _, check in ipairs(checks) do good = good + (check.verdict == "ok" and 1 or 0) end
  return ("result %d (%s): %s, %d of %s"):format(result.id, texttable.show(result.status),
    VERDICTS[code], good, text.count(#checks, "check"))
end

json.encode_invalid_numbers "null"

local function print_json(value) output.print(json.encode(value)) end

local function report_in_json(result, code, checks)
  local entries = {}
  for i, check in ipairs(checks) do
    entries[i] = { name = check.name, metric_id = check.metric_id, wanted = check.wanted,
      found = check.found, runs = check.runs, verdict = ascii.lower(WORDS[check.verdict]) }
  end
  print_json { verdict = VERDICTS[code], exit_code = command.codes[code], result_id = result.id,
    status = result.status, checks = entries }
  say(summary_of(result, code, checks))
end

local function report(result, code, checks)
  local rows = { { "check", "wanted", "found", "runs", "verdict" } }
  for i, check in ipairs(checks) do
    rows[i + 1] = { check.name, check.wanted, check.found and ("%.4g"):format(check.found),
      check.runs, WORDS[check.verdict] }
  end
  texttable.print(rows)
  output.print(NAME .. ": " .. summary_of(result, code, checks))
end

-- ---- the command ----

local function gate(options)
  local client <close> = need(cekura.new())
  local before
  if options.evaluate then
    before = evaluate(client, options)
  else  -- a wait retries: without this, a wrong address would use up --timeout
    get_result(client, options)
  end
  local result = need(responses.result(client.results:wait(
    { result_id = options.result, after = before }, waiting.options(options))))
  local checks = check_all(result, options)
  local code = code_of(result, checks)
  local print_verdict = options.json and report_in_json or report
  print_verdict(result, code, checks)
  return code
end

--- Prints a verdict also if an error ends the command.
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
end, "network")
