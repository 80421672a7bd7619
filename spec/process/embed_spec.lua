-- A host with the client and the sandbox linked in (spec/c/linked.c).
-- Two states run the same script at the same time, in two threads.

local child = require "support.child"

local build = os.getenv "CEKURA_BUILD" or "build"

local SCRIPT = [[
local cekura = require "cekura.core"  -- linked in; it needs no Lua file
local server <close> = require "cekura.sandbox".start { evaluation_time = 0.05 }
local client <close> = assert(cekura.new {
  api_url = server.url, api_key = server.api_key, proxy = "",
})

local votes = 0
for round = 1, 20 do
  for run_id = 5540, 5545 do
    local vote = assert(client.runs:mark_metric_vote {
      run_id = run_id, metric_id = 55, thumbs_up = round % 2 == 0, expected_value = 2,
    })
    assert(vote.success)
    votes = votes + 1
  end
end

local result = assert(client.results:evaluate_metrics {
  result_id = 373, run_ids = { 5544, 5545 }, metric_ids = { 55 },
})
assert(result.status == "running")

local none, err = client.runs:mark_metric_vote { run_id = 5544 }
assert(none == nil and err.kind == "validation")

io.write(("%d votes, result %d %s\n"):format(votes, result.id, result.status))
]]

describe("a host that links the client in", function()
  -- The search path lacks the folder of core.so, so that only linked code is found.
  local function run(script)
    local cpath = (os.getenv "LUA_CPATH" or ";;"):gsub("[^;]+", function(template)
      return package.searchpath("cekura.core", template) and ""
    end)
    return child.run_checked({ build .. "/linked", script },
      { LUA_CPATH = cpath, CEKURA_API_KEY = false, CEKURA_API_URL = false })
  end

  local function with_script(text, test)
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    file:flush()
    local output, code = run(path)
    os.remove(path)
    test(output, code)
  end

  it("runs a script in two states at once, and frees all memory", function()
    with_script(SCRIPT, function(output, code)
      assert.equal(0, code, output)
      local _, runs = output:gsub("120 votes, result 373 running\n", "")
      assert.equal(2, runs, output)
      for state = 1, 2 do
        assert.matches(("state %d: ok, %%d+ KiB at most, balance 0\n"):format(state), output)
      end
    end)
  end)

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
