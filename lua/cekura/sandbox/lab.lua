--- The Labs of the metrics: test sets, which are made from runs and call logs, each with a review
--- for every metric that it was added to.

local json = require "cekura.sandbox.json"
local judge = require "cekura.sandbox.judge"

local lab = {}

local FIRST_TEST_SET = 100000

--- Copies the value of the metric on the call to a review that has none. `initial` is the value at
--- `level`, the number of improvements of the metric (optimiser.lua).
local function copy_value(review, metric)
  local evaluation = review.call.by_metric[metric.id]
  if review.actual ~= nil or not evaluation then return end
  review.actual, review.initial = evaluation.value, evaluation.value
  review.level = evaluation.level or 0
end

--- Adds a metric to a test set. The parts of the label that are given replace the present ones.
---@param label table { metric, expected_value?, feedback? }: the metric itself; null is not a value
local function add_label(set, label, at)
  local metric = label.metric
  local review = set.reviews[metric.id]
  if not review then
    review = {
      id = set.call.id * 100 + metric.id, metric = metric, call = set.call, test_set = set,
      feedback = "", level = metric.level, created_at = at,
    }
    set.reviews[metric.id] = review
  end
  copy_value(review, metric)
  local expected = label.expected_value
  if expected == json.null then review.expected = nil
  elseif expected ~= nil then review.expected = judge.normalise(metric, expected)
  end
  review.feedback = label.feedback or review.feedback
  review.updated_at = at
end

--- Puts a call into the Labs of metrics. Returns its test set, the existing one if there is one.
---@param call table a run or a call log
---@param labels table[] { metric, expected_value?, feedback? }
---@param name string? nil or empty: unchanged, at first the call's id
function lab.add(store, call, labels, name)
  local now, id = store.now(), FIRST_TEST_SET + call.id
  local set = store.test_sets[id]
  if not set then
    set = { id = id, call = call, name = ("%d"):format(call.id), reviews = {}, created_at = now }
    store.test_sets[id] = set
  end
  if name and name ~= "" then set.name = name end
  for _, label in ipairs(labels) do add_label(set, label, now) end
  set.updated_at = now
  return set
end

--- Returns the review of a metric on a call, or nil.
local function review_of(store, call, metric)
  local set = store.test_sets[FIRST_TEST_SET + call.id]
  return set and set.reviews[metric.id]
end

--- Makes the vote on an evaluation, if there is one, the label in the metric's Lab. A vote without
--- a value and a remark only changes a review that exists.
function lab.add_vote(store, call, evaluation)
  local metric, expected = evaluation.metric, evaluation.expected
  local is_empty = expected == nil and (evaluation.feedback or "") == ""
  if not evaluation.reviewed_at or is_empty and not review_of(store, call, metric) then return end
  if expected == nil then expected = json.null end
  lab.add(store, call, { {
    metric = metric, expected_value = expected, feedback = evaluation.feedback,
  } })
end

--- Returns the test sets by id.
function lab.test_sets(store)
  if store.votes_feed_lab then store:calls() end -- the votes on a call are made with the call
  return store.test_sets
end

local function has_label(review) return review.expected ~= nil end

--- Returns the reviews of a metric in the order of the test sets' ids.
---@param test? fun(review: table): any selects some of them
function lab.reviews(store, metric, test)
  local reviews = {}
  for _, set in pairs(lab.test_sets(store)) do
    local review = set.reviews[metric.id]
    if review and (not test or test(review)) then reviews[#reviews + 1] = review end
  end
  table.sort(reviews, function(a, b) return a.id < b.id end)
  return reviews
end

--- Returns those with an expected value.
function lab.labelled(store, metric) return lab.reviews(store, metric, has_label) end

--- Returns those with an expected value or a note.
function lab.with_feedback(store, metric)
  return lab.reviews(store, metric, function(review)
    return has_label(review) or review.feedback ~= ""
  end)
end

--- Returns the label that an improved metric has learned for a call, or nil.
function lab.learned(store, call, metric)
  if metric.level == 0 then return nil end
  local review = review_of(store, call, metric)
  if review then return review.expected end
end

return lab
