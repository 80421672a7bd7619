-- Proves the layers of src/ from its #include lines: a folder uses only the folders and the
-- libraries named for it here, and the files' includes have no cycle.

local lua_headers = { "^lua%.h$", "^lauxlib%.h$", "^lualib%.h$", "^luaconf%.h$" }
local curl_headers = { "^curl/" }
local http_headers = { "^microhttpd%.h$" }

local layers = {  -- folder -> what it may use beside itself and the C library
  core = { folders = {}, libraries = { curl_headers } },
  lua = { folders = { core = true }, libraries = { lua_headers } },
  sandbox = { folders = { core = true }, libraries = { lua_headers, http_headers } },
}

local problems = 0
local function problem(...)
  problems = problems + 1
  io.stderr:write(string.format(...), "\n")
end

-- The one of these lists of patterns that matches `name`.
local function library_of(name, libraries)
  for _, patterns in ipairs(libraries) do
    for _, pattern in ipairs(patterns) do
      if name:match(pattern) then return patterns end
    end
  end
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function check_system_header(path, layer, name)
  if library_of(name, { lua_headers, curl_headers, http_headers })
    and not library_of(name, layer.libraries) then
    problem("%s: <%s> does not belong into this layer", path, name)
  end
end

-- Where `#include "name"` in `path` leads, as a path from the root.
local function resolve(path, name)
  local beside = path:match "^(.*)/" .. "/" .. name
  repeat
    local shorter, count = beside:gsub("[^/]+/%.%./", "", 1)
    beside = shorter
  until count == 0
  return exists(beside) and beside or "src/" .. name
end

local includes = {}  -- path -> list of paths

local function read(path, folder)
  local layer = layers[folder]
  includes[path] = {}
  for line in io.lines(path) do
    local bracket, name = line:match '^%s*#%s*include%s*([<"])([^>"]+)'
    if bracket == "<" then
      check_system_header(path, layer, name)
    elseif bracket then
      local target = resolve(path, name)
      local target_folder = target:match "^src/([^/]+)/"
      if target_folder ~= folder and not layer.folders[target_folder] then
        problem('%s: "%s" is not below this layer', path, name)
      end
      table.insert(includes[path], target)
    end
  end
end

local state = {}  -- path -> "open" while below it, "done" after
local function walk(path, trail)
  if state[path] == "open" then
    problem("cycle: %s%s", trail, path)
  end
  if state[path] then return end
  state[path] = "open"
  for _, target in ipairs(includes[path] or {}) do
    walk(target, trail .. path .. " -> ")
  end
  state[path] = "done"
end

local listing = assert(io.popen "find src -name '*.[ch]' | sort")
for path in listing:lines() do
  local folder = path:match "^src/([^/]+)/"
  if layers[folder] then
    read(path, folder)
  else
    problem("%s: tools/layers.lua knows no such layer", path)
  end
end
listing:close()
for path in pairs(includes) do walk(path, "") end
os.exit(problems == 0)
