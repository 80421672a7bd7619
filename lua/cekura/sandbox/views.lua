--- The bodies of responses, made from the store's items, in version 1 or 2 of the API. As in the
--- real API, they differ from the documents: counts that are documented as strings are numbers, and
--- there are additional fields.

require "cekura.core" -- preloads cekura.internal
local internal = require "cekura.internal"

local catalogue = require "cekura.sandbox.data.catalogue"
local dialogue = require "cekura.sandbox.dialogue"
local judge = require "cekura.sandbox.judge"
local json = require "cekura.sandbox.json"
local lab = require "cekura.sandbox.lab"
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

--- Returns the seconds since the epoch of a time in RFC 3339; nil for other text.
---@param text string
function views.seconds(text)
  local seconds, fraction = internal.timestamp(text)
  return seconds and seconds + tonumber("0." .. fraction)
end

--- Returns a metric's value, or that of a vote, as a version of the API has it: version 1 encodes
--- pass and fail of a binary metric as 5 and 0.
function views.value(value, version)
  if version == 1 and type(value) == "boolean" then return value and 5 or 0 end
  return or_null(value)
end

--- Returns the value of one metric; with_explanation adds the vote, if there is one.
local function evaluation(e, version, with_explanation)
  local metric, is_enum = e.metric, e.metric.eval_type == "enum"
  local value = views.value(e.value, version)
  local view = { id = metric.id, name = metric.name, type = metric.eval_type,
    score = value, enum = null, value = null }
  if is_enum then view.score, view.enum, view.value = null, value, value end
  if version > 1 then view.eval_type = metric.eval_type end
  if version > 1 and metric.eval_type == "binary" then view.passed = value end
  if with_explanation then
    view.explanation = array(judge.explain(metric, e.value))
    view.extra = {}
    view.is_reviewed = e.reviewed_at ~= nil
  end
  if with_explanation and e.reviewed_at then
    view.expected_value = views.value(e.expected, version)
    view.thumbs_up = or_null(e.thumbs_up)
    view.feedback = e.feedback
  end
  return view
end

local function evaluations(call, version, with_explanation)
  local list = array {}
  for i, e in ipairs(call.evaluations) do list[i] = evaluation(e, version, with_explanation) end
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

--- Returns how long a call took, in seconds.
function views.duration(call, store) return dialogue.duration(turns_of(call, store)) end

--- Returns the id that the agent's provider gave the call.
function views.call_id(call, store)
  return "call_" .. random.hex(12, store.seed, call.id, "call")
end

--- Returns why a run ended.
function views.ended_reason(run)
  return run.status == "completed" and "customer-ended-call" or "connection-failed"
end

--- The personality of the testing agent in every run.
views.PERSONALITY = { id = 3, name = "Normal" }

--- The fields that runs and call logs share in every view.
local function call_view(call, turns, store)
  return {
    id = call.id, agent = call.agent.id, agent_name = call.agent.name, agent_version = null,
    duration = dialogue.clock(dialogue.duration(turns)), success = or_null(Store.success(call)),
    error_message = or_null(call.error_message), timestamp = views.time(call.timestamp),
    trace_id = random.hex(32, store.seed, call.id, "trace"), critical_categories = array {},
  }
end

--- Adds the fields that call logs, and runs outside of runs.list, share.
local function add_content(view, call, turns)
  view.transcript, view.transcript_object = dialogue.text(turns), turns
  view.is_reviewed, view.feedback = call.is_reviewed or false, feedback(call)
  view.created_at, view.updated_at = view.timestamp, views.time(call.updated_at)
  view.testing_channel_index, view.rubric = 0, null
  view.voice_recording_url = ("https://storage.example.com/recordings/%d.mp3"):format(call.id)
end

local function is_completed(run) return run.status == "completed" end

local function has_met(run)
  return is_completed(run) and run.facts.outcome == run.scenario.outcome
end

