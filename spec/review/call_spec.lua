-- cekura-review call: any endpoint, with its arguments as words.

local Review = require "support.review"
local json = require "cjson".new()

-- Runs it against a sandbox that answers the next request with this JSON.
local function answered(body, ...)
  local review <close> = Review.new("call", { faults = { { status = 200, body = body } } })
  return review:run(...)
end

-- Returns the body that would be sent.
local function body_of(...)
  local review <close> = Review.new "call"
  local output, errors, code = review:run(...)
  assert.equal(0, code, errors)
  assert.same({}, review:sent())
  return json.decode(output).request.body
end

describe("cekura-review call", function()
  it("prints the value of the response as JSON, and nothing else", function()
    local review <close> = Review.new "call"
    local output, errors, code = review:run("runs.get", "run_id=5544")
    assert.equal("", errors)
    assert.equal(0, code)
    assert.equal(5544, json.decode(output).id)
    assert.matches("^[^\n]+\n$", output)
  end)

  it("keeps nulls, empty lists and large whole numbers", function()
    local text = '{"big":9007199254740993,"list":[],"none":null,"object":{},"text":"[]"}'
    local output = answered(text, "metrics.get", "metric_id=55")
    assert.equal(text .. "\n", output)
    output = answered(text, "metrics.get", "metric_id=55", "--json")
    assert.equal('{"command":"call","exit_code":0,"value":' .. text .. "}\n", output)
  end)

  it("sends the arguments as the endpoint's fields need them", function()
    assert.equal('{"metric_id":55,"thumbs_up":false,"expected_value":2,"feedback":"a=b, 5"}',
      body_of("runs.mark_metric_vote", "run_id=5544", "metric_id=55", "thumbs_up=false",
        "expected_value=2", "feedback=a=b, 5", "--dry-run", "--json"))
    assert.equal('{"metric_id":55,"thumbs_up":null,"expected_value":"2","feedback":"null"}',
      body_of("runs.mark_metric_vote", "run_id=5544", "metric_id=55", "thumbs_up=null",
        'expected_value="2"', 'feedback:="null"', "--dry-run", "--json"))
    assert.equal('{"run_id":9007199254740993,"metrics":[{"metric":55,"expected_value":[]}]}',
      body_of("test_sets.create_from_run", "run_id=9007199254740993",
        'metrics=[{"metric": 55, "expected_value": []}]', "--dry-run", "--json"))
    assert.equal('{"name":"","ewma_alpha":0.5}', body_of("metrics.update", "metric_id=55",
      "name=", "ewma_alpha=0.5", "--dry-run", "--json"))
  end)

  it("sends a filter as JSON, and lists with commas", function()
    local review <close> = Review.new "call"
    local output, errors, code = review:run("calls.list", "agent_id=231", "page_size=2",
      'filters_v2={"field": "success", "op": "eq", "value": true}')
    assert.equal(0, code, errors)
    for _, log in ipairs(json.decode(output).results) do assert.is_true(log.success) end
    output, errors, code = review:run("runs.bulk", "run_ids=5544, 5545")
    assert.equal(0, code, errors)
    assert.equal(2, #json.decode(output))
  end)

  it("sends nothing from the environment except the key", function()
    local review <close> = Review.new "call"
    review.environment.CEKURA_AGENT_ID, review.environment.CEKURA_PROJECT_ID = "231", "14"
    local _, errors, code = review:run("results.list", "page_size=1")
    assert.equal(0, code, errors)
    assert.equal("page_size=1", review.server:requests()[1].query)
  end)

  it("reads all pages with --all, or prints nothing", function()
    local review <close> = Review.new "call"
    local output, errors, code = review:run("results.list", "agent_id=232", "page_size=20", "--all")
    assert.equal(0, code, errors)
    local results = json.decode(output)
    assert.is_true(#results > 20)
    review.server:faults { { path = "/v2/results/", skip = 1, times = math.huge, status = 403,
      body = "{}" } }
    output, errors, code = review:run("results.list", "agent_id=232", "page_size=20", "--all")
    assert.equal("", output)
    assert.matches("status 403", errors)
    assert.equal(1, code)
  end)

  it("shows the cost of an endpoint that spends, and calls it with --apply only", function()
    local review <close> = Review.new "call"
    local words = { "results.evaluate_metrics", "result_id=373", "run_ids=5543,5544",
      "metric_ids=55" }
    local output, errors, code = review:run(table.unpack(words))
    assert.equal("", output)
    assert.matches("Estimate: 2 metric evaluations", errors)
    assert.matches("POST http[^\n]*/v1/results/373/evaluate_metrics/\n{[^\n]*}\n", errors)
    assert.matches("Nothing was sent: %-%-apply does it.\n$", errors)
    assert.equal(0, code)
    assert.same({}, review:sent())
    words[5] = "--apply"
    output, errors, code = review:run(table.unpack(words))
    assert.equal("running", json.decode(output).status)
    assert.matches("Spent: 2 metric evaluations.\n$", errors)
    assert.equal(0, code)
    assert.equal(1, #review:changes())
    words[6], words[7] = "--max-evaluations", "1"
    output, errors, code = review:run(table.unpack(words))
    assert.equal("", output)
    assert.matches("2 evaluations are more than %-%-max%-evaluations 1", errors)
    assert.equal(2, code)
    assert.equal(1, #review:changes())
  end)

  it("says that a call of unknown cost was sent, also if Ctrl-C ends it", function()
    local review <close> = Review.new "call"
    local words = { "metric_reviews.process_feedbacks", "metric_id=55", "--apply" }
    local _, errors, code = review:run(table.unpack(words))
    assert.matches("\nSpent: 1 call of unknown cost%.\n$", errors)
    assert.equal(0, code)
    review.server:faults { { method = "POST", delay = 60 } }
    review.server:clear()
    local process = review:start(table.unpack(words))
    review:await_requests "POST"
    process:signal "INT"
    local output
    output, code = process:finish()
    assert.matches("\nSpent: nothing; unknown: 1 call of unknown cost%.\n$", output)
    assert.equal(130, code)
  end)

  it("reports the problems of the arguments, and the nearest name", function()
    local review <close> = Review.new "call"
    for _, case in ipairs {
      { 'no endpoint "runs.gte", did you mean "runs.get"', "runs.gte", "run_id=5544" },
      { "which endpoint", nil },
      { 'unknown field, did you mean "run_id"', "runs.get", "runid=5544" },
      { 'run_id: must be an id', "runs.get", "run_id=55x" },
      { "'5544' is not NAME=VALUE", "runs.get", "5544" },
      { "run_id is given twice", "runs.get", "run_id=1", "run_id=2" },
      { "metrics: is not JSON", "test_sets.create_from_run", "run_id=1", "metrics=[{]" },
      { "runs.get has no pages", "runs.get", "run_id=1", "--all" },
    } do
      local output, errors, code = review:run(table.unpack(case, 2))
      assert.equal("", output)
      assert.is_truthy(errors:find(case[1], 1, true), errors)
      assert.matches("^[^\n]+\n$", errors)
      assert.equal(2, code)
    end
    assert.same({}, review.server:requests())
  end)

  it("reports what the server says of a field", function()
    local output, errors, code = (function()
      local review <close> = Review.new("call", { faults = { {
        path = "/metrics/55", status = 400, body = { name = { "is taken" } },
      } } })
      return review:run("metrics.update", "metric_id=55", "name=x", "--json")
    end)()
    assert.matches("name: is taken", errors)
    assert.matches("name: is taken", json.decode(output).error)
    assert.equal(1, code)
  end)

  it("lists all endpoints", function()
    local review <close> = Review.new "call"
    local output = review:run("--list", "--json")
    local count = 0
    for _, endpoint in ipairs(json.decode(output).endpoints) do
      count = count + 1
      if endpoint.name == "runs.get" then assert.is_false(endpoint.spends_credits) end
    end
    assert.equal(#require "cekura".endpoints, count)
    assert.matches("\nresults.evaluate_metrics %(spends credits%)\n", (review:run "--list"))
    local _, errors, code = review:run("runs.get", "--list")
    assert.matches("%-%-list calls no endpoint", errors)
    assert.equal(2, code)
  end)
end)
