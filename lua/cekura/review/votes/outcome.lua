--- The outcome of the votes of a sheet: the exit code, the rows that were not accepted, and whether
--- the command gives up.

local cekura = require "cekura"
local columns = require "cekura.review.votes.columns"
local command = require "cekura.review.internal.command"
local rejects = require "cekura.review.votes.rejects"

---@class cekura.review.VoteOutcome
---@field code string the name of the exit code
---@field rejects cekura.review.VoteRow[] the rows that were not accepted
---@field stopped_by table? the error for which the command gives up
---@field private in_a_row integer transient failures
local Outcome = {}
Outcome.__index = Outcome

-- Transient failures probably affect the next row, too. After MOST_IN_A_ROW of them, each with all
-- of its retries, the command gives up.
local TRANSIENT = { network = true, tls = true, timeout = true, server = true, rate_limited = true }
local MOST_IN_A_ROW = 20

--- Sets the exit code. Every other code is more specific than "failed".
function Outcome:add_code(code)
  if self.code == "ok" or code ~= "failed" then self.code = code end
end

--- Adds a row that was not accepted.
function Outcome:add_error(row, err)
  row.error = tostring(err)
  self.rejects[#self.rejects + 1] = row
  self:add_code(command.code_of(err))
end

--- Adds the result of a call about some rows, and returns it.
function Outcome:add(rows, value, err)
  if value ~= nil then
    self.in_a_row = 0
    return true
  end
  for _, row in ipairs(rows) do self:add_error(row, err) end
  self.in_a_row = TRANSIENT[err.kind] and self.in_a_row + 1 or 0
  if err.kind == "authentication" or self.in_a_row >= MOST_IN_A_ROW then self.stopped_by = err end
  return nil, err
end

local LISTED = 20

--- Lists the rows that failed, with their errors. Leaves out bad rows, which were listed before,
--- and the error for which the command gave up.
function Outcome:list_failed(path, is_given_up)
  local last_error, rows = is_given_up and tostring(self.stopped_by), {}
  for _, row in ipairs(self.rejects) do
    if not row.problems and row.error ~= last_error then rows[#rows + 1] = row end
  end
  table.sort(rows, rejects.by_line)
  for i = 1, math.min(#rows, LISTED) do
    command.complain("%s:%d: %s", path, rows[i].line, rows[i].error)
  end
  if #rows <= LISTED then return end
  command.say("%d more rows were not accepted: --rejects FILE writes all of them with their errors",
    #rows - LISTED)
end

--- Writes the rows that were not accepted to the file of --rejects, if there is one.
---@param votes cekura.review.Sheet
function Outcome:write_rejects(votes, options)
  if not options.rejects then return end
  local done, problem =
    rejects.write(options.rejects, columns.own(votes.columns), votes.dialect, self.rejects)
  if not done then command.fail("failed", "--rejects: %s", problem) end
end

--- Returns the rows that were not accepted, for --json: { line, error }.
function Outcome:rejected()
  local list = cekura.array {}
  table.sort(self.rejects, rejects.by_line)
  for i, row in ipairs(self.rejects) do list[i] = { line = row.line, error = row.error } end
  return list
end

--- Returns an outcome that begins with the bad rows, of which nothing is sent.
---@param bad cekura.review.VoteRow[]
---@return cekura.review.VoteOutcome
return function(bad)
  return setmetatable({ code = #bad > 0 and "failed" or "ok", rejects = bad, in_a_row = 0 },
    Outcome)
end
