-- Kamailio loads this file in each of its processes, so each process has a client.
local cekura = require "cekura"
local votes = require "votes"

local client = assert(cekura.new { deadline = 10 })

local function answer(target)
  local path, query = target:match "^(/%w+)%??(.*)$"
  return votes.answer(client, path, query)
end

-- A MESSAGE votes at once, and blocks its worker. A BYE queues its vote, and is answered at once.
function ksr_request_route()
  local method, target = KSR.pv.get "$rm", KSR.pv.get "$hdr(X-Vote)"
  local text = "pong"
  if method == "MESSAGE" then text = answer(target) end
  if method == "BYE" then KSR.mqueue.mq_add("votes", KSR.pv.get "$ci", target) end
  KSR.sl.sl_send_reply(200, text)
end

-- Runs in the timer's process.
function ksr_votes()
  while KSR.mqueue.mq_fetch "votes" > 0 do
    local text = answer(KSR.pv.get "$mqv(votes)")
    if text ~= "ok" then KSR.err(text .. "\n") end
  end
end
