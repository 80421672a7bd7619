-- Runs a new metric over production calls that have none of its values yet, and shows how these
-- are distributed.
--
--   lua5.4 examples/evaluate_calls.lua --agent 231 --metric 57 --success no   the plan, its cost
--   lua5.4 examples/evaluate_calls.lua --agent 231 --metric 57 --limit 20 --apply   SPENDS CREDITS
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- also through a link
package.path = folder .. "?.lua;" .. package.path  -- for what is in support/

local answers = require "support.answers"
local command = require "support.command"
local cost = require "support.cost"
local dates = require "support.dates"
local distribution = require "support.distribution"
local ids = require "support.ids"
local metrics = require "support.metrics"
local output = require "support.output"
local waiting = require "support.waiting"

local NAME = "evaluate_calls"
local LOOK = "what was started goes on: without --apply this command shows what values there are"
local AT_ONCE = 100  -- calls with each request: as many as the API takes of results

-- ---- the command line ----

local parser = command.parser(NAME,
  "Runs metrics over production calls that lack their values, and shows how these are distributed.")

parser:epilog [[
Without --apply nothing is started: the plan is shown with its cost, and the values that are there.
Calls that have a value of each metric are left out, so that running it again pays for nothing twice
once the first run is done. Without --since and --until it is the calls of the last 30 days.

Exit codes: 0 done; 1 some of it was refused, as without credits; 2 wrong usage, ids or key; 4 no
connection, or it is unknown whether some were started; 5 not done in time; 130 Ctrl-C.]]

parser:mutex(
  parser:option("--agent", "Calls of this agent.", nil, ids.one):argname "ID",
  parser:option("--project", "Calls of this project.", nil, ids.one):argname "ID"
)
parser:option("--metric", "The metric to run; may be said several times.", nil, ids.one)
  :argname "ID":count "+":target "metrics"
parser:option("--since", "Only calls from this date on.", nil, dates.first):argname "DATE"
parser:option("--until", "Only calls up to this date.", nil, dates.last):argname "DATE"
parser:option("--success", "Only calls that were a success, or were none."):choices { "yes", "no" }
parser:option("--reviewed", "Only calls that a person has reviewed, or has not.")
  :choices { "yes", "no" }
parser:option("--limit", "At most so many calls.", nil, command.count):argname "N"
parser:flag("--again", "Also calls that have the values already; pays for them again.")
parser:flag("--apply", "Do it; spends credits.")
parser:option("--max-evaluations", "Refuse to start more than this.", nil, command.count)
  :argname "N"
waiting.add_options(parser, 1800)
waiting.add_progress(parser)

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

--- As the dashboard filters; nil for no filter.
local function filter_of(options)
  local conditions = {}
  for option, field in pairs { success = "success", reviewed = "is_reviewed" } do
    if options[option] then
      conditions[#conditions + 1] = { field = field, op = "eq", value = options[option] == "yes" }
    end
  end
  if #conditions == 0 then return nil end
  return { operator = "and", conditions = conditions }
end

local function pages(client, options)
  return answers.pages_of_calls(client.calls:pages {
    agent_id = options.agent, project_id = options.project, filters_v2 = filter_of(options),
    timestamp_from = options.since, timestamp_to = options["until"],
    page_size = math.min(options.limit or AT_ONCE, AT_ONCE),
  })
end

local function has_all(values, wanted)
  for _, id in ipairs(wanted) do
    if values[id] == nil then return false end
  end
  return true
end

--- The ids of the calls to evaluate, and the values that there are already. No page is read that
--- is not needed.
local function find(client, options)
  local list, values = {}, {}
  for log in pages(client, options) do
    local own = metrics.values(log)
    if has_all(own, options.metrics) then values[#values + 1] = own end
    if options.again or not has_all(own, options.metrics) then list[#list + 1] = log.id end
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
  output.print(cost.count(#list, "call") .. " to evaluate.")
  if #values > 0 then
    local left_out = options.again and "" or ", left out"
    output.print(("Have all values already: %d%s."):format(#values, left_out))
  end
  if #list == 0 then return end
  local plan = assert(client.calls:evaluate_metrics(call_of(options, list), { dry_run = true }))
  cost.print(client, plan.evaluations, cost.count(#list, "call") .. " × "
    .. cost.count(#options.metrics, "metric"))
end

local function check_budget(list, options)
  local evaluations = #list * #options.metrics
  if evaluations <= (options.max_evaluations or math.huge) then return end
  command.fail("usage", "%d evaluations are more than --max-evaluations %d: nothing was started",
    evaluations, options.max_evaluations)
end

-- ---- sending ----

local function say(format, ...) command.say(NAME, ": ", format:format(...)) end

local UNKNOWN = "The calls from %d to %d may have been started. They are not sent again. Look "
  .. "without --apply, until they would be done: sent before, they may be paid twice"

local function tell(err, chunk)
  say("%s", err)
  if err.applied ~= "no" then say(UNKNOWN, chunk[1], chunk[#chunk]) end
end

--- Sends a hundred after the other, and stops where one fails. Returns for each that was started
--- the calls as they were before, and the error.
local function start_all(client, list, options)
  local started = {}
  for chunk in cekura.chunks(list, AT_ONCE) do
    local logs, err = client.calls:evaluate_metrics(call_of(options, chunk))
    if logs == nil then
      tell(err, chunk)
      return started, err
    end
    started[#started + 1] = logs
  end
  return started
end

-- ---- what became of it ----

--- The values of all calls that were started. Ends the command where they do not come.
local function wait_for(client, started, options)
  local values = {}
  for _, logs in ipairs(started) do
    local done, err = answers.call_logs(client.calls:wait(
      { call_logs = logs, metrics = options.metrics }, waiting.options(options)))
    if not done then command.fail(waiting.code_of(err), "%s. %s", err, LOOK) end
    for _, log in ipairs(done) do values[#values + 1] = metrics.values(log) end
  end
  return values
end

local function print_values(known, values)
  for _, metric in ipairs(known) do
    local list = {}
    for _, own in ipairs(values) do list[#list + 1] = own[metric.id] end
    output.write("\n", distribution.text(metric, list))
  end
  output.print()
end

local function apply(client, known, list, options)
  check_budget(list, options)
  local started, err = start_all(client, list, options)
  print_values(known, wait_for(client, started, options))
  return err and command.code_of(err) or "ok"
end

command.run(NAME, LOOK, function()
  local options = read_options()
  local client <close> = assert(cekura.new())
  local known = metrics.get(client, options.metrics)
  local list, values = find(client, options)
  if #list + #values == 0 then
    command.fail("usage", "no call fits: are the id, the dates and the other filters right?")
  end
  print_plan(client, list, values, options)
  if options.apply and #list > 0 then return apply(client, known, list, options) end
  if #values > 0 then print_values(known, values) end
  if #list > 0 then output.print "Nothing was started: --apply does it." end
  return "ok"
end)
