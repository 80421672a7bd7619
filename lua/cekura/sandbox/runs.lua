--- The filters of runs.list. The document describes few of them; the others follow their names.

require "cekura.core" -- preloads cekura.internal
local ascii = require "cekura.internal.ascii"

local scope = require "cekura.sandbox.scope"
local Store = require "cekura.sandbox.store"
local views = require "cekura.sandbox.views"

local runs = {}

--- The parts of a run that a filter compares.
local PARTS = {
  id = function(run) return run.id end,
  status = function(run) return Store.run_status(run) end,
  success = function(run) return Store.success(run) end,
  timestamp = function(run) return run.timestamp end,
  duration = views.duration,
  call_id = views.call_id,
  call_ended_reason = views.ended_reason,
  agent = function(run) return run.agent.id end,
  result = function(run) return run.result.id end,
  run_as_text = function() return false end,
  scenario = function(run) return run.scenario.id end,
  personality = function() return views.PERSONALITY.id end,
}

--- The tests: each returns a test of a part for the argument of a request.
local function eq(wanted) return function(part) return part == wanted end end

local function eq_text(wanted) return function(part) return tostring(part) == wanted end end

local function at_least(wanted) return function(part) return part >= wanted end end

local function at_most(wanted) return function(part) return part <= wanted end end

--- Returns whether the part contains the wanted text, in any case of letters.
local function contains(wanted)
  wanted = ascii.lower(tostring(wanted))
  return function(part) return ascii.lower(tostring(part)):find(wanted, 1, true) ~= nil end
end

local function one_of(list)
  local set = scope.set_of(list)
  return function(part) return set[part] end
end

--- Returns a test like one_of for a text with commas.
local function one_of_text(text)
  local set = {}
  for item in text:gmatch "[^,]+" do set[item:match "^ *(.-) *$"] = true end
  return function(part) return set[tostring(part)] end
end

--- Returns a test like `compare` for a time as text.
local function time(compare)
  return function(text) return compare(views.seconds(text)) end
end

--- The part and the test of each filter.
local FILTERS = {
  id = { "id", eq_text }, id__in = { "id", one_of }, id__contains = { "id", contains },
  status = { "status", eq }, status__in = { "status", one_of }, success = { "success", eq },
  timestamp__gte = { "timestamp", time(at_least) }, timestamp__lte = { "timestamp", time(at_most) },
  created_at_from = { "timestamp", time(at_least) }, created_at_to = { "timestamp", time(at_most) },
  duration__gte = { "duration", at_least }, duration__lte = { "duration", at_most },
  call_id = { "call_id", eq }, call_id__icontains = { "call_id", contains },
  provider_call_id = { "call_id", eq }, provider_call_id__icontains = { "call_id", contains },
  call_ended_reason = { "call_ended_reason", eq },
  call_ended_reason__icontains = { "call_ended_reason", contains },
  call_ended_reason__in = { "call_ended_reason", one_of_text },
  result__id = { "result", eq }, result__agent_id = { "agent", eq },
  result__agent_id__in = { "agent", one_of }, result__run_as_text = { "run_as_text", eq },
  scenario__id = { "scenario", eq }, scenario__id__in = { "scenario", one_of },
  scenarios = { "scenario", one_of_text },
  personality__id = { "personality", eq }, personality__id__in = { "personality", one_of },
  personalities = { "personality", one_of_text },
}

--- The arguments that are not tested here.
local OTHERS = scope.set_of {
  "agent_id", "project_id", "assistant_id", "result_id", "page", "page_size", "include_count", "ql",
}

--- Returns a test of runs for the arguments of a request; or nil and the name of an argument that
--- the data of the sandbox cannot express, or whose meaning is not documented.
---@param store cekura.sandbox.Store
---@param args table
---@return (fun(run: table): boolean)? test
---@return string? unsupported
function runs.test(store, args)
  local tests, unsupported = {}, nil
  for name, given in pairs(args) do
    local filter = FILTERS[name]
    if filter then
      tests[#tests + 1] = { part = PARTS[filter[1]], passes = filter[2](given) }
    elseif not OTHERS[name] and (not unsupported or name < unsupported) then
      unsupported = name
    end
  end
  if unsupported then return nil, unsupported end
  return function(run)
    for _, test in ipairs(tests) do
      if not test.passes(test.part(run, store)) then return false end
    end
    return true
  end
end

return runs
