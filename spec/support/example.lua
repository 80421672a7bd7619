-- An example, run as a user would run it, with a sandbox and a folder of its own.
-- Close it after the test: it stops the sandbox and removes the folder.
--
--   local example <close> = Example.new("reevaluate_result", { evaluation_time = 0.1 })
--   local output, errors, code = example:run("373", "--metrics", "55")

local cekura = require "cekura"
local child = require "support.child"
local keys = require "support.keys"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"
local system = require "system"

local Example = {}
Example.__index = Example

-- True if a tool such as valgrind runs the processes, which then take longer.
Example.is_slow = (os.getenv "CEKURA_RUN" or "") ~= ""

-- Seconds: a timeout that passes after one or two polls, a timeout during which the server is
-- stopped, and an evaluation that still runs when the command looks at it.
Example.SHORT, Example.LOST = Example.is_slow and "8" or "0.3", Example.is_slow and "20" or "2"
Example.RUNNING = Example.is_slow and 20 or 0.5

local NOW = 1763726400  -- fixes the dates in the sandbox

-- `options` are the sandbox's.
function Example.new(name, options)
  local all = { now = NOW, evaluation_time = 0.05, api_key = keys.KEY, votes_feed_lab = true }
  for option, value in pairs(options or {}) do all[option] = value end
  local server = sandbox.start(all)
  return setmetatable({
    words = { child.lua, "examples/" .. name .. ".lua" }, server = server,
    folder = scratch.folder(), always = {},
    environment = {
      CEKURA_API_URL = server.url, CEKURA_API_KEY = server.api_key, no_proxy = "127.0.0.1",
      TERM = false,
    },
  }, Example)
end

function Example:close()
  self.server:stop()
  scratch.remove(self.folder)
end

Example.__close = Example.close

-- Returns the path of a name in the folder.
function Example:path(name) return self.folder .. "/" .. name end

-- Writes a file in the folder. Returns its path.
function Example:write(name, text)
  scratch.write(self:path(name), text)
  return self:path(name)
end

-- Returns the words of a command, with those in `always` before the given ones.
function Example:command(...)
  local words = { table.unpack(self.words) }
  table.move(self.always, 1, #self.always, #words + 1, words)
  return table.move({ ... }, 1, select("#", ...), #words + 1, words)
end

-- Returns what it wrote to stdout and to stderr, and its exit code.
function Example:run(...)
  return child.run_checked_apart(self:command(...), self.environment)
end

-- Returns a process, see child.start_checked.
function Example:start(...)
  return child.start_checked(self:command(...), self.environment)
end

-- After `skip` reads of a result, the next two get the result as it is now, as a slow server would
-- show it.
function Example:lag(id, skip)
  local client <close> =
    assert(cekura.new { api_url = self.server.url, api_key = self.server.api_key })
  local path = ("/test_framework/v2/results/%d/"):format(id)
  local old = assert(client:request { method = "GET", path = path })
  self.server:faults { { method = "GET", path = path .. "$", status = 200, body = old,
    skip = skip, times = 2 } }
end

-- ---- requests ----

-- Returns "POST path" and the body of each request that is not a GET, in one list.
function Example:sent()
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
function Example:changes(pattern)
  local list = {}
  for _, request in ipairs(self.server:requests()) do
    local line = request.method .. " " .. request.path
    if request.method ~= "GET" and line:find(pattern or "") then list[#list + 1] = line end
  end
  return list
end

-- Returns the body of the last request whose "METHOD path" matches.
function Example:body(pattern)
  local requests = self.server:requests()
  for i = #requests, 1, -1 do
    local request = requests[i]
    if (request.method .. " " .. request.path):find(pattern) then return request.body end
  end
end

-- ---- waiting ----

local function await(test)
  local give_up = system.monotime() + (Example.is_slow and 60 or 10)
  while not test() do
    assert(system.monotime() < give_up, "it does not happen in time")
    system.sleep(0.005)
  end
end

-- Waits for a number of GETs after the last request that is not a GET.
function Example:await_polls(count)
  await(function()
    local polls
    for _, request in ipairs(self.server:requests()) do
      if request.method ~= "GET" then polls = 0 elseif polls then polls = polls + 1 end
    end
    return polls and polls >= count
  end)
end

-- Waits for a number of requests whose "METHOD path" matches; one by default.
function Example:await_requests(pattern, count)
  await(function()
    local found = 0
    for _, request in ipairs(self.server:requests()) do
      if (request.method .. " " .. request.path):find(pattern) then found = found + 1 end
    end
    return found >= (count or 1)
  end)
end

-- Waits until a file in the folder has a text that matches.
function Example:await_file(name, pattern)
  await(function() return (scratch.read(self:path(name)) or ""):find(pattern) end)
end

return Example
