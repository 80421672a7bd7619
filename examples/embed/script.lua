-- Both states of the host run this script at the same time: votes, an evaluation, and a call with
-- invalid arguments. An error becomes the host's exit code.

local cekura = require "cekura.core"  -- linked in; it needs no Lua file
local server <close> = require "cekura.sandbox".start { evaluation_time = 0.05 }
local client <close> = assert(cekura.new {
  api_url = server.url, api_key = server.api_key, proxy = "",
})

local votes = 0
for round = 1, 20 do
  for run_id = 5540, 5545 do
    local vote = assert(client.runs:mark_metric_vote {
      run_id = run_id, metric_id = 55, thumbs_up = round % 2 == 0, expected_value = 2,
    })
    assert(vote.success)
    votes = votes + 1
  end
end

local result = assert(client.results:evaluate_metrics {
  result_id = 373, run_ids = { 5544, 5545 }, metric_ids = { 55 },
})
assert(result.status == "running")

local none, err = client.runs:mark_metric_vote { run_id = 5544 }
assert(none == nil and err.kind == "validation")

io.write(("%d votes, result %d %s\n"):format(votes, result.id, result.status))
