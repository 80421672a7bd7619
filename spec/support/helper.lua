-- busted runs this file before the specs (.busted). All specs share the modules loaded here.
-- If a call of support/calls.lua returns a key, it raises an error (support/keys.lua).
--
-- CEKURA_GC selects a collector that frees a value soon after C code fails to anchor it:
--   aggressive  every allocation runs a full collection during the first BUDGET instructions of a
--               test; later a collection runs whenever memory has grown by a tenth
--   frequent    a young collection runs whenever memory has grown by a hundredth; for valgrind

local busted = require "busted"
local calls = require "support.calls"
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
  collectgarbage("setpause", 0)
  debug.sethook(function() collectgarbage("setpause", 110) end, "", BUDGET)
  return nil, true
end

local function end_test()
  debug.sethook()
  collectgarbage("setpause", 110)
  return nil, true
end

local mode = os.getenv "CEKURA_GC"
if mode == "aggressive" then
  collectgarbage "incremental"
  collectgarbage("setstepmul", 1000)
  busted.subscribe({ "test", "start" }, begin_test)
  busted.subscribe({ "test", "end" }, end_test)
elseif mode == "frequent" then
  collectgarbage("generational", 1, 100)
end
