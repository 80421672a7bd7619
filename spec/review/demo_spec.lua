-- cekura-review demo, run as a user would run it.
-- It runs once; most of the tests read its output.

local child = require "support.child"
local keys = require "support.keys"

local demo = { child.lua, "bin/cekura-review", "demo" }

-- An environment that names a server that is not running.
local elsewhere = {
  CEKURA_API_KEY = keys.KEY, CEKURA_API_URL = "http://127.0.0.1:1",
  http_proxy = "http://127.0.0.1:1", all_proxy = "http://127.0.0.1:1", no_proxy = false,
}

describe("the demo", function()
  local output, code

  setup(function() output, code = child.run_checked(demo, elsewhere) end)

  local function has(text) assert.is_truthy(output:find(text, 1, true), text .. "\n" .. output) end

  it("calls only its sandbox, whatever the environment says", function()
    assert.equal(0, code, output)
    assert.is_nil(output:find("127.0.0.1:1/", 1, true))
  end)

  it("shows a vote", function()
    assert.matches("before +3 +%- +%- +no +%-\n", output)
    assert.matches("after +3 +2 +no +yes +Agent missed the reschedule step\n", output)
  end)

  it("shows the cost of an evaluation, its status and the new values", function()
    has "this would start 6 metric evaluations"
    has "Result 373, "
    assert.matches("Credits: 10000 before, 9994 now: 6 spent.\n   And then: completed\n", output)
    assert.matches("5544 +3 %-> 2 +2 +yes\n", output)
  end)

  it("shows a hundred results at once", function()
    local evaluations, credits = output:match("this would start (%d+) metric evaluations,\n +"
      .. "which cost about (%d+) credits%..-\n +Credits: %d+ before")
    assert.is_truthy(evaluations, output)
    assert.equal(evaluations, credits)
    assert.is_truthy(output:find(("now: %s spent."):format(evaluations), 1, true))
    assert.matches("scheduled +100 +0 +0 ", output)
    assert.matches("done +0 +%d+ +%d+ ", output)
  end)

  it("shows call logs before and after", function()
    assert.matches("70023 +Ask about symptoms +not judged +failure +success +%- %-> 3\n", output)
  end)

  it("shows the test set that the optimiser reads", function()
    has "The optimiser reads the test sets in the metric's Lab, and a vote creates none."
    assert.matches("create_from_run makes test set %d+ of run 5544%.\n", output)
  end)

  it("shows the optimiser's progress_id", function()
    has "this would start at least "
    assert.matches("progress_id %x+%-%x+%-%x+%-%x+%-%x+\n", output)
    has "The job: running\n   And then: completed\n"
  end)

  for _, kind in ipairs { "validation", "budget", "authentication" } do
    it("shows an error of the kind " .. kind, function()
      has(('kind = "%s", applied = "no"'):format(kind))
    end)
  end

  it("reports all problems at once", function()
    for _, field in ipairs { "run_id", "thumbs_up", "expected_value", "feedbak" } do
      has(field .. ": ")
    end
    has 'did you mean "feedback"?'
  end)

  it("prints lines of at most 100 columns without trailing spaces", function()
    assert.is_nil(output:find "\27")
    for line in output:gmatch "[^\n]+" do
      assert.is_true(#line <= 100, line)
      assert.is_nil(line:find "%s$", "ends with a space: " .. line)
    end
  end)
end)

describe("the demo", function()
  it("fits 40 columns, except for URLs and names of calls", function()
    local environment = { COLUMNS = "40" }
    for name, value in pairs(elsewhere) do environment[name] = value end
    local output, code = child.run_checked(demo, environment)
    assert.equal(0, code, output)
    for line in output:gmatch "[^\n]+" do
      assert.is_true(utf8.len(line) <= 40 or line:find "^ *%S+$" ~= nil, line)
    end
  end)

  it("prints what its calls did as JSON with --json", function()
    local words = { table.unpack(demo) }
    words[#words + 1] = "--json"
    local output, errors, code = child.run_checked_apart(words, elsewhere)
    assert.equal(0, code, output)
    assert.matches("\n5  A better metric", errors, 1, true)
    local data = require "cjson".decode(output)
    assert.same({ "demo", 5, 3, 0 },
      { data.command, #data.calls, #data.errors, data.exit_code })
    assert.equal("runs.mark_metric_vote", data.calls[1].call)
    assert.same({ kind = "budget", applied = "no" }, data.errors[2])
    assert.is_true(data.credits_spent > 100)
  end)

  it("says which rock to install if the sandbox is missing", function()
    local words = { child.lua, "-e", 'package.preload["cekura.sandbox.main"] = function() '
      .. "error \"module 'cekura.sandbox.main' not found\" end", "bin/cekura-review", "demo" }
    local output, errors, code = child.run_checked_apart(words, elsewhere)
    assert.same({ "", 2 }, { output, code })
    assert.equal("cekura-review demo: cekura.sandbox is not installed: install the rock "
      .. "cekura-sandbox, or run `make` before `make install`\n", errors)
  end)
end)

describe("the demo, interrupted", function()
  for _, seconds in ipairs { 0.3, 0.6 } do
    it(("ends after %.1f s"):format(seconds), function()
      local process = child.start_checked(demo, elsewhere)
      os.execute("sleep " .. seconds)
      process:signal "INT"
      local output, code = process:finish()
      assert.not_equal(0, code, output)
    end)
  end
end)
