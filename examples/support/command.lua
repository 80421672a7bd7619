--- What the examples have in common as commands: arguments, messages, exit codes.

local output = require "support.output"

local command = {}

--- The exit codes of all examples.
command.codes = {
  ok = 0,
  failed = 1,        -- some of it did not go through
  usage = 2,         -- wrong arguments, files or settings: nothing was sent
  person = 3,        -- a person is needed
  network = 4,       -- no connection, or it is unknown whether a call arrived
  timeout = 5,
  interrupted = 130, -- Ctrl-C
}

local NO_ARGPARSE = [[
%s needs argparse, 0.7.1 or newer: apt install lua-argparse, luarocks install argparse, or
`make deps` in the checkout
]]

local function need_argparse(name)
  local found, argparse = pcall(require, "argparse")
  if found then return argparse end
  io.stderr:write(NO_ARGPARSE:format(name))
  os.exit(command.codes.usage)
end

--- A parser of argparse's whose errors and help end the command as everything else does.
---@param name string
---@param description string
function command.parser(name, description)
  local parser = need_argparse(name)(name, description):add_help(false)
  parser:flag("-h --help", "Show this help message and exit."):action(function()
    output.write(parser:get_help(), "\n")
    command.finish "ok"
  end)
  function parser.error(_, message)
    -- argparse asks "Did you mean …?" on a line of its own.
    local text = message:gsub("\n", ". ")
    local after = text:find "%?$" and " " or "; "
    command.fail("usage", "%s%s--help shows how it is used", text, after)
  end
  return parser
end

--- For options that are a number of things.
function command.count(text)
  local number = math.tointeger(tonumber(text))
  if number and number > 0 then return number end
  return nil, ("'%s' is not a whole number from 1 on"):format(text)
end

--- A variable of the environment; nil where it is not set, or empty.
function command.setting(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- ---- messages ----

--- Text from files and servers without control characters: a terminal would obey them.
function command.printable(text)
  return (text:gsub("%c", " "):gsub("\xC2[\x80-\x9F]", " "))
end

--- A line on stderr.
function command.say(...)
  output.complain(command.printable(table.concat { ... }), "\n")
end

-- ---- ending ----

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

--- The name of the exit code for an error that a call has returned.
function command.code_of(err)
  if err.kind == "config" or err.kind == "authentication" then return "usage" end
  if err.kind == "network" or err.kind == "timeout" or err.kind == "tls"
    or err.applied == "unknown" then return "network" end
  return "failed"
end

local function is_interrupt(problem)
  return type(problem) == "string" and problem:find "interrupted!$" ~= nil
end

--- An error that a call has returned, and that nobody could do anything about: assert raises it.
local function is_error(problem) return type(problem) == "table" and problem.kind ~= nil end

--- Of such an error: what the command was told is wrong, where it names what there is not.
local WRONG = { validation = true, budget = true, not_found = true }

local MISTAKE = "a mistake in this program, or in what it was answered: "

--- Says why, and returns the exit code.
local function explain(name, advice, problem)
  if getmetatable(problem) == Failure then
    if problem.message then command.say(name, ": ", problem.message) end
    return problem.code
  elseif is_error(problem) then
    command.say(name, ": ", tostring(problem))
    return command.codes[WRONG[problem.kind] and "usage" or command.code_of(problem)]
  elseif is_interrupt(problem) then
    command.say(name, ": interrupted: ", advice)
    return command.codes.interrupted
  end
  command.say(name, ": ", MISTAKE, tostring(problem))
  return command.codes.failed
end

--- What was not written has not been said: then the command has not succeeded.
local function check_output(name, code, lost)
  local problem = output.lost()
  if not problem then return code end
  command.say(name, ": the output is not complete: ", problem)
  return code == command.codes.ok and command.codes[lost] or code
end

--- Runs a command to its end, which is the process's: main returns the name of its exit code.
---@param name string
---@param advice string what to do after a Ctrl-C
---@param main fun(): string
---@param lost string? the name of the code where all went well, but not the output: "failed"
function command.run(name, advice, main, lost)
  local done, result = pcall(main)
  local code = done and command.codes[result] or explain(name, advice, result)
  os.exit(check_output(name, code, lost or "failed"), true)
end

return command
