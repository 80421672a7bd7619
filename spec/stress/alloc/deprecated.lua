-- A vote whose response has a Deprecation header: the event and the warning may fail, the vote not.
local failing, url = ...
local common = require "stress.alloc.common"

local seen = false
local function on_event(event) seen = seen or event.type == "deprecated" end

warn "@on"
local client <close> = assert(require "cekura.core".new(common.options(url, on_event)))
assert(common.vote(client))
common.check(failing(common.vote, client, common.DEPRECATED))
assert(common.vote(client, common.DEPRECATED))
assert(seen)
