-- The client against Prism, which validates requests by the API's documents: Prism must accept the
-- client's requests, and the client must refuse the requests that Prism refuses.
--
-- `make conformance` sets CONTRACT, the folder of the documents, and PRISM, the program. `make
-- schemas` writes the documents beside this file. The specs read only the status of Prism's
-- responses, because their bodies are generated from the types.

local cekura = require "cekura.core"
local cjson = require "cjson"

local contract = assert(os.getenv "CONTRACT", "CONTRACT: the folder of the API's documents")
local prism = assert(os.getenv "PRISM", "PRISM: the path of the program")

local function ids(count, from)
  local list = {}
  for i = 1, count do list[i] = ("%d"):format((from or 100) + i) end
  return "[" .. table.concat(list, ",") .. "]"
end

-- A row is { what, body, id }. Prism gets the body as it is; the client gets it decoded, with the
-- id of the path. The client accepts more than the API (such as ids as strings of digits); there is
-- no row for that.
local endpoints = {
  {
    document = "runs-mark-metric-vote.yaml",
    resource = "runs", call = "mark_metric_vote", id_field = "run_id", id = "5544",
    path = "/test_framework/v1/runs/%s/mark_metric_vote/",
    -- There is no row with `expected_value: null`: the document has oneOf(anything, null), and null
    -- matches both, so that Prism refuses it.
    valid = {
      { "down, with feedback",
        [[{"metric_id":55,"thumbs_up":false,"expected_value":2,"feedback":"missed a step"}]] },
      { "up", [[{"metric_id":55,"thumbs_up":true,"expected_value":true}]] },
      { "neither, without feedback",
        [[{"metric_id":55,"thumbs_up":null,"expected_value":"polite","feedback":null}]] },
      { "a fraction", [[{"metric_id":1,"thumbs_up":true,"expected_value":0.5}]] },
      { "a structure",
        [[{"metric_id":1,"thumbs_up":true,"expected_value":{"a":[1,"\u00e9\n",{"b":false}]}}]] },
      { "a large id", [[{"metric_id":9007199254740991,"thumbs_up":true,"expected_value":1}]] },
    },
    invalid = {
      { "no metric", [[{"thumbs_up":true,"expected_value":1}]] },
      { "a metric by name", [[{"metric_id":"tone","thumbs_up":true,"expected_value":1}]] },
      { "a fraction for a metric", [[{"metric_id":5.5,"thumbs_up":true,"expected_value":1}]] },
      { "null for a metric", [[{"metric_id":null,"thumbs_up":true,"expected_value":1}]] },
      { "no thumb", [[{"metric_id":55,"expected_value":1}]] },
      { "a word for a thumb", [[{"metric_id":55,"thumbs_up":"yes","expected_value":1}]] },
      { "no expected value", [[{"metric_id":55,"thumbs_up":true}]] },
      { "a number for feedback",
        [[{"metric_id":55,"thumbs_up":true,"expected_value":1,"feedback":5}]] },
      { "a list for feedback",
        [[{"metric_id":55,"thumbs_up":true,"expected_value":1,"feedback":["x"]}]] },
      { "a run by name", [[{"metric_id":55,"thumbs_up":true,"expected_value":1}]], "last" },
    },
  },
  {
    document = "results-evaluate-metrics.yaml",
    resource = "results", call = "evaluate_metrics", id_field = "result_id", id = "4242",
    path = "/test_framework/v1/results/%s/evaluate_metrics/",
    valid = {
      { "one run, one metric", [[{"run_ids":["1"],"metric_ids":["2"]}]] },
      { "several", [[{"run_ids":["1","2","3"],"metric_ids":["4","5"]}]] },
      { "a large id", [[{"run_ids":["9223372036854775807"],"metric_ids":["2"]}]] },
    },
    invalid = {
      { "nothing", [[{}]] },
      { "no metrics", [[{"run_ids":["1"]}]] },
      { "no runs", [[{"metric_ids":["1"]}]] },
      { "an empty list of runs", [[{"run_ids":[],"metric_ids":["1"]}]] },
      { "an empty list of metrics", [[{"run_ids":["1"],"metric_ids":[]}]] },
      { "booleans for runs", [[{"run_ids":[true],"metric_ids":["1"]}]] },
      { "lists for metrics", [=[{"run_ids":["1"],"metric_ids":[["1"]]}]=] },
      { "null for a run", [[{"run_ids":[null],"metric_ids":["1"]}]] },
      { "an object for runs", [[{"run_ids":{"a":"1"},"metric_ids":["1"]}]] },
      { "a result by name", [[{"run_ids":["1"],"metric_ids":["2"]}]], "last" },
    },
  },
  {
    document = "results-bulk-evaluate-metrics.yaml",
    resource = "results", call = "bulk_evaluate_metrics",
    path = "/test_framework/v1/results/bulk_evaluate_metrics/",
    valid = {
      { "one result, one metric", [[{"result_ids":[1],"metric_ids":[2]}]] },
      { "a hundred results", [[{"result_ids":]] .. ids(100) .. [[,"metric_ids":[1,2,3]}]] },
    },
    invalid = {
      { "a hundred and one results", [[{"result_ids":]] .. ids(101) .. [[,"metric_ids":[1]}]] },
      { "an empty list of results", [[{"result_ids":[],"metric_ids":[1]}]] },
      { "an empty list of metrics", [[{"result_ids":[1],"metric_ids":[]}]] },
      { "no results", [[{"metric_ids":[1]}]] },
      { "no metrics", [[{"result_ids":[1]}]] },
      { "a fraction", [[{"result_ids":[1.5],"metric_ids":[1]}]] },
      { "a name", [[{"result_ids":["last"],"metric_ids":[1]}]] },
      { "null in a list", [[{"result_ids":[1],"metric_ids":[null]}]] },
      { "null for a list", [[{"result_ids":null,"metric_ids":[1]}]] },
      { "a number for a list", [[{"result_ids":[1],"metric_ids":1}]] },
    },
  },
  {
    document = "call-logs-evaluate-metrics.yaml",
    resource = "calls", call = "evaluate_metrics",
    path = "/observability/v1/call-logs/evaluate_metrics/",
    valid = {
      { "of an agent", [[{"agent_id":224,"call_logs":[123,456],"metrics":[789,790]}]] },
      { "of a project", [[{"project_id":456,"call_logs":[123],"metrics":[789]}]] },
    },
    invalid = {
      { "no call logs", [[{"agent_id":224,"metrics":[789]}]] },
      { "no metrics", [[{"agent_id":224,"call_logs":[123]}]] },
      { "an agent by name", [[{"agent_id":"front desk","call_logs":[123],"metrics":[789]}]] },
      { "null for an agent", [[{"agent_id":null,"call_logs":[123],"metrics":[789]}]] },
      { "a fraction", [[{"agent_id":224,"call_logs":[1.5],"metrics":[789]}]] },
      { "a word for a list", [[{"agent_id":224,"call_logs":[123],"metrics":"all"}]] },
      { "a boolean in a list", [[{"project_id":456,"call_logs":[123,false],"metrics":[789]}]] },
    },
  },
  {
    document = "metric-reviews-process-feedbacks.yaml",
    resource = "metric_reviews", call = "process_feedbacks",
    path = "/test_framework/metric-reviews/process_feedbacks/",
    valid = {
      { "a metric", [[{"metric_id":55}]] },
      { "everything", [[{"metric_id":55,"metric_type":"llm_judge","test_set_ids":[1,2],
                         "simplified_prompt":"Was the agent polite?","skip_evaluation":true}]] },
      { "custom code", [[{"metric_id":55,"metric_type":"custom_code"}]] },
      { "a custom prompt", [[{"metric_id":55,"metric_type":"custom_prompt"}]] },
      { "the basic type", [[{"metric_id":55,"metric_type":"basic","skip_evaluation":false}]] },
    },
    invalid = {
      { "no metric", [[{"skip_evaluation":true}]] },
      { "a metric by name", [[{"metric_id":"tone"}]] },
      { "an unknown type", [[{"metric_id":55,"metric_type":"llm"}]] },
      { "null for a type", [[{"metric_id":55,"metric_type":null}]] },
      { "a number for test sets", [[{"metric_id":55,"test_set_ids":5}]] },
      { "a test set by name", [[{"metric_id":55,"test_set_ids":["first"]}]] },
      { "a number for the prompt", [[{"metric_id":55,"simplified_prompt":5}]] },
      { "null for the prompt", [[{"metric_id":55,"simplified_prompt":null}]] },
      { "a word for a flag", [[{"metric_id":55,"skip_evaluation":"yes"}]] },
    },
  },
}

