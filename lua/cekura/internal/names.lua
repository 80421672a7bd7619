--- Suggests a name for a mistyped one of the module, a client, a resource or a task, instead of
--- "attempt to call a nil value".

local ascii = require "cekura.internal.ascii"
local internal = require "cekura.internal"

local names = {}

local LONGEST = 40  -- bytes of a name in a message

--- Returns the names in all tables, sorted, without those that begin with "_".
local function sorted(tables)
  local list = {}
  for _, fields in ipairs(tables) do
    for name in next, fields do
      if name:sub(1, 1) ~= "_" then list[#list + 1] = name end
    end
  end
  table.sort(list)
  return list
end

local function snake_case(name) return ascii.lower((name:gsub("([a-z0-9])([A-Z])", "%1_%2"))) end

--- Returns the nearest name, or nil. A guess with another first letter would confuse.
local function guess(name, known)
  local near = internal.nearest(name, known)
  return near and near:sub(1, 1) == name:sub(1, 1) and near or nil
end

local function message_of(owner, name, known)
  local near = guess(name, known) or guess(snake_case(name), known) or #known == 1 and known[1]
  local shown = name:sub(1, LONGEST):gsub("[\0-\x1F\x7F]", "?")
  if near then return ('%s has no "%s", did you mean "%s"?'):format(owner, shown, near) end
  return ('%s has no "%s", did you mean one of these: %s?')
    :format(owner, shown, table.concat(known, ", "))
end

--- Makes an unknown name in `methods` raise, at the line that uses it. Names that begin with "_",
--- which libraries look for, and keys that are not names are nil.
---@param methods table
---@param owner string the name of the table in the message
---@param others table? further tables of known names
---@param level integer? the level of that line for `error`
function names.guard(methods, owner, others, level)
  local tables = { methods, table.unpack(others or {}) }
  local metatable = getmetatable(methods) or {}
  function metatable.__index(_, name)
    if type(name) ~= "string" or name == "" or name:sub(1, 1) == "_" then return nil end
    error(message_of(owner, name, sorted(tables)), level or 2)
  end
  return setmetatable(methods, metatable)
end

return names
