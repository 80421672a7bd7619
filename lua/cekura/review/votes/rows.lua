--- The rows of a sheet of votes: reading and checking all of them before anything is sent, so that
--- exactly what was checked is sent.

local arguments = require "cekura.review.votes.arguments"
local columns = require "cekura.review.votes.columns"
local command = require "cekura.review.internal.command"
local kinds = require "cekura.review.votes.kinds"
local responses = require "cekura.review.internal.responses"
local sheet = require "cekura.review.sheet"
local values = require "cekura.review.internal.values"

local rows = {}

local fail = command.fail

---@class cekura.review.VoteRow
---@field line integer where the row begins
---@field cells table<string, string> by column
---@field fields table<string, string> the same cells, by field
---@field kind cekura.review.VoteKind
---@field vote table? the arguments of the call; nil if a cell cannot be read
---@field target string? names the run or the call log: "5544", "call:4711"
---@field pair string? names the target and the metric: "5544:55"
---@field problems table<string, string>? messages by field, "" for the row; nil for a good row
---@field error string? why the row was not accepted

-- ---- reading ----

--- Opens a sheet and checks its header. Returns it, and the columns that are ignored. Ends the
--- command if the sheet cannot be used.
function rows.open(path, client, may_ignore)
  local file, problem = io.open(path, "rb")
  if not file then fail("usage", "%s", problem) end
  local votes
  votes, problem = sheet.open(file, { unnamed = may_ignore })
  if not votes then fail("usage", "%s: %s", path, problem) end
  local ignored
  ignored, problem = columns.check(client, votes.columns, may_ignore)
  if not ignored then fail("usage", "%s: %s", path, problem) end
  return votes, ignored
end

--- Returns whether a reviewer has not filled in a row: a sample has such rows for all its calls.
local function is_blank(row)
  if row.problem then return false end
  for _, name in ipairs { "thumbs_up", "expected_value", "feedback" } do
    if values.trimmed(row.fields[name] or "") ~= "" then return false end
  end
  return true
end

--- Returns the rows of a sheet that are filled in, and the number of those that are not. Ends the
--- command if there is none.
---@return cekura.review.VoteRow[]
---@return integer blank
function rows.read(path, votes)
  local list, fields, blank = {}, {}, 0
  for _, column in ipairs(votes.columns) do fields[column] = columns.field(column) end
  local row, problem = votes:read()
  while row do
    row.fields = {}
    for column, text in pairs(row.cells) do row.fields[fields[column]] = text end
    if is_blank(row) then blank = blank + 1 else list[#list + 1] = row end
    row, problem = votes:read()
  end
  if problem then fail("usage", "%s: %s", path, problem) end
  if #list == 0 and blank > 0 then fail("person", "%s: no row is filled in", path) end
  if #list == 0 then fail("usage", "%s: there is no row below the header", path) end
  return list, blank
end

-- ---- metrics ----

-- The kinds of errors after which a metric counts as unknown. A vote on it may still be accepted.
local UNREADABLE = { not_found = true, permission = true, bad_request = true, validation = true }

--- Returns a metric; false if it is unknown, nil and an error if it cannot be read.
local function read_metric(client, id)
  if not command.setting "CEKURA_API_KEY" then return nil, "CEKURA_API_KEY is not set" end
  local metric, err = responses.metric(client.metrics:get { metric_id = id })
  if metric or not UNREADABLE[err.kind] then return metric, err end
  return false
end

--- Sets `metric` in each row whose expected value depends on it. Returns true, or nil and an error.
---@param list cekura.review.VoteRow[]
function rows.add_metrics(client, list)
  local known, err = {}, nil
  for _, row in ipairs(list) do
    local id = arguments.id(row.fields.metric_id or "")
    if id:find "^%d+$" and values.needs_metric(row.fields.expected_value or "") then
      if known[id] == nil then known[id], err = read_metric(client, id) end
      if err then return nil, err end
      row.metric = known[id] or nil
    end
  end
  return true
end

-- ---- checking ----

local BOTH = "is not empty, and neither is run_id: a vote is on a run or on a call log"
local NEITHER = "is required, unless there is a call_log_id"

--- Returns the kind of call that a row is about, and the problems with its ids.
local function kind_of(fields)
  local run, call = values.trimmed(fields.run_id or ""), values.trimmed(fields.call_log_id or "")
  if run ~= "" and call ~= "" then return kinds.run_id, { call_log_id = BOTH } end
  if call ~= "" or not fields.run_id then return kinds.call_log_id, {} end
  return kinds.run_id, { run_id = run == "" and fields.call_log_id and NEITHER or nil }
end

--- Sets `target` and `pair`, if the ids can be read.
local function set_names(row)
  local id = arguments.id(row.fields[row.kind.column] or "")
  local metric = arguments.id(row.fields.metric_id or "")
  if not id:find "^[1-9]%d*$" then return end
  row.target = row.kind.prefix .. id
  if metric:find "^[1-9]%d*$" then row.pair = row.target .. ":" .. metric end
end

--- Checks a row by itself.
local function check(client, row)
  if row.problem then
    row.problems = { [""] = row.problem }
    return
  end
  local of_ids, problems
  row.kind, of_ids = kind_of(row.fields)
  row.vote, problems = arguments.read(row.kind.endpoint, row.fields, row.metric)
  problems = problems or kinds.problems(client, row.kind, row.vote) or {}
  for field, message in pairs(of_ids) do problems[field] = message end
  if next(problems) then row.problems = problems end
  if not next(of_ids) then set_names(row) end
end

--- Adds a problem to rows with the same target and metric: it is unclear which of them counts.
local function find_doubles(list)
  local first = {}
  local function add_problem(row, other)
    row.problems = row.problems or {}
    row.problems[row.kind.column] =
      ("the same %s and metric as in line %d"):format(row.kind.noun, other.line)
  end
  for _, row in ipairs(list) do
    local other = row.pair and first[row.pair]
    if other then
      add_problem(row, other)
      add_problem(other, row)
    elseif row.pair then
      first[row.pair] = row
    end
  end
end

--- Checks every row. Returns the good rows, and the bad ones, which have `problems` and `error`.
---@param list cekura.review.VoteRow[]
function rows.check(client, list)
  for _, row in ipairs(list) do check(client, row) end
  find_doubles(list)
  local good, bad = {}, {}
  for _, row in ipairs(list) do
    if row.problems then
      row.error = table.concat(rows.problems(row), "; ")
      bad[#bad + 1] = row
    else
      good[#good + 1] = row
    end
  end
  return good, bad
end

--- Returns the problems of a row, in the order of their fields, each with its field.
---@param row cekura.review.VoteRow
---@return string[]
function rows.problems(row)
  local list = {}
  for field in pairs(row.problems) do list[#list + 1] = field end
  table.sort(list)
  for i, field in ipairs(list) do
    list[i] = (field == "" and "" or field .. ": ") .. row.problems[field]
  end
  return list
end

--- Returns the key by which a row is in a shard: all rows about a call are in the same one.
---@param row cekura.review.VoteRow
function rows.shard_key(row) return row.target or "line " .. row.line end

return rows
