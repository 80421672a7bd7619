-- Visits every string of a Lua state that is reachable from the registry.
--
--   heap.finds(reversed)   returns a list of the paths to a text. The text is passed reversed,
--                          because the search would otherwise find its own argument.
local heap = {}

local visit = {}  -- type -> function(value, see); see(part, how it is reached)

function visit.table(value, see)
  for key, item in next, value do
    see(key, "a key")
    see(item, "[" .. tostring(key):sub(1, 40) .. "]")
  end
end

visit["function"] = function(value, see)
  for i = 1, math.maxinteger do
    local name, upvalue = debug.getupvalue(value, i)
    if not name then return end
    see(upvalue, "upvalue " .. name)
  end
end

function visit.userdata(value, see)
  for i = 1, math.maxinteger do
    local part, is_there = debug.getuservalue(value, i)
    if not is_there then return end
    see(part, "user value " .. i)
  end
end

-- Visits the locals, temporaries and varargs of one call on a coroutine's stack.
local function visit_call(thread, level, see)
  for _, direction in ipairs { 1, -1 } do
    for i = direction, direction * math.maxinteger, direction do
      local name, item = debug.getlocal(thread, level, i)
      if not name then break end
      see(item, "local " .. name)
    end
  end
end

function visit.thread(value, see)
  see(debug.gethook(value), "hook")
  for level = 0, math.maxinteger do
    local info = debug.getinfo(value, level, "f")
    if not info then return end
    see(info.func, "level " .. level)
    visit_call(value, level, see)
  end
end

-- Visits the roots: the registry, and the metatables of the basic types.
local function roots(see)
  see(debug.getregistry(), "registry")
  for _, value in ipairs { "", 0, true, print, coroutine.running() } do
    see(debug.getmetatable(value), "metatable of a " .. type(value))
  end
  see(debug.getmetatable(nil), "metatable of nil")
  see(coroutine.running(), "this coroutine")
end

-- Calls found(string, path) for each string, once.
function heap.each_string(found)
  local seen, waiting = {}, {}
  local path = ""
  local function see(part, how)
    if part == nil or part == seen or part == waiting or seen[part] then return end
    seen[part] = true
    local there = path .. " > " .. how
    if type(part) == "string" then return found(part, there) end
    waiting[#waiting + 1] = { part, there }
  end
  roots(see)
  while #waiting > 0 do
    local value
    value, path = table.unpack(table.remove(waiting))
    see(debug.getmetatable(value), "metatable")
    if visit[type(value)] then visit[type(value)](value, see) end
  end
end

function heap.finds(reversed)
  local paths = {}
  heap.each_string(function(text, path)
    if text:reverse():find(reversed, 1, true) then paths[#paths + 1] = path end
  end)
  return paths
end

return heap
