-- cekura-review gate, run as a pipeline would run it.
-- Above all: exit code 1 always means that a threshold was missed.

local Review = require "support.review"
local json = require "cjson".new()

local GOOD = "55>=2"
local NO_ERRORS = ""

describe("cekura-review gate", function()
  local gate

  local function begin(options)
    if gate then gate:close() end
    gate = Review.new("gate", options or { evaluation_time = 0.05 })
    gate.always = { "--result", "373", "--interval", "0.05", "--no-progress" }
  end

  before_each(function() begin() end)
  after_each(function()
    gate:close()
    gate = nil
  end)

  describe("without --evaluate only reads, and", function()
    after_each(function() assert.same({}, gate:changes()) end)

    it("passes a result that is good enough", function()
      local output, errors, code = gate:run("--min-success-rate", "0.5", "--metric", GOOD,
        "--metric", "52=confirmed>=0.3")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("success rate +>=0.5 +0.6667 +6 +pass\n", output)
      assert.matches('metric 52, share of "confirmed" +>=0.3 +0.3333 +6 +pass\n', output)
      assert.matches("\nresult 373 %(completed%): pass, 3 of 3 checks\n$", output)
    end)

    it("cuts no number on a narrow terminal", function()
      gate.environment.COLUMNS = "40"
      local output = gate:run("--min-success-rate", "0.5", "--confidence", "0.9")
      assert.matches("\n  check +wanted +found +verdict\n  success rate +>=0.5 +0.6667 +", output)
    end)

    it("fails a result below a threshold", function()
      local output, errors, code = gate:run("--min-success-rate", "0.9", "--metric", GOOD)
      assert.equal(NO_ERRORS, errors)
      assert.equal(1, code)
      assert.matches("success rate +>=0.9 +0.6667 +6 +FAIL\n", output)
      assert.matches("metric 55, mean +>=2 +2.833 +6 +pass\n", output)
      assert.matches("below the threshold, 1 of 2 checks\n$", output)
    end)

    it("supports each comparison", function()
      for threshold, expected in pairs { ["55<=2.9"] = 0, ["55<2"] = 1, ["55>2.8"] = 0,
        ["55 >= 3"] = 1, ["51>=-1e3"] = 0 } do
        local output, errors, code = gate:run("--metric", threshold)
        assert.equal(expected, code, threshold .. output .. errors)
      end
    end)

    it("accepts the value of a binary metric in any form", function()
      for _, word in ipairs { "true", "5", "passed", "Yes" } do
        local output, _, code = gate:run("--metric", ("54=%s>=0.1"):format(word))
        assert.equal(0, code, output)
      end
    end)

    describe("in both versions of the API", function()
      -- Makes the result have a run for each of these entries of metric 54.
      local function says(...)
        local runs = {}
        for i, entry in ipairs { ... } do
          entry.id, entry.name = 54, "Avoids Medical Advice"
          runs[tostring(i)] = { id = i, status = "completed", success = true,
            evaluation = { metrics = { entry } } }
        end
        gate.server:faults { { method = "GET", path = "/results/373/", times = math.huge,
          body = { id = 373, status = "completed", runs = runs } } }
      end

      local function v1(score) return { type = "binary", score = score } end
      local function v2(score)
        return { type = "binary", eval_type = "binary", score = score, passed = score }
      end

      -- { title, entries, threshold, exit code, value, runs }
      for _, row in ipairs {
        { "counts true as a pass", { v2(true), v2(true), v2(false), v2(false) },
          "54=passed>=0.5", 0, "0.5", 4 },
        { "counts false as a failure", { v2(true), v2(false), v2(false), v2(false) },
          "54=true>=0.5", 1, "0.25", 4 },
        { "counts both versions alike", { v2(true), v1(5), v2(false), v1(0) }, "54=5>=0.5", 0,
          "0.5", 4 },
        { "has the mean of 5 and 0 in both versions", { v2(true), v1(5), v2(false), v1(0) },
          "54>=2.5", 0, "2.5", 4 },
        { "leaves out runs to which the metric does not apply", { v2(true), v2(json.null), v2() },
          "54=passed>=1", 0, "1", 1 },
        { "takes none of them for a failure", { v2(false), v2(json.null), v2(json.null) },
          "54=failed>=1", 0, "1", 1 },
        { "needs a person if the metric applies to no run", { v2(json.null), v2() },
          "54=failed>=0", 3, "-", 0 },
        { "needs a person if a value cannot be read", { v2(true), v1(3) }, "54=passed>=0.1", 3,
          "-", 0 },
      } do
        it(row[1], function()
          says(table.unpack(row[2]))
          local output, errors, code = gate:run("--metric", row[3])
          assert.equal(row[4], code, output .. errors)
          assert.matches(("metric 54, [^\n]-  +%%S+ +%s +%d +"):format(
            row[5]:gsub("%p", "%%%0"), row[6]), output)
          local unreadable = "cekura-review gate: the value of metric 54 in run 2 cannot be read\n"
          assert.equal(row[1]:find "cannot be read" and unreadable or NO_ERRORS, errors)
        end)
      end
    end)

    it("prints the verdict as JSON with --json", function()
      local output, errors, code = gate:run("--json", "--metric", GOOD, "--metric", "55>=3")
      assert.equal(1, code)
      assert.matches("\nresult 373 [^\n]*: below the threshold, 1 of 2 checks\n$", errors)
      local said = json.decode(output)
      assert.equal("below the threshold", said.verdict)
      assert.equal(1, said.exit_code)
      assert.equal(373, said.result_id)
      assert.equal("pass", said.checks[1].verdict)
      assert.same({ "fail", 55, 6, ">=3" }, { said.checks[2].verdict, said.checks[2].metric_id,
        said.checks[2].runs, said.checks[2].wanted })
      assert.equal(1, select(2, output:gsub("\n", "")))
    end)

    it("needs a person if a metric has no value", function()
      local output, _, code = gate:run("--metric", "57>=1", "--metric", "55>=3")
      assert.equal(3, code)
      assert.matches("metric 57, mean +>=1 +%- +0 +no value\n", output)
    end)

    it("needs a person if the runs failed", function()
      for id, result in pairs(gate.server:state "results") do
        if result.status == "failed" then gate.always[2] = tostring(id) end
      end
      assert.not_equal("373", gate.always[2])
      local output, _, code = gate:run("--min-success-rate", "0")
      assert.equal(3, code)
      assert.matches("%(failed%): needs a person, 1 of 1 check\n$", output)
    end)

    it("prints the cost of --evaluate, and does not start it", function()
      local output, errors, code = gate:run("--metric", GOOD, "--evaluate", "55,57")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("^Estimate: 12 metric evaluations %(6 runs × 2 metrics%), 12 credits%.\n"
        .. "Balance: 10000 credits[^\n]*\nNothing is evaluated: %-%-apply does it%.\n", output)
    end)

    it("has no verdict without a response", function()
      gate.server:faults { { status = 500, times = math.huge } }
      local output, _, code = gate:run("--json", "--metric", GOOD, "--timeout", "0.3")
      assert.equal(4, code)
      local said = json.decode(output)
      assert.same({ "none", 4, "string" }, { said.verdict, said.exit_code, type(said.error) })
      gate.environment.CEKURA_API_URL = "http://127.0.0.1:1"
      local errors
      _, errors, code = gate:run("--metric", GOOD, "--timeout", "0.3")
      assert.equal(4, code)
      assert.matches("^cekura%-review gate: [^\n]*\n$", errors)
    end)
  end)

  describe("with --evaluate --apply", function()
    it("evaluates, waits, and judges the new values", function()
      local output, errors, code = gate:run("--metric", "57>=0", "--evaluate", "57", "--apply")
      assert.equal(0, code, errors)
      assert.matches("^Estimate: 6 metric evaluations %(6 runs × 1 metric%)", output)
      assert.matches("\nSpent: 6 metric evaluations%.\n$", output)
      assert.matches("metric 57, mean +>=0 +%S+ +6 +pass\n", output)
      assert.same({ "POST /test_framework/v1/results/373/evaluate_metrics/" }, gate:changes())
      assert.equal(9994, gate.server:state("balance").remaining)
    end)

    it("does not take the old status for the new one", function()
      gate:lag(373, 1)
      local output, errors, code =
        gate:run("--metric", "57>=0", "--evaluate", "57", "--apply")
      assert.equal(0, code, errors)
      assert.matches("metric 57, mean +>=0 +%S+ +6 +pass\n", output)
    end)

    it("has no verdict if the response is lost", function()
      gate.server:faults { { method = "POST", drop = true, applied = true } }
      local output, errors, code =
        gate:run("--json", "--metric", GOOD, "--evaluate", "55", "--apply")
      assert.equal(4, code)
      assert.matches("results.evaluate_metrics: ", errors)
      local said = json.decode(output)
      assert.same({ "none", 6 }, { said.verdict, said.spent.evaluations_unknown })
      assert.equal(1, #gate:changes())
    end)

    it("ends with usage for a metric of another agent", function()
      local _, errors, code = gate:run("--metric", GOOD, "--evaluate", "44", "--apply")
      assert.equal(2, code)
      assert.matches("Metric 44 does not belong to agent 231", errors)
    end)

    it("ends a wait after --timeout, and at a Ctrl-C", function()
      begin { evaluation_time = 60 }
      local output, errors, code = gate:run("--json", "--metric", GOOD, "--evaluate", "55",
        "--apply", "--timeout", Review.SHORT)
      assert.equal(5, code)
      assert.matches("not done after", errors)
      local said = json.decode(output)
      assert.same({ "none", 5 }, { said.verdict, said.exit_code })
      local process = gate:start("--metric", GOOD)  -- it is still running
      gate:await_requests("GET .*/373/", #gate.server:requests() + 1)
      process:signal "INT"
      output, code = process:finish()
      assert.equal(130, code)
      assert.equal("cekura-review gate: interrupted: there is no verdict\n", output)
      assert.equal(1, #gate:changes())
    end)

    it("does not wait without a connection", function()
      begin {}
      gate.server:stop()
      local output, errors, code = gate:run("--metric", GOOD, "--timeout", "5")
      assert.equal("", output)
      assert.matches("^cekura%-review gate: results.get: ", errors)
      assert.equal(4, code)
    end)

    it("ends a wait if the network is lost", function()
      begin { evaluation_time = 60 }
      local process = gate:start("--metric", GOOD, "--evaluate", "55", "--apply", "--timeout",
        Review.LOST)
      gate:await_requests("GET .*/373/", 2)
      gate.server:stop()
      local output, code = process:finish()
      assert.equal(4, code)
      assert.matches("cekura%-review gate: results.wait: ", output)
    end)
  end)

  it("refuses a value that a metric cannot have, instead of passing", function()
    for threshold, message in pairs {
      ["52=confirm<=0.1"] = "a value of metric 52 must be one of the metric's words: confirmed, ",
      ["51=maybe>=0.1"] = "a value of metric 51 must be true or false, ",
    } do
      local output, errors, code = gate:run("--metric", threshold)
      assert.same({ "", 2 }, { output, code }, errors)
      assert.equal(1, errors:find("cekura-review gate: " .. message, 1, true), errors)
    end
    local _, errors, code = gate:run("--metric", "54=failed<=0", "--metric", "52=Unresolved<=0")
    assert.same({ NO_ERRORS, 0 }, { errors, code })
  end)

  describe("refuses", function()
    local function assert_usage(pattern, ...)
      local output, errors, code = gate:run(...)
      assert.matches(pattern, errors)
      assert.equal("", output)
      assert.equal(2, code)
      assert.same({}, gate:changes())
    end

    it("an invalid threshold", function()
      for _, word in ipairs { "55", "x>=1", "55>=x", "55>>1", "55=>=1", "55=>1", "55 confirmed>=1",
        ">=3", "0>=1", "9223372036854775808>=1" } do
        assert_usage("is not a threshold", "--metric", word)
      end
      assert_usage("is not a share", "--min-success-rate", "90")
      assert_usage("a share is from 0 to 1", "--metric", "52=confirmed>=80")
      assert_usage("name a threshold")
    end)

    it("options that do not fit together", function()
      local here = gate.always
      gate.always = {}
      assert_usage("which result", "--metric", GOOD)
      assert_usage("of which agent", "--metric", GOOD, "--latest")
      assert_usage("%-%-agent and %-%-project go with %-%-latest", "--metric", GOOD,
        "--result", "373", "--agent", "231")
      assert_usage("can not be used together", "--result", "373", "--latest", "--metric", GOOD)
      gate.always = here
      assert_usage("must be two results", "--base", "373")
      assert_usage("must be two files", "--metric", GOOD, "--junit", gate:path "x", "--summary",
        gate:path "x")
      assert_usage("is not a confidence", "--metric", GOOD, "--confidence", "95")
      assert_usage("is not a confidence", "--metric", GOOD, "--confidence", "1")
      for _, word in ipairs { "7", "0d", "7w", "-1d", "400d", "1.5h" } do
        assert_usage("is not a duration", "--metric", GOOD, "--share=" .. word)
      end
    end)

    it("more evaluations than --max-evaluations", function()
      local output, errors, code = gate:run("--metric", GOOD, "--evaluate", "55,57", "--apply",
        "--max-evaluations", "11")
      assert.matches("12", errors)
      assert.matches("Spent: nothing%.\n$", output)
      assert.equal(2, code)
      assert.same({}, gate:changes())
    end)

    it("the mean of words", function()
      assert_usage("which has no mean: ask for a share, such as 52=", "--metric", "52>=1")
    end)

    it("--apply and --max-evaluations without --evaluate", function()
      assert_usage("%-%-apply is for %-%-evaluate", "--metric", GOOD, "--apply")
      assert_usage("%-%-max%-evaluations is for %-%-evaluate", "--metric", GOOD,
        "--max-evaluations", "5")
    end)

    it("an unknown result, and a wrong key", function()
      assert_usage("there is no result 999998: [^\n]*404", "--base", "999998")
      gate.always[2] = "999999"
      assert_usage("there is no result 999999: [^\n]*404", "--metric", GOOD)
      assert_usage("404", "--metric", GOOD, "--evaluate", "55", "--apply")
      gate.environment.CEKURA_API_KEY = "another-key"
      assert_usage("401", "--metric", GOOD)
    end)
  end)
end)
