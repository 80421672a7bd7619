--- Metrics: reads and changes.

local errors = require "cekura.sandbox.errors"
local scope = require "cekura.sandbox.scope"
local views = require "cekura.sandbox.views"

local handlers = {}

handlers["GET /test_framework/v2/metrics/{metric_id}/"] = function(store, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.not_found "Metric" end
  return 200, views.metric_detail(metric, store)
end

--- The arguments that do not change the metric: a project is read-only once it is set.
local READ_ONLY = { metric_id = true, project = true }

handlers["PATCH /test_framework/v2/metrics/{metric_id}/"] = function(store, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.not_found "Metric" end
  local agents, unknown = scope.find_all(args.agents or {}, function(id)
    return store.agents[id]
  end)
  if not agents then return errors.unknown_id("agents", unknown) end
  local changes = {}
  for name, given in pairs(args) do
    if not READ_ONLY[name] then changes[name] = given end
  end
  store:update_metric(metric, changes)
  return 200, views.metric(metric)
end

return handlers
