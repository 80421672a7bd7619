--- Requests that the sandbox refuses, with the status and the body of the response.

local sandbox = require "cekura.sandbox"
local wire = require "support.wire"

local BULK, CALLS, EVALUATE, FEEDBACKS = wire.BULK, wire.CALLS, wire.EVALUATE, wire.FEEDBACKS
local GOOD_VOTE, METRIC, PROGRESS, RUN, VOTE =
  wire.GOOD_VOTE, wire.METRIC, wire.PROGRESS, wire.RUN, wire.VOTE
local send = wire.send
local EVALUATE_CALLS = "/observability/v1/call-logs/evaluate_metrics/"

describe("the sandbox", function()
  describe("refuses a request", function()
    local REQUIRED, NULL = "This field is required.", "This field may not be null."
    local INTEGER, STRING = "A valid integer is required.", "Not a valid string."
    local many = {}
    for i = 1, 101 do many[i] = i + 300 end
    local MANY = ('{"result_ids": [%s], "metric_ids": [55]}'):format(table.concat(many, ","))

    --- the request's fault, method, path, body, status, response
    local rows = {
      { "an unknown path", "GET", "/nothing/", nil, 404, { detail = "Not found." } },
      { "a path without its last slash", "POST", VOTE:sub(1, -2), GOOD_VOTE, 404,
        { detail = "Not found." } },
      { "an id that is not a number", "GET", "/test_framework/v2/runs/x/", nil, 404,
        { detail = "Not found." } },
      { "an id beyond 64 bits", "GET", "/test_framework/v2/runs/99999999999999999999/", nil, 404,
        { detail = "Not found." } },
      { "a method that the path does not have", "GET", VOTE, nil, 405,
        { detail = 'Method "GET" not allowed.' } },
      { "a body that is not JSON", "POST", VOTE, "{nope", 400, "JSON parse error %- " },
      { "an empty body", "POST", VOTE, "", 400, "JSON parse error %- " },
      { "a body that is a list", "POST", VOTE, "[1]", 400,
        { non_field_errors = { "Invalid data. Expected a dictionary, but got list." } } },
      { "missing fields", "POST", VOTE, "{}", 400,
        { metric_id = { REQUIRED }, thumbs_up = { REQUIRED }, expected_value = { REQUIRED } } },
      { "a string for an integer", "POST", VOTE,
        [[{"metric_id": "55", "thumbs_up": true, "expected_value": 1}]], 400,
        { metric_id = { INTEGER } } },
      { "a fraction for an integer", "POST", VOTE,
        [[{"metric_id": 5.5, "thumbs_up": true, "expected_value": 1}]], 400,
        { metric_id = { INTEGER } } },
      { "a number for a boolean", "POST", VOTE,
        [[{"metric_id": 55, "thumbs_up": 1, "expected_value": 1}]], 400,
        { thumbs_up = { "Must be a valid boolean." } } },
      { "a number for a string", "POST", VOTE,
        [[{"metric_id": 55, "thumbs_up": null, "expected_value": null, "feedback": 1}]], 400,
        { feedback = { STRING } } },
      { "null for a field that is not nullable", "POST", VOTE,
        [[{"metric_id": null, "thumbs_up": null, "expected_value": null}]], 400,
        { metric_id = { NULL } } },
      { "integers for string ids", "POST", EVALUATE, [[{"run_ids": [5544], "metric_ids": ["55"]}]],
        400, { run_ids = { "Item 0: " .. STRING } } },
      { "a string or an object for a list", "POST", EVALUATE,
        [[{"run_ids": "5544", "metric_ids": {"a": 1}}]], 400,
        { run_ids = { 'Expected a list of items but got type "str".' },
          metric_ids = { 'Expected a list of items but got type "dict".' } } },
      { "an empty list", "POST", EVALUATE, [[{"run_ids": [], "metric_ids": ["55"]}]], 400,
        { run_ids = { "This list may not be empty." } } },
      { "a list that is too long", "POST", BULK, MANY, 400,
        { result_ids = { "Ensure this field has no more than 100 elements." } } },
      { "an unknown choice", "POST", FEEDBACKS, [[{"metric_id": 55, "metric_type": "x"}]], 400,
        { metric_type = { '"x" is not a valid choice.' } } },
      { "an integer beyond 2^53", "POST", FEEDBACKS,
        [[{"metric_id": 55, "metric_type": 9007199254740993}]], 400,
        { metric_type = { '"9007199254740993" is not a valid choice.' } } },
      { "an integer beyond 64 bits", "POST", FEEDBACKS,
        [[{"metric_id": 55, "metric_type": 100000000000000000000}]], 400,
        { metric_type = { '"1e+20" is not a valid choice.' } } },
      { "neither agent nor project", "POST", EVALUATE_CALLS,
        [[{"call_logs": [1], "metrics": [55]}]], 400,
        { non_field_errors = { "Provide either agent_id or project_id." } } },
      { "both agent and project", "POST", EVALUATE_CALLS,
        [[{"agent_id": 231, "project_id": 14, "call_logs": [1], "metrics": [55]}]], 400,
        { non_field_errors = { "Provide either agent_id or project_id, not both." } } },
      { "an unknown run", "POST", "/test_framework/v1/runs/1/mark_metric_vote/", GOOD_VOTE, 404,
        { detail = "No Run matches the given query." } },
      { "a metric that has not been evaluated on the run", "POST", VOTE,
        [[{"metric_id": 57, "thumbs_up": true, "expected_value": 5}]], 400,
        { metric_id = { "Metric 57 has not been evaluated on this run." } } },
      { "a run of another result", "POST", EVALUATE,
        [[{"run_ids": ["5000"], "metric_ids": ["55"]}]], 400,
        { run_ids = { "Run 5000 does not belong to this result." } } },
      { "an unknown metric", "POST", EVALUATE, [[{"run_ids": ["5544"], "metric_ids": ["9"]}]], 400,
        { metric_ids = { 'Invalid pk "9" - object does not exist.' } } },
      { "a metric of another agent", "POST", BULK, [[{"result_ids": [303], "metric_ids": [55]}]],
        400, { metric_ids = { "Metric 55 does not belong to agent 224." } } },
      { "a metric without feedback", "POST", FEEDBACKS, [[{"metric_id": 57}]], 400,
        { metric_id = { "There is no feedback in this metric's Lab yet." } } },
      { "an unknown job", "GET", PROGRESS .. "x", nil, 404, { detail = "Not found." } },
      { "a query without a required field", "GET", "/test_framework/v2/runs/bulk/", nil, 400,
        { run_ids = { REQUIRED } } },
      { "a word in a list of a query", "GET", "/test_framework/v2/runs/bulk/?run_ids=1,x",
        nil, 400, { run_ids = { "Item 1: " .. INTEGER } } },
      { "brackets around a list of a query", "GET", "/test_framework/v2/runs/bulk/?run_ids=[1,2]",
        nil, 400, { run_ids = { "Item 0: " .. INTEGER } } },
      { "a word for an id in a query", "GET", CALLS .. "?agent_id=x", nil, 400,
        { agent_id = { INTEGER } } },
      { "an empty text in a query", "GET", CALLS .. "?assistant_id=", nil, 400,
        { assistant_id = { "This field may not be blank." } } },
      { "a filter that is not JSON", "GET", CALLS .. "?filters_v2=x", nil, 400, true },
      { "a filter that is not an object", "GET", CALLS .. "?filters_v2=[]", nil, 400, true },
      { "a filter by an unknown field", "GET", CALLS .. '?filters_v2={"field":"x","op":"eq"}', nil,
        400, { filters_v2 = { 'The sandbox does not filter by "x".' } } },
      { "a filter operator that the documents do not show", "GET",
        CALLS .. '?filters_v2={"field":"success","op":"like"}', nil, 400,
        { filters_v2 = { 'The operator "like" is not supported.' } } },
      { "a malformed group of filters", "GET",
        CALLS .. '?filters_v2={"operator":"not","conditions":[]}', nil, 400,
        { filters_v2 = { 'Expected {"operator": "and" or "or", "conditions": [...]}.' } } },
      { "an unknown agent", "PATCH", METRIC, '{"agents": [1]}', 400,
        { agents = { 'Invalid pk "1" - object does not exist.' } } },
      { "an update of the wrong type", "PATCH", METRIC, '{"name": 5, "enum_values": {"a": 1}}', 400,
        { name = { STRING },
          enum_values = { 'Expected a list of items but got type "dict".' } } },
      { "objects in a list with problems", "POST", "/test_framework/test-sets/create_from_run/",
        '{"run_id": 5544, "metrics": [{"metric": 55}, {}, 5, {"metric": "55", "feedback": 1}]}',
        400, { metrics = { {}, { metric = { REQUIRED } },
          { non_field_errors = { "Invalid data. Expected a dictionary, but got int." } },
          { metric = { INTEGER }, feedback = { STRING } } } } },
      { "an empty list of objects", "POST", "/test_framework/test-sets/create_from_run/",
        '{"run_id": 5544, "metrics": []}', 400,
        { metrics = { "This list may not be empty." } } },
      { "a page beyond the last", "GET", "/test_framework/v2/results/?page=99", nil, 404,
        { detail = "Invalid page." } },
    }

    local shared
    setup(function() shared = sandbox.start() end)
    teardown(function() shared:stop() end)

    for _, row in ipairs(rows) do
      local what, method, path, body, status, expected = table.unpack(row, 1, 6)
      it("with " .. what, function()
        local response = send(shared, method, path, body)
        assert.equal(status, response.status)
        if expected == true then
          assert.is_string(response.body.filters_v2[1])
        elseif type(expected) == "string" then
          assert.matches(expected, response.body.detail)
        else
          assert.same(expected, response.body)
        end
      end)
    end

    it("with a wrong key or none", function()
      local wrong = send(shared, "GET", RUN, nil, { ["X-CEKURA-API-KEY"] = "wrong" })
      assert.equal(401, wrong.status)
      assert.same({ detail = "Invalid API key." }, wrong.body)
      local none = send(shared, "GET", RUN, nil, { ["X-CEKURA-API-KEY"] = "" })
      assert.equal(401, none.status)
      assert.same({ detail = "Authentication credentials were not provided." }, none.body)
    end)

    it("with another media type", function()
      local response = send(shared, "POST", VOTE, "a=1", { ["Content-Type"] = "text/plain" })
      assert.equal(415, response.status)
      assert.same({ detail = 'Unsupported media type "text/plain" in request.' }, response.body)
    end)

    it("and changes nothing", function()
      assert.equal(0, #shared:state "votes")
      assert.equal(0, #shared:state "jobs")
      assert.equal(10000, shared:state "balance".remaining)
    end)
  end)
end)
