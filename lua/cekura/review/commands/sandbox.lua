--- Runs a sandbox of the API in the foreground.

local command = require "cekura.review.internal.command"
local load_sandbox = require "cekura.review.internal.sandbox"
local output = require "cekura.review.internal.output"

local sandbox = {
  name = "sandbox",
  summary = "run a sandbox of the API in the foreground",
  description = "Runs a sandbox of the API on a loopback port, in the foreground, until Ctrl-C.",
  example = "sandbox --port 8080",
  advice = "the sandbox has ended",
  notes = [[
It prints the address and the key for CEKURA_API_URL and CEKURA_API_KEY. Its data is made up, and is
forgotten when it ends; nothing reaches the real API.

Exit codes: 0 ended by Ctrl-C or SIGTERM; 2 the port is in use, wrong usage, or the rock
cekura-sandbox is not installed.]],
}

local function port(argument)
  local number = math.tointeger(tonumber(argument))
  if number and number >= 0 and number <= 65535 then return number end
  return nil, ("'%s' is not a port: a whole number from 0 (any free one) to 65535"):format(argument)
end

local function seconds(argument)
  local number = tonumber(argument)
  if number and number >= 0 and number < math.huge then return number end
  return nil, ("'%s' is not a number of seconds"):format(argument)
end

function sandbox.add_options(parser)
  parser:option("--port", "Listen on this port (default: 8080; 0: any free one).", 8080, port)
    :argname "PORT"
  parser:option("--evaluation-time", "How long an evaluation takes, in seconds (default: 0.2).")
    :convert(seconds):argname "SECONDS"
  parser:option("--seed", "Make other data: the same seed makes the same data (default: 1).", 1,
    command.count):argname "N"
end

function sandbox.run(options)
  local served, problem = pcall(load_sandbox().serve, {
    port = options.port, evaluation_time = options.evaluation_time, seed = options.seed,
  }, output.write)
  if served then return "ok" end
  command.fail("usage", "%s; --port names another port",
    tostring(problem):match "sandbox%.start: ([^\n]*)" or problem)
end

return sandbox
