--- `cekura.estimate(client, endpoint, arguments)`: the metric evaluations that a call would start,
--- and their price. The function makes calls that only read, and a dry run.
---
--- `sizes` has a function for each endpoint that spends credits. It returns nil and an error, or
---
---     conversations  integer? on which each metric is evaluated; nil if nothing bounds them
---     is_exact       boolean  whether the call evaluates just those
---     at_least       boolean? whether it may evaluate others
---     metric_ids     any[]    as in the arguments
---     scopes         table[]  arguments of metrics:list for the prices of these metrics

local core = require "cekura.core"
local ascii = require "cekura.internal.ascii"
local check = require "cekura.internal.check"
local internal = require "cekura.internal"
local prices = require "cekura.internal.prices"

local null = core.null

-- ---- the runs of results ---------------------------------------------------------------------

-- The states of a run that no evaluation follows on its own. Evaluations of whole results include
-- the first two: see the description of bulk-evaluate-result-metrics_2.
local FINISHED = { completed = true, failed = true }
local LEFT_OUT = { timeout = true, cancelled = true }

local function state_of(run)
  return type(run.status) == "string" and ascii.lower(run.status) or "?"
end

--- Calls a function that may raise an error of a call. Returns true, or nil and the error.
local function attempt(work)
  local done, problem = pcall(work)
  if done then return true end
  if type(problem) ~= "table" or not problem.kind then error(problem, 0) end
  return nil, problem
end

--- Adds the runs of a result to `found`, { runs = { [id] = state }, agents = { [id] = true } }.
--- Returns true, or nil and an error. A list without runs does not show whether the result exists.
local function read_runs(client, result_id, found)
  local count = 0
  local done, problem = attempt(function()
    for run in client.runs:pages {
      result_id = result_id, ql = "{id,status,agent}", page_size = 100,
    } do
      local id = type(run) == "table" and check.to_id(run.id)
      if id then
        count = count + 1
        found.runs[id] = state_of(run)
        found.agents[check.to_id(run.agent) or 0] = true
      end
    end
  end)
  if not done or count > 0 then return done, problem end
  local result, err = client.results:get { result_id = result_id }
  if result == nil then return nil, err end
  found.agents[type(result) == "table" and check.to_id(result.agent) or 0] = true
  return true
end

--- Returns the runs and the agents of these results, or nil and an error.
local function runs_of(client, result_ids)
  local found = { runs = {}, agents = {} }
  local report, problem = client:each(result_ids, function(id)
    return read_runs(client, id, found)
  end, { stop_on_error = true })
  if not report then return nil, problem end
  if report.errors[1] then return nil, report.errors[1].error end
  return found
end

