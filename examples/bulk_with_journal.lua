-- Many results: a metric is evaluated again on each, four at a time, with a journal.
--
--   lua5.4 examples/bulk_with_journal.lua     with CEKURA_API_KEY, or with a sandbox
--
-- This spends credits, one evaluation for each run of each result. The journal, bulk.journal, makes
-- it safe to run the script again: it skips what is done, repeats what was refused, and does not
-- repeat what may have been paid.

local cekura = require "cekura"
local client <close> = assert(cekura.new())

local METRIC = 55  -- replace these ids by yours
local results = { 422, 425, 427, 430, 431, 434, 436, 439, 440, 443 }  -- the same in each run

local report = assert(client:each(results, function(result_id)
  -- The result of the call says whether the item succeeded. The number of runs is not known here:
  -- `uncounted` says that no limit is meant.
  return client.results:bulk_evaluate_metrics(
    { result_ids = { result_id }, metric_ids = { METRIC } }, { uncounted = true })
end, {
  journal = "bulk.journal",
  key = function(result_id) return ("%d:%d"):format(result_id, METRIC) end,  -- names an item
  concurrency = 4,
  progress = true,
}))

print(("%d started, %d refused, %d done before, %d unknown"):format(report.ok, report.failed,
  report.skipped, report.unknown))
for _, problem in ipairs(report.errors) do
  io.stderr:write(("result %d: %s\n"):format(results[problem.index], tostring(problem.error)))
end
-- An unknown item may have been paid: look at its result, and set `redo_unknown` to repeat it.
if report.failed + report.unknown > 0 then os.exit(1, true) end
