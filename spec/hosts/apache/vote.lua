-- With `LuaScope thread`, Apache loads this file once in each thread, so each thread has a client.
local cekura = require "cekura"
local votes = require "votes"

local client = assert(cekura.new { deadline = 10 })

function handle(request)
  request.content_type = "text/plain"
  request:puts(votes.answer(client, request.uri, request.args or ""), "\n")
  return apache2.OK
end
