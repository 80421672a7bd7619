-- Checks that each rockspec names every source of its rock, and no file that does not exist.
-- `make lint` runs it.

local problems = 0
local function problem(...)
  problems = problems + 1
  io.stderr:write(string.format(...), "\n")
end

local function find(arguments)
  local found = {}
  local listing = assert(io.popen("find " .. arguments .. " | sort"))
  for path in listing:lines() do found[path] = true end
  listing:close()
  return found
end

local function compare(file, named, existing)
  for path in pairs(existing) do
    if not named[path] then problem("%s: does not name %s", file, path) end
  end
  for path in pairs(named) do
    if not existing[path] then problem("%s: names %s, which does not exist", file, path) end
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
      "src lua/cekura -name '*.[cl]*' -not -path '*/sandbox/*'")
check("rockspec/cekura-sandbox-scm-1.rockspec",
      "src/sandbox lua/cekura/sandbox -name '*.[cl]*'")
os.exit(problems == 0)
