-- Loading the module. It can be loaded afterwards.
local failing, url = ...
local common = require "stress.alloc.common"

common.check(failing(require, "cekura.core"))
local client <close> = assert(require "cekura.core".new(common.options(url)))
assert(common.vote(client))
