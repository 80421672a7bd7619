-- votes.lua URL KEY COUNT: sends votes in sequence, as a script does.
-- `make bench` compares it with plain.c.
local cekura = require "cekura"
local client = assert(cekura.new { api_url = arg[1], api_key = arg[2] })
for _ = 1, tonumber(arg[3]) do
  assert(client.runs:mark_metric_vote {
    run_id = 5544, metric_id = 55, thumbs_up = false, expected_value = 2,
    feedback = "Agent missed the reschedule step",
  })
end
