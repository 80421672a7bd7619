--- Compares two results run by run: what changed, and whether the changes can be chance.
--- It only reads.

local cekura = require "cekura"

local command = require "cekura.review.internal.command"
local compare = require "cekura.review.compare"
local files = require "cekura.review.internal.files"
local ids = require "cekura.review.internal.ids"
local metrics = require "cekura.review.internal.metrics"
local output = require "cekura.review.internal.output"
local page = require "cekura.review.compare.page"
local responses = require "cekura.review.internal.responses"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"
local words = require "cekura.review.compare.words"

local subcommand = {
  name = "compare",
  summary = "compare two results, run by run",
  description = "Compares two results of the same scenarios, run by run. It only reads.",
  example = "compare 373 431 --html changes.html",
  advice = "nothing was changed; run the same command again",
  notes = [[
A run of one result is matched with a run of the other that has the same scenario, personality and
test profile. Repetitions are matched in the order of their ids. Runs without a counterpart, and
runs that were not connected, are listed and left out. So is a pair to one of which a metric does
not apply.

The verdict is "worse" if the success of the runs or a metric is clearly worse, or else "better" if
one is clearly better, or else "unclear". Clearly: the p value is at most 0.05 (1 - confidence),
adjusted for their number by Holm's method; the table shows the adjusted value. Passes are compared
by McNemar's exact test, and numbers by the exact test of paired differences. An interval is for its
metric alone. The API does not say whether a higher number is better: numeric metrics count for the
verdict with --higher-is-better or --lower-is-better.

A metric that was changed between the two results makes them differ: evaluate it again on both
first, with cekura-review reevaluate.

The exit code does not depend on the verdict; cekura-review gate --base decides.

Exit codes: 0 compared; 1 the page could not be written, or a response not be read; 2 wrong usage,
ids or key; 4 no connection; 130 Ctrl-C.]],
}

-- ---- the command line ------------------------------------------------------------------------

function subcommand.add_options(parser)
  parser:argument("before", "The id of the earlier result."):convert(ids.one)
  parser:argument("after", "The id of the later result."):convert(ids.one)
  parser:option("--metrics", "Only these metrics, and the success: 55,57.", nil, ids.list)
    :argname "IDS"
  parser:option("--higher-is-better", "Numeric metrics that count for the verdict: 55.", nil,
    ids.list):argname "IDS"
  parser:option("--lower-is-better", "Numeric metrics that count, such as a latency: 56.", nil,
    ids.list):argname "IDS"
  parser:option("--confidence", "From 0.5 to 0.9999 (default: 0.95).", 0.95,
    command.confidence):argname "SHARE"
  parser:option("--html", "Also write an HTML page."):argname "FILE"
end

local function check_options(options)
  if options.before == options.after then
    command.fail("usage", "the two results are the same: %d", options.before)
  end
  for _, id in ipairs(options.higher_is_better or {}) do
    for _, other in ipairs(options.lower_is_better or {}) do
      if id == other then
        command.fail("usage", "metric %d is in --higher-is-better and --lower-is-better", id)
      end
    end
  end
end

-- ---- reading ---------------------------------------------------------------------------------

local function get(client, id)
  return command.found("result", id, responses.result(client.results:get { result_id = id }))
end

local function has_metric(result, id)
  for _, run in pairs(result.runs or {}) do
    if metrics.entry(run, id) then return true end
  end
  return false
end

--- Ends the command if neither result has a metric of the options, not even one that never applies.
local function check_metrics(options, before, after)
  for _, name in ipairs { "metrics", "higher_is_better", "lower_is_better" } do
    for _, id in ipairs(options[name] or {}) do
      if not has_metric(before, id) and not has_metric(after, id) then
        command.fail("usage", "metric %d was evaluated on neither result", id)
      end
    end
  end
end

--- Ends the command if a direction is given for an enum, whose words have none.
local function check_directions(options, found)
  local has_words = {}
  for _, change in ipairs(found.metrics) do has_words[change.id] = change.words ~= nil end
  for _, name in ipairs { "higher_is_better", "lower_is_better" } do
    for _, id in ipairs(options[name] or {}) do
      if has_words[id] then
        command.fail("usage", "metric %d has words, which have no order: none is better", id)
      end
    end
  end
