--- The columns of a sheet of votes: the fields of a vote by the names that people write, and what
--- is wrong with a header.

local cekura = require "cekura"
local ascii = require "cekura.internal.ascii"
local command = require "cekura.review.internal.command"
local kinds = require "cekura.review.votes.kinds"
local values = require "cekura.review.internal.values"

local columns = {}

local is_field = {}
for _, kind in ipairs { kinds.run_id, kinds.call_log_id } do
  for _, field in ipairs(kind.endpoint.fields) do is_field[field.name] = true end
end

-- The columns that the files of this program have in addition: those of rejects, and of samples.
local is_added = { line = true, error = true }
local is_accepted =
  { selection = true, metric = true, value = true, explanation = true, line = true, error = true }

--- Returns the field of a column: run_id for "Run ID".
function columns.field(column)
  return (ascii.lower(values.trimmed(column)):gsub("[ \t_-]+", "_"))
end

--- Returns the columns without those that a file of rejects adds.
---@param list string[]
function columns.own(list)
  local own = {}
  for _, column in ipairs(list) do
    if not is_added[columns.field(column)] then own[#own + 1] = column end
  end
  return own
end

--- Returns the client's suggestion for a column, ', did you mean "feedback"?'; "" if it has none.
local function suggestion(client, column)
  local name = columns.field(column)
  for _, kind in ipairs { kinds.run_id, kinds.call_log_id } do
    local message = kinds.problems(client, kind, { [name] = cekura.null })[name]
    local similar = message:match ", did you mean .*"
    if similar then return similar end
  end
  return ""
end

--- Adds messages about required columns that are missing.
local function add_missing(problems, present)
  if not (present.run_id or present.call_log_id) then
    problems[#problems + 1] = 'column "run_id" or "call_log_id" is missing'
  end
  for _, field in ipairs(kinds.run_id.endpoint.fields) do
    if field.required and field.name ~= "run_id" and not present[field.name] then
      problems[#problems + 1] = ('column "%s" is missing'):format(field.name)
    end
  end
end

local SEPARATORS = "; the cells must be separated by commas, semicolons or tabs"
local OF_YOUR_OWN = "--extra-columns ignores columns of your own"

--- Returns the problems as one message, with what to do about them.
local function message_of(problems, count, has_unknown)
  local message = table.concat(problems, "; ")
  if count == 1 then return message .. SEPARATORS end
  if not has_unknown then return message end
  return message .. (message:find "%?$" and " " or ". ") .. OF_YOUR_OWN
end

--- Returns the columns that are ignored; nil and a message if the sheet cannot be used. Warns of
--- ignored columns with a similar name.
---@param list string[] of the sheet
---@param may_ignore boolean? whether unknown columns are ignored
---@return string[]?
---@return string? problem
function columns.check(client, list, may_ignore)
  local problems, ignored, present = {}, {}, {}
  for _, column in ipairs(list) do
    local name = columns.field(column)
    if is_field[name] and present[name] then
      problems[#problems + 1] = ('columns "%s" and "%s" are the same'):format(present[name], column)
    elseif is_field[name] then
      present[name] = column
    elseif not is_accepted[name] then
      local similar = suggestion(client, column)
      ignored[#ignored + 1] = column
      if not may_ignore then
        problems[#problems + 1] = ('column "%s": unknown column%s'):format(column, similar)
      elseif similar ~= "" then
        command.say('column "%s" is ignored%s', column, similar)
      end
    end
  end
  add_missing(problems, present)
  if #problems == 0 then return ignored end
  return nil, message_of(problems, #list, #ignored > 0 and not may_ignore)
end

return columns
