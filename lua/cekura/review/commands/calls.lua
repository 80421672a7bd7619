--- Evaluates metrics on the production calls that do not have a value of them yet, and prints the
--- distribution of the values. A journal records what was sent.

local cekura = require "cekura"
local callplan = require "cekura.review.calls.plan"
local cost = require "cekura.review.internal.cost"
local command = require "cekura.review.internal.command"
local distribution = require "cekura.review.calls.distribution"
local hash = require "cekura.review.internal.hash"
local ids = require "cekura.review.internal.ids"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local responses = require "cekura.review.internal.responses"
local scope = require "cekura.review.internal.scope"
local sent = require "cekura.review.internal.sent"
local shard = require "cekura.review.internal.shard"
local text = require "cekura.review.internal.text"
local times = require "cekura.review.internal.times"
local waiting = require "cekura.review.internal.waiting"

local LOOK = "started evaluations continue: without --apply this command prints the values"

local calls = {
  name = "calls",
  summary = "evaluate metrics on production calls without a value",
  description = "Evaluates metrics on production calls without a value, and shows all values.",
  example = "calls --agent 231 --metric 57 --limit 20",
  advice = LOOK,
  empty = { started = cekura.array {}, unknown = cekura.array {}, distribution = cekura.array {} },
  notes = [[
Without --apply nothing is started: the plan with its cost and the existing values are printed.
Calls that have a value of each metric are left out. Without --since and --until, the calls of the
last 30 days count.

The journal records which calls were sent. A second run leaves them out, even while they are being
evaluated, and waits for their values. A call is also left out if it is unknown whether its
evaluation was started; --redo-unknown sends it again. With another --journal, calls are sent again.
--again has one of its own (calls-METRICS-again.journal).
Each part of --shard has a journal of its own (FILE.3-of-8); --limit and --max-evaluations are the
limits of one part. The number of parts must stay the same.

With --json: the ids in `to_send` and `already_sent` are the plan; `started`, `unknown` and
`distribution` are the outcome.

Exit codes: 0 done, or nothing to send; 1 too few credits, or the server refused a call; 2 wrong
usage, ids or key; 4 no connection, or it is unknown whether some were started; 5 not done in time;
130 Ctrl-C.]],
}

local say = command.say

-- ---- the command line ----

function calls.add_options(parser)
  scope.add(parser)
  parser:option("--metric", "The metric to evaluate; may be repeated.", nil, ids.one)
    :argname "ID":count "+":target "metrics"
  parser:option("--since", "Only calls from this date on.", nil, times.first):argname "DATE"
  parser:option("--until", "Only calls up to this date.", nil, times.last):argname "DATE"
  parser:option("--success", "Only calls that were a success, or only the others.")
    :choices { "yes", "no" }
  parser:option("--reviewed", "Only calls that a person has reviewed, or only the others.")
    :choices { "yes", "no" }
  parser:option("--limit", "At most this many calls, with those that were sent and have no value "
    .. "yet.", nil, command.count):argname "N"
  parser:flag("--again", "Also calls that have all values already; pays for them again.")
  command.add_spending(parser, "Start the evaluation")
  sent.add_options(parser, "calls")
  shard.add(parser)
  waiting.add_options(parser, 1800)
end

--- Returns the journal's path by default. Each set of metrics has its own, and so has --again,
--- which would find the calls of earlier runs in it.
local function default_journal(options)
  local name = ids.sorted(options.metrics, "-")
  if #name > 100 then name = ("%x"):format(hash.of(name)) end  -- a path has at most 255 bytes
  return ("calls-%s%s.journal"):format(name, options.again and "-again" or "")
end

local function check_options(options)
  scope.set_defaults(options)
  shard.set_default(options)
  if not (options.agent or options.project) then
    command.misuse "whose calls? Say --agent or --project"
  end
  local _, problem = ids.list(table.concat(options.metrics, ","))
  if problem then command.misuse("--metric: %s", problem) end
  sent.set_paths(options, default_journal(options))
end

-- ---- sending ----

