-- lighttpd runs this file for each request, in one Lua state for each of its processes. It clears
-- the globals between requests, but not the fields of modules, so the client is such a field.
local cekura = require "cekura"
local votes = require "votes"

votes.client = votes.client or assert(cekura.new { deadline = 10 })

local request = lighty.r.req_attr
local text = votes.answer(votes.client, request["uri.path"], request["uri.query"] or "")
lighty.r.resp_body:set(text .. "\n")
return 200
