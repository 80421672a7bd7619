--- What a client on the wire sees of the sandbox. The client here is curl, so that nothing of this
--- project stands on both sides.

local child = require "support.child"
local cjson = require "cjson"
local locale = require "support.locale"
local scratch = require "support.scratch"
local script = require "support.script"
local sandbox = require "cekura.sandbox"

local VOTE = "/test_framework/v1/runs/5544/mark_metric_vote/"
local RUN = "/test_framework/v1/runs/5544/"
local EVALUATE = "/test_framework/v1/results/373/evaluate_metrics/"
local BULK = "/test_framework/v1/results/bulk_evaluate_metrics/"
local CALLS = "/observability/v1/call-logs/"
local EVALUATE_CALLS = CALLS .. "evaluate_metrics/"
local FEEDBACKS = "/test_framework/metric-reviews/process_feedbacks/"
local PROGRESS = "/test_framework/metric-reviews/process_feedbacks_progress/?progress_id="
local METRIC = "/test_framework/v1/metrics/55/"
local BILLING = "/test_framework/billing/info/"

local GOOD_VOTE = [[{"metric_id": 55, "thumbs_up": false, "expected_value": 2, "feedback": "x"}]]

local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

--- What curl prints for `arguments`; on a sanitizer's build, it runs without that.
local function curl(...)
  local words = { "env -u LD_PRELOAD curl -s -S -m 120" }
  for _, word in ipairs { ... } do words[#words + 1] = quote(word) end
  local pipe <close> = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  return pipe:read "a"
end

--- Decodes the body of an answer when somebody asks for it.
local DECODED = {
  __index = function(answer, name)
    if name ~= "body" then return nil end
    answer.body = cjson.decode(answer.text)
    return answer.body
  end,
}

--- An answer as { status, headers (lower-case names), text, body (the JSON value of the text) }.
local function parse(output)
  local head, text = output:match "^(.-)\r\n\r\n(.*)$"
  if not head then return { failure = output } end
  local answer = { status = tonumber(head:match "^HTTP/1.1 (%d+)"), headers = {}, text = text }
  for name, value in head:gmatch "\n([^:\r\n]+): ([^\r\n]*)" do
    answer.headers[name:lower()] = value
  end
  return setmetatable(answer, DECODED)
end

--- Sends one request. `body` is text; a header that is named replaces the usual one.
local function send(server, method, path, body, headers)
  local all = { ["X-CEKURA-API-KEY"] = server.api_key, ["Content-Type"] = "application/json" }
  for name, value in pairs(headers or {}) do all[name] = value end
  local words = { "-i", "-g", "-X", method, server.url .. path }
  for name, value in pairs(all) do
    words[#words + 1] = "-H"
    words[#words + 1] = value == "" and name .. ":" or name .. ": " .. value -- without: none
  end
  if body then words[#words + 1], words[#words + 2] = "--data-binary", body end
  return parse(curl(table.unpack(words)))
end

local function get(server, path) return send(server, "GET", path) end
local function post(server, path, body) return send(server, "POST", path, body) end

--- How much longer everything may take under a sanitizer or valgrind.
local PATIENCE = (os.getenv "CEKURA_RUN" or "") == "" and 1 or 6

--- Polls read() until it returns something true, at most for some seconds.
local function eventually(read)
  local deadline = os.time() + 5 * PATIENCE
  repeat
    local value = read()
    if value then return value end
  until os.time() > deadline
  error "it did not happen in time"
end

local function keys_of(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  return keys
end

--- What `metric_id` says in the list of metrics of a run or a call log.
local function metric_of(call, metric_id)
  for _, metric in ipairs(call.evaluation.metrics) do
    if metric.id == metric_id then return metric end
  end
end

describe("the sandbox", function()
  local server

  local function start(options)
    server = sandbox.start(options)
    return server
  end

  after_each(function()
    if server then server:stop() end
    server = nil
  end)

  describe("answers a bad request", function()
    local REQUIRED, NULL = "This field is required.", "This field may not be null."
    local INTEGER, STRING = "A valid integer is required.", "Not a valid string."
    local many = {}
    for i = 1, 101 do many[i] = i + 300 end
    local MANY = ('{"result_ids": [%s], "metric_ids": [55]}'):format(table.concat(many, ","))

    --- what it is about, method, path, body, status, answer
    local rows = {
      { "an unknown path", "GET", "/nothing/", nil, 404, { detail = "Not found." } },
      { "a path without its last slash", "POST", VOTE:sub(1, -2), GOOD_VOTE, 404,
        { detail = "Not found." } },
      { "an id that is none", "GET", "/test_framework/v1/runs/x/", nil, 404,
        { detail = "Not found." } },
      { "an id beyond 64 bits", "GET", "/test_framework/v1/runs/99999999999999999999/", nil, 404,
        { detail = "Not found." } },
      { "a method that is not there", "GET", VOTE, nil, 405,
        { detail = 'Method "GET" not allowed.' } },
      { "a body that is no JSON", "POST", VOTE, "{nope", 400, "JSON parse error %- " },
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
      { "null where it may not be", "POST", VOTE,
        [[{"metric_id": null, "thumbs_up": null, "expected_value": null}]], 400,
        { metric_id = { NULL } } },
      { "integers for string ids", "POST", EVALUATE, [[{"run_ids": [5544], "metric_ids": ["55"]}]],
        400, { run_ids = { "Item 0: " .. STRING } } },
      { "a list that is none", "POST", EVALUATE, [[{"run_ids": "5544", "metric_ids": {"a": 1}}]],
        400, { run_ids = { 'Expected a list of items but got type "str".' },
          metric_ids = { 'Expected a list of items but got type "dict".' } } },
      { "an empty list", "POST", EVALUATE, [[{"run_ids": [], "metric_ids": ["55"]}]], 400,
        { run_ids = { "This list may not be empty." } } },
      { "a list that is too long", "POST", BULK, MANY, 400,
        { result_ids = { "Ensure this field has no more than 100 elements." } } },
      { "a choice that is none", "POST", FEEDBACKS, [[{"metric_id": 55, "metric_type": "x"}]], 400,
        { metric_type = { '"x" is not a valid choice.' } } },
      { "neither agent nor project", "POST", EVALUATE_CALLS,
        [[{"call_logs": [1], "metrics": [55]}]], 400,
        { non_field_errors = { "Provide either agent_id or project_id." } } },
      { "both agent and project", "POST", EVALUATE_CALLS,
        [[{"agent_id": 231, "project_id": 14, "call_logs": [1], "metrics": [55]}]], 400,
        { non_field_errors = { "Provide either agent_id or project_id, not both." } } },
      { "an unknown run", "POST", "/test_framework/v1/runs/1/mark_metric_vote/", GOOD_VOTE, 404,
        { detail = "No Run matches the given query." } },
      { "a metric that did not run there", "POST", VOTE,
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
        { metric_id = { "There is no feedback on this metric yet." } } },
      { "an unknown job", "GET", PROGRESS .. "x", nil, 404, { detail = "Not found." } },
      { "a query without what it must have", "GET", "/test_framework/v1/runs/bulk/", nil, 400,
        { run_ids = { REQUIRED } } },
      { "a list in a query with a name in it", "GET", "/test_framework/v1/runs/bulk/?run_ids=1,x",
        nil, 400, { run_ids = { "Item 1: " .. INTEGER } } },
      { "a list in a query in brackets", "GET", "/test_framework/v1/runs/bulk/?run_ids=[1,2]", nil,
        400, { run_ids = { "Item 0: " .. INTEGER } } },
      { "a word for an id in a query", "GET", CALLS .. "?agent_id=x", nil, 400,
        { agent_id = { INTEGER } } },
      { "an empty query that may not be", "GET", CALLS .. "?assistant_id=", nil, 400,
        { assistant_id = { "This field may not be blank." } } },
      { "a filter that is no JSON", "GET", CALLS .. "?filters_v2=x", nil, 400, true },
      { "a filter that is no object", "GET", CALLS .. "?filters_v2=[]", nil, 400, true },
      { "a filter by what there is not", "GET", CALLS .. '?filters_v2={"field":"x","op":"eq"}', nil,
        400, { filters_v2 = { 'The sandbox does not filter by "x".' } } },
      { "a filter that the documents do not show", "GET",
        CALLS .. '?filters_v2={"field":"success","op":"like"}', nil, 400,
        { filters_v2 = { 'The sandbox knows the operators eq and gte, not "like".' } } },
      { "a group of filters that is none", "GET",
        CALLS .. '?filters_v2={"operator":"not","conditions":[]}', nil, 400,
        { filters_v2 = { 'Expected {"operator": "and" or "or", "conditions": [...]}.' } } },
      { "an agent that there is not", "PATCH", METRIC, '{"agents": [1]}', 400,
        { agents = { 'Invalid pk "1" - object does not exist.' } } },
      { "an update of the wrong type", "PATCH", METRIC, '{"name": 5, "configuration": [1]}', 400,
        { name = { STRING },
          configuration = { 'Expected a dictionary of items but got type "list".' } } },
      { "a page beyond the last", "GET", "/test_framework/v1/results/?page=99", nil, 404,
        { detail = "Invalid page." } },
    }

    local shared
    setup(function() shared = sandbox.start() end)
    teardown(function() shared:stop() end)

    for _, row in ipairs(rows) do
      local what, method, path, body, status, expected = table.unpack(row, 1, 6)
      it("about " .. what, function()
        local answer = send(shared, method, path, body)
        assert.equal(status, answer.status)
        if expected == true then
          assert.is_string(answer.body.filters_v2[1])
        elseif type(expected) == "string" then
          assert.matches(expected, answer.body.detail)
        else
          assert.same(expected, answer.body)
        end
      end)
    end

    it("with a wrong key, or none", function()
      local wrong = send(shared, "GET", RUN, nil, { ["X-CEKURA-API-KEY"] = "wrong" })
      assert.equal(401, wrong.status)
      assert.same({ detail = "Invalid API key." }, wrong.body)
      local none = send(shared, "GET", RUN, nil, { ["X-CEKURA-API-KEY"] = "" })
      assert.equal(401, none.status)
      assert.same({ detail = "Authentication credentials were not provided." }, none.body)
    end)

    it("of another media type", function()
      local answer = send(shared, "POST", VOTE, "a=1", { ["Content-Type"] = "text/plain" })
      assert.equal(415, answer.status)
      assert.same({ detail = 'Unsupported media type "text/plain" in request.' }, answer.body)
    end)

    it("and none of that has changed anything", function()
      assert.equal(0, #shared:state "votes")
      assert.equal(0, #shared:state "jobs")
      assert.equal(10000, shared:state "balance".remaining)
    end)
  end)

  describe("takes a vote", function()
    it("on a run, which is then reviewed", function()
      start()
      local before = get(server, RUN).body
      assert.is_false(before.is_reviewed)
      assert.equal("success", before.evaluation_status)
      assert.equal(3, metric_of(before, 55).score)

      local answer = post(server, VOTE, GOOD_VOTE)
      assert.equal(200, answer.status)
      assert.equal('{"success":true}', answer.text)

      local after = get(server, RUN).body
      assert.is_true(after.is_reviewed)
      assert.equal("reviewed_failure", after.evaluation_status)
      local metric = metric_of(after, 55)
      assert.same({ 3, 2, "x", false },
        { metric.score, metric.expected_value, metric.feedback, metric.thumbs_up })
      local vote = server:state "votes"[1]
      assert.same({ "run", 5544, 55 }, { vote.kind, vote.id, vote.metric_id })
    end)

    it("with null for everything that may be", function()
      start()
      local answer = post(server, VOTE,
        [[{"metric_id": 55, "thumbs_up": null, "expected_value": null, "feedback": null}]])
      assert.equal(200, answer.status)
      assert.is_true(server:state("runs", 5544).is_reviewed)
    end)

    it("on a call log", function()
      start()
      local id = get(server, CALLS .. "?agent_id=231&page_size=1").body.results[1].id
      local path = CALLS .. ("%d/"):format(id)
      local answer = post(server, path .. "mark_metric_vote/", GOOD_VOTE)
      assert.equal(200, answer.status)
      assert.is_string(answer.body.detail)
      local log = get(server, path).body
      assert.is_true(log.is_reviewed)
      assert.equal(2, metric_of(log, 55).expected_value)
    end)
  end)

  describe("evaluates", function()
    it("a result, which runs for a while and has new values then", function()
      start { evaluation_time = 0.3 * PATIENCE }
      local path = "/test_framework/v1/results/373/"
      local old = get(server, path).body
      local answer = post(server, EVALUATE, [[{"run_ids": ["5544", "5545"], "metric_ids": ["57"]}]])
      assert.equal(200, answer.status)
      assert.equal("running", answer.body.status)
      assert.equal(6, answer.body.total_runs_count)
      assert.equal(5540, answer.body.runs[1].id)
      assert.equal("evaluating", get(server, RUN).body.status)
      assert.equal(9998, server:state "balance".remaining)

      local new = eventually(function()
        local result = get(server, path).body
        return result.status == "completed" and result
      end)
      assert.is_nil(metric_of(old.runs["5544"], 57))
      assert.is_number(metric_of(new.runs["5544"], 57).score)
      assert.is_nil(metric_of(new.runs["5543"], 57))
      assert.is_true(new.updated_at > old.updated_at)
      assert.equal("completed", new.runs["5544"].status)
    end)

    it("a hundred results at once, and says nothing", function()
      start { evaluation_time = 0.5 * PATIENCE }
      local ids = {}
      local page = get(server, "/test_framework/v1/results/?project_id=14&page_size=100").text
      for id in page:gmatch '"id":(%d+),"is_cronjob"' do ids[#ids + 1] = id end
      assert.equal(100, #ids)
      local body = ('{"result_ids": [%s], "metric_ids": [55]}'):format(table.concat(ids, ","))
      local answer = post(server, BULK, body)
      assert.equal(200, answer.status)
      assert.equal("", answer.text)
      assert.equal("0", answer.headers["content-length"])
      assert.equal("running", server:state("results", tonumber(ids[100])).status)
      eventually(function()
        return server:state("results", tonumber(ids[100])).status == "completed"
      end)
      assert.equal(100, #server:state "jobs")
      assert.is_true(server:state "balance".used >= 500)
    end)

    it("call logs, and answers with how they were before", function()
      start { evaluation_time = 0.1 }
      local list = get(server, CALLS .. "?agent_id=231&page_size=2").body.results
      local body = ('{"agent_id": 231, "call_logs": [%d, %d], "metrics": [57]}'):format(list[1].id,
        list[2].id)
      local answer = post(server, EVALUATE_CALLS, body)
      assert.equal(200, answer.status)
      assert.same(list, answer.body)
      local log = eventually(function()
        local now = get(server, CALLS .. ("%d/"):format(list[1].id)).body
        return metric_of(now, 57) and now
      end)
      assert.is_true(log.updated_at > list[1].updated_at)
      assert.equal(2, server:state "balance".used)
    end)

    it("nothing that the balance does not pay for", function()
      start { balance = 1 }
      local answer = post(server, EVALUATE, [[{"run_ids": ["5544"], "metric_ids": ["55", "56"]}]])
      assert.equal(400, answer.status)
      assert.same({ detail = "Insufficient credits: this needs 2.00, and 1.00 remain." },
        answer.body)
      assert.equal(1, get(server, BILLING).body.credits_remaining)
      assert.equal(0, #server:state "jobs")
    end)
  end)

  describe("improves a metric", function()
    it("from feedback, and the better one errs less once it has been saved", function()
      start { evaluation_time = PATIENCE }
      post(server, VOTE, GOOD_VOTE)
      local job = post(server, FEEDBACKS, [[{"metric_id": 55}]]).body
      local first = get(server, PROGRESS .. job.progress_id).body
      assert.equal("in_progress", first.status)
      assert.is_nil(first.improved_metric_description)

      local done = eventually(function()
        local progress = get(server, PROGRESS .. job.progress_id).body
        return progress.improved_metric_description and progress
      end)
      assert.matches("missed the reschedule step", done.improved_metric_description)
      assert.is_true(done.new_score.score > done.old_score.score)
      assert.equal(done.new_score.num_total, #done.review_results)

      local body = cjson.encode { description = done.improved_metric_description }
      local saved = send(server, "PATCH", "/test_framework/v1/metrics/55/", body)
      assert.equal(200, saved.status)
      assert.equal(done.improved_metric_description, saved.body.description)
      assert.is_true(server:state("metrics", 55).improved)
    end)

    it("and refuses a look from another project", function()
      start()
      local job = post(server, FEEDBACKS, [[{"metric_id": 55}]]).body
      local path = PROGRESS .. job.progress_id
      assert.equal(403, get(server, path .. "&project_id=12").status)
      assert.equal(200, get(server, path .. "&project_id=14").status)
    end)

    it("which a person can look up by number and by slug, with its reviews", function()
      start()
      local metric = get(server, "/test_framework/v1/metrics/call_outcome/").body
      assert.equal(52, metric.id)
      assert.same({ "confirmed", "rescheduled", "cancelled", "unresolved" }, metric.enum_values)
      local disagreements = 0
      for _, review in ipairs(metric.reviews) do
        if review.expected_value ~= review.actual_value then disagreements = disagreements + 1 end
      end
      assert.is_true(disagreements >= 6)
      assert.is_string(metric.reviews[1].test_set.transcript)
    end)
  end)

  describe("lists", function()
    it("results a page at a time, to the last", function()
      start()
      local path, seen = "/test_framework/v1/results/?project_id=14&page_size=50", 0
      repeat
        local page = get(server, path).text
        local _, results = page:gsub('"is_cronjob"', "")
        seen = seen + results
        assert.matches('^{"count":112,', page)
        path = page:match '"next":"http://127.0.0.1:%d+([^"]*)"'
      until not path
      assert.equal(112, seen)
    end)

    it("call logs of the last 30 days, or of the time that is asked for", function()
      start()
      local month = get(server, CALLS .. "?page_size=1").body.count
      local all = get(server, CALLS .. "?page_size=1&timestamp_from=2000-01-01T00:00:00Z").body
      assert.equal(320, all.count)
      assert.is_true(month > 100 and month < 320)
      assert.equal(0, get(server, CALLS .. "?timestamp_to=2000-01-01").body.count)
    end)

    it("call logs from a moment on, whatever zone it is told in", function()
      start()
      local log = get(server, CALLS .. "?page_size=1").body.results[1]
      local day, hour, rest = log.timestamp:match "^(.-T)(%d%d)(:%d%d:%d%d)"
      local function count(h, zone)
        return get(server, ("%s?page_size=1&timestamp_from=%s%02d%s%s"):format(CALLS, day, h, rest,
          zone)).body.count
      end
      local ahead = (hour + 0) < 12  -- so that it stays the same day
      local all = count(hour, "Z")
      assert.equal(all, count(hour + (ahead and 2 or -2), ahead and "%2B02:00" or "-02:00"))
      assert.is_true(all < count(0, "%2B14:00"))
    end)

    it("call logs that pass a filter", function()
      start()
      local function count(filter)
        local query = filter and "&filters_v2=" .. filter:gsub(" ", "") or ""
        return get(server, CALLS .. "?page_size=1&timestamp_from=2000-01-01T00:00:00Z" .. query)
          .body.count
      end
      local GOOD = '{"field": "success", "op": "eq", "value": true}'
      local NONE = '{"field": "success", "op": "eq", "value": null}'
      local LONG = '{"field": "duration", "op": "gte", "value": 40}'
      local function both(operator)
        return count(('{"operator": "%s", "conditions": [%s, %s]}'):format(operator, GOOD, LONG))
      end
      local good, long = count(GOOD), count(LONG)
      assert.is_true(good > 0 and long > 0 and count(NONE) > 0 and good + count(NONE) < count())
      assert.is_true(both "and" < good and both "and" < long)
      assert.equal(good + long, both "and" + both "or")
      local ANY = '{"field": "id", "op": "gte", "value": 0}'
      assert.equal(count(), count('{"operator": "and", "conditions": [' .. ANY .. "]}"))
    end)

    it("metrics without a moment of change, as the documents have them", function()
      start()
      assert.is_nil(get(server, METRIC).body.updated_at)
      assert.is_number(server:state("metrics", 55).updated_at)
    end)

    it("an update only of what an update can change", function()
      start()
      local answer = send(server, "PATCH", METRIC, '{"agents": [232], "project": 12}')
      assert.same({ 200, 14, 232, 1 },
        { answer.status, answer.body.project, answer.body.agents[1], #answer.body.agents })
      assert.equal(200, send(server, "PATCH", METRIC, "{}").status)
    end)

    it("some that nobody has judged yet, with null", function()
      start()
      local page = get(server, CALLS .. "?page_size=100").text
      assert.matches('"success":null', page)
      assert.matches('"metrics":%[%]', page)
    end)

    it("runs by their ids", function()
      start()
      local runs = get(server, "/test_framework/v1/runs/bulk/?run_ids=5545,5544").body
      assert.same({ 5545, 5544 }, { runs[1].id, runs[2].id })
      assert.equal(400, get(server, "/test_framework/v1/runs/bulk/?run_ids=%5B1%5D").status)
    end)

    it("the same data for the same seed", function()
      start { seed = 7, now = 1700000000 }
      local path = "/test_framework/v1/runs/5600/"
      local first = get(server, path).text
      server:stop()
      start { seed = 7, now = 1700000000 }
      assert.equal(first, get(server, path).text)
      server:stop()
      start { seed = 8, now = 1700000000 }
      assert.are_not.equal(first, get(server, path).text)
    end)
  end)

  describe("misbehaves where a rule says so:", function()
    it("status, headers and body, as often as `times` says, after `skip`", function()
      start { faults = { { path = "billing", skip = 1, times = 2, status = 503,
        headers = { ["Retry-After"] = "7" }, body = { wrong = true } } } }
      local seen = {}
      for i = 1, 4 do seen[i] = get(server, BILLING).status end
      assert.same({ 200, 503, 503, 200 }, seen)
      server:faults { { path = "billing", status = 503, headers = { ["Retry-After"] = "7" },
        body = { wrong = true } } }
      local answer = get(server, BILLING)
      assert.equal("7", answer.headers["retry-after"])
      assert.equal('{"wrong":true}', answer.text)
    end)

    local LIST = "/observability/v1/call-logs/?page_size=1"

    --- A path as a rule has it, and one that it fits.
    for path, target in pairs {
      ["/call-logs/"] = LIST,
      ["/observability/v1/call-logs/"] = LIST,
      ["call-logs"] = LIST,
      ["/call%-logs/$"] = LIST,
      ["^/observability/.-/call.logs/$"] = LIST,
      ["5544/mark_metric_vote/"] = VOTE,
      ["/runs/%d+/mark"] = VOTE,
      ["/runs/(%d)%1"] = VOTE,
      ["/metrics/call_outcome/"] = "/test_framework/v1/metrics/call_outcome/",
      ["call_outcome"] = "/test_framework/v1/metrics/call_outcome/",
      ["/metrics/a%20b/"] = "/test_framework/v1/metrics/a%20b/",
      ["/metrics/a%C3%A9/"] = "/test_framework/v1/metrics/a%C3%A9/",
    } do
      it("a path is read as text and as a pattern: " .. path, function()
        start { faults = { { path = path, status = 503 } } }
        assert.equal(503, get(server, target).status)
        assert.same({ { times_applied = 1 } }, server:state "faults")
      end)
    end

    it("an answer for an endpoint that the sandbox does not know", function()
      start { faults = { { path = "/v2/widgets/", status = 404, body = { id = 1 } },
        { method = "DELETE", path = "/v2/widgets/", status = 204 } } }
      assert.equal('{"id":1}', get(server, "/v2/widgets/").text)
      assert.equal(204, send(server, "DELETE", "/v2/widgets/").status)
    end)

    it("a header of a rule replaces one whose name differs by case", function()
      start { faults = { { status = 500, body = "x", headers = { ["content-type"] = "a/b" } } } }
      local answer = send(server, "GET", BILLING)
      assert.equal("a/b", answer.headers["content-type"])
      server:stop()
      start { faults = { { status = 500, headers = { ["CONTENT-TYPE"] = "a/b", X = 7.0 } } } }
      local output = curl("-i", server.url .. BILLING)
      assert.equal(1, select(2, output:lower():gsub("\ncontent%-type:", "")))
      assert.matches("\nX: 7\r", output)
    end)

    it("a whole number may be a float", function()
      start { faults = { { status = 503.0, times = 2.0, skip = 1.0 } } }
      assert.equal(200, get(server, BILLING).status)
      assert.equal(503, get(server, BILLING).status)
    end)

    it("a method that does not fit is left alone", function()
      start { faults = { { method = "PATCH", status = 500 } } }
      assert.equal(200, get(server, BILLING).status)
    end)

    it("a drop, with or without the effect", function()
      start { faults = {
        { path = "vote", drop = true },
        { path = "vote", drop = true, applied = true },
      } }
      assert.matches("Empty reply", post(server, VOTE, GOOD_VOTE).failure)
      assert.equal(0, #server:state "votes")
      assert.matches("Empty reply", post(server, VOTE, GOOD_VOTE).failure)
      assert.equal(1, #server:state "votes")
      assert.is_nil(server:requests()[1].status)
    end)

    it("a body that is cut off", function()
      start { faults = { { truncate = 4 } } }
      local output = curl("-i", server.url .. VOTE, "-H", "X-CEKURA-API-KEY: sandbox-key", "-H",
        "Content-Type: application/json", "--data", GOOD_VOTE)
      assert.matches("Content%-Length: 16", output)
      assert.matches('{"su', output)
      assert.matches("12 bytes remaining", output)
      assert.equal(1, #server:state "votes")
    end)

    it("a delay, which holds up nobody else", function()
      start { faults = { { path = "billing", delay = PATIENCE } } }
      local slow = assert(io.popen("env -u LD_PRELOAD curl -s -o /dev/null -w '%{time_total}' "
        .. server.url .. BILLING))
      eventually(function() return #server:requests() == 1 end)
      local quick = tonumber(curl("-o", "/dev/null", "-w", "%{time_total}", server.url .. RUN))
      assert.is_true(quick < 0.9 * PATIENCE)
      local time = slow:read "n"
      slow:close()
      assert.is_true(time >= PATIENCE)
    end)

    it("too many requests in a second", function()
      start { rate_limit = { per_second = 2, retry_after = 3 } }
      local addresses, seen = {}, {}
      for i = 1, 4 do addresses[i] = server.url .. BILLING end
      local answers = curl("-i", "-H", "X-CEKURA-API-KEY: sandbox-key", table.unpack(addresses))
      for i, request in ipairs(server:requests()) do seen[i] = request.status end
      assert.same({ 200, 200, 429, 429 }, seen)
      assert.matches("Retry%-After: 3\r\n", answers)
      assert.matches("Request was throttled. Expected available in 3 seconds.", answers)
    end)
  end)

  describe("shows its state", function()
    it("whole, in part, or one item of it", function()
      start()
      assert.equal(5544, server:state("runs", 5544).id)
      assert.is_nil(server:state("runs", 1))
      assert.equal(3, #keys_of(server:state "agents"))
      assert.same({ initial = 10000, remaining = 10000, used = 0 }, server:state "balance")
      if os.getenv "CEKURA_GC" ~= "aggressive" then -- half a minute of collecting, with that
        local state = server:state()
        assert.same({ 1080, 320 }, { #keys_of(state.runs), #keys_of(state.call_logs) })
        assert.same(state.runs[5544], server:state("runs", 5544))
      end
      assert.has_error(function() server:state "nothing" end, 'there is no state called "nothing"')
    end)

    it("by an id that is a string of digits, a float, or a metric's slug", function()
      start()
      assert.same(server:state("runs", 5544), server:state("runs", "5544"))
      assert.same(server:state("results", 373), server:state("results", 373.0))
      assert.equal(52, server:state("metrics", "call_outcome").id)
      assert.is_nil(server:state("runs", "1"))
    end)
  end)

  describe("keeps", function()
    it("what arrived, byte by byte", function()
      start()
      local body = '{"x":"\195\164 \\u0000"}'
      send(server, "POST", VOTE .. "?a=%41%20b&c", body, { ["X-Extra"] = "1" })
      local request = server:requests()[1]
      assert.equal("POST", request.method)
      assert.equal(VOTE, request.path)
      assert.equal("a=%41%20b&c", request.query)
      assert.equal(body, request.body)
      assert.equal("1", request.headers["x-extra"])
      assert.equal("sandbox-key", request.headers["x-cekura-api-key"])
      assert.equal(400, request.status)
      assert.is_true(request.at >= 0)
    end)

    it("over which connection", function()
      start()
      curl(server.url .. "/a%20b/", server.url .. "/b/")
      curl(server.url .. "/c/")
      local paths, connections = {}, {}
      for i, request in ipairs(server:requests()) do
        paths[i], connections[i] = request.path, request.connection
      end
      assert.same({ "/a%20b/", "/b/", "/c/" }, paths)
      assert.same({ 1, 1, 2 }, connections)
      assert.equal(2, server:state "connections")
    end)

    it("no more requests than it was told to", function()
      start { record = 2 }
      curl(server.url .. "/a/", server.url .. "/b/", server.url .. "/c/")
      assert.equal(2, #server:requests())
      assert.equal("/c/", server:requests()[2].path)
      server:clear()
      assert.equal(0, #server:requests())
      server:stop()
      start { record = false }
      curl(server.url .. "/a/")
      assert.equal(0, #server:requests())
    end)

    it("a body of more than 32 MiB out of its memory", function()
      start()
      local name = os.tmpname()
      local file <close> = assert(io.open(name, "wb"))
      for _ = 1, 33 do file:write((" "):rep(1024 * 1024)) end
      file:flush()
      assert.equal(413, send(server, "POST", VOTE, "@" .. name, { Expect = "" }).status)
      os.remove(name)
      assert.is_nil(server:requests()[1].body)
      assert.equal(200, post(server, VOTE, GOOD_VOTE).status)
    end)
  end)

  describe("accepts", function()
    it("2000 connections at once, though the soft limit of descriptors is 1024", function()
      local output = child.run(child.checked { "sh", "-c", 'ulimit -S -n 1024; exec "$@"', "sh",
        child.lua, "-e", ([[
          local cekura = require "cekura"
          local server = require "cekura.sandbox".start { record = false,
            faults = { { times = math.huge, delay = %d } } }
          local client = assert(cekura.new { api_url = server.url, api_key = server.api_key,
            deadline = 600, timeout = 300 })
          local items = {}
          for i = 1, 2000 do items[i] = i end
          local started = os.time()
          local report = client:each(items, function()
            return client.billing:info {}
          end, { concurrency = 2000 })
          print(report.ok, report.unknown, server:state "connections" > 1500,
            os.time() - started < %d)
        ]]):format(2 * PATIENCE, 30 * PATIENCE) })
      assert.equal("2000\t0\ttrue\ttrue\n", output)
    end)

    it("a connection late, and says so, if the process has no descriptor left", function()
      local cue = scratch.path()
      local process = child.start_checked { "sh", "-c", 'ulimit -n 64; exec "$@"', "sh", child.lua,
        "-e", ([[
          io.stdout:setvbuf "line"
          local server = require "cekura.sandbox".start()
          local held = {}
          repeat
            local file = io.open "/dev/null"
            held[#held + 1] = file
          until not file
          print(server.url)
          repeat until os.rename(%q, %q)  -- needs no descriptor
          print("accepted so far: " .. server:state "connections")
          for _, file in ipairs(held) do file:close() end
          repeat until os.remove(%q)
        ]]):format(cue, cue .. "-seen", cue .. "-end") }
      local url = process:line()
      local pipe = assert(io.popen("env -u LD_PRELOAD curl -s -o /dev/null -w '%{http_code}' "
        .. url))
      assert.equal("cekura.sandbox: cannot accept more connections now: Too many open files",
        process:line())
      assert(io.open(cue, "w")):close()
      assert.equal("accepted so far: 0", process:line())
      assert.equal("401", pipe:read "a")
      pipe:close()
      assert(io.open(cue .. "-end", "w")):close()
      assert.same({ "", 0 }, { process:finish() })
    end)
  end)

  describe("answers without a failure", function()
    local deep = ("["):rep(900) .. ("]"):rep(900)

    --- what it is about, method, path, body, status
    local rows = {
      { "a path with a word of the sandbox's own", "GET",
        "/test_framework/v1/results/methods/GET/row/method/rep/x/", nil, 404 },
      { "a metric called like that", "GET", "/test_framework/v1/metrics/methods/", nil, 404 },
      { "a metric by a hexadecimal number", "GET", "/test_framework/v1/metrics/0x37/", nil, 404 },
      { "the year 0", "GET", CALLS .. "?timestamp_from=0000-00-00", nil, 400 },
      { "a query of 2000 parameters", "GET",
        "/test_framework/v1/results/?" .. ("page=1&"):rep(2000), nil, 200 },
      { "a value that is nested deeply", "POST", VOTE,
        '{"metric_id":55,"thumbs_up":true,"expected_value":' .. deep .. "}", 200 },
    }
    for _, row in ipairs(rows) do
      it("for " .. row[1], function()
        start()
        assert.equal(row[5], send(server, table.unpack(row, 2, 4)).status)
        assert.is_table(server:state("runs", 5544)) -- with what the vote has left there
        assert.is_table(server:state "votes")
      end)
    end

    it("for a list of two million items", function()
      start()
      local path = scratch.path()
      local file = assert(io.open(path, "w"))
      file:write('{"enum_values":["a"', (',"a"'):rep(2000000), "]}"):close()
      local answer = send(server, "PATCH", METRIC, "@" .. path, { Expect = "" })
      assert.equal(200, answer.status)
      assert.is_true(#answer.text > 8000000)
    end)

    -- Prints answers without the times of this run.
    local ANSWERS = [[
      local server = require "cekura.sandbox".start {
        now = 1700000000, balance = 1000.5, log = true,
      }
      local function ask(path, body)
        local data = body and "-H 'Content-Type: application/json' -d '" .. body .. "'" or ""
        local command = "curl -s -g -H 'X-CEKURA-API-KEY: sandbox-key' " .. data
        local pipe <close> = assert(io.popen(("%s '%s%s'"):format(command, server.url, path)))
        print((pipe:read "a":gsub('"updated_at":"[^"]*"', ""):gsub(":%d%d%d%d%d/", "/")))
      end
      ask "/test_framework/v1/results/?page_size=100&search=MIDNIGHT&is_cronjob=TRUE"
      ask "/test_framework/v1/results/?project_id=14&page_size=20&search=HARBOR"
      ask "/test_framework/v1/metrics/55/"
      ask "/test_framework/billing/info/"
      ask("/observability/v1/call-logs/?filters_v2="
        .. '{"field":"agent_name","op":"gte","value":"harbor"}')
      ask("/test_framework/v1/runs/5544/mark_metric_vote/",
        '{"metric_id":55,"thumbs_up":false,"expected_value":1.5}')
      print(server:state("runs", 5544).metrics[55].expected_value == 1.5)
      ask "/test_framework/v1/runs/5544/"
      ask("/test_framework/v1/results/bulk_evaluate_metrics/",
        ('{"result_ids":[%s],"metric_ids":[51,52,53,54,55,56,57]}'):format(
          table.concat({ 301, 302, 304, 305, 306 }, ",")))
      server:faults { { path = "billing", status = 500, headers = { ["content-type"] = "A/I" } } }
      ask "/test_framework/billing/info/"
    ]]

    it("in every locale the same", function()
      local turkish <close> = locale.turkish()
      if not turkish then return end
      local environment = { LOCPATH = turkish.folder, LC_ALL = false }
      local function answers(text)
        return (script.run(text .. ANSWERS, environment):gsub("[%d.]+ ms", "ms"))
      end
      local usual = answers ""
      assert.matches('"success":true', usual)
      assert.matches("true\n", usual)
      assert.equal(usual, answers(turkish.SET))
    end)
  end)

  describe("begins and ends", function()
    it("several at once, each with a state of its own", function()
      local one <close> = sandbox.start()
      local two <close> = sandbox.start { api_key = "another" }
      assert.are_not.equal(one.port, two.port)
      assert.equal(200, post(one, VOTE, GOOD_VOTE).status)
      assert.equal(1, #one:state "votes")
      assert.equal(0, #two:state "votes")
    end)

    it("at once", function()
      local begun = os.clock()
      for _ = 1, 10 do sandbox.start():stop() end
      assert.is_true((os.clock() - begun) / 10 < 0.1 * PATIENCE)
    end)

    it("also while an answer is delayed", function()
      start { faults = { { delay = 60 } } }
      local slow = assert(io.popen("env -u LD_PRELOAD curl -s -S " .. server.url .. "/ 2>&1"))
      eventually(function() return #server:requests() == 1 end)
      server:stop()
      assert.matches("Empty reply", slow:read "a")
      slow:close()
    end)

    it("and is of no use afterwards", function()
      start():stop()
      server:stop()
      assert.has_error(function() server:requests() end)
      assert.matches("Failed to connect", curl(server.url))
    end)

    it("with the collector, too", function()
      local url = sandbox.start().url
      collectgarbage()
      collectgarbage()
      assert.matches("Failed to connect", curl(url))
    end)

    it("by a signal, in the foreground", function()
      local text = [[require "cekura.sandbox".serve { api_key = "k" } print "served"]]
      local command = "lua5.4 -e %s & child=$!; echo $child; wait $child; echo $?"
      command = command:format(quote(text))
      for _, signal in ipairs { "INT", "TERM" } do
        local pipe <close> = assert(io.popen("exec 2>&1; " .. command))
        local pid = pipe:read "l"
        local line
        repeat line = pipe:read "l" until not line or line:find "Ctrl"
        os.execute(("kill -%s %s"):format(signal, pid))
        assert.equal("served\n0\n", pipe:read "a")
      end
    end)
  end)

  it("says on a line that make's port is taken, and what to do", function()
    local first <close> = sandbox.start()
    for port, problem in pairs {
      [tostring(first.port)] = "cannot listen on 127.0.0.1:" .. first.port,
      many = "options.port: must be a whole number from 0 to 65535",
    } do
      local pipe <close> = assert(io.popen("exec 2>&1; lua5.4 tools/sandbox.lua " .. port))
      local output = pipe:read "a"
      assert.matches("^sandbox.start: " .. problem, output)
      assert.matches("make sandbox PORT=8081\n$", output)
      assert.equal(1, select(3, pipe:close()))
    end
  end)

  describe("refuses", function()
    --- options, what the message has
    local rows = {
      { { evaluation_tme = 1 },
        'options.evaluation_tme: unknown field, did you mean "evaluation_time"?' },
      { { port = 70000 }, "options.port: must be a whole number from 0 to 65535, got 70000" },
      { { port = "80" }, "options.port: must be a whole number from 0 to 65535" },
      { { evaluation_time = -1 }, "options.evaluation_time: must be a number from 0, got -1" },
      { { api_key = "" }, "options.api_key: must be a string of visible ASCII characters" },
      { { faults = { status = 500 } },
        "options.faults: must be a list, got a table with string keys" },
      { { faults = { { sttus = 500 } } },
        'options.faults[1].sttus: unknown field, did you mean "status"?' },
      { { faults = { { path = "[" } } }, "options.faults[1].path: must be a Lua pattern" },
      { { faults = { { headers = { a = "b\nc" } } } }, "control characters cannot be sent" },
      { { rate_limit = {} }, "options.rate_limit.per_second: is required" },
      { { rate_limit = { per_second = 1, retry_after = math.huge } },
        "options.rate_limit.retry_after: must be a number from 0, got inf" },
      { { optimiser = "improve" }, 'must be "improves", "fails" or "asks", got "improve"' },
      { { now = 1e18 }, "options.now: must be a whole number from 0 to 253402300799" },
      { false, "options: must be a table, got boolean" },
    }
    for _, row in ipairs(rows) do
      it(row[2], function()
        local ok, message = pcall(sandbox.start, row[1])
        assert.is_false(ok)
        assert.is_truthy(message:find(row[2], 1, true), message)
      end)
    end

    it("a port that is taken", function()
      start()
      local ok, message = pcall(sandbox.start, { port = server.port })
      assert.is_false(ok)
      assert.matches("cannot listen on 127.0.0.1:%d+: Address already in use", message)
    end)

    local cycle = {}
    cycle[1] = cycle
    --- what server:faults gets, what the message has
    local lists = {
      { false, "faults: must be a list, got boolean" },
      { { status = 500 }, "got a table with string keys, such as { { status = 503 } }" },
      { { { status = 500 }, nil, { status = 500 } }, "faults: must be a list without holes" },
      { { nil, { status = 500 }, extra = 1 }, "faults: must be a list" },
      { { { status = 500 }, status = 500 }, "faults: must be a list" },
      { { { status = 500 }, 5 }, "faults[2]: must be a table, got number" },
      { { { status = 500 }, { stauts = 500 } },
        'faults[2].stauts: unknown field, did you mean "status"?' },
      { { { status = "500" } },
        'faults[1].status: must be a whole number from 200 to 599, got "500"' },
      { { { status = 600 } }, "faults[1].status: must be a whole number from 200 to 599, got 600" },
      { { { status = 500, times = "2" } },
        "faults[1].times: must be a whole number from 0 or math.huge" },
      { { { status = 500, skip = 0.5 } },
        "faults[1].skip: must be a whole number from 0, got 0.5" },
      { { { drop = "yes" } }, "faults[1].drop: must be true or false" },
      { { { delay = "1" } }, "faults[1].delay: must be a number from 0 to 86400" },
      { { { method = "post", status = 500 } },
        'faults[1].method: unknown method "post", did you mean "POST"?' },
      { { { method = "PSOT", status = 500 } }, 'did you mean "POST"?' },
      { { { method = "GET", path = VOTE, status = 500 } },
        "faults[1].method: no endpoint with this path takes GET, but POST does" },
      { { { path = "(a", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "x%", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "%d%1", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "a)*", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "%b(", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "%fa", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = 5, status = 500 } }, "faults[1].path: must be a string, got number" },
      { { { path = "/call-log/", status = 500 } },
        'faults[1].path: no endpoint has "call-log" in its path, did you mean "call-logs"?' },
      { { { path = "^/test_framework/v1/run/%-$", status = 500 } }, 'did you mean "runs"?' },
      { { { path = "/vote/", drop = true } }, 'did you mean "mark_metric_vote"?' },
      { { { path = "/test_framework/runs/5544/", status = 500 } },
        "faults[1].path: no endpoint has this path" },
      { { { path = "/nothing/", status = 500 } }, "faults[1].path: no endpoint has this path" },
      { { { path = "/runs/{run_id}/", status = 500 } },
        "faults[1].path: must have an id or the pattern %d+ instead of {run_id}" },
      { { { path = "http://127.0.0.1/x/", status = 500 } }, "without scheme and host" },
      { { { path = "/results/?page=2", status = 500 } }, "without the query" },
      { { { applied = true } }, "faults[1].applied: needs status, body or drop beside it" },
      { { { applied = false, delay = 1 } }, "faults[1].applied: needs" },
      { { { path = "vote", times = 2 } }, "faults[1]: changes nothing" },
      { { { drop = false } }, "faults[1]: changes nothing" },
      { { { drop = true, status = 500 } }, "faults[1].status: is never sent" },
      { { { drop = true, truncate = 1 } }, "faults[1].truncate: is never sent" },
      { { { status = 204, body = "x" } }, "faults[1].body: a response with status 204 has none" },
      { { { body = "abc", truncate = 3 } }, "faults[1].truncate: 3 leaves out nothing" },
      { { { body = { a = print } } }, "faults[1].body: JSON cannot hold a function" },
      { { { body = { a = { 1, nil, 3 } } } },
        "faults[1].body: JSON cannot hold a list with holes" },
      { { { body = { 1, a = 2 } } }, "faults[1].body: JSON cannot hold the key a beside others" },
      { { { body = { [true] = 2 } } }, "faults[1].body: JSON cannot hold the key true" },
      { { { body = { 0 / 0 } } }, "faults[1].body: JSON cannot hold" },
      { { { body = cycle } }, "faults[1].body: JSON cannot hold a table that contains itself" },
      { { { headers = { ["Content-Length"] = "5" } } }, "faults[1].headers.Content-Length:" },
      { { { headers = { ["transfer-encoding"] = "x" } } }, "faults[1].headers.transfer-encoding:" },
      { { { headers = { connection = "keep-alive" } } }, "faults[1].headers.connection:" },
      { { { headers = { "Retry-After: 1" } } }, 'faults[1].headers: "1" is not a header name' },
      { { { headers = { X = "" } } }, "faults[1].headers.X: must not be empty" },
      { { { headers = { X = 1.5 } } }, "faults[1].headers.X: must be a string, got number" },
      { { { headers = { X = "1", x = "2" } } }, "is there twice" },
      { { { headers = { X = ("x"):rep(20000) } } },
        "faults[1].headers: must have at most 16384 bytes" },
      { { { times = math.huge, delay = 1 }, { path = "vote", drop = true } },
        "faults[2]: can never apply, because faults[1] applies to all its requests" },
    }
    for i, row in ipairs(lists) do
      it(("rule %d: %s"):format(i, row[2]), function()
        start()
        local ok, message = pcall(function() server:faults(row[1]) end)
        assert.is_false(ok)
        assert.matches("^spec/sandbox/sandbox_spec%.lua:%d+: ", message)
        assert.is_truthy(message:find(row[2], 1, true), message)
        assert.equal(200, get(server, BILLING).status)
      end)
    end

    --- What is mistyped, and what the message has.
    local calls = {
      { function() server:faults({ { status = 500 } }, { { status = 500 } }) end,
        "one argument too many: server:faults { rule, … }" },
      { function() server.faults { { status = 500 } } end, -- luacheck: ignore
        "call it with a colon: server:faults { rule, … }" },
      { function() server:requests "POST" end, "one argument too many: server:requests()" },
      { function() server:stop(1) end, "one argument too many: server:stop()" },
      { function() server:state "run" end, 'no state called "run", did you mean "runs"?' },
      { function() server:state(5544) end, 'no state called "5544"' },
      { function() server:state("runs", "5544x") end, 'the state "runs" has no item "5544x"' },
      { function() server:state("runs", 5544.5) end, 'the state "runs" has no item 5544.5' },
      { function() server:state("metrics", "outcome") end, 'has no item "outcome"' },
      { function() server:state("votes", 1) end, 'the state "votes" has no ids' },
      { function() server:state("connections", 1) end, 'the state "connections" has no ids' },
      { function() server:state(nil, 5544) end, "the name of a state expected before the id" },
      { function() server:fault {} end, 'the sandbox has no "fault", did you mean "faults"?' },
      { function() server:close() end, 'the sandbox has no "close"' },
      { function() return server.uri end, 'the sandbox has no "uri", did you mean "url"?' },
      { function() server.faults = {} end, 'the sandbox takes no "faults"' },
      { function() sandbox.start({}, { port = 1 }) end, "sandbox.start: one argument too many" },
    }
    for _, row in ipairs(calls) do
      it(row[2], function()
        start()
        local ok, message = pcall(row[1])
        assert.is_false(ok)
        assert.matches("^spec/sandbox/sandbox_spec%.lua:%d+: ", message)
        assert.is_truthy(message:find(row[2], 1, true), message)
      end)
    end
  end)
end)