local function scopes_of(agents)
  local scopes = {}
  for id in pairs(agents) do
    if id > 0 then scopes[#scopes + 1] = { agent_id = id } end
  end
  return scopes
end

-- ---- the sizes -------------------------------------------------------------------------------

local sizes = {}

sizes["results.evaluate_metrics"] = function(client, arguments)
  local found, problem = runs_of(client, { arguments.result_id })
  if not found then return nil, problem end
  local is_exact = true
  for _, id in ipairs(arguments.run_ids) do
    is_exact = is_exact and FINISHED[found.runs[check.to_id(id)]] or false
  end
  return { conversations = #arguments.run_ids, is_exact = is_exact,
    metric_ids = arguments.metric_ids, scopes = scopes_of(found.agents) }
end

--- A run that has not ended is counted: the call may find it finished.
sizes["results.bulk_evaluate_metrics"] = function(client, arguments)
  local found, problem = runs_of(client, arguments.result_ids)
  if not found then return nil, problem end
  local count, is_exact = 0, true
  for _, state in pairs(found.runs) do
    if not LEFT_OUT[state] then
      count, is_exact = count + 1, is_exact and FINISHED[state] or false
    end
  end
  return { conversations = count, is_exact = is_exact, metric_ids = arguments.metric_ids,
    scopes = scopes_of(found.agents) }
end

sizes["calls.evaluate_metrics"] = function(_, arguments)
  return { conversations = #arguments.call_logs, is_exact = true, metric_ids = arguments.metrics,
    scopes = { { agent_id = arguments.agent_id, project_id = arguments.project_id } } }
end

local function items(value) return ipairs(type(value) == "table" and value or {}) end

--- Returns where the price of a metric is listed.
local function scopes_of_metric(metric)
  local agent = type(metric.agents) == "table" and check.to_id(metric.agents[1])
  if agent then return { { agent_id = agent } } end
  return { { project_id = check.to_id(metric.project) } }
end

--- Returns the size of a job that evaluates the reviews in the metric's Lab that count.
local function size_of_job(client, metric_id, counts)
  local metric, problem = client.metrics:get { metric_id = metric_id }
  if metric == nil then return nil, problem end
  metric = type(metric) == "table" and metric or {}
  local number = 0
  for _, review in items(metric.reviews) do
    if type(review) == "table" and counts(review) then number = number + 1 end
  end
  return { conversations = number, is_exact = false, at_least = true, metric_ids = { metric_id },
    scopes = scopes_of_metric(metric) }
end

--- The optimiser evaluates its test sets afterwards. No document says how often it does before, or
--- what it costs without that.
sizes["metric_reviews.process_feedbacks"] = function(client, arguments)
  if arguments.skip_evaluation then
    return { is_exact = false, metric_ids = {}, scopes = {} }
  end
  local wanted
  for _, id in ipairs(arguments.test_set_ids or {}) do
    wanted = wanted or {}
    wanted[check.to_id(id)] = true
  end
  return size_of_job(client, arguments.metric_id, function(review)
    local id = type(review.test_set) == "table" and check.to_id(review.test_set.id)
    return not wanted or wanted[id or 0]
  end)
end

--- A label is a review with an expected value.
sizes["metrics.run_reviews"] = function(client, arguments)
  return size_of_job(client, arguments.metric_id, function(review)
    return review.expected_value ~= nil and review.expected_value ~= null
  end)
end

-- ---- the estimate ----------------------------------------------------------------------------

-- A dry run is refused as the call would be: 2^53 is the largest limit of one call.
local UNLIMITED = { dry_run = true, max_evaluations = 1 << 53, uncounted = true }

--- Checks the arguments as the call does. Returns true, or nil and an error. A limit of the client
--- does not prevent an estimate, and an item of `each` with an estimate has not made a dry run.
local function check_arguments(client, row, arguments)
  local resource = client[row.resource]
  local plan, problem = internal.unnoted(resource[row.call], resource, arguments, UNLIMITED)
  if plan or problem.kind == "budget" then return true end
  internal.note_failure(problem)
  return nil, problem
end

local function is_client(value)
  local meta = type(value) == "userdata" and getmetatable(value)
  return type(meta) == "table" and meta.__name == "cekura.client"
end

--- Raises, at the line of the caller of `cekura.estimate`, unless the types fit.
local function check_use(client, endpoint, arguments)
  local function expect(is_met, what) return is_met or error("estimate: " .. what, 4) end
  expect(is_client(client) or client == core and type(endpoint) == "string",
    "call it with a dot, and give it a client: cekura.estimate(client, …)")
  expect(type(endpoint) == "string", 'expected the name of an endpoint: "results.evaluate_metrics"')
  expect(type(arguments) == "table", "expected a table of arguments")
end

local function unknown_endpoint(name)
  local known = {}
  for _, row in ipairs(core.endpoints) do known[#known + 1] = row.name end
  local near = internal.nearest(name, known)
  return check.error("estimate", { { "endpoint", near
    and ('is not a known one, did you mean "%s"?'):format(near)
    or "is not a known one: see cekura.endpoints" } })
end

local function priced(client, size)
  local known, problem = prices.read(client, size.scopes)
  if not known then return nil, problem end
  local ids = {}
  for i, id in ipairs(size.metric_ids) do ids[i] = check.to_id(id) end
  local credits, unknown = prices.sum(known, ids, size.conversations or 0)
  return {
    evaluations = size.conversations and size.conversations * #ids,
    evaluations_at_least = size.at_least, exact = size.is_exact,
    credits = size.conversations and credits, unknown_metrics = unknown,
  }
end

--- Returns cekura.Estimate, or nil and an error. Raises unless the types of the arguments fit.
return function(client, endpoint, arguments)
  check_use(client, endpoint, arguments)
  local row = core.endpoints[endpoint]
  if not row then return nil, unknown_endpoint(endpoint) end
  local is_right, problem = check_arguments(client, row, arguments)
  if not is_right then return nil, problem end
  if not row.spends_credits then
    return { evaluations = 0, credits = 0, exact = true, unknown_metrics = core.array {} }
  end
  local size
  size, problem = sizes[endpoint](client, arguments)
  if not size then return nil, problem end
  return priced(client, size)
end
