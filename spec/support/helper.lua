-- Run by busted before any spec (.busted). What is loaded here, all specs share.
--
-- No call of support/calls.lua returns a key: that raises an error (support/keys.lua).
--
-- CEKURA_GC makes the collector aggressive, so that a value that C code uses without holding it is
-- gone when it is used:
--   aggressive  every allocation collects everything, in the first BUDGET instructions of a test;
--               after them, so that a test with much data ends, at a tenth more memory
--   frequent    young values are collected at a hundredth more memory, for valgrind is slow

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
