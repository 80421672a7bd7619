--- The bodies of responses, made from the store's items. As in the real API, they differ from the
--- documents: counts that are documented as strings are numbers, and there are additional fields.

local catalogue = require "cekura.sandbox.data.catalogue"
local dialogue = require "cekura.sandbox.dialogue"
local judge = require "cekura.sandbox.judge"
local json = require "cekura.sandbox.json"
local optimiser = require "cekura.sandbox.optimiser"
local random = require "cekura.sandbox.random"
local Store = require "cekura.sandbox.store"

local null, array = json.null, json.array

local views = {}

local function or_null(value)
  if value == nil then return null end
  return value
end

--- Returns a time as "2025-11-21T00:54:12.345678Z".
---@param seconds number since the epoch
function views.time(seconds)
  local whole = math.floor(seconds)
  local micros = math.floor((seconds - whole) * 1e6)
  return os.date("!%Y-%m-%dT%H:%M:%S", whole) .. (".%06dZ"):format(micros)
end

--- Returns the value of one metric; with_explanation adds the vote, if there is one.
local function evaluation(e, with_explanation)
  local metric, is_enum = e.metric, e.metric.eval_type == "enum"
  local view = {
    id = metric.id, name = metric.name, type = metric.eval_type,
    score = is_enum and null or or_null(e.value),
    enum = is_enum and or_null(e.value) or null, value = is_enum and or_null(e.value) or null,
  }
  if with_explanation then
    view.explanation = array(judge.explain(metric, e.value))
    view.extra = {}
    view.is_reviewed = e.reviewed_at ~= nil
  end
  if with_explanation and e.reviewed_at then
    view.expected_value, view.thumbs_up = or_null(e.expected), or_null(e.thumbs_up)
    view.feedback = e.feedback
  end
  return view
end

local function evaluations(call, with_explanation)
  local list = array {}
  for i, e in ipairs(call.evaluations) do list[i] = evaluation(e, with_explanation) end
  return list
end

