--- What a command writes to stdout and stderr, and whether it got there.

require "cekura.core"  -- brings the next
local internal = require "cekura.internal"

internal.guard_output()

local output = {}

local lost = {}  -- { [name] = why }: the first reason counts

local function note(name, written, problem)
  if not written then lost[name] = lost[name] or problem end
end

--- Not held back, so that it comes before what is written to stderr next.
function output.write(...)
  note("stdout", io.stdout:write(...))
  note("stdout", io.stdout:flush())
end

--- Like print.
function output.print(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  output.write(table.concat(words, "\t"), "\n")
end

--- For messages.
function output.complain(...) note("stderr", io.stderr:write(...)) end

--- Returns why some output was lost, or nil.
function output.lost()
  for _, name in ipairs { "stdout", "stderr" } do
    if lost[name] then return ("%s: %s"):format(name, lost[name]) end
  end
end

return output
