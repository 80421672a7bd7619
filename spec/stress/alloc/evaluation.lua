-- An evaluation with a large response, on a client that has a connection. Later calls succeed, and
-- use that connection.
local failing, url = ...
local common = require "stress.alloc.common"

local client <close> = assert(require "cekura.core".new(common.options(url)))

local function evaluate()
  return client.results:evaluate_metrics {
    result_id = 373, run_ids = { 5544, 5545 }, metric_ids = { 55 },
  }
end

assert(common.vote(client))
common.check(failing(evaluate))
assert(common.vote(client))
local before = common.descriptors()
assert(common.vote(client))
assert(common.descriptors() == before, "a vote took a connection of its own")
assert(#assert(evaluate()) == 500)
collectgarbage()
collectgarbage()  -- also the calls of which memory ran out
local spent = client:spent()
assert(spent.in_flight == 0 and spent.evaluations >= 2, "not every call was settled")
