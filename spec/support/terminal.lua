-- Runs Lua in an interpreter whose stderr is a terminal.
-- Returns what a user sees there.
local child = require "support.child"
local json = require "cjson".new()
local python = require "support.python"
local screen = require "support.screen"

local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
local terminal = {}

-- Precedes each text. A terminal does not show the control sequences of these functions:
--   look(name)        sets the title of the window; the rows are then kept in looks[name]
--   resize(columns)   sets the width of the window
local PRELUDE = [[
  local function look(name) io.stderr:write("\27]2;", name, "\7") end
  local function resize(columns)
    io.stderr:write(("\27[8;24;%dt"):format(columns))
    io.read()
  end
]]

-- Runs the text in a terminal of that width; 0 is an unknown width, and "pipe" is not a terminal.
-- Returns { stderr, stdout, code, screen }. For `environment`, see child.
function terminal.run(columns, text, environment)
  local words = { python, "-E", "-B", "-S", folder .. "terminal.py", tostring(columns) }
  local command = child.checked { child.lua, "-e", PRELUDE .. text }
  table.move(command, 1, #command, #words + 1, words)
  local output = child.run(words, environment)
  local ran = json.decode(output)
  if columns ~= "pipe" then ran.screen = screen.of(ran.stderr, columns) end
  return ran
end

return terminal
