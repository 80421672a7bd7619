-- Creates a client. A second attempt succeeds.
local failing, url = ...
local common = require "stress.alloc.common"
local cekura = require "cekura.core"

local options = common.options(url)
options.headers = { ["X-Trace"] = "a", ["X-Other"] = "b" }
common.check(failing(cekura.new, options))
local client <close> = assert(cekura.new(options))
assert(common.vote(client))
