--- Modules whose files are read at once, but compiled by their first use. The files need not exist
--- by then: a process may have changed its root, its folder or package.path.

local later = {}

local OWN_SEARCHERS = 4  -- Lua's; a host or luarocks.loader may have added one

-- A host may have no `io` or `load`, and forbid undeclared globals. It may also take globals from
-- its scripts once it has loaded its modules.
local globals, require = _G, require
local io, load = rawget(globals, "io"), rawget(globals, "load")

--- Returns the text of the module's file and its path; nil if only `require` can find the module.
local function read(name)
  if not io or not load or #package.searchers ~= OWN_SEARCHERS then return nil end
  local path = package.searchpath(name, package.path)
  local file <close> = path and io.open(path, "rb")
  return file and file:read "a", path
end

--- Returns the globals of a module, which has `require` in any case.
local function environment()
  if rawget(globals, "require") == require then return globals end
  return setmetatable({ require = require }, { __index = globals })
end

--- Makes a module known to `require`, which compiles it. Loads it if its text cannot be read here.
---@param name string
function later.prepare(name)
  local preload = package.preload
  if package.loaded[name] or preload[name] then return end
  local text, path = read(name)
  if not text then return require(name) end
  preload[name] = function()
    local module = assert(load(text, "@" .. path, "bt", environment()))(name, path)
    preload[name] = nil
    return module
  end
end

--- Returns a function that calls another one, which `get` returns before the first call.
---@param get fun(): function
function later.method(get)
  local method
  return function(...)
    method = method or get()
    return method(...)
  end
end

return later
