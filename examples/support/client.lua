--- The client of an example; without one there is nothing to do.

local cekura = require "cekura"
local command = require "support.command"

--- Made from the environment: CEKURA_API_KEY and CEKURA_API_URL.
---@return cekura.Client
return function()
  local client, err = cekura.new()
  if not client then command.fail(command.code_of(err), "%s", err) end
  return client
end
