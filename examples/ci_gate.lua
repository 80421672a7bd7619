-- Tells a pipeline whether a result is good enough, by its exit code.
--
--   lua5.4 examples/ci_gate.lua --result 373 --min-success-rate 0.9 --metric "55>=2.5"
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere.

package.path = (arg[0]:match "^.*/" or "./") .. "?.lua;" .. package.path  -- for what is in support/

local cjson = require "cjson"
local command = require "support.command"
local new_client = require "support.client"
local text = require "support.text"
local waiting = require "support.waiting"

local NAME = "ci_gate"
local ADVICE = "there is no verdict"
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Tells a pipeline whether a result is good enough. It waits until the result is finished.")

parser:epilog [[
Without --evaluate it only reads. --evaluate runs metrics again over the result's runs, which SPENDS
CREDITS: its cost is shown, and it happens only together with --apply. Without --apply the verdict is
on the values that are there.

Thresholds, at least one of them:
  --min-success-rate 0.9     that share of all runs has passed
  --metric "55>=2.5"         the mean value of metric 55 over the runs; also <=, > and <
  --metric "52=confirmed>=0.8"   metric 52 says "confirmed" of that share of the runs

Exit codes: 0 pass; 1 below a threshold; 2 wrong usage, id or key; 3 a person is needed: the runs did
not get through, or a metric has no value; 4 no connection, or it is unknown whether the evaluation
was started; 5 not finished in time; 130 Ctrl-C. With --json a line on stdout says the same.]]

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

