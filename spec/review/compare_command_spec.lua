-- cekura-review compare, run as a user would run it, and the page that it writes.

local Review = require "support.review"
local cjson = require "cjson"
local child = require "support.child"
local scratch = require "support.scratch"

local UNCLEAR = "^unclear: the differences between the results 373 and 431 may be chance\n"

describe("cekura-review compare", function()
  local review

  before_each(function() review = Review.new "compare" end)
  after_each(function() review:close() end)

  local function run(...)
    local text, errors, code = review:run(...)
    assert.equal("", errors)
    assert.equal(0, code)
    return text
  end

  -- Returns the data of --json.
  local function data_of(...)
    local text, _, code = review:run("--json", ...)
    assert.equal(0, code)
    return cjson.decode(text)
  end

  -- Makes the server return results with runs that functions have changed: { [id] = change }.
  local function change_runs(changes)
    local rules = {}
    for id, change in pairs(changes) do
      local result = cjson.decode((child.run_checked_apart({ child.lua, "bin/cekura-review",
        "call", "results.get", "result_id=" .. id }, review.environment)))
      for _, one in pairs(result.runs) do change(one, result) end
      rules[#rules + 1] = { method = "GET", path = ("/v2/results/%d/$"):format(id), status = 200,
        body = cjson.encode(result), times = 9 }
    end
    review.server:faults(rules)
  end

  it("prints the verdict, warnings, flips, changes and runs without a counterpart", function()
    local text = run("373", "431")
    assert.matches(UNCLEAR, text)
    local places = {}
    for i, pattern in ipairs { "\n6 pairs of runs, confidence 95%%\n",
      "\nwarning: a scenario has only 1 matched repetition",
      "\nwarning: 4 runs of result 431 left out: no counterpart\n",
      "\n  flip +personality +repetition +metric +before +after +run before +run after\n",
      "\n  Book a first visit +Normal +2 +Success of the run +passed +failed +5545 +5980\n",
      "\n  metric +pairs +before +after +change +95%% interval +p +verdict\n",
      "\n  Success of the run +6 +67%% +17%% +−50 +−77 to %+4 +0.25 +unclear\n",
      "\n  … rescheduled +6 +50%% +17%% +−33 +−67 to %+17 +0.5 +unclear\n",
      "\n  after +5982 +Ask about symptoms +no counterpart\n",
      "\nA change of ten points in the success is found with 6 pairs of runs in " } do
      places[i] = assert(text:find(pattern), pattern)
      assert.is_true(i == 1 or places[i] > places[i - 1], pattern)
    end
  end)

  it("only reads the two results", function()
    run("373", "431")
    local paths = {}
    for i, request in ipairs(review.server:requests()) do
      paths[i] = request.method .. " " .. request.path
    end
    assert.same({ "GET /test_framework/v2/results/373/", "GET /test_framework/v2/results/431/" },
      paths)
  end)

  it("prints one object with --json", function()
    local data = data_of("373", "431")
    assert.same({ 373, 431, 6, 1, "unclear", 0 }, { data.before.result_id, data.after.result_id,
      data.matched, data.repetitions, data.verdict, data.exit_code })
    assert.equal(4, #data.unmatched.after)
    assert.same({ 5545, 5980 },
      { data.success.flips[1].before_run_id, data.success.flips[1].after_run_id })
    local ids = {}
    for i, change in ipairs(data.metrics) do ids[i] = change.id end
    assert.same({ 51, 52, 53, 54, 55, 56 }, ids)
  end)

  it("writes empty lists as lists", function()
    local text = review:run("--json", "373", "431", "--metrics", "56")
    assert.matches('"unmatched":{.-"before":%[%]', text)
    assert.matches('"flips":%[%]', text)
  end)

  it("is worse if the runs clearly fail more often, and the exit code is still 0", function()
    change_runs { [431] = function(one) one.success = false end,
      [373] = function(one) one.success = true end }
    assert.matches("^result 431 is worse than result 373: Success of the run %(100%% to 0%%%)\n",
      run("373", "431", "--metrics", "51"))
    assert.matches("^result 373 is better than result 431: ", run("431", "373", "--metrics", "51"))
    assert.matches(UNCLEAR, run("373", "431", "--metrics", "51", "--confidence", "0.99"))
  end)

  it("compares the given metrics only", function()
    local text = run("373", "431", "--metrics", "55,53")
    assert.matches("\n  Steps Completed [^\n]+\n  Empathy ", text)
    assert.is_nil(text:find "Identity Verified")
  end)

  it("warns of a metric that applies to no run", function()
    change_runs { [431] = function(one)
      for _, entry in ipairs(one.evaluation.metrics) do
        if entry.id == 56 then entry.score, entry.value = cjson.null, cjson.null end
      end
    end }
    assert.matches("\nwarning: Response Latency has values only in result 373\n",
      run("373", "431", "--metrics", "56"))
  end)

  it("counts a number if its direction is given", function()
    change_runs { [431] = function(one)
      for _, entry in ipairs(one.evaluation.metrics) do
        if entry.id == 56 then entry.score = 9000 + one.id end
      end
    end }
    local text = run("373", "431", "--metrics", "56")
    assert.matches(UNCLEAR, text)
    assert.matches("\nwarning: Response Latency has clearly changed, but does not count", text)
    assert.matches("\n  Response Latency .- changed\n", text)
    assert.matches("^result 431 is worse than result 373: Response Latency %(",
      run("373", "431", "--metrics", "56", "--lower-is-better", "56"))
  end)

  it("says that a result is not finished", function()
    change_runs { [431] = function(_, result) result.status = "in_progress" end }
    assert.matches("\nwarning: result 431 is not finished %(in_progress%)\n",
      run("373", "431"))
  end)

  it("says that two results have nothing in common", function()
    local text = run("373", "374")
    assert.matches("^unclear: the results 373 and 374 have no run in common\n0 pairs of runs", text)
    assert.matches("\nwarning: the results are of different agents: ", text)
  end)

  it("cleans text of the server", function()
    change_runs { [431] = function(one) one.scenario_name = "\27[31mred\nline" end,
      [373] = function(one) one.personality_name = "\27[0mx" end }
    assert.is_nil(run("373", "431"):find "\27")
  end)

  it("has shorter tables on a narrow terminal", function()
    review.environment.COLUMNS = "40"
    local text = run("373", "431")
    for line in text:gmatch "\n(  [^\n]+)" do assert.is_true(utf8.len(line) <= 40, line) end
    assert.matches("\n  flip +metric +before +after\n", text)
  end)

  for title, case in pairs {
    ["the same result twice"] = { { "373", "373" }, "the two results are the same: 373" },
    ["a result that does not exist"] = { { "373", "9" }, "there is no result 9: " },
    ["a word in place of an id"] = { { "373", "x" }, "'x' is not an id" },
    ["one id"] = { { "373" }, "missing argument 'after'" },
    ["a metric of neither result"] = { { "373", "431", "--metrics", "55,99" },
      "metric 99 was evaluated on neither result" },
    ["a direction of another metric"] = { { "373", "431", "--lower-is-better", "99" },
      "metric 99 was evaluated on neither result" },
    ["a direction of an enum"] = { { "373", "431", "--higher-is-better", "52" },
      "metric 52 has words, which have no order" },
    ["two directions"] = { { "373", "431", "--lower-is-better", "56", "--higher-is-better", "56" },
      "metric 56 is in --higher-is-better and --lower-is-better" },
    ["a confidence of 1"] = { { "373", "431", "--confidence", "1" }, "'1' is not a confidence" },
    ["a confidence close to 1"] = { { "373", "431", "--confidence", "0.9999999999999999" },
      "'0.9999999999999999' is not a confidence from 0.5 to 0.9999" },
  } do
    it("refuses " .. title, function()
      local text, errors, code = review:run(table.unpack(case[1]))
      assert.equal("", text)
      assert.equal(2, code)
      assert.equal(1, errors:find("cekura-review compare: " .. case[2], 1, true), errors)
    end)
  end

  describe("writes a page", function()
    local function page_of(...)
      local path = review:path "page.html"
      assert.matches("\nwritten to [^\n]+\n$", run("--html", path, ...))
      local page = cjson.decode((child.run { "python3", "spec/support/page.py", path }))
      assert.same({}, page.problems)
      assert.same({}, page.loads)
      return page, scratch.read(path)
    end

    local function table_of(page, pattern)
      for caption, rows in pairs(page.tables) do
        if caption:find(pattern) then return rows end
      end
    end

    it("with the numbers of the terminal", function()
      local page, source = page_of("373", "431")
      assert.same({ "It is unclear which result is better", "Which runs changed?",
        "What changed over all runs?", "Which runs are left out?", "How to read this" },
        page.headings)
      assert.same({ "Success of the runPassed or failed", "6", "67%", "17%", "−50−77 to +4", "",
        "0.25", "unclear" }, table_of(page, "^Shares of passes")[2])
      local flips = table_of(page, "^8 changes: ")
      assert.same({ "Success of the run" }, flips[2])
      assert.matches("^Book a first visit.*repetition 2: runs 5545 and 5980$", flips[3][1])
      assert.equal("passed → failed", flips[3][2])
      assert.equal(5, #table_of(page, "^Runs that are not compared"))
      assert.matches("default%-src 'none'; style%-src 'unsafe%-inline'", source)
    end)

    it("with text of the server as text", function()
      local function change(one, result)
        one.scenario_name, result.name = "<script>1</script>", "<b>&"
      end
      change_runs { [373] = change, [431] = change }
      local page = page_of("373", "431")
      assert.matches("<script>1</script>", page.text)
      assert.matches("%(<b>&%)", page.text)
    end)

    it("without runs in common", function()
      assert.matches("have no run in common", page_of("373", "374").text)
    end)

    it("or says that it cannot", function()
      local _, errors, code = review:run("373", "431", "--html", review:path "no/page.html")
      assert.equal(1, code)
      assert.matches("^cekura%-review compare: %-%-html: [^\n]+No such file or directory\n$",
        errors)
    end)
  end)
end)
