--- The words and numbers that the terminal and the page show of a comparison.

local text = require "cekura.review.internal.text"
local values = require "cekura.review.internal.values"

local words = {}

local NONE = "–"

--- "1 pair of runs", "6 pairs of runs".
function words.pairs(count)
  return ("%d %s of runs"):format(count, count == 1 and "pair" or "pairs")
end

local function rounded(number) return math.floor(number + 0.5) end

--- Returns a share as "67%", and a mean as "3.17".
function words.level(change, number)
  if not number then return NONE end
  if change.kind == "binary" then return text.percent(number) end
  return ("%.4g"):format(number)
end

local function decimals(number)
  local size = math.abs(number)
  return size < 10 and "%+.2f" or size < 100 and "%+.1f" or "%+.0f"
end

--- Returns a difference with its sign: points of a share, or the difference of two means.
function words.difference(change, number)
  if not number then return NONE end
  local signed = change.kind == "binary" and ("%+d"):format(rounded(number * 100))
    or decimals(number):format(number)
  return (signed:gsub("^[+-](0%.?0*)$", "%1"):gsub("^-", "\u{2212}"))
end

--- Returns "−77 to +4".
function words.interval(change)
  if not change.low then return NONE end
  return ("%s to %s"):format(words.difference(change, change.low),
    words.difference(change, change.high))
end

--- Returns a p value; the one adjusted for the number of tests, if there is one.
function words.p(change)
  local p = change.adjusted_p or change.p
  if not p then return NONE end
  return p < 0.001 and "< 0.001" or ("%.2g"):format(p)
end

--- Returns the name of what has changed.
function words.name(change) return change.id and change.name or "Success of the run" end

--- Returns the rows of a table of changes: the success, each metric, and below an enum its words.
--- A row is { change, name, is_word }.
function words.rows(found)
  local rows = { { change = found.success, name = words.name(found.success) } }
  for _, change in ipairs(found.metrics) do
    rows[#rows + 1] = { change = change, name = words.name(change) }
    for _, word in ipairs(change.words or {}) do
      rows[#rows + 1] = { change = word, name = "… " .. word.name, is_word = true }
    end
  end
  return rows
end

--- Returns a value of a flip: "passed", "failed" or a word.
function words.value(value) return values.show(values.word(value)) end

--- Returns what happened in a flip.
function words.place(flip)
  local place = flip.personality or NONE
  return flip.profile and ("%s, %s"):format(place, flip.profile) or place
end

-- ---- sentences -------------------------------------------------------------------------------

local function each_clear(found, verdict, visit)
  if found.success.verdict == verdict then visit(found.success) end
  for _, change in ipairs(found.metrics) do
    if change.verdict == verdict then visit(change) end
  end
end

--- Returns "Success of the run (75% to 50%), Empathy (4.1 to 3.2)".
local function clear_changes(found, verdict)
  local list = {}
  each_clear(found, verdict, function(change)
    list[#list + 1] = ("%s (%s to %s)"):format(words.name(change),
      words.level(change, change.before), words.level(change, change.after))
  end)
  return table.concat(list, ", ")
end

--- Returns the verdict over all as a sentence without its end.
---@param before integer the ids of the results
---@param after integer
function words.verdict(found, before, after)
  if found.matched == 0 then
    return ("unclear: the results %d and %d have no run in common"):format(before, after)
  elseif found.verdict == "unclear" then
    return ("unclear: the differences between the results %d and %d may be chance")
      :format(before, after)
  end
  return ("result %d is %s than result %d: %s"):format(after, found.verdict, before,
    clear_changes(found, found.verdict))
end

--- Returns what the comparison rests on.
function words.basis(found)
  return ("%s, confidence %.4g%%"):format(words.pairs(found.matched), found.confidence * 100)
end

--- Returns how much so many pairs can show; an empty text without a pair.
function words.power(found)
  if not found.power then return "" end
  local cases = found.power < 0.01 and "fewer than 1" or ("about %d"):format(
    rounded(found.power * 100))
  return ("A change of ten points in the success is found with %s in %s of 100 comparisons.")
    :format(words.pairs(found.success.n), cases)
end

--- Returns all flips: { name, flip } of the success, then of each metric.
function words.flips(found)
  local list = {}
  local function add(change)
    for _, flip in ipairs(change.flips) do
      list[#list + 1] = { name = words.name(change), flip = flip }
    end
  end
  add(found.success)
  for _, change in ipairs(found.metrics) do add(change) end
  return list
end

return words
