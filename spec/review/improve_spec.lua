-- cekura-review improve, run as a user would run it.
-- Above all: a job is never started twice unless the user asks for it.

local Review = require "support.review"
local child = require "support.child"
local json = require "cjson".new()
local scratch = require "support.scratch"

local START = "POST /test_framework/metric%-reviews/process_feedbacks/"
local PROGRESS = "GET /test_framework/metric%-reviews/process_feedbacks_progress/"
local SCORE = "POST /test_framework/v2/metrics/%d+/run_reviews/"
local PROGRESS_PATH = "/process_feedbacks_progress/"
local LABELS, LEARNED = 154, 103  -- of metric 55
local NO_ERRORS = ""

-- Delays every poll of the optimiser's job, so that a test interrupts it.
local NO_PROGRESS = { path = PROGRESS_PATH, delay = 600, times = math.huge }

describe("cekura-review improve", function()
  local improve

  local function begin(options)
    if improve then improve:close() end
    improve = Review.new("improve", options or { evaluation_time = 0.05 })
    improve.always = { "--state", improve:path "state", "--interval", "0.05", "--no-progress" }
  end

  before_each(function() begin() end)
  after_each(function()
    improve:close()
    improve = nil
  end)

  -- Sets the response of the optimiser to every poll.
  local function respond(body, fields)
    body.status = body.status or "completed"
    local fault = { path = PROGRESS_PATH, status = 200, body = body, times = math.huge }
    for name, value in pairs(fields or {}) do fault[name] = value end
    improve.server:faults { fault }
  end

  local function state() return json.decode(scratch.read(improve:path "state")) end

  local function description(id) return improve.server:state("metrics", id).description end

  it("prints the plan and its cost, and only reads", function()
    local output, errors, code = improve:run("--metrics", "55,52")
    assert.equal(NO_ERRORS, errors)
    assert.equal(0, code)
    assert.matches("metric 55, Steps Completed\n"
      .. "  test sets in the Lab: 154; held out: 51; for the optimiser: 103\n"
      .. "  the reviewer disagreed with the metric on 39 of those 103\n"
      .. "Estimate: 411 metric evaluations %(at least: 103 for the optimiser, 2 × 154 for the "
      .. "scores%), 411 credits%.", output)
    assert.matches("metric 52, Call Outcome\n", output)
    assert.matches("Balance: 10000 credits", output)
    assert.matches("\nNothing was started: %-%-start does it", output)
    assert.same({}, improve:changes())
    assert.is_nil(scratch.read(improve:path "state"))
  end)

  it("with --start prints the proposal; with --apply saves exactly that", function()
    local before = description(55)
    local output, errors, code, _ = improve:run("--metrics", "55", "--start")
    assert.equal(0, code)
    assert.matches("^cekura%-review improve: metric 55: waiting for the optimiser, job "
      .. "%S+\n", errors)
    assert.matches("\n      Count the steps .-\n    %+ \n    %+ What reviewers pointed out", output)
    assert.matches("own score, on labels that it learned from:\n    62%% %(64 of 103 right%) → "
      .. "95%%", output)
    assert.matches("score on 51 held%-out labels, which the optimiser has not read:\n\n"
      .. " +right +share +95%% range\n  the metric +30 +59%% +45%%–71%%\n"
      .. "  the proposal +48 +94%% +84%%–98%%\n\n"
      .. "  now right: 18; now wrong: 0\n", output)
    assert.matches("\nNo metric was changed: %-%-apply saves", output)
    assert.is_nil(output:find "\27")
    assert.equal(before, description(55))

    local shown = output:match "(metric 55, Steps Completed: the proposal.-)\n\n?No metric"
    -- That of the scores, before they start.
    shown = shown:gsub("Estimate: [^\n]*\nBalance: [^\n]*\n", "")
    output, _, code = improve:run("--metrics", "55")
    assert.equal(0, code)
    assert.is_truthy(output:find(shown, 1, true))
    output, _, code = improve:run("--metrics", "55", "--apply")
    assert.equal(0, code)
    assert.matches("\n  saved to metric 55\n$", output)
    assert.is_truthy(output:find(shown:match "^[^\n]+", 1, true))
    assert.matches("pointed out", description(55))
    assert.equal(10000 - LEARNED - 2 * LABELS, improve.server:state("balance").remaining)

    output, _, code = improve:run("--metrics", "55", "--apply")
    assert.equal(0, code)
    assert.matches("was saved before", output)
    assert.equal(1, #improve:changes(START))
    assert.equal(1 + 2 + 1, #improve:changes())
    assert.matches('^{"description":"[^"]*"}$', improve:body "PATCH")
  end)

  it("reads the test sets of the Lab, and no votes", function()
    begin { evaluation_time = 0.05, votes_feed_lab = false }
    local _, errors, code = improve:run("--metrics", "55", "--apply")
    assert.equal("cekura-review improve: metric 55: its Lab has no test set: cekura-review "
      .. "votes --lab creates "
      .. "them from votes\n", errors)
    assert.equal(1, code)
    assert.same({}, improve:changes())

    local client <close> = assert(require "cekura".new {
      api_url = improve.server.url, api_key = improve.server.api_key })
    for _, run_id in ipairs { 5945, 5948, 5971, 5974, 5975, 5977 } do
      assert(client.test_sets:create_from_run { run_id = run_id, metrics = {
        { metric = 55, expected_value = 2, feedback = "Only two steps" } } })
    end
    local output
    output, errors, code = improve:run("--metrics", "55", "--apply")
    assert.equal(0, code, errors)
    assert.matches("  test sets in the Lab: 6; held out: %d; for the optimiser: %d\n", output)
    assert.matches("\n  Held%-out labels are few %(%d%): below 10 a difference", output)
    assert.matches("Only two steps", description(55))
  end)

  it("with --apply starts the jobs of all metrics before it waits", function()
    local output, errors, code = improve:run("--metrics", "55,52", "--apply")
    assert.equal(0, code, errors)
    assert.matches("saved to metric 55\n.*saved to metric 52\n", output)
    local changes = improve:changes()
    assert.equal(2 * 4, #changes)
    assert.matches(START, changes[2])
    assert.matches(SCORE, changes[4])
    assert.matches("^PATCH .*/55/", changes[5])
  end)

  it("saves triggers, types and code in the fields of the metric", function()
    respond {
      improved_metric_description = "Count.", improved_evaluation_trigger = "Was it a booking?",
      improved_trigger_kind = "llm_judge", type = "llm_judge", custom_code = "_result = 1\n",
    }
    local output, _, code = improve:run("--metrics", "55", "--apply")
    assert.equal(0, code)
    assert.matches("description:\n    %- Count the steps[^\n]*\n    %+ Count%.\n", output)
    assert.matches("type:\n    %- llm_judge\n    %+ custom_code\n", output)
    assert.matches("custom_code:\n    %+ _result = 1\n", output)
    assert.same({ description = "Count.", evaluation_trigger = "custom", type = "custom_code",
      evaluation_trigger_prompt = "Was it a booking?", custom_code = "_result = 1\n" },
      json.decode(improve:body "PATCH"))
  end)

  it("keeps the description if the proposal has only code", function()
    respond { status = "success", improved_metric_description = "",
      improved_evaluation_trigger = "always", custom_code = "_result = 1\n" }
    local output, _, code = improve:run("--metrics", "55", "--apply")
    assert.equal(0, code)
    assert.is_nil(output:find("description:", 1, true))
    assert.same({ type = "custom_code", custom_code = "_result = 1\n" },
      json.decode(improve:body "PATCH"))
  end)

  it("reads a proposal under output, and code under output.meta_harness", function()
    respond { status = "success", output = {
      improved_metric_description = "Count.", improved_evaluation_trigger = "always",
      type = "llm_judge", custom_code = "", old_score = { score = 0.5 },
      new_score = { score = 0.75 },
      meta_harness = { custom_code = "_result = 1\n", estimated_cost_per_sample = 0.02 },
    } }
    local output, _, code = improve:run("--metrics", "55", "--apply")
    assert.equal(0, code)
    assert.matches("\n    0%.5 → 0%.75\n  estimated cost per sample: 0%.02\n", output)
    assert.same({ description = "Count.", type = "custom_code", custom_code = "_result = 1\n" },
      json.decode(improve:body "PATCH"))
  end)

  it("prints the estimated cost per sample of a job that it starts", function()
    improve.server:faults {
      { path = "/process_feedbacks/", status = 200, times = 1,
        body = { progress_id = "a-job", estimated_cost_per_sample = 1.5 } },
      { path = PROGRESS_PATH, status = 200, times = 1, body = { status = "success" } },
    }
    local output = improve:run("--metrics", "55", "--start")
    assert.matches("\n  estimated cost per sample: 1%.5\n  started: a%-job\n", output)
  end)

  it("prints no control characters", function()
    respond { improved_metric_description = "a\27[2J\194\155b",
      improved_evaluation_trigger = "always" }
    local output = improve:run("--metrics", "55", "--start")
    assert.is_nil(output:find "\27")
    assert.is_nil(output:find "\194\155")
    assert.matches("%+ a %[2J b\n", output)
  end)

  it("says if there is nothing to improve", function()
    local output, _, code = improve:run("--metrics", "56", "--apply")
    assert.equal(0, code)
    assert.matches("nothing to improve: the metric is as proposed", output)
    assert.equal(1, #improve:changes())
  end)

  it("does not save a proposal that scores worse", function()
    respond { improved_metric_description = "Worse.", improved_evaluation_trigger = "always",
      old_score = { score = 0.8 }, new_score = { score = 0.7 } }
    local _, errors, code = improve:run("--metrics", "55", "--apply")
    assert.equal(1, code)
    assert.matches("metric 55: not saved: the proposal scores worse", errors)
    assert.equal(1, #improve:changes())
  end)

  it("does not overwrite an edit that was made meanwhile", function()
    improve:run("--metrics", "55", "--start")
    local client <close> = assert(require "cekura".new {
      api_url = improve.server.url, api_key = improve.server.api_key })
    assert(client.metrics:update { metric_id = 55, description = "Mine." })
    local _, errors, code = improve:run("--metrics", "55", "--apply")
    assert.equal(3, code)
    assert.matches("somebody has changed its description", errors)
    assert.equal("Mine.", description(55))
  end)

  describe("after an interruption", function()
    it("continues a job whose id was saved", function()
      improve.server:faults { NO_PROGRESS }
      local process = improve:start("--metrics", "55", "--apply")
      improve:await_file("state", "progress_id")
      process:signal "KILL"
      process:finish()
      improve.server:faults()
      local id = state().jobs["55"].progress_id
      local output, errors, code = improve:run("--metrics", "55", "--apply")
      assert.equal(0, code, errors)
      assert.matches("the optimiser was started before: " .. id:gsub("%-", "%%-"), output)
      assert.equal(1, #improve:changes(START))
      assert.matches("pointed out", description(55))
    end)

    it("does not repeat an unknown start without --restart", function()
      improve.server:faults { { path = "/process_feedbacks/", delay = 60, applied = true } }
      local process = improve:start("--metrics", "55", "--start")
      improve:await_requests(START)
      process:signal "KILL"
      process:finish()
      for _ = 1, 2 do
        local _, errors, code = improve:run("--metrics", "55", "--start")
        assert.equal(4, code)
        assert.matches("unknown whether the optimiser was started at [^\n]*%-%-restart", errors)
      end
      assert.equal(1, #improve:changes(START))
      local _, errors, code = improve:run("--metrics", "55", "--start", "--restart")
      assert.equal(0, code, errors)
      assert.equal(2, #improve:changes(START))
    end)

    it("keeps an unknown start if a restart is refused", function()
      improve.server:faults { { path = "/process_feedbacks/", drop = true, applied = true },
        { path = "/process_feedbacks/", status = 402, body = { detail = "no credits" } } }
      improve:run("--metrics", "55", "--start")
      local _, errors, code = improve:run("--metrics", "55", "--start", "--restart")
      assert.matches("no credits", errors)
      assert.equal(1, code)
      _, errors, code = improve:run("--metrics", "55", "--start")
      assert.matches("unknown whether the optimiser was started", errors)
      assert.equal(4, code)
      assert.equal(2, #improve:changes(START))
    end)

    it("saves the proposal of a job whose id was added by hand", function()
      improve:run("--metrics", "55", "--start")
      local known = state()
      known.jobs["55"] = { progress_id = known.jobs["55"].progress_id }
      scratch.write(improve:path "state", json.encode(known))
      local _, errors, code = improve:run("--metrics", "55", "--apply")
      assert.equal(1, code)
      assert.matches("no score on held%-out labels: the state does not say which labels were held "
        .. "out. %-%-save%-anyway saves it\n", errors)
      _, errors, code = improve:run("--metrics", "55", "--apply", "--save-anyway")
      assert.equal(0, code, errors)
      assert.equal(1, #improve:changes(START))
      assert.matches("pointed out", description(55))
    end)

    it("does not repeat a start whose response was lost", function()
      improve.server:faults { { path = "/process_feedbacks/", drop = true, applied = true } }
      local _, errors, code = improve:run("--metrics", "55", "--start")
      assert.equal(4, code)
      assert.matches("^cekura%-review improve: metric_reviews.process_feedbacks: ", errors)
      _, _, code = improve:run("--metrics", "55", "--start")
      assert.equal(4, code)
      assert.equal(1, #improve:changes(START))
    end)

    it("repeats a start that was refused", function()
      begin { evaluation_time = 0.05, balance = 10,
        faults = { { path = "/billing/", status = 403, times = math.huge } } }
      local _, errors, code = improve:run("--metrics", "55", "--start")
      assert.equal(1, code)
      assert.matches("Insufficient credits", errors)
      assert.is_nil(state().jobs["55"])
      _, _, code = improve:run("--metrics", "55", "--start")
      assert.equal(1, code)
      assert.equal(2, #improve:changes(START))
    end)

    it("starts nothing if the state cannot be saved", function()
      local _, errors, code = improve:run("--metrics", "55", "--start", "--state",
        improve:path "no/folder")
      assert.equal(1, code)
      assert.matches("the state cannot be saved: .*No such file", errors)
      assert.same({}, improve:changes())
    end)
  end)

  it("starts a job once if several runs start at the same time", function()
    begin { evaluation_time = Review.RUNNING }
    local processes, codes = {}, {}
    for i = 1, 3 do processes[i] = improve:start("--metrics", "55", "--start") end
    improve:await_ends(processes)
    local refused = 0
    for i, process in ipairs(processes) do
      local output
      output, codes[i] = process:finish()
      if output:find("another run is using this file", 1, true) then refused = refused + 1 end
    end
    table.sort(codes)
    assert.equal(1, #improve:changes(START))
    assert.same({ 0, 2, 2 }, codes)
    assert.is_truthy(state().jobs["55"].progress_id)
    assert.equal(2, refused)
  end)

  it("keeps its state if the disk is full", function()
    local output, _, code = improve:run("--metrics", "55", "--start")
    assert.equal(0, code, output)
    local before = scratch.read(improve:path "state")
    local words = improve:command("--metrics", "55,52", "--start")
    output, code = child.run_checked(child.on_full_disk(0, words), improve.environment)
    assert.equal(1, code)
    assert.matches("the state cannot be saved: [^\n]*File too large", output)
    assert.equal(before, scratch.read(improve:path "state"))
    assert.equal(1, #improve:changes(START))
  end)

  describe("ends a wait", function()
    it("if the optimiser asks a person", function()
      begin { evaluation_time = 0.05, optimiser = "asks" }
      for _ = 1, 2 do
        local output, errors, code = improve:run("--metrics", "55", "--apply")
        assert.equal(3, code)
        assert.matches("metric 55: the optimiser asks a person: Does a new time .- confirmed%?",
          errors)
        assert.is_nil(output:find "saved")
      end
      assert.equal(1, #improve:changes())
    end)

    it("of a failed job, and continues with the others", function()
      respond({ status = "failed", error = "no GPU" }, { times = 1 })
      local output, errors, code = improve:run("--metrics", "55,52", "--apply")
      assert.equal(1, code)
      assert.matches("metric 55: the optimiser has failed: [^\n]*no GPU", errors)
      assert.matches("saved to metric 52", output)
    end)

    it("after --timeout", function()
      begin { evaluation_time = 60 }
      local _, errors, code = improve:run("--metrics", "55", "--start", "--timeout",
        Review.SHORT)
      assert.equal(5, code)
      assert.matches("not done after [%d.]+ seconds. It continues: run the same command again",
        errors)
      assert.is_truthy(state().jobs["55"].progress_id)
    end)

    it("if the network is lost", function()
      begin { evaluation_time = 60 }
      local process = improve:start("--metrics", "55", "--start", "--timeout",
        Review.LOST)
      improve:await_requests(PROGRESS)
      improve.server:stop()
      local output, code = process:finish()
      assert.equal(4, code)
      assert.matches("The job continues: run the same command again", output)
    end)

    it("of a job that the server does not know", function()
      improve:run("--metrics", "55", "--start")
      local id = state().jobs["55"].progress_id
      scratch.write(improve:path "state", (scratch.read(improve:path "state"):gsub(id:gsub("%-",
        "%%-"), "no-such-job")))
      local _, errors, code = improve:run("--metrics", "55")
      assert.equal(1, code)
      assert.matches("does not know the job no%-such%-job", errors)
    end)

    it("at a Ctrl-C during its start, and counts it as unknown", function()
      begin { faults = { { method = "POST", delay = 60 } } }
      local process = improve:start("--metrics", "55", "--start")
      improve:await_requests(START)
      process:signal "INT"
      local output, code = process:finish()
      assert.equal(130, code)
      assert.matches("\nSpent: nothing; unknown: 1 call of unknown cost%.\n$", output)
    end)

    it("at a Ctrl-C, and continues it in the next run", function()
      improve.server:faults { NO_PROGRESS }
      local process = improve:start("--metrics", "55", "--start")
      improve:await_requests(PROGRESS)
      process:signal "INT"
      local output, code, _ = process:finish()
      improve.server:faults()
      assert.equal(130, code)
      assert.matches("cekura%-review improve: interrupted: run the same command again to "
        .. "continue", output)
      _, _, code = improve:run("--metrics", "55")
      assert.equal(0, code)
      assert.equal(1, #improve:changes(START))
    end)
  end)

  describe("refuses", function()
    local function assert_usage(pattern, ...)
      local _, errors, code = improve:run(...)
      assert.matches(pattern, errors)
      assert.matches("^cekura%-review improve: [^\n]*\n$", errors)
      assert.equal(2, code)
      assert.same({}, improve:changes())
    end

    it("invalid arguments", function()
      assert_usage "missing option '%-%-metrics'"
      assert_usage("'x' is not an id", "--metrics", "55,x")
      assert_usage("spends credits: say %-%-start", "--metrics", "55", "--restart")
      assert_usage("not a number of seconds", "--metrics", "55", "--timeout", "soon")
    end)

    it("an unknown id before it starts anything", function()
      assert_usage("metrics.get: .*404", "--metrics", "55,999", "--apply")
    end)

    it("a file that is not a state, or the state of another server", function()
      scratch.write(improve:path "state", "not mine\n")
      assert_usage("is not a state file", "--metrics", "55", "--start")
      assert.equal("not mine\n", scratch.read(improve:path "state"))
      scratch.write(improve:path "state", '{"work":"improve","server":"https://elsewhere"}')
      assert_usage("belongs to improve on https://elsewhere", "--metrics", "55", "--start")
    end)

    it("no state of the same server under another of its addresses", function()
      improve:run("--metrics", "55", "--start")
      improve.environment.CEKURA_API_URL = improve.server.url .. "/"
      local output, errors, code = improve:run("--metrics", "55")
      assert.equal(0, code, errors)
      assert.matches("was started before", output)
    end)

    it("a damaged state", function()
      for _, text in ipairs { '{"work":"improve","server":"', '{"work":1}', "[]", "7", "null",
        '{"work":"improve","server":"https://x","jobs":[1]}',
        '{"work":"improve","server":"https://x","jobs":null}',
        '{"work":"improve","server":"https://x","jobs":{"55":{"progress_id":"x","scores":[1]}}}',
        '{"work":"improve","server":"https://x","saves":{"55":[{"before":1,"after":{}}]}}', "" } do
        scratch.write(improve:path "state", text)
        assert_usage("is not a state file", "--metrics", "55", "--start")
      end
    end)

    it("an empty key", function()
      improve.environment.CEKURA_API_KEY = ""
      assert_usage("CEKURA_API_KEY", "--metrics", "55")
    end)

    it("a wrong key, and a missing one", function()
      improve.environment.CEKURA_API_KEY = "another-key"
      assert_usage("401", "--metrics", "55")
      improve.environment.CEKURA_API_KEY = false
      assert_usage("CEKURA_API_KEY", "--metrics", "55")
    end)
  end)
end)
