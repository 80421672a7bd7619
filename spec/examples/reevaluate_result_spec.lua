-- examples/reevaluate_result.lua, run as a user would run it.
-- Above all: an evaluation that may have been started is not started again.

local Example = require "support.example"

local NO_ERRORS = ""
local PATH = "/test_framework/v1/results/373/evaluate_metrics/"

local PLAN = [[
Result 373, Harbor Scheduling, 22 October: completed.

   run  scenario                   metric             says
  5543  Ask about symptoms         Steps Completed       3
  5543  Ask about symptoms         Follow-up Offered     -
  5544  Reschedule an appointment  Steps Completed       3
  5544  Reschedule an appointment  Follow-up Offered     -

Cost: 4 metric evaluations (2 runs × 2 metrics).
Balance: 10000 credits (the last half hour may be missing).
]]

local CHANGES = [[

   run  scenario                   metric             old        new
  5543  Ask about symptoms         Steps Completed      3  →       3
  5543  Ask about symptoms         Follow-up Offered    -  →  passed  new
  5544  Reschedule an appointment  Steps Completed      3  →       2  changed
  5544  Reschedule an appointment  Follow-up Offered    -  →  passed  new

3 of 4 values changed.
]]

local BODY = '{"run_ids":["5543","5544"],"metric_ids":["55","57"]}'

