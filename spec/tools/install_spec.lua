-- `make install`, into a folder of its own.
local child = require "support.child"
local scratch = require "support.scratch"

local function install(...)
  local output, code = child.run({ "make", "--no-print-directory", "install",
    "BUILD=" .. os.getenv "CEKURA_BUILD", ... }, { MAKEFLAGS = false, MFLAGS = false })
  assert.equal(0, code, output)
  return output
end

-- Runs Lua in a shell where those lines were executed.
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
  -- Outside scratch: files there must not have the sandbox's key in them, and its source has.
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)
  after_each(function() scratch.remove(folder) end)

  it("prints the lines with which programs find what it installed", function()
    local output, code = run_after(exports_of(install("PREFIX=" .. folder)), [[
      assert(require "cekura".new { api_key = "key" }):close()
      require "cekura.sandbox".start():stop()
      print(package.searchpath("cekura", package.path))
      print(package.searchpath("cekura.core", package.cpath))
    ]])
    assert.equal(0, code, output)
    assert.equal(folder .. "/share/lua/5.4/cekura/init.lua\n" .. folder ..
      "/lib/lua/5.4/cekura/core.so\n", output)
  end)

  it("prints the folder of a PREFIX that is relative as an absolute one", function()
    local lines = exports_of(install("PREFIX=opt/x", "DESTDIR=" .. folder .. "/"))
    assert.truthy(lines:find('LUA_CPATH="/[^;]+/opt/x/lib/lua/5%.4/%?%.so;;"'), lines)
  end)

  it("prints PREFIX without the DESTDIR that is put before it", function()
    local lines = exports_of(install("PREFIX=/opt/x", "DESTDIR=" .. folder))
    assert.truthy(lines:find('LUA_CPATH="/opt/x/lib/lua/5.4/?.so;;"', 1, true), lines)
    assert.is_nil(lines:find(folder, 1, true))
  end)
end)
