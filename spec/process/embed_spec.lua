-- The host in examples/embed: the client is linked in, and two states run on two threads.

local child = require "support.child"

local build = os.getenv "CEKURA_BUILD" or "build"

describe("a host that links the client in", function()
  setup(function()
    local output, code = child.run { "make", "--no-print-directory", "embed", "BUILD=" .. build }
    assert(code == 0, output)
  end)

  -- The search path lacks the folder of core.so, so that only linked code is found.
  local function run(script)
    local cpath = (os.getenv "LUA_CPATH" or ";;"):gsub("[^;]+", function(template)
      return package.searchpath("cekura.core", template) and ""
    end)
    return child.run_checked({ build .. "/embed", script },
      { LUA_CPATH = cpath, CEKURA_API_KEY = false, CEKURA_API_URL = false })
  end

  it("runs a script in two states at once, and frees all memory", function()
    local output, code = run "examples/embed/script.lua"
    assert.equal(0, code, output)
    local _, runs = output:gsub("120 votes, result 373 running\n", "")
    assert.equal(2, runs, output)
    for state = 1, 2 do
      assert.matches(("state %d: ok, %%d+ KiB at most, balance 0\n"):format(state), output)
    end
  end)

  local function with_script(text, test)
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    file:flush()
    local output, code = run(path)
    os.remove(path)
    test(output, code)
  end

  it("fails if a script fails, and frees all memory", function()
    with_script([[
      local cekura = require "cekura.core"
      local client = assert(cekura.new { api_key = "k", api_url = "http://127.0.0.1:1" })
      assert(client.runs:mark_metric_vote {})
    ]], function(output, code)
      assert.equal(1, code, output)
      assert.matches("run_id: is required", output, 1, true)
      assert.matches("state 2: failed, %d+ KiB at most, balance 0\n", output)
    end)
  end)
end)
