--- The options and exit codes of waiting.
--- Commands wait for evaluations or for the optimiser.

local command = require "cekura.review.internal.command"

local waiting = {}

local function seconds(text)
  local number = tonumber(text)
  if number and number > 0 and number < math.huge then return number end
  return nil, ("'%s' is not a number of seconds"):format(text)
end

--- Adds the options of a wait to a parser.
---@param timeout number seconds, unless the user gives another number
function waiting.add_options(parser, timeout)
  local text = ("Wait no longer than this, in seconds (default: %d)."):format(timeout)
  parser:option("--timeout", text, timeout, seconds):argname "SECONDS"
  parser:option("--interval", "Poll at this interval, in seconds (default: the client's).")
    :convert(seconds)
    :argname "SECONDS"
  command.add_progress(parser)
end

--- Returns the second argument of a wait.
function waiting.options(options)
  return { timeout = options.timeout, interval = options.interval, progress = options.progress }
end

--- Returns the name of the exit code for an error of a wait. It is "timeout" only if the wait as a
--- whole ran out of time and its last poll reached the server.
function waiting.code_of(err)
  if err.kind == "needs_person" then return "person" end
  if err.kind == "failed" then return "failed" end
  if err.kind ~= "timeout" or err.last == nil then return command.code_of(err) end
  return err.cause and err.cause.kind == "network" and "network" or "timeout"
end

return waiting
