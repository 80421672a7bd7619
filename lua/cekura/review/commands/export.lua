--- Exports labels, votes or values, one row for each, as CSV or JSON lines. The export is complete,
--- or the command fails and writes nothing.

local cekura = require "cekura"
local api = require "cekura.values"
local internal = require "cekura.internal"

local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local ids = require "cekura.review.internal.ids"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local responses = require "cekura.review.internal.responses"
local sheet = require "cekura.review.sheet"
local source = require "cekura.review.internal.source"
local text = require "cekura.review.internal.text"
local times = require "cekura.review.internal.times"

local export = {
  name = "export",
  summary = "write labels, votes or values as CSV or JSON lines",
  description = "Writes labels, votes or values as CSV or JSON lines, one row for each.",
  example = "export labels --agent 231 --format csv --output labels.csv",
  advice = "nothing was written; run the same command again",
  notes = [[
  labels   the labels in the Labs of the metrics, from which the optimiser learns: label_id,
           metric_id, metric, run_id, call_log_id, agent_id, test_set_id, expected_value, value,
           feedback, explanation, created_at, updated_at
  votes    the votes on values of the calls: run_id, call_log_id, result_id, agent_id, agent,
           scenario, time, metric_id, metric, thumbs_up, expected_value, value, feedback
  values   what the metrics said of the calls: run_id, call_log_id, result_id, agent_id, agent,
           scenario, personality, time, metric_id, metric, kind, applies, value, explanation

The columns have this order. Votes and values are those of runs, or with --calls of production
calls. Labels are of both, or with --calls of production calls only; --since and --until compare
their last change. Without --since, production calls are those of the last 30 days. `scenario` is
the topic of a production call. A binary value is true or false. A missing value is an empty cell in
CSV, and null in JSON lines. Cells are exact, also those that a spreadsheet takes for a formula.

The export is complete, or the command fails, and neither writes nor changes the file.

Exit codes: 0 written; 1 it could not be read completely, or not written; 2 wrong usage, ids or key;
4 no connection; 130 Ctrl-C.]],
}

local COLUMNS = {
  labels = { "label_id", "metric_id", "metric", "run_id", "call_log_id", "agent_id", "test_set_id",
    "expected_value", "value", "feedback", "explanation", "created_at", "updated_at" },
  votes = { "run_id", "call_log_id", "result_id", "agent_id", "agent", "scenario", "time",
    "metric_id", "metric", "thumbs_up", "expected_value", "value", "feedback" },
  values = { "run_id", "call_log_id", "result_id", "agent_id", "agent", "scenario", "personality",
    "time", "metric_id", "metric", "kind", "applies", "value", "explanation" },
}

-- ---- the command line ----

function export.add_options(parser)
  parser:argument("what", "labels, votes or values."):choices { "labels", "votes", "values" }
  source.add(parser)
  parser:option("--metric", "Only these metrics: 55,57.", nil, ids.list):argname "IDS"
    :target "metrics"
  parser:option("--format", "csv or jsonl.", "csv"):choices { "csv", "jsonl" }
  parser:option("--output", "The file (default: stdout)."):argname "FILE"
end

-- ---- votes and values ----

--- Returns a set of ids; nil for none.
local function set_of(list)
  if not list then return nil end
  local set = {}
  for _, id in ipairs(list) do set[id] = true end
  return set
end

local function row_of(call, value)
  return {
    run_id = call.run_id, call_log_id = call.call_log_id, result_id = call.result_id,
    agent_id = call.agent_id, agent = call.agent, scenario = call.scenario,
    personality = call.personality, time = call.time, metric_id = value.id, metric = value.name,
    kind = value.kind, applies = value.applies, value = value.value,
    explanation = metrics.explanation(value.explanation),
  }
end

--- Returns a value of a reviewer as one of this kind; as it is if it cannot be read as one.
local function expected(kind, value)
  local found = api.read(kind, value)
  if found == nil then return value end
  return found
end

local function has_vote(entry) return entry.thumbs_up ~= nil or entry.expected_value ~= nil end

