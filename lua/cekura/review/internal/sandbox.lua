--- Loads the sandbox, which has a rock of its own.

local command = require "cekura.review.internal.command"

--- Returns the module `cekura.sandbox`. Ends the command if it is not installed.
return function()
  local loaded, sandbox = pcall(require, "cekura.sandbox")
  if loaded then return sandbox end
  local problem = tostring(sandbox):match "cekura%.sandbox is not installed: [^\n]*"
  if not problem then error(sandbox, 0) end
  command.fail("usage", "%s", problem)
end
