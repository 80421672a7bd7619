-- An `each` with a journal, a file that is locked, read, written and synced. A second `each`
-- continues the journal.
local failing, url, how = ...
local common = require "stress.alloc.common"
local cekura = require "cekura"

local path = os.tmpname()
local client <close> = assert(cekura.new(common.options(url)))

local function each()
  return client:each({ "a", "b", "c" }, function() return common.vote(client) end,
    { journal = path, work = "w", redo_unknown = true })
end

common.check(failing(each))
-- Without memory, Lua cannot call a __close: the collector closes the file.
if how == "onwards" then collectgarbage() end
local report, err = each()
os.remove(path)
assert(report and report.ok + report.skipped == 3, err)
assert(client:step() == false)
