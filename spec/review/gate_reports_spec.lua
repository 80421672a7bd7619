-- The reports of cekura-review gate: --junit, --summary and --share, run as a pipeline would run
-- it. Above all: they do not decide.

local Review = require "support.review"
local gates = require "support.gate"
local json = require "cjson".new()
local junit10 = require "support.junit10"
local scratch = require "support.scratch"
local times = require "cekura.review.internal.times"

local passing = gates.passing

local HOSTILE = 'a | b `c` <script>x</script> ]]> "q" \'s\' & \\ \u{85}\u{FFFE}\u{1B}[31m\u{0}end'

describe("cekura-review gate", function()
  local gate, xml, markdown

  before_each(function()
    gate = gates.new {}
    gate.always = { "--result", "373", "--interval", "0.05", "--no-progress" }
    xml, markdown = gate:path "gate.xml", gate:path "summary.md"
  end)
  after_each(function()
    gate:close()
    gate = nil
  end)

  local function entry(id, name, kind, value, explanation)
    return { id = id, name = name, type = kind, score = value, enum = value,
      explanation = explanation }
  end

  -- Returns the cases of the report by "classname: name".
  local function read_cases()
    local suites, totals = junit10.read(assert(scratch.read(xml)))
    local found = {}
    for _, suite in ipairs(suites) do
      for _, case in ipairs(suite) do
        local name = ("%s: %s"):format(case.classname, case.name)
        assert.is_nil(found[name], name)
        found[name] = case
      end
    end
    return found, totals
  end

  describe("--junit", function()
    it("has a case for each scenario and metric, and for each threshold", function()
      gate:make(373, {
        { success = true, entry(53, "Empathy", "continuous_qualitative", 2, { "Curt.", "Cold." }),
          entry(54, "Safe", "binary", false, "It named a medicine."),
          entry(52, "Outcome", "enum", "confirmed"), entry(56, "Latency", "numeric", 900) },
        { success = false, scenario = "Dr. Weiss", scenario_id = 2,
          entry(53, "Empathy", "continuous_qualitative", 4, "Warm."),
          entry(54, "Safe", "binary", true), entry(52, "Outcome", "enum", "open", "Not booked."),
          entry(56, "Latency", "numeric", json.null) },
      })
      local _, errors, code = gate:run("--junit", xml, "--metric", "53>=3", "--metric",
        "52=confirmed>=0.9", "--metric", "53<=5")
      assert.same({ "", 1 }, { errors, code })
      local cases, totals = read_cases()
      assert.same({ tests = "13", failures = "5", errors = "0" }, totals)
      local said = {}
      for name, case in pairs(cases) do
        said[name] = case.failure and { case.failure.message, case.failure.text }
          or case.skipped and { case.skipped.message } or "passed"
      end
      assert.same({
        ["thresholds: metric 53, mean >=3"] = "passed",
        ["thresholds: metric 53, mean <=5"] = "passed",
        ['thresholds: metric 52, share of "confirmed" >=0.9'] =
          { "FAIL: found 0.5, wanted >=0.9", "FAIL: found 0.5, wanted >=0.9" },
        ["Book a first visit: success"] = "passed",
        ["Book a first visit: Empathy"] = { "run 37301: 2, wanted >=3",
          "Curt.\nCold.\nrun 37301: 2, wanted >=3" },
        ["Book a first visit: Safe"] = { "run 37301: failed, wanted passed",
          "It named a medicine.\nrun 37301: failed, wanted passed" },
        ["Book a first visit: Outcome"] = "passed", ["Book a first visit: Latency"] = "passed",
        ["Dr_ Weiss: success"] = { "run 37302: the run did not succeed",
          "run 37302: the run did not succeed" },
        ["Dr_ Weiss: Empathy"] = "passed", ["Dr_ Weiss: Safe"] = "passed",
        ["Dr_ Weiss: Outcome"] = { "run 37302: open, wanted confirmed",
          "Not booked.\nrun 37302: open, wanted confirmed" },
        ["Dr_ Weiss: Latency"] = { "run 37302: the metric does not apply" },
      }, said)
    end)

    it("has a case for each repetition, whose name stays the same in the next result", function()
      gate:make(373, {
        { success = true, personality = "Normal" }, { success = true, personality = "Hurried" },
        { success = true, personality = "Normal" },
        { success = true, scenario_id = 2 },
        { success = true, scenario_id = 3, scenario = "Other" },
      })
      gate:run("--junit", xml, "--min-success-rate", "1")
      local cases = read_cases()
      for _, name in ipairs { "Book a first visit (1): success [Normal #1]",
        "Book a first visit (1): success [Normal #2]", "Book a first visit (1): success [Hurried]",
        "Book a first visit (2): success", "Other: success" } do
        assert.is_truthy(cases[name], name)
      end
    end)

    it("tells metrics of the same name apart", function()
      gate:make(373, { { success = true, entry(1, "success", "binary", true),
        entry(2, "Safe", "binary", true), entry(3, "Safe", "binary", false) } })
      gate:run("--junit", xml, "--min-success-rate", "1")
      local cases = read_cases()
      assert.is_truthy(cases["Book a first visit: success (1)"])
      assert.is_nil(cases["Book a first visit: Safe"].failure)
      assert.is_truthy(cases["Book a first visit: Safe (3)"].failure)
    end)

    it("has an error for a run that was not connected, and for a value that cannot be read",
      function()
        gate:make(373, { { success = false, status = "failed", entry(54, "Safe", "binary", 3) } })
        local _, _, code = gate:run("--junit", xml, "--metric", "54>=1")
        assert.equal(3, code)
        local cases = read_cases()
        assert.equal("run 37301: the run is failed",
          cases["Book a first visit: success"].error.message)
        assert.equal("run 37301: the value cannot be read",
          cases["Book a first visit: Safe"].error.message)
        assert.is_truthy(cases["thresholds: metric 54, mean >=1"].error)
      end)

    it("is valid whatever the server says", function()
      gate:make(373, { { success = false, scenario = HOSTILE, personality = HOSTILE,
        entry(54, HOSTILE, "binary", false, { HOSTILE, ("é"):rep(100000), 5 }),
        entry(52, "x", "enum", HOSTILE) } }, { name = HOSTILE })
      local _, _, code = gate:run("--junit", xml, "--summary", markdown, "--min-success-rate", "0")
      assert.equal(0, code)
      local clean = 'a | b `c` <script>x</script> ]]> "q" \'s\' & \\ [31mend'
      local case = read_cases()[clean .. ": " .. clean]
      assert.equal(clean .. "\n" .. ("é"):rep(100), case.failure.text:sub(1, #clean + 1 + 200))
      local page = scratch.read(markdown)
      assert.is_nil(page:find "<script>")
      assert.is_nil(page:find "\27")
      assert.is_true(#page < 4096)
    end)
  end)

  describe("--summary", function()
    it("appends this Markdown", function()
      gate:make(373, { { success = true, scenario = "Visit",
        entry(54, "Safe | sound", "binary", true) }, { success = false, scenario = "Visit",
        entry(54, "Safe | sound", "binary", false, "<b>No</b>.") } })
      scratch.write(markdown, "# A page\n")
      gate:run("--summary", markdown, "--min-success-rate", "0.9", "--metric", "54>=2.5")
      assert.equal([[
# A page

### Below the threshold: result 373

made

| check | wanted | found | runs | verdict |
| --- | --- | --- | --- | --- |
| success rate | &gt;=0.9 | 0.5 | 2 | FAIL |
| metric 54, mean | &gt;=2.5 | 2.5 | 2 | pass |

2 cases did not pass:

| scenario | metric | run | outcome | explanation |
| --- | --- | --- | --- | --- |
| Visit | Safe \| sound \[\#2\] | 37302 | failed, wanted &gt;=2.5 | &lt;b&gt;No&lt;/b&gt;. |
| Visit | success \[\#2\] | 37302 | the run did not succeed | - |
]], scratch.read(markdown))
    end)

    it("shows at most 50 cases", function()
      gate:make(373, passing(0, 40))
      gate:run("--summary", markdown, "--min-success-rate", "0")
      local page = scratch.read(markdown)
      assert.matches("\n80 cases did not pass:\n", page, 1, true)
      assert.matches("\nThese are the first 50.\n", page, 1, true)
      assert.equal(50, select(2, page:gsub("\n| Book", "")))
    end)
  end)

  describe("--share", function()
    it("creates a public link, which ends then", function()
      local before = os.time()
      local output, errors, code = gate:run("--share", "7d", "--summary", markdown,
        "--min-success-rate", "0")
      assert.same({ "", 0 }, { errors, code })
      local url = output:match "\npublic until 20%S+Z: (https://%S+)\n$"
      assert.matches("](<" .. url .. ">), open to anybody who has it until 20",
        scratch.read(markdown), 1, true)
      assert.same({ "POST /test_framework/v2/results/373/create_shareable_link_token/" },
        gate:changes())
      local expires = json.decode(gate:body "POST").expire_at
      assert.near(before + 7 * 86400, times.parse(expires), 60)
      local said = gate:judge("--share", "12h", "--min-success-rate", "1")
      assert.equal(1, said.exit_code)
      assert.matches("^https://", said.shared.url)
      assert.matches("^20", said.shared.expires_at)
    end)

    it("is off by default", function()
      assert.is_nil(gate:judge("--min-success-rate", "0").shared)
      assert.same({}, gate:changes())
    end)

    it("does not create a link without a verdict", function()
      assert.equal(2, gate:judge("--share", "7d", "--metric", "52>=1").exit_code)
      assert.same({}, gate:changes())
    end)
  end)

  describe("if a report is lost", function()
    local PASS, FAIL = { "--min-success-rate", "0" }, { "--min-success-rate", "1" }
    local UNCLEAR = { "--min-success-rate", "0.7", "--confidence", "0.95" }
    local PERSON = { "--metric", "57>=1" }

    -- Runs it for each of these thresholds, and expects the exit code beside them.
    local function assert_codes(pattern, ...)
      for words, expected in pairs { [PASS] = 4, [FAIL] = 1, [UNCLEAR] = 6, [PERSON] = 3 } do
        local all = table.move(words, 1, #words, select("#", ...) + 1, { ... })
        local said, errors = gate:judge(table.unpack(all))
        assert.equal(expected, said.exit_code)
        assert.matches(pattern, errors)
        assert.equal(1, #said.lost)
        assert.is_truthy(said.checks[1].found or expected == 3)
      end
    end

    it("a pass becomes 4, and nothing else changes", function()
      assert_codes("a report is lost: /nonexistent/gate.xml: No such file", "--junit",
        "/nonexistent/gate.xml")
    end)

    it("that counts for a full disk as well", function()
      for _, option in ipairs { "--junit", "--summary" } do
        local said, errors = gate:judge(option, "/dev/full", "--min-success-rate", "0")
        assert.same({ 4, "pass" }, { said.exit_code, said.verdict })
        assert.matches("a report is lost: /dev/full: No space left on device", errors)
      end
    end)

    it("that counts for a link as well", function()
      gate.server:faults { { method = "POST", status = 403, times = math.huge } }
      assert_codes("a report is lost: results.create_shareable_link_token: ", "--share", "7d")
      for _, body in ipairs { { token = "x" }, { shareable_link = 5 }, { "list" } } do
        gate.server:faults { { method = "POST", body = body, status = 200 } }
        assert.equal(4, gate:judge("--share", "7d", "--min-success-rate", "0").exit_code)
      end
    end)

    it("all of them are reported", function()
      local output, errors, code = gate:run("--junit", "/nonexistent/x", "--summary",
        "/nonexistent/y", "--min-success-rate", "0")
      assert.equal(4, code)
      assert.matches("a report is lost: /nonexistent/x[^\n]+\n[^\n]*lost: /nonexistent/y", errors)
      assert.matches(": pass, 1 of 1 check\n$", output)
    end)
  end)

  describe("without a verdict", function()
    local function assert_none(pattern)
      local cases, totals = read_cases()
      assert.same({ tests = "1", failures = "0", errors = "1" }, totals)
      assert.matches(pattern, cases["thresholds: verdict"].error.message)
      assert.matches("\n### No verdict\n\n[^\n]*" .. pattern, "\n" .. scratch.read(markdown))
    end

    before_each(function()
      scratch.write(xml, "the report of an earlier run")
      for _, word in ipairs { "--junit", xml, "--summary", markdown } do
        table.insert(gate.always, word)
      end
    end)

    it("the reports say why", function()
      assert.equal(2, gate:judge("--metric", "52>=1").exit_code)
      assert_none "which has no mean"
      gate.server:faults { { status = 500, times = math.huge } }
      assert.equal(4, gate:judge("--metric", "55>=1", "--timeout", "0.3").exit_code)
      assert_none "500"
    end)

    it("they do after a timeout and a Ctrl-C, too", function()
      gate:make(373, {}, { status = "running" })
      assert.equal(5, gate:judge("--metric", "55>=1", "--timeout", Review.SHORT).exit_code)
      assert_none "running"
      local process = gate:start("--metric", "55>=1")
      gate:await_requests("GET .*/373/", #gate.server:requests() + 1)
      process:signal "INT"
      local output, code = process:finish()
      assert.same({ 130, "cekura-review gate: interrupted: there is no verdict\n" },
        { code, output })
      assert_none "interrupted"
    end)

    it("no mistake in the program makes it end with 1", function()
      for name, fn in pairs { checks = "of", verdict = "print", cases = "of" } do
        gate.environment.LUA_INIT = ("require('cekura.review.gate.%s').%s = function() "
          .. "error 'a bug' end"):format(name, fn)
        local said, errors = gate:judge("--min-success-rate", "0")
        assert.same({ "none", 4 }, { said.verdict, said.exit_code })
        assert.matches("a mistake in this program, or in a response: [^\n]*a bug\n", errors)
        assert_none "a bug"
        os.remove(markdown)
      end
    end)

    it("no response makes it end with 1", function()
      for _, body in ipairs { "[]", '"x"', "{}", '{"id":373,"status":"completed","runs":"x"}',
        '{"id":"x","runs":{}}', '{"id":373,"status":"completed","runs":{"1":5}}', "null",
        '{"id":373,"status":7,"runs":[]}' } do
        gate.server:faults { { method = "GET", path = "/373/$", body = body, status = 200,
          times = math.huge } }
        local said = gate:judge("--metric", "55>=1", "--timeout", "0.3")
        assert.is_true(said.exit_code > 1, body)
      end
    end)
  end)
end)
