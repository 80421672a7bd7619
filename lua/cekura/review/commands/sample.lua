--- Selects calls for review, and writes them as a sheet that a reviewer fills in for `votes`.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local ids = require "cekura.review.internal.ids"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local reading = require "cekura.review.report.reading"
local samples = require "cekura.review.sample"
local sheet = require "cekura.review.sheet"
local source = require "cekura.review.internal.source"
local text = require "cekura.review.internal.text"
local values = require "cekura.review.internal.values"

local sample = {
  name = "sample",
  summary = "select calls for review, as a sheet for votes",
  description = "Selects calls for review, and writes a sheet for `votes`. It only reads.",
  example = "sample --agent 231 --metric 55 --n 40 --by value --seed 2026-w48 --output sheet.csv",
  advice = "nothing was written; run the same command again",
  notes = [[
A reviewer fills in thumbs_up (yes or no: was the metric right?), expected_value and, if useful,
feedback. The other columns inform the reviewer and `report --sample`. Then: votes sheet.csv --lab

Three quarters of the calls are a random sample: of each stratum of --by a proportional part. Only
they say how often the metric is right. The rest is targeted: values that differ between the
repetitions of a scenario, contradict the expected outcome, or are near --threshold. The column
`selection` says which is which.

The same seed selects the same calls, on every machine. Calls that are added later do not change the
order of the others. Calls with a vote or a label of the metric, and calls that the metric was not
evaluated on, are left out: the random part of a later sample is about the other calls. With several
metrics, --n calls are selected for each. Without --since, production calls are those of the last 30
days.

Exit codes: 0 the sheet is written; 1 there is nothing to review, or it could not be read or
written; 2 wrong usage, ids or key, or the file exists; 4 no connection; 130 Ctrl-C.]],
}

local HEADER = { "metric_id", "thumbs_up", "expected_value", "feedback", "selection", "metric",
  "value", "explanation" }

-- ---- the command line ----

local function number(argument)
  local found = tonumber(argument)
  if found and found - found == 0 then return found end
  return nil, ("'%s' is not a number"):format(argument)
end

function sample.add_options(parser)
  source.add(parser)
  parser:option("--metric", "The metric to review, or several: 55,57.", nil, ids.list)
    :argname "IDS":count(1):target "metrics"
  parser:option("--n", "How many calls (default: 40).", 40, command.count):argname "N"
  parser:option("--by", "The strata of the random part: value, scenario, personality, agent or "
    .. "nothing.", "value"):argname "FIELD"
    :choices { "value", "scenario", "personality", "agent", "nothing" }
  parser:option("--seed", "Any text; another one selects other calls.", "1")
    :argname "TEXT"
  parser:option("--targeted", "The share of the targeted part (default: 0.25).", 0.25,
    command.share):argname "SHARE"
  parser:option("--threshold", "Numbers near this one are doubtful.", nil, number)
    :argname "NUMBER"
  parser:option("--output", "The sheet (default: stdout)."):argname "FILE"
end

--- Ends the command if the file has something in it. "r+b" does not wait for the writer of a pipe.
local function check_output(path)
  local file, problem, errno = io.open(path, "r+b")
  if not file then
    if errno ~= 2 then command.misuse("--output: %s", problem) end  -- 2: the file does not exist
    return
  end
  local size = file:seek "end"
  file:close()
  if (size or 0) > 0 then
    command.misuse("--output: %s exists, and may have votes: name another file", path)
  end
end

local function check_options(options)
  source.check(options)
  if options.output then check_output(options.output) end
end

-- ---- which calls ----

--- Returns the calls that the metric was evaluated on and that have no review of it, and how many
--- have one.
local function candidates(metric, calls)
  local labels, items, reviewed = reading.last_reviews(metric.reviews), {}, 0
  for _, call in ipairs(calls) do
    local row, entry = metrics.entry(call.response, metric.id)
    if row and (labels[call.key] or entry.thumbs_up ~= nil or entry.expected_value ~= nil) then
      reviewed = reviewed + 1
    elseif row then
      items[#items + 1] = { key = call.key, value = row.value, group = call.group,
        outcome = call.outcome, scenario = call.scenario, personality = call.personality,
        agent = call.agent, call = call, explanation = metrics.explanation(row.explanation) }
    end
  end
  return items, reviewed
end

local function select_from(metric, calls, options)
  local items, reviewed = candidates(metric, calls)
  local selected = samples.select(samples.mark(items, options.threshold), {
    n = options.n, seed = options.seed, targeted_share = options.targeted,
    by = options.by ~= "nothing" and options.by or nil,
  })
  local counts = { id = metric.id, name = metric.name, calls = #items, reviewed = reviewed,
    selected = #selected, random = 0, targeted = 0 }
  for _, item in ipairs(selected) do
    counts[item.selection] = counts[item.selection] + 1
    item.metric = metric
  end
  return selected, counts
end

-- ---- the sheet ----

local function row_of(item)
  return {
    run_id = item.call.run_id, call_log_id = item.call.call_log_id, metric_id = item.metric.id,
    selection = item.selection, metric = item.metric.name, value = values.word(item.value),
    explanation = item.explanation,
  }
end

local function sheet_of(rows, options)
  local columns = { options.calls and "call_log_id" or "run_id", table.unpack(HEADER) }
  return sheet.format(columns, rows)
end

local function write(rows, options)
  if not options.output then
    if not options.json then output.write_data(sheet_of(rows, options)) end
    return
  end
  local done, problem = files.replace(options.output, sheet_of(rows, options))
  if not done then command.fail("failed", "--output: %s", problem) end
end

local function print_counts(counts)
  text.print("%s: %d of %s selected, %d random and %d targeted. Reviewed already: %d.",
    counts.name or counts.id, counts.selected, text.count(counts.calls, "call"), counts.random,
    counts.targeted, counts.reviewed)
end

function sample.run(options)
  check_options(options)
  if not options.output then output.reserve_stdout() end
  local client <close> = assert(cekura.new())
  local known_metrics = metrics.list(client, options.metrics)
  local calls = source.read(client, options)
  if #calls == 0 then
    command.fail("usage", "no call fits: are the id and the dates right?")
  end
  local rows, all_counts = cekura.array {}, cekura.array {}
  for i, metric in ipairs(known_metrics) do
    local selected, counts = select_from(metric, calls, options)
    for _, item in ipairs(selected) do rows[#rows + 1] = row_of(item) end
    all_counts[i] = counts
    print_counts(counts)
  end
  if #rows == 0 then command.fail("failed", "there is nothing to review") end
  write(rows, options)
  if options.output then text.print("written to %s", options.output) end
  return "ok", { rows = rows, metrics = all_counts, seed = options.seed, output = options.output }
end

return sample
