-- Closes a client while a task waits in a call. The task ends, and another client works.
local failing, url = ...
local common = require "stress.alloc.common"

local cekura = require "cekura.core"
local client <close> = assert(cekura.new(common.options(url)))
assert(common.vote(client))
local task = client:spawn(common.vote, client, common.SLOW)
client:step()

local function close()
  client:close()
  return task:wait()
end

common.check(failing(close))
client:close()
task:wait()
local other <close> = assert(cekura.new(common.options(url)))
assert(common.vote(other))
