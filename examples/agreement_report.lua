-- Reports how far reviewers and metrics agree, as one HTML page that needs no network.
-- It only reads.
--
--   lua5.4 examples/agreement_report.lua --agent 231
--   lua5.4 examples/agreement_report.lua --project 14 --since 2025-10-01 --output october.html
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local files = require "support.files"
local output = require "support.output"
local agreement = require "support.report.agreement"
local page = require "support.report.page"
local reading = require "support.report.reading"
local words = require "support.report.words"
local responses = require "support.responses"
local text = require "support.text"
local times = require "support.times"

local NAME = "agreement_report"
local ADVICE = "nothing was written; run the same command again"
local PAGE_SIZE = 100
local fail = command.fail

-- ---- the command line ----

local function ids(argument)
  local list = {}
  for part in (argument .. ","):gmatch "%s*(.-)%s*," do
    if not part:find "^%d+$" then
      return nil, ("'%s' is not a list of ids, such as 373 or 372,373"):format(argument)
    end
    list[#list + 1] = part
  end
  return list
end

local function one_id(argument)
  return argument:match "^%d+$", ("'%s' is not an id"):format(argument)
end

local function day(argument)
  if times.day(argument) then return argument end
  return nil, ("'%s' is not a day, such as 2025-10-01"):format(argument)
end

local function number_or_zero(argument)
  if argument == "0" then return 0 end
  return command.count(argument)
end

local parser = command.parser(NAME,
  "Reports how far reviewers and metrics agree, as one HTML page that needs no network.\n"
  .. "It only reads, and costs nothing.")

parser:epilog [[
The report counts the reviews in the Labs of the metrics that were evaluated on the results' runs:
reviews of these runs and, unless --results is given, of production calls of the same agent or
project. A vote alone is not in the Lab; vote_from_csv --lab puts it there. Without --agent,
--project and --results, the report covers everything that the key may read.

Exit codes: 0 the page is written; 1 there is nothing to report, or it could not be read or written;
2 wrong usage, ids or key; 4 no connection; 130 Ctrl-C.]]

parser:mutex(
  parser:option("--agent", "Only calls of this agent."):argname "ID":convert(one_id),
  parser:option("--project", "Only calls of this project."):argname "ID":convert(one_id),
  parser:option("--results", "Only runs of these results: 372,373."):argname "IDS":convert(ids))
parser:option("--metric", "Only these metrics."):argname "IDS":convert(ids)
parser:option("--since", "Only calls from this day on (UTC)."):argname "DATE":convert(day)
parser:option("--until", "Only calls up to the end of this day."):argname "DATE":convert(day)
parser:option("--examples", "How many calls to show of each kind of mistake (default: 5).", 5,
  number_or_zero):argname "N"
parser:option("--output", "The page.", "agreement.html"):argname "FILE"
parser:option("--concurrency", "How many calls at once (default: 8).", 8, command.count):argname "N"
command.add_progress(parser)

local function read_options()
  local options = parser:parse()
  options.from = options.since and times.day(options.since) or -math.huge
  options.to = options["until"] and select(2, times.day(options["until"])) or math.huge
  if options.from >= options.to then fail("usage", "--since is after --until") end
  return options
end

--- Checks before anything is read that the page can be written.
local function try_output(path)
  local old = io.open(path, "rb")
  local file, problem = io.open(path, "ab")
  if not file then fail("usage", "--output: %s", problem) end
  file:close()
  if old then old:close() else os.remove(path) end
end

-- ---- reading ----

-- The kinds of errors that a wrong argument causes.
local WRONG = { validation = true, not_found = true }

--- Ends the command with the error of a call. Raises any other error again.
local function give_up(err, what)
  if type(err) ~= "table" or not err.kind then error(err, 0) end
  fail(WRONG[err.kind] and "usage" or command.code_of(err), "%s%s", what and what .. ": " or "",
    err)
end

--- Calls fn(id) for all ids, several at once. Returns its results in order; an error ends the
--- command.
---@param what string the noun for one of them: "result"
local function read_all(client, what, source, fn, options)
  if options.progress then command.say(NAME, ": reading ", what, "s") end
  local done, report, err = pcall(client.each, client, source, fn, {
    concurrency = options.concurrency, progress = options.progress, collect = true,
    stop_on_error = true,
  })
  if not done then give_up(report) end
  if not report then give_up(err) end
  local first = report.errors[1]
  if first then give_up(first.error, what .. " " .. first.item) end
  return report.results
end

--- Returns whether runs of a result may be in the range: a run is not older than its result, and
--- not newer than its last change.
local function may_fit(result, options)
  local made, changed = times.parse(result.created_at), times.parse(result.updated_at)
  return (not made or made < options.to) and (not changed or changed >= options.from)
end

--- Returns an iterator over the ids of the results to read.
local function result_ids(client, options)
  local next_result = responses.pages_of_results(client.results:pages {
    agent_id = options.agent, project_id = options.project, page_size = PAGE_SIZE,
  })
  return function()
    local result = next_result()
    while result and not may_fit(result, options) do result = next_result() end
    return result and result.id
  end
end

local function is_wanted(call, options)
  return call.time and call.time >= options.from and call.time < options.to
end

--- Reads the results. Returns their runs, { [key] = call }, and the number of runs.
local function read_runs(client, options)
  local calls, count = {}, 0
  local source = options.results or result_ids(client, options)
  read_all(client, "result", source, function(result_id)
    local result, err = responses.result(client.results:get { result_id = result_id })
    if not result then return nil, err end
    for _, response in pairs(result.runs or {}) do
      local run = reading.run(response, result)
      if is_wanted(run, options) then calls[run.key], count = run, count + 1 end
    end
    return true
  end, options)
  return calls, count
end

--- Returns the ids of all metrics that were evaluated on the calls, in order.
local function metrics_of(calls)
  local there, list = {}, {}
  for _, call in pairs(calls) do
    for id in pairs(call.said) do
      if not there[id] then list[#list + 1] = id end
      there[id] = true
    end
  end
  table.sort(list, function(a, b) return tonumber(a) < tonumber(b) end)
  return list
end

--- Reads the metrics. Returns { metric, reviews } of each. A metric that was deleted meanwhile is
--- left out, unless an option names it.
local function read_metrics(client, calls, options)
  local list = {}
  local found = read_all(client, "metric", options.metric or metrics_of(calls), function(id)
    local metric, err = responses.metric(client.metrics:get { metric_id = id })
    if not metric and err.kind == "not_found" and not options.metric then return false end
    return metric, err
  end, options)
  for _, response in ipairs(found) do
    if response then
      list[#list + 1] =
        { metric = reading.metric(response), reviews = reading.last_reviews(response.reviews) }
    end
  end
  return list
end

--- Returns the ids of the reviewed call logs, without duplicates, in order.
local function reviewed_call_logs(metrics, options)
  local there, list = {}, {}
  for _, each in ipairs(metrics) do
    for key, review in pairs(each.reviews) do
      local id = key:match "^call log (%d+)$"
      local other = options.agent and review.test_set.agent
        and tostring(review.test_set.agent) ~= options.agent
      if id and not other and not there[id] then
        there[id], list[#list + 1] = true, id
      end
    end
  end
  table.sort(list, function(a, b) return tonumber(a) < tonumber(b) end)
  return list
end

--- Adds the production calls that were reviewed. A call log that was deleted meanwhile is left out.
local function read_call_logs(client, calls, metrics, options)
  local call_log_ids = reviewed_call_logs(metrics, options)
  if #call_log_ids == 0 then return end
  read_all(client, "reviewed production call", call_log_ids, function(id)
    local log, err = responses.call_log(client.calls:get { call_log_id = id })
    if not log then return err.kind == "not_found" or nil, err end
    local call = reading.call_log(log)
    local is_in_scope = (not options.agent or call.agent_id == options.agent)
      and (not options.project or call.project_id == options.project)
    if is_in_scope and is_wanted(call, options) then calls[call.key] = call end
    return true
  end, options)
end

-- ---- the report ----

--- Returns the reviews of the calls that were read.
local function reviews_of(metrics, calls)
  local list = {}
  for _, each in ipairs(metrics) do
    for key, review in pairs(each.reviews) do
      local call = calls[key]
      list[#list + 1] = call and reading.review(each.metric, review, call) or nil
    end
  end
  return list
end

--- Returns the names of the agents whose calls were reviewed, in order.
local function agents_of(reviews, calls)
  local there, list = {}, {}
  for _, review in ipairs(reviews) do
    local agent = calls[review.key].agent
    if agent ~= "" and not there[agent] then list[#list + 1] = agent end
    there[agent] = true
  end
  table.sort(list)
  return list
end

--- Returns "Harbor Reminders and Harbor Scheduling, calls of … to …; written on …".
local function scope_of(report, reviews, calls)
  local agents = agents_of(reviews, calls)
  local first, last = times.date(report.first), times.date(report.last)
  return ("%scalls of %s; written on %s"):format(#agents > 0 and words.list(agents) .. ", " or "",
    first == last and first or first .. " to " .. last, times.date(os.time()))
end

local function say(format, ...) output.print(text.line(format:format(...))) end

local function sum_up(report, path)
  say("%s", words.summary(report))
  for _, each in ipairs(report.metrics) do
    say("%4s now  %s: %s", words.percent(each.now), each.metric.name,
      words.whole_trend(each, report.period))
  end
  say("written to %s", path)
end

local NOTHING = "there is nothing to report: the metrics' Labs have no review of any of %s. "
  .. "vote_from_csv --lab puts reviews there"

--- Reads everything. Returns the report, its reviews and its calls.
local function report_on(client, options)
  local calls, runs = read_runs(client, options)
  if runs == 0 then fail("failed", "there is no run to report on: no run fits the options") end
  local metrics = read_metrics(client, calls, options)
  if not options.results then read_call_logs(client, calls, metrics, options) end
  local reviews = reviews_of(metrics, calls)
  if #reviews == 0 then
    fail("failed", NOTHING, words.count(runs, "run"))
  end
  local list = {}
  for i, each in ipairs(metrics) do list[i] = each.metric end
  return agreement.report(list, reviews, times.period), reviews, calls
end

command.run(NAME, ADVICE, function()
  local options = read_options()
  local client <close>, err = cekura.new()
  if not client then fail(command.code_of(err), "%s", err) end
  try_output(options.output)
  local report, reviews, calls = report_on(client, options)
  local done, problem = files.replace(options.output, page.of(report,
    { scope = scope_of(report, reviews, calls), examples = options.examples }))
  if not done then fail("failed", "--output: %s", problem) end
  sum_up(report, options.output)
  return "ok"
end)