--- Returns a row for each value of the calls, or only for those with a vote.
local function value_rows(calls, wanted, only_votes)
  local rows = {}
  for _, call in ipairs(calls) do
    for _, entry in ipairs(api.entries(call.response) or {}) do
      local value = api.row(entry)
      if (not wanted or wanted[value.id]) and (not only_votes or has_vote(entry)) then
        local row = row_of(call, value)
        row.thumbs_up, row.feedback = entry.thumbs_up, entry.feedback
        row.expected_value = expected(value.kind, entry.expected_value)
        rows[#rows + 1] = row
      end
    end
  end
  return rows
end

-- ---- labels ----

--- Returns the ids of the metrics in the scope.
local function metric_ids(client, calls, options)
  if options.metrics then return options.metrics end
  local list, seen = {}, {}
  local function add(id)
    if id and not seen[id] then list[#list + 1], seen[id] = id, true end
  end
  if calls then
    for _, call in ipairs(calls) do
      for id in pairs(metrics.values(call.response)) do add(id) end
    end
  else
    local all = assert(client.metrics:list {
      agent_id = options.agent, project_id = options.project,
    })
    for _, metric in ipairs(all) do add(math.tointeger(metric.id)) end
  end
  table.sort(list)
  return list
end

--- Returns a label as a row.
local function label_of(metric, review)
  local set, kind = review.test_set or {}, api.kind_of(metric.eval_type)
  local id = math.tointeger(tonumber(set.source_id))
  return {
    label_id = review.id, metric_id = metric.id, metric = metric.name, agent_id = set.agent,
    run_id = set.source_model == "Run" and id or nil, test_set_id = set.id,
    call_log_id = set.source_model == "CallLog" and id or nil,
    expected_value = expected(kind, review.expected_value),
    value = expected(kind, review.actual_value), feedback = review.feedback,
    explanation = metrics.explanation(review.explanation), created_at = review.created_at,
    updated_at = review.updated_at,
  }
end

local function is_wanted(row, runs, options)
  if options.calls and not row.call_log_id then return false end
  if runs and not runs[row.run_id] then return false end
  if options.agent and row.agent_id and row.agent_id ~= options.agent then return false end
  local since, to = options.since, options["until"]
  return not (since or to) or times.is_between(row.updated_at or row.created_at, since, to)
end

--- Returns a row for each label. With --results these are the labels of their runs.
local function label_rows(client, options)
  local calls, runs, rows = nil, nil, {}
  if options.results then
    calls, runs = source.read(client, { results = options.results, progress = options.progress,
      concurrency = options.concurrency }), {}
    for _, call in ipairs(calls) do runs[call.run_id] = true end
  end
  local list = metric_ids(client, calls, options)
  local known_metrics = source.read_all(client, "metric", list, function(id)
    return responses.metric(client.metrics:get { metric_id = id })
  end, options, options.metrics ~= nil)
  for _, metric in ipairs(known_metrics) do
    for _, review in ipairs(metric.reviews or {}) do
      local row = label_of(metric, review)
      if is_wanted(row, runs, options) then rows[#rows + 1] = row end
    end
  end
  return rows
end

-- ---- writing ----

--- Returns a value as a cell that keeps it exact.
local function cell_of(value)
  if type(value) == "string" then return value end
  return assert(internal.json(value))
end

--- Returns a row with the columns, and null for missing values.
local function complete(row, columns)
  local all = {}
  for _, name in ipairs(columns) do
    if row[name] == nil then all[name] = cekura.null else all[name] = row[name] end
  end
  return all
end

local function text_of(rows, columns, format)
  local parts = {}
  for i, row in ipairs(rows) do
    if format == "jsonl" then
      parts[i] = assert(internal.json(row)) .. "\n"
    else
      parts[i] = {}
      for name, value in pairs(row) do
        if value ~= cekura.null then parts[i][name] = cell_of(value) end
      end
    end
  end
  return format == "jsonl" and table.concat(parts) or sheet.format(columns, parts)
end

local function write(rows, columns, options)
  if not options.output then
    if not options.json then output.write_data(text_of(rows, columns, options.format)) end
    return
  end
  local done, problem = files.replace(options.output, text_of(rows, columns, options.format))
  if not done then command.fail("failed", "--output: %s", problem) end
end

--- Ends the command if one of --metric does not exist; a metric with a row does.
local function check_metrics(client, rows, options)
  local has_row = {}
  for _, row in ipairs(rows) do has_row[row.metric_id or 0] = true end
  for _, id in ipairs(options.metrics or {}) do
    if not has_row[id] then metrics.get(client, id) end
  end
end

local function read_rows(client, options)
  if options.what == "labels" then return label_rows(client, options) end
  local rows = value_rows(source.read(client, options), set_of(options.metrics),
    options.what == "votes")
  check_metrics(client, rows, options)
  return rows
end

function export.run(options)
  source.check(options)
  if not options.output then output.reserve_stdout() end
  local client <close> = assert(cekura.new())
  local columns, rows = COLUMNS[options.what], cekura.array {}
  for i, row in ipairs(read_rows(client, options)) do rows[i] = complete(row, columns) end
  write(rows, columns, options)
  text.print("%s%s", text.count(#rows, options.what:sub(1, -2)),
    options.output and " written to " .. options.output or "")
  return "ok", { what = options.what, count = #rows, output = options.output,
    rows = not options.output and rows or nil }
end

return export
