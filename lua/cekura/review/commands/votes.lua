--- Sends a vote on a metric's value for each row of a CSV sheet. A journal next to the sheet
--- records which rows were sent: the same command continues after an interruption.

local command = require "cekura.review.internal.command"
local sheets = require "cekura.review.votes.sheets"
local shard = require "cekura.review.internal.shard"

local votes = {
  name = "votes",
  summary = "send a vote on a metric's value for each row of a sheet",
  description = "Sends a vote on a metric's value for each row of a CSV sheet. Votes cost nothing.",
  example = "votes votes.csv --dry-run",
  advice = "run the same command again to continue",
  notes = [[
The first row names the columns in any order: run_id or call_log_id (a production call), metric_id,
thumbs_up, expected_value and, if you like, feedback; "Run ID" also means run_id. A sheet may have
both ids, but a row has one of them. The columns of `sample` and of --rejects are accepted, too.
Cells are separated by commas, semicolons or tabs. An id may be written 5544.0. thumbs_up is true,
false, yes, no, 1 or 0. expected_value is the value that the metric should have given: a number (2,
2.5 or 2,5), true or false, or one of its words. If a cell is not a number, the metric is read, and
a value that it cannot have is an error. An empty cell is an absent field; null means that there is
no value. Rows without thumbs_up, expected_value and feedback are left out: they are not filled in.

A journal records what was sent. After an interruption, the same command sends the other rows, and
those whose outcome is unknown: a vote that arrives twice counts once.

The optimiser reads the test sets in a metric's Lab, and no document of the API says that a vote
creates one. --lab also creates a test set for each call whose votes were accepted, with the
expected values and the feedback of its rows. Test sets are free, too.

--shard 3/8 sends the third of eight parts, so that eight processes can divide a sheet. Every
process checks all rows. All rows about a call are in one part. Each part has a journal and a file
of rejects of its own, such as votes.csv.journal.3-of-8: divide a sheet in the same way until all is
sent.

Exit codes: 0 all votes were sent; 1 some rows failed; 2 wrong usage, sheet or key; 3 no row is
filled in; 4 no connection, or it is unknown whether some votes arrived; 130 Ctrl-C.]],
}

-- ---- the command line ----

function votes.add_options(parser)
  parser:argument("sheet", "The CSV file.")
  parser:mutex(
    parser:flag("--dry-run", "Send no vote: check all rows, and print the first request."),
    parser:flag("--apply", "Send the votes: the default, because votes cost nothing."))
  parser:flag("--lab", "Also put the calls into the metrics' Labs, which the optimiser reads.")
  parser:flag("--skip-bad", "Leave out bad rows, instead of sending nothing.")
  parser:flag("--extra-columns", "Ignore columns with other names, such as your own notes.")
  parser:option("--rejects", "Write the rows that were not accepted to this CSV file.")
    :argname "FILE"
  parser:option("--journal", "The record of what was sent (default: SHEET.journal).")
    :argname "FILE"
  shard.add(parser)
  command.add_concurrency(parser)
  command.add_progress(parser)
end

function votes.run(options)
  if options.dry_run and options.rejects then
    command.misuse "--rejects has no use with --dry-run, which sends nothing"
  end
  shard.set_default(options)
  return sheets.send(options)
end

return votes
