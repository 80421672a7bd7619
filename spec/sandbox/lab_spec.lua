--- The Labs of the metrics: test sets, the optimiser that learns from them, and their scores.

local cekura = require "cekura"
local sandbox = require "cekura.sandbox"

local NOW = 1763726400 -- fixes the data
local NEVER, AT_ONCE = 86400, 0 -- evaluation_time

describe("the Lab", function()
  local server, client

  local function start(options)
    local all = { now = NOW, evaluation_time = AT_ONCE }
    for name, value in pairs(options or {}) do all[name] = value end
    server = sandbox.start(all)
    client = assert(cekura.new { api_url = server.url, api_key = server.api_key, max_attempts = 1 })
  end

  after_each(function()
    client:close()
    server:stop()
  end)

  local function label(run_id, expected, feedback)
    return assert(client.test_sets:create_from_run { run_id = run_id,
      metrics = { { metric = 55, expected_value = expected, feedback = feedback } } })
  end

  local function reviews_of(metric_id)
    return assert(client.metrics:get { metric_id = metric_id }).reviews
  end

  local function entry_of(call, metric_id)
    for _, entry in ipairs(call.evaluation.metrics) do
      if entry.id == metric_id then return entry end
    end
  end

  --- Returns { id, result, value, expected } of six runs, with another value than the metric's.
  local function six_runs()
    local runs = {}
    for result_id = 373, 380 do
      if #runs >= 6 then break end
      local result = assert(client.results:get { result_id = result_id })
      for id, run in pairs(result.runs) do
        local entry = entry_of(run, 55)
        if entry then
          runs[#runs + 1] = { id = math.tointeger(tonumber(id)), result = result_id,
            value = entry.score, expected = entry.score == 3 and 2 or 3 }
        end
      end
    end
    table.sort(runs, function(a, b) return a.id < b.id end)
    return { table.unpack(runs, 1, 6) }
  end

  --- Returns the id of a run that was not connected.
  local function failed_run()
    return assert(client.runs:list { agent_id = 231, status = "failed", page_size = 1 })
      .results[1].id
  end

  --- Returns how many labels a metric has.
  local function count_labels(slug)
    return assert(client.metrics:list { slug = slug, include_scores = true })[1].total_score
  end

  local function assert_refused(kind, pattern, value, err)
    assert.is_nil(value)
    assert.equal(kind, err.kind)
    assert.matches(pattern, err.detail or tostring(err))
  end

  describe("gets test sets", function()
    it("from a run, with the label and the metric's value", function()
      start()
      assert.same({}, reviews_of(55))
      local set = label(5544, 2, "missed the reschedule step")
      assert.same({ 231, "5544", "Run", "5544" },
        { set.agent, set.name, set.source_model, set.source_id })
      assert.matches("Main Agent: ", set.transcript)
      assert.equal("Main Agent", set.transcript_object[1].role)
      local inline = set.metric_reviews[1]
      assert.same({ 55, "Steps Completed", "numeric", 2, "missed the reschedule step" }, {
        inline.metric, inline.metric_name, inline.eval_type, inline.expected_value,
        inline.feedback,
      })
      local review = reviews_of(55)[1]
      assert.same({ inline.id, 2, 3, "missed the reschedule step", set.id, "Run", "5544" }, {
        review.id, review.expected_value, review.actual_value, review.feedback,
        review.test_set.id, review.test_set.source_model, review.test_set.source_id,
      })
    end)

    it("from a call log", function()
      start()
      local log = assert(client.calls:list { agent_id = 231, page_size = 1 }).results[1]
      local set = assert(client.test_sets:create_from_call_log { call_log_id = log.id,
        project = 14, name = "a call", metrics = { { metric = 55, expected_value = 1 } } })
      assert.same({ "a call", "CallLog", tostring(log.id) },
        { set.name, set.source_model, set.source_id })
      assert.equal(entry_of(log, 55).score, reviews_of(55)[1].actual_value)
    end)

    it("once for each call: a repetition replaces the labels that it gives", function()
      start()
      local first = label(5544, 2, "first")
      assert.equal(first.id, label(5544, 2, "first").id)
      assert.equal(1, #reviews_of(55))
      label(5544, 1)
      local review = reviews_of(55)[1]
      assert.same({ 1, "first", 3 },
        { review.expected_value, review.feedback, review.actual_value })
      label(5544, nil, "second")
      review = reviews_of(55)[1]
      assert.same({ 1, "second" }, { review.expected_value, review.feedback })
      label(5544, cekura.null)
      assert.is_nil(reviews_of(55)[1].expected_value)
    end)

    it("with further metrics, which join the existing set", function()
      start()
      local first = label(5544, 2)
      local second = assert(client.test_sets:create_from_run { run_id = 5544, name = "renamed",
        metrics = { { metric = 52, expected_value = "unresolved" }, { metric = 51 } } })
      assert.same({ first.id, "renamed", 3 },
        { second.id, second.name, #second.metric_reviews })
      assert.same({ 1, 1, 1 }, { #reviews_of(51), #reviews_of(52), #reviews_of(55) })
      local count = 0
      for _ in pairs(server:state "test_sets") do count = count + 1 end
      assert.equal(1, count)
    end)

    it("with no value of a metric that has not judged the call", function()
      start()
      assert(client.test_sets:create_from_run { run_id = 5544, metrics = { { metric = 57 } } })
      assert.is_nil(reviews_of(57)[1].actual_value)
    end)

    it("with the values of a binary metric as booleans", function()
      start()
      for _, expected in ipairs { false, 0, "false" } do
        assert(client.test_sets:create_from_run { run_id = 5544,
          metrics = { { metric = 51, expected_value = expected } } })
        local review = reviews_of(51)[1]
        assert.is_false(review.expected_value)
        assert.is_boolean(review.actual_value)
      end
      local old = assert(client:request { method = "GET", path = "/test_framework/v1/metrics/51/" })
      assert.equal(0, old.reviews[1].expected_value)
      assert.is_number(old.reviews[1].actual_value)
    end)

    it("with the number of a numeric metric, also if it is sent as a text", function()
      start()
      local set = label(six_runs()[1].id, "2")
      assert.equal(2, set.metric_reviews[1].expected_value)
    end)

    it("which server:state shows", function()
      start()
      local set = label(5544, 2, "x")
      local state = server:state("test_sets", set.id)
      assert.same({ set.id, "run", 5544, "5544" },
        { state.id, state.kind, state.source_id, state.name })
      assert.same({ 2, 3, "x" }, { state.metrics[55].expected_value,
        state.metrics[55].actual_value, state.metrics[55].feedback })
    end)

    local METRICS = { { metric = 55 } }
    for title, row in pairs {
      ["an unknown run"] = { { run_id = 1, metrics = METRICS }, "run_id" },
      ["a run that is not completed"] =
        { { run_id = "failed", metrics = METRICS }, "not completed" },
      ["an unknown metric"] = { { run_id = 5544, metrics = { { metric = 1 } } }, "metrics" },
      ["a metric of another agent"] =
        { { run_id = 5544, metrics = { { metric = 41 } } }, "does not belong to agent 231" },
      ["an unknown project"] = { { run_id = 5544, project = 1, metrics = METRICS }, "project" },
      ["another project"] = { { run_id = 5544, project = 12, metrics = METRICS }, "does not own" },
      ["an unknown call log"] = { { call_log_id = 1, metrics = METRICS }, "call_log_id" },
    } do
      it("but not from " .. title, function()
        start()
        local arguments = row[1]
        if arguments.run_id == "failed" then arguments.run_id = failed_run() end
        local name = arguments.run_id and "create_from_run" or "create_from_call_log"
        assert_refused("bad_request", row[2], client.test_sets[name](client.test_sets, arguments))
        assert.same({}, server:state "test_sets")
      end)
    end
  end)

  local function label_six()
    local runs, sets = six_runs(), {}
    for i, run in ipairs(runs) do sets[i] = label(run.id, run.expected, "Count them again.").id end
    return runs, sets
  end

  local function optimise(arguments)
    local all = { metric_id = 55 }
    for name, value in pairs(arguments or {}) do all[name] = value end
    return assert(client.metric_reviews:process_feedbacks(all)).progress_id
  end

  local function progress_of(id)
    return assert(client.metric_reviews:process_feedbacks_progress { progress_id = id })
  end

  local function cancel(id)
    return client.metric_reviews:process_feedbacks_cancel { progress_id = id }
  end

  local function job_of(id)
    for _, job in ipairs(server:state "jobs") do
      if job.progress_id == id then return job end
    end
  end

  describe("teaches the optimiser", function()
    it("with all test sets, or with those that are named", function()
      start()
      local _, sets = label_six()
      local output = progress_of(optimise()).output
      assert.same({ 6, 0, 6 },
        { #output.review_results, output.old_score.num_correct, output.old_score.num_total })
      assert.is_true(output.new_score.score > 0.5)
      assert.matches("%- Count them again%.$", output.improved_metric_description)
      assert.equal(1, output.estimated_cost_per_sample)
      output = progress_of(optimise { test_set_ids = { sets[2], sets[3] } }).output
      assert.same({ sets[2], sets[3] },
        { output.review_results[1].test_set_id, output.review_results[2].test_set_id })
      assert.equal(10000 - 6 - 2, server:state "balance".remaining)
    end)

    it("with the labels at the start of the job", function()
      start { evaluation_time = NEVER }
      label(5544, 2, "old")
      local id = optimise()
      label(5544, 1, "new")
      server:finish_jobs()
      assert.matches("%- old$", progress_of(id).output.improved_metric_description)
    end)

    it("and puts code under output.meta_harness", function()
      start()
      label(5544, 2, "Use the code.")
      local output = progress_of(optimise { metric_type = "custom_code" }).output
      assert.equal("custom_code", output.type)
      assert.matches("_result = ", output.meta_harness.custom_code)
      assert.is_nil(progress_of(optimise()).output.meta_harness)
    end)

    it("and ends with status success, error or a question", function()
      for how, status in pairs {
        improves = "success", fails = "error", asks = "awaiting_user_input",
      } do
        start { optimiser = how }
        label(5544, 2)
        local progress = progress_of(optimise())
        assert.equal(status, progress.status)
        assert.equal(how == "improves", progress.output ~= nil)
        assert.equal(how == "asks", progress.questions ~= nil)
        if how ~= "improves" then client:close() server:stop() end
      end
    end)

    it("only with test sets that have a label or a note", function()
      start()
      label(5544)
      assert_refused("bad_request", "no feedback", client.metric_reviews:process_feedbacks {
        metric_id = 55 })
      label(5544, nil, "a note")
      assert.equal(0, progress_of(optimise()).output.old_score.num_total)
    end)

    it("and the improved metric still judges calls without a label", function()
      start()
      label_six()
      assert(client.metrics:update { metric_id = 55,
        description = progress_of(optimise()).output.improved_metric_description })
      assert(client.results:bulk_evaluate_metrics { result_ids = { 400, 401 },
        metric_ids = { 55 } })
      for _, id in ipairs(server:state("results", 400).run_ids) do
        local run = server:state("runs", id)
        local value = run.status == "completed" and run.metrics[55].value or 0
        assert.is_true(math.type(value) == "integer" and value >= 0 and value <= 4)
      end
    end)

    it("but not with votes", function()
      start()
      assert(client.runs:mark_metric_vote { run_id = 5544, metric_id = 55, thumbs_up = false,
        expected_value = 2, feedback = "missed the reschedule step" })
      assert.same({}, reviews_of(55))
      assert.same({}, server:state "test_sets")
      assert_refused("bad_request", "no feedback", client.metric_reviews:process_feedbacks {
        metric_id = 55 })
      assert.equal(10000, server:state "balance".remaining)
    end)

    it("with votes, too, if the option votes_feed_lab is set", function()
      start { votes_feed_lab = true }
      local before = count_labels "steps_completed"
      assert.is_true(before > 100)
      assert(client.runs:mark_metric_vote { run_id = 5544, metric_id = 55, thumbs_up = false,
        expected_value = 2, feedback = "missed the reschedule step" })
      assert.equal(before + 1, count_labels "steps_completed")
      local set = label(5544, 2, "missed the reschedule step")
      assert.equal(before + 1, count_labels "steps_completed")
      assert.equal(2, server:state("test_sets", set.id).metrics[55].expected_value)
      assert.matches("missed the reschedule step",
        progress_of(optimise()).output.improved_metric_description)
    end)

    it("but not with votes without a value or a remark", function()
      start { votes_feed_lab = true }
      local before = count_labels "steps_completed"
      assert(client.runs:mark_metric_vote { run_id = 5544, metric_id = 55, thumbs_up = true,
        expected_value = cekura.null })
      assert.equal(before, count_labels "steps_completed")
      local set = label(5544, 2)
      assert(client.runs:mark_metric_vote { run_id = 5544, metric_id = 55, thumbs_up = true,
        expected_value = cekura.null })
      assert.is_nil(server:state("test_sets", set.id).metrics[55].expected_value)
    end)
  end)

  describe("cancels a job of the optimiser", function()
    it("that is running, which then ends as cancelled", function()
      start { evaluation_time = NEVER }
      label(5544, 2)
      local id = optimise()
      assert.equal("in_progress", progress_of(id).status)
      assert.equal("cancelled", assert(cancel(id)).status)
      local other = optimise()
      server:finish_jobs()
      assert.equal("success", progress_of(other).status)
      local progress = progress_of(id)
      assert.equal("cancelled", progress.status)
      assert.is_nil(progress.output)
      assert.equal("cancelled", job_of(id).status)
      assert.equal("cancelled", assert(cancel(id)).status)
    end)

    it("that asks a question", function()
      start { optimiser = "asks" }
      label(5544, 2)
      local id = optimise()
      assert.equal("awaiting_user_input", progress_of(id).status)
      assert(cancel(id))
      assert.equal("cancelled", progress_of(id).status)
    end)

    it("but none that has ended or does not exist", function()
      start()
      label(5544, 2)
      local id = optimise()
      assert_refused("bad_request", "has ended", cancel(id))
      assert.equal("success", progress_of(id).status)
      assert_refused("not_found", "Not found", cancel "no-such-job")
    end)
  end)

  describe("scores its labels", function()
    local function score(arguments)
      local all = { metric_id = 55 }
      for name, value in pairs(arguments or {}) do all[name] = value end
      return client.metrics:run_reviews(all)
    end

    local function scores_of(id)
      return assert(client.metrics:run_reviews_progress { progress_id = id })
    end

    it("with the metric as it is", function()
      start()
      label_six()
      label(5544, 3)
      local progress = scores_of(assert(score()).progress_id)
      assert.same({ "completed", 6, 0, 6 },
        { progress.status, progress.completed, progress.failed, progress.total })
      assert.same({ num_correct = 1, num_total = 6, score = 0.167 }, progress.output.score)
      local metric = progress.output.metric
      assert.same({ 55, 1, 6 }, { metric.id, metric.overall_score, metric.total_score })
      assert.equal(6, #progress.output.review_results)
      assert.equal(10000 - 6, server:state "balance".remaining)
      local reviews = {}
      for _, review in ipairs(reviews_of(55)) do reviews[review.id] = review end
      for _, result in ipairs(progress.output.review_results) do
        local review = reviews[result.review_id]
        assert.equal(review.test_set.id, result.test_set_id)
        assert.equal(review.actual_value, result.actual_value)
        assert.equal(review.expected_value == result.actual_value, result.success)
        assert.is_string(result.explanation[1])
      end
    end)

    it("with a draft, which leaves the metric as it is", function()
      start()
      label_six()
      local description = progress_of(optimise()).output.improved_metric_description
      local before = assert(client.metrics:get { metric_id = 55 })
      local draft = scores_of(assert(score { description = description, skip_save = true })
        .progress_id).output.score
      assert.is_true(draft.score > 0.5)
      assert.same(before, assert(client.metrics:get { metric_id = 55 }))
      assert.equal(0, scores_of(assert(score { description = "Count.", skip_save = true })
        .progress_id).output.score.score)
    end)

    it("with the code of a proposal", function()
      start()
      label_six()
      local code = progress_of(optimise { metric_type = "custom_code" })
        .output.meta_harness.custom_code
      local draft = scores_of(assert(score { type = "custom_code", custom_code = code,
        skip_save = true }).progress_id).output.score
      assert.is_true(draft.score > 0.5)
      assert.is_false(server:state("metrics", 55).improved)
      assert(client.metrics:update { metric_id = 55, type = "custom_code", custom_code = code })
      assert.is_true(server:state("metrics", 55).improved)
    end)

    it("and saves the values unless skip_save is set", function()
      start()
      local runs = label_six()
      local description = progress_of(optimise()).output.improved_metric_description
      for _, review in ipairs(reviews_of(55)) do
        assert.not_equal(review.expected_value, review.actual_value)
      end
      local progress = scores_of(assert(score { description = description }).progress_id)
      local right = 0
      for _, review in ipairs(reviews_of(55)) do
        if review.expected_value == review.actual_value then right = right + 1 end
      end
      assert.equal(progress.output.score.num_correct, right)
      assert.equal(runs[1].value,
        entry_of(assert(client.runs:get { run_id = runs[1].id }), 55).score)
    end)

    it("with the booleans of a binary metric", function()
      start()
      assert(client.test_sets:create_from_run { run_id = 5544,
        metrics = { { metric = 51, expected_value = true } } })
      local progress = scores_of(assert(score { metric_id = 51 }).progress_id)
      assert.is_boolean(progress.output.review_results[1].actual_value)
    end)

    it("as a job", function()
      start { evaluation_time = NEVER }
      label_six()
      local id = assert(score()).progress_id
      local progress = scores_of(id)
      assert.same({ "in_progress", 0, 0, 6 },
        { progress.status, progress.completed, progress.failed, progress.total })
      assert.is_nil(progress.output)
      assert.same({ "reviews", "running", 55 },
        { job_of(id).kind, job_of(id).status, job_of(id).metric_id })
      assert.is_nil(client.metric_reviews:process_feedbacks_progress { progress_id = id })
    end)

    it("but not without labels, without credits or for another project", function()
      start { balance = 1 }
      label(5544)
      assert_refused("bad_request", "no labelled test sets", score())
      label(5544, 2)
      local id = assert(score()).progress_id
      assert_refused("permission", "permission", client.metrics:run_reviews_progress {
        progress_id = id, project_id = 12 })
      assert_refused("permission", "permission", client.metrics:run_reviews_progress {
        progress_id = id, assistant_id = "asst_skyline" })
      assert_refused("bad_request", "Insufficient credits", score())
      assert_refused("not_found", "Not found", client.metrics:run_reviews_progress {
        progress_id = "no-such-job" })
      assert_refused("not_found", "No Metric", score { metric_id = 1 })
    end)
  end)

  --- Returns in how many of the runs the metric agrees with the label.
  local function agreement(runs)
    local count = 0
    for _, run in ipairs(runs) do
      local now = assert(client.runs:get { run_id = run.id })
      if entry_of(now, 55).score == run.expected then count = count + 1 end
    end
    return count
  end

  for _, feeds in ipairs { false, true } do
    it(("improves a metric from labels to a new evaluation with votes_feed_lab = %s"):format(feeds),
      function()
        start { votes_feed_lab = feeds }
        local runs, sets = label_six()
        assert.equal(0, agreement(runs))
        local output = progress_of(optimise { test_set_ids = sets }).output
        assert(client.metrics:update { metric_id = 55,
          description = output.improved_metric_description })
        for _, run in ipairs(runs) do
          assert(client.results:evaluate_metrics { result_id = run.result, run_ids = { run.id },
            metric_ids = { 55 } })
        end
        assert.is_true(agreement(runs) >= 5)
      end)
  end

  it("needs true or false as the option votes_feed_lab", function()
    start()
    assert.has_error(function() sandbox.start { votes_feed_lab = "yes" } end)
  end)
end)
