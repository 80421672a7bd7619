-- `make install` into a temporary folder.
-- A program then finds the modules with the lines that it prints; cekura-review needs none.
local child = require "support.child"
local lfs = require "lfs"
local scratch = require "support.scratch"

local VERSION = _VERSION:match "%d%.%d"

local function make(target, ...)
  local output, code = child.run({ "make", "--no-print-directory", target,
    "BUILD=" .. os.getenv "CEKURA_BUILD", ... }, { MAKEFLAGS = false, MFLAGS = false })
  assert.equal(0, code, output)
  return output
end

local function install(...) return make("install", ...) end

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

-- Runs the installed program in another folder, without the paths of the checkout.
local function run_program(prefix, ...)
  local words = { "sh", "-c", 'cd / && exec "$@"', "sh", prefix .. "/bin/cekura-review", ... }
  return child.run_checked(words, { LUA_PATH = false, LUA_CPATH = false })
end

-- A host that links the installed library, as the guide on embedding says.
local HOST = [[
#include <cekura.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

int main(int count, char **arguments) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cekura_core);
  lua_setfield(L, -2, "cekura.core");
  int failed = count != 2 || luaL_dostring(L, arguments[1]);
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
]]

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

  it("installs into a PREFIX with spaces and quotes", function()
    local prefix = folder .. "/it's \"a\" b"
    local output, code = run_after(exports_of(install("PREFIX=" .. prefix)), [[
      assert(require "cekura".new { api_key = "key" }):close()
      print(package.searchpath("cekura", package.path))
    ]])
    assert.equal(0, code, output)
    assert.equal(prefix .. "/share/lua/" .. VERSION .. "/cekura/init.lua\n", output)
    assert.matches("^prefix=[^\n]*/it's \\\"a\\\" b\n",
      scratch.read(prefix .. "/lib/pkgconfig/cekura.pc"))
    output, code = run_program(prefix, "votes", "--help")
    assert.equal(0, code, output)
    assert.matches("^Usage: cekura%-review votes", output)
  end)

  it("installs cekura-review, which finds its modules from any folder", function()
    install("PREFIX=" .. folder)
    local output, code = run_program(folder, "demo")
    assert.equal(0, code, output)
    assert.matches("\n5  A better metric", output, 1, true)
    local lines = scratch.read(folder .. "/bin/cekura-review")
    assert.matches("^#!/usr/bin/env lua[%d.]*\n", lines)
  end)

  it("names the folder of PREFIX, not of DESTDIR, in cekura-review", function()
    install("PREFIX=opt/x", "DESTDIR=" .. folder .. "/")
    local lines = scratch.read(folder .. "/opt/x/bin/cekura-review")
    local path = lfs.currentdir() .. "/opt/x/lib/lua/" .. VERSION .. "/?.so;"
    assert.matches("[==[" .. path .. "]==]", lines, 1, true)
    assert.is_nil(lines:find(folder, 1, true), lines)
  end)

  it("prints a relative PREFIX as an absolute path", function()
    local lines = exports_of(install("PREFIX=opt/x", "DESTDIR=" .. folder .. "/"))
    assert.equal(VERSION, lines:match "LUA_CPATH='/[^;]+/opt/x/lib/lua/(5%.%d)/%?%.so;;'", lines)
  end)

  it("prints PREFIX without DESTDIR", function()
    local lines = exports_of(install("PREFIX=/opt/x", "DESTDIR=" .. folder))
    assert.truthy(lines:find("LUA_CPATH='/opt/x/lib/lua/" .. VERSION .. "/?.so;;'", 1, true),
                  lines)
    assert.is_nil(lines:find(folder, 1, true))
  end)

  it("installs a library that pkg-config links into a host", function()
    install("PREFIX=" .. folder)
    scratch.write(folder .. "/host.c", HOST)
    -- An instrumented library needs the flags that `make test` got on its command line.
    local output, code = child.run { "sh", "-ec", [[
      export PKG_CONFIG_PATH="$0/lib/pkgconfig"
      pkg-config --modversion cekura
      ${CC:-cc} ${CFLAGS-} ${LDFLAGS-} -o "$0/host" "$0/host.c" -rdynamic \
        $(pkg-config --cflags --libs --static cekura)
      share="$0/share/lua/$1"
      LUA_PATH="$share/?.lua;$share/?/init.lua" "$0/host" '
          local cekura = require "cekura"
          assert(cekura.new { api_key = "key" }):close()
          print(cekura._VERSION, package.loaded["cekura.core"] == cekura)'
    ]], folder, VERSION }
    assert.equal(0, code, output)
    local version = require "cekura"._VERSION
    assert.equal(version .. "\n" .. version .. "\ttrue\n", output)
  end)

  it("writes PREFIX without DESTDIR into the file of pkg-config", function()
    install("PREFIX=/opt/x", "DESTDIR=" .. folder)
    local text = scratch.read(folder .. "/opt/x/lib/pkgconfig/cekura.pc")
    assert.truthy(text:find "^prefix=/opt/x\n", text)
    assert.is_nil(text:find(folder, 1, true), text)
  end)

  it("leaves a module that says what to install if the sandbox is missing", function()
    local lines = exports_of(install("PREFIX=" .. folder))
    scratch.remove(folder .. "/share/lua/" .. VERSION .. "/cekura/sandbox")
    local output, code = run_after(lines, 'require "cekura.sandbox"')
    assert.equal(1, code)
    assert.truthy(output:find("(command line):1: cekura.sandbox is not installed: install the rock "
      .. "cekura-sandbox, or run `make` before `make install`", 1, true), output)
  end)

  it("is undone by `make uninstall`", function()
    local variables = { "PREFIX=/opt/it's y", "DESTDIR=" .. folder }
    install(table.unpack(variables))
    make("uninstall", table.unpack(variables))
    assert.same({ "", 0 }, { child.run { "find", folder, "-not", "-type", "d" } })
  end)
end)