--- The fields of a run in every view but the summary.
local function run_view(run, turns, store)
  local view = call_view(run, turns, store)
  view.result_id, view.provider_call_id = run.result.id, views.call_id(run, store)
  view.scenario, view.scenario_name = run.scenario.id, run.scenario.name
  view.personality, view.personality_name = views.PERSONALITY.id, views.PERSONALITY.name
  view.status, view.evaluation_status = Store.run_status(run), Store.evaluation_status(run)
  view.expected_outcome =
    { score = has_met(run) and 100 or 0, explanation = array {}, outcome_alignments = array {} }
  view.metadata = { ended_reason = views.ended_reason(run) }
  view.executed_at = view.timestamp
  view.run_as_text, view.run_type = false, "voice"
  view.outbound_number, view.inbound_number, view.agent_number = null, null, null
  view.outbound_dial_window_opens_at, view.outbound_dial_window_closes_at = null, null
  view.outbound_dial_window_seconds = null
  return view
end

--- Returns a run in runs.list: without its transcript and its explanations.
function views.run_in_list(run, store, version)
  local view = run_view(run, turns_of(run, store), store)
  view.metrics = evaluations(run, version, false)
  view.test_profile_name = null
  return view
end

--- Returns a run as the response to GET of that run.
function views.run(run, store, version)
  local turns = turns_of(run, store)
  local view = run_view(run, turns, store)
  add_content(view, run, turns)
  for _, turn in ipairs(turns) do
    turn.normalized_content, turn.comparison_spans = turn.content, array {}
  end
  view.call_id, view.scenario_type = view.provider_call_id, "instruction"
  view.scenario_instructions = dialogue.fill(run.scenario.instructions, store.seed, run.id)
  view.result_name, view.expected_outcome_prompt = run.result.name, run.scenario.expected_outcome
  view.evaluation = { metrics = evaluations(run, version, true) }
  view.mocked_tool_names, view.generated_mock_tool_entries = array {}, array {}
  view.test_profile_data, view.provider_call_details, view.email_id = null, null, null
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