local UNKNOWN = "%s may have been started. They are not sent again. Without --apply this command "
  .. "shows when they are done; --redo-unknown sends them again, and may pay twice"

--- Says which calls may have been started. Returns the name of the exit code.
local function say_unknown(list)
  if #list == 0 then return "ok" end
  say(UNKNOWN, ids.named(list, "call"))
  return "network"
end

--- Sends one chunk. The data has at any time what was started, and what may have been.
local function send(client, chunk, log, options, data)
  local unknown = #data.unknown
  table.move(chunk, 1, #chunk, unknown + 1, data.unknown)  -- until the call has returned
  local logs, err = log:send(chunk, function()
    return client.calls:evaluate_metrics { agent_id = options.agent,
      project_id = options.project, call_logs = chunk, metrics = options.metrics }
  end)
  if log:has_unknown(chunk) then return logs, err end
  for i = #data.unknown, unknown + 1, -1 do data.unknown[i] = nil end
  if log:state(chunk[1]) == "done" then
    table.move(chunk, 1, #chunk, #data.started + 1, data.started)
  end
  return logs, err
end

--- Sends the calls in chunks until one fails. Returns the responses, which have the calls as they
--- were before, and the name of the exit code.
local function send_all(client, plan, log, options, data)
  local lists, code, tried = {}, say_unknown(plan.unknown), 0
  for chunk in cekura.chunks(plan.left, callplan.AT_ONCE) do
    local logs, err = send(client, chunk, log, options, data)
    tried = tried + #chunk
    if logs == nil then
      say("%s", err)
      data.error = tostring(err)
      if log:has_unknown(chunk) then code = say_unknown(chunk) end
      if tried < #plan.left then
        say("%s not sent: run the same command again to continue",
          text.count(#plan.left - tried, "call"))
      end
      return lists, code == "ok" and command.code_of(err) or code
    end
    lists[#lists + 1] = logs
  end
  return lists, code
end

-- ---- the values ----

--- Returns the values of all calls that were started. Ends the command if a wait fails.
---@param started table[][] lists of calls, as they were before
local function wait_for(client, started, options)
  local values = {}
  for _, logs in ipairs(started) do
    local done, err = responses.call_logs(client.calls:wait(
      { call_logs = logs, metrics = options.metrics }, waiting.options(options)))
    if not done then command.fail(waiting.code_of(err), "%s. %s", err, LOOK) end
    for _, log in ipairs(done) do values[#values + 1] = metrics.values(log) end
  end
  return values
end

--- Prints the distribution of each metric's values, and adds it to the data.
local function print_values(known_metrics, values, data)
  data.distribution = cekura.array {}
  for i, metric in ipairs(known_metrics) do
    local list = {}
    for _, own in ipairs(values) do list[#list + 1] = own[metric.id] end
    output.write("\n", distribution.text(metric, list))
    data.distribution[i] = distribution.data(metric, list)
  end
  output.print()
end

local function apply(client, known_metrics, plan, log, options, data)
  local started, code = send_all(client, plan, log, options, data)
  if #plan.awaited > 0 then table.insert(started, 1, plan.awaited) end
  local values = #started > 0 and wait_for(client, started, options) or plan.values
  if #started + #values > 0 then print_values(known_metrics, values, data) end
  return code, data
end

function calls.run(options)
  check_options(options)
  local client <close> = cost.client(options)
  local known_metrics = metrics.list(client, options.metrics)
  local work = ("metrics %s of calls"):format(ids.sorted(options.metrics))
  local log <close> = assert(sent.open_plan(client, options, work))
  local plan = callplan.make(client, log, options)
  local data = command.keep(callplan.data(plan, options))
  data.estimate, data.balance = callplan.print(client, plan, options)
  if options.apply then return apply(client, known_metrics, plan, log, options, data) end
  say_unknown(plan.unknown)
  if #plan.values > 0 then print_values(known_metrics, plan.values, data) end
  if #plan.left > 0 then output.print "Nothing was started: --apply does it." end
  return "ok", data
end

return calls