end

-- ---- the terminal ----------------------------------------------------------------------------

local NARROW = 80  -- columns below which the tables have fewer columns

local function print_table(rows) output.write("\n", texttable.text(rows)) end

local function is_narrow() return (output.columns() or math.huge) < NARROW end

local function flip_row(item, is_short)
  local flip = item.flip
  local before, after = words.value(flip.before), words.value(flip.after)
  if is_short then return { flip.scenario, item.name, before, after } end
  return { flip.scenario, words.place(flip), flip.repetition, item.name, before, after,
    flip.before_run_id, flip.after_run_id }
end

local function print_flips(found)
  local flips, is_short = words.flips(found), is_narrow()
  if #flips == 0 then
    output.print "\nno run has changed from pass to fail or back, or from word to word"
    return
  end
  local rows = { is_short and { "flip", "metric", "before", "after" }
    or { "flip", "personality", "repetition", "metric", "before", "after", "run before",
      "run after" } }
  for i, item in ipairs(flips) do rows[i + 1] = flip_row(item, is_short) end
  print_table(rows)
end

local function change_row(row, is_short)
  local change, name, verdict = row.change, row.name, row.change.verdict
  local before = words.level(change, change.before)
  local after = words.level(change, change.after)
  if is_short then return { name, before, after, verdict } end
  return { name, change.n, before, after, words.difference(change, change.change),
    words.interval(change), words.p(change), verdict }
end

local function print_changes(found)
  local is_short = is_narrow()
  local rows = { is_short and { "metric", "before", "after", "verdict" }
    or { "metric", "pairs", "before", "after", "change", ("%.4g%% interval")
      :format(found.confidence * 100), "p", "verdict" } }
  for i, row in ipairs(words.rows(found)) do rows[i + 1] = change_row(row, is_short) end
  print_table(rows)
end

local function print_unmatched(found)
  local rows = { { "left out", "run", "scenario", "reason" } }
  for _, side in ipairs { "before", "after" } do
    for _, run in ipairs(found.unmatched[side]) do
      rows[#rows + 1] = { side, run.run_id, run.scenario, run.reason }
    end
  end
  if #rows > 1 then print_table(rows) end
end

local function print_report(found, options)
  text.print("%s", words.verdict(found, options.before, options.after))
  text.print("%s", words.basis(found))
  for _, warning in ipairs(found.warnings) do text.print("warning: %s", warning) end
  if found.matched > 0 then
    print_flips(found)
    print_changes(found)
  end
  print_unmatched(found)
  if found.verdict == "unclear" and found.power then output.print("\n" .. words.power(found)) end
end

-- ---- data ------------------------------------------------------------------------------------

--- Marks the lists in the data, so that empty ones are lists, too.
local function marked(data)
  local copy = data[1] ~= nil and cekura.array {} or {}
  for key, value in pairs(data) do
    copy[key] = type(value) == "table" and marked(value) or value
  end
  for _, name in ipairs { "flips", "metrics", "warnings", "words", "before", "after" } do
    if type(copy[name]) == "table" and next(copy[name]) == nil then copy[name] = cekura.array {} end
  end
  return copy
end

local function result_data(result)
  return { result_id = result.id, name = result.name, status = result.status,
    agent_name = result.agent_name, created_at = result.created_at }
end

local function data_of(found, before, after)
  local data = marked(found)
  data.before, data.after = result_data(before), result_data(after)
  return data
end

-- ---- the command -----------------------------------------------------------------------------

function subcommand.run(options)
  check_options(options)
  local client <close> = assert(cekura.new())
  local before, after = get(client, options.before), get(client, options.after)
  check_metrics(options, before, after)
  local found = compare.results(before, after, options)
  check_directions(options, found)
  print_report(found, options)
  if options.html then
    local done, problem = files.replace(options.html, page.of(found, before, after))
    if not done then command.fail("failed", "--html: %s", problem) end
    text.print("written to %s", options.html)
  end
  return "ok", data_of(found, before, after)
end

return subcommand
