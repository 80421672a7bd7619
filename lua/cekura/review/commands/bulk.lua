--- Evaluates metrics again on any number of results, a hundred per call. A journal records what was
--- sent: the same command continues after an interruption, and pays for nothing twice.

local cekura = require "cekura"
local bulkplan = require "cekura.review.bulk.plan"
local cost = require "cekura.review.internal.cost"
local command = require "cekura.review.internal.command"
local ids = require "cekura.review.internal.ids"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local responses = require "cekura.review.internal.responses"
local results = require "cekura.review.bulk.results"
local scope = require "cekura.review.internal.scope"
local sent = require "cekura.review.internal.sent"
local shard = require "cekura.review.internal.shard"
local texttable = require "cekura.review.internal.table"
local text = require "cekura.review.internal.text"
local times = require "cekura.review.internal.times"
local waiting = require "cekura.review.internal.waiting"

local bulk = {
  name = "bulk",
  summary = "evaluate metrics again on any number of results",
  description = "Evaluates metrics again on all runs of any number of results.",
  example = "bulk --metrics 55 --agent 231 --since 2025-01-01",
  advice = "started evaluations continue; run the same command again to continue",
  empty = { started = cekura.array {}, unknown = cekura.array {}, results = cekura.array {} },
  notes = [[
Without --apply nothing is started: the plan with its cost is printed. With --apply the calls are
sent one after the other. When all results are done, a table shows them before and after.

The journal records which results were sent. A command with the same metrics and the same journal
leaves them out, in any order. A result is also left out, and named, if it is unknown whether its
evaluation was started; --redo-unknown sends it again.
The results that --agent or --project finds are saved next to the journal (FILE.ID.ids), and later
runs use them. --results and --from-file take precedence over the environment.

Each part of --shard has a journal of its own (FILE.3-of-8), and --max-evaluations is the limit of
one part. The number of parts must stay the same, or no part would know what was sent before.

With --json: the ids in `to_send`, `already_sent`, `left_out` and `without_runs` are the plan;
`started`, `unknown` and `results` are the outcome.

Exit codes: 0 done, or nothing to send; 1 too few credits, or the server refused a call; 2 wrong
usage, ids or key; 4 no connection, or it is unknown whether some were started; 5 not done in time;
130 Ctrl-C.]],
}

local fail, say = command.fail, command.say

local ids_of = bulkplan.ids

-- ---- the command line ----

function bulk.add_options(parser)
  parser:option("--metrics", "The metrics to evaluate: 55,57.", nil, ids.list)
    :argname "IDS":count "1"
  parser:mutex(
    parser:option("--results", "These results: 371,372,373.", nil, ids.list):argname "IDS",
    parser:option("--from-file", "The results whose ids are in this file."):argname "FILE",
    scope.option(parser, "agent", "All results of this agent"),
    scope.option(parser, "project", "All results of this project")
  )
  parser:option("--since", "With --agent or --project: results from this date on.", nil,
    times.first):argname "DATE"
  parser:option("--until", "With --agent or --project: results up to this date.", nil, times.last)
    :argname "DATE"
  parser:flag("--newest", "With --max-evaluations: only the newest results that fit.")
  command.add_spending(parser, "Start the evaluations")
  sent.add_options(parser, "results", "bulk.journal")
  shard.add(parser)
  waiting.add_options(parser, 1800)
end

local function check_options(options)
  local is_given = options.results or options.from_file
  if not is_given then scope.set_defaults(options) end
  shard.set_default(options)
  sent.set_paths(options)
  if not (is_given or options.agent or options.project) then
    command.misuse "which results? Say --results, --from-file, --agent or --project"
  elseif is_given and (options.since or options["until"]) then
    command.misuse "--since and --until go with --agent or --project"
  elseif options.newest and not options.max_evaluations then
    command.misuse "--newest goes with --max-evaluations"
  elseif results.is_journal(options) then
    fail("usage", "--from-file and --journal must be two files")
  end
end

--- Returns the name of the work, for the journal. The order of the metrics does not matter.
local function work_of(options)
  local work = "metrics " .. ids.sorted(options.metrics)
  if options.agent or options.project then
    work = ("%s of %s %d from %s to %s"):format(work, options.agent and "agent" or "project",
      options.agent or options.project, options.since or "-", options["until"] or "-")
  end
  return work
end

