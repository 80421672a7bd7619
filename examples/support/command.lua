--- The common part of the examples as commands: arguments, messages on stderr, exit codes.
--- Errors of calls may be raised: `command.run` explains them and ends the process.

local output = require "support.output"
local text = require "support.text"

local command = {}

--- The exit codes of all examples.
command.codes = {
  ok = 0,
  failed = 1,        -- the server refused something, or a threshold was missed
  usage = 2,         -- wrong arguments, files or settings: nothing was sent
  person = 3,        -- a person has to decide
  network = 4,       -- no connection, or it is unknown whether a call arrived
  timeout = 5,
  interrupted = 130, -- Ctrl-C
}

-- ---- arguments ----

local NO_ARGPARSE = [[
%s needs argparse, 0.7.1 or newer: apt install lua-argparse, luarocks install argparse, or
`make deps` in the checkout
]]

--- Returns a parser of argparse. Its errors and --help end the command through `command.run`.
---@param name string
---@param description string
function command.parser(name, description)
  local found, argparse = pcall(require, "argparse")
  if not found then
    io.stderr:write(NO_ARGPARSE:format(name))
    os.exit(command.codes.usage)
  end
  local parser = argparse(name, description):add_help(false)
  parser:flag("-h --help", "Show this help message and exit."):action(function()
    output.write(parser:get_help(), "\n")
    command.finish "ok"
  end)
  function parser.error(_, message)
    -- argparse puts "Did you mean …?" on a second line.
    local line = message:gsub("\n", ". ")
    local after = line:find "%?$" and " " or "; "
    command.fail("usage", "%s%s--help shows how it is used", line, after)
  end
  return parser
end

--- Adds the option for progress on stderr.
function command.add_progress(parser)
  parser:flag("--progress", "Show progress on stderr (the default).")
  parser:flag("--no-progress", "Show no progress.")
    :target "progress":action "store_false":init(true)
end

--- Parses an argument that is a positive integer. Returns it, or nil and a message.
function command.count(argument)
  local number = math.tointeger(tonumber(argument))
  if number and number > 0 then return number end
  return nil, ("'%s' is not a whole number from 1 on"):format(argument)
end

--- Returns a variable of the environment; nil if it is not set, or empty.
function command.setting(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- ---- messages and the end ----

--- Writes a line without control characters to stderr.
function command.say(...)
  output.complain(text.line(table.concat { ... }), "\n")
end

local Failure = {}

--- Ends the command with a line on stderr and an exit code.
---@param code string a name of command.codes
---@param format string
function command.fail(code, format, ...)
  error(setmetatable({ code = command.codes[code], message = format:format(...) }, Failure), 0)
end

--- Ends the command without a message.
---@param code string a name of command.codes
function command.finish(code) error(setmetatable({ code = command.codes[code] }, Failure), 0) end

--- Returns the name of the exit code for an error of a call.
function command.code_of(err)
  if err.kind == "config" or err.kind == "authentication" then return "usage" end
  if err.kind == "network" or err.kind == "timeout" or err.kind == "tls"
    or err.applied == "unknown" then return "network" end
  return "failed"
end

-- The kinds of raised errors that a wrong argument causes.
local WRONG = { validation = true, budget = true, not_found = true }

local MISTAKE = "a mistake in this program, or in a response: "

--- Says why main ended with an error. Returns the exit code.
local function explain(name, advice, problem)
  if getmetatable(problem) == Failure then
    if problem.message then command.say(name, ": ", problem.message) end
    return problem.code
  elseif type(problem) == "table" and problem.kind then
    command.say(name, ": ", tostring(problem))
    return command.codes[WRONG[problem.kind] and "usage" or command.code_of(problem)]
  elseif type(problem) == "string" and problem:find "interrupted!$" then
    command.say(name, ": interrupted: ", advice)
    return command.codes.interrupted
  end
  command.say(name, ": ", MISTAKE, tostring(problem))
  return command.codes.failed
end

--- Runs a command and ends the process.
---@param name string
---@param advice string what to do after a Ctrl-C
---@param main fun(): string returns the name of the exit code
---@param lost string? the name of the exit code if only the output failed: "failed"
function command.run(name, advice, main, lost)
  local done, result = pcall(main)
  local code = done and command.codes[result] or explain(name, advice, result)
  local problem = output.lost()
  if problem then
    command.say(name, ": the output is not complete: ", problem)
    if code == command.codes.ok then code = command.codes[lost or "failed"] end
  end
  os.exit(code, true)
end

return command
