--- Compares two results, run by run: which values changed, and whether the changes can be chance.
---
---     local compare = require "cekura.review.compare"
---     local before = assert(client.results:get { result_id = 373 })
---     local after = assert(client.results:get { result_id = 431 })
---     local found = compare.results(before, after)
---     print(found.verdict, found.success.before, found.success.after, found.success.p)

local api = require "cekura.values"
local matching = require "cekura.review.compare.matching"
local statistics = require "cekura.review.compare.statistics"
local text = require "cekura.review.internal.text"
local values = require "cekura.review.internal.values"

local compare = {
  mcnemar = statistics.mcnemar, proportions = statistics.proportions, means = statistics.means,
  signs = statistics.signs, holm = statistics.holm, power = statistics.power,
}

local CONFIDENCE = 0.95
local ENOUGH = 3  -- repetitions of a scenario
local SIDES = { "before", "after" }

--- Whether a run passed, or what one metric said of it, before and after. Shares are from 0 to 1.
---@class cekura.review.Change
---@field id integer? of the metric; nil for the success of the runs
---@field name string
---@field kind "binary"|"numeric"|"continuous_qualitative"|"enum"
---@field n integer the pairs in which there is a value before and after
---@field before number? the share of passes, or the mean; nil for an enum or without pairs
---@field after number?
---@field change number? after minus before
---@field low number? of the interval of the change; it is for this metric alone
---@field high number?
---@field p number? of the exact test of McNemar, or of compare.signs; nil for an enum
---@field adjusted_p number? for the number of tests; nil if the verdict over all does not use it
---@field differing integer the pairs with two different values
---@field better integer? 1 if a higher number is better, -1 if a lower one is, nil if unknown
---@field only_before integer the pairs in which the metric applies only before
---@field only_after integer
---@field flips cekura.review.Flip[] the pairs of a binary metric or an enum that differ
---@field words cekura.review.Change[]? of an enum: the share of each word, which is the `name`
---@field verdict "better"|"worse"|"unclear"|"no change"|"changed" "changed": the numbers or the
--- words have clearly changed, but it is not known which direction is better

---@class cekura.review.Flip
---@field scenario string
---@field personality string?
---@field profile string? the test profile
---@field repetition integer
---@field before_run_id integer
---@field after_run_id integer
---@field before boolean|string
---@field after boolean|string

---@class cekura.review.Unmatched a run that is not compared
---@field run_id integer
---@field scenario string
---@field scenario_id integer?
---@field personality string?
---@field profile string?
---@field reason string "no counterpart", "not connected", "not finished" …

---@class cekura.review.Comparison
---@field matched integer the pairs of runs
---@field unmatched { before: cekura.review.Unmatched[], after: cekura.review.Unmatched[] }
---@field repetitions integer the fewest of a scenario that is in both results
---@field metrics cekura.review.Change[] in the order of their ids
---@field success cekura.review.Change
---@field confidence number
---@field power number? the probability, from 0 to 1, that the exact test finds a change of ten
--- points in the success of as many pairs; nil without a pair
---@field verdict "better"|"worse"|"unclear"
---@field warnings string[]

-- ---- values ----------------------------------------------------------------------------------

local KINDS = { binary = "binary", number = "numeric", enum = "enum" }

--- Returns what the metrics say of a run: { [id] = { name, kind, value, applies } }.
local function rows_of(run)
  local found = {}
  for _, entry in ipairs(api.entries(run) or {}) do
    local row = type(entry) == "table" and api.row(entry)
    if row and row.id then
      row.kind = values.kind_of(entry.eval_type) or values.kind_of(entry.type) or KINDS[row.kind]
      found[row.id] = row
    end
  end
  return found
end

