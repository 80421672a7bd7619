--- The prompt optimiser of the sandbox: proposes a new description of a metric from the labels in
--- its Lab. A metric's level, how often it was improved, determines its value on a labelled call.

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

--- Returns the distinct remarks of the reviewers, the most frequent first.
local function lessons_of(reviews)
  local counts, lessons = {}, {}
  for _, review in ipairs(reviews) do
    local text = review.feedback
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

local function agrees(review, value) return judge.agrees(review.metric, value, review.expected) end

--- Returns the value that the metric gives to a labelled call at a level.
local function value_at(review, level, seed)
  local call, metric, value = review.call, review.metric, review.initial
  if value == nil then value = judge.value(metric, call, 0, nil, seed) end
  if review.expected == nil then return value end
  for n = review.level, level - 1 do
    if agrees(review, value) then break end
    local chance = random.draw(seed, call.id, "optimiser", metric.id + 1000 * n)
    if chance < RESOLVED then value = review.expected end
  end
  return value
end

--- Returns the accuracy of the values of the reviews that have a label.
---@param values any[] one for each review; nil for a metric that does not apply
function optimiser.score(reviews, values)
  local correct, total = 0, 0
  for i, review in ipairs(reviews) do
    if review.expected ~= nil then
      total = total + 1
      if agrees(review, values[i]) then correct = correct + 1 end
    end
  end
  return { num_correct = correct, num_total = total,
    score = total > 0 and math.floor(correct / total * 1000 + 0.5) / 1000 or 0 }
end

--- Returns the values of the reviews at a level, and their rows in a response. A row is a success
--- if the value is as labelled.
function optimiser.try(reviews, level, seed)
  local values, rows = {}, json.array {}
  for i, review in ipairs(reviews) do
    local value = value_at(review, level, seed)
    values[i] = value
    rows[i] = {
      review_id = review.id, test_set_id = review.test_set.id,
      actual_value = value == nil and json.null or value,
      explanation = json.array(judge.explain(review.metric, value)),
      success = agrees(review, value), error = json.null,
    }
  end
  return values, rows
end

local function unresolved_of(rows)
  local samples = json.array {}
  for _, row in ipairs(rows) do
    if not row.success then
      samples[#samples + 1] = { review_id = row.review_id, test_set_id = row.test_set_id,
        verdict = "ambiguous label", pass_rate = 0.4 }
    end
  end
  return samples
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

--- Returns the level of a draft of a metric: that of the proposal or earlier version that it
--- repeats; the metric's own if the text is new.
---@param draft table fields of the metric; the others are as they are
function optimiser.level_of(metric, draft)
  local description, code = draft.description, draft.custom_code
  for i = #metric.known, 1, -1 do
    local known = metric.known[i]
    if description ~= nil and description == known.description
      or (code or "") ~= "" and code == known.custom_code then
      return known.level
    end
  end
  return metric.level
end

--- The final response of the progress endpoint, by the option `optimiser`.
local ENDS = {}

function ENDS.asks(job)
  local review = job.reviews[1]
  return {
    status = "awaiting_user_input", progress = 60,
    message = "Reviewers disagree with each other",
    questions = json.array { {
      id = ("question-%d"):format(review.id),
      test_set_id = review.test_set.id, review_id = review.id,
      question = "Does a new time that only the agent named count as confirmed?",
    } },
  }
end

function ENDS.fails(job)
  return {
    status = "error", progress = 100,
    error = ("No description does better than the present one on %d labelled calls.")
      :format(#job.reviews),
  }
end

function ENDS.improves(job, seed, cost)
  local metric, options = job.metric, job.options
  local lessons = lessons_of(job.reviews)
  local description = describe(options.simplified_prompt or metric.description, lessons)
  local kind = options.metric_type or metric.type
  local code = kind == "custom_code" and custom_code_for(metric, description, lessons) or ""
  local old_values = optimiser.try(job.reviews, job.level, seed)
  local new_values, rows = optimiser.try(job.reviews, job.level + 1, seed)
  local new_score = optimiser.score(job.reviews, new_values)
  if options.skip_evaluation then rows, new_score = json.array {}, json.null end
  return { status = "success", progress = 100, output = {
    improved_metric_description = description,
    improved_evaluation_trigger = "always", improved_trigger_kind = "always",
    trigger_type = "llm_judge", type = kind, custom_code = "",
    meta_harness = code ~= "" and {
      custom_code = code, improved_evaluation_trigger = "always", improved_trigger_kind = "always",
    } or json.null,
    metric_description_program = json.null, metric_description_variables = json.array {},
    evaluation_trigger_program = json.null, evaluation_trigger_variables = json.array {},
    review_results = rows, unresolved_samples = unresolved_of(rows),
    feedback_edits = json.array {}, unauthorized_label_changes = json.array {},
    optimization_summary = ("Takes %d remarks of reviewers into account."):format(#lessons),
    old_score = optimiser.score(job.reviews, old_values), new_score = new_score,
    estimated_cost_per_sample = cost,
  } }
end

--- Returns the response of the progress endpoint after the job has ended.
---@param how string the option `optimiser`
---@param cost number credits for one evaluation
function optimiser.finish(job, seed, how, cost)
  local response = ENDS[how](job, seed, cost)
  local output = response.output
  if output then
    table.insert(job.metric.known, {
      description = output.improved_metric_description, level = job.level + 1,
      custom_code = output.meta_harness ~= json.null and output.meta_harness.custom_code or nil,
    })
  end
  return response
end

return optimiser
