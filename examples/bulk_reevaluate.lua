-- Evaluates metrics again on any number of results, a hundred per call. A journal records what was
-- sent: the same command continues after an interruption, and pays for nothing twice.
--
--   lua5.4 examples/bulk_reevaluate.lua --metrics 55 --agent 231 --since 2025-01-01
--   lua5.4 examples/bulk_reevaluate.lua --metrics 55 --from-file ids.txt --apply    SPENDS CREDITS
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local cost = require "support.cost"
local files = require "support.files"
local ids = require "support.ids"
local metrics = require "support.metrics"
local output = require "support.output"
local responses = require "support.responses"
local sent = require "support.sent"
local texttable = require "support.table"
local text = require "support.text"
local times = require "support.times"
local waiting = require "support.waiting"

local NAME = "bulk_reevaluate"
local ADVICE = "started evaluations continue; run the same command again to continue"
local fail = command.fail

local endpoint = cekura.endpoints["results.bulk_evaluate_metrics"]

-- ---- the command line ----

local parser = command.parser(NAME,
  "Evaluates metrics again on all runs of any number of results, a hundred results per call.")

parser:epilog [[
Without --apply nothing is started: the plan with its cost is printed. With --apply the calls are
sent one after the other. When all results are done, a table shows them before and after.

The journal records which results were sent. A command with the same metrics and the same journal
leaves them out, in any order. A result is also left out, and named, if it is unknown whether its
evaluation was started; --redo-unknown sends it again.
The results that --agent finds are saved next to the journal (FILE.ID.ids), and later runs use them.

Exit codes: 0 done; 1 the server refused a call, for lack of credits or another reason; 2 wrong
usage, ids or key; 4 no connection, or it is unknown whether some were started; 5 not done in time;
130 Ctrl-C.]]

parser:option("--metrics", "The metrics to evaluate: 55,57.", nil, ids.list)
  :argname "IDS":count "1"
parser:mutex(
  parser:option("--results", "These results: 371,372,373.", nil, ids.list):argname "IDS",
  parser:option("--from-file", "The results whose ids are in this file."):argname "FILE",
  parser:option("--agent", "All results of this agent.", nil, ids.one):argname "ID"
)
parser:option("--since", "With --agent: results from this date on.", nil, times.first)
  :argname "DATE"
parser:option("--until", "With --agent: results up to this date.", nil, times.last):argname "DATE"
parser:flag("--apply", "Start the evaluations; spends credits.")
parser:option("--max-evaluations", "Refuse to start more evaluations.", nil, command.count)
  :argname "N"
parser:option("--journal", "The record of what was sent.", NAME .. ".journal"):argname "FILE"
parser:flag("--redo-unknown", "Send unknown results again; may pay twice.")
waiting.add_options(parser, 1800)

local function read_options()
  local options = parser:parse()
  if not (options.results or options.from_file or options.agent) then
    parser:error "which results? Say --results, --from-file or --agent"
  elseif not options.agent and (options.since or options["until"]) then
    parser:error "--since and --until go with --agent"
  elseif options.from_file and files.are_same(options.from_file, options.journal) then
    fail("usage", "--from-file and --journal must be two files")
  end
  return options
end

-- ---- which results ----

--- Returns the fields of a result that are needed later: there may be thousands of results.
local function summary(result)
  local runs = math.tointeger(result.total_runs_count)
  if not runs then fail("failed", "result %s does not say how many runs it has", result.id) end
  return { id = result.id, name = result.name, status = result.status, runs = runs,
    success = result.success_rate, updated_at = result.updated_at }
end