-- The other endpoints, of one document. A row of `valid` is { what, arguments }, and a row of
-- `invalid` is { what, arguments, path and query, body }.
local RESULTS, RUNS = "/test_framework/v1/results/", "/test_framework/v1/runs/"
local LOGS, METRICS = "/observability/v1/call-logs/", "/test_framework/v1/metrics/"
local PROGRESS = "/test_framework/metric-reviews/process_feedbacks_progress/"
local BILLING = "/test_framework/billing/info/"

-- Prism does not check minLength in a query.
local companions = {
  ["results.get"] = {
    valid = { { "by id", { result_id = 373 } }, { "by digits", { result_id = "4242" } } },
    invalid = { { "by name", { result_id = "last" }, RESULTS .. "last/" } },
  },
  ["results.list"] = {
    valid = {
      { "all", {} },
      { "by everything", { agent_id = 1, project_id = 2, search = "a b&c=d/é",
        scenarios = { 24270, 24271 }, page = 1, page_size = 100 } },
    },
    invalid = {
      { "a page by name", { page = "first" }, RESULTS .. "?page=first" },
      { "a fraction", { page_size = 1.5 }, RESULTS .. "?page_size=1.5" },
      { "an agent by name", { agent_id = "front desk" }, RESULTS .. "?agent_id=front%20desk" },
    },
  },
  ["runs.get"] = {
    valid = { { "by id", { run_id = 5544 } } },
    invalid = { { "by name", { run_id = "last" }, RUNS .. "last/" } },
  },
  ["runs.bulk"] = {
    valid = { { "one", { run_ids = { 1 } } }, { "several", { run_ids = { 1, 2, "3" } } } },
    invalid = { { "none", {}, RUNS .. "bulk/" } },
  },
  ["calls.get"] = {
    valid = { { "by id", { call_log_id = 70023 } } },
    invalid = { { "by name", { call_log_id = "last" }, LOGS .. "last/" } },
  },
  ["calls.list"] = {
    valid = {
      { "all", {} },
      { "by everything", { agent_id = 1, project_id = 2, timestamp_from = "2025-01-01T00:00:00Z",
        timestamp_to = "2025-01-31T23:59:59.5+02:00", call_ids = { 1, 2 }, page = 2,
        page_size = 50, assistant_id = "asst_1234567890",
        filters_v2 = { field = "success", op = "eq", value = true } } },
    },
    invalid = {
      { "a day for a time", { timestamp_to = "2025-01-01" }, LOGS .. "?timestamp_to=2025-01-01" },
      { "a word for a time", { timestamp_to = "now" }, LOGS .. "?timestamp_to=now" },
      { "a month that is none", { timestamp_to = "2025-13-01T00:00:00Z" },
        LOGS .. "?timestamp_to=2025-13-01T00%3A00%3A00Z" },
      { "a project by name", { project_id = "x" }, LOGS .. "?project_id=x" },
    },
  },
  ["calls.mark_metric_vote"] = {
    valid = { { "down", { call_log_id = 1, metric_id = 55, thumbs_up = false, expected_value = 2,
      feedback = "missed a step" } } },
    invalid = {
      { "no metric", { call_log_id = 1, thumbs_up = true, expected_value = 1 },
        LOGS .. "1/mark_metric_vote/", [[{"thumbs_up":true,"expected_value":1}]] },
      { "a word for a thumb", { call_log_id = 1, metric_id = 5, thumbs_up = "up",
        expected_value = 1 }, LOGS .. "1/mark_metric_vote/",
        [[{"metric_id":5,"thumbs_up":"up","expected_value":1}]] },
    },
  },
  ["metric_reviews.process_feedbacks_progress"] = {
    valid = {
      { "a job", { progress_id = "a-1" } },
      { "with whose it is", { progress_id = "a/1 é", agent_id = 1, project_id = 2 } },
    },
    invalid = { { "no job", {}, PROGRESS } },
  },
  ["metrics.get"] = {
    valid = { { "by id", { metric_id = 55 } }, { "by slug", { metric_id = "latency_metric" } } },
    invalid = {},
  },
  ["metrics.update"] = {
    valid = {
      { "a text", { metric_id = 55, description = "" } },
      { "everything", { metric_id = 55, name = "n", description = "d", type = "llm_judge",
        prompt = "p", custom_code = "c", eval_type = "enum", enum_values = { "a", "b" },
        evaluation_trigger = "custom", trigger_type = "custom_code",
        evaluation_trigger_prompt = "t", evaluation_trigger_custom_code = "e",
        audio_enabled = true, simulation_enabled = false, observability_enabled = true,
        sampling_enabled = false, add_to_new_agents = cekura.null, configuration = { a = 1 },
        display_order = -1, assistant_id = "x", project = 14, agents = { 231, 232 } } },
    },
    invalid = {
      { "by slug", { metric_id = "latency", name = "n" }, METRICS .. "latency/", [[{"name":"n"}]] },
      { "a number for a name", { metric_id = 55, name = 5 }, METRICS .. "55/", [[{"name":5}]] },
      { "null for a name", { metric_id = 55, name = cekura.null }, METRICS .. "55/",
        [[{"name":null}]] },
      { "a text for a list", { metric_id = 55, enum_values = "a" }, METRICS .. "55/",
        [[{"enum_values":"a"}]] },
      { "a list for an object", { metric_id = 55, configuration = { 1 } }, METRICS .. "55/",
        [[{"configuration":[1]}]] },
      { "a fraction", { metric_id = 55, display_order = 1.5 }, METRICS .. "55/",
        [[{"display_order":1.5}]] },
      { "an unknown type", { metric_id = 55, eval_type = "x" }, METRICS .. "55/",
        [[{"eval_type":"x"}]] },
    },
  },
  ["billing.info"] = {
    valid = { { "of the key", {} }, { "of one", { organization_id = 37 } } },
    invalid = { { "by name", { organization_id = "us" }, BILLING .. "?organization_id=us" } },
  },
}

