-- cekura-review improve: scores on held-out labels before a save, --undo and --discard.
-- Above all: what is worse is not saved, what is saved can be undone, and nothing is paid twice.

local Review = require "support.review"
local cekura = require "cekura"
local json = require "cjson".new()
local scratch = require "support.scratch"
local terminal = require "support.terminal"

local START = "POST /test_framework/metric%-reviews/process_feedbacks/"
local CANCEL = "POST /test_framework/metric%-reviews/process_feedbacks_cancel/"
local SCORE = "POST /test_framework/v2/metrics/55/run_reviews/"
local PATCH = "PATCH /test_framework/v2/metrics/55/"
local RESTORE = "POST /test_framework/v2/metrics/55/restore/"
local SCORES = "GET /test_framework/v2/metrics/run_reviews_progress/"
local PROGRESS_PATH, SCORES_PATH = "/process_feedbacks_progress/", "/run_reviews_progress/"

-- Delays every poll of a scoring, so that a test interrupts it.
local NO_SCORES = { path = SCORES_PATH, delay = 600, times = math.huge }

describe("cekura-review improve", function()
  local improve, client

  local function begin(options)
    if improve then improve:close() end
    improve = Review.new("improve", options or { evaluation_time = 0.05 })
    improve.always = { "--metrics", "55", "--state", improve:path "state", "--interval", "0.05",
      "--no-progress" }
    client = assert(cekura.new { api_url = improve.server.url, api_key = improve.server.api_key })
  end

  before_each(function() begin() end)
  after_each(function()
    client:close()
    improve:close()
    improve = nil
  end)

  local function state() return json.decode(scratch.read(improve:path "state")) end

  local function metric() return assert(client.metrics:get { metric_id = 55 }) end

  local function update(fields)
    fields.metric_id = 55
    assert(client.metrics:update(fields))
  end

  local function run_ok(...)
    local output, errors, code = improve:run(...)
    assert.equal(0, code, errors)
    return output, errors
  end

  -- Returns the kinds of the requests that change something, in order.
  local function kinds()
    local list = {}
    for _, line in ipairs(improve:changes()) do
      for name, pattern in pairs { start = START, score = SCORE, patch = PATCH, cancel = CANCEL,
        restore = RESTORE } do
        if line:find(pattern) then list[#list + 1] = name end
      end
    end
    return table.concat(list, " ")
  end

  -- Returns the bodies of the requests to run_reviews.
  local function drafts()
    local list, sent = {}, improve:sent()
    for i = 1, #sent, 2 do
      if sent[i]:find(SCORE) then list[#list + 1] = json.decode(sent[i + 1]) end
    end
    return list
  end

  local function held_out() return state().jobs["55"].held_out end

  -- A rule for the next polls of a scoring: the metric gives `right` of the held-out labels their
  -- expected values, and all others "elsewhere".
  local function scores(right, fields)
    local rows = {}
    for _, review in ipairs(metric().reviews) do
      rows[review.test_set.id] = review.expected_value
    end
    local results = {}
    for i, id in ipairs(held_out()) do
      results[i] = { review_id = id, test_set_id = id, success = true,
        actual_value = i <= right and rows[id] or -1 }
    end
    local rule = { path = SCORES_PATH, times = 1, status = 200,
      body = { status = "completed", output = { review_results = results } } }
    for name, value in pairs(fields or {}) do rule[name] = value end
    return rule
  end

  -- ---- scores ----

  it("scores the metric and the draft, and saves nothing before", function()
    run_ok "--apply"
    assert.equal("start score score patch", kinds())
    local current, proposed = table.unpack(drafts())
    assert.same({ skip_save = true }, current)
    assert.same({ description = metric().description, skip_save = true }, proposed)
  end)

  it("keeps the held-out labels from the optimiser", function()
    run_ok "--start"
    local seen, out = {}, held_out()
    for _, id in ipairs(json.decode(improve:body(START)).test_set_ids) do seen[id] = true end
    assert.equal(51, #out)
    for _, id in ipairs(out) do assert.is_nil(seen[id]) end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.equal(154 - 51, count)
  end)

  it("holds out the same labels again, and with a larger share others in addition", function()
    run_ok "--start"
    local first = {}
    for _, id in ipairs(held_out()) do first[id] = true end
    os.remove(improve:path "state")
    run_ok("--start", "--hold-out", "50%")
    local count = 0
    for _, id in ipairs(held_out()) do count = count + (first[id] and 1 or 0) end
    assert.equal(51, count)
    assert.is_true(#held_out() > 60)
  end)

  it("does not save a proposal that is worse on the held-out labels", function()
    local before = metric().description
    local output = run_ok "--start"
    assert.matches("now right: 18; now wrong: 0", output)
    improve.server:faults { scores(40), scores(39) }
    local errors, code
    output, errors, code = improve:run "--apply"
    assert.equal(1, code)
    assert.matches("the metric +40 +78%% +65%%–88%%\n  the proposal +39 +76%% +63%%–86%%\n", output)
    assert.matches("now right: 0; now wrong: 1\n", output)
    assert.matches("metric 55: not saved: the proposal is worse on the held%-out labels %(39 of 51 "
      .. "right, the metric 40%). %-%-save%-anyway saves it\n", errors)
    assert.equal(before, metric().description)
    improve.server:faults { scores(40), scores(39) }
    output = run_ok("--apply", "--save-anyway")
    assert.matches("saved to metric 55", output)
    assert.equal("start score score patch", kinds())
  end)

  it("does not save a proposal without values on the held-out labels", function()
    run_ok "--start"
    for _, body in ipairs { { status = "completed", output = { metric = { id = 55 } } },
      { status = "completed", output = { review_results = json.decode "[]" } } } do
      improve.server:faults { { path = SCORES_PATH, times = 2, status = 200, body = body } }
      local output, errors, code = improve:run "--apply"
      assert.equal(1, code)
      assert.matches("\n  not scored: ", output)
      assert.matches("not saved: there is no score on held%-out labels: ", errors)
    end
    assert.equal("start score score", kinds())
  end)

  it("does not count labels that could not be scored", function()
    run_ok "--start"
    local rule = scores(40)
    rule.body.output.review_results[1].error = "no transcript"
    improve.server:faults { rule, scores(51) }
    local output = run_ok()
    assert.matches("score on 50 held%-out labels", output)
    assert.matches("the metric +39 +78%%", output)
    assert.matches("\n  could not be scored: 1\n", output)
  end)

  it("pays for no score of a proposal that is worse by the optimiser's own score", function()
    improve.server:faults { { path = PROGRESS_PATH, status = 200, times = math.huge, body = {
      status = "completed", improved_metric_description = "Worse.",
      improved_evaluation_trigger = "always", old_score = 0.8, new_score = 0.7 } } }
    local _, errors, code = improve:run "--apply"
    assert.equal(1, code)
    assert.matches("scores worse than the metric on the labels that the optimiser learned from",
      errors)
    assert.equal("start", kinds())
  end)

  it("with --hold-out 0 uses all labels, and scores nothing", function()
    local output = run_ok("--apply", "--hold-out", "0")
    assert.matches("Estimate: 154 metric evaluations %(at least: one for each test set%)", output)
    assert.matches("own score, on labels that it learned from", output)
    assert.equal(154, #json.decode(improve:body(START)).test_set_ids)
    assert.equal("start patch", kinds())
  end)

  it("says if no label is held out, and does not save the proposal", function()
    local output, errors, code = improve:run("--apply", "--hold-out", "0.000001")
    assert.equal(1, code)
    assert.matches("\n  No label is held out: the Lab has 154 labels", output)
    assert.matches("no score on held%-out labels: no label was held out", errors)
    errors = select(2, improve:run "--apply") -- without --hold-out
    assert.matches("no label was held out", errors)
    run_ok("--apply", "--save-anyway")
    assert.equal("start patch", kinds())
  end)

  it("starts nothing if all labels are held out", function()
    local _, errors, code = improve:run("--apply", "--hold-out", "0.9999999")
    assert.equal(1, code)
    assert.matches("all 154 test sets are held out, so that the optimiser has nothing to read",
      errors)
    assert.equal("", kinds())
  end)

  it("refuses a share that is not one", function()
    for _, share in ipairs { "1", "100%", "x", "1/0", "nan", "" } do
      local _, errors, code = improve:run("--hold-out", share)
      assert.equal(2, code)
      assert.matches("is not a share from 0 on and below 1", errors)
    end
  end)

  it("lists the samples that the optimiser could not resolve, and its changes of labels", function()
    improve.server:faults { { path = PROGRESS_PATH, status = 200, times = math.huge, body = {
      status = "completed", output = { improved_metric_description = "Count.",
        improved_evaluation_trigger = "always", unresolved_samples = {
          { test_set_id = 9, verdict = "noise", pass_rate = 0.5, explanation = "It\27[2J varies." },
          { sample = 7 }, "text" },
        feedback_edits = { { review_id = 1, feedback = "shorter" } },
        unauthorized_label_changes = { { review_id = 2 } } } } } }
    local output = run_ok()
    assert.is_nil(output:find "unresolved")
    output = run_ok "--start"
    assert.matches("\n  unresolved: 3 samples, which no wording got right\n"
      .. "    test set 9: noise, 50%% right, It %[2J varies%.\n"
      .. '    {"sample":7}\n    text\n', output)
    assert.matches('has corrected the feedback of 1 label\n    {[^\n]*"shorter"[^\n]*}\n', output)
    assert.matches('approval it has changed 1 expected value\n    {"review_id":2}\n', output)
  end)

  -- ---- the state ----

  describe("after an interruption", function()
    it("continues the scorings, and pays for none twice", function()
      improve.server:faults { NO_SCORES }
      local process = improve:start "--apply"
      improve:await_requests(SCORES)
      process:signal "KILL"
      process:finish()
      improve.server:faults()
      run_ok "--apply"
      assert.equal("start score score patch", kinds())
    end)

    it("by Ctrl-C continues them, too", function()
      improve.server:faults { NO_SCORES }
      local process = improve:start "--start"
      improve:await_requests(SCORES)
      process:signal "INT"
      local output, code = process:finish()
      improve.server:faults()
      assert.equal(130, code)
      assert.matches("interrupted: run the same command again to continue", output)
      assert.matches("Spent: 308 metric evaluations, 1 call of unknown cost", output)
      run_ok()
      assert.equal("start score score", kinds())
    end)

    it("does not repeat a scoring that may have been started, without --rescore", function()
      for _, rule in ipairs { { path = "/run_reviews/", delay = 60, applied = true },
        { path = "/run_reviews/", drop = true, applied = true } } do
        begin()
        improve.server:faults { rule }
        if rule.delay then
          local process = improve:start "--apply"
          improve:await_requests(SCORE)
          process:signal "KILL"
          process:finish()
        else
          local output, _, code = improve:run "--apply"
          assert.equal(4, code)
          assert.matches("Spent: 1 call of unknown cost; unknown: 154 metric evaluations", output)
        end
        for _ = 1, 2 do
          local _, errors, code = improve:run "--apply"
          assert.equal(4, code)
          assert.matches("unknown whether the scoring of the metric was started at [^\n]*"
            .. "%-%-rescore starts it", errors)
        end
        assert.equal("start score", kinds())
        run_ok("--apply", "--rescore")
        assert.equal("start score score score patch", kinds())
      end
    end)

    it("repeats a scoring that was refused, and not the optimiser", function()
      begin { evaluation_time = 0.05, balance = 103 + 154,
        faults = { { path = "/billing/", status = 403, times = math.huge } } }
      local _, errors, code = improve:run "--apply"
      assert.equal(1, code)
      assert.matches("metrics.run_reviews: .*Insufficient credits", errors)
      _, _, code = improve:run "--apply"
      assert.equal(1, code)
      assert.equal("start score score score", kinds())
    end)

    it("says how to replace a scoring that has failed", function()
      run_ok "--start"
      improve.server:faults { { path = SCORES_PATH, times = 1, status = 200,
        body = { status = "failed", error = "no GPU" } } }
      local _, errors, code = improve:run "--apply"
      assert.equal(1, code)
      assert.matches("the scoring of the metric has failed: [^\n]*no GPU[^\n]*%-%-rescore", errors)
      assert.equal("start score score", kinds())
      improve.server:faults()
      local output = run_ok("--start", "--rescore")
      assert.matches("\nEstimate: 308 metric evaluations %(2 × 154 labels in the Lab, to score the "
        .. "metric and the proposal%), 308 credits%.\n", output)
      assert.equal("start score score score score", kinds())
    end)

    it("knows whether its save has arrived", function()
      run_ok "--start"
      improve.server:faults { { method = "PATCH", path = "/metrics/55/", delay = 60,
        applied = true } }
      local process = improve:start "--apply"
      improve:await_requests(PATCH)
      process:signal "KILL"
      process:finish()
      local before = state().jobs["55"].fields.description
      assert.not_equal(before, metric().description)
      assert.matches("was saved before", (run_ok "--apply"))
      run_ok "--undo"
      assert.equal(before, metric().description)
      assert.equal("start score score patch patch", kinds())
    end)
  end)

  it("continues with the other metrics if one fails", function()
    improve.server:faults { { path = "/metrics/55/run_reviews/", status = 403,
      body = { detail = "not you" } } }
    local output, errors, code = improve:run("--metrics", "55,56,52", "--apply", "--json")
    assert.equal(1, code)
    assert.matches("metrics.run_reviews: [^\n]*not you", errors)
    local list = json.decode(output).metrics
    assert.same({ 55, 1, 52, 0, true }, { list[1].id, list[1].exit_code, list[#list].id,
      list[#list].exit_code, list[#list].saved })
    assert.matches("not you", list[1].error)
  end)

  -- ---- undo ----

  describe("--undo", function()
    it("restores the metric exactly, and sends nothing else", function()
      local before = metric()
      run_ok "--apply"
      local count = #improve:changes()
      local output = run_ok "--undo"
      assert.equal("metric 55, Steps Completed: is as it was before the proposal was saved\n",
        output)
      local changes = improve:changes()
      assert.equal(count + 1, #changes)
      assert.matches(PATCH, changes[#changes])
      assert.same({ description = before.description }, json.decode(improve:body(PATCH)))
      local after = metric()
      before.updated_at, after.updated_at = nil, nil
      assert.same(before, after)

      local _, errors, code = improve:run "--undo"
      assert.equal(1, code)
      assert.matches("metric 55: nothing that this state file has saved is left to undo", errors)
      assert.equal(count + 1, #improve:changes())
    end)

    it("refuses if somebody has changed a saved field, and leaves other fields alone", function()
      run_ok "--apply"
      local proposed = metric().description
      update { description = "Mine.", name = "Steps" }
      local count = #improve:changes()
      local _, errors, code = improve:run "--undo"
      assert.equal(3, code)
      assert.matches("metric 55: not restored: somebody has changed its description since", errors)
      assert.equal(count, #improve:changes())
      update { description = proposed }
      run_ok "--undo"
      assert.equal("Steps", metric().name)
      assert.not_equal(proposed, metric().description)
    end)

    it("restores fields that responses do not have, from the history", function()
      improve.server:faults { { path = PROGRESS_PATH, status = 200, times = math.huge, body = {
        status = "completed", improved_metric_description = "Count.",
        improved_evaluation_trigger = "Was it a booking?", improved_trigger_kind = "llm_judge",
        metric_description_program = { steps = { 1, 2 } },
        metric_description_variables = { "step" } } } }
      local before = metric()
      local output = run_ok "--apply"
      assert.matches('metric_description_program:\n    %+ {"steps":%[1,2%]}\n', output)
      local saved = json.decode(improve:body(PATCH))
      assert.same({ steps = { 1, 2 } }, saved.metric_description_program)
      assert.same({ "step" }, saved.metric_description_variables)
      assert.equal("Was it a booking?", saved.evaluation_trigger_prompt)
      local draft = drafts()[2]
      saved.skip_save = true
      assert.same(saved, draft)
      run_ok "--undo"
      assert.equal("start score score patch restore", kinds())
      local after = metric()
      before.updated_at, after.updated_at = nil, nil
      assert.same(before, after)
    end)

    it("continues after it was interrupted", function()
      run_ok "--apply"
      improve.server:faults { { method = "PATCH", path = "/metrics/55/", delay = 60,
        applied = true } }
      local process = improve:start "--undo"
      improve:await_requests(PATCH, 2)
      process:signal "KILL"
      process:finish()
      run_ok "--undo"
      assert.equal("start score score patch patch", kinds())
      local _, _, code = improve:run "--undo"
      assert.equal(1, code)
    end)

    it("sends nothing if the save has not arrived", function()
      run_ok "--start"
      local before = metric().description
      improve.server:faults { { method = "PATCH", path = "/metrics/55/", drop = true,
        times = math.huge } }
      local _, _, code = improve:run "--apply"
      assert.equal(4, code)
      improve.server:faults()
      local sent = #improve:changes()
      run_ok "--undo"
      assert.equal(sent, #improve:changes())
      run_ok "--apply"
      assert.not_equal(before, metric().description)
      run_ok "--undo"
      assert.equal(before, metric().description)
    end)

    it("undoes one save after the other", function()
      local first = metric().description
      run_ok "--apply"
      local second = metric().description
      run_ok("--apply", "--restart", "--save-anyway")
      assert.not_equal(second, metric().description)
      run_ok "--undo"
      assert.equal(second, metric().description)
      run_ok "--discard"
      run_ok "--undo"
      assert.equal(first, metric().description)
    end)
  end)

  -- ---- discard ----

  describe("--discard", function()
    it("cancels a job that runs, and forgets it", function()
      begin { evaluation_time = 60 }
      local _, _, code = improve:run("--start", "--timeout", Review.SHORT)
      assert.equal(5, code)
      local id = state().jobs["55"].progress_id
      local output = run_ok "--discard"
      assert.equal("metric 55: the job is cancelled\n", output)
      assert.equal("start cancel", kinds())
      assert.same({ progress_id = id }, json.decode(improve:body(CANCEL)))
      assert.is_nil(state().jobs["55"])
      assert.equal("metric 55: there is no job to discard\n", (run_ok "--discard"))
      assert.equal("start cancel", kinds())
    end)

    it("forgets a job that has ended, or whose start is unknown", function()
      run_ok "--start"
      assert.matches("metric 55: the job had ended: ", (run_ok "--discard"))
      improve.server:faults { { path = "/process_feedbacks/", drop = true, applied = true } }
      improve:run "--start"
      assert.matches("whose outcome is unknown is forgotten", (run_ok "--discard"))
      run_ok "--start"
    end)

    it("keeps the job if it cannot be cancelled", function()
      run_ok "--start"
      improve.server:faults { { path = "/process_feedbacks_cancel/", drop = true,
        times = math.huge } }
      local _, errors, code = improve:run "--discard"
      assert.equal(4, code)
      assert.matches("process_feedbacks_cancel", errors)
      assert.is_truthy(state().jobs["55"].progress_id)
    end)
  end)

  -- ---- options that all commands share ----

  it("with --json has the job, the changes, the scores and the samples", function()
    local before = metric().description
    local output = run_ok("--apply", "--json")
    local data = json.decode(output)
    assert.same({ "improve", 0, 308, 1 }, { data.command, data.exit_code, data.spent.evaluations,
      data.spent.uncounted })
    local one = data.metrics[1]
    assert.same({ { field = "description", old = before, new = metric().description } },
      one.changes)
    assert.same({ labels = 51, missing = 0, current = 30, proposed = 48, now_right = 18,
      now_wrong = 0 }, one.score)
    assert.same({ 55, "Steps Completed", state().jobs["55"].progress_id, true, 5 },
      { one.id, one.name, one.job, one.saved, #one.unresolved })
    assert.equal(105215, one.unresolved[1].test_set_id)
    one = json.decode((run_ok "--json")).metrics[1]
    assert.same({ true, 48, 1 }, { one.saved, one.score.proposed, #one.changes })
    assert.is_true(json.decode((run_ok("--undo", "--json"))).metrics[1].undone)
    assert.is_true(json.decode((run_ok("--discard", "--json"))).metrics[1].discarded)
  end)

  it("with --shard divides the metrics, each with a state of its own", function()
    local seen = {}
    for i = 1, 2 do
      local output = run_ok("--metrics", "51,52,53,55,56", "--shard", i .. "/2", "--json")
      for _, one in ipairs(json.decode(output).metrics) do seen[#seen + 1] = one.id end
    end
    table.sort(seen)
    assert.same({ 51, 52, 53, 55, 56 }, seen)
    for i = 1, 2 do improve:run("--start", "--shard", i .. "/2") end
    assert.equal(1, #improve:changes(START))
    assert.is_nil(scratch.read(improve:path "state"))
    local states = (scratch.read(improve:path "state.1-of-2") or "")
      .. (scratch.read(improve:path "state.2-of-2") or "")
    assert.matches('"progress_id"', states)
  end)

  it("sends --agent or --project with each look at a job", function()
    run_ok("--start", "--agent", "231")
    local count = 0
    for _, request in ipairs(improve.server:requests()) do
      if request.path:find "progress" then
        count = count + 1
        assert.matches("agent_id=231", request.query)
      end
    end
    assert.is_true(count >= 3)
    improve.environment.CEKURA_PROJECT_ID = "14"
    run_ok()
    local requests = improve.server:requests()
    assert.matches("project_id=14", requests[#requests].query)
  end)

  it("colours each line of the diff on a terminal, unless NO_COLOR is set", function()
    local words = { "improve", "--metrics", "55", "--state", improve:path "state", "--interval",
      "0.05", "--no-progress", "--start", "--json" }
    for i, word in ipairs(words) do words[i] = ("%q"):format(word) end
    local text = ('require "cekura.review.main" { %s }'):format(table.concat(words, ", "))
    improve.environment.TERM = "xterm"
    local ran = terminal.run(40, text, improve.environment)
    assert.matches('"saved":false', ran.stdout)
    assert.matches("\27%[32m    %+ %- Agent missed the reschedule\27%[0m\r\n"
      .. "\27%[32m      step: the new time", ran.stderr)
    improve.environment.NO_COLOR = "1"
    ran = terminal.run(40, text, improve.environment)
    assert.matches("\n    %+ %- Agent missed the reschedule\r\n      step: the new", ran.stderr)
    assert.is_nil(ran.stderr:find "\27%[3[12]m")
  end)

  it("fits the diff and the scores on 40 columns", function()
    improve.environment.COLUMNS = "40"
    local output = run_ok "--start"
    local shown = output:match "  description:\n(.-)\n  the optimiser's own score"
    assert.matches("      Count the steps that the agent\n      completed: identity, offer,\n",
      shown)
    for line in (shown .. "\n" .. output:match "\n( +right.-)\n\n"):gmatch "[^\n]+" do
      assert.is_true(utf8.len(line) <= 40, line)
    end
    assert.matches("\n    %+ %- Agent missed the reschedule\n      step: the new time", shown)
  end)
end)
