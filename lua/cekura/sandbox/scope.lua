--- Looks items up by their ids, and agents by the scope of a request.

local errors = require "cekura.sandbox.errors"

local scope = {}

function scope.set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

--- Returns what find(id) returns for each id, without duplicates; or nil and the first unknown id.
function scope.find_all(ids, find)
  local found, seen = {}, {}
  for _, id in ipairs(ids) do
    local number = math.tointeger(tonumber(id))
    local item = number and find(number)
    if not item then return nil, id end
    if not seen[item] then found[#found + 1] = item end
    seen[item] = true
  end
  return found
end

--- Returns whether an agent is the one of agent_id and of assistant_id, and in the project of
--- project_id.
function scope.contains(agent, args)
  return (not args.agent_id or agent.id == args.agent_id)
    and (not args.project_id or agent.project == args.project_id)
    and (not args.assistant_id or agent.assistant_id == args.assistant_id)
end

--- Returns a test on agents for agent_id or project_id; or nil, a status and a body if the id
--- is unknown.
function scope.of(store, args)
  if args.agent_id and not store.agents[args.agent_id] then
    return nil, errors.unknown_id("agent_id", args.agent_id)
  elseif args.project_id and not store.projects[args.project_id] then
    return nil, errors.unknown_id("project_id", args.project_id)
  end
  return function(agent) return scope.contains(agent, args) end
end

return scope
