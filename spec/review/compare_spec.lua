-- cekura.review.compare: tests and intervals against published examples, the pairs of two results,
-- verdicts and warnings.

local cekura = require "cekura"
local compare = require "cekura.review.compare"

-- Numbers are equal if they are equal with as many decimals as the source gives.
local function assert_near(wanted, found, decimals)
  assert.is_number(found)
  local distance = math.abs(wanted - found)
  assert.is_true(distance <= 0.5 * 10 ^ -decimals + 1e-12,
    ("%.10g is not %.10g to %d decimals"):format(found, wanted, decimals))
end

local function assert_interval(wanted, decimals, change, low, high)
  assert_near(wanted[1], change, decimals)
  assert_near(wanted[2], low, decimals)
  assert_near(wanted[3], high, decimals)
end

describe("McNemar's exact test", function()
  it("is that of Bentur et al. (2009) in Fagerland et al. (2013)", function()
    assert_near(0.0703, compare.mcnemar(1, 7), 4)
    assert_near(0.0703, compare.mcnemar(7, 1), 4)
  end)

  it("is R's binom.test(86, 236) for Agresti's approval ratings (1990, p. 350)", function()
    assert_near(3.716e-5, compare.mcnemar(150, 86), 8)
  end)

  it("is R's binom.test(6, 22) for Cavo et al. (2012)", function()
    assert_near(0.05247879, compare.mcnemar(6, 16), 8)
  end)

  it("is 1 if no pair differs, or as many in each direction", function()
    assert.equal(1, compare.mcnemar(0, 0))
    assert.equal(1, compare.mcnemar(4, 4))
  end)

  it("is computed for thousands of pairs", function()
    assert_near(2.942364, compare.mcnemar(2000, 1500) * 1e17, 6)
  end)
end)

describe("the interval of two paired shares", function()
  it("is that of Newcombe (1998), method 10, for 36, 12, 2 and 0 pairs", function()
    assert_interval({ 0.2, 0.0569, 0.3404 }, 4, compare.proportions(36, 2, 12, 0))
  end)

  it("is that of Fagerland et al. (2014) for Bentur et al. (2009)", function()
    assert_interval({ 0.286, 0.026, 0.507 }, 3, compare.proportions(1, 1, 7, 12))
  end)

  it("is that of Fagerland et al. (2017) for Cavo et al. (2012)", function()
    assert_interval({ 0.0621, 0.0046, 0.1186 }, 4, compare.proportions(59, 6, 16, 80))
  end)

  it("has the opposite sign if before and after are exchanged", function()
    local change, low, high = compare.proportions(59, 6, 16, 80)
    assert_interval({ -change, -high, -low }, 12, compare.proportions(59, 16, 6, 80))
  end)

  it("is wider with more confidence, and never leaves -1 to 1", function()
    local _, low, high = compare.proportions(0, 0, 3, 0, 0.95)
    local _, lower = compare.proportions(0, 0, 3, 0, 0.99)
    assert.is_true(lower < low and low < 1 and high <= 1)
  end)

  it("does not exist without pairs", function()
    assert.is_nil(compare.proportions(0, 0, 0, 0))
  end)
end)

-- Cushny and Peebles (1905), the data of Student (1908): R's sleep.
local SLEEP = { 1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4 }

-- Darwin (1876), eighths of an inch, the data of Fisher (1935): R's HistData::ZeaMays.
local MAIZE = { 49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48 }

describe("the interval of paired means", function()
  it("is R's t.test of Student's data (1908)", function()
    assert_interval({ 1.58, 0.7001142, 2.4598858 }, 7, compare.means(SLEEP))
  end)

  it("is R's t.test of Darwin's maize", function()
    assert_interval({ 20.93333, 0.03119332, 41.83547335 }, 5, compare.means(MAIZE))
  end)

  it("does not exist for one difference, nor for equal ones", function()
    assert.same({ 2 }, { compare.means { 2 } })
    assert.same({ 1.5 }, { compare.means { 1.5, 1.5, 1.5 } })
    for _, equal in ipairs { { 0.1, 0.1, 0.1 }, { 4.2 - 4.1, 3.2 - 3.1 } } do  -- but for rounding
      assert.equal(1, select("#", compare.means(equal)))
    end
    assert.is_nil(compare.means {})
  end)
end)

