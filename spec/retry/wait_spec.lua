-- wait of results, metric_reviews, metrics and calls: what ends it, and that it starts nothing a
-- second time.
local cekura = require "cekura"
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local json = require "cjson".new()
local locale = require "support.locale"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"
local script = require "support.script"
local system = require "system"
local terminal = require "support.terminal"

local QUICK = { interval = 0.005, timeout = clock.LIMIT }

-- Options of a wait that times out after some polls.
local BRIEF = { interval = clock.SHORT / 8, timeout = clock.SHORT }

local function with(options)
  local all = {}
  for name, value in pairs(QUICK) do all[name] = value end
  for name, value in pairs(options or {}) do all[name] = value end
  return all
end

-- Returns entries of a fault server that respond with these tables.
local function responses(...)
  local list = {}
  for i, value in ipairs { ... } do list[i] = faults.ok(json.encode(value)) end
  return list
end

local function paths_of(server)
  local list = {}
  for _, request in ipairs(server:requests()) do
    list[#list + 1] = request.method .. " " .. request.path
  end
  return list
end

-- Returns how often each item occurs in a list.
local function counts(list)
  local found = {}
  for _, item in ipairs(list) do found[item] = (found[item] or 0) + 1 end
  return found
end

describe("wait", function()
  describe("with the sandbox", function()
    local server, client

    local function start(options)
      options = options or {}
      options.evaluation_time = options.evaluation_time or 0.05
      -- By default the optimiser has something to learn from.
      if options.votes_feed_lab == nil then options.votes_feed_lab = true end
      server = sandbox.start(options)
      client = assert(cekura.new { api_url = server.url, api_key = server.api_key,
        backoff = { base = 0.001, cap = 0.01 } })
    end

    after_each(function()
      client:close()
      server:stop()
    end)

    it("for a result returns it with the response once it has ended", function()
      start { evaluation_time = math.huge }
      assert(client.results:evaluate_metrics { result_id = 373, run_ids = { 5544 },
        metric_ids = { 55 } })
      local statuses = {}
      local result, response = assert(client.results:wait({ result_id = 373 },
        with { on_poll = function(value, n)
          statuses[n] = value.status
          if n == 2 then server:finish_jobs() end
        end }))
      assert.same({ "completed", 200 }, { result.status, response.status })
      assert.same({ "running", "running", "completed" }, statuses)
      assert.equal(5544, result.runs["5544"].id)
      local found = counts(paths_of(server))
      assert.equal(1, found["POST /test_framework/v1/results/373/evaluate_metrics/"])
      assert.equal(3, found["GET /test_framework/v2/results/373/"])
    end)

    for _, evaluation_time in ipairs { 0, 0.2 } do
      it(("for a result after an evaluation of %.1f s returns its end"):format(evaluation_time),
        function()
          start { evaluation_time = evaluation_time }
          for n = 1, 2 do
            local before = assert(client.results:get { result_id = 373 })
            assert(client.results:evaluate_metrics { result_id = 373, run_ids = { 5544 },
              metric_ids = { 55 } })
            local result = assert(client.results:wait({ result_id = 373, after = before }, QUICK))
            assert.equal("completed", result.status)
            local evaluations = server:state("runs", 5544).metrics[55].evaluations
            assert.equal(n + 1, evaluations)
          end
        end)
    end

    it("for a job returns its proposal", function()
      start()
      local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
      local improved = assert(client.metric_reviews:wait(
        { progress_id = job.progress_id, agent_id = 231 }, QUICK))
      assert.is_string(improved.improved_metric_description)
      assert.equal(1, counts(paths_of(server))[
        "POST /test_framework/metric-reviews/process_feedbacks/"])
    end)

    it("for a job that was cancelled returns an error", function()
      start { evaluation_time = 60 }
      local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
      local id = { progress_id = job.progress_id }
      local value, err = client.metric_reviews:wait(id, with { on_poll = function(_, n)
        if n == 1 then assert(client.metric_reviews:process_feedbacks_cancel(id)) end
      end })
      assert.is_nil(value)
      assert.same({ "failed", "cancelled" }, { err.kind, err.last.status })
      assert.matches("the job has failed %([^)]*cancelled", tostring(err))
    end)

    it("for reviews returns the scores, and shows how many there are", function()
      start { votes_feed_lab = false, evaluation_time = math.huge }
      assert(client.test_sets:create_from_run { run_id = 5544, metrics = {
        { metric = 55, expected_value = 2, feedback = "a step is missing" } } })
      local job = assert(client.metrics:run_reviews { metric_id = 55 })
      local first
      local scores = assert(client.metrics:wait(
        { progress_id = job.progress_id, agent_id = 231 },
        with { progress = function(numbers)
          if not first then server:finish_jobs() end
          first = first or numbers
        end }))
      assert.same({ "completed", 1, 0, 1, 55, 1 }, { scores.status, scores.completed,
        scores.failed, scores.total, scores.metric.id, #scores.review_results })
      assert.same({ 0, 1 }, { first.done, first.total })
      assert.equal(1, counts(paths_of(server))[
        "POST /test_framework/v2/metrics/55/run_reviews/"])
    end)

    it("for a job that asks a question returns needs_person", function()
      start { optimiser = "asks" }
      local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
      local value, err = client.metric_reviews:wait({ progress_id = job.progress_id }, QUICK)
      assert.is_nil(value)
      assert.same({ "needs_person", "no", "metric_reviews.wait" },
        { err.kind, err.applied, err.endpoint })
      assert.matches("asks a person something %(awaiting_user_input%)", tostring(err))
      assert.is_string(err.questions[1].question)
      assert.equal("awaiting_user_input", err.last.status)
    end)

    it("for a job that fails returns an error with its last value", function()
      start { optimiser = "fails" }
      local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
      local value, err = client.metric_reviews:wait({ progress_id = job.progress_id }, QUICK)
      assert.is_nil(value)
      assert.same({ "failed", "no", "error" }, { err.kind, err.applied, err.last.status })
      assert.matches("the job has failed %(No description does better", tostring(err))
    end)

    it("for call logs returns them in their order with new values", function()
      start { evaluation_time = 0.1 }
      local ids, metrics = { 70072, 70023, 70033 }, { 55, 57 }
      local earlier = {}
      for i, id in ipairs(ids) do earlier[i] = server:state("call_logs", id).metrics end
      local before = assert(client.calls:evaluate_metrics {
        agent_id = 231, call_logs = ids, metrics = metrics })
      local after, response = assert(client.calls:wait({ call_logs = before, metrics = metrics },
        QUICK))
      assert.equal(200, response.status)
      for i, id in ipairs(ids) do
        assert.equal(id, after[i].id)
        for _, metric in ipairs(metrics) do
          local was = earlier[i][metric] and earlier[i][metric].evaluations or 0
          assert.equal(was + 1, server:state("call_logs", id).metrics[metric].evaluations)
        end
      end
      local found = counts(paths_of(server))
      assert.equal(1, found["POST /observability/v1/call-logs/evaluate_metrics/"])
    end)

    it("for call logs does not take an old value for a new one", function()
      start { evaluation_time = 0.6 }
      local log
      for each in client.calls:pages { agent_id = 231 } do
        if #each.metrics >= 3 then log = each end
      end
      local metrics = { log.metrics[1].id, log.metrics[2].id, log.metrics[3].id }
      local before = assert(client.calls:evaluate_metrics {
        agent_id = 231, call_logs = { log.id }, metrics = metrics })
      assert(client.calls:wait({ call_logs = before, metrics = metrics }, QUICK))
      for _, id in ipairs(metrics) do
        assert.equal(2, server:state("call_logs", log.id).metrics[id].evaluations)
      end
    end)

    it("for a log without values returns it once it has them", function()
      start()
      local fresh
      for id, log in pairs(server:state "call_logs") do
        if next(log.metrics) == nil then fresh = id end
      end
      local before = assert(client.calls:evaluate_metrics {
        agent_id = 231, call_logs = { fresh }, metrics = { 55 } })
      local after = assert(client.calls:wait({ call_logs = before, metrics = { "55" } }, QUICK))
      assert.equal(55, after[1].evaluation.metrics[1].id)
    end)

    it("in each lets other items continue", function()
      start { evaluation_time = math.huge }
      local asked = 0
      -- Ends the evaluations once all items have asked for one.
      local function on_poll() if asked == 4 then server:finish_jobs() end end
      local report = assert(client:each({ 370, 371, 372, 373 }, function(id)
        local result = assert(client.results:get { result_id = id })
        local run = next(result.runs)
        local started, problem = client.results:evaluate_metrics { result_id = id,
          run_ids = { run }, metric_ids = { 57 } }
        asked = asked + 1
        assert(started, problem)
        local done, err = client.results:wait({ result_id = id }, with { on_poll = on_poll })
        return done and done.status, err
      end, { collect = true }))
      -- Some metrics belong to other agents and fail. The evaluations that began ran concurrently.
      assert.is_true(report.ok > 1, tostring(report.errors[1] and report.errors[1].error))
    end)

    it("in a task is driven by client:step", function()
      start()
      assert(client.results:evaluate_metrics { result_id = 373, run_ids = { 5544 },
        metric_ids = { 55 } })
      local task = assert(client:spawn(function()
        return client.results:wait({ result_id = 373 }, QUICK)
      end))
      assert.equal("completed", assert(task:wait()).status)
    end)

    it("in a task ends if the task is cancelled, and leaves nothing behind", function()
      start { evaluation_time = 60 }
      assert(client.results:evaluate_metrics { result_id = 373, run_ids = { 5544 },
        metric_ids = { 55 } })
      local seen = 0
      local task = assert(client:spawn(function()
        return client.results:wait({ result_id = 373 }, with { progress = function()
          seen = seen + 1
        end })
      end))
      for _ = 1, 20 do client:step(0.01) end
      assert.is_true(task:cancel())
      local before = seen
      for _ = 1, 5 do client:step(0.01) end
      assert.equal(before, seen)
    end)

    it("ends if the client is closed", function()
      start { evaluation_time = 60 }
      local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
      local value, err = client.metric_reviews:wait({ progress_id = job.progress_id },
        with { on_poll = function() client:close() end })
      assert.is_nil(value)
      assert.equal("config", err.kind)
      assert.equal("in_progress", err.last.status)
    end)

    -- { error kind, function that makes the call }
    for _, row in ipairs {
      { "not_found", function() return client.results:wait({ result_id = 1 }, QUICK) end },
      { "not_found", function()
        return client.metric_reviews:wait({ progress_id = "x" }, QUICK)
      end },
      { "permission", function()
        local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
        server:clear()
        return client.metric_reviews:wait({ progress_id = job.progress_id, agent_id = 224 }, QUICK)
      end },
      { "authentication", function()
        local stranger <close> = assert(cekura.new { api_url = server.url, api_key = "wrong" })
        return stranger.results:wait({ result_id = 373 }, QUICK)
      end },
    } do
      it("ends at once with an error that is not transient: " .. row[1], function()
        start()
        local value, err = row[2]()
        assert.is_nil(value)
        assert.equal(row[1], err.kind)
        assert.equal(1, #server:requests())
      end)
    end

    it("for logs ends at once if one of them does not exist", function()
      start()
      local logs = {}
      for i = 1, 40 do logs[i] = { id = i, metrics = {} } end
      local value, err = client.calls:wait({ call_logs = logs, metrics = { 55 } }, QUICK)
      assert.is_nil(value)
      assert.equal("not_found", err.kind)
      assert.is_true(#server:requests() <= 8)  -- those in flight when the first one fails
      assert.equal(40, #err.last)
    end)
  end)

  describe("with a faulty server", function()
    local server, client
    setup(function() server = faults.start() end)
    teardown(function() server:stop() end)
    before_each(function()
      server:clear()
      client = retries.client(server)
    end)
    after_each(function() client:close() end)

    local RUNNING = { status = "running" }
    local OVER = { status = "completed" }

    local function wait(options) return client.results:wait({ result_id = 1 }, with(options)) end

    for status, ends in pairs {
      completed = true, failed = true, timeout = true, cancelled = true, COMPLETED = true,
      running = false, pending = false, in_progress = false, evaluating = false, in_queue = false,
      scaling_up = false, something_new = false,
    } do
      local meaning = ends and "ended" or "running"
      it(("takes a result that is %q for %s"):format(status, meaning), function()
        server:script(responses({ status = status }, OVER))
        assert.is_string(assert(wait()).status)
        assert.equal(ends and 1 or 2, server:deliveries())
      end)
    end

    describe("for a result with after", function()
      local T0, T1, T2 = "2026-01-01T10:00:00.100000Z", "2026-01-01T10:00:05Z",
        "2026-01-01T10:00:09Z"

      local function shown(status, updated_at)
        return { id = 1, status = status, updated_at = updated_at }
      end

      local OLD, RUNS = shown("completed", T0), shown("running", T1)
      local NEW = shown("completed", T2)

      local function wait_after(after, list, options)
        local entries = responses(table.unpack(list))
        for _ = 1, 50 do entries[#entries + 1] = entries[#list] end
        server:script(entries)
        local polls = 0
        options = with(options)
        options.on_poll = function() polls = polls + 1 end
        local value, err = client.results:wait({ result_id = 1, after = after }, options)
        return value, err, polls
      end

      -- { what, after, polls, number of the poll that ends the wait }
      for _, row in ipairs {
        { "a later time ends it at once", OLD, { NEW }, 1 },
        { "an old status does not end it", OLD, { OLD, OLD, RUNS, NEW }, 4 },
        { "an old status between new ones does not end it", OLD, { RUNS, OLD, RUNS, OLD, NEW }, 5 },
        { "a status from before `after` does not end it",
          OLD, { shown("failed", "2026-01-01T09:00:00Z"), NEW }, 2 },
        { "a run from before `after` is not taken for the new one",
          OLD, { shown("running", "2026-01-01T09:00:00Z"), OLD, NEW }, 3 },
        { "a status that has changed, but not its time, does not end it",
          OLD, { shown("failed", T0), NEW }, 2 },
        { "a server that moves the time at the end",
          OLD, { OLD, shown("running", T0), NEW }, 3 },
        { "a server that moves no time",
          OLD, { OLD, shown("running", T0), shown("evaluating", T0), OLD }, 4 },
        { "an unknown status is one that is not final",
          OLD, { shown("scoring", T0), OLD }, 2 },
        { "a `failed` that becomes `completed`", shown("failed", T0),
          { shown("failed", T0), NEW }, 2 },
        { "a `failed` that stays `failed`", shown("failed", T0),
          { shown("failed", T0), shown("failed", T2) }, 2 },
        { "every final status ends it if `after` was running",
          shown("running", T0), { shown("running", T0), shown("timeout", T0) }, 2 },
        { "an earlier status does not end it if `after` was running",
          shown("running", T1), { OLD, RUNS, NEW }, 3 },
        { "letters in any case", shown("COMPLETED", T0), { OLD, shown("Running", T0), OLD }, 3 },
        -- times
        { "a fraction that one view cuts off is not a later time",
          shown("completed", "2026-01-01T10:00:00Z"), { OLD, NEW }, 2 },
        { "a fraction that the polls cut off is not a later time",
          OLD, { shown("completed", "2026-01-01T10:00:00Z"), NEW }, 2 },
        { "the same time in another zone is not a later time",
          OLD, { shown("completed", "2026-01-01T12:00:00.100+02:00"), NEW }, 2 },
        { "times in the form of the document's example", shown("completed", "2026-01-01 10:00:00"),
          { shown("completed", "2026-01-01 10:00:00"), shown("completed", "2026-01-01 10:00:01") },
          2 },
        { "times in both forms", OLD, { shown("completed", "2026-01-01 10:00:00.100"),
          shown("completed", "2026-01-01 11:00:00+01:00"),
          shown("completed", "2026-01-01T10:00:09") }, 3 },
        { "no times", shown "completed", { shown "completed", shown "running", shown "completed" },
          3 },
        { "no time in `after`", shown "completed", { OLD, RUNS, NEW }, 3 },
        { "no times in the polls", OLD, { shown "completed", shown "running", shown "completed" },
          3 },
        { "no time in one poll", OLD, { shown "completed", NEW }, 2 },
        { "times that are none", shown("completed", "yesterday"),
          { shown("completed", "today"), shown("running", 5), shown("completed", false) }, 3 },
        { "responses that are no results", OLD, { {}, shown(), NEW }, 3 },
      } do
        it(row[1], function()
          local after = shown(row[2].status, row[2].updated_at)  -- a new one for each wait
          local value, err, polls = wait_after(after, row[3])
          assert(value, tostring(err))
          assert.equal(row[4], polls)
        end)
      end

      it("times out if all statuses are from before, and says so", function()
        local value, err = wait_after(shown("completed", T0), { OLD }, BRIEF)
        assert.is_nil(value)
        assert.same({ "timeout", "completed" }, { err.kind, err.last.status })
        assert.matches('the result\'s status is still "completed", the one from before the '
          .. "evaluation", err.message)
      end)

      it("times out with the status if the evaluation runs", function()
        local _, err = wait_after(shown("completed", T0), { RUNS }, BRIEF)
        assert.matches([[the result's status is "running"]], tostring(err))
      end)

      it("remembers in a second wait that the evaluation runs", function()
        local after = shown("completed", T0)
        local _, err = wait_after(after, { shown("running", T0) }, BRIEF)
        assert.equal("timeout", err.kind)
        server:clear()
        local _, _, polls = wait_after(after, { OLD })
        assert.equal(1, polls)
      end)

      it("shows that nothing has ended as long as the status is from before", function()
        local seen = {}
        local runs = { ["1"] = { status = "completed" }, ["2"] = { status = "completed" } }
        local old = { id = 1, status = "completed", updated_at = T0, runs = runs }
        local new = { id = 1, status = "completed", updated_at = T1, runs = runs }
        assert(wait_after(shown("completed", T0), { old, new }, { progress = function(numbers)
          seen[#seen + 1] = { numbers.done, numbers.total }
        end }))
        assert.same({ { 0, 2 }, { 2, 2 } }, { seen[1], seen[#seen] })
      end)

      it("accepts ids as text, and does not send it", function()
        server:script(responses(OLD, NEW))
        local after = { id = 1, status = "completed", updated_at = T0 }
        assert(client.results:wait({ result_id = "1", after = after }, QUICK))
        after.id = "1"
        server:script(responses(OLD, NEW))
        assert(client.results:wait({ result_id = 1, after = after }, QUICK))
        assert.equal(4, server:deliveries())
        assert.equal("/test_framework/v2/results/1/", server:ledger()[1].path)
      end)
    end)

    -- { response of a job, its meaning }
    for _, row in ipairs {
      { { status = "success" }, "done" }, { { status = "completed" }, "done" },
      { { status = "Success" }, "done" }, { { status = "COMPLETED" }, "done" },
      { { status = "success", output = json.null, error = json.null }, "done" },
      { { status = "success", error = "one sample was left out" }, "done" },
      { { status = "success", output = { status = "in_progress" } }, "done" },
      { { status = "success", questions = { "Which?" } }, "done" },
      { { status = "error" }, "failed" }, { { status = "failed" }, "failed" },
      { { status = "timeout" }, "failed" }, { { status = "Cancelled" }, "failed" },
      { { status = "error", improved_metric_description = "x" }, "failed" },
      { { status = "failed", output = { improved_metric_description = "x" } }, "failed" },
      { { status = "failed", questions = { "Which?" } }, "failed" },
      { { status = "awaiting_user_input" }, "asks" },
      { { status = "Awaiting_User_Input" }, "asks" },
      { { questions = { "Which?" } }, "asks" },
      { { status = "in_progress", questions = { "Which?" } }, "asks" },
      { { status = "in_progress", output = { questions = { "Which?" } } }, "asks" },
      { { status = "pending" }, "running" }, { { status = "requires_action" }, "running" },
      { { status = "succeeded" }, "running" }, { { status = "failure" }, "running" },
      { { status = "in_progress", improved_metric_description = "x" }, "running" },
      { { status = "in_progress", output = { improved_metric_description = "x" } }, "running" },
      { { status = "in_progress", output = { status = "success" } }, "running" },
      { { status = "in_progress", error = "one sample was left out" }, "running" },
      { { status = "in_progress", questions = {} }, "running" },
      { { status = "in_progress", questions = json.null }, "running" },
      { { status = true, improved_metric_description = "x" }, "running" },
      { { status = 200 }, "running" }, { { status = { state = "success" } }, "running" },
      { { state = "success" }, "running" }, { { data = { status = "success" } }, "running" },
      -- Without a status, the result shows that the job is done.
      { { improved_metric_description = "x" }, "done" },
      { { output = { improved_metric_description = "x" } }, "done" },
      { { status = json.null, improved_metric_description = "x" }, "done" },
      { { status = "", improved_metric_description = "x" }, "done" },
      { { error = "out of memory" }, "failed" },
      { { error = "out of memory", improved_metric_description = "x" }, "failed" },
      { { improved_metric_description = "" }, "running" },
      { { improved_metric_description = json.null, error = json.null }, "running" },
      { { status = json.null, error = false }, "running" },
      { {}, "running" }, { { progress = 40 }, "running" },
    } do
      it(("takes a job that says %s for %s"):format(json.encode(row[1]), row[2]), function()
        server:script(responses(row[1], { status = "completed", second = true }))
        local value, err = client.metric_reviews:wait({ progress_id = "a" }, QUICK)
        local kinds = { failed = "failed", needs_person = "asks" }
        local found = value and (value.second and "running" or "done") or kinds[err.kind]
        assert.equal(row[2], found)
        if err and value == nil then assert.is_table(err.last) end
      end)
    end

    for what, body in pairs { ["a list"] = '["success"]', ["a number"] = "1", null = "null",
      ["a text"] = '"success"' } do
      it("takes a job that is " .. what .. " for running", function()
        server:script { faults.ok(body), responses({ status = "success", second = true })[1] }
        assert.is_true(assert(client.metric_reviews:wait({ progress_id = "a" }, QUICK)).second)
      end)
    end

    describe("for a job returns the response with the fields of its results", function()
      local function wait_for(response)
        server:script(responses(response))
        return assert(client.metric_reviews:wait({ progress_id = "a" }, QUICK))
      end

      it("that are under output, and the code under output.meta_harness", function()
        local job = wait_for { status = "success", progress_id = "a", output = {
          improved_metric_description = "New.", type = "llm_judge", custom_code = "",
          old_score = { score = 0.5 }, improved_trigger_kind = "always",
          meta_harness = { custom_code = "print()", type = "custom_code", status = "done",
            improved_trigger_kind = "custom_code", improved_metric_description = json.null },
        } }
        assert.same({ "success", "a", "New.", "custom_code", "print()", "custom_code", 0.5 },
          { job.status, job.progress_id, job.improved_metric_description, job.type,
            job.custom_code, job.improved_trigger_kind, job.old_score.score })
        assert.same({ "", "print()" },
          { job.output.custom_code, job.output.meta_harness.custom_code })
      end)

      it("that are at the top, as ProcessFeedbacksResponse documents", function()
        local response = { improved_metric_description = "New.", custom_code = "print()",
          type = "custom_code", new_score = { score = 1 } }
        assert.same(response, wait_for(response))
      end)

      it("that are at both places", function()
        local job = wait_for { status = "success", improved_metric_description = "",
          custom_code = json.null, optimization_summary = "Short.",
          output = { improved_metric_description = "New.", optimization_summary = "" } }
        assert.same({ "New.", "Short." },
          { job.improved_metric_description, job.optimization_summary })
      end)

      for what, output in pairs { ["a list"] = { "x" }, ["a text"] = "New.", ["a number"] = 5 } do
        it("unless output is " .. what, function()
          local job = wait_for { status = "success", custom_code = "x", output = output }
          assert.equal("x", job.custom_code)
          assert.same({ output }, { job.output, job[1] })
        end)
      end
    end)

    it("calls on_poll with the responses of a job as they are", function()
      local list = { { status = "in_progress", output = { improved_metric_description = "Ne" } },
        { status = "success", output = { improved_metric_description = "New." } } }
      server:script(responses(table.unpack(list)))
      local seen = {}
      assert(client.metric_reviews:wait({ progress_id = "a" },
        with { on_poll = function(value, n) seen[n] = value end }))
      assert.same(list, seen)
    end)

    -- { response of a job that has failed, its reason }
    for _, row in ipairs {
      { { status = "error", error = "out of memory" }, "out of memory" },
      { { status = "failed", output = { error = "no reviews" } }, "no reviews" },
      { { status = "failed", error = "outer", output = { error = "inner" } }, "outer" },
      { { status = "failed", error = json.null, message = "too few" }, "too few" },
      { { status = "cancelled", error = { code = 5 } }, "cancelled" },
      { { error = { code = 5 } }, "error" },
    } do
      it(("names the reason why a job has failed: %s"):format(json.encode(row[1])), function()
        server:script(responses(row[1]))
        local _, err = client.metric_reviews:wait({ progress_id = "a" }, QUICK)
        assert.equal("failed", err.kind)
        assert.matches("the job has failed %(" .. row[2] .. "%)", err.message)
      end)
    end

    describe("for reviews", function()
      local function wait_for(options, ...)
        server:script(responses(...))
        return client.metrics:wait({ progress_id = "a", agent_id = 231 }, with(options))
      end

      local DONE = { status = "success", completed = 3, failed = 1, total = 4,
        output = { metric = { id = 55 }, review_results = { { review_id = 1 } } } }

      it("returns the scores, and polls run_reviews_progress", function()
        local scores, response = assert(wait_for({}, { status = "in_progress", total = 4 }, DONE))
        assert.same({ "success", 3, 55, 1, 200 }, { scores.status, scores.completed,
          scores.metric.id, scores.review_results[1].review_id, response.status })
        for _, request in ipairs(server:ledger()) do
          assert.same({ "GET", "/test_framework/v2/metrics/run_reviews_progress/"
            .. "?progress_id=a&agent_id=231" }, { request.method, request.path })
        end
      end)

      for name, id in pairs { project_id = 14, assistant_id = "as1" } do
        it("sends " .. name .. " with each poll", function()
          server:script(responses(DONE))
          assert(client.metrics:wait({ progress_id = "a", [name] = id }, QUICK))
          assert.matches(("&%s=%s$"):format(name, id), server:ledger()[1].path)
        end)
      end

      -- { response of a job, its meaning }
      for _, row in ipairs {
        { { status = "completed", output = json.null }, "done" },
        { { completed = 4, total = 4, output = { metric = { id = 55 } } }, "done" },
        { { completed = 4, total = 4, metric = { id = 55 } }, "done" },
        { { completed = 4, total = 4 }, "running" },
        { { completed = 1, total = 4, metric = 55 }, "running" },
        { { status = "in_progress", completed = 4, total = 4, metric = { id = 55 } }, "running" },
        { { status = "failed", metric = { id = 55 } }, "failed" },
        { { improved_metric_description = "x" }, "running" },
      } do
        it(("takes a job that says %s for %s"):format(json.encode(row[1]), row[2]), function()
          local value, err = wait_for({}, row[1], { status = "success", second = true })
          local found = value and (value.second and "running" or "done") or err.kind
          assert.equal(row[2], found)
        end)
      end

      it("shows how many have been scored", function()
        local seen = {}
        local function progress(numbers) seen[#seen + 1] = numbers end
        assert(wait_for({ progress = progress },
          { status = "in_progress", completed = 1, failed = 1, total = 4 }, DONE))
        assert.same({ 2, 4, 1, 1, 2 }, { seen[1].done, seen[1].total, seen[1].ok, seen[1].failed,
          seen[1].running })
        assert.same({ 4, 4, 3, 1 }, { seen[#seen].done, seen[#seen].total, seen[#seen].ok,
          seen[#seen].failed })
      end)

      for _, fields in ipairs { { total = -1 }, { total = "4", completed = 1 }, { total = 0 },
        { completed = 2 }, { total = json.null }, { total = {} }, { total = 1.5 } } do
        it("is one part if its counts are " .. json.encode(fields), function()
          local seen
          fields.status = "in_progress"
          assert(wait_for({ progress = function(n) seen = seen or n end }, fields, DONE))
          assert.same({ 0, 1, 0 }, { seen.done, seen.total, seen.failed })
        end)
      end

      it("counts no more than all of them", function()
        local seen
        assert(wait_for({ progress = function(numbers) seen = seen or numbers end },
          { status = "in_progress", completed = 9, failed = 9, total = 4 }, DONE))
        assert.same({ 4, 4, 0, 4 }, { seen.done, seen.total, seen.ok, seen.failed })
      end)

      it("times out with the counts", function()
        local entries = {}
        for i = 1, 50 do entries[i] = { status = "in_progress", completed = 2, total = 4 } end
        local _, err = wait_for(BRIEF, table.unpack(entries))
        assert.same({ "timeout", "metrics.wait", 2 },
          { err.kind, err.endpoint, err.last.completed })
        assert.matches('the job\'s status is "in_progress", 2 of 4 done', err.message)
      end)
    end)

    it("reads a state in capital letters in every locale", function()
      local turkish <close> = locale.turkish()
      if not turkish then return end
      server:script(responses({ status = "FAILED", waiting = 1 }, { status = "FAILED" },
        { status = "AWAITING_USER_INPUT" }))
      local output = script.run(turkish.SET .. ([[
        local client = assert(require "cekura".new { api_url = %q, api_key = "k" })
        print(assert(client.results:wait { result_id = 1 }).status)
        for _ = 1, 2 do print(select(2, client.metric_reviews:wait { progress_id = "a" }).kind) end
      ]]):format(server.url), { LOCPATH = turkish.folder, LC_ALL = false })
      assert.matches("^FAILED\nfailed\nneeds_person\n", output)
    end)

    it("continues after transient failures, and calls on_poll after each poll", function()
      client:close()
      client = retries.client(server, { max_attempts = 1 })
      server:script { responses(RUNNING)[1], faults.status(503), "close_before_answer",
        "reset_before_answer", "cut_body", "not_json", faults.status(502), faults.html(504),
        faults.status(500), faults.status(429), faults.status(408), responses(OVER)[1] }
      local seen = {}
      local result = wait { on_poll = function(value, n, err)
        seen[n] = value and value.status or err.kind
      end }
      assert.equal("completed", assert(result).status)
      assert.same({ "running", "server", "network", "network", "response", "response", "server",
        "server", "server", "rate_limited", "bad_request", "completed" }, seen)
    end)

    it("retries each poll, as any call that reads", function()
      server:script { faults.status(503), faults.status(503), responses(OVER)[1] }
      local polls = 0
      assert(wait { on_poll = function() polls = polls + 1 end })
      assert.same({ 1, 3 }, { polls, server:deliveries() })
    end)

    it("honours Retry-After", function()
      client:close()
      client = retries.client(server, { max_attempts = 1 })
      for _, entry in ipairs {
        faults.status(429, { ["Retry-After"] = "1" }),
        faults.status(503, { ["Retry-After"] = "1" }),
        { { "answer", 202, { { "Retry-After", "1" } }, json.encode(RUNNING) } },
      } do
        server:clear()
        server:script { entry, responses(OVER)[1] }
        local seconds = clock.time(function() assert(wait()) end)
        assert.is_true(seconds >= 1 and seconds < 1 + clock.LIMIT / 3)
      end
    end)

    it("honours the date form of Retry-After in a successful response", function()
      local headers = { { "Date", "Fri, 01 Aug 2025 10:00:00 GMT" },
        { "Retry-After", "Fri, 01 Aug 2025 10:10:00 GMT" } }
      server:script { { { "answer", 202, headers, json.encode(RUNNING) } }, responses(OVER)[1] }
      local _, err = wait { timeout = 60 }
      assert.same({ "timeout", 1 }, { err.kind, server:deliveries() })
    end)

    it("ignores a Retry-After of more than an hour in a successful response", function()
      local headers = { { "Retry-After", "86400" } }
      server:script { { { "answer", 202, headers, json.encode(RUNNING) } }, responses(OVER)[1] }
      assert.equal("completed", assert(wait()).status)
    end)

    it("does not start a pause that is longer than the timeout", function()
      client:close()
      client = retries.client(server, { max_attempts = 1 })
      server:script { responses(RUNNING)[1], faults.status(503, { ["Retry-After"] = "600" }) }
      local seconds, value, err = clock.time(wait, { timeout = 60 })
      assert.is_nil(value)
      assert.is_true(seconds < clock.LIMIT / 3)
      assert.same({ "timeout", 600, "running", "server" },
        { err.kind, err.retry_after, err.last.status, err.cause.kind })
    end)

    it("times out with the last value", function()
      server:script(retries.times(1000, responses(RUNNING)[1]))
      local timeout = math.max(0.2, clock.SHORT)
      local seconds, value, err = clock.time(wait, { timeout = timeout, interval = 0.02 })
      assert.is_nil(value)
      assert.is_true(seconds >= 0.1 and seconds < timeout + clock.OVERRUN)
      assert.same({ "timeout", "no", "results.wait", "GET", "running" },
        { err.kind, err.applied, err.endpoint, err.method, err.last.status })
      if err.cause then  -- under valgrind the last poll may be too slow
        assert.equal("timeout", err.cause.kind)
      else
        assert.matches('^results.wait: not done after [01] s: the result\'s status is "running" '
          .. '%(timeout%)$', tostring(err))
      end
    end)

    it("polls once more before the timeout, however long the interval", function()
      clock.patiently(function()
        server:script(responses(RUNNING, OVER))
        local timeout = 2 * math.max(0.2, clock.SHORT)
        assert.equal("completed", assert(wait { timeout = timeout, interval = 60 }).status)
      end)
    end)

    it("does not exceed its timeout if the server does not respond", function()
      server:script { responses(RUNNING)[1], "hang" }
      local seconds, value, err = clock.time(wait, { timeout = 2 * clock.SHORT })
      assert.is_nil(value)
      assert.is_true(seconds < 2 * clock.SHORT + clock.OVERRUN)
      assert.same({ "timeout", "running", "timeout" },
        { err.kind, err.last.status, err.cause.kind })
      assert.matches("the last poll failed: results.get: ", tostring(err))
    end)

    it("times out if the server is gone", function()
      local gone = faults.start()
      local lonely <close> = retries.client(gone)
      gone:script(responses(RUNNING))
      local polls = 0
      local value, err = lonely.results:wait({ result_id = 1 }, with { timeout = 4 * clock.SHORT,
        on_poll = function()
          polls = polls + 1
          if polls == 1 then gone:stop() end
        end })
      assert.is_nil(value)
      assert.same({ "timeout", "running", "network" },
        { err.kind, err.last.status, err.cause.kind })
      assert.is_true(polls > 2)
    end)

    it("times out without a value if no poll succeeded", function()
      server:script(retries.times(1000, faults.status(503)))
      local _, err = wait { timeout = 0.1 }
      assert.equal("timeout", err.kind)
      assert.is_nil(err.last)
      assert.matches("nothing is known of the result; the last poll failed", err.message)
    end)

    it("grows its pauses from a second, with jitter", function()
      clock.patiently(function()
        server:script(retries.times(10, responses(RUNNING)[1]))
        local at = {}
        client.results:wait({ result_id = 1 }, { timeout = 3.9, on_poll = function(_, n)
          at[n] = system.monotime()
        end })
        assert.is_true(at[2] - at[1] >= 0.9)
        assert.is_true(at[3] - at[2] >= 1.35)
      end)
    end)

    it("sends its headers with each poll", function()
      server:script(responses(RUNNING, OVER))
      assert(wait { headers = { ["X-One"] = "1" } })
      for _, row in ipairs(server:ledger()) do assert.equal("1", row.headers["x-one"]) end
      assert.equal(2, server:deliveries())
    end)

    it("raises the errors of on_poll and progress", function()
      for _, name in ipairs { "on_poll", "progress" } do
        server:script(responses(RUNNING, RUNNING))
        local ok, err = pcall(wait, { [name] = function() error({ "mine" }) end })
        assert.is_false(ok)
        assert.equal("mine", err[1])
      end
    end)

    it("calls a progress function with its numbers", function()
      server:script(responses({ status = "running",
        runs = { ["1"] = { status = "completed" }, ["2"] = { status = "evaluating" } } }, OVER))
      local seen = {}
      assert(wait { progress = function(numbers) seen[#seen + 1] = numbers end })
      assert.same({ 1, 2, true }, { seen[1].done, seen[1].total, seen[1].waiting })
      assert.same({ 1, 1 }, { seen[#seen].done, seen[#seen].total })
    end)

    it("calls a progress function with the kind of a failed poll", function()
      server:script { responses(RUNNING)[1], faults.status(503), responses(RUNNING)[1],
        responses(OVER)[1] }
      local seen = {}
      assert(wait { max_attempts = 1, interval = 0.2, progress = function(numbers)
        local problem = numbers.problem or "none"
        if problem ~= seen[#seen] then seen[#seen + 1] = problem end
      end })
      assert.same({ "none", "server", "none" }, seen)
    end)

    for where, columns in pairs { ["a terminal"] = 80, ["a file"] = "pipe" } do
      it("shows in " .. where .. " how far it is, and how long it has taken", function()
        server:script(responses({ status = "running", runs = { a = OVER, b = RUNNING } }, OVER))
        local ran = terminal.run(columns, ([[
          local client = assert(require "cekura".new { api_url = %q, api_key = "k" })
          local polls = 0
          print(assert(client.results:wait({ result_id = 1 }, { interval = 0.5, progress = true,
            on_poll = function()
              polls = polls + 1
              if polls == 2 then look "late" end
            end })).status)
        ]]):format(server.url))
        assert.same({ 0, "completed\n" }, { ran.code, ran.stdout })
        if columns == "pipe" then
          assert.matches("1 of 1 done, took 0:0%d\n$", ran.stderr)
        else
          assert.matches("^%[=+> *%] 1/2  50%%  0:0%d waited$", ran.screen.looks.late[1])
          assert.same({}, ran.screen.rows)
        end
      end)
    end

    describe("for call logs:", function()
      local EARLY, LATE = "2026-01-01T10:00:00.100000Z", "2026-01-01T10:00:05Z"

      local function log(updated_at, values, changes)
        local metrics = cekura.array {}
        for id, value in pairs(values) do
          metrics[#metrics + 1] = { id = id, score = value, explanation = { "v" .. value } }
        end
        local new = { id = 7, updated_at = updated_at, evaluation = { metrics = metrics } }
        for name, value in pairs(changes or {}) do new[name] = value end
        return new
      end

      local function encoded(value)
        return faults.ok((json.encode(value):gsub('"metrics":{}', '"metrics":[]')))
      end

      local function wait_for(snapshot, metrics, list, options)
        local entries = {}
        for i, each in ipairs(list) do entries[i] = encoded(each) end
        for _ = 1, 200 do entries[#entries + 1] = entries[#list] end
        server:script(entries)
        return client.calls:wait({ call_logs = { snapshot }, metrics = metrics }, with(options))
      end

      for what, body in pairs { nothing = "", ["a number"] = "5", ["null"] = "null" } do
        it("continues after a response that is not a log, but " .. what, function()
          server:script { faults.ok(body), faults.ok(body) }
          local value, err = client.calls:wait({ call_logs = { log(EARLY, {}) }, metrics = { 1 } },
            with { timeout = 0.05, interval = 0.04 })
          assert.is_nil(value)
          assert.equal("timeout", err.kind)
        end)
      end

      -- { what, snapshot, metrics, polls, number of the poll that ends the wait }
      for _, row in ipairs {
        { "a value where there was none", log(EARLY, {}), { 1 },
          { log(EARLY, {}), log(EARLY, { [1] = 5 }) }, 2 },
        { "another value", log(EARLY, { 5 }), { 1 }, { log(EARLY, { 5 }), log(EARLY, { 3 }) }, 2 },
        { "the same value, written again", log(EARLY, { 5 }), { 1 },
          { log(EARLY, { 5 }), log(LATE, { 5 }) }, 2 },
        { "the same value in a log that has the fraction cut off", log(EARLY, { 5 }), { 1 },
          { log("2026-01-01T10:00:00Z", { 5 }), log(LATE, { 5 }) }, 2 },
        { "the same value at the same time in another zone", log(EARLY, { 5 }), { 1 },
          { log("2026-01-01T12:00:00.100000+02:00", { 5 }),
            log("2026-01-01T12:00:00.100001+02:00", { 5 }) }, 2 },
        { "a log without a value for all metrics", log(EARLY, {}), { 1, 2 },
          { log(LATE, { 5 }), log(LATE, { 5 }), log(LATE, { 5, 5 }) }, 3 },
        { "two metrics that are both new", log(EARLY, { 5, 5 }), { 1, 2 },
          { log(LATE, { 3, 5 }), log("2026-01-01T10:00:09Z", { 3, 4 }) }, 2 },
        { "a snapshot of a list, which has no explanations",
          { id = 7, updated_at = EARLY, metrics = { { id = 1, score = 5 } } }, { 1 },
          { log(EARLY, { 5 }), log(LATE, { 5 }) }, 2 },
        { "what a reviewer adds", log(EARLY, { 5 }), { 1 },
          { log(EARLY, { 5 }, { is_reviewed = true, feedback = "no" }), log(LATE, { 5 }) }, 2 },
      } do
        it(row[1], function()
          local polls = 0
          assert(wait_for(row[2], row[3], row[4], { on_poll = function() polls = polls + 1 end }))
          assert.equal(row[5], polls)
        end)
      end

      describe("in both versions of the API:", function()
        -- Returns a log whose metric 1 has this entry.
        local function says(updated_at, entry)
          entry.id = 1
          return { id = 7, updated_at = updated_at, evaluation = { metrics = { entry } } }
        end
        local PASS = { type = "binary", eval_type = "binary", score = true, passed = true }
        local FAIL = { type = "binary", eval_type = "binary", score = false, passed = false }
        local NONE = { type = "binary", eval_type = "binary", score = json.null }

        -- { title, entry of the snapshot, entry that is polled, whether it is new }
        for _, row in ipairs {
          { "5 and true are the same value", { type = "binary", score = 5 }, PASS, false },
          { "0 and false are the same value", { type = "binary", score = 0 }, FAIL, false },
          { '"true" and true are the same value', { type = "binary", score = "true" }, PASS,
            false },
          { "5 of a missing type and true are the same value", { score = 5 }, PASS, false },
          { "true and 5 of a missing type are the same value", PASS, { score = 5 }, false },
          { "5 and false differ", { type = "binary", score = 5 }, FAIL, true },
          { "0 and true differ", { type = "binary", score = 0 }, PASS, true },
          { "null is not a value", { type = "binary", score = 5 }, NONE, false },
          { "a value after null is new", NONE, FAIL, true },
          { "an empty text is not a value", { type = "enum", enum = "", value = "" },
            { type = "enum", enum = "", value = "" }, false },
          { "a value after an empty text is new", { type = "enum", enum = "", value = "" },
            { type = "enum", eval_type = "enum", enum = "a", value = "a" }, true },
          { "an enum in another field is the same value", { type = "enum", enum = "a" },
            { type = "enum", eval_type = "enum", value = "a" }, false },
          { "a number and its text are the same value", { type = "numeric", score = 2.5 },
            { type = "numeric", score = "2.5" }, false },
          { "the same unreadable value is not new", { type = "binary", score = { "?" } },
            { type = "binary", eval_type = "binary", score = { "?" } }, false },
          { "another unreadable value is new", { type = "binary", score = 3 },
            { type = "binary", eval_type = "binary", score = 4 }, true },
        } do
          it(row[1], function()
            local value, err = wait_for(says(EARLY, row[2]), { 1 }, { says(EARLY, row[3]) },
              BRIEF)
            assert.equal(row[4], value ~= nil, err)
            if err.kind then assert.equal("timeout", err.kind) end
          end)
        end

        it("the same value in another encoding is new once the log has changed", function()
          assert(wait_for(says(EARLY, { type = "binary", score = 5 }), { 1 },
            { says(EARLY, PASS), says(LATE, PASS) }))
          assert.equal(2, server:deliveries())
        end)
      end)

      it("an unchanged value among several counts after one and a half times as long", function()
        local moved = log(LATE, { 3, 5 })  -- the first is new, the second may not have run yet
        clock.patiently(function()
          local polls, began = 0, system.monotime()
          local entries = { log(EARLY, { 5, 5 }), log(EARLY, { 5, 5 }), moved }
          assert(wait_for(log(EARLY, { 5, 5 }), { 1, 2 }, entries, { interval = 0.1,
            on_poll = function() polls = polls + 1 end }))
          assert.is_true(polls > 4)
          assert.is_true(system.monotime() - began >= 0.4)
        end)
      end)

      describe("does not take an old value for a new one", function()
        local before, half = log(EARLY, { 5, 5 }), log(LATE, { 3, 5 })
        local new = log("2026-01-01T10:00:09Z", { 3, 4 })

        -- Fails unless the wait ends with the last poll, which has the second metric's new value.
        local function waits_for_it(snapshot, list)
          local logs = assert(wait_for(snapshot, { 1, 2 }, list, { interval = 0.02 }))
          assert.equal(4, logs[1].evaluation.metrics[2].score)
        end

        it("in a log that changed before the first poll", function()
          waits_for_it(log(EARLY, { 5, 5 }), { half, half, half, half, half, new })
        end)

        it("in a response that is delayed longer than the log must be still", function()
          local late = { { "sleep", 1.2 }, encoded(half)[1] }
          server:script { encoded(before), encoded(half), late, encoded(new) }
          local logs = assert(client.calls:wait({ call_logs = { log(EARLY, { 5, 5 }) },
            metrics = { 1, 2 } }, QUICK))
          assert.equal(4, logs[1].evaluation.metrics[2].score)
        end)

        it("in a second wait after one that timed out before the log changed", function()
          local _, err = wait_for(before, { 1, 2 }, { before }, BRIEF)
          assert.equal("timeout", err.kind)
          waits_for_it(before, { half, half, half, half, new })
        end)

        it("in a second wait after one that timed out while the log was still", function()
          local snapshot = log(EARLY, { 5, 5 })
          local _, err = wait_for(snapshot, { 1, 2 }, { half }, BRIEF)
          assert.equal("timeout", err.kind)
          waits_for_it(snapshot, { half, half, half, new })
        end)

        it("but counts it once the log is still, in a second wait, too", function()
          local snapshot = log(EARLY, { 5, 5 })
          local list = { snapshot, snapshot, half }
          local _, err = wait_for(snapshot, { 1, 2 }, list,
            { timeout = 2 * clock.SHORT, interval = clock.SHORT / 4 })
          assert.equal("timeout", err.kind)
          assert.equal(5, assert(wait_for(snapshot, { 1, 2 }, { half },
            { interval = 0.02 }))[1].evaluation.metrics[2].score)
        end)
      end)

      describe("does not exceed the timeout for all of them with", function()
        -- Returns the duration and the results of a wait for `count` logs that get the entry.
        local function time(count, entry, options)
          local snapshots = {}
          for i = 1, count do snapshots[i] = { id = i, updated_at = EARLY, metrics = {} } end
          server:script(retries.times(count, entry))
          return clock.time(client.calls.wait, client.calls,
            { call_logs = snapshots, metrics = { 1 } }, with(options))
        end

        it("a server that does not respond", function()
          local seconds, value, err = time(40, "hang", { timeout = 0.4 })
          assert.is_nil(value)
          assert.same({ "timeout", "timeout", 40 }, { err.kind, err.cause.kind, #err.last })
          assert.is_true(seconds < 0.4 + clock.OVERRUN, seconds)
        end)

        it("a server that responds slowly", function()
          local slow = { { "sleep", 0.15 }, table.unpack(encoded(log(EARLY, {}))) }
          local seconds, value, err = time(100, slow, { timeout = 0.5 })
          assert.is_nil(value)
          assert.equal("timeout", err.kind)
          assert.is_true(seconds < 0.5 + clock.OVERRUN, seconds)
        end)

        it("a server that asks for a pause", function()
          local seconds, value, err = time(100, faults.status(429, { ["Retry-After"] = "30" }),
            { timeout = 0.5 })
          assert.is_nil(value)
          assert.same({ "timeout", "rate_limited" }, { err.kind, err.cause.kind })
          assert.is_true(seconds < 0.5 + clock.OVERRUN, seconds)
        end)
      end)

      it("reads a log again after a transient failure, but not those that have ended", function()
        client:close()
        client = retries.client(server, { max_attempts = 1 })
        local snapshots, kinds = {}, {}
        for i = 1, 20 do snapshots[i] = { id = i, updated_at = EARLY, metrics = {} } end
        local entries = retries.times(20, encoded(log(LATE, { 5 })))
        entries[3], entries[20] = faults.status(503), "close_before_answer"
        entries[21], entries[22] = encoded(log(LATE, { 5 })), encoded(log(LATE, { 5 }))
        server:script(entries)
        assert(client.calls:wait({ call_logs = snapshots, metrics = { 1 } }, with {
          on_poll = function(value, n, err) kinds[n] = value and #value or err.kind end }))
        assert.equal(2, #kinds)
        assert.equal(20, kinds[2])
        assert.equal(22, server:deliveries())
      end)

      it("times out if new values cannot be distinguished from old ones", function()
        local _, err = wait_for(log(EARLY, { 5 }), { 1 }, { log(EARLY, { 5 }) }, BRIEF)
        assert.equal("timeout", err.kind)
        assert.matches("1 of 1 call logs have no new values yet: 7", err.message)
        assert.equal(7, err.last[1].id)
      end)
    end)

    -- { method, arguments, options, message }
    for _, row in ipairs {
      { "results", {}, nil, "results.wait: result_id: is required" },
      { "results", { result_id = "x", resultid = 1 }, nil, 'did you mean "result_id"' },
      { "results", { result_id = 1, afer = { id = 1 } }, nil, 'did you mean "after"' },
      { "results", { result_id = 1, after = true }, nil,
        "after: must be the result as results:get returned it before the evaluation, got boolean" },
      { "results", { result_id = 1, after = cekura.null }, nil, "after: must be the result as" },
      { "results", { result_id = 1, after = {} }, nil, "after: must have id and status, as" },
      { "results", { result_id = 1, after = { id = 1 } }, nil, "after: must have id and status" },
      { "results", { result_id = 1, after = { id = 1, status = 5 } }, nil,
        "after: must have id and status" },
      { "results", { result_id = 1, after = { id = "x", status = "failed" } }, nil,
        "after: must have id and status" },
      { "results", { result_id = "373", after = { id = 372, status = "completed" } }, nil,
        "after: is result 372, not result 373" },
      { "results", { result_id = "x", after = { id = 372 } }, { timeout = 0 },
        "^results.wait: result_id: .*; after: must have id and status.*; options.timeout: must" },
      { "results", { after = { id = 372, status = "completed" } }, nil,
        "^results.wait: result_id: is required %(" },
      { "results", { result_id = 1 }, { after = { id = 1, status = "completed" } },
        "options.after: unknown option" },
      { "metric_reviews", { progress_id = "x", after = {} }, nil, "after: unknown field" },
      { "metric_reviews", { progress_id = "" }, nil, "progress_id: must not be empty" },
      { "metrics", {}, nil, "metrics.wait: progress_id: is required" },
      { "metrics", { progress_id = "a", progressid = 1 }, nil, 'did you mean "progress_id"' },
      { "metrics", { progress_id = "a", timeout = 5 }, nil, "timeout: is an option: it belongs" },
      { "calls", {}, nil, "calls.wait: call_logs: is required; metrics: is required" },
      { "calls", { call_logs = 5, metrics = {} }, nil, "call_logs: must be the list that" },
      { "calls", { call_logs = {}, metrics = { 0 } }, nil, "must have at least 1 item" },
      { "calls", { call_logs = { nil, { id = 5, metrics = {} } }, metrics = { 1 } }, nil,
        "call_logs: must be a list without holes" },
      { "calls", { call_logs = { { id = 5, metrics = {} } }, metrics = { 1, nil, 2 } }, nil,
        "metrics: must be a list without holes" },
      { "calls", { call_logs = { results = {} }, metrics = { 1 } }, nil,
        "call_logs: must be a list, got a table with string keys" },
      { "calls", { call_logs = { 5, { id = 5 } }, metrics = { 1 } }, nil,
        "call_logs%[2%]: must have updated_at and metrics" },
      { "results", { result_id = 1 }, { intervall = 1 }, 'options.intervall: unknown option, did '
        .. 'you mean "interval"' },
      { "results", { result_id = 1 }, { timeout = 0, progress = 1, on_poll = 1, interval = "1" },
        "options.interval: must be a number of seconds .*options.timeout: must be" },
      { "results", { result_id = 1 }, { dry_run = true }, "options.dry_run: unknown option" },
      { "results", { result_id = 1, timeout = 5 }, nil, "timeout: is an option: it belongs in" },
      { "results", { result_id = 1, interval = 5 }, nil,
        "^results.wait: interval: is an option: it belongs in [^;]*$" },
      { "metric_reviews", { progress_id = "x", on_poll = print }, nil,
        "^metric_reviews.wait: on_poll: is an option: it belongs in [^;]*$" },
      { "calls", { call_logs = { { id = 5, metrics = {} } }, metrics = { 1 }, timeout = 5 }, nil,
        "^calls.wait: timeout: is an option: it belongs in [^;]*$" },
      { "calls", {}, { headers = { ["X-CEKURA-API-KEY"] = "x" }, deadline = -1, timeout = "y" },
        "options.timeout: must be" },
    } do
      it("sends nothing with wrong arguments: " .. row[4], function()
        local value, err = client[row[1]]:wait(row[2], row[3])
        assert.is_nil(value)
        assert.same({ "validation", "no", row[1] .. ".wait" },
          { err.kind, err.applied, err.endpoint })
        assert.matches(row[4], tostring(err))
        assert.is_table(select(2, next(err.fields)))
        assert.equal(0, server:deliveries())
      end)
    end

    it("raises misuse at the caller's line", function()
      for name, method in pairs { results = "results", metric_reviews = "metric_reviews",
        metrics = "metrics", calls = "calls" } do
        assert.matches("call it with a colon: " .. method .. ":wait{ … }",
          select(2, pcall(client[name].wait, {})))
        for _, row in ipairs {
          { "takes a table of arguments, got nil", client[name] },
          { "takes a table of arguments, got string", client[name], "x" },
          { "takes a table of options, got number", client[name], {}, 5 },
          { "call it with a colon: " .. name .. ":wait{ … }", {} },
        } do
          local _, message = pcall(function() client[name].wait(table.unpack(row, 2)) end)
          assert.matches("^spec/retry/wait_spec.lua:%d+: .*" .. row[1], message)
        end
      end
    end)

    it("ends with Ctrl-C in a pause, and erases its line", function()
      server:script(responses(RUNNING))
      local process = child.start_checked { child.lua, "-e", ([[
        local client = assert(require "cekura".new { api_url = %q, api_key = "k" })
        client.results:wait({ result_id = 1 }, { interval = 60, progress = true,
          on_poll = function()
            print "polled"
            io.stdout:flush()
          end })
        print "went on"]]):format(server.url) }
      assert.equal("polled", process:line())
      system.sleep(clock.SHORT)
      local seconds, output, code = clock.time(function()
        process:signal "INT"
        return process:finish()
      end)
      assert.matches("interrupted!", output)
      assert.is_nil(output:find("went on", 1, true))
      assert.equal(1, code)
      assert.is_true(seconds < clock.LIMIT)
      assert.equal(1, server:deliveries())
    end)
  end)
end)
