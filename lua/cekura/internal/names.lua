--- Answers names that the module, a client, a resource or a task does not have: a mistyped one
--- would end in "attempt to call a nil value".

local ascii = require "cekura.internal.ascii"
local internal = require "cekura.internal"

local names = {}

local LONGEST = 40

--- The names of all tables, sorted, without those that begin with "_".
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

--- The known name that was probably meant, or nil. A guess with another first letter confuses.
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

--- Makes a look for an unknown name in `methods` raise, at the line of whoever looks. Names that
--- begin with "_", which libraries look for, and other keys are nil.
---@param methods table
---@param owner string as the message names it
---@param others table? tables whose names are known, too
---@param level integer? that of whoever looks, for `error`
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
