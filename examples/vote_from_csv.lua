-- Sends a vote on a metric's value for each row of a CSV sheet. A journal next to the sheet records
-- which rows were sent: the same command continues after an interruption.
--
--   lua5.4 examples/vote_from_csv.lua votes.csv --dry-run
--   lua5.4 examples/vote_from_csv.lua votes.csv --lab       also for the optimiser
--   lua5.4 examples/vote_from_csv.lua votes.csv --rejects rejects.csv
--
-- It takes the key from CEKURA_API_KEY, and the server from CEKURA_API_URL if that is set.

local cekura = require "cekura"
local ascii = require "cekura.internal.ascii"
local journal = require "cekura.each.journal"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local arguments = require "support.arguments"
local command = require "support.command"
local csv = require "support.csv"
local files = require "support.files"
local output = require "support.output"
local rejects = require "support.rejects"
local responses = require "support.responses"
local values = require "support.values"

local NAME = "vote_from_csv"
local ADVICE = "run the same command again to continue"
local endpoint = cekura.endpoints["runs.mark_metric_vote"]
local fail = command.fail

-- ---- the command line ----

local parser = command.parser(NAME,
  "Sends a vote on a metric's value for each row of a CSV sheet. Votes cost nothing.")

parser:epilog [[
The first row names the columns in any order: run_id, metric_id, thumbs_up, expected_value and, if
you like, feedback; "Run ID" also means run_id. Cells are separated by commas, semicolons or tabs.
thumbs_up is true, false, yes, no, 1 or 0. expected_value is the value that the metric should have
given: a number (2, 2.5 or 2,5), true or false, or one of its words. If a cell is not a number, the
metric is read, and a value that it cannot have is an error. An empty cell is an absent field; null
means that there is no value.

The optimiser reads the test sets in a metric's Lab, and no document of the API says that a vote
creates one. --lab also creates a test set for each run whose votes were accepted, with the expected
values and the feedback of its rows. Test sets are free, too.

Exit codes: 0 all votes were sent; 1 some rows failed; 2 wrong usage, sheet or key; 4 no connection,
or it is unknown whether some votes arrived; 130 Ctrl-C.]]

parser:argument("sheet", "The CSV file.")
parser:mutex(
  parser:flag("--dry-run", "Send no vote: check all rows, and print the first request."),
  parser:flag("--apply", "Send the votes: the default, because votes cost nothing."))
parser:flag("--lab", "Also put the runs into the metrics' Labs, which the optimiser reads.")
parser:flag("--skip-bad", "Leave out bad rows, instead of sending nothing.")
parser:option("--rejects", "Write the rows that were not accepted to this CSV file.")
  :argname "FILE"
parser:option("--journal", "The record of what was sent (default: SHEET.journal).")
  :argname "FILE"
parser:flag("--redo-unknown", "Send rows again if it is unknown whether they arrived.")
parser:option("--concurrency", "How many calls at once (default: 8).", 8, command.count):argname "N"
command.add_progress(parser)

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

local DRY = { dry_run = true }

--- Returns the problems that the client finds in a vote, { [field] = message }; nil if there are
--- none.
local function problems_of(client, vote)
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

--- Returns the field of a column: run_id for "Run ID".
local function name_of(column)
  return (ascii.lower(values.trimmed(column)):gsub("[ \t_-]+", "_"))
end

-- The columns that a file of rejects has in addition; it can be sent after it has been corrected.
local ADDED = { line = true, error = true }

