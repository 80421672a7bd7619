-- cekura.values: from the bytes of a response to the rows, for both versions of the API's reads,
-- for runs and call logs, and for responses of any other shape.
local cekura = require "cekura"
local faults = require "support.faults"
local locale = require "support.locale"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"
local script = require "support.script"

-- A value of a row that says that the metric did not apply, and one that cannot be read.
local NONE, UNREADABLE = {}, {}

-- { entry without its id, kind, value }
local ENTRIES = {
  -- version 1
  { '"type":"binary","score":5', "binary", true },
  { '"type":"binary","score":0', "binary", false },
  { '"type":"binary","score":5.0,"enum":null,"value":null', "binary", true },
  { '"type":"binary","score":0.0,"enum":"","value":""', "binary", false },
  { '"type":"binary","score":null', "binary", NONE },
  { '"type":"binary_workflow_adherence","score":5', "binary", true },
  { '"type":"binary_qualitative","score":0', "binary", false },
  { '"type":"continuous_qualitative","score":2.5', "number", 2.5 },
  { '"type":"numeric","score":5', "number", 5 },
  { '"type":"numeric","score":0', "number", 0 },
  { '"type":"numeric","score":null', "number", NONE },
  { '"type":"enum","score":null,"enum":"confirmed","value":"confirmed"', "enum", "confirmed" },
  { '"type":"enum","score":0,"enum":"confirmed"', "enum", "confirmed" },
  { '"type":"enum","enum":null,"value":"confirmed"', "enum", "confirmed" },
  { '"type":"enum","enum":"","value":"confirmed"', "enum", "confirmed" },
  { '"type":"enum","enum":"confirmed","value":"other"', "enum", "confirmed" },
  { '"type":"enum","score":"confirmed"', "enum", "confirmed" },
  { '"type":"enum","score":null,"enum":null,"value":null', "enum", NONE },
  { '"type":"enum","score":0,"enum":"","value":""', "enum", NONE },

  -- version 2
  { '"type":"binary","eval_type":"binary","score":true,"passed":true', "binary", true },
  { '"type":"binary","eval_type":"binary","score":false,"passed":false', "binary", false },
  { '"type":"binary","eval_type":"binary","score":null,"passed":null', "binary", NONE },
  { '"type":"binary","eval_type":"binary","score":true', "binary", true },
  { '"type":"binary","eval_type":"binary","score":false,"passed":null', "binary", false },
  { '"eval_type":"binary","passed":true', "binary", true },
  { '"eval_type":"binary","score":null,"passed":false', "binary", false },
  { '"eval_type":"binary","score":5,"passed":true', "binary", true },
  { '"eval_type":"binary","score":0,"passed":true', "binary", false },  -- the score decides
  { '"type":"custom_code","eval_type":"binary","score":5', "binary", true },
  { '"type":"binary","eval_type":"numeric","score":5,"passed":true', "number", 5 },
  { '"type":"binary","eval_type":null,"score":5', "binary", true },
  { '"type":"binary","eval_type":"a_newer_type","score":5', "binary", true },
  { '"type":"enum","eval_type":"enum","score":null,"enum":"true","value":"true"', "enum", "true" },
  { '"type":"numeric","eval_type":"numeric","score":1,"passed":false', "number", 1 },
  { '"type":"numeric","eval_type":"numeric","score":null,"passed":true', "number", NONE },

  -- other encodings of a binary metric
  { '"type":"binary","score":1', "binary", true },
  { '"type":"binary","score":"5"', "binary", true },
  { '"type":"binary","score":"5.0"', "binary", true },
  { '"type":"binary","score":"1"', "binary", true },
  { '"type":"binary","score":"0"', "binary", false },
  { '"type":"binary","score":"true"', "binary", true },
  { '"type":"binary","score":"False"', "binary", false },
  { '"type":"binary","score":"PASS"', "binary", true },
  { '"type":"binary","score":"Fail"', "binary", false },
  { '"type":"binary","score":"passed"', "binary", true },
  { '"type":"binary","score":"FAILED"', "binary", false },
  { '"type":"binary","score":null,"value":"true"', "binary", true },
  { '"type":"Binary","score":5', "binary", true },

  -- numbers
  { '"type":"numeric","score":"2.5"', "number", 2.5 },
  { '"type":"numeric","score":"-3"', "number", -3 },
  { '"type":"numeric","score":"1e3"', "number", 1000 },
  { '"type":"numeric","score":3.0', "number", 3 },
  { '"type":"numeric","score":9007199254740993', "number", 9007199254740993 },
  { '"type":"numeric","score":null,"value":"7"', "number", 7 },
  { '"type":"numeric","score":NaN', "number", NONE },

  -- enums that are not text
  { '"type":"enum","enum":3', "enum", "3" },
  { '"type":"enum","enum":3.0', "enum", "3" },
  { '"type":"enum","enum":2.5', "enum", "2.5" },
  { '"type":"enum","enum":true', "enum", "true" },

  -- values that are not values of their kind are not guessed
  { '"type":"binary","score":3', "binary", UNREADABLE },
  { '"type":"binary","score":100', "binary", UNREADABLE },
  { '"type":"binary","score":0.5', "binary", UNREADABLE },
  { '"type":"binary","score":-1', "binary", UNREADABLE },
  { '"type":"binary","score":"maybe"', "binary", UNREADABLE },
  { '"type":"binary","score":"0x5"', "binary", UNREADABLE },
  { '"type":"binary","score":[true]', "binary", UNREADABLE },
  { '"type":"binary","score":{}', "binary", UNREADABLE },
  { '"type":"numeric","score":true', "number", UNREADABLE },
  { '"type":"numeric","score":"n/a"', "number", UNREADABLE },
  { '"type":"numeric","score":"0x10"', "number", UNREADABLE },
  { '"type":"numeric","score":"2,5"', "number", UNREADABLE },
  { '"type":"numeric","score":"nan"', "number", UNREADABLE },
  { '"type":"numeric","score":"1e999"', "number", UNREADABLE },
  { '"type":"numeric","score":1e999', "number", UNREADABLE },
  { '"type":"numeric","score":"' .. ("1"):rep(100000) .. 'x"', "number", UNREADABLE },
  { '"type":"enum","enum":["confirmed"]', "enum", UNREADABLE },
  { '"type":"binary","score":3,"passed":true', "binary", true },  -- but another field is read

  -- without a known type
  { '"score":5', "number", 5 },
  { '"score":false', "binary", false },
  { '"score":"5"', "enum", "5" },
  { '"enum":"confirmed","score":0', "enum", "confirmed" },
  { '"value":"confirmed"', "enum", "confirmed" },
  { '"passed":true', "binary", true },
  { '"score":2,"passed":true', "number", 2 },
  { '"type":"basic","score":5', "number", 5 },
  { '"type":7,"score":true', "binary", true },
  { '"score":null', nil, NONE },
  { '"score":[]', nil, UNREADABLE },
}

