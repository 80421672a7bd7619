--- The program cekura-review: reads the command line, runs one subcommand, and ends the process
--- with its exit code.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local internal = require "cekura.internal"
local output = require "cekura.review.internal.output"
local spent = require "cekura.review.internal.spent"
local text = require "cekura.review.internal.text"

local NAMES = {
  "votes", "reevaluate", "bulk", "calls", "improve", "labs", "gate", "compare", "report", "sample",
  "export", "call", "demo", "sandbox", "completion",
}

local WIDTH = 100  -- columns of the help
local NARROW = 60  -- columns that are too few for two columns of text

local DESCRIPTION = "Review and evaluation workflows on Cekura."

local EPILOG = [[
The key is read from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set. Nothing is
spent without --apply.

Exit codes: 0 done; 1 refused, or below a threshold; 2 wrong usage, ids, key or files; 3 a person is
needed; 4 no connection, or an unknown outcome; 5 a timeout; 6 unclear; 130 Ctrl-C.

  cekura-review COMMAND --help    the options of a subcommand, with an example]]

local NO_ARGPARSE = [[
cekura-review needs argparse, 0.7.1 or newer: luarocks install argparse, apt install lua-argparse,
or `make deps` in the checkout
]]

local function load_argparse()
  local found, argparse = pcall(require, "argparse")
  if found then return argparse end
  io.stderr:write(NO_ARGPARSE)
  os.exit(command.codes.usage)
end

-- ---- the parser ----

local function help_columns() return math.min(output.columns() or WIDTH, WIDTH) end

--- Folds a line between its words. argparse folds neither a group of options nor all descriptions.
local function fold(line, columns)
  local indent, lines = line:match "^ *":sub(1, columns // 4), {}
  local current = indent
  for word in line:gmatch "%S+" do
    if current ~= indent and #current + 1 + #word > columns then
      lines[#lines + 1], current = current, indent
    end
    current = current == indent and indent .. word or current .. " " .. word
  end
  lines[#lines + 1] = current
  return table.concat(lines, "\n")
end

--- Returns the help of a parser, with lines that fit on the terminal if their words do.
local function help_of(parser)
  local columns = help_columns()
  return (parser:get_help():gsub("[^\n]+", function(line)
    return #line > columns and fold(line, columns) or line
  end))
end

--- Prints the help of a parser to stdout, and ends the command.
local function add_help(parser)
  parser:flag("-h --help", "Show this help message and exit."):action(function()
    output.write(help_of(parser), "\n")
    command.finish "ok"
  end)
end

--- Fills the lines of each paragraph. Indented lines are only folded. argparse would take a line
--- that begins with an option for an item of a list.
local function fill(notes)
  local lines, columns = {}, help_columns()
  for line in (notes .. "\n"):gmatch "([^\n]*)\n" do
    local last = lines[#lines]
    if last and last:find "^%S" and line:find "^%S" then
      lines[#lines] = last .. " " .. line
    else
      lines[#lines + 1] = line
    end
  end
  for i, line in ipairs(lines) do
    if #line > columns then lines[i] = fold(line, columns) end
  end
  return table.concat(lines, "\n")
end

--- Prints the version, which is that of the client, and ends the command.
local function add_version(parser)
  parser:flag("--version", "Show the version and exit."):action(function()
    output.print("cekura-review " .. cekura._VERSION)
    command.finish "ok"
  end)
end

---@param subcommand cekura.review.Command
local function add_subcommand(parser, subcommand)
  local sub = parser:command(subcommand.name, subcommand.description)
    :summary(subcommand.summary):add_help(false)
  add_help(sub)
  if subcommand.add_options then subcommand.add_options(sub) end
  sub:flag("--json", "One JSON object on stdout; everything else goes to stderr.")
  local example = ("Example:\n  cekura-review %s"):format(subcommand.example)
  sub:epilog(subcommand.notes and example .. "\n\n" .. fill(subcommand.notes) or example)
end

local function parser_of(subcommands)
  local parser = load_argparse()("cekura-review", DESCRIPTION):add_help(false)
  add_help(parser)
  add_version(parser)
  parser:command_target "command":require_command(true):epilog(fill(EPILOG))
  local columns = help_columns()
  parser:help_max_width(columns):usage_max_width(columns)
  if columns < NARROW then parser:help_description_margin(8) end
  for _, subcommand in ipairs(subcommands) do add_subcommand(parser, subcommand) end
  function parser.error(_, message)
    command.misuse("%s", (message:gsub("\n", ". ")))  -- "Did you mean …?" is on a second line
  end
  return parser
end

-- ---- running ----

local function has_word(words, wanted)
  for _, word in ipairs(words) do
    if word == wanted then return true end
  end
  return false
end

-- The options that name a file that a subcommand writes for people or other programs.
local FILES = { "output", "html", "junit", "summary", "rejects" }

--- Ends the command if one of the files is stdout, under any name, and has to be --json's alone.
local function check_files(options)
  for _, name in ipairs(FILES) do
    if options.json and options[name] and files.are_same(options[name], "/dev/stdout") then
      command.fail("usage", "--%s: --json needs stdout; name a file", name)
    end
  end
end

--- Returns the data of a subcommand that has ended with an error; nil if it has none.
local function data_of_error(subcommand)
  return command.kept() or subcommand and subcommand.empty
end

--- Writes the data of a subcommand as JSON, with its exit code.
local function print_json(subcommand, code, data, message)
  local object = { command = subcommand and subcommand.name, exit_code = command.codes[code],
    error = message }
  for key, value in pairs(data or {}) do object[key] = value end
  object.spent = spent.data()
  output.write_data(assert(internal.json(text.valid(object))), "\n")
end

--- Returns the name of the exit code if some output was lost, or else `code`.
local function check_output(code, lost)
  local problem = output.lost()
  if not problem then return code end
  command.say("the output is not complete: %s", problem)
  return code == "ok" and (lost or "failed") or code
end

--- Runs the command with these words, and ends the process.
---@param words string[] the arguments
local function main(words)
  internal.guard_output()
  local subcommands, by_name, chosen = {}, {}, nil
  for i, name in ipairs(NAMES) do
    subcommands[i] = require("cekura.review.commands." .. name)
    by_name[name] = subcommands[i]
  end
  local named = by_name[words[1]]
  if named then command.title = "cekura-review " .. named.name end
  local is_json = has_word(words, "--json")
  if is_json then output.reserve_stdout() end
  local done, code, data = pcall(function()
    local parser = parser_of(subcommands)
    local options = parser:parse(words)
    chosen = by_name[options.command]
    check_files(options)
    return chosen.run(options, parser)
  end)
  local message
  if not done then code, message = command.explain(code, chosen and chosen.advice or "") end
  if message then command.say("%s", message) end
  spent.print()
  if is_json then
    data = done and data or data_of_error(named)
    print_json(named, code, data, message)
  end
  code = check_output(code, chosen and chosen.lost)
  os.exit(command.codes[code], true)
end

return main
