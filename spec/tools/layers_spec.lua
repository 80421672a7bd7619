-- tools/layers.lua, on three small C files in a folder of their own.
-- LOWER and UPPER are two folders of its table: UPPER may call LOWER.
local child = require "support.child"
local scratch = require "support.scratch"

local LOWER, UPPER = "src/http", "src/lua"

-- Compiles files { path = text }. Returns the messages of tools/layers.lua and its exit code.
local function check(texts)
  local folder = scratch.folder()
  for path, text in pairs(texts) do
    local source, object = folder .. "/" .. path, folder .. "/obj/" .. path:gsub("c$", "o")
    child.run { "mkdir", "-p", source:match "(.*)/", object:match "(.*)/" }
    scratch.write(source, text)
    assert.equal("", (child.run { "cc", "-c", "-o", object, source }))
  end
  return child.run { child.lua, "tools/layers.lua", folder .. "/obj", folder }
end

describe("tools/layers.lua", function()
  it("passes a tree whose calls point one way", function()
    local output, code = check {
      [LOWER .. "/a.c"] = "int a(void) { return 1; }",
      [LOWER .. "/b.c"] = "int a(void); int b(void) { return a(); }",
      [UPPER .. "/c.c"] = "int b(void); int c(void) { return b(); }",
    }
    assert.equal("", output)
    assert.equal(0, code)
  end)

  it("reports a cycle of three files", function()
    local output, code = check {
      [LOWER .. "/a.c"] = "int b(void); int a(void) { return b(); }",
      [LOWER .. "/b.c"] = "int c(void); int b(void) { return c(); }",
      [LOWER .. "/c.c"] = "int a(void); int c(void) { return a(); }",
    }
    assert.equal(([[
cycle:
  src/http/a.c calls b in src/http/b.c
  src/http/b.c calls c in src/http/c.c
  src/http/c.c calls a in src/http/a.c
]]):gsub("src/http", LOWER), output)
    assert.equal(1, code)
  end)

  it("reports a call to a folder above", function()
    local output, code = check {
      [LOWER .. "/a.c"] = "int c(void); int a(void) { return c(); }",
      [LOWER .. "/b.c"] = "int a(void); int b(void) { return a(); }",
      [UPPER .. "/c.c"] = "int c(void) { return 1; }",
    }
    assert.equal(LOWER .. "/a.c: must not call c in " .. UPPER .. "/c.c\n", output)
    assert.equal(1, code)
  end)

  it("reports a Lua header below the Lua layer", function()
    local output, code = check {
      [LOWER .. "/a.c"] = "#if 0\n#include <lua.h>\n#endif\nint a(void) { return 1; }",
    }
    assert.equal(LOWER .. "/a.c: must not include <lua.h>\n", output)
    assert.equal(1, code)
  end)

  it("reports a header of a folder above", function()
    local output, code = check {
      [LOWER .. "/a.c"] = '#if 0\n#include "lua/client.h"\n#endif\nint a(void) { return 1; }',
    }
    assert.equal(LOWER .. "/a.c: must not include lua/client.h\n", output)
    assert.equal(1, code)
  end)

  it("reports a source without an object", function()
    local folder = scratch.folder()
    child.run { "mkdir", "-p", folder .. "/" .. LOWER }
    scratch.write(("%s/%s/a.c"):format(folder, LOWER), "int a;\n")
    local output, code = child.run { child.lua, "tools/layers.lua", folder .. "/obj", folder }
    assert.matches(LOWER .. "/a.c: has no object", output, 1, true)
    assert.equal(1, code)
  end)

  it("reports a folder that is not in its table", function()
    local output, code = check { ["src/other/a.c"] = "int a;\n" }
    assert.equal("src/other/a.c: name its folder in tools/layers.lua\n", output)
    assert.equal(1, code)
  end)
end)
