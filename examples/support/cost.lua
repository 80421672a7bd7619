--- The cost of a command, printed before anything is spent: the number of metric evaluations, and
--- the balance.

local output = require "support.output"
local responses = require "support.responses"
local text = require "support.text"
local texttable = require "support.table"

local cost = {}

--- Prints the cost and the balance. A key that may not read the balance is not an error.
---@param evaluations integer
---@param made_of string how the number comes about: "2 runs × 3 metrics"
function cost.print(client, evaluations, made_of)
  local info, err = responses.balance(client.billing:info {})
  output.print(("Cost: %s (%s)."):format(text.count(evaluations, "metric evaluation"), made_of))
  output.print(info and ("Balance: %s credits (the last half hour may be missing)."):format(
    texttable.show(info.credits_remaining)) or ("Balance: unknown: %s."):format(err))
end

--- Prints the server's estimate for one sample, which is missing unless the server sends it.
---@param estimate string?
function cost.print_per_sample(estimate)
  if (estimate or "") ~= "" then text.print("  estimated cost per sample: %s", estimate) end
end

return cost
