--- The verdict of a gate: its exit code, in words, in a table, and as data.

local cekura = require "cekura"
local ascii = require "cekura.internal.ascii"

local is_broken = require "cekura.review.gate.checks".is_broken
local output = require "cekura.review.internal.output"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"

local verdict = {}

---@class cekura.review.Verdict
---@field code "ok"|"failed"|"unclear"|"person" a name of command.codes
---@field word string "pass", "below the threshold", "worse", "unclear" or "needs a person"
---@field result table of responses.result
---@field checks cekura.review.Check[]

local RANKS = { ok = 0, unclear = 1, failed = 2, person = 3 }

local WORDS = { ok = "pass", failed = "below the threshold", unclear = "unclear",
  person = "needs a person" }

--- Returns the verdict: that of the worst check. A missing value outweighs a missed threshold, so
--- that exit code 1 is only about the agent.
---@param result table of responses.result
---@param checks cekura.review.Check[]
---@return cekura.review.Verdict
function verdict.of(result, checks)
  local code, is_worse = is_broken(result) and "person" or "ok", true
  for _, check in ipairs(checks) do
    if RANKS[check.verdict] > RANKS[code] then code = check.verdict end
    is_worse = is_worse and (check.is_change or check.verdict ~= "failed")
  end
  local word = code == "failed" and is_worse and "worse" or WORDS[code]
  return { code = code, word = word, result = result, checks = checks }
end

-- ---- words ----

local NARROW = 80  -- columns below which the table has fewer columns

local CHECK_WORDS = { ok = "pass", failed = "FAIL", unclear = "unclear", person = "no value" }

local function word_of(check) return check.reason or CHECK_WORDS[check.verdict] end

--- Returns a number of a check as a person reads it; nil for none.
local function show(number) return number and ("%.4g"):format(number) end

local function interval_of(check)
  return check.low and ("%s to %s"):format(show(check.low), show(check.high))
end

--- Returns rows for a narrow terminal, on which all cells of the whole table would be cut.
local function short_rows(found)
  local rows = { { "check", "wanted", "found", "verdict" } }
  for i, check in ipairs(found.checks) do
    rows[i + 1] = { check.name, check.wanted, show(check.found), CHECK_WORDS[check.verdict] }
  end
  return rows
end

--- Returns the checks as rows of a table, of which the first has the heads. There is a column of
--- intervals if a check has one. No cell is nil, so that the length of a row is known.
---@param found cekura.review.Verdict
function verdict.rows(found)
  local has_interval = false
  for _, check in ipairs(found.checks) do has_interval = has_interval or check.low ~= nil end
  local rows = { { "check", "wanted", "found", "runs", "verdict" } }
  for i, check in ipairs(found.checks) do
    rows[i + 1] = { check.name, check.wanted, show(check.found) or "-", check.runs,
      word_of(check) }
    if has_interval then table.insert(rows[i + 1], 4, interval_of(check) or "-") end
  end
  if has_interval then table.insert(rows[1], 4, "interval") end
  return rows
end

--- Returns the verdict in one line: "result 373 (completed): pass, 2 of 2 checks".
---@param found cekura.review.Verdict
function verdict.line(found)
  local good = 0
  for _, check in ipairs(found.checks) do good = good + (check.verdict == "ok" and 1 or 0) end
  return ("result %d (%s): %s, %d of %s"):format(found.result.id,
    texttable.show(found.result.status), found.word, good, text.count(#found.checks, "check"))
end

---@param found cekura.review.Verdict
function verdict.print(found)
  local is_narrow = (output.columns() or math.huge) < NARROW
  texttable.print(is_narrow and short_rows(found) or verdict.rows(found))
  text.print("%s", verdict.line(found))
end

--- Returns the verdict for --json.
---@param found cekura.review.Verdict
function verdict.data(found)
  local entries = cekura.array {}
  for i, check in ipairs(found.checks) do
    entries[i] = { name = check.name, metric_id = check.metric_id, wanted = check.wanted,
      found = check.found, low = check.low, high = check.high, runs = check.runs,
      verdict = ascii.lower(word_of(check)) }
  end
  return { verdict = found.word, result_id = found.result.id, status = found.result.status,
    checks = entries }
end

return verdict
