--- Reports how far reviewers and metrics agree, as one HTML page that needs no network.
--- It only reads.

local cekura = require "cekura"

local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local ids = require "cekura.review.internal.ids"
local output = require "cekura.review.internal.output"
local read_all = require "cekura.review.internal.source".read_all
local reports = require "cekura.review.report"
local responses = require "cekura.review.internal.responses"
local scope = require "cekura.review.internal.scope"
local sheet = require "cekura.review.sheet"
local text = require "cekura.review.internal.text"
local times = require "cekura.review.internal.times"
local words = require "cekura.review.report.words"

local report = {
  name = "report",
  summary = "write a page about how far reviewers and metrics agree",
  description = "Writes an HTML page about how far reviewers and metrics agree. It only reads.",
  example = "report --agent 231 --output agreement.html",
  advice = "nothing was written; run the same command again",
  notes = [[
The report counts the reviews in the Labs of the metrics that were evaluated on the results' runs:
reviews of these runs and, unless --results is given, of production calls of the same agent or
project. A vote alone is not in the Lab; cekura-review votes --lab puts it there. Without --agent,
--project and --results, the report covers everything that the key may read.

It shows, for each metric, how often reviewers agree with it and Cohen's kappa; for metrics that say
passed or failed also how often they are right about calls that should pass and calls that should
fail, and the pass rate corrected for their errors. All numbers have an interval.

People choose which calls they review, so that the numbers may be biased. --sample names a sheet of
`cekura-review sample`, also after it was filled in: the calls that it marks as random then count
alone for each metric that has reviews of them. The option can be repeated.

Exit codes: 0 the page is written; 1 there is nothing to report, or it could not be read or written;
2 wrong usage, ids, sheet or key; 4 no connection; 130 Ctrl-C.]],
}

local PAGE_SIZE = 100
local fail = command.fail

-- ---- the command line ----

local function number_or_zero(argument)
  if argument == "0" then return 0 end
  return command.count(argument)
end

function report.add_options(parser)
  parser:mutex(scope.option(parser, "agent"), scope.option(parser, "project"),
    parser:option("--results", "Only runs of these results: 372,373.", nil, ids.list)
      :argname "IDS")
  parser:option("--metric", "Only these metrics.", nil, ids.list):argname "IDS"
  parser:option("--sample", "A sheet of `sample`: its random calls count alone.")
    :argname "SHEET":count "*"
  parser:option("--since", "Only calls from this date on (UTC).", nil, times.first)
    :argname "DATE"
  parser:option("--until", "Only calls up to this date.", nil, times.last):argname "DATE"
  parser:option("--examples", "How many calls to show of each kind of mistake (default: 5).", 5,
    number_or_zero):argname "N"
  parser:option("--output", "The page.", "agreement.html"):argname "FILE"
  command.add_concurrency(parser)
  command.add_progress(parser)
end

local function check_options(options)
  if not options.results then scope.set_defaults(options) end
  options.from = times.parse(options.since)
  options.to = options["until"] and times.parse(options["until"]) + 1  -- the second after it
  if options.from and options.to and options.from >= options.to then
    fail("usage", "--since is after --until")
  end
  for _, path in ipairs(options.sample) do
    if files.are_same(path, options.output) then
      fail("usage", "--output would overwrite a --sample: name another file")
    end
  end
end

--- Reads the sheets of --sample into the source.
local function read_samples(source, options)
  for _, path in ipairs(options.sample) do
    local file, problem = io.open(path, "rb")
    if not file then fail("usage", "--sample: %s", problem) end
    local opened, added
    opened, problem = sheet.open(file)
    if opened then added, problem = source:add_sample(opened) end
    file:close()
    if not added then fail("usage", "--sample: %s: %s", path, problem) end
  end
end

--- Checks before anything is read that the page can be written.
local function try_output(path)
  local old = io.open(path, "rb")
  local file, problem = io.open(path, "ab")
  if not file then fail("usage", "--output: %s", problem) end
  file:close()
  if old then old:close() else os.remove(path) end
end

-- ---- reading ----

--- Returns whether runs of a result may be in the range: a run is not older than its result, and
--- not newer than its last change.
local function may_fit(result, options)
  local made, changed = times.parse(result.created_at), times.parse(result.updated_at)
  return (not made or made < (options.to or math.huge))
    and (not changed or changed >= (options.from or -math.huge))
end

--- Returns an iterator over the ids of the results to read.
local function result_ids(client, options)
  local next_result = responses.pages_of_results(client.results:pages {
    agent_id = options.agent, project_id = options.project, page_size = PAGE_SIZE,
  })
  return function()
    local result = next_result()
    while result and not may_fit(result, options) do result = next_result() end
    return result and result.id
  end
end

local function read_runs(client, source, options)
  read_all(client, "result", options.results or result_ids(client, options), function(id)
    return source:add_result(client.results:get { result_id = id })
  end, options, true)
end

--- Reads the metrics. A metric that was deleted meanwhile is left out, unless an option names it.
local function read_metrics(client, source, options)
  read_all(client, "metric", options.metric or source:metric_ids(), function(id)
    local added, err = source:add_metric(client.metrics:get { metric_id = id })
    if not added and err.kind == "not_found" and not options.metric then return false end
    return added, err
  end, options, true)
end

--- Reads the production calls that were reviewed. A call that was deleted meanwhile is left out.
local function read_call_logs(client, source, options)
  local call_log_ids = source:reviewed_call_logs()
  if #call_log_ids == 0 then return end
  read_all(client, "reviewed production call", call_log_ids, function(id)
    local added, err = source:add_call_log(client.calls:get { call_log_id = id })
    if not added and err.kind == "not_found" then return true end
    return added, err
  end, options, true)
end

-- ---- the report ----

local NOTHING = "there is nothing to report: the metrics' Labs have no review of any of %s. "
  .. "cekura-review votes --lab puts reviews there"

--- Reads everything into the source. Returns the report.
local function report_on(client, source, options)
  read_runs(client, source, options)
  if source.runs == 0 then
    fail("failed", "there is no run to report on: no run fits the options")
  end
  read_metrics(client, source, options)
  if not options.results then read_call_logs(client, source, options) end
  return source:report() or fail("failed", NOTHING, words.count(source.runs, "run"))
end

function report.run(options)
  check_options(options)
  local source = reports.new(options)
  read_samples(source, options)
  local client <close> = assert(cekura.new())
  try_output(options.output)
  local found = report_on(client, source, options)
  local done, problem =
    files.replace(options.output, reports.html(found, { examples = options.examples }))
  if not done then fail("failed", "--output: %s", problem) end
  for _, line in ipairs(reports.lines(found)) do output.print(line) end
  output.print(text.line(("written to %s"):format(options.output)))
  local data = reports.data(found)
  data.output = options.output
  return "ok", data
end

return report
