--- The jobs that work on a metric's Lab: the optimiser, and scoring the labels.

local credits = require "cekura.sandbox.credits"
local errors = require "cekura.sandbox.errors"
local lab = require "cekura.sandbox.lab"
local lab_views = require "cekura.sandbox.lab_views"
local scope = require "cekura.sandbox.scope"

local handlers = {}

--- Returns the job of this kind; or nil, a status and a body, also if the metric is not in scope.
local function job_of(store, kind, args)
  local job = store.jobs_by_progress[args.progress_id]
  if not job or job.kind ~= kind then return nil, 404, { detail = "Not found." } end
  for _, id in ipairs(job.metric.agents) do
    if scope.contains(store.agents[id], args) then return job end
  end
  return nil, 403, { detail = "You do not have permission to perform this action." }
end

--- Returns the response to the start of a job.
local function started(store, job)
  return {
    progress_id = job.progress_id, estimated_cost_per_sample = store.credits_per_evaluation,
  }
end

-- ---- the optimiser ----

handlers["POST /test_framework/metric-reviews/process_feedbacks/"] = function(store, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.unknown_id("metric_id", args.metric_id) end
  local wanted = args.test_set_ids and scope.set_of(args.test_set_ids)
  local reviews = {}
  for _, review in ipairs(lab.with_feedback(store, metric)) do
    if not wanted or wanted[review.test_set.id] then reviews[#reviews + 1] = review end
  end
  if #reviews == 0 then
    if wanted then
      return errors.bad("test_set_ids", "None of these has a review of this metric.")
    end
    return errors.bad("metric_id", "There is no feedback in this metric's Lab yet.")
  end
  local status, problem = credits.charge(store, #reviews)
  if status then return status, problem end
  return 200, started(store, store:start_optimiser(metric, args, reviews))
end

handlers["GET /test_framework/metric-reviews/process_feedbacks_progress/"] = function(store, args)
  local job, status, problem = job_of(store, "optimiser", args)
  if not job then return status, problem end
  return 200, lab_views.optimiser_progress(job, store.now())
end

handlers["POST /test_framework/metric-reviews/process_feedbacks_cancel/"] = function(store, args)
  local job, status, problem = job_of(store, "optimiser", args)
  if not job then return status, problem end
  if job.status == "completed" then
    return errors.bad("progress_id", "This job has ended.")
  end
  job.status = "cancelled"
  return 200, { progress_id = job.progress_id, status = job.status }
end

-- ---- scoring the labels ----

--- The arguments that are not fields of the draft.
local NOT_IN_DRAFT = { metric_id = true, skip_save = true }

handlers["POST /test_framework/v2/metrics/{metric_id}/run_reviews/"] = function(store, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.not_found "Metric" end
  local reviews, draft = lab.labelled(store, metric), {}
  if #reviews == 0 then return 400, { detail = "This metric has no labelled test sets." } end
  for name, value in pairs(args) do
    if not NOT_IN_DRAFT[name] then draft[name] = value end
  end
  local status, problem = credits.charge(store, #reviews)
  if status then return status, problem end
  return 200, started(store, store:start_reviews(metric, draft, reviews, not args.skip_save))
end

handlers["GET /test_framework/v2/metrics/run_reviews_progress/"] =
  function(store, args, _, version)
    local job, status, problem = job_of(store, "reviews", args)
    if not job then return status, problem end
    return 200, lab_views.reviews_progress(job, store.now(), version)
  end

return handlers
