-- The arguments of a call: the request that they become, and the problems that are reported before
-- anything is sent.
local cekura = require "cekura"
local calls = require "support.calls"
local sandbox = require "cekura.sandbox"

local VOTE, EVALUATE = "runs.mark_metric_vote", "results.evaluate_metrics"
local BULK, LOGS = "results.bulk_evaluate_metrics", "calls.evaluate_metrics"
local FEEDBACKS = "metric_reviews.process_feedbacks"
local PROGRESS, METRIC, UPDATE = FEEDBACKS .. "_progress", "metrics.get", "metrics.update"
local RESULTS, RUNS, CALLS, LIST = "results.list", "runs.bulk", "calls.list", "runs.list"
local TEST_SET = "test_sets.create_from_run"
local null, array, none = cekura.null, cekura.array, calls.none
local MOST = "9223372036854775807"

local function nested(depth)
  local value = 1
  for _ = 1, depth do value = { value } end
  return value
end

local range = require "support.range"

describe("a call", function()
  local server, client

  setup(function()
    server = sandbox.start()
    client = assert(cekura.new {
      api_url = server.url, api_key = server.api_key, max_attempts = 1,
    })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:clear() end)

  -- Returns the one request that a call sends. The response does not matter.
  local function sent(name, changes)
    calls.make(client, name, changes)
    local requests = server:requests()
    assert.equal(1, #requests)
    return requests[1]
  end

  describe("sends an id", function()
    for _, row in ipairs {
      { "that is an integer", 7, "7" },
      { "that is the largest integer", math.maxinteger, MOST },
      { "that is a whole float", 55.0, "55" },
      { "that is a large whole float", 2.0 ^ 53, "9007199254740992" },
      { "that is a string of digits", "5544", "5544" },
      { "that is a string with leading zeros", "0007", "7" },
      { "that is the largest integer as a string", MOST, MOST },
      { "that is the largest integer with leading zeros", "000" .. MOST, MOST },
      { "that is a string beyond 2^53, exactly", "9007199254740993", "9007199254740993" },
    } do
      local what, value, digits = table.unpack(row)

      it(what .. ", in the path", function()
        assert.equal("/test_framework/v1/runs/" .. digits .. "/mark_metric_vote/",
          sent(VOTE, { run_id = value }).path)
      end)

      it(what .. ", in the body", function()
        assert.equal('{"metric_id":' .. digits .. "}", sent(FEEDBACKS, { metric_id = value }).body)
      end)

      it(what .. ", in a list", function()
        assert.equal('{"result_ids":[' .. digits .. ',3],"metric_ids":[55]}',
          sent(BULK, { result_ids = { value, 3 } }).body)
      end)

      it(what .. ", in the query", function()
        assert.equal("agent_id=" .. digits, sent(RESULTS, { agent_id = value }).query)
      end)

      it(what .. ", in a list in the query", function()
        assert.equal(("run_ids=%s,3"):format(digits), sent(RUNS, { run_ids = { value, 3 } }).query)
      end)

      it(what .. ", in a list of strings", function()
        assert.equal('{"run_ids":["' .. digits .. '","3"],"metric_ids":["' .. digits .. '"]}',
          sent(EVALUATE, { run_ids = { value, 3 }, metric_ids = { value } }).body)
      end)
    end

    for _, row in ipairs {
      { "zero", 0, "0" },
      { "a negative number", -1, "-1" },
      { "a fraction", 1.5, "1.5" },
      { "2^63", 2.0 ^ 63, "9.223372036854776e+18" },
      { "NaN", 0 / 0, tostring(0 / 0) },
      { "an infinity", math.huge, "inf" },
      { "zero as a string", "000", '"000"' },
      { "digits and a letter", "12x", '"12x"' },
      { "a sign", "+12", '"+12"' },
      { "a blank", " 12", '" 12"' },
      { "a fraction as a string", "1.0", '"1.0"' },
      { "a hexadecimal", "0x10", '"0x10"' },
      { "an empty string", "", '""' },
      { "2^63 as a string", "9223372036854775808", '"9223372036854775808"' },
      { "far too many digits", ("9"):rep(50), '"' .. ("9"):rep(40) .. '"…' },
      { "a boolean", true, "boolean" },
      { "a table", {}, "table" },
    } do
      local what, value, got = table.unpack(row)
      local message = "must be an id: a whole number from 1 to " .. MOST .. ", got " .. got

      it("and refuses " .. what, function()
        local _, err = calls.vote(client, { run_id = value, metric_id = value })
        assert.same({ run_id = { message }, metric_id = { message } }, err.fields)
        _, err = calls.make(client, EVALUATE, { run_ids = { 1, value, 2, value, 3 } })
        assert.same({ ["run_ids[2]"] = { message }, ["run_ids[4]"] = { message } }, err.fields)
        _, err = calls.make(client, RUNS, { run_ids = { value } })
        assert.same({ ["run_ids[1]"] = { message } }, err.fields)
        _, err = calls.make(client, RESULTS, { agent_id = value })
        assert.same({ agent_id = { message } }, err.fields)
        assert.same({}, server:requests())
      end)
    end
  end)

  describe("sends the body of", function()
    for _, row in ipairs {
      { "a vote", VOTE, {}, '{"metric_id":55,"thumbs_up":false,"expected_value":2}' },
      { "a vote up, with feedback", VOTE, { thumbs_up = true, feedback = "fine" },
        '{"metric_id":55,"thumbs_up":true,"expected_value":2,"feedback":"fine"}' },
      { "a vote with every null that is allowed", VOTE,
        { thumbs_up = null, expected_value = null, feedback = null },
        '{"metric_id":55,"thumbs_up":null,"expected_value":null,"feedback":null}' },
      { "a vote with an empty string", VOTE, { feedback = "" },
        '{"metric_id":55,"thumbs_up":false,"expected_value":2,"feedback":""}' },
      { "results in a list that is marked as an array", BULK, { result_ids = array { 1, 2 } },
        '{"result_ids":[1,2],"metric_ids":[55]}' },
      { "calls of an agent", LOGS, { call_logs = { 1, 2 }, metrics = { 3, 4 } },
        '{"agent_id":231,"call_logs":[1,2],"metrics":[3,4]}' },
      { "calls of a project", LOGS, { agent_id = none, project_id = "14" },
        '{"project_id":14,"call_logs":[1],"metrics":[57]}' },
      { "an empty list of calls, which the document allows", LOGS, { call_logs = {} },
        '{"agent_id":231,"call_logs":[],"metrics":[57]}' },
      { "an improvement with every option", FEEDBACKS,
        { metric_type = "llm_judge", test_set_ids = { 1, "2", 3.0 }, simplified_prompt = "Be kind",
          skip_evaluation = true },
        '{"metric_id":55,"metric_type":"llm_judge","test_set_ids":[1,2,3],' ..
        '"simplified_prompt":"Be kind","skip_evaluation":true}' },
      { "an improvement with an empty list", FEEDBACKS, { test_set_ids = {} },
        '{"metric_id":55,"test_set_ids":[]}' },
      { "a free call with the same id twice", VOTE, { expected_value = { 1, 1 } },
        '{"metric_id":55,"thumbs_up":false,"expected_value":[1,1]}' },
    } do
      it(row[1], function() assert.equal(row[4], sent(row[2], row[3]).body) end)
    end

    it("as many results as the document allows", function()
      assert.equal('{"result_ids":[' .. table.concat(range(100), ",") .. '],"metric_ids":[55]}',
        sent(BULK, { result_ids = range(100) }).body)
    end)
  end)

  describe("sends the query of", function()
    -- { what, endpoint, changes, query }
    for _, row in ipairs {
      { "no field, which is empty", RESULTS, {}, "" },
      { "unreserved characters", RESULTS, { search = "AZaz09-._~" }, "search=AZaz09-._~" },
      { "all other ASCII, percent-encoded", RESULTS, { search = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}" },
        "search=%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60"
          .. "%7B%7C%7D" },
      { "control characters", RESULTS, { search = "\0\1\r\n\127" }, "search=%00%01%0D%0A%7F" },
      { "UTF-8 of every length", RESULTS, { search = "é€\u{10FFFF}" },
        "search=%C3%A9%E2%82%AC%F4%8F%BF%BF" },
      { "an empty string", RESULTS, { search = "" }, "search=" },
      { "integers", RESULTS, { page_size = 100.0, page = math.maxinteger },
        "page=" .. MOST .. "&page_size=100" },
      { "several fields in the order of the contract", RESULTS,
        { page = 2, search = "x", agent_id = 1, project_id = 2 },
        "agent_id=1&project_id=2&search=x&page=2" },
      { "a free call with the same id twice", RUNS, { run_ids = { 1, 1 } }, "run_ids=1,1" },
      { "times", CALLS, { timestamp_from = "2024-02-29T23:59:60Z",
          timestamp_to = "2024-03-31T00:00:00.123456-11:30" },
        "timestamp_from=2024-02-29T23%3A59%3A60Z"
          .. "&timestamp_to=2024-03-31T00%3A00%3A00.123456-11%3A30" },
      { "a table as JSON", CALLS, { filters_v2 = { conditions = { { "é" } } } },
        "filters_v2=%7B%22conditions%22%3A%5B%5B%22%C3%A9%22%5D%5D%7D" },
      { "JSON as text", CALLS, { filters_v2 = '{"a": 1}' }, "filters_v2=%7B%22a%22%3A%201%7D" },
    } do
      it(row[1], function() assert.equal(row[4], sent(row[2], row[3]).query) end)
    end

    it("numbers and booleans", function()
      assert.equal("success=false&duration__gte=0.5&duration__lte=1e%2B20",
        sent(LIST, { success = false, duration__gte = 0.5, duration__lte = 1e20 }).query)
    end)

    it("words, joined by commas", function()
      assert.equal("status__in=completed,failed",
        sent(LIST, { status__in = { "completed", "failed" } }).query)
    end)

    for _, selection in ipairs {
      "{id}", "{id,status}", "{id, metadata{ended_reason}}", "{-runs}",
    } do
      it("the selection " .. selection, function()
        assert.equal(selection, (sent(LIST, { ql = selection }).query:sub(4):gsub("%%(%x%x)",
          function(hex) return string.char(tonumber(hex, 16)) end)))
      end)
    end

    it("ten thousand ids", function()
      local ids = range(10000)
      assert.equal("run_ids=" .. table.concat(ids, ","), sent(RUNS, { run_ids = ids }).query)
    end)
  end)

  describe("in an update", function()
    -- { what, field, value, what is sent }
    for _, row in ipairs {
      { "empties a text", "description", "", '""' },
      { "empties a list", "enum_values", {}, "[]" },
      { "empties an object", "configuration", {}, "{}" },
      { "sends text of any kind", "enum_values", { "", 'a"b', "é" }, [=[["","a\"b","é"]]=] },
      { "sends false", "audio_enabled", false, "false" },
      { "sends null where it may be", "add_to_new_agents", null, "null" },
      { "sends zero", "display_order", 0, "0" },
      { "sends the smallest position", "display_order", -2147483648, "-2147483648" },
      { "sends the largest position", "display_order", 2147483647.0, "2147483647" },
      { "sends a number", "std_multiplier", 2.5, "2.5" },
      { "sends an empty word that the field has", "significant_change_alert_direction", "", '""' },
      { "sends a list of any values", "metric_description_variables", { "a", 1, { b = 2 } },
        '["a",1,{"b":2}]' },
      { "sends the longest name", "name", ("ä"):rep(255), '"' .. ("ä"):rep(255) .. '"' },
      { "sends what is nested", "configuration", { a = { 1, { b = null } } },
        '{"a":[1,{"b":null}]}' },
    } do
      it(row[1] .. ", and nothing else", function()
        assert.equal(('{"%s":%s}'):format(row[2], row[4]),
          sent(UPDATE, { description = none, [row[2]] = row[3] }).body)
      end)
    end
  end)

  describe("writes as expected_value", function()
    local function written(value)
      local body = sent(VOTE, { expected_value = value }).body
      return body:match '^{"metric_id":55,"thumbs_up":false,"expected_value":(.*)}$'
    end

    for _, row in ipairs {
      { "true", true, "true" },
      { "false", false, "false" },
      { "null", null, "null" },
      { "zero", 0, "0" },
      { "a negative integer", -17, "-17" },
      { "15 digits", 100000000000000, "100000000000000" },
      { "the largest integer", math.maxinteger, MOST },
      { "the smallest integer", math.mininteger, "-9223372036854775808" },
      { "a fraction", 0.1, "0.1" },
      { "a fraction that takes all digits", 0.1 + 0.2, "0.30000000000000004" },
      { "a whole float", 2.0, "2.0" },
      { "minus zero", -0.0, "-0.0" },
      { "a large float", 1e300, "1e+300" },
      { "2^53 as a float", 2.0 ^ 53, "9007199254740992.0" },
      { "an empty string", "", '""' },
      { "a number in a string", "12", '"12"' },
      { "quotes and backslashes", [["\/]], [["\"\\/"]] },
      { "the escapes with a letter", "\b\f\n\r\t", [["\b\f\n\r\t"]] },
      { "other control characters", "\0\1\31\127", '"\\u0000\\u0001\\u001f\127"' },
      { "text around a NUL", "a\0b", [["a\u0000b"]] },
      { "UTF-8 of every length", "é€𝄞\u{10FFFF}", '"é€𝄞\u{10FFFF}"' },
      { "the first and last characters of a length", "\u{800}\u{D7FF}\u{10000}",
        '"\u{800}\u{D7FF}\u{10000}"' },
      { "a list", { 1, "two", false, null, 2.5 }, '[1,"two",false,null,2.5]' },
      { "an object", { grade = "B" }, '{"grade":"B"}' },
      { "an object with a key that needs escapes", { ['a"\n\0é'] = 1 }, [[{"a\"\n\u0000é":1}]] },
      { "an object with an empty key", { [""] = 1 }, '{"":1}' },
      { "an object whose keys look like numbers", { ["1"] = "x" }, '{"1":"x"}' },
      { "an empty table, which is an object", {}, "{}" },
      { "an empty table that is marked", array {}, "[]" },
      { "a list that is marked", array { 1 }, "[1]" },
      { "nesting", { { a = { {}, array {}, { b = null } } } }, '[{"a":[{},[],{"b":null}]}]' },
      { "the deepest nesting that is allowed", nested(128),
        ("["):rep(128) .. "1" .. ("]"):rep(128) },
    } do
      it(row[1], function() assert.equal(row[3], written(row[2])) end)
    end

    it("the same table twice", function()
      local shared = { 1 }
      assert.equal("[[1],[1],[[1]]]", written { shared, shared, { shared } })
    end)

    -- A table that is in a table twice, and so on for 100 levels, has 2^100 paths.
    local function paired(value)
      for _ = 1, 100 do value = { value, value } end
      return value
    end

    it("no value that would be written almost without end", function()
      local vote = calls.arguments(VOTE, { expected_value = paired(("x"):rep(1 << 20)) })
      local ok, message = pcall(client.runs.mark_metric_vote, client.runs, vote)
      assert.is_false(ok)
      assert.matches("larger than 64 MiB", message)
      vote.expected_value = paired(print)
      local _, err = client.runs:mark_metric_vote(vote)
      assert.equal("validation", err.kind)
      assert.matches("; and 990 more", tostring(err))
      assert.equal(0, #server:requests())
    end)

    it("an object of several members", function()
      local members = {}
      for member in written { a = 1, b = "x", c = { 2 } }:match "^{(.*)}$":gmatch "[^,]+" do
        members[#members + 1] = member
      end
      table.sort(members)
      assert.same({ '"a":1', '"b":"x"', '"c":[2]' }, members)
    end)
  end)

  describe("refuses", function()
    local POINTER = debug.upvalueid(function() return calls end, 1)
    local cyclic = { a = { 1, {} } }
    cyclic.a[2].b = cyclic.a
    local itself = {}
    itself[1] = itself

    -- { what, endpoint, changes of the correct arguments, all problems }
    local rows = {
      { "an unknown field", VOTE, { feedbak = "x" },
        { feedbak = 'unknown field, did you mean "feedback"?' } },
      { "an unknown field that resembles no other", VOTE, { colour = "red" },
        { colour = "unknown field" } },
      { "two unknown fields that resemble two names", FEEDBACKS, { metric_tid = 1, metric_typ = 1 },
        { metric_tid = 'unknown field, did you mean "metric_id"?',
          metric_typ = 'unknown field, did you mean "metric_type"?' } },
      { "the field of another endpoint", VOTE, { run_ids = { 1 } },
        { run_ids = 'unknown field, did you mean "run_id"?' } },
      { "an unknown field with a null", VOTE, { feedbacks = null },
        { feedbacks = 'unknown field, did you mean "feedback"?' } },
      { "a list as the arguments", FEEDBACKS, { 1 },
        { ["(list item)"] = "fields have names, got a key of type number" } },

      { "a vote without arguments", VOTE,
        { run_id = none, metric_id = none, thumbs_up = none, expected_value = none }, {
          run_id = "is required", metric_id = "is required",
          thumbs_up = "is required (cekura.null says that there is none)",
          expected_value = "is required (cekura.null says that there is none)" } },
      { "an evaluation of a result without arguments", EVALUATE,
        { result_id = none, run_ids = none, metric_ids = none },
        { result_id = "is required", run_ids = "is required", metric_ids = "is required" } },
      { "an evaluation of results without arguments", BULK,
        { result_ids = none, metric_ids = none },
        { result_ids = "is required", metric_ids = "is required" } },
      { "an evaluation of calls without arguments", LOGS,
        { agent_id = none, call_logs = none, metrics = none },
        { agent_id = "this or project_id is required", call_logs = "is required",
          metrics = "is required" } },
      { "an improvement without arguments", FEEDBACKS, { metric_id = none },
        { metric_id = "is required" } },

      { "null for a field that is not nullable", VOTE, { run_id = null, metric_id = null },
        { run_id = "must be an id: a whole number from 1 to " .. MOST .. ", got null",
          metric_id = "must not be null" } },
      { "null for a list", BULK, { result_ids = null }, { result_ids = "must not be null" } },
      { "null for an option of the optimiser", FEEDBACKS,
        { metric_type = null, test_set_ids = null, simplified_prompt = null,
          skip_evaluation = null },
        { metric_type = "must not be null", test_set_ids = "must not be null",
          simplified_prompt = "must not be null", skip_evaluation = "must not be null" } },

      { "wrong types for a boolean and a string", VOTE, { thumbs_up = 1, feedback = 5 },
        { thumbs_up = "must be true or false, got 1", feedback = "must be a string, got 5" } },
      { "a word for a boolean", VOTE, { thumbs_up = "yes" },
        { thumbs_up = 'must be true or false, got "yes"' } },
      { "a table for a string", VOTE, { feedback = {} },
        { feedback = "must be a string, got table" } },
      { "text that is not UTF-8", VOTE, { feedback = "caf\xe9" },
        { feedback = "must be valid UTF-8" } },
      { "text that ends within a character", VOTE, { feedback = "\xe2\x82" },
        { feedback = "must be valid UTF-8" } },
      { "an overlong form", VOTE, { feedback = "\xc0\xaf" }, { feedback = "must be valid UTF-8" } },
      { "a surrogate", VOTE, { feedback = "\xed\xa0\x80" }, { feedback = "must be valid UTF-8" } },
      { "a character above U+10FFFF", VOTE, { feedback = "\xf4\x90\x80\x80" },
        { feedback = "must be valid UTF-8" } },
      { "an overlong form of three bytes", VOTE, { feedback = "\xe0\x80\x80" },
        { feedback = "must be valid UTF-8" } },
      { "an overlong form of four bytes", VOTE, { feedback = "\xf0\x80\x80\x80" },
        { feedback = "must be valid UTF-8" } },
      { "a lead byte without its last continuation", VOTE, { feedback = "\xf1\x80\x80x" },
        { feedback = "must be valid UTF-8" } },
      { "an invalid lead byte", VOTE, { feedback = "\xf5\x80\x80\x80" },
        { feedback = "must be valid UTF-8" } },

      { "a mistyped value of an enum", FEEDBACKS, { metric_type = "llm_jugde" },
        { metric_type = 'must be one of "basic", "custom_prompt", "custom_code", "llm_judge", '
          .. 'got "llm_jugde", did you mean "llm_judge"?' } },
      { "an unknown value of an enum", FEEDBACKS, { metric_type = "x" },
        { metric_type = 'must be one of "basic", "custom_prompt", "custom_code", "llm_judge", '
          .. 'got "x"' } },
      { "a value of an enum followed by a NUL", FEEDBACKS, { metric_type = "basic\0x" },
        { metric_type = true } },
      { "a number for an enum", FEEDBACKS, { metric_type = 5 },
        { metric_type = 'must be one of "basic", "custom_prompt", "custom_code", "llm_judge", '
          .. "got 5" } },

      { "a single id in place of a list", BULK, { result_ids = 373 },
        { result_ids = "must be a list of ids, got 373" } },
      { "a string in place of a list", BULK, { result_ids = "373,374" },
        { result_ids = 'must be a list of ids, got "373,374"' } },
      { "a list with a hole", BULK, { result_ids = { 1, nil, 3 } },
        { result_ids = "must be a list without holes: keys 1 to n" } },
      { "a list that begins at 0", BULK, { result_ids = { [0] = 1, 2 } },
        { result_ids = "must be a list without holes: keys 1 to n" } },
      { "an object in place of a list", BULK, { result_ids = { first = 1 } },
        { result_ids = "must be a list, got a table with string keys" } },
      { "a list with a string key", BULK, { metric_ids = { 1, 2, n = 2 } },
        { metric_ids = "must be a list, got a table with string keys" } },
      { "null in a list", BULK, { result_ids = { 1, null } },
        { ["result_ids[2]"] = "must be an id: a whole number from 1 to " .. MOST
          .. ", got null" } },

      { "no items", EVALUATE, { run_ids = {}, metric_ids = array {} },
        { run_ids = "must have at least 1 item", metric_ids = "must have at least 1 item" } },
      { "no items for the bulk call", BULK, { result_ids = {}, metric_ids = {} },
        { result_ids = "must have at least 1 item", metric_ids = "must have at least 1 item" } },
      { "too many items", BULK, { result_ids = range(101) },
        { result_ids = "must have at most 100 items, got 101: send it in slices" } },

      { "an id twice, in different forms", BULK, { result_ids = { 7, "8", 7.0, "007" } },
        { ["result_ids[3]"] = "is the same id as item 1: it would be evaluated twice",
          ["result_ids[4]"] = "is the same id as item 3: it would be evaluated twice" } },
      { "a run and a metric twice", EVALUATE, { run_ids = { 1, "1" }, metric_ids = { 2, 3, 2 } },
        { ["run_ids[2]"] = "is the same id as item 1: it would be evaluated twice",
          ["metric_ids[3]"] = "is the same id as item 1: it would be evaluated twice" } },
      { "a call log twice", LOGS, { call_logs = { 5, 6, 5 } },
        { ["call_logs[3]"] = "is the same id as item 1: it would be evaluated twice" } },

      { "neither agent nor project", LOGS, { agent_id = none },
        { agent_id = "this or project_id is required" } },
      { "both agent and project", LOGS, { project_id = 14 },
        { agent_id = "this and project_id exclude each other: give one" } },

      { "NaN", VOTE, { expected_value = 0 / 0 },
        { expected_value = "must be a finite number, got nan" } },
      { "an infinity, with its path", VOTE, { expected_value = { a = { 1, -math.huge } } },
        { ["expected_value.a[2]"] = "must be a finite number, got an infinity" } },
      { "a function", VOTE, { expected_value = { f = print } },
        { ["expected_value.f"] = "must be a JSON value, got a function" } },
      { "a coroutine", VOTE, { expected_value = { coroutine.create(print) } },
        { ["expected_value[1]"] = "must be a JSON value, got a thread" } },
      { "a file", VOTE, { expected_value = io.stdout },
        { expected_value = "must be a JSON value, got a userdata" } },
      { "a light userdata that is not null", VOTE, { expected_value = POINTER, run_id = POINTER },
        { expected_value = "must be a JSON value, got userdata",
          run_id = "must be an id: a whole number from 1 to " .. MOST .. ", got userdata" } },
      { "a table that contains itself", VOTE, { expected_value = itself },
        { ["expected_value[1]"] = "contains itself" } },
      { "a table that contains itself further down", VOTE, { expected_value = cyclic },
        { ["expected_value.a[2].b"] = "contains itself" } },
      { "a table with list items and string keys", VOTE, { expected_value = { { 1, 2, x = 3 } } },
        { ["expected_value[1]"] = "is neither a list (keys 1 to n) nor an object (string keys)" } },
      { "a list with a hole, deep inside", VOTE, { expected_value = { a = { [1] = 1, [3] = 3 } } },
        { ["expected_value.a"] = "is neither a list (keys 1 to n) nor an object (string keys)" } },
      { "keys that are booleans", VOTE, { expected_value = { [true] = 1 } },
        { expected_value = "is neither a list (keys 1 to n) nor an object (string keys)" } },
      { "keys that are fractions", VOTE, { expected_value = { [1.5] = 1 } },
        { expected_value = "is neither a list (keys 1 to n) nor an object (string keys)" } },
      { "an object that is marked as an array", VOTE, { expected_value = array { a = 1 } },
        { expected_value = "is neither a list (keys 1 to n) nor an object (string keys)" } },
      { "too much nesting", VOTE, { expected_value = nested(129) },
        { ["expected_value" .. ("[1]"):rep(128)] = "is nested deeper than 128" } },
      { "a value that is not UTF-8", VOTE, { expected_value = { a = { "\xff" } } },
        { ["expected_value.a[1]"] = "must be valid UTF-8" } },
      { "a key that is not UTF-8", VOTE, { expected_value = { { ["\xff"] = 1 } } },
        { ["expected_value[1]"] = "has a key that is not valid UTF-8" } },

      { "an empty list for the query", RUNS, { run_ids = {} },
        { run_ids = "must have at least 1 item" } },
      { "ids for the query in one string", RUNS, { run_ids = "1,2" },
        { run_ids = 'must be a list of ids, got "1,2"' } },
      { "null in the query", RESULTS, { agent_id = null, search = null },
        { agent_id = "must not be null", search = "must not be null" } },
      { "text for the query that is not UTF-8", RESULTS, { search = "caf\xe9" },
        { search = "must be valid UTF-8" } },
      { "page numbers below 1", RESULTS, { page = 0, page_size = -1 },
        { page = "must be at least 1, got 0", page_size = "must be at least 1, got -1" } },
      { "numbers that are not whole", RESULTS, { page = 1.5, page_size = "20" },
        { page = "must be a whole number, got 1.5",
          page_size = 'must be a whole number, got "20"' } },
      { "a missing progress_id", PROGRESS, { progress_id = none },
        { progress_id = "is required" } },
      { "an empty progress_id", PROGRESS, { progress_id = "" },
        { progress_id = "must not be empty" } },
      { "a number as progress_id", PROGRESS, { progress_id = 5 },
        { progress_id = "must be a string, got 5" } },
      { "empty filters", CALLS, { assistant_id = "", filters_v2 = "", call_ids = {} },
        { assistant_id = "must not be empty", filters_v2 = "must not be empty",
          call_ids = "must have at least 1 item" } },
      { "a filter that is a list", CALLS, { filters_v2 = { 1 } },
        { filters_v2 = "must be an object, got a list" } },
      { "a filter that JSON cannot say", CALLS, { filters_v2 = { value = print } },
        { ["filters_v2.value"] = "must be a JSON value, got a function" } },
      { "a number for a filter", CALLS, { filters_v2 = 5 },
        { filters_v2 = "must be an object: a table with string keys, got 5" } },
      { "a slug in place of an id", METRIC, { metric_id = "call_outcome" },
        { metric_id = "must be an id: a whole number from 1 to " .. MOST
          .. ', got "call_outcome"' } },
      { "an update without a field", UPDATE, { description = none },
        { ["(fields)"] = "nothing to change: give at least one field besides the id" } },
      { "an update of an unknown field", UPDATE, { description = none, descripton = "x" },
        { descripton = 'unknown field, did you mean "description"?' } },
      { "null in an update", UPDATE, { description = null },
        { description = "must not be null" } },
      { "wrong types in an update", UPDATE,
        { name = 5, enum_values = "a", std_multiplier = "2", display_order = 1.5, type = "llm",
          metric_description_variables = "a" }, {
          name = "must be a string, got 5", enum_values = 'must be a list of strings, got "a"',
          std_multiplier = 'must be a finite number, got "2"',
          display_order = "must be a whole number from -2147483648 to 2147483647, got 1.5",
          metric_description_variables = 'must be a list, got "a"',
          type = 'must be one of "basic", "custom_prompt", "custom_code", "llm_judge", '
            .. 'got "llm"' } },
      { "wrong items in an update's lists", UPDATE,
        { enum_values = { "a", 5, "\xff" }, agents = { 231, "x" } }, {
          ["enum_values[2]"] = "must be a string, got 5",
          ["enum_values[3]"] = "must be valid UTF-8",
          ["agents[2]"] = "must be an id: a whole number from 1 to " .. MOST .. ', got "x"' } },
      { "what is out of range in an update", UPDATE,
        { name = ("ä"):rep(256), slug = ("x"):rep(256), display_order = 2147483648,
          ewma_alpha = 1 / 0 }, {
          name = "must have at most 255 characters", slug = "must have at most 255 characters",
          display_order = "must be a whole number from -2147483648 to 2147483647, got 2147483648",
          ewma_alpha = "must be a finite number, got inf" } },
      { "labels that are no list", TEST_SET, { metrics = { metric = 55 } },
        { metrics = "must be a list, got a table with string keys" } },
      { "a text for the labels", TEST_SET, { metrics = "55" },
        { metrics = 'must be a list of objects, got "55"' } },
      { "no labels", TEST_SET, { metrics = {} }, { metrics = "must have at least 1 item" } },
      { "every problem of labels", TEST_SET,
        { metrics = { { metric = 55 }, 55, { expected_value = print, feedback = null, metrik = 1 },
          { metric = "x", feedback = 5 } } }, {
          ["metrics[2]"] = "must be an object: a table with string keys, got 55",
          ["metrics[3].metric"] = "is required",
          ["metrics[3].expected_value"] = "must be a JSON value, got a function",
          ["metrics[3].feedback"] = "must not be null",
          ["metrics[3].metrik"] = 'unknown field, did you mean "metric"?',
          ["metrics[4].metric"] = "must be an id: a whole number from 1 to " .. MOST
            .. ', got "x"',
          ["metrics[4].feedback"] = "must be a string, got 5" } },
      { "words that are not known", LIST, { status__in = { "completed", "faild", 5 } },
        { ["status__in[2]"] = true, ["status__in[3]"] = true } },
      { "words that are no list", LIST, { status__in = "completed" },
        { status__in = 'must be a list of strings, got "completed"' } },
      { "texts in place of numbers and booleans", LIST,
        { success = "true", duration__gte = "1" },
        { success = 'must be true or false, got "true"',
          duration__gte = 'must be a finite number, got "1"' } },

      { "several problems of one value at once", VOTE,
        { expected_value = { 0 / 0, { print, ok = 1 }, { x = "\xff" } } }, {
          ["expected_value[1]"] = "must be a finite number, got nan",
          ["expected_value[2]"] = "is neither a list (keys 1 to n) nor an object (string keys)",
          ["expected_value[3].x"] = "must be valid UTF-8" } },
      { "every problem at once", VOTE,
        { run_id = "x", metric_id = none, thumbs_up = "up", expected_value = { print },
          feedback = 1, metrik_id = 55 }, {
          run_id = "must be an id: a whole number from 1 to " .. MOST .. ', got "x"',
          metric_id = "is required", thumbs_up = 'must be true or false, got "up"',
          ["expected_value[1]"] = "must be a JSON value, got a function",
          feedback = "must be a string, got 1",
          metrik_id = 'unknown field, did you mean "metric_id"?' } },
    }

    -- Returns each field with a list of one message; `true` means any message.
    local function lists_of(problems, found)
      local fields = {}
      for path, message in pairs(problems) do
        fields[path] = { message == true and found[path] and found[path][1] or message }
      end
      return fields
    end

    for _, row in ipairs(rows) do
      local what, name, changes, problems = table.unpack(row)

      it(what, function()
        local value, err = calls.make(client, name, changes)
        assert.is_nil(value)
        assert.same(lists_of(problems, err.fields), err.fields)
        assert.same({ "validation", "no", name, 0 },
          { err.kind, err.applied, err.endpoint, err.attempts })
        for path in pairs(problems) do assert.truthy(tostring(err):find(path, 1, true)) end
        assert.same({}, server:requests())
      end)
    end

    for _, time in ipairs {
      "", "now", "2025-01-01", "2025-01-01T00:00:00", "2025-01-01 00:00:00Z", "2025-1-1T00:00:00Z",
      "2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z", "2025-01-32T00:00:00Z",
      "2025-01-00T00:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z",
      "2025-01-01T00:00:61Z", "2025-01-01T00:00:00.Z", "2025-01-01T00:00:00+0200",
      "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00+02:60", "2025-01-01T00:00:00Z ",
      "2025-01-01T00:00:00Z\0", "2025-01-01T00:00:00z", 1735689600,
    } do
      it(("a time such as %q"):format(time), function()
        local _, err = calls.make(client, CALLS, { timestamp_from = time })
        assert.matches('^must be a date and time like "2025%-01%-01T00:00:00Z", got ',
          err.fields.timestamp_from[1])
        assert.same({}, server:requests())
      end)
    end

    for _, selection in ipairs {
      "", "id", "{", "{}", "{id", "{id}}", "{id}{status}", "{id;status}", "{id}\0", "{é}", true,
    } do
      it(("a selection such as %q"):format(tostring(selection)), function()
        local _, err = calls.make(client, LIST, { ql = selection })
        assert.matches('^must be a selection of fields like "{id,status}", got ', err.fields.ql[1])
        assert.same({}, server:requests())
      end)
    end

    -- { what, from, to, whether it is refused }; a missing end is the present.
    for _, row in ipairs {
      { "33 days", "2025-01-01T00:00:00Z", "2025-02-03T00:00:00Z", false },
      { "33 days and a microsecond", "2025-01-01T00:00:00Z", "2025-02-03T00:00:00.000001Z", true },
      { "33 days between zones", "2025-01-01T00:00:00.50Z", "2025-02-03T02:00:00.5+02:00", false },
      { "33 days less a fraction", "2025-01-01T00:00:00.51Z", "2025-02-03T00:00:00.5Z", false },
      { "400 days", "2025-01-01T00:00:00Z", "2026-02-05T00:00:00Z", true },
      { "a negative range", "2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z", false },
      { "years to the present", "2020-01-01T00:00:00Z", nil, true },
      { "a range from the future", "2999-01-01T00:00:00Z", nil, false },
      { "a range without a beginning", nil, "2020-01-01T00:00:00Z", false },
    } do
      it(("%s%s a range of calls"):format(row[1], row[4] and " as" or ", accepted as"), function()
        local _, err = calls.make(client, CALLS,
          { timestamp_from = row[2], timestamp_to = row[3] })
        if row[4] then
          assert.same({ timestamp_to = { "must be at most 33 days after timestamp_from: "
            .. "calls:pages reads longer ranges" } }, err.fields)
        end
        assert.equal(row[4] and 0 or 1, #server:requests())
      end)
    end

    it("many problems with a message that names the first ten", function()
      local _, err = calls.make(client, BULK, { metric_ids = { "a", "b", "c", "d", "e", "f", "g",
        "h", "i", "j", "k", "l", 1 } })
      for i = 1, 12 do assert.truthy(err.fields[("metric_ids[%d]"):format(i)]) end
      assert.is_nil(err.fields["metric_ids[13]"])
      assert.truthy(tostring(err):find('metric_ids[10]: must be an id', 1, true))
      assert.truthy(tostring(err):find('; and 2 more (validation)', 1, true))
    end)

    it("a hundred thousand problems, and makes the next call", function()
      local many = {}
      for i = 1, 100000 do many[i] = "x" end
      local _, err = calls.make(client, LOGS, { metrics = many })
      assert.matches('got "x"', err.fields["metrics[100000]"][1])
      assert.equal(200, sent(VOTE).status)
    end)

    it("line breaks in values and names, with a message of one line", function()
      local _, err = calls.vote(client, { run_id = "1\n2", ["feed\nback"] = 1 })
      assert.equal("validation", err.kind)
      assert.is_nil(tostring(err):find "[\r\n]")
    end)

    it("a long or unprintable name", function()
      local long, control = ("x"):rep(5000), ("\1\""):rep(2000)
      local _, err = calls.vote(client, { [long] = 1 })
      assert.matches("unknown field", err.message, 1, true)
      _, err = calls.vote(client, { run_id = control })
      assert.matches("\\001", err.message, 1, true)
      _, err = calls.vote(client, { expected_value = { [control] = print } })
      assert.matches("got a function", err.message, 1, true)
    end)

    it("a long text, which is cut between characters", function()
      local _, err = calls.vote(client, { run_id = "x" .. ("é"):rep(40) })
      assert.matches("…$", err.fields.run_id[1])
      assert.truthy(utf8.len(err.fields.run_id[1]))
    end)
  end)

  it("reads the table without metamethods", function()
    local _, err = client.metric_reviews:process_feedbacks(
      setmetatable({}, { __index = { metric_id = 55 } }))
    assert.same({ metric_id = { "is required" } }, err.fields)
  end)

  it("does not change its arguments", function()
    local ids = { "7", 8.0 }
    local arguments = { result_ids = ids, metric_ids = { 1 } }
    client.results:bulk_evaluate_metrics(arguments)
    assert.same({ result_ids = { "7", 8.0 }, metric_ids = { 1 } }, arguments)
    assert.equal("float", math.type(ids[2]))
  end)
end)
