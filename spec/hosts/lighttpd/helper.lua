-- Sends the queued votes, in a process of its own: QUEUE=/path/of/votes lua5.4 helper.lua
-- A killed helper sends the votes that it had taken again: a repeated vote does no harm.
local cekura = require "cekura"
local votes = require "votes"

local queue = os.getenv "QUEUE"
local taken = queue .. ".taken"
local client = assert(cekura.new { deadline = 10 })

local function send(query)
  local text = votes.answer(client, "/vote", query)
  if text ~= "ok" then io.stderr:write(query, ": ", text, "\n") end
  return true
end

while true do
  local left <close> = io.open(taken)
  if left or os.rename(queue, taken) then
    client:sleep(0.5)  -- lighttpd may still have the file open
    assert(client:each(io.lines(taken), send))
    os.remove(taken)
  end
  client:sleep(0.5)
end