describe("reevaluate_result", function()
  local example

  local function start(options)
    if example then example:close() end
    example = Example.new("reevaluate_result", options)
  end

  before_each(function() start() end)
  after_each(function()
    example:close()
    example = nil
  end)

  -- Two runs of the result, two metrics.
  local function run(...)
    return example:run("373", "--metrics", "55,57", "--runs", "5543,5544", "--no-progress",
      "--interval", "0.02", ...)
  end

  it("prints the plan with its cost, and only reads", function()
    local output, errors, code = run()
    assert.equal(NO_ERRORS, errors)
    assert.equal(PLAN .. "Nothing was started: --apply does it.\n", output)
    assert.equal(0, code)
    assert.same({}, example:sent())
  end)

  it("evaluates the completed runs by default", function()
    local output, errors = example:run("378", "--metrics", "55")
    assert.equal(NO_ERRORS, errors)
    local completed = 0
    for _, id in ipairs(example.server:state("results", 378).run_ids) do
      if example.server:state("runs", id).status == "completed" then completed = completed + 1 end
    end
    assert.is_truthy(output:find(("(%d runs × 1 metric)"):format(completed), 1, true), output)
  end)

  it("continues if the key may not read the balance", function()
    example.server:faults { { path = "/billing/", status = 403 } }
    local output, errors, code = run()
    assert.equal(NO_ERRORS, errors)
    assert.matches("\nBalance: unknown: billing%.info: status 403: [^\n]*\n", output)
    assert.equal(0, code)
  end)

  it("with --apply prints the changes", function()
    local output, errors, code = run "--apply"
    assert.equal(NO_ERRORS, errors)
    assert.equal(PLAN .. CHANGES, output)
    assert.equal(0, code)
    assert.same({ "POST " .. PATH, BODY }, example:sent())
    assert.equal(9996, example.server:state("balance").remaining)
  end)

  it("prints progress by default", function()
    local output, errors, code = example:run("373", "--metrics", "57", "--apply")
    assert.matches("^6 of 6 done, took [%d:]+\n$", errors)
    assert.matches("\n6 of 6 values changed%.\n$", output)
    assert.equal(0, code)
  end)

  describe("refuses", function()
    local HELP = "; --help shows how it is used"

    for what, row in pairs {
      ["no result"] = { { "--metrics", "55" }, "missing argument 'result'" .. HELP },
      ["no metrics"] = { { "373" }, "missing option '--metrics'" .. HELP },
      ["an invalid id"] = { { "373", "--metrics", "55,x" },
        "'x' is not an id: a whole number from 1 on" .. HELP },
      ["an empty list"] = { { "373", "--metrics", "," }, "there is no id" .. HELP },
      ["an id twice"] = { { "373", "--metrics", "55,55" }, "the id 55 is listed twice" .. HELP },
      ["a timeout of 0"] = { { "373", "--metrics", "55", "--timeout", "0" },
        "'0' is not a number of seconds" .. HELP },
      ["an unknown result"] = { { "99999", "--metrics", "55" },
        "results.get: status 404: No Result matches the given query. (not_found)" },
      ["an unknown metric"] = { { "373", "--metrics", "99" }, "there is no metric 99: "
        .. "metrics.get: status 404: No Metric matches the given query. (not_found)" },
      ["a run of another result"] = { { "373", "--metrics", "55", "--runs", "5000" },
        "run 5000 is not one of result 373" },
    } do
      it(what, function()
        table.insert(row[1], "--apply")
        local output, errors, code = example:run(table.unpack(row[1]))
        assert.equal("", output)
        assert.equal("reevaluate_result: " .. row[2] .. "\n", errors)
        assert.equal(2, code)
        assert.same({}, example:sent())
      end)
    end

    it("more than --max-evaluations", function()
      local output, errors, code = run("--apply", "--max-evaluations", "3")
      assert.equal(PLAN, output)
      assert.matches("^reevaluate_result: [^\n]*max_evaluations is 3: nothing was sent", errors)
      assert.equal(2, code)
      assert.same({}, example:sent())
    end)

    it("a wrong key", function()
      example.environment.CEKURA_API_KEY = "another-key"
      local output, errors, code = run "--apply"
      assert.equal("", output)
      assert.matches("401", errors)
      assert.equal(2, code)
    end)

    it("a missing key", function()
      example.environment.CEKURA_API_KEY = false
      local _, errors, code = run "--apply"
      assert.matches("api_key: is required", errors)
      assert.equal(2, code)
    end)

    it("a result that is still running", function()
      start { evaluation_time = 60 }
      run("--apply", "--timeout", "0.1")
      local _, errors, code = run "--apply"
      assert.equal("reevaluate_result: the result is running: start this once it has ended\n",
        errors)
      assert.equal(1, code)
      assert.same({ "POST " .. PATH, BODY }, example:sent())
    end)
  end)

  it("prints why the server refuses, such as missing credits", function()
    start { balance = 3 }
    local output, errors, code = run "--apply"
    assert.equal((PLAN:gsub("10000", "3")), output)
    assert.matches("^reevaluate_result: [^\n]*Insufficient credits: this needs 4", errors)
    assert.equal(1, code)
  end)

  describe("if it is unknown whether the evaluation was started", function()
    it("waits if the result is running", function()
      local fault = { method = "POST", status = 502, applied = true }
      start { evaluation_time = Example.RUNNING, faults = { fault } }
      local output, errors, code = run "--apply"
      assert.equal(PLAN .. CHANGES, output)
      assert.matches("502[^\n]*But the result is running: it was started, and is not sent again\n$",
        errors)
      assert.equal(0, code)
      assert.same({ "POST " .. PATH, BODY }, example:sent())
    end)

    it("waits if only the response was lost", function()
      start { faults = { { method = "POST", truncate = 20 } } }
      local output, errors, code = run "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. CHANGES, output)
      assert.equal(0, code)
      assert.same({ "POST " .. PATH, BODY }, example:sent())
    end)

    it("does not send it again if the result is not running", function()
      start { faults = { { method = "POST", drop = true } } }
      local output, errors, code = run "--apply"
      assert.equal(PLAN, output)
      assert.matches("The result is completed, changed last at [^\n]*It is not sent again: run",
        errors)
      assert.equal(4, code)
      assert.same({ "POST " .. PATH, BODY }, example:sent())
    end)
  end)

  describe("during the wait", function()
    local LOOK = "a started evaluation continues: without --apply this command prints the values"
    local PATTERN = LOOK:gsub("%-", "%%-")

    it("does not take the old status for the new one", function()
      example:lag(373, 1)
      local output, errors = run "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. CHANGES, output)
    end)

    it("continues after a network failure", function()
      example.server:faults { { method = "GET", path = "results/373/$", skip = 1, drop = true } }
      local output, errors, code = run "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. CHANGES, output)
      assert.equal(0, code)
    end)

    it("says if the network is lost", function()
      start { evaluation_time = 60 }
      local process = example:start("373", "--metrics", "55", "--no-progress", "--interval", "0.05",
        "--timeout", Example.LOST, "--apply")
      example:await_polls(2)
      example.server:stop()
      local output, code = process:finish()
      assert.is_truthy(output:find(LOOK, 1, true), output)
      assert.matches("the last poll failed: results.get: [^\n]*%(network%)", output)
      assert.equal(4, code)
    end)

    it("says if it is not done in time", function()
      start { evaluation_time = 60 }
      local output, errors, code = run("--apply", "--timeout", Example.SHORT)
      assert.equal(PLAN, output)
      assert.matches('not done after %d+ s: the result\'s status is "running"[^\n]*%. ' .. PATTERN,
        errors)
      assert.equal(5, code)
    end)

    it("ends at a Ctrl-C", function()
      start { evaluation_time = 60 }
      local process = example:start("373", "--metrics", "55", "--no-progress", "--interval", "0.05",
        "--apply")
      example:await_polls(2)
      process:signal "INT"
      local output, code = process:finish()
      assert.matches("\nreevaluate_result: interrupted: " .. PATTERN .. "\n$", output)
      assert.equal(130, code)
    end)
  end)
end)
