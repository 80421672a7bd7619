-- An example, run as a person would run it, with a sandbox and a folder of its own.
--
--   local ci_gate = rehearsal.new("ci_gate", { evaluation_time = 0.1 })
--   local output, errors, code = ci_gate:run("--result", "373", …)
--   ci_gate:close()

local Example = require "support.example"
local scratch = require "support.scratch"
local system = require "system"

local rehearsal = {}

-- Knows all that an Example knows.
local Rehearsal = setmetatable({}, { __index = Example })
Rehearsal.__index = Rehearsal

-- A tool under which everything takes longer.
rehearsal.slow = (os.getenv "CEKURA_RUN" or "") ~= ""

function rehearsal.new(name, options)
  local self = setmetatable(Example.new(name, options), Rehearsal)
  self.folder, self.always = scratch.folder(), {}
  self.environment.TERM = false
  return self
end

function Rehearsal:close()
  self.server:stop()
  scratch.remove(self.folder)
end

function Rehearsal:path(name) return self.folder .. "/" .. name end

-- With `always` before the words.
function Rehearsal:command(...)
  local words = table.move(self.always, 1, #self.always, 1, {})
  table.move({ ... }, 1, select("#", ...), #words + 1, words)
  return Example.command(self, table.unpack(words))
end

-- The requests that may change something, in order: "POST /…/". `pattern` chooses some of them.
function Rehearsal:changes(pattern)
  local list = {}
  for _, request in ipairs(self.server:requests()) do
    local line = request.method .. " " .. request.path
    if request.method ~= "GET" and line:find(pattern or "") then
      list[#list + 1] = line
    end
  end
  return list
end

-- The body of the last request whose method and path match.
function Rehearsal:body(pattern)
  local requests = self.server:requests()
  for i = #requests, 1, -1 do
    local request = requests[i]
    if (request.method .. " " .. request.path):find(pattern) then return request.body end
  end
end

-- Waits until test() is true; not for ever.
function rehearsal.await(test)
  local give_up = system.monotime() + (rehearsal.slow and 60 or 10)
  while not test() do
    assert(system.monotime() < give_up, "it does not happen")
    system.sleep(0.005)
  end
end

-- Waits until a file has a text that matches.
function Rehearsal:await_file(name, pattern)
  rehearsal.await(function() return (scratch.read(self:path(name)) or ""):find(pattern) end)
end

-- Waits until so many requests have arrived whose method and path match: one, if nobody says.
function Rehearsal:await_requests(pattern, count)
  rehearsal.await(function()
    local found = 0
    for _, request in ipairs(self.server:requests()) do
      if (request.method .. " " .. request.path):find(pattern) then found = found + 1 end
    end
    return found >= (count or 1)
  end)
end

return rehearsal
