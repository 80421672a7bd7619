--- What a command writes to stdout and stderr. A failed write is noted, so that the command does
--- not end with success.

require "cekura.core"  -- loads cekura.internal
local internal = require "cekura.internal"

local output = {}

local lost = {}  -- { [name] = reason of the first failure }

local function note(name, written, problem)
  if not written then lost[name] = lost[name] or problem end
end

local function write(name, ...)
  note(name, io[name]:write(...))
  note(name, io[name]:flush())  -- keeps the order of stdout and stderr
end

local for_people = "stdout"

--- Reserves stdout for data: everything that people read goes to stderr.
function output.reserve_stdout() for_people = "stderr" end

--- Writes text that people read: to stdout, or to stderr if stdout is reserved.
function output.write(...) write(for_people, ...) end

--- Returns the value as text in which control characters are blanks, except line breaks.
function output.clean(value)
  return (tostring(value):gsub("[%c\127]", function(byte) return byte == "\n" and "\n" or " " end)
    :gsub("\xC2[\x80-\x9F]", " "))
end

--- Writes data to stdout: exactly, unless stdout is a terminal, which would obey control characters
--- of the server's text.
function output.write_data(...)
  local data = table.concat { ... }
  local is_terminal = internal.terminal_width(true) ~= nil
  write("stdout", is_terminal and output.clean(data:gsub("\r\n", "\n")) or data)
end

--- Returns the columns of the terminal on which people read; nil if it is not a terminal. COLUMNS
--- in the environment sets another number.
---@return integer?
function output.columns()
  local set = math.tointeger(tonumber(os.getenv "COLUMNS"))
  if set and set > 0 then return set end
  return internal.terminal_width(for_people == "stdout")
end

--- Returns whether people read on a terminal that shows colours. https://no-color.org
function output.is_colourful()
  local no_colour = os.getenv "NO_COLOR" or ""
  return no_colour == "" and os.getenv "TERM" ~= nil
    and internal.terminal_width(for_people == "stdout") ~= nil
end

--- Does what print does.
function output.print(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  output.write(table.concat(words, "\t"), "\n")
end

--- Writes to stderr.
function output.complain(...) note("stderr", io.stderr:write(...)) end

--- Returns why some output was lost; nil if none was.
function output.lost()
  for _, name in ipairs { "stdout", "stderr" } do
    if lost[name] then return ("%s: %s"):format(name, lost[name]) end
  end
end

return output
