--- The state of the store as plain tables, for server:state(): they are copied to the state of the
--- host, so they share nothing with the store.

local fields = require "cekura.sandbox.fields"
local lab = require "cekura.sandbox.lab"
local Store = require "cekura.sandbox.store"

local snapshot = {}

--- Returns the values of a call and the votes on them, by metric id.
local function evaluations(call)
  local list = {}
  for _, e in ipairs(call.evaluations) do
    list[e.metric.id] = {
      value = e.value, evaluations = e.n + 1, updated_at = e.updated_at,
      is_reviewed = e.reviewed_at ~= nil, expected_value = e.expected, thumbs_up = e.thumbs_up,
      feedback = e.feedback,
    }
  end
  return list
end

local function call(item)
  return {
    id = item.id, agent_id = item.agent.id, is_reviewed = item.is_reviewed or false,
    success = Store.success(item), evaluation_status = Store.evaluation_status(item),
    evaluating = item.pending > 0, timestamp = item.timestamp, updated_at = item.updated_at,
    metrics = evaluations(item),
  }
end

--- The parts with ids: a table that has them as keys, and the view of one item.
local ITEMS = {
  runs = {
    ids = function(store) return store.result_of_run end,
    view = function(store, id)
      local run = store:run(id)
      local view = call(run)
      view.status, view.result_id = Store.run_status(run), run.result.id
      return view
    end,
  },
  call_logs = {
    ids = function(store) return store.call_log_entries end,
    view = function(store, id) return call(store:call_log(id)) end,
  },
  results = {
    ids = function(store) return store.results end,
    view = function(store, id)
      local result, run_ids = store.results[id], {}
      for i = 1, result.run_count do run_ids[i] = result.first_run + i - 1 end
      return {
        id = id, name = result.name, agent_id = result.agent.id,
        status = store:result_status(result), updated_at = result.updated_at, run_ids = run_ids,
      }
    end,
  },
  metrics = {
    ids = function(store) return store.metrics end,
    view = function(store, id)
      local m = store.metrics[id]
      return {
        id = id, slug = m.slug, name = m.name, project_id = m.project,
        agents = { table.unpack(m.agents) }, eval_type = m.eval_type, type = m.type,
        description = m.description, enum_values = m.enum_values, version = m.version,
        improved = m.level > 0, updated_at = m.updated_at,
      }
    end,
  },
  test_sets = {
    ids = lab.test_sets,
    view = function(store, id)
      local set = store.test_sets[id]
      local reviews = {}
      for metric_id, review in pairs(set.reviews) do
        reviews[metric_id] = {
          id = review.id, expected_value = review.expected, actual_value = review.actual,
          feedback = review.feedback, updated_at = review.updated_at,
        }
      end
      return {
        id = id, name = set.name, kind = set.call.kind, source_id = set.call.id,
        created_at = set.created_at, updated_at = set.updated_at, metrics = reviews,
      }
    end,
  },
  agents = {
    ids = function(store) return store.agents end,
    view = function(store, id)
      local a = store.agents[id]
      return { id = id, name = a.name, project_id = a.project, inbound = a.inbound }
    end,
  },
}

local function ids(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.id end
  return found
end

local function job(j)
  local view = { id = j.id, kind = j.kind, status = j.status, progress_id = j.progress_id }
  if j.metric then
    view.metric_id = j.metric.id
  else
    view.metric_ids, view.call_ids = ids(j.metrics), ids(j.calls)
    view.result_id = j.result and j.result.id
  end
  return view
end

--- The parts without ids. init.lua adds the number of connections.
local OTHERS = {
  jobs = function(store)
    local jobs = {}
    for i, item in ipairs(store.jobs:list()) do jobs[i] = job(item) end
    return jobs
  end,
  votes = function(store) return store.votes:list() end,
  balance = function(store) return store.balance end,
  faults = function(_, faults) return faults:state() end,
  connections = function() return nil end,
}

--- Returns the id as an integer: a number, its digits, or a metric's slug. Raises for others.
local function read_id(store, part, id)
  local number = type(id) == "number" and math.tointeger(id)
    or type(id) == "string" and id:find "^[0-9]+$" and math.tointeger(tonumber(id))
  if number then return number end
  local metric = part == "metrics" and type(id) == "string" and store:metric(id)
  if metric then return metric.id end
  error(("the state %q has no item %s"):format(part,
    type(id) == "string" and ("%q"):format(id) or tostring(id)), 0)
end

--- Returns one item, or nil if there is none with the id.
local function item_of(store, part, id)
  local items = ITEMS[part]
  if not items then error(("the state %q has no ids"):format(part), 0) end
  local number = read_id(store, part, id)
  return items.ids(store)[number] and items.view(store, number) or nil
end

local function part_of(store, faults, part)
  if OTHERS[part] then return OTHERS[part](store, faults) end
  local views = {}
  for id in pairs(ITEMS[part].ids(store)) do views[id] = ITEMS[part].view(store, id) end
  return views
end

--- Returns the whole state, a part, or an item of a part (nil if there is none with the id).
---@param store cekura.sandbox.Store
---@param faults cekura.sandbox.Faults
---@param part string?
---@param id integer|string|nil
function snapshot.of(store, faults, part, id)
  local state, known = {}, {}
  for _, parts in ipairs { ITEMS, OTHERS } do
    for name in pairs(parts) do known[name] = true end
  end
  if part == nil then
    if id ~= nil then error("the name of a state expected before the id", 0) end
    for name in pairs(known) do state[name] = part_of(store, faults, name) end
    return state
  elseif not known[part] then
    local suggestion = fields.suggestion(part, known)
    error(("there is no state called %q%s"):format(tostring(part), suggestion), 0)
  elseif id == nil then
    return part_of(store, faults, part)
  end
  return item_of(store, part, id)
end

return snapshot
