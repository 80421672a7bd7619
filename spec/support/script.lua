-- Runs Lua code in a new interpreter, under the tool that the specs run under.
local child = require "support.child"
local script = {}

-- Returns stdout and stderr as one string, and the exit code. For `environment`, see child.run.
function script.run(text, environment)
  return child.run_checked({ child.lua, "-e", text }, environment)
end

return script
