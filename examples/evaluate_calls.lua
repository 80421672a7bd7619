-- Evaluates a metric on the production calls that do not have a value of it yet, and prints the
-- distribution of its values.
--
--   lua5.4 examples/evaluate_calls.lua --agent 231 --metric 57 --success no   the plan, its cost
--   lua5.4 examples/evaluate_calls.lua --agent 231 --metric 57 --limit 20 --apply   SPENDS CREDITS
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local cost = require "support.cost"
local distribution = require "support.distribution"
local ids = require "support.ids"
local metrics = require "support.metrics"
local output = require "support.output"
local responses = require "support.responses"
local text = require "support.text"
local times = require "support.times"
local waiting = require "support.waiting"

local NAME = "evaluate_calls"
local LOOK = "started evaluations continue: without --apply this command prints the values"
local AT_ONCE = 100  -- calls in a request

-- ---- the command line ----

local parser = command.parser(NAME,
  "Evaluates metrics on production calls that have no value, and prints the distribution of "
  .. "values.")

parser:epilog [[
Without --apply nothing is started: the plan with its cost and the existing values are printed.
Calls that have a value of each metric are left out. A second run, after the first one has ended,
therefore pays for nothing twice. Without --since and --until, the calls of the last 30 days count.

Exit codes: 0 done; 1 the server refused a call, for lack of credits or another reason; 2 wrong
usage, ids or key; 4 no connection, or it is unknown whether some were started; 5 not done in time;
130 Ctrl-C.]]

parser:mutex(
  parser:option("--agent", "Calls of this agent.", nil, ids.one):argname "ID",
  parser:option("--project", "Calls of this project.", nil, ids.one):argname "ID"
)
parser:option("--metric", "The metric to evaluate; may be repeated.", nil, ids.one)
  :argname "ID":count "+":target "metrics"
parser:option("--since", "Only calls from this date on.", nil, times.first):argname "DATE"
parser:option("--until", "Only calls up to this date.", nil, times.last):argname "DATE"
parser:option("--success", "Only calls that were a success, or only the others.")
  :choices { "yes", "no" }
parser:option("--reviewed", "Only calls that a person has reviewed, or only the others.")
  :choices { "yes", "no" }
parser:option("--limit", "At most this many calls.", nil, command.count):argname "N"
parser:flag("--again", "Also calls that have all values already; pays for them again.")
parser:flag("--apply", "Start the evaluation; spends credits.")
parser:option("--max-evaluations", "Refuse to start more evaluations.", nil, command.count)
  :argname "N"
waiting.add_options(parser, 1800)

local function read_options()
  local options = parser:parse()
  if not (options.agent or options.project) then
    parser:error "whose calls? Say --agent or --project"
  end
  local _, problem = ids.list(table.concat(options.metrics, ","))
  if problem then parser:error("--metric: " .. problem) end
  return options
end

-- ---- which calls ----

--- Returns an iterator over the calls that fit the options.
local function pages(client, options)
  local conditions = {}
  for option, field in pairs { success = "success", reviewed = "is_reviewed" } do
    if options[option] then
      conditions[#conditions + 1] = { field = field, op = "eq", value = options[option] == "yes" }
    end
  end
  return responses.pages_of_calls(client.calls:pages {
    agent_id = options.agent, project_id = options.project,
    filters_v2 = #conditions > 0 and { operator = "and", conditions = conditions } or nil,
    timestamp_from = options.since, timestamp_to = options["until"],
    page_size = math.min(options.limit or AT_ONCE, AT_ONCE),
  })
end

--- Returns whether a call has a value of each metric, readable or not.
local function has_all(log, wanted)
  for _, id in ipairs(wanted) do
    local row = metrics.entry(log, id)
    if not row or not row.applies then return false end
  end
  return true
end

--- Returns the ids of the calls to evaluate, and the existing values of the others. Reads no more
--- pages than --limit needs.
local function find(client, options)
  local list, values = {}, {}
  for log in pages(client, options) do
    local is_done = has_all(log, options.metrics)
    if is_done then values[#values + 1] = metrics.values(log) end
    if options.again or not is_done then list[#list + 1] = log.id end
    if #list == options.limit then break end
  end
  return list, values
end

-- ---- the plan ----

local function call_of(options, list)
  return { agent_id = options.agent, project_id = options.project, call_logs = list,
    metrics = options.metrics }
end

local function print_plan(client, list, values, options)
  output.print(text.count(#list, "call") .. " to evaluate.")
  if #values > 0 then
    local left_out = options.again and "" or ", left out"
    output.print(("Have all values already: %d%s."):format(#values, left_out))
  end
  if #list == 0 then return end
  local plan = assert(client.calls:evaluate_metrics(call_of(options, list), { dry_run = true }))
  cost.print(client, plan.evaluations, text.count(#list, "call") .. " × "
    .. text.count(#options.metrics, "metric"))
end

-- ---- sending ----

local function say(format, ...) command.say(NAME, ": ", format:format(...)) end

local UNKNOWN = "The calls from %d to %d may have been started. They are not sent again. "
  .. "Without --apply this command shows when they are done; sent before that, they are paid twice"

--- Sends the calls in chunks until one fails. Returns the responses, which have the calls as they
--- were before, and the error.
local function start_all(client, list, options)
  local started = {}
  for chunk in cekura.chunks(list, AT_ONCE) do
    local logs, err = client.calls:evaluate_metrics(call_of(options, chunk))
    if logs == nil then
      say("%s", err)
      if err.applied ~= "no" then say(UNKNOWN, chunk[1], chunk[#chunk]) end
      return started, err
    end
    started[#started + 1] = logs
  end
  return started
end

-- ---- the values ----

--- Returns the values of all calls that were started. Ends the command if a wait fails.
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

local function print_values(known_metrics, values)
  for _, metric in ipairs(known_metrics) do
    local list = {}
    for _, own in ipairs(values) do list[#list + 1] = own[metric.id] end
    output.write("\n", distribution.text(metric, list))
  end
  output.print()
end

local function apply(client, known_metrics, list, options)
  local evaluations = #list * #options.metrics
  if evaluations > (options.max_evaluations or math.huge) then
    command.fail("usage", "%d evaluations are more than --max-evaluations %d: nothing was started",
      evaluations, options.max_evaluations)
  end
  local started, err = start_all(client, list, options)
  print_values(known_metrics, wait_for(client, started, options))
  return err and command.code_of(err) or "ok"
end

command.run(NAME, LOOK, function()
  local options = read_options()
  local client <close> = assert(cekura.new())
  local known_metrics = metrics.list(client, options.metrics)
  local list, values = find(client, options)
  if #list + #values == 0 then
    command.fail("usage", "no call fits: are the id, the dates and the other filters right?")
  end
  print_plan(client, list, values, options)
  if options.apply and #list > 0 then return apply(client, known_metrics, list, options) end
  if #values > 0 then print_values(known_metrics, values) end
  if #list > 0 then output.print "Nothing was started: --apply does it." end
  return "ok"
end)
