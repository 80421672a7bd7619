--- The evaluations that this process has started, for the last line of a command that spends: those
--- that its client has counted.

local output = require "cekura.review.internal.output"
local text = require "cekura.review.internal.text"

local spent = {}

local client           -- whose numbers are printed; nil: the command spends nothing
local is_upper_bound   -- of the evaluations that were stated; nil: they are exact
local settled = { evaluations = 0, calls = 0 }

--- Prints the numbers of a client at the end, also if it spends nothing and is closed.
---@param at_most boolean? whether the evaluations that calls state are upper bounds
function spent.watch(of_client, at_most)
  client = of_client
  is_upper_bound = at_most or nil
end

--- Counts a call as applied whose outcome was unknown, because something else has shown it.
function spent.settle(evaluations)
  settled = { evaluations = evaluations, calls = 1 }
end

--- Returns the counts for --json, cekura.Spent; nil if the command spends nothing.
function spent.data()
  local data = client and client:spent()
  if data then data.at_most = data.evaluations > 0 and is_upper_bound or nil end
  for name, number in pairs(data and settled or {}) do
    data[name] = data[name] + number
    data[name .. "_unknown"] = data[name .. "_unknown"] - number
  end
  return data
end

--- Returns words for the evaluations and for the calls that were not counted; nil for none.
local function words_of(evaluations, uncounted)
  local words = {}
  if evaluations > 0 then words[1] = text.count(evaluations, "metric evaluation") end
  if uncounted == 1 then words[#words + 1] = "1 call of unknown cost" end
  if uncounted > 1 then words[#words + 1] = ("%d calls of unknown cost"):format(uncounted) end
  return words[1] and table.concat(words, ", ")
end

--- Prints the counts; nothing if the command spends nothing. A call without evaluations whose
--- outcome is unknown is one that was not counted.
function spent.print()
  local data = spent.data()
  if not data then return end
  local lost = data.evaluations_unknown == 0 and data.calls_unknown or 0
  local known = words_of(data.evaluations, data.uncounted - lost)
  local unknown = words_of(data.evaluations_unknown, lost)
  output.print(("Spent: %s%s%s."):format(data.at_most and "at most " or "", known or "nothing",
    unknown and "; unknown: " .. unknown or ""))
end

return spent
