--- Selects the reviews on which a report rests: the random part of samples if there is one, or else
--- all reviews, which people chose. It reads the sheets of `cekura-review sample`.

local ascii = require "cekura.internal.ascii"
local reading = require "cekura.review.report.reading"
local values = require "cekura.review.internal.values"

local selection = {}

local KINDS = { run_id = "run", call_log_id = "call log" }
local WORDS = { random = true, targeted = true }

--- Returns an id, or nil. Spreadsheets may write 5544 as 5544.0.
local function id_of(cell)
  local id = math.tointeger(values.number(cell or ""))
  return id and id > 0 and id or nil
end

--- Returns the key of the call of a row; nil and a message if it does not name one call.
local function key_of(cells)
  local key
  for column, kind in pairs(KINDS) do
    local cell = values.trimmed(cells[column] or "")
    local id = id_of(cell)
    if cell ~= "" and not id then return nil, ('%s: "%s" is not an id'):format(column, cell) end
    if id and key then return nil, "has both a run_id and a call_log_id" end
    key = id and reading.key(kind, id) or key
  end
  if key then return key end
  return nil, "needs a run_id or a call_log_id"
end

local function row_of(cells)
  local key, problem = key_of(cells)
  local metric, word = id_of(cells.metric_id), ascii.lower(values.trimmed(cells.selection or ""))
  if not key then return nil, problem end
  if not metric then return nil, ('metric_id: "%s" is not an id'):format(cells.metric_id or "") end
  if word ~= "" and not WORDS[word] then
    return nil, ('selection: "%s" is neither random nor targeted'):format(word)
  end
  return { key = key, metric = metric, word = word }
end

local function check_columns(columns)
  local there = {}
  for _, name in ipairs(columns) do there[name] = true end
  for _, name in ipairs { "metric_id", "selection" } do
    if not there[name] then
      return nil, ("has no column %s: `cekura-review sample` writes it"):format(name)
    end
  end
  return true
end

--- Reads a sheet of a sample into `samples`: { [metric id] = { [key of a call] = "random" or
--- "targeted" } }. A call that is random in any sheet is random. Returns true, or nil and a
--- message.
---@param samples table
---@param opened table of sheet.open
function selection.read(samples, opened)
  local fits, problem = check_columns(opened.columns)
  if not fits then return nil, problem end
  local row
  row, problem = opened:read()
  while row do
    local found
    found, problem = row_of(row.cells)
    problem = row.problem or problem
    if problem then return nil, ("line %d: %s"):format(row.line, problem) end
    samples[found.metric] = samples[found.metric] or {}
    local sample = samples[found.metric]
    if found.word ~= "" and sample[found.key] ~= "random" then sample[found.key] = found.word end
    row, problem = opened:read()
  end
  if problem then return nil, problem end
  return true
end

local function count_random(sample)
  local count = 0
  for _, word in pairs(sample or {}) do
    if word == "random" then count = count + 1 end
  end
  return count
end

--- Returns the reviews of one metric on which the report rests: { kind, reviews, targeted, others,
--- missing, without_expected }. The kind is "random" or "people"; `targeted` and `others` count the
--- reviews that a random sample leaves out, `missing` its random calls without a review, and
--- `without_expected` the reviews without a usable expected value.
---@param reviews table[]
---@param sample table<string, string>? see selection.read
---@param without_expected integer
function selection.of(reviews, sample, without_expected)
  local chosen = { kind = "people", reviews = reviews, targeted = 0, others = 0,
    without_expected = without_expected }
  local random = {}
  for _, review in ipairs(reviews) do
    local word = sample and sample[review.key]
    if word == "random" then random[#random + 1] = review end
    if word == "targeted" then chosen.targeted = chosen.targeted + 1 end
  end
  chosen.missing = count_random(sample) - #random
  if #random == 0 then
    chosen.targeted = 0
    return chosen
  end
  chosen.kind, chosen.reviews = "random", random
  chosen.others = #reviews - #random - chosen.targeted
  return chosen
end

return selection
