-- each with a journal: a file that is locked, read, written and forced to disk. It can be taken up.
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
-- Where there is no memory at all, Lua has none to call a __close with: the collector must do it.
if how == "onwards" then collectgarbage() end
local report, err = each()
os.remove(path)
assert(report and report.ok + report.skipped == 3, err)
assert(client:step() == false)
