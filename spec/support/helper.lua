-- busted runs this file before the specs (.busted). All specs share the modules loaded here.
-- If a call of support/calls.lua returns a key, it raises an error (support/keys.lua).
--
-- CEKURA_GC selects a collector that frees a value soon after C code fails to anchor it:
--   aggressive  every allocation runs a full collection during the first BUDGET instructions of a
--               test; later a collection runs whenever memory has grown by a tenth
--   frequent    a young collection runs whenever memory has grown by a hundredth; for valgrind

local busted = require "busted"
local calls = require "support.calls"
local collector = require "support.collector"
local keys = require "support.keys"
local scratch = require "support.scratch"

local make = calls.make
function calls.make(...) return keys.refused("what a call returned", make(...)) end

busted.subscribe({ "suite", "end" }, function()
  scratch.remove_all()
  return nil, true
end)

local BUDGET = 20000

local function begin_test()
  collector.set_pause(0)
  debug.sethook(function() collector.set_pause(110) end, "", BUDGET)
  return nil, true
end

local function end_test()
  debug.sethook()
  collector.set_pause(110)
  return nil, true
end

local mode = os.getenv "CEKURA_GC"
if mode == "aggressive" then
  collector.use_whole_cycles()
  busted.subscribe({ "test", "start" }, begin_test)
  busted.subscribe({ "test", "end" }, end_test)
elseif mode == "frequent" then
  collector.use_frequent()
end
