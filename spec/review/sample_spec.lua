-- Samples of calls for review: the library, and the sheet of cekura-review sample.

local Review = require "support.review"
local json = require "cjson".new()
local sample = require "cekura.review.sample"
local scratch = require "support.scratch"
local sheet = require "cekura.review.sheet"

-- Returns `count` items with the keys first, first + 1, …, of which each tenth failed.
local function items_of(count, first)
  local items = {}
  for i = 1, count do
    local key = (first or 1) + i - 1
    items[i] = { key = key, value = key % 10 ~= 0 }
  end
  return items
end

local function keys_of(selected, part)
  local keys = {}
  for _, item in ipairs(selected) do
    if not part or item.selection == part then keys[#keys + 1] = item.key end
  end
  return keys
end

describe("sample.allocate", function()
  it("reproduces the example of the largest remainder method", function()
    -- Wikipedia, "Quota method", and the manual of the R package proporz, largest_remainder_method
    assert.same({ 5, 2, 1, 1, 1, 0 },
      sample.allocate({ 47000, 16000, 15800, 12000, 6100, 3100 }, 10))
  end)

  it("reproduces the example of the Alabama paradox", function()
    -- Wikipedia, "Quota method": with one seat more, D and E get fewer
    local votes = { 1500, 1500, 900, 500, 500, 200 }
    assert.same({ 7, 7, 4, 3, 3, 1 }, sample.allocate(votes, 25))
    assert.same({ 8, 8, 5, 2, 2, 1 }, sample.allocate(votes, 26))
  end)

  it("gives no stratum more places than it has calls", function()
    math.randomseed(7)
    for _ = 1, 500 do
      local sizes, total = {}, 0
      for i = 1, math.random(8) do
        sizes[i] = math.random(0, 9)
        total = total + sizes[i]
      end
      local n, sum = math.random(0, 60), 0
      for i, places in ipairs(sample.allocate(sizes, n)) do
        assert.is_true(places <= sizes[i])
        sum = sum + places
      end
      assert.equal(math.min(n, total), sum)
    end
  end)
end)

describe("sample.mark", function()
  it("doubts values that differ from other repetitions of the scenario", function()
    local items = sample.mark {
      { key = 1, value = true, group = "a" }, { key = 2, value = true, group = "a" },
      { key = 3, value = false, group = "a" }, { key = 4, value = false, group = "b" },
      { key = 5, group = "a" },
    }
    local doubts = {}
    for i, item in ipairs(items) do doubts[i] = item.doubt end
    assert.same({ 0.5, 0.5, 1, 0, 0 }, doubts)
  end)

  it("doubts a verdict that contradicts the expected outcome", function()
    local items = sample.mark { { key = 1, value = true, outcome = false },
      { key = 2, value = false, outcome = false }, { key = 3, value = 1, outcome = false } }
    assert.equal(1, items[1].doubt)
    assert.equal(0, items[2].doubt + items[3].doubt)
  end)

  it("doubts numbers near the threshold, and not that measurements differ", function()
    local items = {}
    for i = 1, 9 do items[i] = { key = i, value = i * 100, group = "a" } end
    sample.mark(items, 301)
    assert.equal(0.5, items[3].doubt)
    assert.is_true(items[4].doubt < 0.02)
  end)
end)

describe("sample.select", function()
  it("selects the same calls whatever their order, and others with another seed", function()
    local items, reversed = items_of(200), {}
    for i, item in ipairs(items) do reversed[#items - i + 1] = item end
    local options = { n = 20, seed = "2026-w48", by = "value" }
    assert.same(keys_of(sample.select(items, options)), keys_of(sample.select(reversed, options)))
    assert.is_nil(items[1].selection)
    options.seed = "2026-w49"
    assert.not_same(keys_of(sample.select(items, { n = 20, seed = "2026-w48", by = "value" })),
      keys_of(sample.select(items, options)))
  end)

  it("is the same in every process", function()
    assert.same({ 12, 20, 10, 3 }, keys_of(sample.select(items_of(20), { n = 4, seed = "s" })))
  end)

  it("keeps the order of the calls if others are added", function()
    local options = { n = 40, seed = 1 }
    local before = keys_of(sample.select(items_of(100), options))
    local after, old = keys_of(sample.select(items_of(150), options)), {}
    for _, key in ipairs(after) do
      if key <= 100 then old[#old + 1] = key end
    end
    assert.is_true(#old > 15 and #old < 40)
    assert.same(table.move(before, 1, #old, 1, {}), old)
  end)

  it("gives each stratum its share", function()
    local failed = 0
    for _, item in ipairs(sample.select(items_of(200), { n = 40, seed = 3, by = "value" })) do
      if not item.value then failed = failed + 1 end
    end
    assert.equal(4, failed)
  end)

  it("selects each call equally often in the random part, doubtful or not", function()
    local items, times, seeds = items_of(30), {}, 1500
    for i, item in ipairs(items) do item.doubt, times[i] = i <= 15 and i or 0, 0 end
    for seed = 1, seeds do
      for _, key in ipairs(keys_of(sample.select(items, { n = 10, seed = seed }), "random")) do
        times[key] = times[key] + 1
      end
    end
    local share = 8 / 30  -- a quarter of ten places, rounded down, is targeted
    local error = math.sqrt(share * (1 - share) / seeds)
    for i = 1, 30 do
      assert.is_true(math.abs(times[i] / seeds - share) < 4.5 * error, tostring(times[i]))
    end
  end)

  it("targets the most doubtful of the other calls", function()
    local items = items_of(100)
    for i, item in ipairs(items) do item.doubt = i / 100 end
    local selected = sample.select(items, { n = 40, seed = 5, targeted_share = 0.25 })
    local targeted, is_random = keys_of(selected, "targeted"), {}
    assert.equal(10, #targeted)
    for _, key in ipairs(keys_of(selected, "random")) do is_random[key] = true end
    local expected = {}
    for key = 100, 1, -1 do
      if not is_random[key] and #expected < 10 then expected[#expected + 1] = key end
    end
    assert.same(expected, targeted)
  end)

  it("fills the sample at random if too few calls are doubtful", function()
    local items = items_of(100)
    items[7].doubt = 1
    local selected = sample.select(items, { n = 40, seed = 5 })
    assert.equal(40, #selected)
    assert.is_true(#keys_of(selected, "targeted") <= 1)
    assert.equal(3, #sample.select(items_of(3), { n = 40, seed = 5 }))
    assert.same({}, sample.select({}, { n = 40, seed = 5 }))
  end)

  it("raises for a key that two items have", function()
    assert.error_matches(function()
      sample.select({ { key = 1 }, { key = "1" } }, { n = 1, seed = 1 })
    end, "items%[2%].key: is that of another item")
    assert.error_matches(function() sample.select({ {} }, { n = 1, seed = 1 }) end,
      "items%[1%].key: is required")
  end)
end)

-- ---- the command ----

-- Returns the rows of a sheet.
local function rows_of(text)
  local rows, opened = {}, assert(sheet.open(text))
  for row in function() return opened:read() end do rows[#rows + 1] = row.cells end
  return rows, opened.columns
end

describe("cekura-review sample", function()
  local review

  before_each(function() review = Review.new "sample" end)
  after_each(function() review:close() end)

  it("writes a sheet with a random and a targeted part", function()
    local output, errors, code = review:run("--agent", "231", "--metric", "55", "--n", "20",
      "--no-progress")
    assert.equal(0, code, errors)
    local rows, columns = rows_of(output)
    assert.same({ "run_id", "metric_id", "thumbs_up", "expected_value", "feedback", "selection",
      "metric", "value", "explanation" }, columns)
    local counts = { random = 0, targeted = 0 }
    for _, row in ipairs(rows) do
      counts[row.selection] = counts[row.selection] + 1
      local run = review.server:state("runs", math.tointeger(row.run_id))
      assert.equal(tostring(run.metrics[55].value), row.value)
      assert.is_nil(run.metrics[55].thumbs_up)
      assert.equal("", row.thumbs_up .. row.expected_value .. row.feedback)
      assert.matches("^The agent completed", row.explanation)
    end
    assert.same({ random = 15, targeted = 5 }, counts)
    assert.matches("^Steps Completed: 20 of %d+ calls selected, 15 random and 5 targeted. "
      .. "Reviewed already: %d+.\n$", errors)
    assert.same({}, review:sent())
  end)

  it("selects the same calls again, and leaves out those reviewed meanwhile", function()
    local words = { "--agent", "232", "--metric", "51", "--n", "6", "--seed", "x", "--no-progress",
      "--targeted", "0" }
    local first = review:run(table.unpack(words))
    assert.equal(first, (review:run(table.unpack(words))))
    local rows = rows_of(first)
    local path = review:path "filled.csv"
    scratch.write(path, "run_id,metric_id,thumbs_up,expected_value\n"
      .. rows[1].run_id .. ",51,yes,true\n")
    review.words[3] = "votes"
    local _, errors, code = review:run(path, "--no-progress")
    assert.equal(0, code, errors)
    review.words[3] = "sample"
    local after = rows_of((review:run(table.unpack(words))))
    assert.equal(6, #after)
    local is_there = {}
    for _, row in ipairs(after) do is_there[row.run_id] = true end
    assert.is_nil(is_there[rows[1].run_id])
    assert.is_true(is_there[rows[2].run_id])
  end)

  it("writes a sheet that votes accepts once it is filled in", function()
    for _, kind in ipairs { "runs", "calls" } do
      local path = review:path(kind .. ".csv")
      review.words[3] = "sample"
      local _, errors, code = review:run("--agent", "231", "--metric", "55,51", "--n", "3",
        "--output", path, "--no-progress", kind == "calls" and "--calls" or nil)
      assert.equal(0, code, errors)
      local rows, columns = rows_of(scratch.read(path))
      assert.equal(6, #rows)
      for _, row in ipairs(rows) do
        row.thumbs_up, row.expected_value, row.feedback = "yes", row.value, "=right, \"quite\""
      end
      scratch.write(path, sheet.format(columns, rows))
      review.words[3] = "votes"
      local before = #review:changes()
      _, errors, code = review:run(path, "--no-progress")
      assert.equal(0, code, errors)
      assert.equal(6, #review:changes() - before)
    end
  end)

  it("does not overwrite a sheet", function()
    local path = review:write("votes.csv", "run_id\n5544\n")
    local _, errors, code = review:run("--agent", "231", "--metric", "55", "--output", path)
    assert.matches("votes.csv exists, and may have votes: name another file", errors)
    assert.equal(2, code)
    assert.equal("run_id\n5544\n", scratch.read(path))
    _, errors, code = review:run("--agent", "231", "--metric", "55", "--output", review.folder)
    assert.matches("Is a directory", errors)
    assert.equal(2, code)
    assert.same({}, review.server:requests())
    if not io.open "/dev/full" then return end
    _, errors, code = review:run("--results", "373", "--metric", "55", "--output", "/dev/full")
    assert.matches("%-%-output: /dev/full: No space left", errors)
    assert.equal(1, code)
  end)

  it("returns the rows and the counts with --json", function()
    local output = review:run("--results", "373", "--metric", "55", "--n", "4", "--json",
      "--seed", "w1", "--by", "scenario")
    local data = json.decode(output)
    assert.equal("w1", data.seed)
    assert.equal(4, #data.rows)
    assert.equal(55, data.rows[1].metric_id)
    assert.equal(4, data.metrics[1].random + data.metrics[1].targeted)
  end)

  it("fails if there is nothing to review, or a result cannot be read", function()
    local path = review:path "none.csv"
    local _, errors, code = review:run("--results", "373", "--metric", "60", "--output", path)
    assert.not_equal(0, code, errors)
    _, errors, code = review:run("--results", "9", "--metric", "55", "--output", path)
    assert.matches("result 9: ", errors)
    assert.equal(2, code)
    _, errors, code = review:run("--metric", "55", "--output", path)
    assert.matches("which calls%? Say %-%-agent", errors)
    assert.equal(2, code)
    assert.is_nil(scratch.read(path))
  end)
end)
