-- votes_each.lua URL KEY COUNT CONCURRENCY: sends votes with client:each, as a script does.
-- `make bench` compares it with plain_multi.c.
local cekura = require "cekura"
local client = assert(cekura.new { api_url = arg[1], api_key = arg[2] })
local count, index = tonumber(arg[3]), 0

local function source()
  index = index + 1
  return index <= count and index or nil
end

local report = assert(client:each(source, function()
  return client.runs:mark_metric_vote {
    run_id = 5544, metric_id = 55, thumbs_up = false, expected_value = 2,
    feedback = "Agent missed the reschedule step",
  }
end, { concurrency = tonumber(arg[4]) }))
assert(report.ok == count)
