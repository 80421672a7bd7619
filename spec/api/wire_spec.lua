-- The bytes of requests, as the server received them.
local cekura = require "cekura"
local calls = require "support.calls"
local faults = require "support.faults"
local sandbox = require "cekura.sandbox"

local EVALUATE, LOGS = "results.evaluate_metrics", "calls.evaluate_metrics"
local VOTE_PATH = "/test_framework/v1/runs/5544/mark_metric_vote/"

describe("on the wire:", function()
  local server, host

  setup(function()
    server = sandbox.start { api_key = "the-key" }
    host = server.url:match "//(.*)"
  end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local function new(options)
    local all = { api_url = server.url, api_key = "the-key", max_attempts = 1 }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(cekura.new(all))
  end

  local function last_request()
    local requests = server:requests()
    return assert(requests[#requests], "nothing has reached the server")
  end

  describe("method, path, headers and body are correct for", function()
    for _, row in ipairs {
      { "runs.mark_metric_vote", { feedback = "missed a \"step\"" }, VOTE_PATH,
        [[{"metric_id":55,"thumbs_up":false,"expected_value":2,"feedback":"missed a \"step\""}]] },
      { "results.evaluate_metrics", {}, "/test_framework/v1/results/373/evaluate_metrics/",
        '{"run_ids":["5544"],"metric_ids":["55"]}', large_response = true },
      { "results.bulk_evaluate_metrics", {}, "/test_framework/v1/results/bulk_evaluate_metrics/",
        '{"result_ids":[373],"metric_ids":[55]}' },
      { "calls.evaluate_metrics", {}, "/observability/v1/call-logs/evaluate_metrics/",
        '{"agent_id":231,"call_logs":[1],"metrics":[57]}', large_response = true },
      { "metric_reviews.process_feedbacks", { skip_evaluation = false },
        "/test_framework/metric-reviews/process_feedbacks/",
        '{"metric_id":55,"skip_evaluation":false}' },
    } do
      local name, changes, path, body = table.unpack(row)

      it(name, function()
        local client <close> = new()
        calls.make(client, name, changes)
        local requests = server:requests()
        local request = requests[1]
        assert.equal(1, #requests)
        assert.same({ "POST", path, "", body },
          { request.method, request.path, request.query, request.body })
        -- libcurl decides which encodings it accepts; the contract, which calls send the header.
        local encodings = request.headers["accept-encoding"]
        request.headers["accept-encoding"] = nil
        assert.equal(row.large_response, encodings and encodings:find "gzip" ~= nil)
        assert.same({
          host = host, accept = "application/json", ["content-type"] = "application/json",
          ["x-cekura-api-key"] = "the-key", ["user-agent"] = "cekura-lua/" .. cekura._VERSION,
          ["content-length"] = tostring(#body),
        }, request.headers)
      end)
    end

    -- { name, changes, method, path, query, body }
    for _, row in ipairs {
      { "metric_reviews.process_feedbacks_progress", { project_id = 14, agent_id = "231" }, "GET",
        "/test_framework/metric-reviews/process_feedbacks_progress/",
        "progress_id=a-job&agent_id=231&project_id=14" },
      { "metrics.get", {}, "GET", "/test_framework/v2/metrics/55/", "", large_response = true },
      { "metrics.list", { agents = { 231, 232 }, slug = "call_outcome", include_scores = true,
          filters = { field = "type" } }, "GET", "/test_framework/v2/metrics/",
        "agents=231,232&slug=call_outcome&filters=%7B%22field%22%3A%22type%22%7D"
          .. "&include_scores=true", large_response = true },
      { "metrics.run_reviews", { description = "d", skip_save = true }, "POST",
        "/test_framework/v2/metrics/55/run_reviews/", "", '{"description":"d","skip_save":true}' },
      { "metrics.run_reviews", {}, "POST", "/test_framework/v2/metrics/55/run_reviews/", "", "{}" },
      { "metrics.run_reviews_progress", { project_id = 14 }, "GET",
        "/test_framework/v2/metrics/run_reviews_progress/", "progress_id=a-job&project_id=14" },
      { "metrics.history", { page = 2 }, "GET", "/test_framework/v2/metrics/55/history/", "page=2",
        large_response = true },
      { "metrics.restore", { history_id = "7" }, "POST", "/test_framework/v2/metrics/55/restore/",
        "", '{"history_id":7}' },
      { "metric_reviews.process_feedbacks_cancel", {}, "POST",
        "/test_framework/metric-reviews/process_feedbacks_cancel/", "", '{"progress_id":"a-job"}' },
      { "test_sets.create_from_run", { name = "n", project = 14,
          metrics = { { metric = "55", expected_value = false, feedback = 'a "b"' },
            { metric = 56, expected_value = cekura.null }, { metric = 57.0 } } }, "POST",
        "/test_framework/test-sets/create_from_run/", "",
        [[{"run_id":5544,"metrics":[{"metric":55,"expected_value":false,"feedback":"a \"b\""},]]
          .. [[{"metric":56,"expected_value":null},{"metric":57}],"name":"n","project":14}]] },
      { "test_sets.create_from_call_log", {}, "POST",
        "/test_framework/test-sets/create_from_call_log/", "",
        '{"call_log_id":70071,"metrics":[{"metric":55}]}' },
      { "results.create_shareable_link_token", { expire_at = "2030-01-01T00:00:00Z" }, "POST",
        "/test_framework/v2/results/373/create_shareable_link_token/", "",
        '{"expire_at":"2030-01-01T00:00:00Z"}' },
      { "runs.list", { success = true, id__in = { 1, 2 }, ql = "{id}", include_count = false },
        "GET", "/test_framework/v2/runs/",
        "id__in=1,2&success=true&include_count=false&ql=%7Bid%7D", large_response = true },
      { "metrics.update", {}, "PATCH", "/test_framework/v2/metrics/55/", "",
        '{"description":"Was it booked?"}' },
      { "metrics.update", { name = "Booked", display_order = -2, add_to_new_agents = cekura.null,
          enum_values = { "yes", "é" }, agents = { 231 }, configuration = { a = {} },
          eval_type = "enum", project = "14" }, "PATCH", "/test_framework/v2/metrics/55/", "",
        '{"name":"Booked","description":"Was it booked?","eval_type":"enum",'
          .. '"enum_values":["yes","é"],"add_to_new_agents":null,"configuration":{"a":{}},'
          .. '"display_order":-2,"project":14,"agents":[231]}' },
      { "results.get", {}, "GET", "/test_framework/v2/results/373/", "", large_response = true },
      { "results.list", {}, "GET", "/test_framework/v2/results/", "", large_response = true },
      { "results.list", { page_size = 5.0, page = 2, scenarios = { 24270, "24271" }, search = "a b",
          project_id = 14, agent_id = 231 }, "GET", "/test_framework/v2/results/",
        "agent_id=231&project_id=14&search=a%20b&scenarios=24270,24271&page=2&page_size=5",
        large_response = true },
      { "runs.get", {}, "GET", "/test_framework/v2/runs/5544/", "", large_response = true },
      { "runs.bulk", { result_id = 373 }, "GET", "/test_framework/v2/runs/bulk/",
        "run_ids=5543,5544&result_id=373",
        large_response = true },
      { "calls.get", {}, "GET", "/observability/v2/call-logs/70071/", "", large_response = true },
      { "calls.list", { call_ids = { 1 }, timestamp_to = "2025-01-31T23:59:59.5+02:00",
          timestamp_from = "2025-01-01T00:00:00Z", assistant_id = "asst_1",
          filters_v2 = { value = true } }, "GET", "/observability/v2/call-logs/",
        "timestamp_from=2025-01-01T00%3A00%3A00Z&timestamp_to=2025-01-31T23%3A59%3A59.5%2B02%3A00"
          .. "&call_ids=1&assistant_id=asst_1&filters_v2=%7B%22value%22%3Atrue%7D",
        large_response = true },
      { "calls.mark_metric_vote", {}, "POST", "/observability/v1/call-logs/70071/mark_metric_vote/",
        "", '{"metric_id":55,"thumbs_up":true,"expected_value":3}' },
      { "billing.info", {}, "GET", "/test_framework/billing/info/", "" },
      { "billing.info", { organization_id = 37 }, "GET", "/test_framework/billing/info/",
        "organization_id=37" },
    } do
      local name, changes, method, path, query, body = table.unpack(row, 1, 6)

      it(("%s is sent as %s %s?%s"):format(name, method, path, query), function()
        local client <close> = new()
        calls.make(client, name, changes)
        local requests = server:requests()
        local request = requests[1]
        assert.equal(1, #requests)
        assert.same({ method, path, query, body or "" },
          { request.method, request.path, request.query, request.body or "" })
        local headers = request.headers
        assert.equal(row.large_response, headers["accept-encoding"] and true)
        headers["accept-encoding"], headers["user-agent"] = nil, nil
        assert.same({
          host = host, accept = "application/json", ["x-cekura-api-key"] = "the-key",
          ["content-type"] = body and "application/json",
          ["content-length"] = body and tostring(#body),
        }, headers)
      end)
    end

    it("different endpoints in sequence have their own method, headers and body", function()
      local client <close> = new { headers = { ["X-One"] = "1" } }
      local own = { headers = { ["X-Two"] = "2" } }
      for i, name in ipairs { "runs.get", "runs.mark_metric_vote", "billing.info", "metrics.update",
        "results.evaluate_metrics", "calls.list", "runs.mark_metric_vote" } do
        server:clear()
        calls.make(client, name, {}, i % 2 == 0 and own or nil)
        local request, endpoint = last_request(), cekura.endpoints[name]
        local has_body = endpoint.method ~= "GET"
        assert.same({ endpoint.method, has_body and "application/json" or nil, "1" },
          { request.method, request.headers["content-type"], request.headers["x-one"] })
        assert.equal(has_body, #(request.body or "") > 0)
        assert.equal(i % 2 == 0 and "2" or nil, request.headers["x-two"])
      end
    end)

    it("an endpoint is HTTP/1.1, and has no header twice", function()
      local other <close> = faults.start()
      local client <close> = new { api_url = other.url, headers = { ["X-One"] = "1" } }
      assert(calls.vote(client, {}, { headers = { ["X-Two"] = "2" } }))
      local row = other:ledger()[1]  -- its ledger joins a header that occurs twice: "a, a"
      assert.equal("POST " .. VOTE_PATH .. " HTTP/1.1", row.request_line)
      row.headers["user-agent"] = nil
      assert.same({
        host = other.url:match "//(.*)", accept = "application/json",
        ["content-type"] = "application/json", ["x-cekura-api-key"] = "the-key",
        ["content-length"] = "53", ["x-one"] = "1", ["x-two"] = "2",
      }, row.headers)
    end)
  end)

  describe("additional headers", function()
    -- { what, headers of the client, headers of the call, headers that arrive }
    for _, row in ipairs {
      { "come from the client", { ["X-Team"] = "qa" }, nil, { ["x-team"] = "qa" } },
      { "come from the call", nil, { ["X-Team"] = "qa" }, { ["x-team"] = "qa" } },
      { "come from both", { ["X-One"] = "1" }, { ["X-Two"] = "2" },
        { ["x-one"] = "1", ["x-two"] = "2" } },
      { "of the call replace the client's", { ["X-Team"] = "qa" }, { ["X-Team"] = "dev" },
        { ["x-team"] = "dev" } },
      { "of the call replace the client's in any case of letters", { ["X-Team"] = "qa" },
        { ["x-tEAM"] = "dev" }, { ["x-team"] = "dev" } },
      { "may be empty", { ["X-Empty"] = "" }, { ["X-Blank"] = "" },
        { ["x-empty"] = "", ["x-blank"] = "" } },
      { "may contain UTF-8 and tabs", { ["X-Note"] = "caf\u{e9}\tau lait; a=\"b\"" }, nil,
        { ["x-note"] = "caf\u{e9}\tau lait; a=\"b\"" } },
      { "may have any name that HTTP permits", { ["x!#$%&'*+-.^_`|~9"] = "odd" }, nil,
        { ["x!#$%&'*+-.^_`|~9"] = "odd" } },
    } do
      local what, of_client, of_call, expected = table.unpack(row, 1, 4)

      it(what, function()
        local client <close> = new { headers = of_client }
        assert(calls.vote(client, {}, { headers = of_call }))
        local found = {}
        for name, value in pairs(last_request().headers) do
          if name:find "^x" and name ~= "x-cekura-api-key" then found[name] = value end
        end
        assert.same(expected, found)
        assert.equal("the-key", last_request().headers["x-cekura-api-key"])
      end)
    end

    it("of one call are not sent with the next", function()
      local client <close> = new { headers = { ["X-Team"] = "qa" } }
      assert(calls.vote(client, {}, { headers = { ["X-Team"] = "dev", ["X-One"] = "1" } }))
      assert(calls.vote(client))
      assert.equal("qa", last_request().headers["x-team"])
      assert.is_nil(last_request().headers["x-one"])
    end)

    it("are copied by cekura.new", function()
      local headers = { ["X-Team"] = "qa" }
      local client <close> = new { headers = headers }
      headers["X-Team"] = "dev"
      assert(calls.vote(client))
      assert.equal("qa", last_request().headers["x-team"])
    end)

    it("do not replace user_agent", function()
      local client <close> = new { user_agent = "my-tool/1.0 (qa)" }
      assert(calls.vote(client))
      assert(calls.vote(client, {}, { headers = { ["X-One"] = "1" } }))
      for _, request in ipairs(server:requests()) do
        assert.equal("my-tool/1.0 (qa)", request.headers["user-agent"])
      end
    end)
  end)

  describe("an api_url", function()
    for _, row in ipairs {
      { "ends with a slash", "/", VOTE_PATH },
      { "ends with slashes", "//", VOTE_PATH },
      { "has a prefix", "/staging/api", "/staging/api" .. VOTE_PATH },
      { "has a prefix and a slash", "/staging/", "/staging" .. VOTE_PATH },
      { "has an escaped prefix", "/a%20b", "/a%20b" .. VOTE_PATH },
    } do
      it("that " .. row[1] .. " precedes the path", function()
        local client <close> = new { api_url = server.url .. row[2] }
        calls.vote(client)
        assert.same({ row[3], "", host },
          { last_request().path, last_request().query, last_request().headers.host })
      end)
    end

    it("may have a name as the host", function()
      local client <close> = new { api_url = "http://localhost:" .. server.port }
      assert(calls.vote(client))
      assert.equal("localhost:" .. server.port, last_request().headers.host)
    end)
  end)

  describe("a connection", function()
    local function connections()
      local numbers = {}
      for i, request in ipairs(server:requests()) do numbers[i] = request.connection end
      return numbers
    end

    it("is kept alive for the next vote", function()
      local client <close> = new()
      for _ = 1, 5 do assert(calls.vote(client)) end
      local numbers = connections()
      assert.equal(5, #numbers)
      for i = 2, 5 do assert.equal(numbers[1], numbers[i]) end
    end)

    it("is new for each call that spends credits", function()
      local client <close> = new()
      assert(calls.vote(client))
      for _, name in ipairs(calls.names) do
        if name ~= "runs.mark_metric_vote" then calls.make(client, name) end
      end
      local seen = {}
      for _, number in ipairs(connections()) do
        assert.is_nil(seen[number])
        seen[number] = true
      end
      assert.equal(5, #server:requests())
    end)

    it("is not shared by clients", function()
      local one <close> = new()
      local other <close> = new()
      assert(calls.vote(one))
      assert(calls.vote(other))
      local numbers = connections()
      assert.not_equal(numbers[1], numbers[2])
    end)

    it("that the server has closed is replaced for the next vote", function()
      local other <close> = faults.start()
      local client <close> = new { api_url = other.url }
      for _ = 1, 3 do
        assert(calls.vote(client))
        other:kill_idle "fin"
      end
      assert.equal(3, other:deliveries())
    end)

    it("that dies receives a vote once, and not twice", function()
      local other <close> = faults.start()
      other:script { faults.ok_then_dead "close" }
      local client <close> = new { api_url = other.url }
      assert(calls.vote(client))
      local _, err = calls.vote(client)
      assert.same({ "network", "unknown" }, { err.kind, err.applied })
      assert.equal(2, other:deliveries())
    end)
  end)

  it("a body of more than a megabyte is sent without Expect: 100-continue", function()
    local other <close> = faults.start()
    local client <close> = new { api_url = other.url }
    local list, text = {}, {}
    for i = 1, 80000 do
      list[i] = 9000000000000000 + i
      text[i] = ("%d"):format(list[i])
    end
    assert(calls.make(client, LOGS, { call_logs = list }))
    local row = other:ledger()[1]
    local body = '{"agent_id":231,"call_logs":[' .. table.concat(text, ",") .. '],"metrics":[57]}'
    assert.is_true(#body > 1 << 20)
    assert.is_true(row.complete)
    assert.is_true(row.body == body, "the body is not what was meant to be sent")
    assert.equal(tostring(#body), row.headers["content-length"])
    assert.is_nil(row.headers.expect)
    assert.is_nil(row.headers["transfer-encoding"])
  end)

  it("a short body after a long one has its own length", function()
    local client <close> = new()
    calls.vote(client, { feedback = ("x"):rep(100000) })
    assert.equal("100067", last_request().headers["content-length"])
    calls.vote(client)
    assert.equal('{"metric_id":55,"thumbs_up":false,"expected_value":2}', last_request().body)
    assert.equal("53", last_request().headers["content-length"])
  end)

  it("100 votes in sequence return as soon as their responses have arrived", function()
    local client <close> = new()
    local slow = 0
    for _ = 1, 100 do
      server:clear()  -- wakes the server's thread, so that it responds at once
      local _, response = assert(calls.vote(client))
      if response.elapsed >= 0.1 then slow = slow + 1 end
    end
    assert.is_true(slow < 50, slow .. " of 100 votes took 0.1 s or more")
  end)

  it("a call with invalid arguments, or over a limit, sends nothing", function()
    local client <close> = new()
    calls.make(client, EVALUATE, { run_ids = {} })
    assert.equal("calls.evaluate_metrics",
      select(2, calls.make(client, LOGS, {}, { max_evaluations = 0 })).endpoint)
    assert.same({}, server:requests())
  end)
end)