-- The places of the metrics: { what, function of the client, its arguments, the response }
local PLACES = {
  { "a run", "runs", "get", { run_id = 1 }, '{"id":1,"evaluation":{"metrics":%s}}' },
  { "a call log", "calls", "get", { call_log_id = 1 }, '{"id":1,"evaluation":{"metrics":%s}}' },
  { "a call log of a list", "calls", "list", { agent_id = 1 },
    '{"next":null,"results":[{"id":1,"metrics":%s}]}' },
  { "a call log without an evaluation", "calls", "get", { call_log_id = 1 },
    '{"id":1,"evaluation":null,"metrics":%s}' },
  { "a call log whose evaluation is a text", "calls", "get", { call_log_id = 1 },
    '{"id":1,"evaluation":"done","metrics":%s}' },
  { "a run whose evaluation has no list", "runs", "get", { run_id = 1 },
    '{"id":1,"evaluation":{"metrics":"3 metrics"},"metrics":%s}' },
}

describe("cekura.values", function()
  local server, client

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  after_each(function() client:close() end)

  -- Returns the value that a call returns if the server responds with this text.
  local function get(place, text, options)
    client = retries.client(server, options)
    server:script { faults.ok(text) }
    local value = assert(client[place[2]][place[3]](client[place[2]], place[4]))
    return value.results and value.results[1] or value
  end

  local function rows_of(place, metrics, options)
    return cekura.values(get(place, place[5]:format(metrics), options))
  end

  local function all_entries()
    local list = {}
    for i, row in ipairs(ENTRIES) do list[i] = ('{"id":%d,%s}'):format(i, row[1]) end
    return "[" .. table.concat(list, ",") .. "]"
  end

  for _, place in ipairs(PLACES) do
    for _, keep_null in ipairs { false, true } do
      local how = keep_null and ", nulls included" or ""
      it(("reads every encoding of %s%s"):format(place[1], how), function()
        local rows = rows_of(place, all_entries(), { keep_null = keep_null })
        assert.equal(#ENTRIES, #rows)
        for i, expected in ipairs(ENTRIES) do
          local row, value = rows[i], expected[3]
          local shown = expected[1]:sub(1, 200)
          assert.equal(i, row.id, shown)
          assert.equal(expected[2], row.kind, shown)
          assert.equal(value ~= NONE, row.applies, shown)
          if value == NONE or value == UNREADABLE then value = nil end
          assert.equal(value, row.value, shown)
          assert.equal(math.type(value), math.type(row.value), shown)
        end
      end)
    end
  end

  it("keeps the order, the name and the explanation of the response", function()
    assert.same({
      { id = 57, name = "Steps", kind = "number", value = 2, applies = true,
        explanation = { "two of three" } },
      { id = 55, name = "Polite", kind = "binary", applies = false },
      { id = 57, name = "Steps", kind = "number", value = 3, applies = true,
        explanation = "as a text" },
    }, rows_of(PLACES[1], [=[[
      {"id":57,"name":"Steps","type":"numeric","score":2,"explanation":["two of three"]},
      {"id":55,"name":"Polite","type":"binary","score":null,"explanation":null},
      {"id":57,"name":"Steps","type":"numeric","score":3,"explanation":"as a text"}]]=],
      { keep_null = true }))
  end)

  it("reads an id that is written as a float or as digits, and no other", function()
    local rows = rows_of(PLACES[1], [=[[{"id":55.0},{"id":"55"},{"id":"9223372036854775807"},
      {"id":"polite"},{"id":5.5},{"id":null},{"id":[55]},{"name":7}]]=])
    local ids = {}
    for i, row in ipairs(rows) do ids[i] = row.id or false end
    assert.same({ 55, 55, math.maxinteger, false, false, false, false, false }, ids)
    assert.is_nil(rows[8].name)
  end)

  it("skips items that are not objects", function()
    local rows = rows_of(PLACES[1], '[null,5,"55",true,{"id":55,"type":"binary","score":5}]')
    assert.equal(1, #rows)
    assert.is_true(rows[1].value)
  end)

  it("returns an empty list for a call that has not been evaluated", function()
    for _, text in ipairs { '{"id":1}', '{"id":1,"evaluation":null}', '{"id":1,"evaluation":{}}',
      '{"id":1,"evaluation":"pending"}', '{"id":1,"evaluation":{"metrics":null}}',
      '{"id":1,"evaluation":{"metrics":[]}}', '{"id":1,"metrics":"[]"}', '{"id":1,"metrics":{}}',
      '{"id":1,"evaluation":[],"metrics":null}', "{}" } do
      for _, keep_null in ipairs { false, true } do
        assert.same({}, cekura.values(get(PLACES[1], text, { keep_null = keep_null })), text)
        client:close()
      end
    end
  end)

  it("reads the same in every locale", function()
    local turkish <close> = locale.turkish()
    if not turkish then return end
    local output = script.run(turkish.SET .. [[
      local cekura = require "cekura"
      for _, row in ipairs(cekura.values { metrics = {
        { type = "BINARY", score = "FAIL" }, { type = "numeric", score = "2.5" },
        { type = "numeric", score = "2,5" }, { type = "enum", enum = 2.5 } } }) do
        print(row.kind, row.value == 2.5 and "2.5" or row.value)
      end]], { LOCPATH = turkish.folder, LC_ALL = false })
    assert.equal("binary\tfalse\nnumber\t2.5\nnumber\tnil\nenum\t2.5\n", output)
  end)

  it("does not change the call", function()
    local run = get(PLACES[1], '{"evaluation":{"metrics":[{"id":"5","type":"binary","score":5}]}}')
    cekura.values(run)[1].value = "changed"
    assert.same({ evaluation = { metrics = { { id = "5", type = "binary", score = 5 } } } }, run)
  end)
end)

describe("cekura.values reads the same of both versions of the sandbox:", function()
  local server, client

  setup(function()
    server = sandbox.start()
    client = assert(cekura.new { api_url = server.url, api_key = server.api_key })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)

  -- Returns the encodings of binary metrics that a response has: { "number", "boolean" }.
  local function encodings(calls)
    local found = {}
    for _, call in ipairs(calls) do
      for _, entry in ipairs((call.evaluation or call).metrics) do
        if entry.type == "binary" and entry.score ~= nil then found[type(entry.score)] = true end
      end
    end
    return found
  end

  -- Returns how many values of each kind there are. Fails unless both versions have the same.
  local function compare(old, new)
    local counts = { binary = 0, number = 0, enum = 0 }
    assert.same({ number = true }, encodings(old))
    assert.same({ boolean = true }, encodings(new))
    for i, call in ipairs(old) do
      local rows = cekura.values(call)
      assert.same(rows, cekura.values(new[i]))
      for _, row in ipairs(rows) do counts[row.kind] = counts[row.kind] + 1 end
    end
    return counts
  end

  local function get(path, query)
    return assert(client:request { method = "GET", path = path, query = query })
  end

  it("runs", function()
    local ids = server:state("results", 373).run_ids
    local old = get("/test_framework/v1/runs/bulk/", { run_ids = ids })
    local counts = compare(old, assert(client.runs:bulk { run_ids = ids }))
    assert.is_true(counts.binary > 0 and counts.number > 0 and counts.enum > 0)
  end)

  it("call logs", function()
    local list = { agent_id = 231, page_size = 100 }
    compare(get("/observability/v1/call-logs/", list).results,
      assert(client.calls:list(list)).results)
  end)

  it("each vote on a binary metric, in whatever way it is encoded", function()
    local run, id = { run_id = 5544, thumbs_up = false }, nil
    for metric_id in pairs(server:state("runs", 5544).metrics) do
      if server:state("metrics", metric_id).eval_type == "binary" then id = metric_id end
    end
    run.metric_id = assert(id)
    for expected, encoded in pairs { [true] = { 5, 1, true, "true", "Pass", "5" },
      [false] = { 0, false, "False", "fail" } } do
      for _, value in ipairs(encoded) do
        run.expected_value = value
        assert(client.runs:mark_metric_vote(run))
        assert.equal(expected, server:state("runs", 5544).metrics[id].expected_value, value)
      end
    end
    run.expected_value = 3
    assert(client.runs:mark_metric_vote(run))
    assert.equal(3, server:state("runs", 5544).metrics[id].expected_value)
  end)
end)

describe("cekura.values raises at the caller's line", function()
  for what, row in pairs {
    ["nothing"] = { "expected a run or a call log, got nil" },
    ["a text"] = { "expected a run or a call log, got string", "x" },
    ["null"] = { "expected a run or a call log, got null", cekura.null },
    ["a list of runs"] = { "expected a run or a call log, got a list", { {}, {} } },
  } do
    it("for " .. what, function()
      local _, message = pcall(function() cekura.values(row[2]) end)
      assert.matches("^spec/api/values_spec.lua:%d+: values: " .. row[1] .. "$", message)
    end)
  end

  it("if called with a colon", function()
    local _, message = pcall(function() cekura:values { id = 1 } end)
    assert.matches("^spec/api/values_spec.lua:%d+: call it with a dot: cekura%.values", message)
  end)
end)
