--- What something costs, said before it is spent.

local answers = require "support.answers"
local output = require "support.output"
local texttable = require "support.table"

local cost = {}

--- "1 run", "2 runs"
function cost.count(number, what)
  return ("%d %s%s"):format(number, what, number == 1 and "" or "s")
end

--- What there is to spend. Not every key may see it, and then nothing is lost but a line.
local function balance(client)
  local info, err = answers.balance(client.billing:info {})
  if not info then return "unknown: " .. tostring(err) end
  return ("%s credits (the last half hour may be missing)"):format(
    texttable.show(info.credits_remaining))
end

--- Prints what is about to be spent, and the balance.
---@param evaluations integer how many metric evaluations
---@param made_of string "2 runs × 3 metrics"
function cost.print(client, evaluations, made_of)
  output.print(("Cost: %s (%s)."):format(cost.count(evaluations, "metric evaluation"), made_of))
  output.print("Balance: " .. balance(client) .. ".")
end

return cost
