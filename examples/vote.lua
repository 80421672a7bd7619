-- A vote: the reviewer says that a metric was wrong about a run, and which value is right.
--
--   lua5.4 examples/vote.lua     with CEKURA_API_KEY, or the variables of `cekura-review sandbox`
--
-- A vote costs nothing. It replaces an earlier vote on the same run and metric, so that it may be
-- repeated.

local cekura = require "cekura"
local client <close> = assert(cekura.new())  -- reads CEKURA_API_KEY and CEKURA_API_URL

local RUN, METRIC = 5544, 55  -- replace these ids by yours

local vote, err = client.runs:mark_metric_vote {
  run_id = RUN, metric_id = METRIC,
  thumbs_up = false,   -- the metric was wrong about this run
  expected_value = 2,  -- the value that it should have given; cekura.null if it does not apply
  feedback = "Agent missed the reschedule step",
}

if vote then
  print(("run %d, metric %d: the vote is saved"):format(RUN, METRIC))
elseif err.applied == "unknown" then
  error("the connection broke, but this vote can be sent again: " .. err, 0)
else
  error(err, 0)  -- one line that says what to do
end
