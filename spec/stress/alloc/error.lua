-- A call with invalid arguments, and a call that the server refuses.
local failing, url = ...
local common = require "stress.alloc.common"

local client <close> = assert(require "cekura.core".new(common.options(url)))

local function fail()
  local none, err = client.runs:mark_metric_vote { run_id = "x", metric_id = {}, surplus = 1 }
  assert(none == nil and err.kind == "validation")
  return common.vote(client, 9999999)
end

common.check(failing(fail))
local _, err = fail()
assert(err.kind == "not_found", err)
assert(common.vote(client))