local function ids(list)
  local found = {}
  for word in list:gmatch "[^,]+" do found[#found + 1] = word:match "^%s*(%d+)%s*$" end
  local _, commas = list:gsub(",", "")
  if #found == commas + 1 then return found end
  return nil, ("'%s' is not a list of ids, such as 55,57"):format(list)
end

parser:option("--result", "Its id.", nil, command.count):argname "ID":count "1"
parser:option("--min-success-rate", "The least share of runs that pass.", nil, share)
  :argname "SHARE"
parser:option("--metric", "A threshold for a metric; may be given again and again."):count "*"
  :convert(threshold):argname "THRESHOLD"
parser:option("--evaluate", "Run these metrics again first, over all runs that finished.", nil, ids)
  :argname "IDS"
parser:flag("--apply", "Do so, and spend the credits.")
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

-- ---- messages: with --json, stdout has the verdict alone ----

local function say(...) command.say(NAME, ": ", ...) end

--- The code for what a call has returned. A wrong id is the pipeline's mistake, not the agent's.
local function stop(err)
  local code = waiting.code_of(err)
  local is_mistake = err.kind == "not_found" or err.kind == "permission"
    or err.kind == "bad_request" or err.kind == "validation"
  fail(is_mistake and "usage" or code == "failed" and "person" or code, "%s", err)
end

-- ---- evaluating again ----

local function get_result(client, id)
  local result, err = client.results:get { result_id = id }
  if not result then stop(err) end
  return result
end

local function finished_runs(result)
  local list = {}
  for _, run in pairs(result.runs) do
    if run.status == "completed" then list[#list + 1] = run.id end
  end
  table.sort(list)
  return list
end

local PLAN = "to evaluate: %s x %s = %s, at least as many credits; balance: %s"

local function say_plan(client, runs, metrics)
  local balance = client.billing:info {}
  say(PLAN:format(text.count(#runs, "run"), text.count(#metrics, "metric"),
    text.count(#runs * #metrics, "evaluation"),
    balance and text.value(balance.credits_remaining) or "unknown"))
end

local function evaluate(client, options)
  local runs = finished_runs(get_result(client, options.result))
  if #runs == 0 then fail("person", "result %d has no finished run", options.result) end
  say_plan(client, runs, options.evaluate)
  if not options.apply then return say "nothing is evaluated without --apply" end
  local started, err = client.results:evaluate_metrics {
    result_id = options.result, run_ids = runs, metric_ids = options.evaluate,
  }
  if not started then stop(err) end
end

local LATE = "result %d is not finished after %s seconds"

local function wait_for(client, options)
  local result, err = client.results:wait({ result_id = options.result }, waiting.options(options))
  if result then return result end
  if err.kind == "failed" and type(err.last) == "table" then return err.last end
  if waiting.code_of(err) == "timeout" then fail("timeout", LATE, options.result, options.timeout) end
  stop(err)
end

-- ---- checks: { name, wanted, found, runs, verdict } ----

local COMPARE = {
  [">="] = function(a, b) return a >= b end, ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end, ["<"] = function(a, b) return a < b end,
}

local function judge(check, compare, bound)
  check.verdict = check.found == nil and "person" or COMPARE[compare](check.found, bound) and "ok"
    or "failed"
  return check
end

local function check_success(result, least)
  local passed, all = 0, 0
  for _, run in pairs(result.runs) do
    all = all + 1
    if run.success == true then passed = passed + 1 end
  end
  return judge({ name = "success rate", wanted = ">=" .. text.value(least), runs = all,
    found = all > 0 and passed / all or nil }, ">=", least)
end

--- What a metric says of the runs, and its name.
local function values_of(result, id)
  local values, name = {}, nil
  for _, run in pairs(result.runs) do
    for _, metric in ipairs(run.evaluation and run.evaluation.metrics or {}) do
      local value = metric.score
      if value == nil then value = metric.value end
      if metric.id == id then name = metric.name end
      if metric.id == id and value ~= nil then values[#values + 1] = value end
    end
  end
  return values, name
end

--- A number for each value: itself, or whether it is the one that is wanted.
local function number_of(value, wanted)
  if wanted then return text.value(value) == wanted and 1 or 0 end
  if type(value) == "boolean" then return value and 1 or 0 end
  return tonumber(value)
end

local NO_NUMBER = 'metric %d says "%s", which has no mean: ask for a share, such as %d=%s>=0.8'

local function check_metric(result, wanted)
  local values, name = values_of(result, wanted.id)
  local sum = 0
  for _, value in ipairs(values) do
    local number = number_of(value, wanted.value)
    if not number then fail("usage", NO_NUMBER, wanted.id, value, wanted.id, value) end
    sum = sum + number
  end
  local what = wanted.value and ('share of "%s"'):format(wanted.value) or "mean"
  return judge({ name = ("%d %s, %s"):format(wanted.id, name or "(no value)", what),
    metric_id = wanted.id, wanted = wanted.compare .. text.value(wanted.bound), runs = #values,
    found = #values > 0 and sum / #values or nil }, wanted.compare, wanted.bound)
end

--- What the line did, and not the agent: no threshold says anything about it.
local BROKEN = { failed = true, cancelled = true, timeout = true }

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

local WORDS = { ok = "pass", failed = "FAIL", person = "NO VALUE" }

local function code_of(result, checks)
  local code = BROKEN[result.status] and "person" or "ok"
  for _, check in ipairs(checks) do
    if code ~= "person" and check.verdict ~= "ok" then code = check.verdict end
  end
  return code
end

local VERDICTS = { ok = "pass", failed = "below the threshold", person = "needs a person" }

local function print_table(checks)
  local width = #"check"
  for _, check in ipairs(checks) do width = math.max(width, utf8.len(check.name) or #check.name) end
  local format = "%-" .. math.min(width, 60) .. "s  %8s  %8s  %4s  %s"
  text.print(format, "check", "wanted", "found", "runs", "verdict")
  for _, check in ipairs(checks) do
    text.print(format, check.name, check.wanted, text.value(check.found), check.runs,
      WORDS[check.verdict])
  end
end

--- One line that a person finds in a log, and a program in another.
local function summary(result, code, checks)
  local good = 0
  for _, check in ipairs(checks) do good = good + (check.verdict == "ok" and 1 or 0) end
  return ("%s: result %s is %s: %s (%d of %s)"):format(NAME, text.value(result.id), result.status,
    VERDICTS[code], good, text.count(#checks, "check"))
end

local function print_json(value) print(cjson.encode(value)) end

local function entry_of(check)
  return { name = check.name, metric_id = check.metric_id, wanted = check.wanted,
    found = check.found, runs = check.runs, verdict = WORDS[check.verdict]:lower() }
end

local function report(result, code, checks, options)
  if options.json then
    local entries = {}
    for i, check in ipairs(checks) do entries[i] = entry_of(check) end
    print_json { verdict = VERDICTS[code], exit_code = command.codes[code], result_id = result.id,
      status = result.status, checks = entries }
    return command.say(summary(result, code, checks))
  end
  print_table(checks)
  text.print("%s", summary(result, code, checks))
end

local function gate(options)
  local client <close> = new_client()
  if options.evaluate then evaluate(client, options) end
  local result = wait_for(client, options)
  local checks = check_all(result, options)
  local code = code_of(result, checks)
  report(result, code, checks, options)
  return code
end

--- With --json, what ends it early is on stdout, too.
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
end)
