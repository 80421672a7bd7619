--- The bodies of responses about test sets, their reviews, and the jobs and versions of a metric.

local dialogue = require "cekura.sandbox.dialogue"
local judge = require "cekura.sandbox.judge"
local json = require "cekura.sandbox.json"
local lab = require "cekura.sandbox.lab"
local views = require "cekura.sandbox.views"

local null, array = json.null, json.array

local lab_views = {}

-- ---- test sets and reviews ----

--- The fields that a test set has in every view.
local function test_set(set, turns)
  local call = set.call
  return {
    id = set.id, agent = call.agent.id, name = set.name, transcript = dialogue.text(turns),
    voice_recording_url = ("https://storage.example.com/recordings/%d.mp3"):format(call.id),
    call_end_reason = "customer-ended-call", duration = dialogue.clock(dialogue.duration(turns)),
    source_model = call.kind == "run" and "Run" or "CallLog", source_id = ("%d"):format(call.id),
    created_at = views.time(set.created_at), updated_at = views.time(set.updated_at),
  }
end

local function turns_of(set, store)
  return dialogue.turns(set.call.scenario, set.call.facts, store.seed, set.call.id)
end

--- The fields that a review has in every view.
local function review_view(review, version)
  local metric = review.metric
  return {
    id = review.id, metric = metric.id, expected_value = views.value(review.expected, version),
    explanation = array(judge.explain(metric, review.actual)), feedback = review.feedback,
  }
end

--- Returns a test set as the response to its creation. Its reviews have no actual values.
function lab_views.test_set_detail(set, store, version)
  local turns = turns_of(set, store)
  local view = test_set(set, turns)
  view.transcript_object, view.metric_reviews = turns, array {}
  for _, review in pairs(set.reviews) do
    local inline, metric = review_view(review, version), review.metric
    inline.metric_name, inline.eval_type = metric.name, metric.eval_type
    inline.metric_enum_values = array { table.unpack(metric.enum_values or {}) }
    inline.metric_function_name, inline.metric_vocera_defined_metric_code = null, ""
    table.insert(view.metric_reviews, inline)
  end
  table.sort(view.metric_reviews, function(a, b) return a.id < b.id end)
  return view
end

--- Returns a metric as the response to GET or PATCH of that metric, with the reviews in its Lab.
function lab_views.metric_detail(metric, store, version)
  local view = views.metric(metric)
  view.reviews, view.pending_optimisation_proposal = array {}, null
  for i, review in ipairs(lab.reviews(store, metric)) do
    local detail, set = review_view(review, version), review.test_set
    detail.actual_value = views.value(review.actual, version)
    detail.created_at = views.time(review.created_at)
    detail.updated_at = views.time(review.updated_at)
    detail.test_set = test_set(set, turns_of(set, store))
    view.reviews[i] = detail
  end
  return view
end

-- ---- jobs ----

--- Returns the share of a job that is done, below 1 while it runs.
local function share_of(job, now)
  return math.min((now - job.started) / (job.due - job.started), 0.99)
end

local CANCELLED = { status = "cancelled", message = "Somebody has cancelled this job." }

--- The progress of an optimiser job.
function lab_views.optimiser_progress(job, now)
  if job.status == "cancelled" then return CANCELLED end
  if job.outcome then return job.outcome end
  return {
    status = "in_progress", progress = math.floor(share_of(job, now) * 100),
    message = ("Trying it on %d labelled calls"):format(#job.reviews),
  }
end

--- The progress of a job that scores labels.
function lab_views.reviews_progress(job, now, version)
  local total = #job.reviews
  if not job.rows then
    local completed = math.floor(share_of(job, now) * total)
    return { status = "in_progress", completed = completed, failed = 0, total = total }
  end
  local rows = array {}
  for i, row in ipairs(job.rows) do
    rows[i] = {}
    for name, value in pairs(row) do rows[i][name] = value end
    rows[i].actual_value = views.value(row.actual_value, version)
  end
  local metric = views.metric(job.metric)
  metric.overall_score, metric.total_score = job.score.num_correct, job.score.num_total
  return {
    status = "completed", completed = total, failed = 0, total = total,
    output = { metric = metric, review_results = rows, score = job.score },
  }
end

-- ---- versions ----

--- A version of a metric in its history.
function lab_views.version(version)
  local view = views.metric(version.fields)
  view.agent, view.agents_snapshot = null, view.agents
  view.history_id, view.history_type = version.id, version.type
  view.history_date = views.time(version.at)
  view.history_change_reason = version.reason or null
  view.history_user, view.version_id, view.version_name = null, null, null
  return view
end

return lab_views