describe("the test of paired means", function()
  it("is Fisher's of Darwin's maize: 1,726 of 32,768 ways (1935, section 21)", function()
    assert.equal(1726 / 32768, compare.signs(MAIZE))
  end)

  it("is R's t.test for more than 15 differences", function()
    local more = { table.unpack(MAIZE) }
    more[16] = 10
    assert_near(0.04264562, compare.signs(more), 8)
  end)

  it("is McNemar's for differences of one", function()
    assert_near(compare.mcnemar(1, 7), compare.signs { -1, 1, 1, 1, 0, 0, 1, 1, 1, 1 }, 12)
  end)

  it("is 1 without a difference", function()
    assert.equal(1, compare.signs {})
    assert.equal(1, compare.signs { 0, 0 })
  end)
end)

describe("Holm's adjustment", function()
  it("is R's p.adjust", function()
    local found = compare.holm { 0.01, 0.04, 0.03, 0.005 }
    for i, p in ipairs { 0.03, 0.06, 0.06, 0.02 } do assert_near(p, found[i], 12) end
  end)

  it("is at most 1", function()
    assert.same({ 1, 1 }, compare.holm { 0.7, 0.9 })
    assert.same({}, compare.holm {})
  end)
end)

-- ---- results ----

local KINDS = { boolean = "binary", number = "continuous_qualitative", string = "enum" }

-- Returns an entry of a metric: `value` may be cekura.null.
local function entry(id, value, eval_type)
  local field = type(value) == "string" and "enum" or "score"
  return { id = id, name = "Metric " .. id, eval_type = eval_type or KINDS[type(value)],
    [field] = value }
end

-- Returns a result with a run for each of the items { id, scenario, success, entries, fields }.
local function result(items, fields)
  local found = { id = 1, status = "completed", runs = {} }
  for name, value in pairs(fields or {}) do found[name] = value end
  for _, item in ipairs(items) do
    local run = { id = item[1], scenario = item[2], scenario_name = "Scenario " .. item[2],
      personality = 3, personality_name = "Normal", status = "completed", success = item[3],
      evaluation = { metrics = item[4] or {} } }
    for name, value in pairs(item.fields or {}) do run[name] = value end
    found.runs[tostring(item[1])] = run
  end
  return found
end

-- Returns a result with a run of one scenario for each value of metric 7.
local function values_of(first, list, eval_type)
  local items = {}
  for i, value in ipairs(list) do
    items[i] = { first + i, 9, true, { entry(7, value, eval_type) } }
  end
  return result(items)
end

