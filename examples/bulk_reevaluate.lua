-- Runs metrics again over any number of results, a hundred with each call.
--
--   lua5.4 examples/bulk_reevaluate.lua --metrics 55 --agent 231 --since 2025-01-01
--   lua5.4 examples/bulk_reevaluate.lua --metrics 55 --from-file ids.txt --apply    SPENDS CREDITS
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere. A journal says what has
-- been sent: the same command goes on where it ended, and pays for nothing twice.

package.path = (arg[0]:match "^.*/" or "./") .. "?.lua;" .. package.path  -- for what is in support/

local cekura = require "cekura"
local command = require "support.command"
local cost = require "support.cost"
local dates = require "support.dates"
local ids = require "support.ids"
local metrics = require "support.metrics"
local texttable = require "support.table"
local waiting = require "support.waiting"

local NAME = "bulk_reevaluate"
local ADVICE = "what was started goes on; run the same command again to go on, too"
local fail = command.fail

local endpoint = cekura.endpoints["results.bulk_evaluate_metrics"]

-- ---- the command line ----

local parser = command.parser(NAME,
  "Runs metrics again over all runs of any number of results, a hundred results with each call.")

parser:epilog [[
Without --apply nothing is started: the plan is shown with its cost. With it the calls are sent, one
after the other; when all results are done, a table says what became of them.

The journal has which hundreds were sent. The same command, run again, leaves those out. Where it is
unknown whether one was started it is named and left out, too, unless you say --redo-unknown.
The results that --agent finds are written beside the journal (FILE.ID.ids), and stay the same ones.

Exit codes: 0 done; 1 some of it was refused, as without credits; 2 wrong usage, ids or key; 4 no
connection, or it is unknown whether some were started; 5 not done in time; 130 Ctrl-C.]]

parser:option("--metrics", "The metrics to run again: 55,57.", nil, ids.list)
  :argname "IDS":count "1"
parser:mutex(
  parser:option("--results", "These results: 371,372,373.", nil, ids.list):argname "IDS",
  parser:option("--from-file", "The results whose ids are in this file."):argname "FILE",
  parser:option("--agent", "All results of this agent.", nil, ids.one):argname "ID"
)
parser:option("--since", "Of an agent: results from this date on.", nil, dates.first)
  :argname "DATE"
parser:option("--until", "Of an agent: results up to this date.", nil, dates.last):argname "DATE"
parser:flag("--apply", "Do it; spends credits.")
parser:option("--max-evaluations", "Refuse to start more than this.", nil, command.count)
  :argname "N"
parser:option("--journal", "Where it is noted what was sent.", NAME .. ".journal"):argname "FILE"
parser:flag("--redo-unknown", "Send again what is unknown; may pay twice.")
waiting.add_options(parser, 1800)
waiting.add_progress(parser)

local function read_options()
  local options = parser:parse()
  if not (options.results or options.from_file or options.agent) then
    parser:error "which results? Say --results, --from-file or --agent"
  elseif not options.agent and (options.since or options["until"]) then
    parser:error "--since and --until go with --agent"
  end
  return options
end

-- ---- which results ----

--- What is kept of a result: there may be thousands.
local function summary(result)
  local runs = tonumber(result.total_runs_count)
  if not runs then fail("failed", "result %s does not say how many runs it has", result.id) end
  return { id = result.id, name = result.name, status = result.status,
    runs = math.tointeger(runs), success = result.success_rate }
end

