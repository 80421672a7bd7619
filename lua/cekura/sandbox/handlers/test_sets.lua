--- Test sets: runs and call logs with labels, in the Labs of metrics.

local errors = require "cekura.sandbox.errors"
local generate = require "cekura.sandbox.generate"
local lab = require "cekura.sandbox.lab"
local lab_views = require "cekura.sandbox.lab_views"

local handlers = {}

--- Returns the labels with their metrics, which must be defined for the agent; or nil, a status and
--- a body.
local function labels_of(store, given, agent)
  local labels = {}
  for i, item in ipairs(given) do
    local metric = store.metrics[item.metric]
    if not metric then return nil, errors.unknown_id("metrics", item.metric) end
    if not generate.is_for(metric, agent) then
      return nil, errors.bad("metrics", "Metric %d does not belong to agent %d.", metric.id,
        agent.id)
    end
    labels[i] = { metric = metric, expected_value = item.expected_value, feedback = item.feedback }
  end
  return labels
end

--- Creates or changes the test set of a call.
local function create(store, call, args, version)
  local project = args.project
  if project and not store.projects[project] then return errors.unknown_id("project", project) end
  if project and project ~= call.agent.project then
    return errors.bad("project", "Project %d does not own this.", project)
  end
  local labels, status, problem = labels_of(store, args.metrics, call.agent)
  if not labels then return status, problem end
  return 200, lab_views.test_set_detail(lab.add(store, call, labels, args.name), store, version)
end

handlers["POST /test_framework/test-sets/create_from_run/"] = function(store, args, _, version)
  local run = store:run(args.run_id)
  if not run then return errors.unknown_id("run_id", args.run_id) end
  if run.status ~= "completed" then
    return errors.bad("run_id", "Run %d is not completed: its status is %s.", run.id, run.status)
  end
  return create(store, run, args, version)
end

handlers["POST /test_framework/test-sets/create_from_call_log/"] = function(store, args, _, version)
  local log = store:call_log(args.call_log_id)
  if not log then return errors.unknown_id("call_log_id", args.call_log_id) end
  return create(store, log, args, version)
end

return handlers
