-- NeoMutt has one Lua state. A call blocks its screen and its keys.
local cekura = require "cekura"
local votes = require "votes"

local client = assert(cekura.new { deadline = 10 })

function vote(path, query)
  mutt.message(votes.answer(client, path, query))
end
