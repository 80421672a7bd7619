--- The calls that the options of a command select: runs of results, or production calls. All of
--- them are read, or the command ends.

local command = require "cekura.review.internal.command"
local ids = require "cekura.review.internal.ids"
local responses = require "cekura.review.internal.responses"
local scope = require "cekura.review.internal.scope"
local times = require "cekura.review.internal.times"

local source = {}

local PAGE_SIZE = 100

-- ---- options ----

--- Adds the options that select calls, and those of reading them.
function source.add(parser)
  parser:mutex(
    scope.option(parser, "agent"), scope.option(parser, "project"),
    parser:option("--results", "Only these results: 372,373.", nil, ids.list):argname "IDS")
  parser:flag("--calls", "Production calls, in place of runs of results.")
  parser:option("--since", "Only from this date on (UTC).", nil, times.first):argname "DATE"
  parser:option("--until", "Only up to this date.", nil, times.last):argname "DATE"
  command.add_concurrency(parser)
  command.add_progress(parser)
end

--- Sets defaults, and ends the command if the options do not select calls.
function source.check(options)
  if not options.results then scope.set_defaults(options) end
  if not (options.results or options.agent or options.project) then
    command.misuse "which calls? Say --agent, --project or --results"
  end
  if options.calls and options.results then
    command.misuse "--calls needs --agent or --project, not --results"
  end
  local since, to = options.since, options["until"]
  if since and to and times.parse(since) > times.parse(to) then
    command.misuse "--since is after --until"
  end
end

-- ---- reading ----

-- The kinds of errors that a wrong id causes.
local WRONG = { validation = true, not_found = true }

--- Calls read(id) for all ids, several at once. Returns its results in order; an error ends the
--- command, and names the id.
---@param what string the noun for one of them: "result"
---@param list integer[]|fun(): integer?
---@param is_named boolean whether a person has named the ids
function source.read_all(client, what, list, read, options, is_named)
  if options.progress then command.say("reading %ss", what) end
  local report, err = client:each(list, read, {
    concurrency = options.concurrency, progress = options.progress, collect = true,
    stop_on_error = true,
  })
  if not report then error(err, 0) end
  local first = report.errors[1]
  if not first then return report.results end
  local code = is_named and WRONG[first.error.kind] and "usage" or command.code_of(first.error)
  command.fail(code, "%s %s: %s", what, first.item, first.error)
end

--- Returns the same text for the repetitions of a scenario; nil without a scenario.
local function group_of(run)
  local scenario = run.scenario or run.scenario_name
  return scenario and ("%s\0%s"):format(scenario, run.personality or run.personality_name) or nil
end

--- A call as the commands use it; `response` is its checked copy.
---@class cekura.review.Call
---@field key string "run 5544" or "call log 70071", as in a report
---@field run_id integer? of a run
---@field call_log_id integer? of a production call
---@field result_id integer? of a run
---@field scenario string? of a run; the topic of a production call
---@field time string? as the API writes it

---@return cekura.review.Call
local function call_of_run(run, result)
  return {
    key = "run " .. run.id, run_id = run.id, result_id = result.id, scenario = run.scenario_name,
    personality = run.personality_name, agent = run.agent_name or result.agent_name,
    agent_id = run.agent or result.agent, response = run, outcome = responses.is_outcome_met(run),
    time = run.timestamp or run.executed_at or run.created_at or result.created_at,
    group = group_of(run),
  }
end

---@return cekura.review.Call
local function call_of_log(log)
  local outcome = nil
  if type(log.success) == "boolean" then outcome = log.success end
  return {
    key = "call log " .. log.id, call_log_id = log.id, scenario = log.topic, outcome = outcome,
    agent = log.agent_name, agent_id = log.agent_id or log.agent, response = log,
    time = log.timestamp or log.created_at,
  }
end

local function add_if_wanted(list, call, options)
  local since, to = options.since, options["until"]
  if not (since or to) or times.is_between(call.time, since, to) then list[#list + 1] = call end
end

local function in_order(a, b) return (a.run_id or a.call_log_id) < (b.run_id or b.call_log_id) end

--- Returns an iterator over the ids of items.
local function ids_of(next_item)
  return function()
    local item = next_item()
    return item and item.id
  end
end

local function read_runs(client, options)
  local list = options.results or ids_of(responses.pages_of_results(client.results:pages {
    agent_id = options.agent, project_id = options.project, page_size = PAGE_SIZE,
  }))
  local calls = {}
  local results = source.read_all(client, "result", list, function(id)
    return responses.result(client.results:get { result_id = id })
  end, options, options.results ~= nil)
  for _, result in ipairs(results) do
    for _, run in pairs(result.runs) do add_if_wanted(calls, call_of_run(run, result), options) end
  end
  return calls
end

local function read_logs(client, options)
  local list = ids_of(responses.pages_of_calls(client.calls:pages {
    agent_id = options.agent, project_id = options.project, page_size = PAGE_SIZE,
    timestamp_from = options.since, timestamp_to = options["until"],
  }))
  local calls = {}
  local logs = source.read_all(client, "production call", list, function(id)
    return responses.call_log(client.calls:get { call_log_id = id })
  end, options, false)
  for _, log in ipairs(logs) do add_if_wanted(calls, call_of_log(log), options) end
  return calls
end

--- Returns the calls that the options select, in the order of their ids.
---@return cekura.review.Call[]
function source.read(client, options)
  local calls = options.calls and read_logs(client, options) or read_runs(client, options)
  table.sort(calls, in_order)
  return calls
end

return source
