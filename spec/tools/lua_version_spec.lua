-- LUA_VERSION=5.4 and LUA_VERSION=5.5 of make, in a build folder of its own.
local child = require "support.child"
local scratch = require "support.scratch"

local VERSION = _VERSION:match "%d%.%d"
local OTHER = VERSION == "5.4" and "5.5" or "5.4"

local function make(...)
  return child.run({ "make", "--no-print-directory", ... }, { MAKEFLAGS = false, MFLAGS = false })
end

describe("LUA_VERSION", function()
  it("compiles objects of another version again", function()
    local folder = scratch.folder()
    local object = folder .. "/obj/src/text/utf8.o"
    local function compiled(version, ...)
      local output, code = make(object, "BUILD=" .. folder, "LUA_VERSION=" .. version, ...)
      assert.equal(0, code, output)
      return output:find("-o " .. object, 1, true) ~= nil
    end
    assert.is_true(compiled(VERSION))
    assert.is_false(compiled(VERSION))
    assert.is_true(compiled(OTHER, "--dry-run"))  -- OTHER may be missing
  end)

  it("may be a release, as container images set it", function()
    local folder = scratch.folder()
    local output, code = child.run({ "make", "-n", "install-core", "BUILD=" .. folder },
      { MAKEFLAGS = false, MFLAGS = false, LUA_VERSION = OTHER .. ".7" })
    assert.equal(0, code, output)
    assert.truthy(output:find("/lib/lua/" .. OTHER .. "/cekura", 1, true), output)
    assert.is_nil(output:find(OTHER .. ".7", 1, true), output)
  end)

  it("other than 5.4 and 5.5 is an error", function()
    for _, version in ipairs { "5.3", "5", "foo", "5.4 5.5" } do
      local problem = ('LUA_VERSION must be 5.4 or 5.5, not "%s"'):format(version)
      local output, code = make("demo", "LUA_VERSION=" .. version)
      assert.equal(2, code)
      assert.truthy(output:find(problem, 1, true), output)
      output, code = child.run({ "tools/deps.sh", "build" }, { LUA_VERSION = version })
      assert.same({ problem .. "\n", 2 }, { output, code })
    end
  end)
end)
