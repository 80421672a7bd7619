--- Steps 3 to 5 of `labs`: the optimiser, its proposal with scores, and saving it. They perform
--- what `improve` does, with the labels of the reviewed calls.

local command = require "cekura.review.internal.command"
local holdout = require "cekura.review.internal.holdout"
local improvement = require "cekura.review.internal.improvement"
local jobs = require "cekura.review.internal.jobs"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local parts = require "cekura.review.labs.cycle"
local responses = require "cekura.review.internal.responses"
local saving = require "cekura.review.internal.saving"
local text = require "cekura.review.internal.text"
local values = require "cekura.review.internal.values"

local optimise = {}

-- ---- 3: the optimiser ----

--- Creates the test set of a reviewed call, or gets the one that exists. Returns it.
local function put_in_lab(cycle, item)
  return assert(responses.test_set(cycle.source.create_test_set(cycle.client, item.id, {
    metric = cycle.metric.id, expected_value = item.expected, feedback = item.feedback,
  })))
end

--- Creates the test sets of reviewed calls that the Lab does not have, or has with another expected
--- value. Returns the ids of all of them: { [id] = true }.
local function fill_lab(cycle)
  local lab, ids = parts.lab_of(cycle), {}
  for _, item in ipairs(cycle.data.before) do
    local review = lab[item.id]
    local is_there = review
      and values.are_equal(cycle.metric.eval_type, review.expected_value, item.expected)
    ids[(is_there and review.test_set or put_in_lab(cycle, item)).id] = true
  end
  return ids
end

local ABOUT = "about: one for each reviewed %s, and two to score it; more if the Lab has more "
  .. "labels"

--- Returns the optimiser's job; nil if there is none.
function optimise.start(cycle)
  parts.begin(3, "optimise", "let the optimiser read what reviewers said. It SPENDS CREDITS.")
  local options, client, saved = cycle.options, cycle.client, cycle.saved
  local job = jobs.peek(saved, options.metric)
  -- A job whose proposal is saved is not started again.
  local is_restarted = options.apply and options.restart and job and not job.saved
  job = not is_restarted and jobs.find(saved, options.metric)
  if job then
    text.print("  started before: %s", job.progress_id)
    return job
  elseif not options.apply then
    parts.show_cost(cycle, 3 * parts.count_reviewed(cycle), ABOUT:format(cycle.source.noun))
    return nil
  end
  local test_sets = fill_lab(cycle)
  cycle.metric = metrics.get(client, options.metric)
  local split = holdout.split(cycle.metric, options.hold_out, test_sets)
  improvement.print_plan(client, cycle.metric, options.hold_out, split, true)
  job = jobs.start(client, saved, cycle.metric, split, options.hold_out)
  text.print("  started: %s", job.progress_id)
  return job
end

-- ---- 4 and 5: the difference, and saving it ----

--- Prints the proposal with its scores, and returns it; nil without a job.
function optimise.propose(cycle, job)
  parts.begin(4, "diff", "what would change, and is it better?")
  if not job then return output.print "  Known once the optimiser has run." end
  local options = cycle.options
  options.start = options.apply
  local found = improvement.propose(cycle.client, cycle.saved, options.metric, options)
  cycle.metric, cycle.report.improvement = found.metric, found.data
  return found
end

---@param found cekura.review.Found?
function optimise.save(cycle, found)
  parts.begin(5, "save", "save the proposal to the metric.")
  if found and found.data.saved then return output.print "  Done." end
  if not cycle.options.apply then
    return output.print "  One update of the metric; it costs nothing."
  end
  if not next(found.changes) then return output.print "  There is nothing to save." end
  local code = saving.save(cycle.client, cycle.saved, found, cycle.options)
  if code ~= "ok" then
    command.fail(code, "the improvement is not saved: the cycle ends here")
  end
end

return optimise