-- ---- sending ----

--- Sends the chunks one after the other. The data has at any time what was started, and what may
--- have been.
local function send_all(client, plan, log, options, data)
  local function call(chunk)
    return client.results:bulk_evaluate_metrics(
      { result_ids = ids_of(chunk), metric_ids = options.metrics },
      { evaluations = bulkplan.runs(chunk) * #options.metrics })
  end
  return client:each(plan.chunks, function(chunk)
    table.move(ids_of(chunk), 1, #chunk, #data.unknown + 1, data.unknown)  -- until it has returned
    local done, err = log:send(ids_of(chunk), function() return call(chunk) end)
    local now = log:sort(plan.list)
    data.unknown = ids_of(now.unknown)
    data.started = ids_of(log:sort(plan.left).done)
    -- An unreadable response does not stop the work if the call was applied. A journal that cannot
    -- be written does.
    if done == nil and (err.applied ~= "yes" or err.kind == "config") then return nil, err end
    return true
  end, {
    concurrency = 1,       -- in order: the calls that are not started are the last ones
    stop_on_error = true,  -- a reason to refuse one call is a reason to refuse the next
  })
end

local UNKNOWN = "%s: %s. They are not sent again: look at one of them. --redo-unknown sends them "
  .. "again, and may pay twice"
local EARLIER = "an earlier run started it, and its outcome is unknown"

--- Says which results an earlier run may have started. Returns the name of the exit code.
local function say_unknown(plan)
  if #plan.unknown == 0 then return "ok" end
  say(UNKNOWN, bulkplan.named(plan.unknown), EARLIER)
  return "network"
end

--- Says what went wrong, and adds it to the data. Returns the name of the exit code.
local function say_errors(plan, report, log, data)
  local code = say_unknown(plan)
  for _, e in ipairs(report.errors) do
    local chunk = plan.chunks[e.index]
    local is_unknown = e.error.applied ~= "no" or log:has_unknown(ids_of(chunk))
    say(is_unknown and UNKNOWN or "%s: %s", bulkplan.named(chunk), e.error)
    data.error = tostring(e.error)
    if code ~= "network" then code = is_unknown and "network" or command.code_of(e.error) end
  end
  local left = #plan.chunks - report.ok - report.failed - report.unknown
  if left > 0 then say("%s not sent: %s", text.count(left, "call"), bulk.advice) end
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
    done[id] = results.summary(result)
    return true
  end, { stop_on_error = true, progress = options.progress })
  return done, not report and err or report and report.errors[1] and report.errors[1].error
end

local function percent(rate) return rate and text.percent(rate) end

--- Prints the results that are done, and adds them to the data.
local function print_results(before, done, data)
  local rows = { { "result", "name", "runs", "status", "success", "", "now", "" } }
  for _, old in ipairs(before) do
    local new = done[old.id]
    if new then
      rows[#rows + 1] = { old.id, old.name, old.runs, new.status, percent(old.success), "→",
        percent(new.success), old.success ~= new.success and "changed" or "" }
      table.insert(data.results, { id = old.id, name = old.name, runs = old.runs,
        status = new.status, success_before = old.success, success_after = new.success })
    end
  end
  if #rows > 1 then texttable.print(rows) end
end

local function apply(client, plan, log, options, data)
  results.save(plan.found, options)
  local report = assert(send_all(client, plan, log, options, data))
  local code = say_errors(plan, report, log, data)
  local done, err = wait_for(client, ids_of(log:sort(plan.list).done), plan.left, options)
  print_results(plan.list, done, data)
  if not err then return code, data end
  say("%s: %s", err, bulk.advice)
  data.error = data.error or tostring(err)
  return code == "network" and code or waiting.code_of(err), data
end

function bulk.run(options)
  check_options(options)
  local client <close> = cost.client(options)
  local found = results.get(client, options)
  local known_metrics = metrics.list(client, options.metrics)
  local log <close> = assert(sent.open_plan(client, options, work_of(options)))
  local plan = bulkplan.make(found, log, options)
  local data = command.keep(bulkplan.data(plan, options))
  data.estimate, data.balance = bulkplan.print(client, plan, known_metrics, options)
  if options.apply then return apply(client, plan, log, options, data) end
  say_unknown(plan)
  if #plan.left > 0 then output.print "Nothing was started: --apply does it." end
  return "ok", data
end

return bulk
