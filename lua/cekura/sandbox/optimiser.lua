--- The prompt optimiser of the sandbox: proposes a new description of a metric from the feedback
--- of its reviewers.

local judge = require "cekura.sandbox.judge"
local random = require "cekura.sandbox.random"
local json = require "cekura.sandbox.json"

local optimiser = {}

local MOST_LESSONS = 5
local RESOLVED = 0.85 -- the share of wrong samples that the proposal corrects

--- Returns an id like the UUIDs of the real API.
function optimiser.progress_id(seed, n)
  local hex = random.hex(32, seed, n, "progress_id")
  return ("%s-%s-4%s-a%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16),
    hex:sub(18, 20), hex:sub(21, 32))
end

function optimiser.review_id(call, metric) return call.id * 100 + metric.id end

function optimiser.test_set_id(call) return 100000 + call.id end

--- Returns the distinct remarks of the reviewers, the most frequent first.
local function lessons_of(reviews)
  local counts, lessons = {}, {}
  for _, review in ipairs(reviews) do
    local text = review.evaluation.feedback or ""
    if text ~= "" then
      if not counts[text] then lessons[#lessons + 1] = text end
      counts[text] = (counts[text] or 0) + 1
    end
  end
  table.sort(lessons, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return { table.unpack(lessons, 1, MOST_LESSONS) }
end

local function agrees(review)
  local evaluation = review.evaluation
  return judge.agrees(evaluation.metric, evaluation.value, evaluation.expected)
end

local function score(correct, total)
  return { num_correct = correct, num_total = total,
    score = total > 0 and math.floor(correct / total * 1000 + 0.5) / 1000 or 0 }
end

--- Returns whether the proposal gets a sample right, and its row in the response.
local function try(review, seed)
  local call, evaluation = review.call, review.evaluation
  local right = agrees(review)
    or random.draw(seed, call.id, "optimiser", evaluation.metric.id) < RESOLVED
  local value = evaluation.value
  if right then value = evaluation.expected end
  return right, {
    review_id = optimiser.review_id(call, evaluation.metric),
    test_set_id = optimiser.test_set_id(call),
    actual_value = value == nil and json.null or value,
    explanation = json.array(judge.explain(evaluation.metric, value)),
    success = right, error = json.null,
  }
end

local function try_all(reviews, seed)
  local results, unresolved, before, after = json.array {}, json.array {}, 0, 0
  for i, review in ipairs(reviews) do
    local right, row = try(review, seed)
    if agrees(review) then before = before + 1 end
    if right then after = after + 1 end
    if not right then
      unresolved[#unresolved + 1] = { review_id = row.review_id, test_set_id = row.test_set_id,
        verdict = "ambiguous label", pass_rate = 0.4 }
    end
    results[i] = row
  end
  return results, unresolved, score(before, #reviews), score(after, #reviews)
end

--- Returns the description with the reviewers' remarks added.
local function describe(start, lessons)
  if #lessons == 0 then return start end
  return start .. "\n\nWhat reviewers pointed out, and what therefore counts:\n- "
    .. table.concat(lessons, "\n- ")
end

--- Returns code with the description as a comment; unchanged if there are no remarks.
local function custom_code_for(metric, description, lessons)
  if #lessons == 0 and metric.custom_code then return metric.custom_code end
  local comment = "# " .. description:gsub("\n", "\n# ")
  return comment .. "\n_result = judge(data)\n_explanation = None\n"
end

--- The final response of the progress endpoint, by the option `optimiser`.
local ENDS = {}

function ENDS.asks(job)
  local review = job.reviews[1]
  return {
    status = "awaiting_user_input", progress = 60,
    message = "Reviewers disagree with each other",
    questions = json.array { {
      test_set_id = optimiser.test_set_id(review.call),
      review_id = optimiser.review_id(review.call, review.evaluation.metric),
      question = "Does a new time that only the agent named count as confirmed?",
    } },
  }
end

function ENDS.fails(job)
  return {
    status = "failed", progress = 100,
    error = ("No description does better than the present one on %d reviewed calls.")
      :format(#job.reviews),
  }
end

function ENDS.improves(job, seed)
  local metric, options = job.metric, job.options
  local lessons = lessons_of(job.reviews)
  local description = describe(options.simplified_prompt or metric.description, lessons)
  local kind = options.metric_type or metric.type
  local results, unresolved, old_score, new_score = try_all(job.reviews, seed)
  if options.skip_evaluation then
    results, unresolved, new_score = json.array {}, json.array {}, json.null
  end
  return {
    status = "completed", progress = 100,
    improved_metric_description = description,
    improved_evaluation_trigger = "always", improved_trigger_kind = "always",
    trigger_type = "llm_judge", type = kind,
    custom_code = kind == "custom_code" and custom_code_for(metric, description, lessons) or "",
    metric_description_program = json.null, metric_description_variables = json.array {},
    evaluation_trigger_program = json.null, evaluation_trigger_variables = json.array {},
    review_results = results, unresolved_samples = unresolved,
    feedback_edits = json.array {}, unauthorized_label_changes = json.array {},
    optimization_summary = ("Takes %d remarks of reviewers into account."):format(#lessons),
    old_score = old_score, new_score = new_score,
  }
end

--- Returns the response of the progress endpoint after the job has ended.
---@param how string the option `optimiser`
function optimiser.finish(job, seed, how) return ENDS[how](job, seed) end

return optimiser