local function column_problems(client, columns)
  local problems, there = {}, {}
  for _, column in ipairs(columns) do
    local name = name_of(column)
    if there[name] then
      problems[#problems + 1] = ('columns "%s" and "%s" are the same'):format(there[name], column)
    elseif not field_names[name] and not ADDED[name] then
      -- The client suggests a similar name, as for any unknown field.
      local message = problems_of(client, { [name] = cekura.null })[name]
      problems[#problems + 1] =
        ('column "%s": %s'):format(column, (message:gsub("field", "column")))
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

--- Reads all rows before the first is sent, so that exactly what was checked is sent.
local function read_rows(path, sheet)
  local rows, names = {}, {}
  for _, column in ipairs(sheet.columns) do names[column] = name_of(column) end
  local row, problem = sheet:read()
  while row do
    row.fields = {}
    for column, text in pairs(row.cells) do row.fields[names[column]] = text end
    rows[#rows + 1] = row
    row, problem = sheet:read()
  end
  if problem then fail("usage", "%s: %s", path, problem) end
  if #rows == 0 then fail("usage", "%s: there is no row below the header", path) end
  return rows
end

--- Returns a key of the journal: the target, and a hash of the texts (FNV-1a). A corrected row has
--- another key, and is sent.
local function key_of(target, texts)
  local hash = 0xcbf29ce484222325
  for _, text in ipairs(texts) do
    text = text .. "\0"
    for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
  end
  return ("%s:%016x"):format(target, hash)
end

--- The last vote on a target counts. A vote is therefore sent again after another one on its
--- target.
local function target_of_key(key) return key:match "^(.+):%x+$" end

-- ---- metrics ----

-- The kinds of errors after which a metric counts as unknown. A vote on it may still be accepted.
local UNREADABLE = { not_found = true, permission = true, bad_request = true, validation = true }

--- Returns a metric; false if it is unknown, nil and an error if it cannot be read.
local function read_metric(client, id)
  if not has_key() then return nil, "CEKURA_API_KEY is not set" end
  local metric, err = responses.metric(client.metrics:get { metric_id = id })
  if metric or not UNREADABLE[err.kind] then return metric, err end
  return false
end

--- Sets `metric` in each row whose expected value depends on it. Returns true, or nil and an error.
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

local function vote_of(row) return arguments.read(endpoint, row.fields, row.metric) end

-- ---- bad rows ----

--- Checks a row by itself: sets `problems`, { [column] = message }, if there are any, and `target`,
--- the run and the metric: "5544:55".
local function check(client, row)
  local vote
  if row.problem then
    row.problems = { [""] = row.problem }
    return
  end
  vote, row.problems = vote_of(row)
  if not vote then return end
  row.problems = problems_of(client, vote)
  local target = (vote.run_id or "") .. ":" .. (vote.metric_id or "")
  if target:find "^%d+:%d+$" then row.target = target:gsub("^0+", ""):gsub(":0+", ":") end
end

--- Adds a problem to rows with the same target: it is unclear which of them counts.
local function find_doubles(rows)
  local first = {}
  local function add_problem(row, other)
    row.problems = row.problems or {}
    row.problems.run_id = ("the same run and metric as in line %d"):format(other.line)
  end
  for _, row in ipairs(rows) do
    local other = row.target and first[row.target]
    if other then
      add_problem(row, other)
      add_problem(other, row)
    elseif row.target then
      first[row.target] = row
    end
  end
end

--- Writes the problems of a row to stderr. Returns them as one text.
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

--- Checks every row, and lists the problems on stderr. Returns the good rows, and the bad ones with
--- their `error`.
local function check_all(client, path, rows)
  for _, row in ipairs(rows) do check(client, row) end
  find_doubles(rows)
  local good, bad = {}, {}
  for _, row in ipairs(rows) do
    if row.problems then row.error = list_problems(path, row) end
    table.insert(row.problems and bad or good, row)
  end
  return good, bad
end

-- ---- the two steps ----

local function key_of_row(row)
  local texts = {}
  for i, field in ipairs(endpoint.fields) do texts[i] = row.fields[field.name] or "" end
  return key_of(row.target, texts)
end

--- The first step: a vote for each row. An item of a step is { rows }.
local VOTES = {
  name = "rows",
  plan = "Votes to send: %d, without those that the journal has as done.",
  counts = "ok %d, failed %d, skipped %d, unknown %d",
  unknown = "it is unknown whether %d rows arrived: --redo-unknown sends them again (a vote that "
    .. "arrives twice counts once)",
  left = "it was not sent", maybe = "it is unknown whether it arrived",
}

function VOTES.items(rows)
  local items = {}
  for i, row in ipairs(rows) do items[i] = { rows = { row } } end
  return items
end

--- Returns the journal's key of an item.
function VOTES.key(item) return key_of_row(item.rows[1]) end

function VOTES.send(client, item, options)
  return client.runs:mark_metric_vote(vote_of(item.rows[1]), options)
end

--- The second step, with --lab: a test set for each run. A run's rows are sent together, so that no
--- two calls create its test set at the same time.
local TEST_SETS = {
  name = "test sets",
  plan = "Test sets to create: %d, without those that the journal has as done.",
  counts = "test sets: ok %d, failed %d, skipped %d, unknown %d",
  unknown = "it is unknown whether %d test sets were created: --redo-unknown sends them again (one "
    .. "that exists is used again)",
  left = "its test set was not created", maybe = "it is unknown whether its test set was created",
}

--- Leaves out the rows whose votes were not accepted.
function TEST_SETS.items(rows)
  local items, by_run = {}, {}
  for _, row in ipairs(rows) do
    if not row.error then
      local run = row.target:match "^%d+"
      if not by_run[run] then
        by_run[run] = { rows = {}, run = run }
        items[#items + 1] = by_run[run]
      end
      table.insert(by_run[run].rows, row)
    end
  end
  return items
end

function TEST_SETS.key(item)
  local keys = {}
  for i, row in ipairs(item.rows) do keys[i] = key_of_row(row) end
  return key_of("lab:" .. item.run, keys)
end

function TEST_SETS.send(client, item, options)
  local metrics = {}
  for i, row in ipairs(item.rows) do
    local vote = vote_of(row)
    local feedback = vote.feedback ~= cekura.null and vote.feedback or nil
    metrics[i] =
      { metric = vote.metric_id, expected_value = vote.expected_value, feedback = feedback }
  end
  return client.test_sets:create_from_run({ run_id = item.run, metrics = metrics }, options)
end

local function steps_of(options) return { VOTES, options.lab and TEST_SETS or nil } end

local function print_plan(client, step, rows)
  local items = step.items(rows)
  output.print(step.plan:format(#items))
  if #items == 0 then return end
  local plan = assert(step.send(client, items[1], DRY))
  output.print(("The first:\n\n%s %s\n%s"):format(plan.method, plan.url, plan.body))
end

-- ---- sending ----

-- Transient failures probably affect the next row, too. After MOST_IN_A_ROW of them, each with all
-- of its retries, the command gives up.
local TRANSIENT = { network = true, tls = true, timeout = true, server = true, rate_limited = true }
local MOST_IN_A_ROW = 20

--- The outcome of all votes: { code, rejects, in_a_row, stopped_by }.
local Outcome = {}
Outcome.__index = Outcome

--- Sets the exit code. Every other code is more specific than "failed".
function Outcome:add_code(code)
  if self.code == "ok" or code ~= "failed" then self.code = code end
end

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

--- Returns the items as a list that becomes empty when the command gives up.
local function until_stopped(items, outcome)
  return setmetatable({}, {
    __len = function() return outcome.stopped_by and 0 or #items end,
    __index = function(_, index) return not outcome.stopped_by and items[index] or nil end,
  })
end

local function work_of(options) return "votes of " .. options.sheet:match "[^/]*$" end

local function send_all(client, step, items, options, outcome)
  return client:each(until_stopped(items, outcome), function(item)
    return outcome:add(item.rows, step.send(client, item))
  end, {
    concurrency = options.concurrency, progress = options.progress, key = step.key,
    journal = options.journal, work = work_of(options), group = target_of_key,
    redo_unknown = options.redo_unknown,
  })
end

-- ---- the end ----

local function say(format, ...) command.say(NAME, ": ", format:format(...)) end

--- Adds the rows that were not sent because the journal has them as started, but not as finished.
local function add_unknown(outcome, step, items, report)
  for _, e in ipairs(report.errors) do
    for _, row in ipairs(items[e.index].rows) do
      if not row.error then outcome:add_error(row, e.error) end
    end
  end
  if report.unknown == 0 then return end
  outcome:add_code "network"
  say(step.unknown, report.unknown)
end

local LISTED = 20

--- Lists the rows that failed, with their errors. Leaves out bad rows, which were listed before,
--- and the error for which the command gave up.
local function list_failed(path, outcome, is_given_up)
  local last_error, rows = is_given_up and tostring(outcome.stopped_by), {}
  for _, row in ipairs(outcome.rejects) do
    if not row.problems and row.error ~= last_error then rows[#rows + 1] = row end
  end
  table.sort(rows, rejects.by_line)
  for i = 1, math.min(#rows, LISTED) do
    command.say(path, ":", rows[i].line, ": ", rows[i].error)
  end
  if #rows <= LISTED then return end
  say("%d more rows were not accepted: --rejects FILE writes all of them with their errors",
    #rows - LISTED)
end

local GAVE_UP = "gave up, with %d %s left: %s. Fix that, then %s"

--- Prints the numbers of the steps, of which only the last can have items left.
local function sum_up(steps, outcome, options)
  local last = steps[#steps]
  if not options.rejects then list_failed(options.sheet, outcome, last.left > 0) end
  if last.left > 0 then say(GAVE_UP, last.left, last.step.name, outcome.stopped_by, ADVICE) end
  for _, each in ipairs(steps) do
    local report = each.report
    output.print(each.step.counts:format(report.ok, report.failed, report.skipped, report.unknown))
  end
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

--- Writes rejects after an early end: also the rows that the journal does not have as done. Writes
--- nothing if the journal cannot be read, because it is then not the journal of this run.
local function reject_unsent(client, sheet, rows, options, outcome)
  local log <close> = journal.open(options.journal,
    { api = client.api_url, work = work_of(options), group = target_of_key })
  if not log then return end
  for _, step in ipairs(steps_of(options)) do
    for _, item in ipairs(step.items(rows)) do
      local state = log:state(step.key(item))
      local problem = (state == "started" or state == "unknown") and step.maybe or step.left
      for _, row in ipairs(state ~= "done" and item.rows or {}) do
        if not row.error then table.insert(outcome.rejects, row) end
        row.error = row.error or problem
      end
    end
  end
  write_rejects(sheet, options, outcome.rejects)
end

--- Performs a step, and returns { step, report, left }. After an early end, the file of rejects has
--- the rows that were not sent.
local function perform(client, step, sheet, rows, options, outcome)
  local items = step.items(rows)
  local done, report, err = pcall(send_all, client, step, items, options, outcome)
  if not (done and report) then
    if options.rejects then reject_unsent(client, sheet, rows, options, outcome) end
    if not done then error(report, 0) end
    fail(command.code_of(err), "%s", err)
  end
  add_unknown(outcome, step, items, report)
  local left = #items - report.ok - report.failed - report.skipped - report.unknown
  return { step = step, report = report, left = left }
end

--- Performs the steps, each unless the command gave up in the one before.
local function perform_all(client, sheet, rows, options, outcome)
  if options.rejects then
    local done, problem = rejects.try(options.rejects)
    if not done then fail("usage", "--rejects: %s", problem) end
  end
  local performed = {}
  for _, step in ipairs(steps_of(options)) do
    if outcome.stopped_by then break end
    performed[#performed + 1] = perform(client, step, sheet, rows, options, outcome)
  end
  sum_up(performed, outcome, options)
  write_rejects(sheet, options, outcome.rejects)
end

-- ---- the command ----

local function vote_all(client, sheet, options)
  local rows = read_rows(options.sheet, sheet)
  local done, problem = add_metrics(client, rows)
  if not done then
    if not options.dry_run then fail(command.code_of(problem), "%s", problem) end
    command.say(NAME, ": ", UNCHECKED:format(tostring(problem)))
  end
  local good, bad = check_all(client, options.sheet, rows)
  if #bad > 0 and not options.skip_bad then
    fail("usage", "%d of %d rows are bad, so nothing was sent. Correct them, or leave them out "
      .. "with --skip-bad", #bad, #bad + #good)
  end
  local outcome = setmetatable(
    { code = #bad > 0 and "failed" or "ok", rejects = bad, in_a_row = 0 }, Outcome)
  if options.dry_run then
    for _, step in ipairs(steps_of(options)) do print_plan(client, step, good) end
  else
    perform_all(client, sheet, good, options, outcome)
  end
  return outcome.code
end

command.run(NAME, ADVICE, function()
  local options = read_options()
  local client <close> = new_client(options)
  return vote_all(client, open_sheet(options.sheet, client), options)
end)
