-- Responses of every shape: a list for an object, null for a list, and so on. A sample that SEED
-- selects is tried; CEKURA_SHAPES=all tries all shapes.

local Review = require "support.review"
local json = require "cjson".new()
local scratch = require "support.scratch"

local SEED = math.tointeger(os.getenv "SEED") or 1
local SHAPES = { "null", "true", "7", "0.5", '"x"', '""', "[]", "{}", "[null]", '[["x"]]',
  '{"x":{"y":[]}}', "-1", "1e308", "1e999", '"1e999"', '"2025-99-99"', '"\\u0000"' }
local AT = "2025-11-01T10:00:00Z"
local WHOLE = os.getenv "CEKURA_SHAPES" == "all"
local TRIES = Review.is_slow and 3 or 25  -- of each example

-- ---- valid responses ----

local entry = { id = 55, name = "M", type = "numeric", eval_type = "numeric", score = 2,
  expected_value = 3,
  thumbs_up = false, explanation = { "why" } }

local run = { id = 5544, status = "completed", success = true, scenario_name = "S",
  transcript = "[00:01] Agent: Hello.", expected_outcome = { score = 100 }, created_at = AT,
  timestamp = AT, agent_name = "A", evaluation = { metrics = { entry } } }

local summary = { id = 373, name = "R", status = "completed", total_runs_count = 1,
  success_rate = 0.5, created_at = AT, updated_at = AT, agent_name = "A" }

local result = { runs = { ["5544"] = run } }
for name, value in pairs(summary) do result[name] = value end

local review = { id = 1, actual_value = 2, expected_value = 3, feedback = "f",
  explanation = { "why" }, created_at = AT, updated_at = AT, test_set = { id = 9,
    source_model = "Run", source_id = 5544, agent = 231, transcript = "t" } }

local held_out = { id = 2, actual_value = 1, expected_value = 2, created_at = AT, updated_at = AT,
  test_set = { id = 3, source_model = "Run", source_id = 5545, agent = 231, transcript = "t" } }

local metric = { id = 55, name = "M", eval_type = "numeric", description = "d",
  enum_values = { "a" }, custom_code = "",
  reviews = { review, held_out }, evaluation_trigger = "always", type = "llm_judge" }

local log = { id = 70071, status = "completed", topic = "T", agent_name = "A", agent_id = 231,
  project = 14, created_at = AT, updated_at = AT, timestamp = AT, metrics = { entry },
  evaluation = { metrics = { entry } } }

local proposal = { status = "success", optimization_summary = "Better.", output = {
  improved_metric_description = "New.", improved_evaluation_trigger = "always",
  old_score = { score = 0.5, num_correct = 1, num_total = 2 }, new_score = { score = 0.6 },
  unresolved_samples = { "s" }, type = "llm_judge", estimated_cost_per_sample = 0.02,
  meta_harness = { custom_code = "x", type = "custom_code" } } }

local evaluated = {}
for name, value in pairs(result) do evaluated[name] = value end
evaluated.updated_at = "2025-11-01T10:05:00Z"

-- { method, path, value, value of all further responses if it is another one }
local RESPONSES = {
  { "GET", "/v2/results/373/", result, evaluated },
  { "POST", "/v1/results/373/evaluate_metrics/", result },
  { "POST", "/v1/results/bulk_evaluate_metrics/", { success = true } },
  { "GET", "/v2/results/", { count = 1, results = { summary } } },
  { "GET", "/v2/metrics/55/", metric },
  { "PATCH", "/v2/metrics/55/", metric },
  { "GET", "/call-logs/70071/", log },
  { "POST", "/call-logs/evaluate_metrics/", { log } },
  { "GET", "/call-logs/", { count = 1, results = { log } } },
  { "GET", "/process_feedbacks_progress/", proposal },
  { "POST", "/process_feedbacks/", { progress_id = "p", estimated_cost_per_sample = 0.02 } },
  { "GET", "/billing/info/", { credits_remaining = 100 } },
  { "POST", "/mark_metric_vote/", { success = true } },
  { "POST", "/test-sets/create_from_run/", { id = 9 } },
  { "POST", "/run_reviews/", { progress_id = "q" } },
  { "GET", "/run_reviews_progress/", { status = "completed", total = 2, output = {
    review_results = { { review_id = 2, test_set_id = 3, actual_value = 2, success = true } } } } },
  { "POST", "/test-sets/create_from_call_log/", { id = 9 } },
  { "GET", "/v2/metrics/$", { { id = 55, metric_cost = 0.5 } } },
}

local WAITS = { "--timeout", "0.2", "--interval", "0.05", "--no-progress" }

