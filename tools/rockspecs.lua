-- Proves that the rockspecs name every source of their rock, and nothing that is not there.

local problems = 0
local function problem(...)
  problems = problems + 1
  io.stderr:write(string.format(...), "\n")
end

local function find(pattern)
  local found = {}
  local listing = assert(io.popen("find " .. pattern .. " | sort"))
  for path in listing:lines() do found[path] = true end
  listing:close()
  return found
end

local function compare(file, named, there)
  for path in pairs(there) do
    if not named[path] then problem("%s: does not name %s", file, path) end
  end
  for path in pairs(named) do
    if not there[path] then problem("%s: names %s, which is not there", file, path) end
  end
end

local function named_by(file)
  local spec = {}
  assert(loadfile(file, "t", spec))()
  local named = {}
  for _, module in pairs(spec.build.modules) do
    for _, path in ipairs(type(module) == "table" and module.sources or { module }) do
      named[path] = true
    end
  end
  return named
end

local function check(file, sources)
  compare(file, named_by(file), find(sources))
end

check("rockspec/cekura-scm-1.rockspec",
      "src/core/*.c src/lua/*.c lua/cekura -name '*.[cl]*' -not -path 'lua/cekura/sandbox/*'")
check("rockspec/cekura-sandbox-scm-1.rockspec",
      "src/sandbox/*.c lua/cekura/sandbox -name '*.[cl]*'")
os.exit(problems == 0)
