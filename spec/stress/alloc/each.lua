-- An `each` over ten items, one of which is retried, with an on_event. A second `each` succeeds.
local failing, url = ...
local common = require "stress.alloc.common"
local cekura = require "cekura"

local events = 0
local client <close> = assert(cekura.new(common.options(url, function() events = events + 1 end)))
local rows = { 5544, 5544, 5544, 5544, common.BROKEN, 5544, 5544, 5544, 5544, 5544 }

local function each()
  return client:each(rows, function(row) return common.vote(client, row) end, { concurrency = 4 })
end

common.check(failing(each))
local report = assert(each())
assert(report.ok == 9 and #report.errors == 1)
assert(report.errors[1].error.attempts == 2)
assert(client:step() == false)
assert(common.vote(client))
