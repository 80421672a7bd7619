-- tools/deps.sh on a machine without valgrind.
-- Its sudo and apt-get are scripts that record their arguments.
local child = require "support.child"
local json = require "cjson".new()
local lfs = require "lfs"
local python = require "support.python"
local scratch = require "support.scratch"

local CTRL_C, CTRL_D = "\3", "\4"

local function program(path, text)
  scratch.write(path, "#!/bin/sh\n" .. text)
  assert(os.execute("chmod +x '" .. path .. "'"))
end

-- Returns a folder of programs for PATH. `user` is the id of the user who runs deps.sh.
local function machine(user)
  local bin = scratch.folder()
  for name in ("env bash sh sed mktemp cat rm touch chmod"):gmatch "%S+" do
    assert(os.execute(("ln -s \"$(command -v %s)\" '%s/%s'"):format(name, bin, name)))
  end
  program(bin .. "/id", "echo " .. user)
  program(bin .. "/sudo", ('echo "sudo $*" >>%s/calls\nexec "$@"\n'):format(bin))
  program(bin .. "/apt-get", ([[
    echo "apt-get $*" >>%s/calls
    case "$*" in *install*valgrind*) touch %s/valgrind; chmod +x %s/valgrind ;; esac
  ]]):format(bin, bin, bin))
  return bin
end

local deps = lfs.currentdir() .. "/tools/deps.sh"

local function installed(bin) return lfs.attributes(bin .. "/valgrind") ~= nil end

-- Answers the question of deps.sh on a terminal. Returns { before, shown, code }.
local function on_terminal(bin, answer)
  local words = { python, "-E", "-B", "-S", "spec/support/prompt.py", "Press Enter", answer,
    "env", "PATH=" .. bin, deps, "valgrind" }
  return json.decode((child.run(words)))
end

local function without_terminal(bin)
  return child.run({ "sh", "-c", 'exec "$0" "$@" </dev/null', "env", "PATH=" .. bin, deps,
    "valgrind" })
end

describe("tools/deps.sh", function()
  it("lists missing packages on a terminal, and installs them with sudo after Enter", function()
    local bin = machine(1000)
    local run = on_terminal(bin, "\n")
    assert.truthy(run.before:find("sudo:\r\n  valgrind\r\n", 1, true), run.before)
    assert.equal(0, run.code, run.shown)
    assert.truthy(scratch.read(bin .. "/calls"):find "sudo env .*apt%-get .*install valgrind")
    assert.is_true(installed(bin))
  end)

  for name, key in pairs { ["Ctrl-C"] = CTRL_C, ["the end of input"] = CTRL_D } do
    it("installs nothing after " .. name, function()
      local bin = machine(1000)
      local run = on_terminal(bin, key)
      assert.is_string(run.before)
      assert.not_equal(0, run.code)
      assert.is_nil(scratch.read(bin .. "/calls"))
    end)
  end

  it("calls sudo without a question if there is no terminal", function()
    local bin = machine(1000)
    local output, code = without_terminal(bin)
    assert.equal(0, code, output)
    assert.is_nil(output:find "Enter")
    assert.truthy(scratch.read(bin .. "/calls"):find "^sudo ")
    assert.is_true(installed(bin))
  end)

  it("does not ask root, even on a terminal", function()
    local bin = machine(0)
    local run = on_terminal(bin, "")
    assert.equal(json.null, run.before)
    assert.equal(0, run.code, run.shown)
    assert.is_nil(scratch.read(bin .. "/calls"):find "sudo")
    assert.is_true(installed(bin))
  end)

  it("prints nothing if nothing is missing", function()
    local bin = machine(1000)
    program(bin .. "/valgrind", "")
    local output, code = without_terminal(bin)
    assert.same({ "", 0 }, { output, code })
    assert.is_nil(scratch.read(bin .. "/calls"))
  end)
end)