--- Returns the feedback on a call, one line per vote.
local function feedback(call)
  local lines = {}
  for _, e in ipairs(call.evaluations) do
    if e.feedback and e.feedback ~= "" then lines[#lines + 1] = e.feedback end
  end
  return table.concat(lines, "\n")
end

local function turns_of(call, store)
  if call.status and call.status ~= "completed" then return array {} end -- it was not connected
  return dialogue.turns(call.scenario, call.facts, store.seed, call.id)
end

--- The fields that a run and a call log share.
local function call_view(call, turns, store)
  return {
    id = call.id, agent = call.agent.id, agent_name = call.agent.name, agent_version = null,
    duration = dialogue.clock(dialogue.duration(turns)),
    transcript = dialogue.text(turns), transcript_object = turns,
    success = or_null(Store.success(call)), is_reviewed = call.is_reviewed or false,
    feedback = feedback(call), error_message = or_null(call.error_message),
    timestamp = views.time(call.timestamp), created_at = views.time(call.timestamp),
    updated_at = views.time(call.updated_at),
    trace_id = random.hex(32, store.seed, call.id, "trace"),
    testing_channel_index = 0, rubric = null, critical_categories = array {},
    voice_recording_url = ("https://storage.example.com/recordings/%d.mp3"):format(call.id),
  }
end

local function is_completed(run) return run.status == "completed" end

local function has_met(run)
  return is_completed(run) and run.facts.outcome == run.scenario.outcome
end

--- Returns a run as the response to GET of that run.
function views.run(run, store)
  local turns = turns_of(run, store)
  local view = call_view(run, turns, store)
  local scenario = run.scenario
  view.provider_call_id = "call_" .. random.hex(12, store.seed, run.id, "call")
  view.call_id = view.provider_call_id
  view.scenario, view.scenario_name, view.scenario_type = scenario.id, scenario.name, "instruction"
  view.scenario_instructions = dialogue.fill(scenario.instructions, store.seed, run.id)
  view.personality, view.personality_name = 3, "Normal"
  view.result_id, view.result_name = run.result.id, run.result.name
  view.status, view.evaluation_status = Store.run_status(run), Store.evaluation_status(run)
  view.expected_outcome_prompt = scenario.expected_outcome
  view.expected_outcome =
    { score = has_met(run) and 100 or 0, explanation = array {}, outcome_alignments = array {} }
  view.evaluation = { metrics = evaluations(run, true) }
  view.metadata = { ended_reason = #turns > 0 and "customer-ended-call" or "connection-failed" }
  view.executed_at = view.timestamp
  view.run_as_text, view.run_type = false, "voice"
  view.mocked_tool_names, view.generated_mock_tool_entries = array {}, array {}
  view.test_profile_data, view.provider_call_details = null, null
  view.email_id, view.agent_number = null, null
  return view
end

local function run_summary(run)
  return {
    id = run.id, status = Store.run_status(run), success = or_null(Store.success(run)),
    evaluation_status = Store.evaluation_status(run), is_reviewed = run.is_reviewed or false,
    scenario = run.scenario.id, scenario_name = run.scenario.name,
  }
end

local function scenarios_of(runs)
  local seen, list = {}, array {}
  for _, run in ipairs(runs) do
    local scenario = run.scenario
    if not seen[scenario.id] then list[#list + 1] = { id = scenario.id, name = scenario.name } end
    seen[scenario.id] = true
  end
  return list
end

local function count(list, test)
  local n = 0
  for _, item in ipairs(list) do
    if test(item) then n = n + 1 end
  end
  return n
end

--- The fields of a result in every view.
local function result_view(result, runs, store)
  local completed, passed = count(runs, is_completed), count(runs, Store.success)
  return {
    id = result.id, name = result.name, agent = result.agent.id, agent_name = result.agent.name,
    agent_inbound = result.agent.inbound, agent_version = null, project = result.agent.project,
    status = store:result_status(result),
    success_rate = math.floor(passed / #runs * 10000 + 0.5) / 10000,
    run_as_text = false, is_cronjob = result.index % 3 == 0, run_type = "voice",
    met_expected_outcome_count = count(runs, has_met), total_expected_outcome_count = #runs,
    total_runs_count = #runs, completed_runs_count = completed,
    success_runs_count = passed, failed_runs_count = #runs - passed,
    scenarios = scenarios_of(runs),
    created_at = views.time(result.created_at), updated_at = views.time(result.updated_at),
  }
end

--- Returns a result in a list, or after evaluate_metrics: `runs` is a list of summaries.
function views.result(result, store)
  local runs = store:runs_of(result)
  local view = result_view(result, runs, store)
  view.runs = array {}
  for i, run in ipairs(runs) do view.runs[i] = run_summary(run) end
  return view
end

local function mean(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return #list > 0 and math.floor(sum / #list * 1000 + 0.5) / 1000 or 0
end

--- Returns the success rate of each metric over all runs, by metric id.
local function metric_summary(runs)
  local summary, passed = {}, {}
  for _, run in ipairs(runs) do
    for _, e in ipairs(run.evaluations) do
      local key, metric = ("%d"):format(e.metric.id), e.metric
      summary[key] = summary[key]
        or { id = metric.id, name = metric.name, type = metric.eval_type }
      passed[key] = passed[key] or {}
      table.insert(passed[key], judge.passes(metric, e.value) and 1 or 0)
    end
  end
  for key, list in pairs(passed) do
    summary[key].success_rate, summary[key].count = mean(list), #list
  end
  return summary
end

local function ids_of(runs, test)
  local list = array {}
  for _, run in ipairs(runs) do
    if test(run) then list[#list + 1] = run.id end
  end
  return list
end

--- Returns a result as the response to GET of that result: `runs` has whole runs by id.
function views.result_detail(result, store)
  local runs = store:runs_of(result)
  local view = result_view(result, runs, store)
  view.runs = {}
  for _, run in ipairs(runs) do view.runs[("%d"):format(run.id)] = views.run(run, store) end
  view.overall_evaluation =
    { success_rate = view.success_rate, metric_summary = metric_summary(runs) }
  view.connected_runs = ids_of(runs, is_completed)
  view.not_connected_runs = ids_of(runs, function(run) return not is_completed(run) end)
  view.successful_calls = ids_of(runs, Store.success)
  view.failed_workflow_runs = ids_of(runs, function(run)
    return is_completed(run) and not has_met(run)
  end)
  view.failed_infrastructure_runs, view.failed_reasons = null, null
  view.ai_summary, view.ai_summary_status, view.next_steps = null, "pending", null
  view.path_coverage, view.run_settings = null, null
  return view
end

--- The fields of a call log in every view.
local function call_log_view(log, store)
  local turns = turns_of(log, store)
  local view = call_view(log, turns, store)
  view.call_id = "call_" .. random.hex(12, store.seed, log.id, "call")
  view.status = Store.evaluation_status(log)
  local number = math.floor(random.draw(store.seed, log.id, "number") * 1e7)
  view.customer_number = ("+1555%07d"):format(number)
  view.call_ended_reason = log.facts.abandoned and "silence-timed-out" or "customer-ended-call"
  view.topic = log.scenario.name
  view.dropoff_point = log.facts.confirmed and "" or "before the confirmation"
  view.project = log.agent.project
  return view
end

--- A call log in a list.
function views.call_log(log, store)
  local view = call_log_view(log, store)
  view.metrics = evaluations(log, false)
  view.evaluation = { metrics = evaluations(log, true) }
  return view
end

--- Returns a call log as the response to GET of that log.
function views.call_log_detail(log, store)
  local view = call_log_view(log, store)
  view.agent_id = log.agent.id
  view.evaluation = { metrics = evaluations(log, true) }
  view.metadata = {
    ended_reason = view.call_ended_reason,
    call_type = log.agent.inbound and "inbound" or "outbound",
  }
  view.dynamic_variables, view.user_generated_transcript = {}, null
  return view
end

--- The fields of a metric that an update can change, with their defaults.
local METRIC_DEFAULTS = {
  name = "", description = "", prompt = "", type = "llm_judge", eval_type = "binary",
  enum_values = array {}, audio_enabled = false, assistant_id = "", configuration = {},
  display_order = 0, add_to_new_agents = null, simulation_enabled = true,
  observability_enabled = true, sampling_enabled = false, evaluation_trigger = "always",
  evaluation_trigger_prompt = "", trigger_type = "llm_judge", evaluation_trigger_custom_code = "",
  custom_code = "",
}

--- A metric in the response to an update.
function views.metric(metric)
  local view =
    { id = metric.id, project = metric.project, agents = array { table.unpack(metric.agents) } }
  for name, default in pairs(METRIC_DEFAULTS) do
    view[name] = metric[name] == nil and default or metric[name]
  end
  view.enum_values = array(table.move(view.enum_values, 1, #view.enum_values, 1, {}))
  return view
end

local function review_view(review, store)
  local call, e = review.call, review.evaluation
  local turns = turns_of(call, store)
  return {
    id = optimiser.review_id(call, e.metric), metric = e.metric.id,
    expected_value = or_null(e.expected), actual_value = or_null(e.value),
    explanation = array(judge.explain(e.metric, e.value)), feedback = e.feedback,
    created_at = views.time(e.reviewed_at), updated_at = views.time(e.reviewed_at),
    test_set = {
      id = optimiser.test_set_id(call), agent = call.agent.id, name = call.scenario.name,
      transcript = dialogue.text(turns), duration = dialogue.clock(dialogue.duration(turns)),
      source_model = call.kind == "run" and "Run" or "CallLog", source_id = call.id,
      call_end_reason = "customer-ended-call",
      created_at = views.time(call.timestamp), updated_at = views.time(call.updated_at),
    },
  }
end

--- Returns a metric as the response to GET of that metric, with the reviews.
function views.metric_detail(metric, store)
  local view = views.metric(metric)
  view.slug, view.reviews = metric.slug, array {}
  view.overall_score, view.total_score, view.pending_optimisation_proposal = null, null, null
  view.alert_enabled, view.alert_type = false, "disabled"
  for i, review in ipairs(store:reviews(metric)) do view.reviews[i] = review_view(review, store) end
  return view
end

--- The progress of an optimiser job.
function views.progress(job, now)
  if job.outcome then return job.outcome end
  local done = (now - job.started) / (job.due - job.started)
  return {
    status = "in_progress", progress = math.floor(math.min(done, 0.99) * 100),
    message = ("Trying it on %d reviewed calls"):format(#job.reviews),
  }
end

function views.billing(store)
  local now = store.now()
  return {
    organization = catalogue.organization,
    credits_remaining = store.balance.remaining, credits_used = store.balance.used,
    initial_balance = store.balance.initial, balance_expiry = views.time(store.base + 90 * 86400),
    created_at = views.time(store.base - 365 * 86400), updated_at = views.time(now),
    subscription_status = {
      status = "active", is_active = true, is_trial = false, pack_name = "Sandbox",
      expire_at = views.time(store.base + 90 * 86400), days_until_expiry = 90,
      last_payment_at = null, created_at = views.time(store.base - 365 * 86400), pack = null,
    },
  }
end

return views
