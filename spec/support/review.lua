-- A subcommand of cekura-review, run as a user would run it, with a sandbox and a folder for it.
-- Close it after the test: it stops the sandbox and removes the folder.
--
--   local review <close> = Review.new("reevaluate", { evaluation_time = 0.1 })
--   local output, errors, code = review:run("373", "--metrics", "55")

local cekura = require "cekura"
local child = require "support.child"
local clock = require "support.clock"
local keys = require "support.keys"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"
local system = require "system"

local Review = {}
Review.__index = Review

-- True if a tool such as valgrind runs the processes, which then take longer.
Review.is_slow = (os.getenv "CEKURA_RUN" or "") ~= ""
local is_busy = os.getenv "CEKURA_BUSY" == "yes"

-- Seconds: a timeout that passes after a poll, and a timeout during which the server is stopped.
Review.SHORT = Review.is_slow and "8" or is_busy and "2" or "0.3"
Review.LOST = Review.is_slow and "20" or is_busy and "4" or "1.5"

-- The evaluation_time of jobs that end with server:finish_jobs().
Review.RUNNING = math.huge

local NOW = 1763726400  -- fixes the dates in the sandbox

-- `options` are the sandbox's.
function Review.new(name, options)
  local all = { now = NOW, evaluation_time = 0.05, api_key = keys.KEY, votes_feed_lab = true }
  for option, value in pairs(options or {}) do all[option] = value end
  local server = sandbox.start(all)
  return setmetatable({
    words = { child.lua, "bin/cekura-review", name }, server = server,
    folder = scratch.folder(), always = {},
    environment = {
      CEKURA_API_URL = server.url, CEKURA_API_KEY = server.api_key, no_proxy = "127.0.0.1",
      TERM = false,
    },
  }, Review)
end

function Review:close()
  self.server:stop()
  scratch.remove(self.folder)
end

Review.__close = Review.close

-- Returns the path of a name in the folder.
function Review:path(name) return self.folder .. "/" .. name end

-- Writes a file in the folder. Returns its path.
function Review:write(name, text)
  scratch.write(self:path(name), text)
  return self:path(name)
end

-- Returns the words of a command, with those in `always` before the given ones.
function Review:command(...)
  local words = { table.unpack(self.words) }
  table.move(self.always, 1, #self.always, #words + 1, words)
  return table.move({ ... }, 1, select("#", ...), #words + 1, words)
end

-- Returns what it wrote to stdout and to stderr, and its exit code.
function Review:run(...)
  return child.run_checked_apart(self:command(...), self.environment)
end

-- Returns a process, see child.start_checked.
function Review:start(...)
  return child.start_checked(self:command(...), self.environment)
end

-- After `skip` reads of a result, the next two get the result as it is now, as a slow server would
-- show it.
function Review:lag(id, skip)
  local client <close> =
    assert(cekura.new { api_url = self.server.url, api_key = self.server.api_key })
  local path = ("/test_framework/v2/results/%d/"):format(id)
  local old = assert(client:request { method = "GET", path = path })
  self.server:faults { { method = "GET", path = path .. "$", status = 200, body = old,
    skip = skip, times = 2 } }
end

-- ---- requests ----

-- Returns "POST path" and the body of each request that is not a GET, in one list.
function Review:sent()
  local list = {}
  for _, request in ipairs(self.server:requests()) do
    if request.method ~= "GET" then
      table.insert(list, request.method .. " " .. request.path)
      table.insert(list, request.body)
    end
  end
  return list
end

-- Returns "POST path" of each request that is not a GET and matches the pattern, if there is one.
function Review:changes(pattern)
  local list = {}
  for _, request in ipairs(self.server:requests()) do
    local line = request.method .. " " .. request.path
    if request.method ~= "GET" and line:find(pattern or "") then list[#list + 1] = line end
  end
  return list
end

-- Returns the body of the last request whose "METHOD path" matches.
function Review:body(pattern)
  local requests = self.server:requests()
  for i = #requests, 1, -1 do
    local request = requests[i]
    if (request.method .. " " .. request.path):find(pattern) then return request.body end
  end
end

-- ---- waiting ----

local function await(test)
  local give_up = system.monotime() + clock.LIMIT
  while not test() do
    assert(system.monotime() < give_up, "it does not happen in time")
    system.sleep(0.005)
  end
end

-- Does the same as `run`, and ends the running jobs when `wait` returns. Their evaluation_time is
-- Review.RUNNING.
function Review:run_until(wait, ...)
  local path = scratch.path()
  local process = child.start(child.checked(self:command(...)), self.environment, path)
  wait()
  self.server:finish_jobs()
  local output, code = process:finish()
  local errors = scratch.read(path)
  os.remove(path)
  return output, errors, code
end

-- Waits for a number of GETs after the last request that is not a GET.
function Review:await_polls(count)
  await(function()
    local polls
    for _, request in ipairs(self.server:requests()) do
      if request.method ~= "GET" then polls = 0 elseif polls then polls = polls + 1 end
    end
    return polls and polls >= count
  end)
end

-- Waits for a number of requests whose "METHOD path" matches; one by default.
function Review:await_requests(pattern, count)
  await(function()
    local found = 0
    for _, request in ipairs(self.server:requests()) do
      if (request.method .. " " .. request.path):find(pattern) then found = found + 1 end
    end
    return found >= (count or 1)
  end)
end

-- Returns how many of these processes have ended.
local function ended(processes)
  local count = 0
  for _, process in ipairs(processes) do
    local stat = scratch.read(("/proc/%d/stat"):format(process.pid)) or ""
    count = count + (stat:find "%) Z" and 1 or 0)  -- a zombie until process:finish()
  end
  return count
end

-- Waits until all but one of these processes have ended, then ends the running jobs until that one
-- has ended, too.
function Review:await_ends(processes)
  await(function() return ended(processes) >= #processes - 1 end)
  self:finish_jobs_until(function() return ended(processes) == #processes end)
end

-- Ends the running jobs again and again until test() is true. Their evaluation_time is
-- Review.RUNNING.
function Review:finish_jobs_until(test)
  await(function()
    if test() then return true end
    self.server:finish_jobs()
  end)
end

-- Waits until a file in the folder has a text that matches.
function Review:await_file(name, pattern)
  await(function() return (scratch.read(self:path(name)) or ""):find(pattern) end)
end

return Review
