--- Metrics: reads and changes.

local errors = require "cekura.sandbox.errors"
local filters = require "cekura.sandbox.filters"
local json = require "cekura.sandbox.json"
local lab_views = require "cekura.sandbox.lab_views"
local lists = require "cekura.sandbox.lists"
local scope = require "cekura.sandbox.scope"
local views = require "cekura.sandbox.views"

local array = json.array

local handlers = {}

--- The fields of `filters` in the document of metrics-list.
local KNOWN = {
  fields = { agents__id = "agents", eval_type = "eval_type", type = "type", name = "name" },
  operators = scope.set_of { "in", "eq", "contains" },
}

--- Returns whether one of the metric's agents passes the test.
local function has_agent(store, metric, test)
  for _, id in ipairs(metric.agents) do
    if test(store.agents[id]) then return true end
  end
  return false
end

handlers["GET /test_framework/v2/metrics/"] = function(store, args)
  local passes, problem
  if args.filters then passes, problem = filters.compile(args.filters, KNOWN) end
  if problem then return errors.bad("filters", "%s", problem) end
  local wanted, list = args.agents and scope.set_of(args.agents), array {}
  for _, metric in ipairs(store.metric_list) do
    local view = views.metric_in_list(metric, store, args.include_scores)
    local fits = has_agent(store, metric, function(agent)
      return scope.contains(agent, args) and (not wanted or wanted[agent.id])
    end)
    if fits and (not args.slug or metric.slug == args.slug) and (not passes or passes(view)) then
      list[#list + 1] = view
    end
  end
  return 200, list
end

handlers["GET /test_framework/v2/metrics/{metric_id}/"] = function(store, args, _, version)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.not_found "Metric" end
  return 200, lab_views.metric_detail(metric, store, version)
end

--- The arguments that the metric does not keep: those that the document marks as write-only, and
--- the project, which is read-only once it is set.
local NOT_KEPT = scope.set_of {
  "metric_id", "project", "agent", "assistant_id", "llm_provider", "relevance_llm_provider",
  "scenarios", "apply_to_all_agents", "add_to_rubric",
}

--- Returns the status and the body of an error if the changes do not fit the metric, or nil.
local function problem_with(store, metric, changes)
  local _, unknown = scope.find_all(changes.agents or {}, function(id) return store.agents[id] end)
  if unknown then return errors.unknown_id("agents", unknown) end
  local eval_type = changes.eval_type or metric.eval_type
  if changes.alert_enabled and eval_type ~= "binary" then
    return errors.bad("alert_enabled", "Only applicable to binary metrics.")
  end
  for _, other in ipairs(store.metric_list) do
    if other ~= metric and changes.slug and other.slug == changes.slug then
      return errors.bad("slug", "metric with this slug already exists.")
    end
  end
end

handlers["PATCH /test_framework/v2/metrics/{metric_id}/"] = function(store, args, _, version)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.not_found "Metric" end
  local changes = {}
  for name, given in pairs(args) do
    if not NOT_KEPT[name] then changes[name] = given end
  end
  if math.type(args.agent) then changes.agents = array { args.agent } end
  local status, problem = problem_with(store, metric, changes)
  if status then return status, problem end
  store:update_metric(metric, changes)
  return 200, lab_views.metric_detail(metric, store, version)
end

-- ---- versions ----

local function everything() return true end

handlers["GET /test_framework/v2/metrics/{metric_id}/history/"] = function(store, args, request)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.not_found "Metric" end
  local versions = lists.newest_first(metric.history:list(), everything)
  return lists.page(versions, args, request, lab_views.version)
end

handlers["POST /test_framework/v2/metrics/{metric_id}/restore/"] =
  function(store, args, _, version)
    local metric = store.metrics[args.metric_id]
    if not metric then return errors.not_found "Metric" end
    if not store:restore_metric(metric, args.history_id) then
      return errors.not_found "HistoricalMetric"
    end
    return 200, lab_views.metric_detail(metric, store, version)
  end

return handlers