--- Returns the metrics that have run on the runs, and a list of the values of each.
local function metrics_of(runs)
  local metrics, values_of = {}, {}
  for _, run in ipairs(runs) do
    for _, e in ipairs(run.evaluations) do
      if not values_of[e.metric] then metrics[#metrics + 1], values_of[e.metric] = e.metric, {} end
      table.insert(values_of[e.metric], { value = e.value }) -- nil if it did not apply
    end
  end
  return metrics, values_of
end

--- Returns the score of a metric: the mean of its numbers, or of a binary metric the share of
--- passes; null for an enum.
local function score_of(values)
  local numbers = {}
  for _, item in ipairs(values) do
    local value = item.value
    if type(value) == "boolean" then value = value and 1 or 0 end
    if type(value) == "number" then numbers[#numbers + 1] = value end
  end
  return #numbers > 0 and mean(numbers) or null
end

--- Returns the success rate and the score of each metric over all runs, by metric id.
local function metric_summary(runs)
  local summary = {}
  local metrics, values_of = metrics_of(runs)
  for _, metric in ipairs(metrics) do
    local values = values_of[metric]
    local passed = count(values, function(item) return judge.passes(metric, item.value) end)
    summary[("%d"):format(metric.id)] = {
      id = metric.id, name = metric.name, type = metric.eval_type, count = #values,
      success_rate = math.floor(passed / #values * 1000 + 0.5) / 1000, score = score_of(values),
    }
  end
  return summary
end

--- Returns the duration of all runs, in seconds.
local function total_duration(runs, store)
  local sum = 0
  for _, run in ipairs(runs) do sum = sum + views.duration(run, store) end
  return sum
end

local function ids_of(runs, test)
  local list = array {}
  for _, run in ipairs(runs) do
    if test(run) then list[#list + 1] = run.id end
  end
  return list
end

--- Returns a result as the response to GET of that result: `runs` has whole runs by id.
function views.result_detail(result, store, version)
  local runs = store:runs_of(result)
  local view = result_view(result, runs, store)
  view.runs = {}
  for _, run in ipairs(runs) do
    view.runs[("%d"):format(run.id)] = views.run(run, store, version)
  end
  view.overall_evaluation =
    { success_rate = view.success_rate, metric_summary = metric_summary(runs) }
  view.connected_runs = ids_of(runs, is_completed)
  view.not_connected_runs = ids_of(runs, function(run) return not is_completed(run) end)
  view.successful_calls = ids_of(runs, Store.success)
  view.failed_workflow_runs = ids_of(runs, function(run)
    return is_completed(run) and not has_met(run)
  end)
  view.total_duration = dialogue.clock(total_duration(runs, store))
  view.metrics, view.critical_categories = array {}, array {}
  for i, metric in ipairs((metrics_of(runs))) do
    view.metrics[i] = { id = metric.id, name = metric.name, eval_type = metric.eval_type }
  end
  view.failed_infrastructure_runs, view.failed_reasons = null, null
  view.ai_summary, view.next_steps = null, null
  view.ai_summary_status = view.failed_runs_count > 0 and "pending" or "skipped_no_failures"
  view.path_coverage, view.run_settings, view.performance_metrics = null, null, array {}
  view.runs_by_tags, view.latency_data = {}, {}
  return view
end

--- The fields of a call log in every view.
local function call_log_view(log, store)
  local turns = turns_of(log, store)
  local view = call_view(log, turns, store)
  add_content(view, log, turns)
  view.call_id = views.call_id(log, store)
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
function views.call_log(log, store, version)
  local view = call_log_view(log, store)
  view.metrics = evaluations(log, version, false)
  view.evaluation = { metrics = evaluations(log, version, true) }
  return view
end

--- Returns a call log as the response to GET of that log.
function views.call_log_detail(log, store, version)
  local view = call_log_view(log, store)
  view.agent_id = log.agent.id
  view.evaluation = { metrics = evaluations(log, version, true) }
  view.metadata = {
    ended_reason = view.call_ended_reason,
    call_type = log.agent.inbound and "inbound" or "outbound",
  }
  view.dynamic_variables, view.user_generated_transcript = {}, null
  return view
end

--- The fields of a metric that an update can change, with their defaults.
local METRIC_DEFAULTS = {
  name = "", slug = null, description = "", prompt = "", type = "llm_judge", eval_type = "binary",
  enum_values = array {}, audio_enabled = false, configuration = {}, display_order = 0,
  add_to_new_agents = null, simulation_enabled = true, observability_enabled = true,
  sampling_enabled = false, evaluation_trigger = "always", evaluation_trigger_prompt = "",
  trigger_type = "llm_judge", evaluation_trigger_custom_code = "", custom_code = "",
  priority_assignment_prompt = "", kb_file_ids = array {},
  metric_description_program = null, metric_description_variables = array {},
  evaluation_trigger_program = null, evaluation_trigger_variables = array {},
  alert_enabled = false, alert_type = "disabled", alert_filters = null,
  significant_change_alert_status = "disabled", significant_change_alert_direction = "",
  window_size = 50, std_multiplier = 2.0, ewma_alpha = 0.1, -- the document's defaults
  slack_workspace = null, slack_channel_id = null,
}

--- The fields of a metric in every view.
function views.metric(metric)
  local view = {
    id = metric.id, project = metric.project, agents = array { table.unpack(metric.agents) },
    function_name = null, vocera_defined_metric_code = "", knowledge_base_files = array {},
    overall_score = null, total_score = null,
  }
  for name, default in pairs(METRIC_DEFAULTS) do
    view[name] = metric[name] == nil and default or metric[name]
  end
  view.enum_values = array(table.move(view.enum_values, 1, #view.enum_values, 1, {}))
  return view
end

--- Returns a metric in metrics.list. The scores are those of its labels: how many of its values
--- agree, and how many there are.
function views.metric_in_list(metric, store, has_scores)
  local view = views.metric(metric)
  view.custom_code, view.alert_enabled = nil, nil
  view.agent_names, view.metric_cost = array {}, store.credits_per_evaluation
  view.uses_llm_judge = metric.type ~= "custom_code"
  for i, id in ipairs(metric.agents) do view.agent_names[i] = store.agents[id].name end
  if has_scores then
    local labelled = lab.labelled(store, metric)
    view.total_score = #labelled
    view.overall_score = count(labelled, function(review)
      return judge.agrees(metric, review.actual, review.expected)
    end)
  end
  return view
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