local function read_all(name)
  local file = assert(io.open(name))
  local text = file:read "a"
  file:close()
  return text
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Starts Prism with these flags. Returns { url, stop() }.
local function start_prism(document, flags)
  local log = os.tmpname()
  local pid = output_of(("%s mock %s --host 127.0.0.1 --port 0 %s >%s 2>&1 & echo $!")
    :format(quote(prism), flags, quote(contract .. "/" .. document), log)):match "%d+"
  local function stop()
    os.execute("kill " .. pid .. " 2>&1")
    os.remove(log)
  end
  for _ = 1, 300 do  -- 30 s
    local url = read_all(log):match "listening on (http://[%d.:]+)"
    if url then return { url = url, stop = stop } end
    os.execute "sleep 0.1"
  end
  local said = read_all(log)
  stop()
  error("Prism does not start: " .. said)
end

-- Sends a request with this body, or without one if it is nil. Returns the status.
local function raw_status(method, url, body)
  local data = body and "--header 'Content-Type: application/json' --data-binary " .. quote(body)
  return tonumber(output_of(("curl --silent --output /dev/null --write-out '%%{http_code}' " ..
    "--header 'X-CEKURA-API-KEY: key' --request %s %s %s"):format(method, data or "", quote(url))))
end

local function call(endpoint, api_url, body, id)
  local client <close> = assert(cekura.new { api_key = "key", api_url = api_url })
  local arguments = cjson.decode(body)
  if endpoint.id_field then arguments[endpoint.id_field] = id end
  local resource = client[endpoint.resource]
  return resource[endpoint.call](resource, arguments)
