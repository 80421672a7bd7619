-- cekura-review reevaluate, run as a user would run it.
-- Above all: an evaluation that may have been started is not started again.

local Review = require "support.review"
local json = require "cjson".new()

local NO_ERRORS = ""
local PATH = "/test_framework/v1/results/373/evaluate_metrics/"

local PLAN = [[
Result 373, Harbor Scheduling, 22 October: completed.

   run  scenario                   metric             says
  5543  Ask about symptoms         Steps Completed       3
  5543  Ask about symptoms         Follow-up Offered     -
  5544  Reschedule an appointment  Steps Completed       3
  5544  Reschedule an appointment  Follow-up Offered     -

Estimate: 4 metric evaluations (2 runs × 2 metrics), 4 credits.
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

local SPENT = "Spent: 4 metric evaluations.\n"
local NOT_SPENT = "Spent: nothing.\n"
local UNKNOWN = "Spent: nothing; unknown: 4 metric evaluations.\n"

local BODY = '{"run_ids":["5543","5544"],"metric_ids":["55","57"]}'

describe("cekura-review reevaluate", function()
  local example

  local function start(options)
    if example then example:close() end
    example = Review.new("reevaluate", options)
  end

  before_each(function() start() end)
  after_each(function()
    example:close()
    example = nil
  end)

  -- Two runs of the result, two metrics.
  local function words_of(...)
    return { "373", "--metrics", "55,57", "--runs", "5543,5544", "--no-progress", "--interval",
      "0.02", ... }
  end

  local function run(...) return example:run(table.unpack(words_of(...))) end

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
    assert.equal(PLAN .. CHANGES .. SPENT, output)
    assert.equal(0, code)
    assert.same({ "POST " .. PATH, BODY }, example:sent())
    assert.equal(9996, example.server:state("balance").remaining)
  end)

  it("prints progress by default", function()
    local output, errors, code = example:run("373", "--metrics", "57", "--apply")
    assert.matches("^6 of 6 done, took [%d:]+\n$", errors)
    assert.matches("\n6 of 6 values changed%.\nSpent: 6 metric evaluations%.\n$", output)
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
      ["an unknown result"] = { { "99999", "--metrics", "55" }, "there is no result 99999: "
        .. "results.get: status 404: No Result matches the given query. (not_found)" },
      ["an unknown metric"] = { { "373", "--metrics", "99" }, "there is no metric 99: "
        .. "metrics.get: status 404: No Metric matches the given query. (not_found)" },
      ["a run of another result"] = { { "373", "--metrics", "55", "--runs", "5000" },
        "run 5000 is not one of result 373" },
    } do
      it(what, function()
        table.insert(row[1], "--apply")
        local output, errors, code = example:run(table.unpack(row[1]))
        assert.equal("", output)
        assert.equal("cekura-review reevaluate: " .. row[2] .. "\n", errors)
        assert.equal(2, code)
        assert.same({}, example:sent())
      end)
    end

    it("more than --max-evaluations", function()
      local output, errors, code = run("--apply", "--max-evaluations", "3")
      assert.equal(PLAN .. NOT_SPENT, output)
      assert.equal("cekura-review reevaluate: 4 evaluations are more than --max-evaluations 3: "
        .. "nothing was started\n", errors)
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
      assert.equal("cekura-review reevaluate: the result is running: start this once it has "
        .. "ended\n",
        errors)
      assert.equal(1, code)
      assert.same({ "POST " .. PATH, BODY }, example:sent())
    end)

    it("a result of which all runs are still running", function()
      start { evaluation_time = 60 }
      example:run("373", "--metrics", "55", "--apply", "--timeout", "0.1")
      local _, errors, code = example:run("373", "--metrics", "55", "--apply")
      assert.equal("cekura-review reevaluate: no run of result 373 is completed: the result is "
        .. "running\n", errors)
      assert.equal(2, code)
    end)
  end)

  it("prints why the server refuses, such as missing credits", function()
    start { balance = 3 }
    example.server:faults { { path = "/billing/", status = 403 } }
    local output, errors, code = run "--apply"
    assert.matches("\nBalance: unknown: [^\n]*\n" .. NOT_SPENT:gsub("%p", "%%%0") .. "$", output)
    assert.matches("^cekura%-review reevaluate: [^\n]*Insufficient credits: this needs 4", errors)
    assert.equal(1, code)
  end)

  describe("if it is unknown whether the evaluation was started", function()
    it("waits if the result is running", function()
      local fault = { method = "POST", status = 502, applied = true }
      start { evaluation_time = Review.RUNNING, faults = { fault } }
      local output, errors, code = example:run_until(function() example:await_polls(2) end,
        table.unpack(words_of "--apply"))
      assert.equal(PLAN .. CHANGES .. SPENT, output)
      assert.matches("502[^\n]*But the result is running: it was started, and is not sent again\n$",
        errors)
      assert.equal(0, code)
      assert.same({ "POST " .. PATH, BODY }, example:sent())
    end)

    it("waits if only the response was lost", function()
      start { faults = { { method = "POST", truncate = 20 } } }
      local output, errors, code = run "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. CHANGES .. SPENT, output)
      assert.equal(0, code)
      assert.same({ "POST " .. PATH, BODY }, example:sent())
    end)

    it("does not send it again if the result is not running", function()
      start { faults = { { method = "POST", drop = true } } }
      local output, errors, code = run "--apply"
      assert.equal(PLAN .. UNKNOWN, output)
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
      assert.equal(PLAN .. CHANGES .. SPENT, output)
    end)

    it("continues after a network failure", function()
      example.server:faults { { method = "GET", path = "results/373/$", skip = 1, drop = true } }
      local output, errors, code = run "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. CHANGES .. SPENT, output)
      assert.equal(0, code)
    end)

    it("says if the network is lost", function()
      start { evaluation_time = 60 }
      local process = example:start("373", "--metrics", "55", "--no-progress", "--interval", "0.05",
        "--timeout", Review.LOST, "--apply")
      example:await_polls(2)
      example.server:stop()
      local output, code = process:finish()
      assert.is_truthy(output:find(LOOK, 1, true), output)
      assert.matches("the last poll failed: results.get: [^\n]*%(network%)", output)
      assert.equal(4, code)
    end)

    it("says if it is not done in time", function()
      start { evaluation_time = 60 }
      local output, errors, code = run("--apply", "--timeout", Review.SHORT)
      assert.equal(PLAN .. SPENT, output)
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
      assert.matches("\ncekura%-review reevaluate: interrupted: " .. PATTERN .. "\nSpent: 6 metric "
        .. "evaluations%.\n$", output)
      assert.equal(130, code)
    end)
  end)

  it("counts the evaluations as unknown after a Ctrl-C during the call", function()
    start { faults = { { method = "POST", delay = 60 } } }
    local process = example:start("373", "--metrics", "55", "--no-progress", "--apply", "--json")
    example:await_requests "POST"
    process:signal "INT"
    local output, code = process:finish()
    assert.equal(130, code)
    assert.matches("\nSpent: nothing; unknown: %d metric evaluations%.\n", output)
    local data = json.decode(output:match "\n({.*})\n")
    assert.equal("unknown", data.started)
    assert.equal(0, data.spent.evaluations)
    assert.equal(data.evaluations, data.spent.evaluations_unknown)
  end)

  describe("with --json", function()
    local function run_json(...)
      local output, errors, code = run("--json", ...)
      return json.decode(output), errors, code
    end

    it("writes the plan to stderr, and its data to stdout", function()
      local data, errors, code = run_json()
      assert.equal(PLAN .. "Nothing was started: --apply does it.\n", errors)
      assert.equal(0, code)
      assert.same({ 5543, 5544 }, data.run_ids)
      assert.same({ 55, 57 }, data.metric_ids)
      assert.same({ 373, 4, 10000, "no", 0 }, { data.result_id, data.evaluations, data.balance,
        data.started, data.exit_code })
      assert.same({ run_id = 5543, scenario = "Ask about symptoms", metric_id = 55,
        metric = "Steps Completed", before = 3 }, data.values[1])
      assert.same({ evaluations = 4, credits = 4, unknown_metrics = {} }, data.estimate)
      assert.is_nil(data.spent)
    end)

    it("has the values before and after", function()
      local data, _, code = run_json "--apply"
      assert.equal(0, code)
      assert.same({ "yes", 4, 0 }, { data.started, data.spent.evaluations,
        data.spent.evaluations_unknown })
      local function row(i)
        return { data.values[i].before, data.values[i].after, data.values[i].changed }
      end
      assert.same({ 3, 3, false }, row(1))
      assert.same({ 3, 2, true }, row(3))
      assert.same({ [2] = "passed", [3] = true }, row(4))
    end)

    it("shows after a failure what was spent", function()
      start { balance = 3 }
      example.server:faults { { path = "/billing/", status = 403 } }
      local data, _, code = run_json "--apply"
      assert.equal(1, code)
      assert.matches("Insufficient credits", data.error)
      assert.same({ "no", 0, 0 }, { data.started, data.spent.evaluations,
        data.spent.evaluations_unknown })
    end)
  end)
end)
