-- The first vote of a client, which opens a connection. The next vote succeeds.
local failing, url = ...
local common = require "stress.alloc.common"

local client <close> = assert(require "cekura.core".new(common.options(url)))
common.check(failing(common.vote, client))
assert(common.vote(client))
