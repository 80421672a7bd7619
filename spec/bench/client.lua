-- client.lua URL KEY CALL CONCURRENCY JOURNAL COUNT: makes calls as a script does: in sequence, or
-- with client:each if CONCURRENCY is above 0. CALL is "vote" or "evaluate". JOURNAL may be empty.
local cekura = require "cekura"
local url, key, name, concurrency, journal, count = table.unpack(arg)
local client = assert(cekura.new { api_url = url, api_key = key })
concurrency, count = tonumber(concurrency), tonumber(count)

local calls = {}

function calls.vote()
  return client.runs:mark_metric_vote {
    run_id = 5544, metric_id = 55, thumbs_up = false, expected_value = 2,
    feedback = "Agent missed the reschedule step",
  }
end

function calls.evaluate()
  return client.results:evaluate_metrics {
    result_id = 373, run_ids = { 5544 }, metric_ids = { 55 },
  }
end

local function each_of(call)
  local index = 0
  local function source()
    index = index + 1
    return index <= count and index or nil
  end
  local report = assert(client:each(source, call, {
    concurrency = concurrency, journal = journal ~= "" and journal or nil, key = tostring,
  }))
  if report.errors[1] then error(report.errors[1].error) end
  assert(report.ok == count)
end

if journal ~= "" then os.remove(journal) end
if concurrency > 0 then
  each_of(calls[name])
else
  for _ = 1, count do assert(calls[name]()) end
end
