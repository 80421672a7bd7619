-- Lua in an interpreter of its own, under the tool that this one runs under.
local child = require "support.child"
local script = {}

-- What the text writes, stdout and stderr in one, and its exit code. For `environment`, see child.
function script.run(text, environment)
  return child.run_checked({ child.lua, "-e", text }, environment)
end

return script
