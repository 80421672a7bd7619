--- Requests to the sandbox by curl, so that nothing of this project is at both ends of the wire.

local clock = require "support.clock"
local cjson = require "cjson"

local wire = {
  VOTE = "/test_framework/v1/runs/5544/mark_metric_vote/",
  RUN = "/test_framework/v2/runs/5544/",
  RESULTS = "/test_framework/v2/results/",
  EVALUATE = "/test_framework/v1/results/373/evaluate_metrics/",
  BULK = "/test_framework/v1/results/bulk_evaluate_metrics/",
  CALLS = "/observability/v2/call-logs/",
  FEEDBACKS = "/test_framework/metric-reviews/process_feedbacks/",
  PROGRESS = "/test_framework/metric-reviews/process_feedbacks_progress/?progress_id=",
  METRIC = "/test_framework/v2/metrics/55/",
  BILLING = "/test_framework/billing/info/",
  GOOD_VOTE = [[{"metric_id": 55, "thumbs_up": false, "expected_value": 2, "feedback": "x"}]],
}

--- The factor of all times under a sanitizer or valgrind.
wire.PATIENCE = (os.getenv "CEKURA_RUN" or "") == "" and 1 or 6

function wire.quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

--- Returns what curl prints. curl itself runs without a sanitizer.
function wire.curl(...)
  local words = { "env -u LD_PRELOAD curl -s -S -m 120" }
  for _, word in ipairs { ... } do words[#words + 1] = wire.quote(word) end
  local pipe <close> = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  return pipe:read "a"
end

--- Decodes the body of a response at its first use.
local DECODED = {
  __index = function(response, name)
    if name ~= "body" then return nil end
    response.body = cjson.decode(response.text)
    return response.body
  end,
}

--- Returns { status, headers (lower-case names), text, body (decoded) }, or { failure }.
local function parse(output)
  local head, text = output:match "^(.-)\r\n\r\n(.*)$"
  if not head then return { failure = output } end
  local response = { status = tonumber(head:match "^HTTP/1.1 (%d+)"), headers = {}, text = text }
  for name, value in head:gmatch "\n([^:\r\n]+): ([^\r\n]*)" do
    response.headers[name:lower()] = value
  end
  return setmetatable(response, DECODED)
end

--- Sends a request and returns the response. `body` is text; `headers` replace the usual ones.
function wire.send(server, method, path, body, headers)
  local all = { ["X-CEKURA-API-KEY"] = server.api_key, ["Content-Type"] = "application/json" }
  for name, value in pairs(headers or {}) do all[name] = value end
  local words = { "-i", "-g", "-X", method, server.url .. path }
  for name, value in pairs(all) do
    words[#words + 1] = "-H"
    words[#words + 1] = value == "" and name .. ":" or name .. ": " .. value -- without: none
  end
  if body then words[#words + 1], words[#words + 2] = "--data-binary", body end
  return parse(wire.curl(table.unpack(words)))
end

function wire.get(server, path) return wire.send(server, "GET", path) end

function wire.post(server, path, body) return wire.send(server, "POST", path, body) end

--- Calls read() until it returns a true value, for at most clock.LIMIT seconds.
function wire.eventually(read)
  local deadline = os.time() + clock.LIMIT
  repeat
    local value = read()
    if value then return value end
  until os.time() > deadline
  error "it did not happen in time"
end

--- Returns the value of a metric in the view of a run or a call log.
function wire.metric_of(call, metric_id)
  for _, metric in ipairs(call.evaluation.metrics) do
    if metric.id == metric_id then return metric end
  end
end

return wire
