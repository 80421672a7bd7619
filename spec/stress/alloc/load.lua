-- Loads the module. A second attempt succeeds.
local failing, url = ...
local common = require "stress.alloc.common"

common.check(failing(require, "cekura.core"))
local client <close> = assert(require "cekura.core".new(common.options(url)))
assert(common.vote(client))
