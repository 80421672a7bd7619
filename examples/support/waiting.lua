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
  parser:option("--timeout", ("Wait no longer than this, in seconds (default: %d)."):format(default),
    default, seconds):argname "SECONDS"
  parser:option("--interval", "Look this often, in seconds (default: the client's).", nil, seconds)
    :argname "SECONDS"
  parser:flag("--no-progress", "Show no progress on stderr."):target "progress"
    :action "store_false"
end

--- The second argument of a wait.
function waiting.options(options)
  return { timeout = options.timeout, interval = options.interval,
    progress = options.progress ~= false }
end

--- Whether it is the whole wait that was too long, and not an attempt or a lost network.
local function is_late(err)
  return err.kind == "timeout" and not err.cause and (err.endpoint or ""):find "%.wait$" ~= nil
end

--- The name of the exit code for what a call or a wait has returned.
function waiting.code_of(err)
  if err.kind == "needs_person" then return "person" end
  if err.kind == "failed" then return "failed" end
  return is_late(err) and "timeout" or command.code_of(err)
end

return waiting