end

for _, endpoint in ipairs(endpoints) do
  describe(endpoint.document, function()
    local server
    setup(function() server = start_prism(endpoint.document, "--errors") end)
    teardown(function() if server then server.stop() end end)

    for _, row in ipairs(endpoint.valid) do
      local what, body = table.unpack(row)
      it("accepts the client's request: " .. what, function()
        local value, response = call(endpoint, server.url, body, endpoint.id)
        assert(value ~= nil, response)
        assert.is_true(response.status >= 200 and response.status < 300)
      end)
    end

    for _, row in ipairs(endpoint.invalid) do
      local what, body, id = table.unpack(row)
      id = id or endpoint.id
      it("refuses what the client refuses: " .. what, function()
        local status = raw_status("POST", server.url .. endpoint.path:format(id), body)
        assert.is_true(status >= 400 and status < 500, "Prism answered " .. status)

        -- Port 1 is closed: if anything were sent, the kind would be "network".
        local value, err = call(endpoint, "http://127.0.0.1:1", body, id)
        assert.is_nil(value)
        assert.equal("validation", err.kind)
      end)
    end
  end)
end

-- Without --errors, because Prism's own responses violate these schemas (oneOf of anything and
-- null).
describe("companions.json", function()
  local server
  setup(function() server = start_prism("companions.json", "") end)
  teardown(function() if server then server.stop() end end)

  local function make(name, api_url, arguments)
    local client <close> = assert(cekura.new { api_key = "key", api_url = api_url })
    local resource, call_name = name:match "^(.*)%.(.*)$"
    return client[resource][call_name](client[resource], arguments)
  end

  for name, rows in pairs(companions) do
    for _, row in ipairs(rows.valid) do
      it(("accepts a request of %s: %s"):format(name, row[1]), function()
        local value, response = make(name, server.url, row[2])
        assert(value ~= nil, response)
      end)
    end

    for _, row in ipairs(rows.invalid) do
      local what, arguments, target, body = table.unpack(row, 1, 4)
      it(("refuses what %s refuses: %s"):format(name, what), function()
        local status = raw_status(cekura.endpoints[name].method, server.url .. target, body)
        assert.is_true(status >= 400 and status < 500, "Prism answered " .. status)
        local value, err = make(name, "http://127.0.0.1:1", arguments)
        assert.is_nil(value)
        assert.equal("validation", err.kind)
      end)
    end
  end

  -- ---- the rows of the contract

  local document = cjson.decode(read_all(contract .. "/companions.json"))

  local function schema_of(node)
    local name = node["$ref"] and node["$ref"]:match "[^/]+$"
    return name and document.components.schemas[name] or node
  end

  -- Returns the fields of an operation by name: { schema, required }. The id in the path is called
  -- `id` in all documents.
  local function documented(operation)
    local fields = {}
    for _, parameter in ipairs(operation.parameters) do
      fields[parameter.name] = { schema = parameter.schema, required = parameter.required == true }
    end
    local content = operation.requestBody and operation.requestBody.content["application/json"]
    local schema = content and schema_of(content.schema) or {}
    for field, property in pairs(schema.properties or {}) do
      if not property.readOnly then fields[field] = { schema = property, required = false } end
    end
    for _, field in ipairs(schema.required or {}) do fields[field].required = true end
    return fields
  end

  -- Returns the type of a schema, and whether it allows null.
  local function type_of(schema)
    local kind = schema.type
    if schema.oneOf then return "any", true end
    if type(kind) == "table" then return kind[1], kind[2] == "null" end
    return kind, false
  end

  local function sorted(list)
    local words = { table.unpack(list or {}) }
    table.sort(words)
    return words
  end

  local function compare(field, known)
    local kind, nullable = type_of(known.schema)
    local is_joined = field.place == "query" and field.type == "array"  -- "1,2,3"
    assert.same({ kind, nullable, known.required },
      { is_joined and "string" or field.type, field.nullable, field.required }, field.name)
    assert.same(sorted(known.schema.enum), sorted(field.enum))
    if known.schema.items then assert.equal(known.schema.items.type, field.items) end
    if known.schema.minLength then assert.equal(1, field.min_length or field.min_items) end
  end

  for path, item in pairs(document.paths) do
    for method, operation in pairs(item) do
      it("agrees with the row of " .. operation.operationId, function()
        local row
        for _, endpoint in ipairs(cekura.endpoints) do
          if endpoint.operation == operation.operationId then row = endpoint end
        end
        assert.same({ method:upper(), path }, { row.method, (row.path:gsub("{.-}", "{id}")) })
        local fields = documented(operation)
        for _, field in ipairs(row.fields) do
          local name = field.place == "path" and "id" or field.name
          compare(field, assert(fields[name], name))
          fields[name] = nil
        end
        assert.is_nil(next(fields))
      end)
    end
  end
end)
