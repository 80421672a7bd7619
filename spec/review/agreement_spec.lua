-- The statistics of agreement, compared with published worked examples.
-- Each example names its source.

local agreement = require "cekura.review.agreement"

-- Returns the pairs of a table of counts; its rows are what was said.
local function pairs_of(rows, values)
  local list = {}
  for i, row in ipairs(rows) do
    for j, count in ipairs(row) do
      for _ = 1, count do
        list[#list + 1] = { said = values and values[i] or i, expected = values and values[j] or j }
      end
    end
  end
  return list
end

-- Asserts that a number is the expected one, which was rounded to `digits` after the point.
local function near(expected, found, digits)
  local distance = math.abs(expected - found)
  assert(distance <= 0.5001 * 10 ^ -digits, ("expected %s, found %s"):format(expected, found))
end

describe("agreement.quantile", function()
  it("gives the values of Wichura's test", function()
    -- Wichura 1988, Applied Statistics 37: P = 0.25, 0.001 and 1E-20.
    near(-0.67448975, agreement.quantile(0.25), 6)
    near(-3.09023230, agreement.quantile(0.001), 5)
    near(-9.26234009, agreement.quantile(1e-20), 5)
  end)

  it("gives the values of every table of the normal distribution", function()
    near(1.959964, agreement.quantile(0.975), 6)
    near(2.575829, agreement.quantile(0.995), 6)
    near(1.281552, agreement.quantile(0.9), 6)
    assert.equal(0, agreement.quantile(0.5))
  end)

  it("raises for 0, 1 and beyond", function()
    for _, p in ipairs { 0, 1, -0.1, 95 } do
      assert.error_matches(function() agreement.quantile(p) end, "p must be between 0 and 1")
    end
  end)
end)

describe("agreement.wilson", function()
  it("gives the intervals in Newcombe 1998, table I, method 3", function()
    -- Newcombe 1998, "Two-sided confidence intervals for the single proportion: comparison of seven
    -- methods", Statistics in Medicine 17, 857-872.
    for _, row in ipairs {
      { 81, 263, 0.2553, 0.3662 }, { 15, 148, 0.0624, 0.1605 }, { 0, 20, 0, 0.1611 },
      { 1, 29, 0.0061, 0.1718 },
    } do
      local low, high = agreement.wilson(row[1], row[2])
      near(row[3], low, 4)
      near(row[4], high, 4)
    end
  end)

  it("is wider for more confidence", function()
    -- R 4.2: prop.test(15, 148, conf.level = 0.99, correct = FALSE), and 0.8
    local low, high = agreement.wilson(15, 148, 0.99)
    near(0.0536, low, 4)
    near(0.1833, high, 4)
    low, high = agreement.wilson(15, 148, 0.8)
    near(0.0738, low, 4)
    near(0.1376, high, 4)
  end)

  it("ends at exactly 0 and 1, and is nil without calls", function()
    assert.equal(0, (agreement.wilson(0, 7)))
    assert.equal(1, (select(2, agreement.wilson(7, 7))))
    assert.is_nil(agreement.wilson(0, 0))
    assert.same({ agreed = 0, total = 0 }, agreement.rate(0, 0))
  end)
end)

describe("agreement.distance", function()
  it("is the root of chi-squared of the Physicians' Health Study", function()
    -- Heart attacks of 104 of 11037 and 189 of 11034 physicians (New England Journal of Medicine
    -- 318, 1988, 262-264). R 4.2: prop.test(c(104, 189), c(11037, 11034), correct = FALSE) gives
    -- X-squared = 25.014.
    local aspirin, placebo = { agreed = 104, total = 11037 }, { agreed = 189, total = 11034 }
    near(25.014, agreement.distance(aspirin, placebo) ^ 2, 3)
    assert.is_true(agreement.distance(aspirin, placebo) > 0)
    assert.is_true(agreement.distance(placebo, aspirin) < 0)
  end)

  it("is 0 for equal extremes, and nil without calls", function()
    assert.equal(0, agreement.distance({ agreed = 4, total = 4 }, { agreed = 9, total = 9 }))
    assert.is_nil(agreement.distance({ agreed = 0, total = 0 }, { agreed = 9, total = 9 }))
  end)
end)

describe("agreement.kappa", function()
  it("gives Cohen's 0.492", function()
    -- Cohen 1960, table 1, and Cohen 1968: 200 cases in three classes, kappa 0.492.
    near(0.492, agreement.kappa(pairs_of { { 88, 14, 18 }, { 10, 40, 10 }, { 2, 6, 12 } }), 3)
  end)

  it("gives the value and the standard error in Fleiss", function()
    -- Fleiss, Levin and Paik 2003, "Statistical Methods for Rates and Proportions", table 18.1: 100
    -- patients in three classes, kappa 0.68. vcd 1.4 for R gives the error 0.0877.
    local kappa, standard_error =
      agreement.kappa(pairs_of { { 75, 1, 4 }, { 5, 4, 1 }, { 0, 0, 10 } })
    near(0.68, kappa, 2)
    near(0.0877, standard_error, 4)
  end)

  it("gives the values in the manual of SAS", function()
    -- SAS/STAT 14.1 User's Guide, FREQ procedure, "Agreement Study": kappa 0.3449, its error
    -- 0.0724, and its limits 0.2030 and 0.4868.
    local kappa, standard_error = agreement.kappa(pairs_of(
      { { 10, 4, 1, 0 }, { 5, 10, 12, 2 }, { 2, 4, 12, 5 }, { 0, 2, 6, 13 } },
      { "terrible", "poor", "marginal", "clear" }))
    near(0.3449, kappa, 4)
    near(0.0724, standard_error, 4)
    local half = agreement.quantile(0.975) * standard_error
    near(0.2030, kappa - half, 4)
    near(0.4868, kappa + half, 4)
  end)

  -- Agresti 1990, "Categorical Data Analysis": 91 couples. vcd 1.4 for R, the example in
  -- help(Kappa): unweighted 0.1293 and 0.06860, weights "Equal-Spacing" 0.2374 and 0.07832,
  -- "Fleiss-Cohen" 0.3320 and 0.09730.
  local COUPLES = { { 7, 7, 2, 3 }, { 2, 8, 3, 7 }, { 1, 5, 4, 9 }, { 2, 8, 9, 14 } }

  it("weighs the distance of numbers, as vcd for R does", function()
    for weights, expected in pairs {
      linear = { 0.2374, 0.07832 }, quadratic = { 0.3320, 0.09730 },
    } do
      local kappa, standard_error = agreement.kappa(pairs_of(COUPLES), weights)
      near(expected[1], kappa, 4)
      near(expected[2], standard_error, 5)
    end
    local kappa, standard_error = agreement.kappa(pairs_of(COUPLES))
    near(0.1293, kappa, 4)
    near(0.06860, standard_error, 5)
  end)

  it("weighs the distance of words by their order", function()
    local words = { "never", "fairly often", "very often", "always" }
    near(0.2374, agreement.kappa(pairs_of(COUPLES, words), "linear", words), 4)
    assert.error_matches(function() agreement.kappa(pairs_of(COUPLES, words), "linear") end,
      "weights need numbers, or `categories`")
    assert.error_matches(function() agreement.kappa(pairs_of(COUPLES), "cubic") end,
      'weights must be "linear" or "quadratic"')
  end)

  it("measures distances on the whole scale, also beyond the values that occur", function()
    -- The weight of b and c is 1/2: 0.625 observed, 0.5625 by chance.
    local list = { { said = "b", expected = "b" }, { said = "c", expected = "c" },
      { said = "b", expected = "c" }, { expected = "b" } }
    near(1 / 7, (agreement.kappa(list, "linear", { "a", "b", "c" })), 9)
    near(0.2, (agreement.kappa(list, "linear", { "b", "c" })), 9)
  end)

  it("is nil if it is undefined", function()
    assert.is_nil(agreement.kappa {})
    assert.is_nil(agreement.kappa(pairs_of { { 12 } }))
    assert.is_nil(agreement.kappa(pairs_of { { 12 } }, "linear"))
    assert.is_nil(agreement.kappa { {}, {} })
  end)

  it("is 0 without agreement beyond chance, and below 0 for less", function()
    near(0, agreement.kappa(pairs_of { { 4, 4 }, { 4, 4 } }), 9)
    near(-1, agreement.kappa(pairs_of { { 0, 4 }, { 4, 0 } }), 9)
  end)

  it("is 1 for perfect agreement, without a standard error", function()
    local kappa, standard_error = agreement.kappa(pairs_of { { 8, 0 }, { 0, 3 } })
    near(1, kappa, 9)
    assert.is_nil(standard_error)
  end)

  it("has a class of its own for a missing value", function()
    local with_none = { {}, {}, {}, { said = "passed" }, { expected = "failed" } }
    local with_word = {}
    for i, pair in ipairs(with_none) do
      with_word[i] = { said = pair.said or "none", expected = pair.expected or "none" }
    end
    assert.equal(agreement.kappa(with_word), agreement.kappa(with_none))
    assert.not_nil(agreement.kappa(with_none))
  end)

  it("counts a missing value as the greatest distance on a scale", function()
    local near_miss = agreement.kappa({ { said = 1, expected = 1 }, { said = 5, expected = 5 },
      { said = 4, expected = 5 } }, "linear")
    local missing = agreement.kappa({ { said = 1, expected = 1 }, { said = 5, expected = 5 },
      { expected = 5 } }, "linear")
    local farthest = agreement.kappa({ { said = 1, expected = 1 }, { said = 5, expected = 5 },
      { said = 1, expected = 5 } }, "linear")
    assert.is_true(near_miss > missing)
    assert.is_true(math.abs(missing - farthest) < 0.2)
  end)
end)

describe("agreement.rates", function()
  it("gives the sensitivity and specificity of a diagnostic test", function()
    -- Altman and Bland 1994, "Diagnostic tests 1: sensitivity and specificity", BMJ 308, 1552:
    -- liver scans of 344 patients, sensitivity 231/258 = 0.90, specificity 54/86 = 0.63.
    local rates = agreement.rates(pairs_of({ { 231, 32 }, { 27, 54 } }, { "passed", "failed" }))
    assert.same({ 231, 258 }, { rates.true_positive.agreed, rates.true_positive.total })
    assert.same({ 54, 86 }, { rates.true_negative.agreed, rates.true_negative.total })
    near(0.90, rates.true_positive.share, 2)
    near(0.63, rates.true_negative.share, 2)
    assert.same({ agreement.wilson(54, 86) }, { rates.true_negative.low, rates.true_negative.high })
    assert.equal(0, rates.no_value)
  end)

  it("counts no missing value as a fail, and says how many there are", function()
    local rates = agreement.rates {
      { said = true, expected = true }, { expected = true }, { expected = "failed" },
      { said = "failed" }, { said = false, expected = "failed" }, {},
    }
    assert.same({ 1, 1 }, { rates.true_positive.agreed, rates.true_positive.total })
    assert.same({ 1, 1 }, { rates.true_negative.agreed, rates.true_negative.total })
    assert.equal(4, rates.no_value)
  end)

  it("has no share without calls", function()
    local rates = agreement.rates { { said = "passed", expected = "passed" } }
    assert.same({ agreed = 0, total = 0 }, rates.true_negative)
  end)
end)

describe("agreement.corrected", function()
  it("gives the prevalences in the manual of epiR", function()
    -- epiR for R, help(epi.prev): 23 of 150 cows positive, sensitivity 0.96, specificity 0.89:
    -- 5.1 in 100. Herds of 189 and 124 cows: 2.25 and 6.73 in 100.
    near(0.051, agreement.corrected(23 / 150, 0.96, 0.89), 3)
    near(0.0225, agreement.corrected(12 / 189, 0.65, 0.95), 4)
    near(0.0673, agreement.corrected(7 / 124, 0.70, 0.99), 4)
  end)

  it("stays between 0 and 1", function()
    -- Moujaber and others 2008, in the same manual: 6 of 151, 0.964 and 0.927: 0 in 100.
    assert.equal(0, agreement.corrected(6 / 151, 0.964, 0.927))
    assert.equal(1, agreement.corrected(0.99, 0.9, 0.9))
  end)

  it("is nil for a metric that is no better than chance", function()
    assert.is_nil(agreement.corrected(0.5, 0.5, 0.5))
    assert.is_nil(agreement.corrected(0.5, 0.3, 0.4))
    assert.is_nil(agreement.corrected(0.5, 0.9, nil))
    assert.is_nil(agreement.corrected(nil, 0.9, 0.9))
  end)
end)

describe("agreement.corrected_interval", function()
  local function interval(size)
    return agreement.corrected_interval(400, 1000, { agreed = 0.9 * size, total = size },
      { agreed = 0.7 * size, total = size })
  end

  it("gives the intervals of the paper's programs", function()
    -- Lee and others 2025, arXiv:2511.21140; the example of their package and its port to R: pass
    -- rate 0.4 of 1000, specificity 0.7, sensitivity 0.9, of 50, 100 and 200 calls each.
    -- asht::prevSeSp for R gives the same interval for 200.
    for size, expected in pairs {
      [50] = { 0, 0.3281189 }, [100] = { 0.01390166, 0.2897995 }, [200] = { 0.05635072, 0.2627330 },
    } do
      local low, high = interval(size)
      near(expected[1], low, 6)
      near(expected[2], high, 6)
    end
  end)

  it("is narrower for less confidence", function()
    -- The formulas of asht::prevSeSp for R with conf.level = 0.9.
    local low, high = agreement.corrected_interval(400, 1000, { agreed = 180, total = 200 },
      { agreed = 140, total = 200 }, 0.9)
    near(0.0745297, low, 6)
    near(0.2477799, high, 6)
  end)

  it("is nil if the metric may be no better than chance, or the data do not fit", function()
    local right, wrong = { agreed = 9, total = 10 }, { agreed = 1, total = 10 }
    assert.is_nil(agreement.corrected_interval(5, 10, right, wrong))
    assert.is_nil(agreement.corrected_interval(5, 10, right, { agreed = 0, total = 0 }))
    assert.is_nil(agreement.corrected_interval(0, 0, right, right))
    assert.is_nil(agreement.corrected_interval(1000, 1000, { agreed = 70, total = 100 }, right))
    -- The sum is 1.1, but one of the rates rests on a single call.
    assert.is_nil(agreement.corrected_interval(500, 1000, { agreed = 1, total = 1 },
      { agreed = 100, total = 1000 }))
  end)

  it("contains the true share as often as it says", function()
    local seed = 1
    local function random()
      seed = (seed * 6364136223846793005 + 1442695040888963407)
      return (seed >> 11) / 2 ^ 53
    end
    local function draw(count, share)
      local agreed = 0
      for _ = 1, count do agreed = agreed + (random() < share and 1 or 0) end
      return { agreed = agreed, total = count }
    end
    local covered, total = 0, 0
    for _ = 1, 2000 do
      local passed = draw(200, 0.8 * 0.9 + 0.2 * 0.3).agreed
      local low, high = agreement.corrected_interval(passed, 200, draw(60, 0.9), draw(30, 0.7))
      if low then total, covered = total + 1, covered + (low <= 0.8 and 0.8 <= high and 1 or 0) end
    end
    assert.is_true(total > 1900)
    assert.is_true(covered / total > 0.93)
  end)
end)
