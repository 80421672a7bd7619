--- Calls the five endpoints one after the other, and prints what each of them does; a test set
--- makes the vote available to the optimiser. The server is a sandbox in this process.

local cekura = require "cekura"
local Stage = require "cekura.review.demo.stage"

local demo = {
  name = "demo",
  summary = "call the five endpoints against a sandbox in this process",
  description = "Calls the five endpoints against a sandbox in this process, which costs nothing.",
  example = "demo",
  notes = [[
It needs the rock cekura-sandbox, and no key. Whatever the environment names, it sends nothing to
another server.

Exit codes: 0 done; 1 a call failed; 2 the sandbox is not installed; 130 Ctrl-C.]],
  advice = "the sandbox has ended with this process",
}

-- Ids in the sandbox.
local METRIC, RESULT, RUN, AGENT = 55, 373, 5544, 231
local RUNS = { 5540, 5541, 5542, 5543, 5544, 5545 }
local LOGS = { 70023, 70033, 70042, 70050, 70072 }
local EXPECTED, FEEDBACK = 2, "Agent missed the reschedule step"

local say = Stage.say

-- ---- the five endpoints ----

local function vote(stage)
  Stage.heading("1  A vote on what a metric said of a run", "client.runs:mark_metric_vote")
  local run, before = stage:state("runs", RUN), stage:verdict("runs", RUN)
  local value, response = assert(stage.client.runs:mark_metric_vote {
    run_id = RUN, metric_id = METRIC, thumbs_up = false, expected_value = EXPECTED,
    feedback = FEEDBACK,
  })
  stage:response("runs.mark_metric_vote", response)
  say("   ", "The response: success = %s", value.success)
  say("   ", "Run %d, metric %d (%s):", RUN, METRIC, stage:metric().name)
  Stage.blank()
  local run_now, after = stage:state("runs", RUN), stage:verdict("runs", RUN)
  Stage.table {
    { "", "metric said", "reviewer says", "thumbs up", "run reviewed", "feedback" },
    { "before", before.value, before.expected_value, before.thumbs_up, run.is_reviewed,
      before.feedback },
    { "after", after.value, after.expected_value, after.thumbs_up, run_now.is_reviewed,
      after.feedback },
  }
end

--- Puts the run of the vote into the metric's Lab, as long as the metric disagrees with the vote.
local function create_test_set(stage)
  local set = assert(stage.client.test_sets:create_from_run {
    run_id = RUN,
    metrics = { { metric = METRIC, expected_value = EXPECTED, feedback = FEEDBACK } },
  })
  Stage.blank()
  say("   ", "The optimiser reads the test sets in the metric's Lab, and a vote creates none.")
  say("   ", "client.test_sets:create_from_run makes test set %s of run %s.", set.id, RUN)
end

local function print_new_values(stage, old)
  local rows = { { "run", "metric said", "reviewer says", "reviewed" } }
  for i, id in ipairs(RUNS) do
    local now = stage:verdict("runs", id)
    rows[i + 1] = { id, Stage.change(old[i], now.value), now.expected_value,
      stage:state("runs", id).is_reviewed }
  end
  Stage.table(rows)
end

local function evaluate_result(stage)
  Stage.heading("2  One result: runs evaluated again", "client.results:evaluate_metrics")
  local results = stage.client.results
  local arguments = { result_id = RESULT, run_ids = RUNS, metric_ids = { METRIC } }
  Stage.cost(assert(results:evaluate_metrics(arguments, { dry_run = true })))
  local credits, old = stage:balance(), stage:values_of("runs", RUNS)

  local result, response = assert(results:evaluate_metrics(arguments))
  stage:response("results.evaluate_metrics", response)
  say("   ", "Result %s, %s: %s", result.id, result.name, result.status)
  stage:spent(credits)
  stage:wait_until(function() return stage:state("results", RESULT).status ~= "running" end)
  say("   ", "And then: %s", stage:state("results", RESULT).status)
  Stage.blank()
  print_new_values(stage, old)
end

--- Returns how many of the results have each status: { running, completed, failed }.
local function count_results(stage, list)
  local counts, results = { running = 0, completed = 0, failed = 0 }, stage:state "results"
  for _, id in ipairs(list) do
    local status = results[id].status
    counts[status] = counts[status] + 1
  end
  return counts
end

