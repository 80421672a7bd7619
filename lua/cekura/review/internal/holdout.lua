--- Labels that are held out: the optimiser does not learn from them, so that they show whether its
--- proposal is better. A label is a review in the metric's Lab that has an expected value.

local agreement = require "cekura.review.agreement"
local hash = require "cekura.review.internal.hash"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"
local values = require "cekura.review.internal.values"

local holdout = {}

holdout.ENOUGH = 10  -- held-out labels below which a score is mostly chance

--- Parses an argument that is a share: "0.25", "25%" or "1/3". Returns it, or nil and a message.
function holdout.share(argument)
  local part, whole = argument:match "^(%d+)/(%d+)$"
  local percent = argument:match "^([%d.]+)%%$"
  local share = part and tonumber(part) / tonumber(whole)
    or (tonumber(percent or argument) or -1) / (percent and 100 or 1)
  if share >= 0 and share < 1 then return share end
  return nil, ("'%s' is not a share from 0 on and below 1, such as 0.25 or 1/3"):format(argument)
end

--- Returns whether a test set is held out. That depends on its id and the share only: a label from
--- which an earlier proposal was learned is not held out later.
local function is_held_out(id, share)
  return hash.of(("held out: %d"):format(id)) < share * 2.0 ^ 63
end

---@class cekura.review.Split
---@field all integer test sets that are divided
---@field learned integer[] ids of the test sets that the optimiser reads
---@field held_out integer[] ids of the others
---@field wrong integer labels in `learned` with which the metric disagrees

--- Returns how many labels are in a metric's Lab. A scoring evaluates each of them.
function holdout.labels(metric)
  local count = 0
  for _, review in ipairs(metric.reviews or {}) do
    if review.expected_value ~= nil then count = count + 1 end
  end
  return count
end

--- Adds a review to a split. Without an expected value it cannot score anything, but has a remark
--- to learn from.
local function add(split, metric, id, review, share)
  local is_label = review.expected_value ~= nil
  split.all = split.all + 1
  if is_label and is_held_out(id, share) then
    table.insert(split.held_out, id)
    return
  end
  table.insert(split.learned, id)
  if is_label
    and not values.are_same(metric.eval_type, review.actual_value, review.expected_value) then
    split.wrong = split.wrong + 1
  end
end

--- Divides the test sets in a metric's Lab.
---@param metric table of metrics:get
---@param share number
---@param only table<integer, boolean>? the test sets that count, by id; nil for all
---@return cekura.review.Split
function holdout.split(metric, share, only)
  local split = { all = 0, learned = {}, held_out = {}, wrong = 0 }
  for _, review in ipairs(metric.reviews or {}) do
    local id = review.test_set and review.test_set.id
    if id and (not only or only[id]) then add(split, metric, id, review, share) end
  end
  return split
end

-- ---- scores ----

--- Returns { [test set id] = { value } } of a scoring; labels that could not be evaluated are
--- absent. nil if the response has no values of labels.
local function values_of(scoring)
  if not scoring.review_results then return nil end
  local found = {}
  for _, row in ipairs(scoring.review_results) do
    if row.test_set_id and (row.error or "") == "" then
      found[row.test_set_id] = { row.actual_value }
    end
  end
  return found
end

---@class cekura.review.Score
---@field labels integer held-out labels that both scorings have evaluated
---@field missing integer held-out labels that one of them has not
---@field current integer labels with which the metric agrees
---@field proposed integer labels with which the proposal agrees
---@field now_right integer labels with which only the proposal agrees
---@field now_wrong integer labels with which only the metric agrees

--- Returns { [test set id] = expected value } of the labels in a metric's Lab.
local function expected_values(metric)
  local expected = {}
  for _, review in ipairs(metric.reviews or {}) do
    local id = review.test_set and review.test_set.id
    if id then expected[id] = review.expected_value end
  end
  return expected
end

--- Returns the scores of the metric and the proposal on the held-out labels. Returns nil if a
--- response has no values of labels.
---@param metric table of metrics:get, with the labels
---@param held_out integer[]
---@param current table of responses.scoring
---@param proposed table of responses.scoring
---@return cekura.review.Score?
function holdout.score(metric, held_out, current, proposed)
  local before, after, expected = values_of(current), values_of(proposed), expected_values(metric)
  if not before or not after then return nil end
  local score =
    { labels = 0, missing = 0, current = 0, proposed = 0, now_right = 0, now_wrong = 0 }
  local function count(name) score[name] = score[name] + 1 end
  for _, id in ipairs(held_out) do
    local wanted, one, other = expected[id], before[id], after[id]
    if wanted == nil or not one or not other then
      count "missing"
    else
      local was = values.are_same(metric.eval_type, one[1], wanted)
      local is = values.are_same(metric.eval_type, other[1], wanted)
      count "labels"
      if was then count "current" end
      if is then count "proposed" end
      if is ~= was then count(is and "now_right" or "now_wrong") end
    end
  end
  return score
end

--- Returns a row of the table of scores, with the share and its Wilson interval.
local function row_of(name, right, total)
  if total == 0 then return { name, right } end
  local low, high = agreement.wilson(right, total)
  return { name, right, text.percent(right / total),
    ("%s–%s"):format(text.percent(low), text.percent(high)) }
end

local FEW = "  These are few: below %d held-out labels a difference may be chance."

--- Prints a score.
---@param score cekura.review.Score
function holdout.print(score)
  local n = score.labels
  text.print("  score on %s, which the optimiser has not read:", text.count(n, "held-out label"))
  texttable.print {
    { "", "right", "share", "95% range" },
    row_of("the metric", score.current, n), row_of("the proposal", score.proposed, n),
  }
  text.print("  now right: %d; now wrong: %d", score.now_right, score.now_wrong)
  if score.missing > 0 then text.print("  could not be scored: %d", score.missing) end
  if n < holdout.ENOUGH then text.print(FEW, holdout.ENOUGH) end
end

return holdout
