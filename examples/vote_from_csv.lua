-- Votes on what metrics said of runs, one vote for each row of a CSV sheet.
--
--   lua5.4 examples/vote_from_csv.lua votes.csv --dry-run
--   lua5.4 examples/vote_from_csv.lua votes.csv --rejects rejects.csv
--
-- CEKURA_API_KEY is the key and CEKURA_API_URL the server, as everywhere. A journal beside the
-- sheet says which rows have been sent: the same command goes on where it ended, however it ended.

local cekura = require "cekura"
local journal = require "cekura.each.journal"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- also through a link
package.path = folder .. "?.lua;" .. package.path  -- for what is in support/

local answers = require "support.answers"
local arguments = require "support.arguments"
local command = require "support.command"
local csv = require "support.csv"
local files = require "support.files"
local output = require "support.output"
local rejects = require "support.rejects"
local values = require "support.report.values"

local NAME = "vote_from_csv"
local ADVICE = "run the same command again to go on"
local endpoint = cekura.endpoints["runs.mark_metric_vote"]
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Votes on what metrics said of runs, one vote for each row of a CSV sheet. Votes cost nothing.")

parser:epilog [[
The first row names the columns: run_id, metric_id, thumbs_up, expected_value and, if you like,
feedback, in any order; "Run ID" is run_id, too. The cells stand between commas, semicolons or tabs.
thumbs_up is true, false, yes, no, 1 or 0. expected_value is what the metric should have said: a
number (2, 2.5 or 2,5), true or false, or one of its words. If a cell is not a number, the metric is
read, and what it cannot say is an error. An empty cell is no value; null says that there is none.

Exit codes: 0 all votes are in; 1 some rows failed; 2 wrong usage, sheet or key; 4 no connection, or
it is unknown whether some votes arrived; 130 Ctrl-C.]]

parser:argument("sheet", "The CSV file.")
parser:mutex(
  parser:flag("--dry-run", "Send no vote: check all rows, and show the first request."),
  parser:flag("--apply", "Send the votes, as without it: votes cost nothing."))
parser:flag("--skip-bad", "Leave bad rows out, instead of sending nothing.")
parser:option("--rejects", "Write the rows that did not go through to this CSV file.")
  :argname "FILE"
parser:option("--journal", "Where it is noted what has been sent (default: SHEET.journal).")
  :argname "FILE"
parser:flag("--redo-unknown", "Send rows again of which it is unknown whether they arrived.")
parser:option("--concurrency", "How many calls at once (default: 8).", 8, command.count):argname "N"
parser:flag("--progress", "Show progress on stderr (the default).")
parser:flag("--no-progress", "Show none."):target "progress":action "store_false"

local function read_options()
  local options = parser:parse()
  options.journal = options.journal or options.sheet .. ".journal"
  for _, name in ipairs { "journal", "rejects" } do
    if options[name] and files.are_same(options[name], options.sheet) then
      fail("usage", "--%s would overwrite the sheet: name another file", name)
    end
  end
  if options.rejects and files.are_same(options.rejects, options.journal) then
    fail("usage", "--rejects and --journal must be two files")
  end
  return options
end

--- A dry run needs no key.
local function has_key() return command.setting "CEKURA_API_KEY" ~= nil end

local function new_client(options)
  local without_key = options.dry_run and not has_key()
  local client, err = cekura.new { api_key = without_key and "dry-run" or nil }
  if not client then fail(command.code_of(err), "%s", err) end
  return client
end

-- ---- what is wrong with a call, in a sheet's words: the client knows the rules ----

local DRY = { dry_run = true }

--- What the client says of a vote before it is sent: { [field] = message }, or nil.
local function refusal_of(client, vote)
  local _, err = client.runs:mark_metric_vote(vote, DRY)
  if not err then return nil end
  local problems = {}
  for path, messages in pairs(err.fields or { [""] = { err.message } }) do
    problems[path] = messages[1]:gsub("cekura%.null", "null")
  end
  return problems
end

-- ---- columns ----

local field_names = {}
for _, field in ipairs(endpoint.fields) do field_names[field.name] = true end

--- "Run ID" → run_id
local function name_of(column)
  return (values.lower(values.trimmed(column)):gsub("[ \t_-]+", "_"))
end

-- Of a file of rejects, which can be sent once it is mended.
local ADDED = { line = true, error = true }

--- The client suggests a name, as for any field that it does not know.
local function unknown_column(client, column)
  local name = name_of(column)
  local message = refusal_of(client, { [name] = cekura.null })[name]
  return ('column "%s": %s'):format(column, (message:gsub("field", "column")))