local function find(client, options)
  local list = {}
  local pages = client.results:pages { agent_id = options.agent, page_size = 100 }
  for result in responses.pages_of_results(pages) do
    if times.is_between(result.created_at, options.since, options["until"]) then
      list[#list + 1] = summary(result)
    end
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

--- Reads the results with these ids, which finds a wrong id before anything is spent.
local function look_at(client, list, options)
  local found = {}
  local report = assert(client:each(list, function(id, i)
    local result, err = responses.result(client.results:get { result_id = id })
    if not result then return nil, err end
    found[i] = summary(result)
    return true
  end, { stop_on_error = true, progress = options.progress }))
  local first = report.errors[1]
  if not first then return found end
  if first.error.kind ~= "not_found" then error(first.error, 0) end
  return fail("usage", "result %s: %s", first.item, first.error)
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

--- An agent gets new results all the time. The ids that the first run finds are saved, so that the
--- same command does not pay for more results in each run.
local function path_of_ids(options) return ("%s.%d.ids"):format(options.journal, options.agent) end

local function results_of_agent(client, options)
  local path = path_of_ids(options)
  local list, problem = ids.saved(path)
  if list then
    output.print(("The results are those in %s."):format(path))
    return look_at(client, list, options)
  end
  if problem then command.say(NAME, ": ", problem, ": the results are looked up again") end
  return find(client, options)
end

local function get_results(client, options)
  local list = options.agent and results_of_agent(client, options)
    or look_at(client, options.results or need(ids.read(options.from_file)), options)
  if #list == 0 then fail("usage", "no result fits: are the id and the dates right?") end
  return list
end

-- ---- the plan ----

local function count_runs(list)
  local runs = 0
  for _, result in ipairs(list) do runs = runs + result.runs end
  return runs
end

--- Returns the list in chunks, each as long as the endpoint allows.
local function chunks_of(list)
  local size, chunks
  for _, field in ipairs(endpoint.fields) do
    if field.name == "result_ids" then size, chunks = field.max_items, {} end
  end
  for chunk in cekura.chunks(list, size) do chunks[#chunks + 1] = chunk end
  return chunks
end

local function print_plan(client, list, options)
  local runs, count, names = count_runs(list), #options.metrics, {}
  for i, metric in ipairs(metrics.list(client, options.metrics)) do names[i] = metric.name end
  output.print(("Metrics: %s."):format(texttable.show(table.concat(names, ", "))))
  output.print(("%s, from %d to %d, in %s."):format(text.count(#list, "result"), list[1].id,
    list[#list].id, text.count(#chunks_of(list), "call")))
  cost.print(client, runs * count, ("at most: %s × %s"):format(text.count(runs, "run"),
    text.count(count, "metric")))
end

-- ---- sending ----

--- Returns the name of the work, for the journal. The order of the metrics does not matter.
local function work_of(options)
  local sorted = table.move(options.metrics, 1, #options.metrics, 1, {})
  table.sort(sorted)
  local work = "metrics " .. table.concat(sorted, ",")
  if not options.agent then return work end
  return ("%s of agent %d from %s to %s"):format(work, options.agent, options.since or "-",
    options["until"] or "-")
end

--- Returns the results by their state in the journal: { done, unknown, left }.
local function sort_out(list, log, options)
  local sorted = { done = {}, unknown = {}, left = {} }
  for _, result in ipairs(list) do
    local state = log:state(result.id)
    if state == "unknown" and options.redo_unknown then state = nil end
    table.insert(sorted[state or "left"], result)
  end
  return sorted
end

local function send_all(client, chunks, log, options)
  return client:each(chunks, function(chunk)
    local done, err = log:send(ids_of(chunk), function(result_ids)
      return client.results:bulk_evaluate_metrics(
        { result_ids = result_ids, metric_ids = options.metrics }, {
          evaluations = count_runs(chunk) * #options.metrics,
          max_evaluations = options.max_evaluations,
        })
    end)
    if done == nil then return nil, err end
    return true
  end, {
    concurrency = 1,       -- in order: the calls that are not started are the last ones
    stop_on_error = true,  -- a reason to refuse one call is a reason to refuse the next
  })
end

local function named(chunk)
  if #chunk == 1 then return "result " .. chunk[1].id end
  return ("%d results from %d to %d"):format(#chunk, chunk[1].id, chunk[#chunk].id)
end

local function say(format, ...) command.say(NAME, ": ", format:format(...)) end

local UNKNOWN = "%s: %s. They are not sent again: look at one of them. --redo-unknown sends them "
  .. "again, and may pay twice"
local EARLIER = "an earlier run started it, and its outcome is unknown"

--- Returns whether a failed call, or an earlier call with the same results, may have been applied.
local function may_have_started(err, chunk, log)
  if err.applied ~= "no" then return true end
  for _, result in ipairs(chunk) do
    if log:state(result.id) == "unknown" then return true end
  end
  return false
end

--- Says what went wrong. Returns the name of the exit code.
local function say_errors(chunks, report, unknown, log)
  local code = "ok"
  if #unknown > 0 then
    say(UNKNOWN, named(unknown), EARLIER)
    code = "network"
  end
  for _, e in ipairs(report.errors) do
    local chunk = chunks[e.index]
    local is_unknown = may_have_started(e.error, chunk, log)
    say(is_unknown and UNKNOWN or "%s: %s", named(chunk), e.error)
    if code ~= "network" then code = is_unknown and "network" or command.code_of(e.error) end
  end
  local left = #chunks - report.ok - report.failed - report.unknown
  if left > 0 then say("%s not sent: %s", text.count(left, "call"), ADVICE) end
  return code
end

-- ---- the end ----

--- Waits for the results. Returns { [id] = summary } of those that are done, and the first error.
---@param list integer[] ids
---@param sent_now table[] the results that this run has started, as they were before
local function wait_for(client, list, sent_now, options)
  local done, before, wait_options = {}, {}, waiting.options(options)
  for _, result in ipairs(sent_now) do before[result.id] = result end
  wait_options.progress = nil  -- `each` shows progress for all of them
  local report, err = client:each(list, function(id)
    local result, problem = responses.result(client.results:wait(
      { result_id = id, after = before[id] }, wait_options))
    if not result then return nil, problem end
    done[id] = summary(result)
    return true
  end, { stop_on_error = true, progress = options.progress })
  return done, not report and err or report and report.errors[1] and report.errors[1].error
end

local function percent(rate) return rate and text.percent(rate) end

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

--- Returns the ids of the results that this run or an earlier one has started, in order.
local function started(list, log)
  local found = {}
  for _, id in ipairs(ids_of(list)) do
    if log:state(id) == "done" then found[#found + 1] = id end
  end
  return found
end

--- Prints how many calls were sent by an earlier run, or how many results if those do not make
--- whole calls.
local function print_skipped(list, log, options)
  local done, what, all = #started(list, log), "result", #list
  if done == 0 then return end
  local chunks, calls, results = chunks_of(list), 0, 0
  for _, chunk in ipairs(chunks) do
    if #started(chunk, log) == #chunk then calls, results = calls + 1, results + #chunk end
  end
  if results == done then done, what, all = calls, "call", #chunks end
  output.print(("Already sent, according to %s: %d of %s."):format(options.journal, done,
    text.count(all, what)))
end

local function apply(client, list, options)
  local log <close> = assert(sent.open(client, options.journal, work_of(options)))
  local sorted = sort_out(list, log, options)
  local most = options.max_evaluations or math.huge
  if count_runs(sorted.left) * #options.metrics > most then
    fail("usage", "these are more than --max-evaluations %d: nothing was started", most)
  end
  if options.agent then need(ids.write(path_of_ids(options), ids_of(list))) end
  local chunks = chunks_of(sorted.left)
  print_skipped(list, log, options)
  local report = assert(send_all(client, chunks, log, options))
  local code = say_errors(chunks, report, sorted.unknown, log)
  local done, err = wait_for(client, started(list, log), sorted.left, options)
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
    output.print "Nothing was started: --apply does it."
    return "ok"
  end
  return apply(client, list, options)
end)
