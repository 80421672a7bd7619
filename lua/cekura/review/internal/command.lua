--- The common part of the subcommands: exit codes, messages on stderr, common options.
--- Errors of calls may be raised: main.lua explains them and ends the process.

local output = require "cekura.review.internal.output"
local text = require "cekura.review.internal.text"

local command = {}

--- A subcommand is a module that returns this table.
---@class cekura.review.Command
---@field name string
---@field summary string one line for the list of subcommands
---@field description string what it does, above its options in --help
---@field example string the words after "cekura-review" of a typical use
---@field notes string? more about its use, below its options, with its exit codes
---@field advice string what to do after a Ctrl-C
---@field lost string? the name of the exit code if only the output failed: "failed"
---@field empty table? the data for --json if the command ends with an error
---@field add_options fun(parser: table)? adds arguments and options to a parser of argparse
---@field run fun(options: table, root: table): string, table? returns the name of the exit code,
---and the data for --json, see also command.keep; `root` is the parser of the whole command

--- The exit codes of all subcommands.
command.codes = {
  ok = 0,
  failed = 1,        -- the server refused something, or a threshold was missed
  usage = 2,         -- wrong arguments, files or settings: nothing was sent
  person = 3,        -- a person has to decide
  network = 4,       -- no connection, or it is unknown whether a call arrived
  timeout = 5,
  unclear = 6,       -- a difference that may be chance
  interrupted = 130, -- Ctrl-C
}

--- The words before the messages on stderr; main.lua adds the subcommand.
command.title = "cekura-review"

-- ---- common options ----

--- Adds the option for progress on stderr.
function command.add_progress(parser)
  parser:flag("--progress", "Show progress on stderr (the default).")
  parser:flag("--no-progress", "Show no progress.")
    :target "progress":action "store_false":init(true)
end

--- Adds --concurrency.
function command.add_concurrency(parser)
  parser:option("--concurrency", "How many calls at once (default: 8).", 8, command.count)
    :argname "N"
end

--- Adds --apply and --max-evaluations.
---@param what string what --apply does: "Start the evaluation"
function command.add_spending(parser, what)
  parser:flag("--apply", what .. "; spends credits.")
  parser:option("--max-evaluations", "Refuse to start more evaluations.", nil, command.count)
    :argname "N"
end

--- Parses an argument that is a positive integer. Returns it, or nil and a message.
function command.count(argument)
  local number = math.tointeger(tonumber(argument))
  if number and number > 0 then return number end
  return nil, ("'%s' is not a whole number from 1 on"):format(argument)
end

--- Parses an argument that is a share. Returns it, or nil and a message.
function command.share(argument)
  local number = tonumber(argument)
  if number and number >= 0 and number <= 1 then return number end
  return nil, ("'%s' is not a share from 0 to 1"):format(argument)
end

--- Parses an argument that is a confidence. Returns it, or nil and a message.
function command.confidence(argument)
  local number = tonumber(argument)
  if number and number >= 0.5 and number <= 0.9999 then return number end
  return nil, ("'%s' is not a confidence from 0.5 to 0.9999, such as 0.95"):format(argument)
end

--- Returns a variable of the environment; nil if it is not set, or empty.
function command.setting(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- ---- messages and the end ----

--- Writes a line without control characters to stderr, as it is: "votes.csv:3: …".
function command.complain(format, ...)
  output.complain(text.line(format:format(...)), "\n")
end

--- Writes a line to stderr, after the name of the command.
function command.say(format, ...)
  command.complain("%s: %s", command.title, format:format(...))
end

local Failure = {}

--- Ends the command with a line on stderr and an exit code.
---@param code string a name of command.codes
---@param format string
function command.fail(code, format, ...)
  error(setmetatable({ code = code, message = format:format(...) }, Failure), 0)
end

local kept

--- Sets the data for --json of a command that ends with an error, and returns it. The command may
--- go on to fill the table, so that the data shows how far it came.
---@param data table
function command.keep(data)
  kept = data
  return data
end

--- Returns the data that `keep` has set, if any.
function command.kept() return kept end

--- Ends the command because its arguments are wrong.
function command.misuse(format, ...)
  local message = format:format(...)
  local after = message:find "%?$" and " " or "; "
  command.fail("usage", "%s%s--help shows how it is used", message, after)
end

--- Returns the value of a call that reads one thing. Ends the command if none has this id.
---@param what string "result"
---@param id integer
function command.found(what, id, value, err)
  if value then return value end
  if err.kind == "not_found" then command.fail("usage", "there is no %s %d: %s", what, id, err) end
  error(err, 0)
end

--- Ends the command without a message.
---@param code string a name of command.codes
function command.finish(code) error(setmetatable({ code = code }, Failure), 0) end

--- Calls a function that may end the command. Returns its results; if it ends the command, or the
--- error of a call is raised, prints the message and returns the name of the exit code, nil and the
--- message. Other errors, such as a Ctrl-C, are raised.
function command.attempt(work, ...)
  local results = table.pack(pcall(work, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local problem = results[2]
  if type(problem) ~= "table" then error(problem, 0) end
  local code, message = command.explain(problem, "")
  if message then command.say("%s", message) end
  return code, nil, message
end

--- Returns the name of the exit code for an error of a call.
function command.code_of(err)
  if err.kind == "config" or err.kind == "authentication" then return "usage" end
  if err.kind == "network" or err.kind == "timeout" or err.kind == "tls"
    or err.applied == "unknown" then return "network" end
  return "failed"
end

-- The kinds of raised errors that a wrong argument causes.
local WRONG = { validation = true, budget = true, not_found = true }

local MISTAKE = "a mistake in this program, or in a response: %s"

--- Returns the name of the exit code for what a subcommand has raised, and a message unless there
--- is nothing to say.
---@param advice string what to do after a Ctrl-C
---@return string code
---@return string? message
function command.explain(problem, advice)
  if getmetatable(problem) == Failure then return problem.code, problem.message end
  if type(problem) == "table" and problem.kind then
    return WRONG[problem.kind] and "usage" or command.code_of(problem), tostring(problem)
  elseif type(problem) == "string" and problem:find "interrupted!$" then
    return "interrupted", "interrupted: " .. advice
  end
  return "failed", MISTAKE:format(tostring(problem))
end

return command
