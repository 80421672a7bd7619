-- cekura-review gate: --confidence, --base and --latest, run as a pipeline would run it.

local Review = require "support.review"
local gates = require "support.gate"
local json = require "cjson".new()

local passing, rating, number = gates.passing, gates.rating, gates.number

describe("cekura-review gate", function()
  local gate

  before_each(function() gate = gates.new() end)
  after_each(function()
    gate:close()
    gate = nil
  end)

  local function assert_verdict(expected, code, ...)
    local said, errors = gate:judge(...)
    assert.same({ expected, code }, { said.verdict, said.exit_code }, errors)
    return said, errors
  end

  it("needs a person if runs that were not connected decide about the success rate", function()
    gate:make(373, { { success = true }, { success = false },
      { success = false, status = "failed" }, { success = false, status = "timeout" } })
    for share, code in pairs { ["0.25"] = 0, ["0.5"] = 3, ["0.75"] = 3, ["0.9"] = 1 } do
      local said, errors = gate:judge("--result", "373", "--min-success-rate", share)
      assert.equal(code, said.exit_code, share)
      assert.equal(code ~= 0, errors:find("2 runs were not connected", 1, true) ~= nil, errors)
      assert.equal(code == 3, said.checks[1].verdict == "not connected")
    end
  end)

  -- In binary, the sums of these ratings divided by their number are not 3.8 and 4.2.
  it("takes a mean for the threshold that it differs from only by rounding", function()
    for mean, ratings in pairs { ["3.8"] = { 3.8, 3.8, 3.8 }, ["4.2"] = { 4.1, 4.3 } } do
      local list = {}
      for i, value in ipairs(ratings) do list[i] = { success = true, rating(value) } end
      gate:make(373, list)
      for sign, code in pairs { [">="] = 0, ["<="] = 0, [">"] = 1, ["<"] = 1 } do
        local said = gate:judge("--result", "373", "--metric", "53" .. sign .. mean)
        assert.equal(code, said.exit_code, sign .. mean)
      end
    end
  end)

  describe("with --confidence", function()
    local function judge(...) return gate:judge("--result", "373", "--confidence", "0.95", ...) end

    -- Wilson's interval of 90 of 100 is 0.82563 to 0.94477, and of 10 of 100 it is 0.05523 to
    -- 0.17437 (Newcombe 1998, Statistics in Medicine 17, 857-872, method 3).
    it("judges a share by Wilson's interval", function()
      gate:make(373, passing(90, 100))
      local wanted = { { "54=passed>=0.82", "pass" }, { "54=passed>=0.83", "unclear" },
        { "54=passed>=0.94", "unclear" }, { "54=passed>=0.95", "fail" },
        { "54=failed<=0.18", "pass" }, { "54=failed<=0.17", "unclear" },
        { "54=failed<0.05", "fail" }, { "54>=4.12", "pass" }, { "54>=4.13", "unclear" },
        { "54>=4.73", "fail" } }
      local words = {}
      for _, row in ipairs(wanted) do
        table.insert(words, "--metric")
        table.insert(words, row[1])
      end
      local said = judge(table.unpack(words))
      for i, row in ipairs(wanted) do assert.equal(row[2], said.checks[i].verdict, row[1]) end
      assert.near(0.82563, said.checks[1].low, 1e-5)
      assert.near(0.94477, said.checks[1].high, 1e-5)
      assert.near(5 * 0.82563, said.checks[8].low, 1e-4)
    end)

    it("ends with 6 if a threshold is unclear", function()
      gate:make(373, passing(90, 100))
      assert_verdict("unclear", 6, "--result", "373", "--min-success-rate", "0.85", "--confidence",
        "0.95")
      assert_verdict("pass", 0, "--result", "373", "--min-success-rate", "0.85", "--confidence",
        "0.8")
      local said = assert_verdict("pass", 0, "--result", "373", "--min-success-rate", "0.9")
      assert.is_nil(said.checks[1].low)
    end)

    -- In binary the sum of these ratings divided by their number is 3.7999999999999994.
    it("is unclear about equal ratings, whatever the rounding", function()
      gate:make(373, { { success = true, rating(3.8) }, { success = true, rating(3.8) },
        { success = true, rating(3.8) } })
      local said = judge("--metric", "53>=3.7")
      assert.same({ "unclear", 6 }, { said.checks[1].verdict, said.exit_code })
      assert.is_nil(said.checks[1].low)
    end)

    -- The extra hours of sleep with the second drug of Student 1908: mean 2.33; its 95 % interval
    -- is 0.8976775 to 3.7623225 (t.test of R's data set "sleep").
    it("judges a mean by Student's interval", function()
      local list = {}
      for i, value in ipairs { 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4 } do
        list[i] = { success = true, rating(value) }
      end
      gate:make(373, list)
      local said = judge("--metric", "53>=0.89", "--metric", "53>=0.9", "--metric", "53>3.77")
      assert.near(2.33, said.checks[1].found, 1e-9)
      assert.near(0.8976775, said.checks[1].low, 1e-6)
      assert.near(3.7623225, said.checks[1].high, 1e-6)
      assert.same({ "pass", "unclear", "fail" },
        { said.checks[1].verdict, said.checks[2].verdict, said.checks[3].verdict })
      assert.equal(1, said.exit_code)
    end)

    it("is unclear about a mean without two different values", function()
      gate:make(373, { { success = true, rating(4) } })
      assert.equal("unclear", judge("--metric", "53>=1").verdict)
      gate:make(373, { { success = true, rating(4) }, { success = true, rating(4) } })
      assert.equal("unclear", judge("--metric", "53>=1").verdict)
      assert_verdict("pass", 0, "--result", "373", "--metric", "53>=1")
    end)

    it("prints the interval; a missed threshold and a missing value outweigh an unclear one",
      function()
        local words = { "--result", "373", "--confidence", "0.95", "--min-success-rate", "0.7",
          "--metric", "55>=4" }
        local output, _, code = gate:run(table.unpack(words))
        assert.equal(1, code)
        assert.matches("success rate +>=0.7 +0.6667 +0.3 to 0.9032 +6 +unclear\n", output)
        assert.matches("metric 55, mean +>=4 +2.833 +%S+ to %S+ +6 +FAIL\n", output)
        assert.equal(3, judge("--min-success-rate", "0.7", "--metric", "57>=1").exit_code)
      end)
  end)

  describe("with --base", function()
    before_each(function() gate:make(372, passing(18, 20)) end)

    local function judge(...) return gate:judge("--result", "373", "--base", "372", ...) end

    it("fails if the success or a metric is clearly worse", function()
      gate:make(373, passing(8, 20))
      local said = judge()
      assert.same({ "worse", 1 }, { said.verdict, said.exit_code })
      local check = said.checks[1]
      assert.same({ "success rate, change", "fail", "not worse than 372", 20 },
        { check.name, check.verdict, check.wanted, check.runs })
      assert.near(-0.5, check.found, 1e-9)
      assert.is_true(check.low < -0.5 and check.high < 0)
      assert.same({ 54, "fail" }, { said.checks[2].metric_id, said.checks[2].verdict })
      said = judge("--min-success-rate", "0.9")
      assert.same({ "below the threshold", 1 }, { said.verdict, said.exit_code })
    end)

    it("passes what is not clearly worse; with --confidence that is unclear", function()
      gate:make(373, passing(17, 20))
      assert.equal(0, judge().exit_code)
      assert.equal(6, judge("--confidence", "0.95").exit_code)
      gate:make(373, passing(18, 20))
      assert.equal(0, judge("--confidence", "0.95").exit_code)  -- there is no change
    end)

    it("judges a number only if a threshold says which values are better", function()
      local slow, fast = {}, {}
      for i = 1, 12 do
        slow[i] = { success = true, number(1500 + i * i) }
        fast[i] = { success = true, number(500 + i) }
      end
      gate:make(372, fast)
      gate:make(373, slow)
      local said, errors = judge()
      assert.same({ 0, 1 }, { said.exit_code, #said.checks })
      assert.matches("Latency has clearly changed, but does not count", errors)
      assert.equal("worse", judge("--metric", "56<=2000").verdict)
      assert.equal("pass", judge("--metric", "56>=100").verdict)
      assert.equal("pass", judge("--metric", "56>=100", "--metric", "56<=2000").verdict)
    end)

    it("needs a person if no run matches", function()
      gate:make(373, { { success = true, scenario_id = 2, scenario = "Another" } })
      local said, errors = judge()
      assert.same({ 3, "no value" }, { said.exit_code, said.checks[1].verdict })
      assert.matches("no run of one result matches a run of the other", errors)
    end)

    it("refuses a result that is not completed, and an unknown one", function()
      gate:make(372, passing(18, 20), { status = "running" })
      local said, errors = judge()
      assert.same({ "none", 2 }, { said.verdict, said.exit_code })
      assert.matches("result 372 is not completed: its status is running", errors)
      said = gate:judge("--result", "373", "--base", "999999")
      assert.same({ "none", 2 }, { said.verdict, said.exit_code })
    end)
  end)

  describe("with --latest", function()
    it("takes the newest result of the agent or the project", function()
      local said, errors = gate:judge("--latest", "--agent", "231", "--min-success-rate", "0")
      assert.same({ 443, 0 }, { said.result_id, said.exit_code })
      assert.matches("the newest result is 443, Harbor Scheduling, 20 November, of 2025%-11%-20",
        errors)
      said = gate:judge("--latest", "--project", "14", "--min-success-rate", "0")
      assert.equal(444, said.result_id)
      gate.environment.CEKURA_AGENT_ID = "232"
      assert.equal(444, gate:judge("--latest", "--min-success-rate", "0").result_id)
      assert.equal(373, gate:judge("--result", "373", "--min-success-rate", "0").result_id)
      assert.same({}, gate:changes())
    end)

    it("finds the newest by its time, whatever the order of the list", function()
      local made = {}
      for i = 1, 60 do
        made[i] = { id = 400 + i, name = "made", created_at = i % 7 ~= 0
          and ("2025-11-%02dT12:%02d:00Z"):format(1 + i // 3, i % 3) or nil }
      end
      local function pages_of(list)
        local rules = {}
        for page = 1, 2 do
          rules[page] = { method = "GET", path = "/results/$", times = 1, status = 200, body = {
            next = page == 1 and gate.server.url .. "/test_framework/v2/results/?page=2" or nil,
            results = table.move(list, page * 30 - 29, page * 30, 1, {}) } }
        end
        gate.server:faults(rules)
        local _, errors = gate:judge("--latest", "--agent", "231", "--min-success-rate", "0")
        return errors:match "the newest result is (%d+)"
      end
      assert.equal("460", pages_of(made))
      table.sort(made, function(a, b) return a.id > b.id end)
      assert.equal("460", pages_of(made))
    end)

    it("waits for the newest result", function()
      gate:close()
      gate = gates.new { evaluation_time = Review.RUNNING }
      local said = gate:judge("--result", "443", "--evaluate", "57", "--apply", "--metric", "57>=0",
        "--timeout", Review.SHORT)
      assert.equal(5, said.exit_code)
      gate.server:clear()
      local output = gate:run_until(function() gate:await_requests("GET .*/443/$", 2) end, "--json",
        "--latest", "--agent", "231", "--metric", "57>=0")
      said = json.decode(output)
      assert.same({ 443, 0, "completed" }, { said.result_id, said.exit_code, said.status })
    end)

    it("refuses an agent without results, and the newest one as its own base", function()
      gate.server:faults { { method = "GET", path = "/results/$", body = { results = {} } } }
      local said, errors = gate:judge("--latest", "--agent", "231", "--min-success-rate", "0")
      assert.equal(2, said.exit_code)
      assert.matches("there is no result", errors)
      said, errors = gate:judge("--latest", "--agent", "231", "--base", "443")
      assert.equal(2, said.exit_code)
      assert.matches("result 443 is the newest one", errors)
    end)
  end)
end)
