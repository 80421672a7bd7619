--- The options --agent and --project, with defaults from the environment.

local command = require "cekura.review.internal.command"
local ids = require "cekura.review.internal.ids"

local scope = {}

-- { [option] = { variable of the environment, description } }
local OPTIONS = {
  agent = { "CEKURA_AGENT_ID", "Only of this agent (default: CEKURA_AGENT_ID)." },
  project = { "CEKURA_PROJECT_ID", "Only of this project (default: CEKURA_PROJECT_ID)." },
}

--- Returns an option for a parser, such as `scope.option(parser, "agent")`.
---@param name "agent"|"project"
---@param description string? of the option, without its default
function scope.option(parser, name, description)
  local text = OPTIONS[name][2]
  if description then text = ("%s (default: %s)."):format(description, OPTIONS[name][1]) end
  return parser:option("--" .. name, text, nil, ids.one):argname "ID"
end

--- Adds --agent and --project, of which the command line may have one.
function scope.add(parser)
  parser:mutex(scope.option(parser, "agent"), scope.option(parser, "project"))
end

--- Sets an option from the environment unless the command line has it.
local function set_default(options, name)
  local variable = OPTIONS[name][1]
  local text = command.setting(variable)
  if options[name] or not text then return end
  local id, problem = ids.one(text)
  if not id then command.misuse("%s: %s", variable, problem) end
  options[name] = id
end

--- Sets the options from the environment unless the command line has one of them, or another option
--- says what to read. The agent takes precedence, because it is narrower.
function scope.set_defaults(options)
  if options.agent or options.project then return end
  set_default(options, "agent")
  if not options.agent then set_default(options, "project") end
end

return scope
