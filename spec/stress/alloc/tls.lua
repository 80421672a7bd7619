-- Two calls over TLS. The second opens its own connection, and resumes the session of the first.
local failing, url, _, ca_file = ...
local common = require "stress.alloc.common"

local options = common.options(url)
options.ca_file = ca_file
local client <close> = assert(require "cekura.core".new(options))

local function call_twice()
  local vote, err = common.vote(client)
  if not vote then return nil, err end
  return client.results:evaluate_metrics { result_id = 3, run_ids = { 5544 }, metric_ids = { 55 } }
end

common.check(failing(call_twice))
assert(call_twice())
