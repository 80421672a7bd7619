-- A process of secret_session_spec: uses every function of a client against a server that echoes
-- the key, and keeps the results. Until the end, only its environment contains the key.
--
--   busy_session.lua REVERSED-KEY JOURNAL
local cekura = require "cekura"
local calls = require "support.calls"
local heap = require "support.heap"

local reversed, journal = arg[1], arg[2]
local kept = {}

local function keep(...)
  for i = 1, select("#", ...) do kept[#kept + 1] = (select(i, ...)) end
end

local client = assert(cekura.new {
  max_attempts = 2, backoff = { base = 0.001, cap = 0.002 }, on_event = keep,
})

local function vote(options) return calls.vote(client, {}, options) end

local function each_endpoint()
  for _, names in ipairs { calls.names, calls.companions } do
    for _, name in ipairs(names) do
      keep(calls.make(client, name))
      keep(calls.make(client, name, {}, { dry_run = true }))
    end
  end
end

local function many()
  local options = { journal = journal, progress = true, collect = true }
  keep(client:each({ 1, 2, 3, 4, 5, 6 }, function(item)
    local value, err = vote()
    if item % 2 == 0 then error(err or value) end
    return value, err
  end, options))
end

local function waits_and_pages()
  local soon = { timeout = 0.05, interval = 0.01, progress = true, on_poll = keep }
  keep(client.results:wait({ result_id = 373 }, soon))
  keep(client.results:wait({ result_id = 373, after = { id = 373, status = "failed" } }, soon))
  keep(client.metric_reviews:wait({ progress_id = "a-job" }, soon))
  keep(client.metrics:wait({ progress_id = "a-job" }, soon))
  keep(client.calls:wait({ call_logs = { 1 }, metrics = { 57 } }, soon))
  keep(pcall(function()
    for item in client.results:pages {} do keep(item) end
  end))
end

local function other_ways()
  keep(client:request { method = "GET", path = "/x/", query = { a = "b" } })
  keep(client:request { method = "POST", path = "/x/", body = { a = "b" } })
  keep(pcall(client.runs.mark_metric_vote, 5))
  keep(xpcall(function() assert(vote()) end, debug.traceback))
  keep(xpcall(function() error(select(2, vote()) or "none") end, function(err)
    return debug.traceback(tostring(err))
  end))
  keep(tostring(client), tostring(client.runs), vote { headers = { ["X-A"] = "b" } })
end

-- Creates tasks that have ended, that are suspended in a call, and that were cancelled.
local function tasks()
  local done = client:spawn(vote)
  keep(done, done:wait())
  local suspended = client:spawn(function()
    local before <const> = kept
    keep(vote(), before)
  end)
  local ended = client:spawn(vote)
  client:step()
  ended:cancel()
  keep(suspended, ended)
end

each_endpoint()
many()
waits_and_pages()
other_ways()
tasks()

local function report(when)
  local paths = heap.finds(reversed)
  print(("heap %s: %d"):format(when, #paths))
  for _, path in ipairs(paths) do print(path) end
end

report "open"
for _, value in ipairs(kept) do
  if type(value) ~= "userdata" then print(tostring(value)) end
end
client:close()

-- Hides a key, to show that the search of the heap finds it.
local function hide(key)
  local suspended = coroutine.create(function(...)
    local here = { ... }
    coroutine.yield()
    return here
  end)
  coroutine.resume(suspended, key .. 1)
  local upvalue = key .. 2
  keep({ deep = { [key .. 3] = 1 } }, setmetatable({}, { __name = key .. 4 }), suspended,
    function() return upvalue end)
end
hide(reversed:reverse())
report "hidden"
os.exit(true, true)
