-- `make install` into a temporary folder.
-- A program then finds the modules with the lines that it prints.
local child = require "support.child"
local scratch = require "support.scratch"

local VERSION = _VERSION:match "%d%.%d"

local function install(...)
  local output, code = child.run({ "make", "--no-print-directory", "install",
    "BUILD=" .. os.getenv "CEKURA_BUILD", ... }, { MAKEFLAGS = false, MFLAGS = false })
  assert.equal(0, code, output)
  return output
end

-- Runs Lua code in a shell that has executed these lines.
local function run_after(lines, text)
  local words = { "sh", "-c", 'eval "$0"; exec "$@"', lines }
  for _, word in ipairs(child.checked { child.lua, "-e", text }) do words[#words + 1] = word end
  return child.run(words)
end

local function exports_of(output)
  local lines = {}
  for line in output:gmatch "export [^\n]+" do lines[#lines + 1] = line end
  return table.concat(lines, "\n")
end

describe("make install", function()
  -- Outside of scratch, whose files must not contain the sandbox's key, as the sandbox's source
  -- does.
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)
  after_each(function() scratch.remove(folder) end)

  it("prints the lines with which programs find the installed modules", function()
    local output, code = run_after(exports_of(install("PREFIX=" .. folder)), [[
      assert(require "cekura".new { api_key = "key" }):close()
      require "cekura.sandbox".start():stop()
      print(package.searchpath("cekura", package.path))
      print(package.searchpath("cekura.core", package.cpath))
    ]])
    assert.equal(0, code, output)
    assert.equal(folder .. "/share/lua/" .. VERSION .. "/cekura/init.lua\n" .. folder ..
      "/lib/lua/" .. VERSION .. "/cekura/core.so\n", output)
  end)

  it("prints a relative PREFIX as an absolute path", function()
    local lines = exports_of(install("PREFIX=opt/x", "DESTDIR=" .. folder .. "/"))
    assert.equal(VERSION, lines:match 'LUA_CPATH="/[^;]+/opt/x/lib/lua/(5%.%d)/%?%.so;;"', lines)
  end)

  it("prints PREFIX without DESTDIR", function()
    local lines = exports_of(install("PREFIX=/opt/x", "DESTDIR=" .. folder))
    assert.truthy(lines:find('LUA_CPATH="/opt/x/lib/lua/' .. VERSION .. '/?.so;;"', 1, true),
                  lines)
    assert.is_nil(lines:find(folder, 1, true))
  end)
end)
