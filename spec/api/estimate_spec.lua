-- cekura.estimate: the size and the price of a call before it is sent, from calls that only read.
local cekura = require "cekura"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"

local RESULT = { result_id = 373, run_ids = { 5543, 5544 }, metric_ids = { 55, 57 } }
local BULK = { result_ids = { 371, 372, 373 }, metric_ids = { 55, 57 } }
local CALLS = { agent_id = 231, call_logs = { 70023, 70033 }, metrics = { 55 } }
local LARGEST = math.maxinteger
local DELAY = 0.05  -- seconds

describe("cekura.estimate", function()
  local server, client

  setup(function()
    server = sandbox.start { credits_per_evaluation = 0.1, votes_feed_lab = true,
      evaluation_time = 0 }
    client = assert(cekura.new { api_url = server.url, api_key = server.api_key,
      max_attempts = 1 })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function()
    server:clear()
    server:faults()
  end)

  local function estimate(name, arguments) return cekura.estimate(client, name, arguments) end

  -- Makes metrics.list return these metrics.
  local function list_metrics(list)
    server:faults { { path = "/v2/metrics/$", status = 200, body = list, times = 9 } }
  end

  local function list_price(price) list_metrics { { id = 55, metric_cost = price } } end

  -- Returns the credits that a call has taken.
  local function taken(call)
    local before = server:state("balance").remaining
    assert(call())
    return before - server:state("balance").remaining
  end

  local function is_near(expected, number)
    assert.is_true(math.abs(expected - number) < 1e-6, tostring(number))
  end

  -- ---- what the calls then cost ----

  for name, row in pairs {
    ["results.evaluate_metrics"] = { RESULT, 4, true },
    ["results.bulk_evaluate_metrics"] = { BULK, nil, true },
    ["calls.evaluate_metrics"] = { CALLS, 2, true },
    ["metric_reviews.process_feedbacks"] = { { metric_id = 55 }, nil, false, true },
    ["metrics.run_reviews"] = { { metric_id = 55 }, nil, false, true },
  } do
    local arguments, evaluations, is_exact, at_least = table.unpack(row, 1, 4)
    local resource, method = name:match "^(.-)%.(.*)$"

    it("of " .. name .. " is what the call takes from the balance, and only reads", function()
      local found = assert(estimate(name, arguments))
      for _, request in ipairs(server:requests()) do assert.equal("GET", request.method) end
      assert.same({ is_exact, at_least, {} },
        { found.exact, found.evaluations_at_least, found.unknown_metrics })
      assert.equal("integer", math.type(found.evaluations))
      if evaluations then assert.equal(evaluations, found.evaluations) end
      local credits = taken(function()
        return client[resource][method](client[resource], arguments)
      end)
      is_near(credits, found.credits)
      is_near(credits, found.evaluations * 0.1)
    end)

    it("of " .. name .. " fails as the call does with wrong arguments", function()
      local wrong = { metrik = 1, result_id = "x" }
      local none, problem = estimate(name, wrong)
      local _, expected = client[resource][method](client[resource], wrong)
      assert.is_nil(none)
      assert.same({ "validation", tostring(expected) }, { problem.kind, tostring(problem) })
      assert.same({}, server:requests())
    end)
  end

  -- ---- the size ----

  describe("of runs", function()
    -- Makes the runs of each result have these states.
    local function states(...)
      local runs = {}
      for i, state in ipairs { ... } do runs[i] = { id = 5542 + i, status = state, agent = 231 } end
      server:faults { { path = "/v2/runs/$", status = 200, times = 9,
        body = { results = runs, next = cekura.null } } }
    end

    it("counts those that a bulk call evaluates: completed and failed", function()
      states("completed", "FAILED", "timeout", "cancelled")
      local found = assert(estimate("results.bulk_evaluate_metrics",
        { result_ids = { 373 }, metric_ids = { 55, 57 } }))
      assert.same({ 4, true }, { found.evaluations, found.exact })
    end)

    for _, state in ipairs { "running", "evaluating", "in_queue", "paused", 7, cekura.null } do
      it("is an upper bound if one is " .. tostring(state), function()
        states("completed", state)
        local found = assert(estimate("results.bulk_evaluate_metrics",
          { result_ids = { 373 }, metric_ids = { 55 } }))
        assert.same({ 2, false }, { found.evaluations, found.exact })
        assert.is_nil(found.evaluations_at_least)
        found = assert(estimate("results.evaluate_metrics", RESULT))
        assert.same({ 4, false }, { found.evaluations, found.exact })
      end)
    end

    it("is not exact if a run is not one of the result", function()
      local found = assert(estimate("results.evaluate_metrics",
        { result_id = 373, run_ids = { 5543, 1 }, metric_ids = { 55 } }))
      assert.same({ 2, false }, { found.evaluations, found.exact })
    end)

    it("reads every page", function()
      local function page(id, following)
        return { path = "/v2/runs/$", status = 200, body = { next = following,
          results = { { id = id, status = "completed", agent = 231 } } } }
      end
      server:faults { page(1, server.url .. "/test_framework/v2/runs/?page=2"),
        page(LARGEST, cekura.null) }
      local found = assert(estimate("results.evaluate_metrics",
        { result_id = 373, run_ids = { 1, LARGEST }, metric_ids = { 55 } }))
      assert.same({ 2, true }, { found.evaluations, found.exact })
    end)

    it("is 0 for a result without runs", function()
      states()
      local found = assert(estimate("results.bulk_evaluate_metrics",
        { result_ids = { 373 }, metric_ids = { 55 } }))
      assert.same({ 0, 0, true }, { found.evaluations, found.credits, found.exact })
    end)

    it("fails if a result does not exist", function()
      local none, problem = estimate("results.bulk_evaluate_metrics",
        { result_ids = { 371, 4 }, metric_ids = { 55 } })
      assert.is_nil(none)
      assert.equal("not_found", problem.kind)
    end)

    it("reads at most eight results at once", function()
      local ids = {}
      for id in pairs(server:state "results") do ids[#ids + 1] = id end
      table.sort(ids)
      server:faults { { path = "/v2/runs/$", delay = DELAY, times = 100 } }
      assert(estimate("results.bulk_evaluate_metrics",
        { result_ids = table.move(ids, 1, 20, 1, {}), metric_ids = { 55 } }))
      local times, most = {}, 0
      for _, request in ipairs(server:requests()) do
        if request.path:find "/v2/runs/$" then times[#times + 1] = request.at end
      end
      for i, time in ipairs(times) do  -- those that came shortly before are still being answered
        local first = i
        while first > 1 and times[first - 1] > time - DELAY do first = first - 1 end
        most = math.max(most, i - first + 1)
      end
      assert.is_true(most > 1)
      assert.is_true(most <= 8)
    end)
  end)

  it("has no number for the optimiser without an evaluation", function()
    local found = assert(estimate("metric_reviews.process_feedbacks",
      { metric_id = 55, skip_evaluation = true }))
    assert.same({ exact = false, unknown_metrics = {} }, found)
  end)

  it("counts the test sets that the optimiser is given", function()
    local found = assert(estimate("metric_reviews.process_feedbacks",
      { metric_id = 55, test_set_ids = { LARGEST } }))
    assert.equal(0, found.evaluations)
  end)

  it("of a call that only reads is nothing", function()
    local found = assert(estimate("runs.get", { run_id = 5543 }))
    assert.same({ evaluations = 0, credits = 0, exact = true, unknown_metrics = {} }, found)
    assert.same({}, server:requests())
  end)

  -- ---- the price ----

  for name, row in pairs {
    ["a number"] = { 0.25, 0.5 }, ["an integer"] = { 3, 6 }, ["nothing"] = { 0, 0 },
    ["a decimal text"] = { "0.10", 0.2 }, ["a text of digits"] = { "2", 4 },
  } do
    it("accepts a price that is " .. name, function()
      list_price(row[1])
      local found = assert(estimate("calls.evaluate_metrics", CALLS))
      assert.same({}, found.unknown_metrics)
      is_near(row[2], found.credits)
    end)
  end

  for name, price in pairs {
    ["null"] = cekura.null, ["negative"] = -1, ["words"] = "free", ["empty"] = "", ["true"] = true,
    ["a list"] = { 1 }, ["a negative text"] = "-0.1", ["hexadecimal"] = "0x10", ["1e999"] = "1e999",
    ["enormous"] = 1e300, ["two points"] = "0.1.0", ["a comma"] = "0,1",
  } do
    it("assumes 0.2, and says so, if the price is " .. name, function()
      list_price(price)
      local found = assert(estimate("calls.evaluate_metrics", CALLS))
      assert.same({ 55 }, found.unknown_metrics)
      is_near(0.4, found.credits)
    end)
  end

  it("assumes 0.2 for a metric that the list does not have", function()
    list_metrics { { id = 57, metric_cost = 3 }, "?", { id = "x" } }
    local found = assert(estimate("results.evaluate_metrics", RESULT))
    assert.same({ 55 }, found.unknown_metrics)
    is_near(2 * 3 + 2 * 0.2, found.credits)
  end)

  it("distinguishes ids that are equal as floats", function()
    list_metrics(cekura.array {})
    local found = assert(estimate("calls.evaluate_metrics", { agent_id = 231, call_logs = { 70023 },
      metrics = { LARGEST, LARGEST - 1, ("%d"):format(LARGEST - 2) } }))
    assert.same({ LARGEST, LARGEST - 1, LARGEST - 2 }, found.unknown_metrics)
  end)

  it("reads the prices in the scope of the call", function()
    assert(estimate("calls.evaluate_metrics",
      { project_id = 456, call_logs = { 70023 }, metrics = { 55 } }))
    assert(estimate("results.evaluate_metrics", RESULT))
    local queries = {}
    for _, request in ipairs(server:requests()) do
      if request.path:find "/v2/metrics/" then queries[#queries + 1] = request.query end
    end
    assert.same({ "project_id=456", "agent_id=231" }, queries)
  end)

  it("reads no prices without a scope", function()
    server:faults { { path = "/v2/metrics/55/", status = 200, body = { id = 55, agents = {} } },
      { path = "/v2/runs/$", status = 200,
        body = { next = cekura.null, results = { { id = 1 } } } } }
    for name, arguments in pairs {
      ["metrics.run_reviews"] = { metric_id = 55 }, ["results.evaluate_metrics"] = RESULT,
    } do
      assert.equal(55, assert(estimate(name, arguments)).unknown_metrics[1])
    end
    for _, request in ipairs(server:requests()) do
      assert.is_nil(request.path:find "/v2/metrics/$")
    end
  end)

  for name, path in pairs {
    ["the runs"] = "/v2/runs/", ["the metrics"] = "/v2/metrics/",
  } do
    it("fails if " .. name .. " cannot be read", function()
      server:faults { { path = path, status = 403, times = 9 } }
      local none, problem = estimate("results.bulk_evaluate_metrics", BULK)
      assert.is_nil(none)
      assert.equal("permission", problem.kind)
    end)
  end

  -- ---- malformed responses ----

  local SHAPES = { "null", "7", '"x"', "true", "[]", "{}", "[null,7,{},[]]", '{"results":7}',
    '{"results":[null,7,"x",[],{}]}', '{"results":{"1":{}}}', '[{"id":55,"metric_cost":{}}]',
    '{"reviews":[7,{},{"test_set":7},{"expected_value":{}}],"agents":[null],"project":"x"}',
    '{"results":[{"id":{},"status":[],"agent":{}}]}', '{"reviews":7,"agents":7}' }

  local OF_RESULT = { ["results.bulk_evaluate_metrics"] = { result_ids = { 373 },
    metric_ids = { 55 } } }
  local OF_METRIC = {
    ["metric_reviews.process_feedbacks"] = { metric_id = 55, test_set_ids = { 1 } },
    ["metrics.run_reviews"] = { metric_id = 55 },
  }

  for path, calls in pairs {
    ["/v2/runs/$"] = OF_RESULT, ["/v2/results/373/"] = OF_RESULT, ["/v2/metrics/$"] = OF_RESULT,
    ["/v2/metrics/55/"] = OF_METRIC,
  } do
    it("raises nothing, whatever " .. path .. " returns", function()
      for _, keep_null in ipairs { false, true } do
        local other <close> = assert(cekura.new { api_url = server.url, api_key = server.api_key,
          keep_null = keep_null, max_attempts = 1 })
        for _, shape in ipairs(SHAPES) do
          server:faults { { path = path, status = 200, body = shape, times = 99 },
            { path = "/v2/runs/$", status = 200, body = '{"results":[]}', times = 99 } }
          for name, arguments in pairs(calls) do
            local found, problem = cekura.estimate(other, name, arguments)
            assert.is_true(found and math.type(found.evaluations) == "integer"
              or problem.kind == "response", shape)
          end
        end
      end
    end)
  end

  -- ---- its own arguments ----

  it("ignores the limits of the client, which are for the call", function()
    for _, name in ipairs { "max_evaluations", "spend_limit" } do
      local limited <close> = assert(cekura.new { api_url = server.url, api_key = server.api_key,
        [name] = 1 })
      local found = assert(cekura.estimate(limited, "results.evaluate_metrics", RESULT))
      assert.equal(4, found.evaluations)
      found = assert(cekura.estimate(limited, "metrics.run_reviews", { metric_id = 55 }))
      assert.is_true(found.evaluations > 1)
      local none, problem = cekura.estimate(limited, "metrics.run_reviews", { metric_id = "x" })
      assert.is_nil(none)
      assert.equal("validation", problem.kind)
    end
  end)

  it("works in tasks, several at once", function()
    local list = {}
    for i = 1, 3 do
      list[i] = assert(client:spawn(function()
        return cekura.estimate(client, "results.evaluate_metrics", RESULT)
      end))
    end
    for _, task in ipairs(list) do assert.equal(4, assert(task:wait()).evaluations) end
  end)

  it("is not a dry run of an item of each, whose journal records it as done", function()
    local path = scratch.path()
    local report = assert(client:each({ 1 }, function()
      return estimate("results.evaluate_metrics", RESULT)
    end, { journal = path, work = "w" }))
    assert.equal(1, report.ok)
    assert.matches(" done 1\n$", scratch.read(path))
  end)

  it("fails an item of each that returns nothing, if it is refused", function()
    local report = assert(client:each({ {}, RESULT }, function(arguments)
      estimate("results.evaluate_metrics", arguments)
    end))
    assert.same({ 1, 1 }, { report.ok, report.failed })
    assert.equal("validation", report.errors[1].error.kind)
  end)

  it("suggests the name of an endpoint", function()
    local none, problem = estimate("results.evaluate_metric", RESULT)
    assert.is_nil(none)
    assert.equal("validation", problem.kind)
    assert.matches('endpoint: is not a known one, did you mean "results.evaluate_metrics"%?',
      tostring(problem))
  end)

  for name, call in pairs {
    ["no client"] = function() cekura.estimate(nil, "results.evaluate_metrics", RESULT) end,
    ["a file"] = function() cekura.estimate(io.stdout, "results.evaluate_metrics", RESULT) end,
    ["a resource"] = function()
      cekura.estimate(client.results, "results.evaluate_metrics", RESULT)
    end,
    ["a colon"] = function() cekura:estimate(client, "results.evaluate_metrics", RESULT) end,
    ["no name"] = function() cekura.estimate(client, RESULT) end,
    ["no arguments"] = function() cekura.estimate(client, "results.evaluate_metrics") end,
  } do
    it("raises at the caller's line for " .. name, function()
      local _, message = pcall(call)
      assert.matches("^spec/api/estimate_spec.lua:%d+: estimate: ", message)
    end)
  end
end)