local function rep(value, times, rest)
  local list = {}
  for i = 1, times do list[i] = value end
  return table.move(rest or {}, 1, #(rest or {}), #list + 1, list)
end

local function pairs_of_flips(change)
  local found = {}
  for i, flip in ipairs(change.flips) do
    found[i] = ("%d %d"):format(flip.before_run_id, flip.after_run_id)
  end
  return found
end

local function has_warning(found, pattern)
  for _, warning in ipairs(found.warnings) do
    if warning:find(pattern) then return true end
  end
  return false, table.concat(found.warnings, "\n")
end

describe("the runs of two results", function()
  it("are matched by scenario, and by the order of their ids", function()
    local found = compare.results(
      result { { 12, 1, true }, { 10, 1, true }, { 11, 2, true } },
      result { { 20, 2, false }, { 22, 1, false }, { 21, 1, false } })
    assert.equal(3, found.matched)
    assert.same({ "10 21", "12 22", "11 20" }, pairs_of_flips(found.success))
    assert.equal(2, found.success.flips[2].repetition)
    assert.equal("Scenario 1", found.success.flips[2].scenario)
    assert.equal(1, found.repetitions)
  end)

  it("are matched by personality and test profile, too", function()
    local polite = { personality = 4, personality_name = "Polite" }
    local profile = { test_profile_data = { id = 20, name = "A patient", information = {} } }
    local found = compare.results(
      result { { 10, 1, true, fields = polite }, { 11, 1, true, fields = profile },
        { 12, 1, true } },
      result { { 20, 1, false }, { 21, 1, false, fields = profile },
        { 22, 1, false, fields = polite } })
    local pairs_found = pairs_of_flips(found.success)
    table.sort(pairs_found)
    assert.same({ "10 22", "11 21", "12 20" }, pairs_found)
    for _, flip in ipairs(found.success.flips) do
      assert.equal(flip.before_run_id == 11 and "A patient" or nil, flip.profile)
    end
  end)

  it("are matched by name if the response has no ids", function()
    local none = { scenario = cekura.null, personality = cekura.null }
    local found = compare.results(result { { 10, 1, true, fields = none } },
      result { { 20, 1, false, fields = none } })
    assert.equal(1, found.matched)
  end)

  it("are listed if they have no counterpart", function()
    local found = compare.results(result { { 10, 1, true }, { 11, 1, true }, { 12, 2, true } },
      result { { 20, 1, true }, { 21, 3, true } })
    assert.equal(1, found.matched)
    assert.same({
      { run_id = 11, scenario = "Scenario 1", scenario_id = 1, personality = "Normal",
        reason = "no counterpart" },
      { run_id = 12, scenario = "Scenario 2", scenario_id = 2, personality = "Normal",
        reason = "no counterpart" },
    }, found.unmatched.before)
    assert.equal(21, found.unmatched.after[1].run_id)
    assert(has_warning(found, "^2 runs of result 1 left out: no counterpart$"))
    assert(has_warning(found, "^1 run of result 1 left out: no counterpart$"))
  end)

  it("are left out if they were not connected, or are not finished", function()
    local found = compare.results(
      result { { 10, 1, false, fields = { status = "failed" } }, { 11, 1, true } },
      result({ { 20, 1, true }, { 21, 1, true, fields = { status = "evaluating" } } },
        { id = cekura.null, status = "running" }))
    assert.equal(1, found.matched)
    assert.equal(0, #found.success.flips)
    assert.equal("not connected", found.unmatched.before[1].reason)
    assert.equal("not finished", found.unmatched.after[1].reason)
    assert(has_warning(found, "^the result after is not finished %(running%)$"))
  end)

  it("are not matched if the scenario was deleted", function()
    local deleted = { scenario = cekura.null, scenario_name = "Scenario Deleted" }
    local found = compare.results(result { { 10, 1, true, fields = deleted } },
      result { { 20, 1, true, fields = deleted } })
    assert.equal(0, found.matched)
    assert.equal("its scenario was deleted", found.unmatched.before[1].reason)
    assert.equal("unclear", found.verdict)
    assert(has_warning(found, "^no run of one result matches a run of the other$"))
  end)

  it("may have three repetitions, or there is a warning", function()
    local items = { { 10, 1, true }, { 11, 1, true }, { 12, 1, true } }
    assert.same({}, compare.results(result(items), result(items)).warnings)
    table.remove(items)
    assert(has_warning(compare.results(result(items), result(items)),
      "^a scenario has only 2 matched repetitions"))
  end)

  it("may be of different agents, with a warning", function()
    assert(has_warning(compare.results(result({}, { agent_name = "A" }),
      result({}, { agent_name = "B" })), "different agents: A and B$"))
  end)
end)

describe("the change of a metric", function()
  local function change_of(before, after, options, eval_type)
    local found = compare.results(values_of(100, before, eval_type),
      values_of(200, after, eval_type), options)
    return found.metrics[1], found
  end

  it("has shares, interval, p value and flips if it passes or fails", function()
    local change = change_of(rep(true, 36, rep(true, 2, rep(false, 12))),
      rep(true, 36, rep(false, 2, rep(true, 12))))
    assert.equal("binary", change.kind)
    assert.equal(50, change.n)
    assert_near(0.76, change.before, 12)
    assert_near(0.96, change.after, 12)
    assert_interval({ 0.2, 0.0569, 0.3404 }, 4, change.change, change.low, change.high)
    assert.equal(compare.mcnemar(2, 12), change.p)
    assert.equal(14, #change.flips)
    assert.same({ true, false }, { change.flips[1].before, change.flips[1].after })
    assert.same({ false, true }, { change.flips[3].before, change.flips[3].after })
    assert.equal("better", change.verdict)
  end)

  it("has the pass of version 1 of the API: 5 or 0", function()
    local change = change_of({ 5, 5, 0 }, { 5, 0, 0 }, nil, "binary")
    assert.same({ true, false }, { change.flips[1].before, change.flips[1].after })
  end)

  it("has means if it is a rating", function()
    local change = change_of({ 1, 2, 3, 4, 5, 1, 2 }, { 3, 3, 4, 5, 5.5, 2, 4 })
    assert.equal("continuous_qualitative", change.kind)
    assert_near(18 / 7, change.before, 12)
    assert_near(1 / 64, change.p, 12)
    assert.equal("better", change.verdict)
    assert.same({}, change.flips)
  end)

  it("of a number does not count unless its direction is given", function()
    local before, after = rep(900, 8), { 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900 }
    local change, found = change_of(before, after, nil, "numeric")
    assert.equal("changed", change.verdict)
    assert.equal("unclear", found.verdict)
    assert(has_warning(found, "^Metric 7 has clearly changed, but does not count"))
    change, found = change_of(before, after, { lower_is_better = { 7 } }, "numeric")
    assert.same({ "worse", "worse" }, { change.verdict, found.verdict })
    change, found = change_of(before, after, { higher_is_better = { 7 } }, "numeric")
    assert.same({ "better", "better" }, { change.verdict, found.verdict })
  end)

  it("of an enum is a list of flips without a direction", function()
    local change = change_of({ "a", "b", "c" }, { "a", "c", "c" })
    assert.equal("enum", change.kind)
    assert.same({ "b", "c" }, { change.flips[1].before, change.flips[1].after })
    assert.is_nil(change.p)
    assert.equal("unclear", change.verdict)
  end)

  it("of an enum has the share of each word", function()
    local change, found = change_of(rep("a", 8, { "b" }), rep("c", 8, { "b" }))
    local words = {}
    for i, word in ipairs(change.words) do
      words[i] = { word.name, word.before, word.after, word.verdict }
    end
    assert.same({ { "a", 8 / 9, 0.0, "changed" }, { "b", 1 / 9, 1 / 9, "no change" },
      { "c", 0.0, 8 / 9, "changed" } }, words)
    assert_near(2 / 256, change.words[1].p, 12)
    assert.same({ compare.proportions(0, 8, 0, 1) },
      { change.words[1].change, change.words[1].low, change.words[1].high })
    assert.same({ "changed", "unclear" }, { change.verdict, found.verdict })
    assert(has_warning(found, "^Metric 7 has clearly changed, but does not count: its words have "))
  end)

  it("is none if all pairs are equal", function()
    for _, value in ipairs { true, 3, "a" } do
      assert.equal("no change", (change_of(rep(value, 4), rep(value, 4))).verdict)
    end
  end)

  it("leaves out runs to which the metric does not apply", function()
    local change, found = change_of({ true, true, cekura.null, true },
      { true, cekura.null, true, true }, nil, "binary")
    assert.same({ 2, 1, 1, 1 }, { change.n, change.before, change.only_before,
      change.only_after })
    assert.same({}, change.flips)
    assert(has_warning(found,
      "^Metric 7 has a value only before in 1 pair, and only after in 1: left out$"))
  end)

  it("does not exist if there are values in one result only", function()
    local before, after = values_of(100, { true, true }), values_of(200, { true, true })
    for _, run in pairs(before.runs) do run.evaluation.metrics = {} end
    local found = compare.results(before, after)
    assert.same({ 0, "unclear" }, { found.metrics[1].n, found.metrics[1].verdict })
    assert(has_warning(found, "^Metric 7 has values only in result 1$"))
  end)

  it("does not exist if its kind has changed", function()
    local found = compare.results(values_of(100, rep(true, 8)), values_of(200, rep(0, 8)))
    assert.equal(0, found.metrics[1].n)
    assert(has_warning(found, "^Metric 7 has two kinds of values: it is not compared$"))
  end)

  it("is only that of the metrics in the options", function()
    local one = result { { 10, 1, true, { entry(7, true), entry(8, true), entry(9, true) } } }
    local found = compare.results(one, one, { metrics = { 9, 7, 5 } })
    local ids = {}
    for i, change in ipairs(found.metrics) do ids[i] = change.id end
    assert.same({ 9, 7, 5 }, ids)
    assert(has_warning(found, "^metric 5 has no value$"))
    assert.same({}, compare.results(one, one, { metrics = {} }).metrics)
  end)
end)

describe("the verdict over all", function()
  -- Returns a result with these values of metric 7, 8, 9 … in each run.
  local function result_of(first, columns)
    local items = {}
    for i in ipairs(columns[1]) do
      local entries = {}
      for m, column in ipairs(columns) do entries[m] = entry(6 + m, column[i]) end
      items[i] = { first + i, 9, columns.success and columns.success[i], entries }
    end
    return result(items)
  end

  local function verdict_of(before, after, options)
    local found = compare.results(result_of(100, before), result_of(200, after), options)
    return found.verdict, found
  end

  it("is worse if the runs clearly succeed less often", function()
    assert.equal("worse", (verdict_of({ rep(true, 6), success = rep(true, 6) },
      { rep(true, 6), success = rep(false, 6) })))
    assert.equal("unclear", (verdict_of({ rep(true, 5), success = rep(true, 5) },
      { rep(true, 5), success = rep(false, 5) })))
  end)

  it("is worse if something is better and something else worse, with a warning", function()
    local verdict, found = verdict_of({ rep(true, 9), rep(false, 9) },
      { rep(false, 9), rep(true, 9) })
    assert.equal("worse", verdict)
    assert(has_warning(found, "clearly better, and something is clearly worse$"))
  end)

  it("takes the number of tests into account", function()
    -- p is 2/64 for one metric, and 4/64 adjusted for two that can be significant.
    local before = { rep(true, 6), rep(true, 6) }
    assert.equal("worse", (verdict_of(before, { rep(false, 6), rep(true, 6) })))
    local mixed = { rep(true, 3, rep(false, 3)), rep(false, 3, rep(true, 3)) }
    local verdict, found = verdict_of({ before[1], mixed[1] }, { rep(false, 6), mixed[2] })
    assert.equal("unclear", verdict)
    assert_near(4 / 64, found.metrics[1].adjusted_p, 12)
    assert.equal("worse", (verdict_of({ before[1], mixed[1] }, { rep(false, 6), mixed[2] },
      { metrics = { 7 } })))
  end)

  it("depends on the confidence", function()
    local before, after = { rep(true, 6) }, { rep(false, 6) }
    assert.equal("unclear", (verdict_of(before, after, { confidence = 0.99 })))
    assert.equal("worse", (verdict_of(before, after, { confidence = 0.95 })))
  end)
end)

describe("compare.results", function()
  it("accepts nulls, unknown fields and runs that are not objects", function()
    local odd = { status = cekura.null, agent_name = cekura.null, runs = {
      ["5"] = { id = cekura.null, scenario = 1, scenario_name = cekura.null, status = cekura.null,
        success = cekura.null, personality = cekura.null, test_profile_data = cekura.null,
        evaluation = cekura.null, metrics = { "x", { id = "7", type = "enum", enum = "a" } } },
      ["6"] = cekura.null,
    } }
    local found = compare.results(odd, odd)
    assert.same({ 1, 0, "no change" }, { found.matched, found.success.n,
      found.metrics[1].verdict })
    assert.equal(0, compare.results({}, { runs = cekura.null }).matched)
  end)

  it("accepts every shape of a response", function()
    local shapes = { cekura.null, true, 7, 0.5, "x", "", "7", {}, { "x" }, { x = { y = {} } }, -1,
      1e308, "1e999", false }
    local whole = result({ { 5, 1, true, { entry(7, 3), entry(8, "a"), entry(9, true) },
      fields = { test_profile_data = { id = 20, name = "P" } } } }, { agent_name = "A" })
    local other = result { { 6, 1, false, { entry(7, 4), entry(8, "b"), entry(9, false) } } }
    local tried = 0
    local function try(part)
      for key, old in pairs(part) do
        for _, shape in ipairs(shapes) do
          part[key] = shape
          assert.equal("unclear", compare.results(whole, other).verdict)
          assert.equal("unclear", compare.results(other, whole).verdict)
          tried = tried + 1
        end
        part[key] = old
        if type(old) == "table" then try(old) end
      end
    end
    try(whole)
    assert.is_true(tried > 300, tried)
  end)
end)