end

local function column_problems(client, columns)
  local problems, there = {}, {}
  for _, column in ipairs(columns) do
    local name = name_of(column)
    if there[name] then
      problems[#problems + 1] = ('columns "%s" and "%s" are the same'):format(there[name], column)
    elseif not field_names[name] and not ADDED[name] then
      problems[#problems + 1] = unknown_column(client, column)
    end
    there[name] = column
  end
  for _, field in ipairs(endpoint.fields) do
    if field.required and not there[field.name] then
      problems[#problems + 1] = ('column "%s" is missing'):format(field.name)
    end
  end
  return problems
end

-- ---- the sheet ----

local function open_sheet(path, client)
  local file, problem = io.open(path, "rb")
  if not file then fail("usage", "%s", problem) end
  local sheet
  sheet, problem = csv.sheet(file)
  if not sheet then fail("usage", "%s: %s", path, problem) end
  local problems = column_problems(client, sheet.columns)
  if #problems > 0 and #sheet.columns == 1 then
    problems[#problems + 1] = "the cells must be separated by commas, semicolons or tabs"
  end
  if #problems > 0 then fail("usage", "%s: %s", path, table.concat(problems, "; ")) end
  return sheet
end

--- Returns a function that makes { [field] = text } of a row's cells: most often what they are.
local function field_reader(columns)
  local names, is_plain = {}, true
  for _, column in ipairs(columns) do
    names[column] = name_of(column)
    is_plain = is_plain and names[column] == column
  end
  return function(cells)
    if is_plain then return cells end
    local fields = {}
    for column, text in pairs(cells) do fields[names[column]] = text end
    return fields
  end
end

--- All rows: what has been checked is what will be sent, whatever happens to the file meanwhile.
local function read_rows(path, sheet)
  local rows, fields_of = {}, field_reader(sheet.columns)
  local row, problem = sheet:read()
  while row do
    row.fields = fields_of(row.cells)
    rows[#rows + 1] = row
    row, problem = sheet:read()
  end
  if problem then fail("usage", "%s: %s", path, problem) end
  if #rows == 0 then fail("usage", "%s: there is no row below the header", path) end
  return rows
end

--- Ends a line of the journal that says which vote it was, and not only what on: when somebody
--- corrects a row, it is another vote, and is sent. FNV-1a over the cells.
local function fingerprint_of(row)
  local hash = 0xcbf29ce484222325
  for _, field in ipairs(endpoint.fields) do
    local text = (row.fields[field.name] or "") .. "\0"
    for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
  end
  return hash
end

local function key_of(row) return ("%s:%016x"):format(row.target, fingerprint_of(row)) end

--- Of all votes on one thing the last one counts: one that is taken back is sent again.
local function target_of_key(key) return key:match "^(%d+:%d+):" end

-- ---- metrics ----

-- What a metric cannot be read for, though a vote on it may be sent.
local UNREADABLE = { not_found = true, permission = true, bad_request = true, validation = true }

--- The metric, or false if nothing is known of it. nil and an error if it cannot be asked for.
local function read_metric(client, id)
  if not has_key() then return nil, "CEKURA_API_KEY is not set" end
  local metric, err = answers.metric(client.metrics:get { metric_id = id })
  if metric or not UNREADABLE[err.kind] then return metric, err end
  return false
end

--- Sets the `metric` of each row whose expected value depends on it. nil and why, if one cannot be
--- asked for.
local function add_metrics(client, rows)
  local known, err = {}, nil
  for _, row in ipairs(rows) do
    local id = values.trimmed(row.fields.metric_id or "")
    if id:find "^%d+$" and values.needs_metric(row.fields.expected_value or "") then
      if known[id] == nil then known[id], err = read_metric(client, id) end
      if err then return nil, err end
      row.metric = known[id] or nil
    end
  end
  return true
end

local UNCHECKED = "the metrics cannot be read, and the expected values are not checked: %s"

--- Does so, and ends the command if that fails. A dry run says so and goes on.
local function need_metrics(client, rows, options)
  local done, err = add_metrics(client, rows)
  if done then return end
  if not options.dry_run then fail(command.code_of(err), "%s", err) end
  command.say(NAME, ": ", UNCHECKED:format(tostring(err)))
end

local function vote_of(row) return arguments.read(endpoint, row.fields, row.metric) end

-- ---- bad rows ----

--- What a vote is on, however its ids are written; nil where they are no ids.
local function target_of(vote)
  local ids = (vote.run_id or "") .. ":" .. (vote.metric_id or "")
  return ids:find "^%d+:%d+$" and ids:gsub("^0+", ""):gsub(":0+", ":") or nil
end

--- Checks a row by itself: sets its `target`, and `problems`, { [column] = message }, if any.
local function check(client, row)
  local vote
  if row.problem then
    row.problems = { [""] = row.problem }
    return
  end
  vote, row.problems = vote_of(row)
  if not vote then return end
  row.target, row.problems = target_of(vote), refusal_of(client, vote)
end

local function add_problem(row, column, message)
  row.problems = row.problems or {}
  row.problems[column] = message
end

--- Two rows on one thing contradict each other, or one of them is too many: neither is sent.
local function find_doubles(rows)
  local first = {}
  for _, row in ipairs(rows) do
    local other = row.target and first[row.target]
    if other then
      add_problem(row, "run_id", ("the same run and metric as in line %d"):format(other.line))
      add_problem(other, "run_id", ("the same run and metric as in line %d"):format(row.line))
    elseif row.target then
      first[row.target] = row
    end
  end
end

local function list_problems(path, row)
  local columns = {}
  for column in pairs(row.problems) do columns[#columns + 1] = column end
  table.sort(columns)
  for i, column in ipairs(columns) do
    local text = (column == "" and "" or column .. ": ") .. row.problems[column]
    command.say(path, ":", row.line, ": ", text)
    columns[i] = text
  end
  return table.concat(columns, "; ")
end

--- Checks every row, and lists on stderr what is wrong. Returns the good rows, and the others, each
--- with its `error`.
local function sort_out(client, path, rows)
  for _, row in ipairs(rows) do check(client, row) end
  find_doubles(rows)
  local good, bad = {}, {}
  for _, row in ipairs(rows) do
    if row.problems then row.error = list_problems(path, row) end
    table.insert(row.problems and bad or good, row)
  end
  return good, bad
end

-- ---- what --dry-run says ----

local function show_plan(client, rows)
  output.print(("Votes to send: %d, without those that the journal has as done."):format(#rows))
  if #rows == 0 then return end
  local plan = assert(client.runs:mark_metric_vote(vote_of(rows[1]), DRY))
  output.print(("The first:\n\n%s %s\n%s"):format(plan.method, plan.url, plan.body))
end

-- ---- sending ----

-- What is likely to meet the next row as well. So many in a row, each after all of its retries, and
-- the rest is left for another day.
local PASSING = { network = true, tls = true, timeout = true, server = true, rate_limited = true }
local HOPELESS = 20

--- What becomes of the votes.
local Outcome = {}
Outcome.__index = Outcome

local function new_outcome(bad)
  return setmetatable({ code = #bad > 0 and "failed" or "ok", rejects = bad, in_a_row = 0 },
    Outcome)
end

--- The code that says most, of all that went wrong.
function Outcome:add_code(code)
  if self.code == "ok" or code ~= "failed" then self.code = code end
end

function Outcome:add_error(row, err)
  row.error = tostring(err)
  self.rejects[#self.rejects + 1] = row
  self:add_code(command.code_of(err))
end

--- Adds the answer to a call, and passes it on.
function Outcome:add(row, vote, err)
  if vote ~= nil then
    self.in_a_row = 0
    return true
  end
  self:add_error(row, err)
  self.in_a_row = PASSING[err.kind] and self.in_a_row + 1 or 0
  if err.kind == "authentication" or self.in_a_row >= HOPELESS then self.stopped_by = err end
  return nil, err
end

--- The rows as a list that ends early when nothing more is to be sent.
local function until_stopped(rows, outcome)
  return setmetatable({}, {
    __len = function() return outcome.stopped_by and 0 or #rows end,
    __index = function(_, index) return not outcome.stopped_by and rows[index] or nil end,
  })
end

local function work_of(options) return "votes of " .. options.sheet:match "[^/]*$" end

local function send_all(client, rows, options, outcome)
  return client:each(until_stopped(rows, outcome), function(row)
    return outcome:add(row, client.runs:mark_metric_vote(vote_of(row)))
  end, {
    concurrency = options.concurrency, progress = options.progress ~= false, key = key_of,
    journal = options.journal, work = work_of(options), group = target_of_key,
    redo_unknown = options.redo_unknown,
  })
end

-- ---- the end ----

local function say(format, ...) command.say(NAME, ": ", format:format(...)) end

local UNKNOWN = "of %d rows it is unknown whether they arrived: --redo-unknown sends them again (a "
  .. "vote that arrives twice counts once)"

--- Adds the rows that were not tried: the journal has them as begun, and not as ended.
local function add_unknown(outcome, rows, report)
  for _, e in ipairs(report.errors) do
    local row = rows[e.index]
    if not row.error then outcome:add_error(row, e.error) end
  end
  if report.unknown == 0 then return end
  outcome:add_code "network"
  say(UNKNOWN, report.unknown)
end

local LISTED = 20

--- Says why rows failed, where no file of rejects does. The bad ones have been listed before, and
--- what the rest was given up for is told with that.
local function list_failed(path, outcome, is_given_up)
  local told, rows = is_given_up and tostring(outcome.stopped_by), {}
  for _, row in ipairs(outcome.rejects) do
    if not row.problems and row.error ~= told then rows[#rows + 1] = row end
  end
  table.sort(rows, rejects.by_line)
  for i = 1, math.min(#rows, LISTED) do
    command.say(path, ":", rows[i].line, ": ", rows[i].error)
  end
  if #rows <= LISTED then return end
  say("%d more did not go through: --rejects FILE writes all of them, with why", #rows - LISTED)
end

local function sum_up(report, outcome, all, options)
  local left = all - report.ok - report.failed - report.skipped - report.unknown
  if not options.rejects then list_failed(options.sheet, outcome, left > 0) end
  if left > 0 then
    say("gave up, with %d rows left: %s. When that is mended, %s", left, outcome.stopped_by, ADVICE)
  end
  output.print(("ok %d, failed %d, skipped %d, unknown %d"):format(report.ok, report.failed,
    report.skipped, report.unknown))
end

local function write_rejects(sheet, options, rows)
  if not options.rejects then return end
  local own = {}
  for _, column in ipairs(sheet.columns) do
    if not ADDED[name_of(column)] then own[#own + 1] = column end
  end
  local done, problem = rejects.write(options.rejects, own, sheet.dialect, rows)
  if not done then fail("failed", "--rejects: %s", problem) end
end

-- ---- an early stop ----

local LEFT, MAYBE_SENT = "it was not sent", "it is unknown whether it arrived"

--- Adds the rows that did not go through, though nothing failed: the journal says which. Nothing is
--- written where it cannot be read, for then it was not this run's.
local function keep_left(client, sheet, rows, options, outcome)
  local log <close> = journal.open(options.journal,
    { api = client.api_url, work = work_of(options), group = target_of_key })
  if not log then return end
  for _, row in ipairs(rows) do
    local state = log:state(key_of(row))
    if not row.error and state ~= "done" then
      row.error = (state == "started" or state == "unknown") and MAYBE_SENT or LEFT
      table.insert(outcome.rejects, row)
    end
  end
  write_rejects(sheet, options, outcome.rejects)
end

--- Sends the rows, and returns the report. Whatever stops it early loses none of those that did not
--- go through.
local function send_or_keep(client, sheet, rows, options, outcome)
  local done, report, err = pcall(send_all, client, rows, options, outcome)
  if done and report then return report end
  if options.rejects then keep_left(client, sheet, rows, options, outcome) end
  if not done then error(report, 0) end
  return fail(command.code_of(err), "%s", err)
end

-- ---- all of it ----

local function try_rejects(path)
  local done, problem = rejects.try(path)
  if not done then fail("usage", "--rejects: %s", problem) end
end

local function vote_all(client, sheet, options)
  local rows = read_rows(options.sheet, sheet)
  need_metrics(client, rows, options)
  local good, bad = sort_out(client, options.sheet, rows)
  if #bad > 0 and not options.skip_bad then
    fail("usage", "%d of %d rows are bad, so nothing was sent. Correct them, or leave them out "
      .. "with --skip-bad", #bad, #bad + #good)
  end
  local outcome = new_outcome(bad)
  if options.dry_run then
    show_plan(client, good)
    return outcome.code
  end
  if options.rejects then try_rejects(options.rejects) end
  local report = send_or_keep(client, sheet, good, options, outcome)
  add_unknown(outcome, good, report)
  sum_up(report, outcome, #good, options)
  write_rejects(sheet, options, outcome.rejects)
  return outcome.code
end

command.run(NAME, ADVICE, function()
  local options = read_options()
  local client <close> = new_client(options)
  return vote_all(client, open_sheet(options.sheet, client), options)
end)
