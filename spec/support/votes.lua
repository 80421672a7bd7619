-- Votes for numbered items.
-- The feedback has the number, so that a server's requests show which items arrived.
local votes = {}

-- The beginning of a child process: it defines `client`, and `vote`, which is votes.cast.
votes.START = [[
  io.stdout:setvbuf "line"
  local cekura = require "cekura"
  local client = assert(cekura.new { api_url = %q, api_key = %q, deadline = 60 })
  local vote = function(item) return require "support.votes".cast(client, item) end
]]

function votes.arguments(item)
  return {
    run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 2, feedback = "item " .. item,
  }
end

function votes.cast(client, item, options)
  return client.runs:mark_metric_vote(votes.arguments(item), options)
end

-- Returns the items from 1 to `count`.
function votes.items(count)
  local list = {}
  for item = 1, count do list[item] = item end
  return list
end

-- Returns the items of the requests in a ledger, in order of arrival; 0 for other requests.
function votes.arrived(ledger)
  local list = {}
  for i, row in ipairs(ledger) do
    list[i] = math.tointeger(row.body:match '"feedback":"item (%d+)"' or 0)
  end
  return list
end

-- Returns a sorted copy.
function votes.sorted(list)
  local copy = table.move(list, 1, #list, 1, {})
  table.sort(copy)
  return copy
end

return votes
