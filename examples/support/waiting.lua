--- What the commands that wait have in common: options, and what an error of a wait means.

local command = require "support.command"

local waiting = {}

local function seconds(text)
  local number = tonumber(text)
  if number and number > 0 and number < math.huge then return number end
  return nil, ("'%s' is not a number of seconds"):format(text)
end

--- Adds the options of a command that waits.
---@param default number seconds
function waiting.add_options(parser, default)
  local text = ("Wait no longer than this, in seconds (default: %d)."):format(default)
  parser:option("--timeout", text, default, seconds):argname "SECONDS"
  parser:option("--interval", "Look this often, in seconds (default: the client's).", nil, seconds)
    :argname "SECONDS"
end

--- Adds those of one that shows how far it is.
function waiting.add_progress(parser)
  parser:flag("--progress", "Show progress on stderr (the default).")
  parser:flag("--no-progress", "Show none."):target "progress":action "store_false":init(true)
end

--- The second argument of a wait.
function waiting.options(options)
  return { timeout = options.timeout, interval = options.interval, progress = options.progress }
end

--- The name of the exit code for an error of a wait. Only that of the whole wait is a timeout, and
--- not where nobody was there any more in the end.
function waiting.code_of(err)
  if err.kind == "needs_person" then return "person" end
  if err.kind == "failed" then return "failed" end
  if err.kind ~= "timeout" or err.last == nil then return command.code_of(err) end
  return err.cause and err.cause.kind == "network" and "network" or "timeout"
end

return waiting