-- { arguments, options of a wait, indexes of the responses that the example reads }
local EXAMPLES = {
  reevaluate = { { "373", "--metrics", "55", "--apply" }, WAITS, 1, 2, 5, 12 },
  bulk = { { "--agent", "231", "--metrics", "55", "--apply" }, WAITS, 1, 3, 4, 5, 12 },
  calls = { { "--agent", "231", "--metric", "55", "--again", "--apply" }, WAITS,
    5, 7, 8, 9, 12, 18 },
  improve = { { "--metrics", "55", "--apply" }, WAITS, 5, 6, 10, 11, 12, 15, 16 },
  labs = { { "--metric", "55", "--agent", "231", "--want", "1", "--apply" }, WAITS,
    1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17 },
  gate = { { "--result", "373", "--min-success-rate", "0.1", "--metric", "55>=1", "--evaluate",
    "55", "--apply" }, WAITS, 1, 2, 12 },
  sample = { { "--agent", "231", "--metric", "55" }, { "--no-progress" }, 1, 4, 5 },
  export = { { "values", "--agent", "231", "--calls" }, { "--no-progress" }, 7, 9 },
  report = { { "--agent", "231" }, { "--no-progress" }, 1, 4, 5, 7 },
  votes = { {}, { "--no-progress", "--lab" }, 5, 13, 14 },
}

-- ---- mutations ----

local MARK = "\1here\1"

-- Calls visit(text, where) with a value as JSON in which one part after the other is a shape.
local function each_mutation(value, visit)
  local function walk(part, where, put)
    put(MARK)
    local text = json.encode(value == part and MARK or value)
    put(part)
    for _, shape in ipairs(SHAPES) do
      local start, stop = text:find('"\\u0001here\\u0001"', 1, true)
      visit(text:sub(1, start - 1) .. shape .. text:sub(stop + 1), where .. " = " .. shape)
    end
    for key, item in pairs(type(part) == "table" and part or {}) do
      walk(item, where .. "." .. key, function(new) part[key] = new end)
    end
  end
  walk(value, "", function() end)
end

-- Returns rules of the sandbox: valid responses except for one.
local function rules_with(index, text)
  local rules = {}
  for i, response in ipairs(RESPONSES) do
    local later = i ~= index and response[4]
    local function add(body, times)
      rules[#rules + 1] = { method = response[1], path = response[2], status = 200, times = times,
        body = body }
    end
    if later then add(response[3], 1) end
    add(i == index and text or later or response[3], math.huge)
  end
  return rules
end

-- Returns all { index, text, where } of an example, sorted.
local function mutations_of(indexes)
  local list = {}
  for _, index in ipairs(indexes) do
    local response = RESPONSES[index]
    each_mutation(response[3], function(text, where)
      list[#list + 1] = { index, text, ("%s %s: %s"):format(response[1], response[2], where) }
    end)
  end
  table.sort(list, function(a, b) return a[3] < b[3] end)
  return list
end

local function shuffle(list)
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
end

local HAS_DATA = { gate = true, reevaluate = true, bulk = true, calls = true }
local KNOWN = { [0] = true, true, true, true, true, true }  -- exit codes

for name, row in pairs(EXAMPLES) do
  describe(name, function()
    local example

    before_each(function()
      example = Review.new(name)
      example.always = { table.unpack(row[2]) }
    end)
    after_each(function() example:close() end)

    local function words()
      local list, n = { table.unpack(row[1]) }, tostring(math.random(1 << 40))
      if name == "improve" or name == "labs" then
        list = table.move({ "--state", example:path(n) }, 1, 2, #list + 1, list)
        if name == "labs" and math.random(2) == 1 then
          list = table.move({ "--source", "calls" }, 1, 2, #list + 1, list)
        end
      elseif name == "bulk" or name == "calls" then
        list = table.move({ "--journal", example:path(n) }, 1, 2, #list + 1, list)
      elseif name == "report" then
        list = table.move({ "--output", example:path(n) }, 1, 2, #list + 1, list)
      elseif name == "votes" then
        list[1] = example:path(n)
        scratch.write(list[1], 'run_id,metric_id,thumbs_up,expected_value\n5544,55,no,"2,5"\n')
      end
      if HAS_DATA[name] and math.random(2) == 1 then list[#list + 1] = "--json" end
      return list
    end

    it("accepts valid responses", function()
      example.server:faults(rules_with())
      local _, errors, code = example:run(table.unpack(words()))
      assert.is_true(code == 0 or name == "labs" or name == "calls" or name == "sample", errors)
    end)

    it(("ends without a traceback after every shape (SEED=%d)"):format(SEED), function()
      math.randomseed(SEED)
      local mutations = mutations_of { table.unpack(row, 3) }
      shuffle(mutations)
      for i = 1, WHOLE and #mutations or TRIES do
        local index, text, where = table.unpack(mutations[i])
        example.server:faults(rules_with(index, text))
        local output, errors, code = example:run(table.unpack(words()))
        local said = where .. "\n" .. output .. errors
        assert.is_nil(errors:find "traceback", said)
        assert.is_nil(errors:find "attempt to ", said)
        assert.is_nil(errors:find "%.lua:%d+:", said)
        assert.is_nil(errors:find "mistake", said)
        assert.is_true(KNOWN[code], said)
        assert.is_true(code == 0 or errors ~= "" or name == "labs", said)
      end
    end)
  end)
end