local function find(client, options)
  local list = {}
  for result in client.results:pages { agent_id = options.agent, page_size = 100 } do
    if dates.is_between(result.created_at, options.since, options["until"]) then
      list[#list + 1] = summary(result)
    end
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

--- Ends the command with the first error of a report, or with that which stopped it.
local function check_report(report, err)
  if not report then error(err, 0) end
  local first = report.errors[1]
  if not first then return end
  if first.error.kind ~= "not_found" then error(first.error, 0) end
  fail("usage", "result %s: %s", first.item, first.error)
end

--- Looks at each of them, several at once: an id that is wrong is found before anything is spent.
local function look_at(client, list, options)
  local found = {}
  check_report(client:each(list, function(id, i)
    local result, err = client.results:get { result_id = id }
    if not result then return nil, err end
    found[i] = summary(result)
    return true
  end, { stop_on_error = true, progress = options.progress }))
  return found
end

local function need(list, problem)
  if not list then fail("usage", "%s", problem) end
  return list
end

local function ids_of(list)
  local found = {}
  for i, result in ipairs(list) do found[i] = result.id end
  return found
end

--- An agent gets new results, and old ones go: then other hundreds would be made of them, which
--- the journal does not know. So what an agent's results are is written down, and stays so.
local function path_of_ids(options) return ("%s.%d.ids"):format(options.journal, options.agent) end

local function results_of_agent(client, options)
  local path = path_of_ids(options)
  local file = io.open(path)
  if not file then return find(client, options) end
  file:close()
  print(("The results are those in %s."):format(path))
  return look_at(client, need(ids.read(path)), options)
end

local function get_results(client, options)
  local list
  if options.agent then
    list = results_of_agent(client, options)
  else
    list = look_at(client, options.results or need(ids.read(options.from_file)), options)
  end
  if #list == 0 then fail("usage", "no result fits: are the id and the dates right?") end
  return list
end

-- ---- the plan ----

local function count_runs(list)
  local runs = 0
  for _, result in ipairs(list) do runs = runs + result.runs end
  return runs
end

local function size_of_chunk()
  for _, field in ipairs(endpoint.fields) do
    if field.name == "result_ids" then return field.max_items end
  end
end

local function chunks_of(list)
  local chunks = {}
  for chunk in cekura.chunks(ids_of(list), size_of_chunk()) do chunks[#chunks + 1] = chunk end
  return chunks
end

local function names_of(client, options)
  local names = {}
  for i, metric in ipairs(metrics.get(client, options.metrics)) do names[i] = metric.name end
  return table.concat(names, ", ")
end

local function print_plan(client, list, options)
  local runs, count = count_runs(list), #options.metrics
  print(("Metrics: %s."):format(texttable.show(names_of(client, options))))
  print(("%s, from %d to %d, in %s."):format(cost.count(#list, "result"), list[1].id,
    list[#list].id, cost.count(#chunks_of(list), "call")))
  cost.print(client, runs * count, ("at most: %s × %s"):format(cost.count(runs, "run"),
    cost.count(count, "metric")))
end

local function check_budget(list, options)
  local most = options.max_evaluations or math.huge
  if count_runs(list) * #options.metrics <= most then return end
  fail("usage", "these are more than --max-evaluations %d: nothing was started", most)
end

-- ---- sending ----

--- What the journal is of.
local function work_of(options)
  local work = "metrics " .. table.concat(options.metrics, ",")
  if not options.agent then return work end
  return ("%s of agent %d from %s to %s"):format(work, options.agent, options.since or "-",
    options["until"] or "-")
end

local function send_all(client, chunks, options)
  return client:each(chunks, function(chunk)
    return client.results:bulk_evaluate_metrics { result_ids = chunk, metric_ids = options.metrics }
  end, {
    concurrency = 1,       -- in order, so that what was not begun is at the end
    stop_on_error = true,  -- where one is refused, so will be the next
    journal = options.journal, redo_unknown = options.redo_unknown,
    key = function(chunk) return table.concat(chunk, ",") end,
    work = work_of(options),
  })
end

local function named(chunk)
  if #chunk == 1 then return "result " .. chunk[1] end
  return ("%d results from %d to %d"):format(#chunk, chunk[1], chunk[#chunk])
end

local function say(format, ...) command.say(NAME, ": ", format:format(...)) end

local UNKNOWN = "%s: %s. They are not sent again: look at one of them. --redo-unknown sends them "
  .. "again, and may pay twice"

--- Says what went wrong. Returns the name of the exit code.
local function tell_errors(chunks, report)
  local code = "ok"
  for _, e in ipairs(report.errors) do
    local format = e.error.applied ~= "no" and UNKNOWN or "%s: %s"
    say(format, named(chunks[e.index]), e.error)
    if code ~= "network" then code = command.code_of(e.error) end
  end
  local left = #chunks - report.ok - report.failed - report.skipped - report.unknown
  if left > 0 then say("%s not begun: %s", cost.count(left, "call"), ADVICE) end
  return code
end

--- The ids of all results that were started, by this run or by an earlier one.
local function started(chunks, report)
  local list, is_wrong = {}, {}
  for _, e in ipairs(report.errors) do is_wrong[e.index] = true end
  for i = 1, report.ok + report.failed + report.skipped + report.unknown do
    if not is_wrong[i] then table.move(chunks[i], 1, #chunks[i], #list + 1, list) end
  end
  return list
end

-- ---- what became of it ----

--- { [id] = summary } of those that are done, and the error where one is not.
local function wait_for(client, list, options)
  local done, wait_options = {}, waiting.options(options)
  wait_options.progress = nil  -- one line for all of them
  local report, err = client:each(list, function(id)
    local result, problem = client.results:wait({ result_id = id }, wait_options)
    if not result then return nil, problem end
    done[id] = summary(result)
    return true
  end, { stop_on_error = true, progress = options.progress })
  return done, not report and err or report and report.errors[1] and report.errors[1].error
end

local function percent(rate)
  return rate and ("%d%%"):format(math.floor(rate * 100 + 0.5)) or nil
end

local function print_results(before, done)
  local rows = { { "result", "name", "runs", "status", "success", "", "now", "" } }
  for _, old in ipairs(before) do
    local new = done[old.id]
    if new then
      rows[#rows + 1] = { old.id, old.name, old.runs, new.status, percent(old.success), "→",
        percent(new.success), old.success ~= new.success and "changed" or "" }
    end
  end
  if #rows > 1 then texttable.print(rows) end
end

local function print_skipped(chunks, report, options)
  if report.skipped == 0 then return end
  print(("Of %s, %s has %d as sent before: not again."):format(cost.count(#chunks, "call"),
    options.journal, report.skipped))
end

local function apply(client, list, options)
  check_budget(list, options)
  if options.agent then need(ids.write(path_of_ids(options), ids_of(list))) end
  local chunks = chunks_of(list)
  local report = assert(send_all(client, chunks, options))
  local code = tell_errors(chunks, report)
  print_skipped(chunks, report, options)
  local done, err = wait_for(client, started(chunks, report), options)
  print_results(list, done)
  if not err then return code end
  say("%s: %s", err, ADVICE)
  return code == "network" and code or waiting.code_of(err)
end

command.run(NAME, ADVICE, function()
  local options = read_options()
  local client <close> = assert(cekura.new())
  local list = get_results(client, options)
  print_plan(client, list, options)
  if not options.apply then
    print "Nothing was started: --apply does it."
    return "ok"
  end
  return apply(client, list, options)
end)
