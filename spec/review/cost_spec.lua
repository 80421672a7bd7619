-- The subcommands of cekura-review show an estimate and the balance before they spend, and refuse a
-- call above the balance or --max-evaluations.

local Review = require "support.review"
local cekura = require "cekura"
local json = require "cjson".new()

-- { words that start something with --apply, the evaluations of the estimate, the exit code if the
-- balance is too low }; "@" begins a path in the folder. The Lab has 154 labels.
local CASES = {
  reevaluate = { { "373", "--metrics", "55", "--no-progress" }, 6, 1 },
  bulk = { { "--metrics", "55", "--results", "371", "--journal", "@journal", "--no-progress" },
    10, 1 },
  calls = { { "--agent", "231", "--metric", "55", "--limit", "3", "--again", "--journal",
    "@journal", "--no-progress" }, 3, 1 },
  gate = { { "--result", "373", "--min-success-rate", "0", "--evaluate", "55" }, 6, 2 },
  improve = { { "--metrics", "55", "--state", "@state", "--no-progress" }, 411, 1 },
  call = { { "results.bulk_evaluate_metrics", "result_ids=371", "metric_ids=55" }, 10, 1 },
}

describe("cekura-review", function()
  local review

  -- Returns what it wrote, stdout first, and its exit code.
  local function run(name, options, ...)
    if review then review:close() end
    review = Review.new(name, options)
    local words = {}
    for i, word in ipairs(CASES[name][1]) do words[i] = word:gsub("^@", review.folder .. "/") end
    table.move({ ... }, 1, select("#", ...), #words + 1, words)
    local output, errors, code = review:run(table.unpack(words))
    return output .. errors, code
  end

  after_each(function()
    review:close()
    review = nil
  end)

  for name, case in pairs(CASES) do
    local credits, refused = case[2], case[3]
    local ESTIMATE = ("Estimate: %d metric evaluations %%([^\n]*%%), %s credits%%.\n")

    describe(name, function()
      it("shows the estimate and the balance in a plan", function()
        local text, code = run(name, { credits_per_evaluation = 0.5, balance = credits / 2 })
        assert.equal(0, code, text)
        assert.matches(ESTIMATE:format(credits, ("%.10g"):format(credits / 2)), text)
        assert.matches("\nBalance: [%d.]+ credits", text)
        assert.is_nil(text:find("too low", 1, true))
        assert.same({}, review:changes())
      end)

      it("says in a plan that the balance is too low", function()
        local text, code = run(name, { balance = credits - 1 })
        assert.equal(0, code, text)
        assert.matches(("\nBalance: %d credits[^\n]*\nThe balance is too low: %%-%%-apply would "
          .. "not start this%%.\n"):format(credits - 1), text)
      end)

      it("starts nothing if the balance is too low", function()
        local text, code = run(name, { balance = credits - 1 }, "--apply")
        assert.equal(refused, code, text)
        assert.matches(ESTIMATE:format(credits, credits), text)
        assert.is_truthy(text:find(("%s: the balance of %d credits is too low for the estimate of "
          .. "%d: not started\n"):format(name, credits - 1, credits), 1, true), text)
        assert.matches("\nSpent: nothing%.\n", text)
        assert.same({}, review:changes())
      end)
    end)
  end

  local function reevaluate(faults, ...) return run("reevaluate", { faults = faults }, ...) end

  -- Returns a fault: the balance is this JSON.
  local function balance_of(credits)
    return { path = "/billing/", status = 200, body = ('{"credits_remaining":%s}'):format(credits) }
  end

  -- Returns a fault: the balance is 0, and further credits have this price.
  local function empty_with(overage)
    return { path = "/billing/", status = 200, body = { credits_remaining = "0.00",
      subscription_status = { pack = { subscription_overage = overage } } } }
  end

  for _, price in ipairs { 0.02, "0.02" } do
    it("goes on with an empty balance if the subscription buys credits: " .. price, function()
      local text, code = reevaluate({ empty_with(price) }, "--apply")
      assert.equal(0, code, text)
      assert.matches("\nThe balance is too low: the subscription buys further credits %(overage%)",
        text)
      assert.matches("\nSpent: 6 metric evaluations%.\n", text)
    end)
  end

  for _, price in ipairs { "-1.00", cekura.null } do
    it("stops at an empty balance if the subscription does not: " .. tostring(price), function()
      local text, code = reevaluate({ empty_with(price) }, "--apply")
      assert.equal(1, code, text)
      assert.same({}, review:changes())
    end)
  end

  it("names the metrics whose price is assumed", function()
    local text, code = reevaluate { { path = "/v2/metrics/$", status = 200, body = "[]" } }
    assert.equal(0, code, text)
    assert.is_truthy(text:find("Estimate: 6 metric evaluations (6 runs × 1 metric), 1.2 credits, "
      .. "assuming 0.2 for each conversation: the API names no price of metric 55.\n", 1, true),
      text)
  end)

  it("goes on if the prices and the balance cannot be read", function()
    local text, code = reevaluate({ { path = "/v2/metrics/$", status = 403 },
      { path = "/billing/", status = 403 } }, "--apply")
    assert.equal(0, code, text)
    assert.matches("Estimate: 6 metric evaluations %(6 runs × 1 metric%), at an unknown price: "
      .. "metrics%.list: status 403[^\n]*\nBalance: unknown: billing%.info: status 403", text)
    assert.matches("\nSpent: 6 metric evaluations%.\n", text)
  end)

  it("stops at an empty balance if the prices cannot be read", function()
    local text, code = reevaluate({ { path = "/v2/metrics/$", status = 403 }, balance_of '"0.00"' },
      "--apply")
    assert.equal(1, code, text)
    assert.is_truthy(text:find("reevaluate: the balance of 0 credits is too low: not started\n",
      1, true), text)
    assert.same({}, review:changes())
  end)

  it("does not take for a balance what is not a number", function()
    for _, credits in ipairs { "null", '"abc"', '"0x10"', '"nan"', "[]", "true", '""' } do
      local text, code = reevaluate({ balance_of(credits) }, "--apply")
      assert.equal(0, code, text)
      assert.is_truthy(text:find("\nBalance: unknown: billing.info names no number of credits.\n",
        1, true), text)
    end
  end)

  it("says in a plan that --max-evaluations forbids it", function()
    local text, code = reevaluate({}, "--max-evaluations", "5")
    assert.equal(0, code, text)
    assert.is_truthy(text:find("\n6 evaluations are more than --max-evaluations 5: --apply would "
      .. "not start this.\n", 1, true), text)
    assert.is_nil(reevaluate({}, "--max-evaluations", "6"):find("would not start", 1, true))
  end)

  it("says that nothing bounds the evaluations of a call", function()
    review = Review.new "call"
    local _, errors, code = review:run("metric_reviews.process_feedbacks", "metric_id=55",
      "skip_evaluation=true")
    assert.equal(0, code, errors)
    assert.matches("^Estimate: unknown: no document says how many metric evaluations it starts%.\n",
      errors)
  end)

  it("refuses --max-evaluations for a call without an upper bound", function()
    review = Review.new "call"
    local _, errors, code = review:run("metrics.run_reviews", "metric_id=55", "--apply",
      "--max-evaluations", "1000")
    assert.equal(2, code)
    assert.matches("\ncekura%-review call: %-%-max%-evaluations does not limit a call that may "
      .. "start more evaluations than are known: nothing was started\nSpent: nothing%.\n$", errors)
    assert.same({}, review:changes())
  end)

  it("shows the lower bound of a call, and the estimate with --json", function()
    review = Review.new "call"
    local output, errors, code = review:run("metrics.run_reviews", "metric_id=55", "--json")
    assert.equal(0, code, errors)
    assert.matches("^Estimate: 154 metric evaluations %(at least%), 154 credits%.\n", errors)
    assert.same({ evaluations = 154, evaluations_at_least = true, exact = false, credits = 154,
      unknown_metrics = {} }, json.decode(output).estimate)
  end)
end)
