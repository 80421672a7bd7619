-- The client against Prism, which serves the API's own documents and refuses what they forbid:
-- what the client sends must pass, and what Prism refuses the client must refuse as well.
-- `make conformance CONTRACT=folder` sets CONTRACT, and PRISM to the program.
--
-- Only the status of Prism's answers matters: their bodies are made up from the documents' types.

local cekura = require "cekura.core"
local cjson = require "cjson"

local contract = assert(os.getenv "CONTRACT", "CONTRACT: the folder of the API's documents")
local prism = assert(os.getenv "PRISM", "PRISM: the path of the program")

local function ids(count, from)
  local list = {}
  for i = 1, count do list[i] = ("%d"):format((from or 100) + i) end
  return "[" .. table.concat(list, ",") .. "]"
end

-- A row is { what, body, id }. Its body is what goes to Prism as it stands, and, decoded, what the
-- client gets, together with the id of the path. The client takes more than the wire does (ids as
-- strings of digits, say), so such rows are neither valid nor invalid here.
local endpoints = {
  {
    document = "runs-mark-metric-vote.yaml",
    resource = "runs", call = "mark_metric_vote", id_field = "run_id", id = "5544",
    path = "/test_framework/v1/runs/%s/mark_metric_vote/",
    -- `expected_value: null` is left out: the document calls it oneOf(anything, null), and null
    -- matches both, so Prism refuses what the API's own schema means to allow.
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

-- A running Prism: { url, stop() }.
local function start_prism(document)
  local log = os.tmpname()
  local pid = output_of(("%s mock --errors --host 127.0.0.1 --port 0 %s >%s 2>&1 & echo $!")
    :format(quote(prism), quote(contract .. "/" .. document), log)):match "%d+"
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

-- The status of a body that is sent as it stands.
local function raw_status(url, body)
  return tonumber(output_of(("curl --silent --output /dev/null --write-out '%%{http_code}' " ..
    "--header 'X-CEKURA-API-KEY: key' --header 'Content-Type: application/json' " ..
    "--data-binary %s %s"):format(quote(body), quote(url))))
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
    setup(function() server = start_prism(endpoint.document) end)
    teardown(function() if server then server.stop() end end)

    for _, row in ipairs(endpoint.valid) do
      local what, body = table.unpack(row)
      it("accepts what the client sends: " .. what, function()
        local value, response = call(endpoint, server.url, body, endpoint.id)
        assert(value ~= nil, response)
        assert.is_true(response.status >= 200 and response.status < 300)
      end)
    end

    for _, row in ipairs(endpoint.invalid) do
      local what, body, id = table.unpack(row)
      id = id or endpoint.id
      it("refuses, as the client does: " .. what, function()
        local status = raw_status(server.url .. endpoint.path:format(id), body)
        assert.is_true(status >= 400 and status < 500, "Prism answered " .. status)

        -- Nobody listens on port 1: had anything been sent, the kind would be "network".
        local value, err = call(endpoint, "http://127.0.0.1:1", body, id)
        assert.is_nil(value)
        assert.equal("validation", err.kind)
      end)
    end
  end)
end
