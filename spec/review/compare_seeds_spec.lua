-- How often cekura.review.compare is right: results of the sandbox with many seeds, made in the
-- process. The figures are the same in each run, because the seeds are.

require "cekura.core" -- preloads cekura.internal
local Store = require "cekura.sandbox.store"
local compare = require "cekura.review.compare"
local generate = require "cekura.sandbox.generate"
local options = require "cekura.sandbox.options"
local random = require "cekura.sandbox.random"
local views = require "cekura.sandbox.views"

local NOW = 1763726400
local SEEDS = 100
local DAY = 86400

local function new_store(seed)
  return Store.new(options.start { seed = seed, now = NOW }, os.clock)
end

local store = new_store(1)

-- Returns a run as compare reads it. The regression is the share of the runs that fail in addition.
local function view_of(seed, run, regression)
  local entries = {}
  for i, e in ipairs(run.evaluations) do
    entries[i] = { id = e.metric.id, name = e.metric.name, eval_type = e.metric.eval_type,
      [e.metric.eval_type == "enum" and "enum" or "score"] = e.value }
  end
  return { id = run.id, status = run.status, scenario = run.scenario.id,
    scenario_name = run.scenario.name, evaluation = { metrics = entries },
    success = Store.success(run) and random.draw(seed, run.id, "regression") >= regression }
end

-- Returns a result with `count` runs of an agent, which is like any other result of the sandbox.
local function result_of(seed, agent, first_run, count, regression)
  local result = { id = first_run, agent = store.agents[agent], index = 1, first_run = first_run,
    created_at = store.base - 5 * DAY, run_count = count }
  local view = { status = "completed", runs = {} }
  for id = first_run, first_run + count - 1 do
    local run = generate.run(seed, store.base, result, id, store.metric_list)
    view.runs[tostring(id)] = view_of(seed, run, regression or 0)
  end
  return view
end

-- Returns the verdicts of many seeds: { [verdict] = count }. `results` returns two results.
local function count_verdicts(seeds, results, of)
  local counts = { better = 0, worse = 0, unclear = 0 }
  for seed = 1, seeds do
    local before, after = results(seed)
    local verdict = compare.results(before, after, of).verdict
    counts[verdict] = counts[verdict] + 1
  end
  return counts
end

describe("two results of the same agent", function()
  it("are unclear with at least 95 of 100 seeds: the results 373 and 431", function()
    local counts = count_verdicts(SEEDS, function(seed)
      local one = new_store(seed)
      return views.result_detail(one.results[373], one, 2),
        views.result_detail(one.results[431], one, 2)
    end)
    assert.is_true(counts.unclear >= 95, counts.unclear)
  end)

  for _, agent in ipairs { 224, 231 } do
    it(("are unclear with at least 95 of 100 seeds: 40 runs of agent %d"):format(agent), function()
      local counts = count_verdicts(SEEDS, function(seed)
        return result_of(seed, agent, 200000, 40), result_of(seed, agent, 300000, 40)
      end, { higher_is_better = { 55 }, lower_is_better = { 56 } })
      assert.is_true(counts.unclear >= 95, counts.unclear)
    end)
  end
end)

describe("the power of the exact test", function()
  it("is R's pbinom(5, 40, 0.1, lower.tail = FALSE) for 40 pairs and 100 to 90 %", function()
    assert.is_true(math.abs(0.2062727 - compare.power(40, 1, 0.9)) < 5e-8)
  end)

  it("is the sum over all significant outcomes", function()
    local function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end
    local pairs_of_runs, before, after, sum = 14, 0.9, 0.5, 0
    local lose, gain = before * (1 - after), after * (1 - before)
    for lost = 0, pairs_of_runs do
      for gained = 0, pairs_of_runs - lost do
        local same = pairs_of_runs - lost - gained
        if lost > gained and compare.mcnemar(lost, gained) <= 0.05 then
          sum = sum + factorial(pairs_of_runs) / factorial(lost) / factorial(gained)
            / factorial(same) * lose ^ lost * gain ^ gained * (1 - lose - gain) ^ same
        end
      end
    end
    assert.is_true(math.abs(sum - compare.power(pairs_of_runs, before, after)) < 1e-12)
    assert.is_true(math.abs(sum - compare.power(pairs_of_runs, after, before)) < 1e-12)
  end)

  it("is too low for a regression of ten points with 40 runs: at most 21 %", function()
    for percent = 10, 100, 5 do
      assert.is_true(compare.power(40, percent / 100, percent / 100 - 0.1) < 0.21, percent)
    end
  end)

  it("is 80 % with 78 pairs from 100 to 90 %, and with 215 pairs from 90 to 80 %", function()
    for pairs_of_runs, before in pairs { [78] = 1, [215] = 0.9 } do
      assert.is_true(compare.power(pairs_of_runs, before, before - 0.1) >= 0.8)
      assert.is_true(compare.power(pairs_of_runs - 1, before, before - 0.1) < 0.8)
    end
  end)

  it("is nothing without pairs", function()
    assert.equal(0, compare.power(0, 0.9, 0.8))
    assert.equal(0, compare.power(40, 1, 1))
  end)
end)

describe("a regression of ten points", function()
  local SHARE = 0.221  -- of the runs of agent 231 succeed, measured over 200 results of 40 runs
  local SUCCESS = { metrics = {} }

  local function found(seeds, count)
    return count_verdicts(seeds, function(seed)
      return result_of(seed, 231, 200000, count), result_of(seed, 231, 300000, count, 0.1 / SHARE)
    end, SUCCESS)
  end

  it("in 40 runs is found as often as the exact test can", function()
    local seeds, power = 200, compare.power(40, SHARE, SHARE - 0.1)
    local counts = found(seeds, 40)
    local error = math.sqrt(power * (1 - power) / seeds)
    assert.is_true(math.abs(counts.worse / seeds - power) < 3 * error, counts.worse)
    assert.equal(0, counts.better)
  end)

  it("in 300 runs is found with at least 80 of 100 seeds", function()
    local counts = found(SEEDS, 300)
    assert.is_true(counts.worse >= 80, counts.worse)
  end)
end)
