-- Every Lua block of the documents runs, as one script for each document, against a sandbox.

local child = require "support.child"
local sandbox = require "cekura.sandbox"

-- What is no Lua becomes empty lines, so that an error names the line of the document.
local function lua_of(path)
  local lines, blocks, inside = {}, 0, false
  for line in io.lines(path) do
    if line == "```lua" then
      inside, blocks = true, blocks + 1
    elseif line == "```" then
      inside = false
    elseif inside then
      lines[#lines + 1] = line
    end
    if not inside or line == "```lua" then lines[#lines + 1] = "" end
  end
  return table.concat(lines, "\n"), blocks
end

-- The name after @ is what a traceback shows.
local RUN = [[
  local path, name = ...
  local file = assert(io.open(path))
  assert(load(file:read "a", "@" .. name))()
]]

-- What the documents write into the folder that they are tried in.
local function clear() os.remove "votes.journal" end

local function run(path, server)
  local code, blocks = lua_of(path)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(code)
  file:close()
  clear()
  local output, status = child.run_checked({ child.lua, "-e",
    RUN:gsub("%.%.%.", ("%q, %q"):format(name, path)), "-" }, {
      CEKURA_API_URL = server.url, CEKURA_API_KEY = server.api_key, no_proxy = "127.0.0.1",
    })
  os.remove(name)
  clear()
  return output, status, blocks
end

local function calls_of(server)
  local calls = {}
  for _, request in ipairs(server:requests()) do
    calls[request.method .. " " .. request.path] = true
  end
  return calls
end

for path, least in pairs { ["README.md"] = 8, ["docs/reference.md"] = 6 } do
  describe(path, function()
    it("has Lua that runs, and calls every endpoint", function()
      local server <close> = sandbox.start()
      local output, status, blocks = run(path, server)
      assert.equal(0, status, output)
      assert.is_true(blocks >= least)
      local calls = calls_of(server)
      for _, endpoint in ipairs(require "cekura".endpoints) do
        local pattern = ("^%s %s$"):format(endpoint.method,
          (endpoint.path:gsub("%-", "%%-"):gsub("{[^}]+}", "%%d+")))
        local found = false
        for called in pairs(calls) do found = found or called:find(pattern) ~= nil end
        assert.is_true(found, endpoint.name)
      end
    end)
  end)
end

describe("README.md", function()
  local file = assert(io.open "README.md")
  local text = file:read "a"
  file:close()

  it("names only make targets that there are", function()
    local makefile = assert(io.open "Makefile"):read "a"
    for target in text:gmatch "make ([a-z]+)" do
      assert.is_truthy(makefile:find("\n" .. target .. ":", 1, true), target)
    end
  end)

  it("names every kind of error", function()
    local outcome = assert(io.open "src/core/outcome.c"):read "a"
    for kind in outcome:gmatch '%[CK_[A-Z_]+%] = "([%w_]+)"' do
      if kind ~= "ok" then assert.is_truthy(text:find("`" .. kind .. "`", 1, true), kind) end
    end
  end)

  it("links to files that there are", function()
    for target in text:gmatch "%]%(([^)#]+)" do
      if not target:find "^https?:" then assert(io.open(target)):close() end
    end
  end)
end)
