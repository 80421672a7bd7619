--- Charges the balance for evaluations.

require "cekura.core" -- preloads cekura.internal
local ascii = require "cekura.internal.ascii"

local credits = {}

--- Pays for the evaluations. Returns the status and the body of an error, or nil.
function credits.charge(store, evaluations)
  local paid, cost = store:charge(evaluations)
  if paid then return nil end
  return 400, { detail = ("Insufficient credits: this needs %s, and %s remain."):format(
    ascii.format("%.2f", cost), ascii.format("%.2f", store.balance.remaining)) }
end

return credits