--- Returns the ids of all metrics of the pairs, in order.
local function ids_of(matched)
  local there, list = {}, {}
  for _, pair in ipairs(matched) do
    for _, side in ipairs(SIDES) do
      for id in pairs(pair[side].rows) do
        if not there[id] then list[#list + 1] = id end
        there[id] = true
      end
    end
  end
  table.sort(list)
  return list
end

--- Notes the name and the kind of a metric, and whether it has a second kind.
local function note_row(subject, row)
  if not row then return end
  subject.is_mixed = subject.is_mixed or row.kind and subject.kind and row.kind ~= subject.kind
  subject.kind, subject.name = row.kind or subject.kind, row.name or subject.name
end

--- Adds the values of a pair. A metric that does not apply to one of the runs is left out.
local function add_pair(subject, pair, before, after)
  if before ~= nil and after ~= nil then
    table.insert(subject.pairs, { pair = pair, before = before, after = after })
  elseif before ~= nil then
    subject.only_before = subject.only_before + 1
  elseif after ~= nil then
    subject.only_after = subject.only_after + 1
  end
end

local NONE = {}

--- Returns what is compared of one metric: { id, name, kind, pairs = { { pair, before, after } },
--- only_before, only_after, is_mixed }.
local function subject_of(id, matched)
  local subject = { id = id, name = ("metric %d"):format(id), pairs = {}, only_before = 0,
    only_after = 0 }
  for _, pair in ipairs(matched) do
    local before, after = pair.before.rows[id], pair.after.rows[id]
    note_row(subject, before)
    note_row(subject, after)
    add_pair(subject, pair, (before or NONE).value, (after or NONE).value)
  end
  if subject.is_mixed then subject.pairs = {} end
  return subject
end

local function boolean(value)
  if type(value) == "boolean" then return value end
end

local function success_of(matched)
  local subject = { name = "success", kind = "binary", pairs = {}, only_before = 0,
    only_after = 0 }
  for _, pair in ipairs(matched) do
    add_pair(subject, pair, boolean(pair.before.run.success), boolean(pair.after.run.success))
  end
  return subject
end

-- ---- one change ------------------------------------------------------------------------------

local function flip_of(one)
  local before, after = one.pair.before, one.pair.after
  return {
    scenario = before.scenario, personality = before.personality, profile = before.profile,
    repetition = one.pair.repetition, before_run_id = before.run_id, after_run_id = after.run_id,
    before = one.before, after = one.after,
  }
end

--- Returns the pairs that differ, those that got worse first.
local function flips_of(subject)
  local worse, others = {}, {}
  for _, one in ipairs(subject.pairs) do
    if one.before ~= one.after then
      table.insert(one.before == true and worse or others, flip_of(one))
    end
  end
  return table.move(others, 1, #others, #worse + 1, worse)
end

local function measure_binary(change, subject, confidence)
  local both, lost, gained, neither = 0, 0, 0, 0
  for _, one in ipairs(subject.pairs) do
    if one.before and one.after then both = both + 1
    elseif one.before then lost = lost + 1
    elseif one.after then gained = gained + 1
    else neither = neither + 1
    end
  end
  change.before, change.after = (both + lost) / change.n, (both + gained) / change.n
  change.change, change.low, change.high =
    statistics.proportions(both, lost, gained, neither, confidence)
  change.p, change.differing = statistics.mcnemar(lost, gained), lost + gained
end

local function measure_number(change, subject, confidence)
  local differences, before, after, differing = {}, 0, 0, 0
  for i, one in ipairs(subject.pairs) do
    differences[i] = one.after - one.before
    before, after = before + one.before, after + one.after
    if differences[i] ~= 0 then differing = differing + 1 end
  end
  change.before, change.after = before / change.n, after / change.n
  change.change, change.low, change.high = statistics.means(differences, confidence)
  change.p, change.differing = statistics.signs(differences), differing
end

local MEASURE = { binary = measure_binary, numeric = measure_number,
  continuous_qualitative = measure_number }

--- Returns the changes of an enum's words, each the share of the pairs that have this word.
local function words_of(subject, confidence)
  local there, list = {}, {}
  for _, one in ipairs(subject.pairs) do there[one.before], there[one.after] = true, true end
  for word in pairs(there) do
    local pairs_of_word = {}
    for i, one in ipairs(subject.pairs) do
      pairs_of_word[i] = { before = one.before == word, after = one.after == word }
    end
    local change = { name = word, kind = "binary", n = #pairs_of_word, flips = {},
      only_before = 0, only_after = 0 }
    measure_binary(change, { pairs = pairs_of_word }, confidence)
    list[#list + 1] = change
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- Returns a change without its verdict. `better` is 1 if a higher number is better, -1 if a lower
--- one is, nil if that is not known.
local function change_of(subject, confidence, better)
  local change = { id = subject.id, name = subject.name, kind = subject.kind or "numeric",
    n = #subject.pairs, only_before = subject.only_before, only_after = subject.only_after,
    is_mixed = subject.is_mixed, flips = {}, better = better }
  local measure = MEASURE[change.kind]
  if measure and change.n > 0 then measure(change, subject, confidence) end
  if measure ~= measure_number then change.flips = flips_of(subject) end
  if not measure then change.words = words_of(subject, confidence) end
  change.differing = change.differing or #change.flips
  return change
end

-- ---- verdicts --------------------------------------------------------------------------------

--- Returns whether a test could be significant at all, with as many pairs that differ: if not, it
--- needs no share of the error (Tarone 1990, Biometrics 46, 515-522).
local function is_testable(change, level)
  return change.p ~= nil and 2 ^ (1 - change.differing) <= level
end

--- Sets `adjusted_p` of the changes that can be significant, as one family of tests.
local function adjust(changes, level)
  local ps, testable = {}, {}
  for _, change in ipairs(changes) do
    if is_testable(change, level) then
      ps[#ps + 1], testable[change] = change.p, #ps + 1
    end
  end
  local adjusted = statistics.holm(ps)
  for change, i in pairs(testable) do change.adjusted_p = adjusted[i] end
end

--- Returns whether one of the words of an enum has clearly changed.
local function has_changed(words)
  for _, word in ipairs(words) do
    if word.verdict == "changed" then return true end
  end
  return false
end

local function verdict_of(change, level)
  if change.n == 0 then return "unclear" end
  if change.differing == 0 then return "no change" end
  if change.words then return has_changed(change.words) and "changed" or "unclear" end
  if not change.adjusted_p or change.adjusted_p > level then return "unclear" end
  if not change.better then return "changed" end
  return change.change * change.better > 0 and "better" or "worse"
end

--- Sets the verdicts. Changes of which the direction is not known are a family of their own, and
--- do not count for the verdict over all, which this returns.
local function judge(changes, level)
  local directed, others, found = {}, {}, {}
  for _, change in ipairs(changes) do
    table.insert(change.better and directed or others, change)
    table.move(change.words or {}, 1, #(change.words or {}), #others + 1, others)
  end
  adjust(directed, level)
  adjust(others, level)
  for _, word in ipairs(others) do word.verdict = verdict_of(word, level) end
  for _, change in ipairs(changes) do
    change.verdict = verdict_of(change, level)
    found[change.verdict] = true
  end
  return found.worse and "worse" or found.better and "better" or "unclear", found
end

-- ---- warnings --------------------------------------------------------------------------------

local function count_reasons(runs)
  local counts, order = {}, {}
  for _, one in ipairs(runs) do
    if not counts[one.reason] then order[#order + 1] = one.reason end
    counts[one.reason] = (counts[one.reason] or 0) + 1
  end
  table.sort(order)
  return order, counts
end

--- Returns "result 373", or "the result before" if it has no id.
local function name_of(result, side)
  local id = math.tointeger(result.id)
  return id and ("result %d"):format(id) or "the result " .. side
end

local function warn_of_results(warn, results)
  for _, side in ipairs(SIDES) do
    local result = results[side]
    if matching.reason(result.status) == matching.UNFINISHED then
      warn("%s is not finished (%s)", name_of(result, side), result.status)
    end
  end
  local one, other = results.before.agent_name, results.after.agent_name
  if type(one) == "string" and type(other) == "string" and one ~= other then
    warn("the results are of different agents: %s and %s", one, other)
  end
end

local function warn_of_unmatched(warn, unmatched, results)
  for _, side in ipairs(SIDES) do
    local order, counts = count_reasons(unmatched[side])
    for _, reason in ipairs(order) do
      warn("%s of %s left out: %s", text.count(counts[reason], "run"), name_of(results[side], side),
        reason)
    end
  end
end

local function warn_of_metric(warn, change, results)
  local left_out = change.only_before + change.only_after
  if change.is_mixed then
    warn("%s has two kinds of values: it is not compared", change.name)
  elseif change.n == 0 and left_out > 0 then
    local side = change.only_before > 0 and "before" or "after"
    warn("%s has values only in %s", change.name, name_of(results[side], side))
  elseif change.n == 0 and change.id then
    warn("%s has no value", change.name)
  elseif left_out > 0 then
    warn("%s has a value only before in %s, and only after in %d: left out", change.name,
      text.count(change.only_before, "pair"), change.only_after)
  end
  if change.verdict == "changed" then
    warn("%s has clearly changed, but does not count: %s", change.name, change.words
      and "its words have no order" or "say whether higher or lower is better")
  end
end

local function warnings_of(found, results, verdicts)
  local warnings = {}
  local function warn(format, ...) warnings[#warnings + 1] = format:format(...) end
  warn_of_results(warn, results)
  if found.matched == 0 then
    warn "no run of one result matches a run of the other"
  elseif found.repetitions < ENOUGH then
    warn("a scenario has only %s: three or more show how much is chance",
      text.count(found.repetitions, "matched repetition"))
  end
  warn_of_unmatched(warn, found.unmatched, results)
  for _, change in ipairs(found.metrics) do warn_of_metric(warn, change, results) end
  if verdicts.worse and verdicts.better then
    warn "something is clearly better, and something is clearly worse"
  end
  return warnings
end

-- ---- two results -----------------------------------------------------------------------------

local function set_of(list)
  local set = {}
  for _, item in ipairs(list or {}) do set[item] = true end
  return set
end

--- Returns a function that returns 1, -1 or nil for the id and the kind of a metric. A pass and a
--- higher rating are better; the API does not say which numbers are.
local function directions(options)
  local higher, lower = set_of(options.higher_is_better), set_of(options.lower_is_better)
  return function(id, kind)
    if kind == "enum" then return nil end
    if lower[id] then return -1 end
    return (higher[id] or kind ~= "numeric") and 1 or nil
  end
end

local POINTS = 0.1  -- the change for which the power is given

local function power_of(success, confidence)
  local share = success.before
  if not share then return nil end
  return statistics.power(success.n, share, share < POINTS and share + POINTS or share - POINTS,
    confidence)
end

local function public(runs)
  local list = {}
  for i, one in ipairs(runs) do
    list[i] = { run_id = one.run_id, scenario = one.scenario, scenario_id = one.scenario_id,
      personality = one.personality, profile = one.profile, reason = one.reason }
  end
  return list
end

--- Compares two results.
---
--- The verdict over all is "worse" if the success of the runs or a metric is clearly worse, or else
--- "better" if one is clearly better, or else "unclear". "Clearly" means that the p value, adjusted
--- for all of them by Holm's method, is at most 1 - confidence: of two results of the same agent,
--- at most that share gets another verdict than "unclear".
---@param before table the response of results:get for the earlier result
---@param after table the response for the later one
---@param options { confidence: number?, metrics: integer[]?, higher_is_better: integer[]?,
--- lower_is_better: integer[]? }? `metrics`: only these, and the success; the other two lists name
--- numeric metrics, which otherwise do not count for the verdict over all
---@return cekura.review.Comparison
function compare.results(before, after, options)
  options = options or {}
  local confidence = options.confidence or CONFIDENCE
  assert(confidence > 0 and confidence < 1, "the confidence must be between 0 and 1")
  local level = 1 - confidence + 1e-12  -- 1 - 0.95 is less than 0.05
  local matched, unmatched, repetitions = matching.pair(before, after)
  for _, pair in ipairs(matched) do
    pair.before.rows, pair.after.rows = rows_of(pair.before.run), rows_of(pair.after.run)
  end
  local better_of = directions(options)
  unmatched = { before = public(unmatched.before), after = public(unmatched.after) }
  local found = { matched = #matched, unmatched = unmatched, repetitions = repetitions,
    confidence = confidence, metrics = {},
    success = change_of(success_of(matched), confidence, 1) }
  found.power = power_of(found.success, confidence)
  local all = { found.success }
  for i, id in ipairs(options.metrics or ids_of(matched)) do
    local subject = subject_of(id, matched)
    found.metrics[i] = change_of(subject, confidence, better_of(id, subject.kind))
    all[i + 1] = found.metrics[i]
  end
  local verdicts
  found.verdict, verdicts = judge(all, level)
  found.warnings = warnings_of(found, { before = before, after = after }, verdicts)
  return found
end

return compare
