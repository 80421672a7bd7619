--- The jobs of the prompt optimiser.

local credits = require "cekura.sandbox.credits"
local errors = require "cekura.sandbox.errors"
local optimiser = require "cekura.sandbox.optimiser"
local scope = require "cekura.sandbox.scope"
local views = require "cekura.sandbox.views"

local handlers = {}

--- Returns the reviews of a metric, only those of the test sets `ids` unless that is nil.
local function chosen_reviews(store, metric, ids)
  local reviews = store:reviews(metric)
  if not ids then return reviews end
  local wanted, chosen = scope.set_of(ids), {}
  for _, review in ipairs(reviews) do
    if wanted[optimiser.test_set_id(review.call)] then chosen[#chosen + 1] = review end
  end
  return chosen
end

handlers["POST /test_framework/metric-reviews/process_feedbacks/"] = function(store, args)
  local metric = store.metrics[args.metric_id]
  if not metric then return errors.unknown_id("metric_id", args.metric_id) end
  local reviews = chosen_reviews(store, metric, args.test_set_ids)
  if #reviews == 0 then
    if args.test_set_ids then
      return errors.bad("test_set_ids", "None of these has a review of this metric.")
    end
    return errors.bad("metric_id", "There is no feedback on this metric yet.")
  end
  local status, problem = credits.charge(store, #reviews)
  if status then return status, problem end
  return 200, { progress_id = store:start_optimiser(metric, args, reviews).progress_id }
end

handlers["GET /test_framework/metric-reviews/process_feedbacks_progress/"] = function(store, args)
  local job = store.optimiser_jobs[args.progress_id]
  if not job then return 404, { detail = "Not found." } end
  local allowed = false
  for _, id in ipairs(job.metric.agents) do
    allowed = allowed or scope.contains(store.agents[id], args)
  end
  if not allowed then
    return 403, { detail = "You do not have permission to perform this action." }
  end
  return 200, views.progress(job, store.now())
end

return handlers
