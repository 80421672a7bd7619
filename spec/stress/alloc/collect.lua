-- Collects calls that were cancelled when no memory is left to run their finalizers: in a new
-- coroutine, Lua needs memory for each call of a function. The next collection frees the calls.
local failing, url = ...
local common = require "stress.alloc.common"

local client <close> = assert(require "cekura.core".new(common.options(url)))

local function collect() return coroutine.wrap(collectgarbage)() end

for _ = 1, 3 do
  local task = client:spawn(common.vote, client, common.SLOW)
  client:step()
  assert(task:cancel())
end
common.check(failing(collect))
collectgarbage()
collectgarbage()