local function evaluate_results(stage)
  local list = stage:results(100)
  Stage.heading(("3  %d results at once"):format(#list), "client.results:bulk_evaluate_metrics")
  local results = stage.client.results
  local arguments = { result_ids = list, metric_ids = { METRIC } }
  local evaluations = stage:estimate("results.bulk_evaluate_metrics", arguments)
  local credits = stage:balance()
  local rows = { { "results", "running", "completed", "failed", "metric and reviewer agree on" } }
  local function add_row(name)
    local counts = count_results(stage, list)
    rows[#rows + 1] =
      { name, counts.running, counts.completed, counts.failed, stage:agreement() }
  end

  add_row "before"
  local done, response = assert(results:bulk_evaluate_metrics(arguments,
    { evaluations = evaluations }))
  add_row "scheduled"
  stage:response("results.bulk_evaluate_metrics", response)
  say("   ", "A success has no body, so the value is %s.", done)
  stage:spent(credits)
  stage:wait_until(function() return count_results(stage, list).running == 0 end)
  add_row "done"
  Stage.blank()
  Stage.table(rows)
end

--- Returns whether a call log is being evaluated.
local function is_evaluating(stage)
  for _, id in ipairs(LOGS) do
    if stage:state("call_logs", id).evaluating then return true end
  end
  return false
end

local function evaluate_calls(stage)
  Stage.heading("4  Production calls", "client.calls:evaluate_metrics")
  local calls = stage.client.calls
  local arguments = { agent_id = AGENT, call_logs = LOGS, metrics = { METRIC } }
  Stage.cost(assert(calls:evaluate_metrics(arguments, { dry_run = true })))
  local credits, old = stage:balance(), stage:values_of("call_logs", LOGS)

  local logs, response = assert(calls:evaluate_metrics(arguments))
  stage:response("calls.evaluate_metrics", response)
  stage:spent(credits)
  stage:wait_until(function() return not is_evaluating(stage) end)
  say("   ", "The response has the calls as they were before.")
  Stage.blank()
  local rows = { { "call log", "topic", "success", "status before", "status now", "metric said" } }
  for i, log in ipairs(logs) do
    local success = log.success
    if success == nil then success = "not judged" end
    rows[i + 1] = { log.id, log.topic, success, log.status,
      stage:state("call_logs", log.id).evaluation_status,
      Stage.change(old[i], stage:verdict("call_logs", log.id).value) }
  end
  Stage.table(rows)
end

local function job_status(stage, progress_id)
  for _, job in ipairs(stage:state "jobs") do
    if job.progress_id == progress_id then return job.status end
  end
end

local function improve_metric(stage)
  Stage.heading("5  A better metric from what reviewers said",
    "client.metric_reviews:process_feedbacks")
  stage:estimate("metric_reviews.process_feedbacks", { metric_id = METRIC })
  local credits = stage:balance()
  local value, response = assert(stage.client.metric_reviews:process_feedbacks(
    { metric_id = METRIC }, { uncounted = true }))
  local id = value.progress_id
  stage:response("metric_reviews.process_feedbacks", response)
  say("   ", "The optimiser works on metric %s: progress_id %s", METRIC, id)
  stage:spent(credits)
  say("   ", "The job: %s", job_status(stage, id))
  stage:wait_until(function() return job_status(stage, id) == "completed" end)
  say("   ", "And then: %s", job_status(stage, id))
end

-- ---- three wrong calls ----

--- Returns the error of a call that failed.
local function error_of(value, err)
  assert(value == nil)
  return err
end

local function wrong_calls(stage)
  Stage.heading("Three wrong calls", "nil, err")
  stage:error("A misspelt field, wrong types, a missing field: all are reported, nothing is sent.",
    error_of(stage.client.runs:mark_metric_vote {
      run_id = "55x", metric_id = METRIC, thumbs_up = 1, feedbak = "?",
    }))
  stage:error("More evaluations than max_evaluations allows.",
    error_of(stage.client.results:evaluate_metrics({
      result_id = RESULT, run_ids = RUNS, metric_ids = { METRIC },
    }, { max_evaluations = 0 })))
  local stranger <close> = assert(cekura.new {
    api_key = "not-the-key", api_url = stage.server.url, proxy = "",
  })
  stage:error("A key that the server does not know.",
    error_of(stranger.runs:mark_metric_vote {
      run_id = RUN, metric_id = METRIC, thumbs_up = true, expected_value = cekura.null,
    }))
end

-- ---- the command ----

function demo.run()
  local stage = Stage.open(METRIC)
  local credits = stage:balance()
  say("", "cekura %s, a sandbox in this process at %s", cekura._VERSION, stage.server.url)
  for _, part in ipairs { vote, create_test_set, evaluate_result, evaluate_results, evaluate_calls,
    improve_metric, wrong_calls } do part(stage) end
  local data = { calls = stage.calls, errors = stage.errors,
    credits_spent = credits - stage:balance() }
  stage:close()
  return "ok", data
end

return demo
