-- Settings of Lua's incremental collector, whose parameters Lua 5.5 renamed.
local collector = {}

-- Sets how much memory may grow, in percent, before a collection begins.
collector.set_pause = _VERSION == "Lua 5.4"
  and function(percent) collectgarbage("setpause", percent) end
  or function(percent) collectgarbage("param", "pause", percent) end

-- Selects a collector whose first step in a cycle performs the whole cycle.
function collector.use_whole_cycles()
  collectgarbage "incremental"
  if _VERSION == "Lua 5.4" then
    collectgarbage("setstepmul", 1000)
  else
    collectgarbage("param", "stepmul", 0)
  end
end

-- Selects a collector that runs a young collection whenever memory has grown by a hundredth.
function collector.use_frequent()
  if _VERSION == "Lua 5.4" then
    collectgarbage("generational", 1, 100)
  else
    collectgarbage "generational"
    collectgarbage("param", "minormul", 1)
  end
end

-- Selects a collector that works in small steps, each at an allocation.
local function use_small_steps()
  if _VERSION == "Lua 5.4" then
    collectgarbage("incremental", 100, 100, 1)
  else
    collectgarbage "incremental"
    collectgarbage("param", "pause", 100)
    collectgarbage("param", "stepmul", 100)
    collectgarbage("param", "stepsize", 16)
  end
end

-- Creates 300 objects with the metatable, and has the collector call the first finalizers. The
-- others follow a few at a time, each time that something is allocated. `has_begun` returns whether
-- one has been called. The collector is stopped meanwhile: it might call all of them.
function collector.begin_finalizers(metatable, has_begun)
  collectgarbage "stop"
  for _ = 1, 300 do setmetatable({}, metatable) end
  use_small_steps()
  while not has_begun() do collectgarbage("step", 0) end
  collectgarbage "restart"
end

return collector
