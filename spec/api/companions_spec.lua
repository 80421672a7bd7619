-- The companion operations: their results in the sandbox, dry runs and retries.
local cekura = require "cekura"
local calls = require "support.calls"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"

local MOST = "9223372036854775807"

describe("among the companion operations", function()
  describe("with the sandbox", function()
    local server, client

    setup(function()
      server = sandbox.start { evaluation_time = 0 }
      client = assert(cekura.new { api_url = server.url, api_key = server.api_key,
        max_attempts = 1 })
    end)
    teardown(function()
      client:close()
      server:stop()
    end)

    local function ids_of(list)
      local ids = {}
      for i, item in ipairs(list) do ids[i] = item.id end
      return ids
    end

    it("results:get returns whole runs, keyed by their ids as strings", function()
      local result = assert(client.results:get { result_id = 373 })
      assert.same({ 373, 5544, "string" },
        { result.id, result.runs["5544"].id, type(result.runs["5544"].transcript) })
    end)

    it("results:list returns a page", function()
      local page = assert(client.results:list { agent_id = 231, page = 2, page_size = 3 })
      assert.equal(3, #page.results)
      assert.equal(231, page.results[1].agent)
      assert.matches("page=3", page.next)
      assert.matches("page=1", page.previous)
      assert.is_nil(client.results:list({ agent_id = 231 }).previous)  -- null is absent
    end)

    it("results:list returns the results that match the search", function()
      local scenario = client.results:get { result_id = 373 }.scenarios[1].id
      local all = assert(client.results:list { project_id = 14 }).count
      local some = 0
      for _ in client.results:pages { project_id = 14, scenarios = { scenario } } do
        some = some + 1 -- `count` also counts the duplicates
      end
      assert.is_true(some > 0 and some <= all)
      assert.equal(0, assert(client.results:list { search = "100 % & = ü?" }).count)
    end)

    it("runs:get returns the verdict of each metric", function()
      local run = assert(client.runs:get { run_id = 5544 })
      assert.same({ 5544, 373, "completed" }, { run.id, run.result_id, run.status })
      assert.is_string(run.evaluation.metrics[1].name)
      assert.is_nil(run.error_message)  -- null is absent without keep_null
      local keeping <close> = assert(cekura.new { api_url = server.url,
        api_key = server.api_key, keep_null = true })
      assert.equal(cekura.null, keeping.runs:get({ run_id = 5544 }).error_message)
    end)

    it("runs:bulk returns the runs in the order of the ids", function()
      assert.same({ 5544, 5543 }, ids_of(assert(client.runs:bulk { run_ids = { 5544, "5543" } })))
    end)

    it("calls:get and calls:list return call logs", function()
      local log = assert(client.calls:get { call_log_id = 70071 })
      assert.equal("customer-ended-call", log.metadata.ended_reason or log.call_ended_reason)
      local first = assert(client.calls:get { call_log_id = 70023 })
      local last = assert(client.calls:get { call_log_id = 70033 })
      local page = assert(client.calls:list { call_ids = { 70023, 70033 },
        timestamp_from = first.timestamp, timestamp_to = last.timestamp })
      assert.same({ 70033, 70023 }, ids_of(page.results))
    end)

    it("calls:list accepts a filter of tables", function()
      local filter = { operator = "and", conditions = {
        { field = "success", op = "eq", value = false },
        { field = "duration", op = "gte", value = 1 },
      } }
      local page = assert(client.calls:list { agent_id = 231, filters_v2 = filter, page_size = 50 })
      assert.is_true(#page.results > 0)
      for _, log in ipairs(page.results) do assert.is_false(log.success) end
    end)

    it("calls:mark_metric_vote marks the call as reviewed", function()
      local vote = assert(calls.make(client, "calls.mark_metric_vote", { feedback = "a bit cold" }))
      assert.equal("Vote recorded.", vote.detail)
      assert.is_true(server:state("call_logs", 70071).is_reviewed)
      assert.matches("a bit cold", client.calls:get({ call_log_id = 70071 }).feedback)
    end)

    it("metrics:list finds the metric of a slug", function()
      local list = assert(client.metrics:list { slug = "call_outcome" })
      assert.same({ 1, 52, "call_outcome" },
        { #list, list[1].id, assert(client.metrics:get { metric_id = 52 }).slug })
    end)

    it("metrics:update returns the metric, of which only that field has changed", function()
      local before = assert(client.metrics:get { metric_id = 53 })
      local after = assert(client.metrics:update { metric_id = 53, description = "Was it kind?",
        enum_values = { "yes", "no" }, project = 12 })
      assert.same({ "Was it kind?", "yes", "no" },
        { after.description, table.unpack(after.enum_values) })
      assert.same({ before.name, before.type, before.project }, { after.name, after.type, 14 })
      assert.equal("Was it kind?", server:state("metrics", 53).description)
    end)

    it("metric_reviews:process_feedbacks_progress ends with a proposal", function()
      assert(calls.make(client, "test_sets.create_from_run"))
      local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
      local progress = assert(client.metric_reviews:process_feedbacks_progress {
        progress_id = job.progress_id, agent_id = 231 })
      assert.equal("success", progress.status)
      assert.is_string(progress.output.improved_metric_description)
    end)

    it("billing:info returns the balance", function()
      local billing = assert(client.billing:info {})
      assert.same({ 37, true }, { billing.organization, billing.subscription_status.is_active })
    end)

    -- { endpoint, changes, detail of the response }
    for _, row in ipairs {
      { "results.get", { result_id = 1 }, "No Result matches the given query." },
      { "runs.get", { run_id = MOST }, "No Run matches the given query." },
      { "calls.get", { call_log_id = 1 }, "No CallLog matches the given query." },
      { "calls.mark_metric_vote", { call_log_id = 1 }, "No CallLog matches the given query." },
      { "metrics.get", { metric_id = 1 }, "No Metric matches the given query." },
      { "metrics.update", { metric_id = 1 }, "No Metric matches the given query." },
      { "metric_reviews.process_feedbacks_progress", {}, "Not found." },
      { "results.list", { page = 1000000 }, "Invalid page." },
    } do
      it(row[1] .. " returns a not_found error for an unknown id", function()
        local value, err = calls.make(client, row[1], row[2])
        assert.is_nil(value)
        assert.same({ "not_found", 404, "no", row[1], cekura.endpoints[row[1]].method, row[3] },
          { err.kind, err.status, err.applied, err.endpoint, err.method, err.detail })
        assert.equal(server.url, err.url:sub(1, #server.url))
      end)
    end
  end)

  for _, resource in ipairs { "metrics", "billing" } do
    it(resource .. " is a resource of clients and of the module", function()
      local client <close> = assert(cekura.new { api_key = "any-key" })
      assert.equal("cekura." .. resource, tostring(client[resource]))
      assert.equal("cekura." .. resource, tostring(cekura[resource]))
    end)
  end

  describe("a dry run", function()
    local client <const> = assert(cekura.new { api_key = "any-key", user_agent = "spec",
      headers = { ["X-One"] = "1" } })
    teardown(function() client:close() end)

    it("of a GET has neither body nor Content-Type", function()
      local plan = assert(client.results:list({ search = "a b", page = 2 }, { dry_run = true }))
      assert.same({
        method = "GET",
        url = "https://api.cekura.ai/test_framework/v2/results/?search=a%20b&page=2",
        headers = { Accept = "application/json", ["User-Agent"] = "spec", ["X-One"] = "1" },
      }, plan)
    end)

    it("of an update has both", function()
      local plan = assert(client.metrics:update({ metric_id = 55, name = "x" }, { dry_run = true }))
      assert.same({
        method = "PATCH", url = "https://api.cekura.ai/test_framework/v2/metrics/55/",
        body = '{"name":"x"}', headers = { Accept = "application/json", ["User-Agent"] = "spec",
          ["X-One"] = "1", ["Content-Type"] = "application/json" },
      }, plan)
    end)
  end)

  describe("with a server that fails", function()
    local server
    setup(function() server = faults.start() end)
    teardown(function() server:stop() end)
    before_each(function() server:clear() end)

    for _, name in ipairs(calls.companions) do
      it(name .. " is retried until it succeeds", function()
        local client <close> = retries.client(server)
        server:script { faults.status(503), "close_before_answer", "cut_body" }
        local value, response = calls.make(client, name)
        assert.same({ success = true }, value)
        assert.same({ 4, 4 }, { response.attempts, server:deliveries() })
        local lines = {}
        for _, row in ipairs(server:ledger()) do lines[row.request_line .. row.body] = true end
        assert.truthy(next(lines))
        assert.is_nil(next(lines, next(lines)))  -- the same each time
      end)
    end

    for _, name in ipairs(calls.once) do
      it(name .. " is retried only while the server cannot have acted", function()
        local client <close> = retries.client(server)
        server:script { faults.status(429, { ["Retry-After"] = "0" }), faults.status(503) }
        local value, err = calls.make(client, name)
        assert.is_nil(value)
        assert.same({ "server", "unknown", 2, 2 },
          { err.kind, err.applied, err.attempts, server:deliveries() })
      end)
    end

    it("the message ends with advice, unless the call only reads", function()
      local client <close> = retries.client(server, { max_attempts = 1 })
      -- { endpoint, response, last words of the message }
      for _, row in ipairs {
        { "runs.get", faults.status(503), "503: scripted (server)" },
        { "runs.get", "not_json", "(response)" },
        { "metrics.update", faults.status(503), "acted on it: it may be sent again)" },
        { "calls.mark_metric_vote", "not_json", "do not send it again)" },
      } do
        server:script { row[2] }
        local _, err = calls.make(client, row[1])
        assert.equal(row[3], tostring(err):sub(-#row[3]))
      end
    end)

    it("a call is not retried after a 400", function()
      local client <close> = retries.client(server)
      server:script { faults.status(400) }
      local _, err = calls.make(client, "runs.get")
      assert.same({ "bad_request", "no", 1 }, { err.kind, err.applied, err.attempts })
    end)

    it("a GET that follows another call has no body", function()
      local client <close> = retries.client(server)
      assert(calls.vote(client, { feedback = ("x"):rep(2000) }))
      assert(calls.make(client, "runs.get"))
      local row = server:ledger()[2]
      assert.equal("GET /test_framework/v2/runs/5544/ HTTP/1.1", row.request_line)
      assert.equal("", row.body)
      for _, name in ipairs { "content-length", "content-type", "transfer-encoding", "expect" } do
        assert.is_nil(row.headers[name])
      end
    end)
  end)
end)
