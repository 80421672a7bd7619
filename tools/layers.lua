-- Checks that the calls between the files of src/ point one way: no cycle, and no upward call.
-- Usage: lua tools/layers.lua OBJECTS [SOURCES], for example build/obj and the checkout.

local CURL = { "^curl/" }
local LUA = { "^lua%.h$", "^lauxlib%.h$", "^lualib%.h$", "^luaconf%.h$" }
local MICROHTTPD = { "^microhttpd%.h$" }

-- A file belongs to the folder with the longest matching name. It may call functions and include
-- headers of its own folder and of those in `calls`, and the headers of these libraries.
local folders = {
  ["src/contract"] = { calls = {}, libraries = {} },
  ["src/text"] = { calls = {}, libraries = {} },
  ["src/policy"] = { calls = { "src/text" }, libraries = { CURL } },
  ["src/http"] = { calls = { "src/policy", "src/text" }, libraries = { CURL } },
  ["src/lua/system"] = { calls = { "src/text", "src/http" }, libraries = { LUA } },
  ["src/lua/request"] = {
    calls = { "src/contract", "src/text", "src/policy", "src/http", "src/lua/system" },
    libraries = { LUA },
  },
  ["src/lua/response"] = {
    calls = { "src/contract", "src/text", "src/policy", "src/http", "src/lua/system",
      "src/lua/request" },
    libraries = { LUA },
  },
  ["src/lua"] = {
    calls = { "src/contract", "src/text", "src/policy", "src/http", "src/lua/system",
      "src/lua/request", "src/lua/response" },
    libraries = { LUA },
  },
  ["src/sandbox"] = { calls = { "src/text" }, libraries = { LUA, MICROHTTPD } },
}

local objects, sources = arg[1], arg[2] or "."
if not objects then
  io.stderr:write("usage: layers.lua OBJECTS [SOURCES]\n")
  os.exit(2)
end

local problems = 0
local function problem(...)
  problems = problems + 1
  io.stderr:write(string.format(...), "\n")
end

local function lines_of(...)
  local lines = {}
  local command = assert(io.popen(string.format(...)))
  for line in command:lines() do lines[#lines + 1] = line end
  command:close()
  return lines
end

local function folder_of(path)
  local folder = path:match "^(.*)/"
  while folder and not folders[folder] do folder = folder:match "^(.*)/" end
  return folder
end

local function contains(list, wanted)
  for _, value in ipairs(list) do
    if value == wanted then return true end
  end
  return false
end

local function library_of(header)
  for _, library in ipairs { CURL, LUA, MICROHTTPD } do
    for _, pattern in ipairs(library) do
      if header:match(pattern) then return library end
    end
  end
end

local function check_headers(path)
  local folder = folder_of(path)
  for line in io.lines(sources .. "/" .. path) do
    local header = line:match "^%s*#%s*include%s*<([^>]+)>"
    local library = header and library_of(header)
    if library and not contains(folders[folder].libraries, library) then
      problem("%s: must not include <%s>", path, header)
    end
    local own = line:match '^%s*#%s*include%s*"(.+/[^"]+)"'
    local target = own and folder_of("src/" .. own)
    if target and target ~= folder and not contains(folders[folder].calls, target) then
      problem("%s: must not include %s", path, own)
    end
  end
end

local files = {}  -- the .c files in order
local needs = {}  -- file -> list of the symbols that it does not define
local owner = {}  -- symbol -> the file that defines it

local function read_symbols(file)
  local lines = lines_of("nm -g -P '%s/%s'", objects, (file:gsub("c$", "o")))
  if #lines == 0 then problem("%s: has no object in %s: run `make`", file, objects) end
  needs[file] = {}
  for _, line in ipairs(lines) do
    local symbol, kind = line:match "^(%S+) (%a)"
    if kind == "U" then
      table.insert(needs[file], symbol)
    else
      owner[symbol] = file
    end
  end
end

-- Returns { file that is called, one of its symbols } for each file that `file` calls.
local function calls_of(file)
  local calls, is_known = {}, { [file] = true }
  for _, symbol in ipairs(needs[file]) do
    local target = owner[symbol]
    if target and not is_known[target] then
      is_known[target] = true
      table.insert(calls, { target, symbol })
    end
  end
  return calls
end

local function check_direction(file)
  local folder = folder_of(file)
  for _, call in ipairs(calls_of(file)) do
    local target = folder_of(call[1])
    if target ~= folder and not contains(folders[folder].calls, target) then
      problem("%s: must not call %s in %s", file, call[2], call[1])
    end
  end
end

local state = {}  -- file -> its place in the trail during its visit, "done" afterwards
local function find_cycles(file, trail)
  local place = #trail + 1
  state[file] = place
  for _, call in ipairs(calls_of(file)) do
    trail[place] = ("%s calls %s in %s"):format(file, call[2], call[1])
    if not state[call[1]] then
      find_cycles(call[1], trail)
    elseif state[call[1]] ~= "done" then
      problem("cycle:\n  %s", table.concat(trail, "\n  ", state[call[1]]))
    end
  end
  trail[place] = nil
  state[file] = "done"
end

for _, path in ipairs(lines_of("cd '%s' && find src -name '*.[ch]' | sort", sources)) do
  if not folder_of(path) then
    problem("%s: name its folder in tools/layers.lua", path)
  else
    check_headers(path)
    if path:find "%.c$" then files[#files + 1] = path end
  end
end
for _, file in ipairs(files) do read_symbols(file) end
for _, file in ipairs(files) do
  check_direction(file)
  if not state[file] then find_cycles(file, {}) end
end
os.exit(problems == 0)
