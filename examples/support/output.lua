--- Writes of a command to stdout and stderr. A failed write is noted, so that the command does not
--- end with success.

require "cekura.core"  -- loads cekura.internal
local internal = require "cekura.internal"

internal.guard_output()

local output = {}

local lost = {}  -- { [name] = reason of the first failure }

local function note(name, written, problem)
  if not written then lost[name] = lost[name] or problem end
end

--- Writes to stdout and flushes, which keeps the order of stdout and stderr.
function output.write(...)
  note("stdout", io.stdout:write(...))
  note("stdout", io.stdout:flush())
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
