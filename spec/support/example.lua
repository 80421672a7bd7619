-- An example, run as a person would run it, against a sandbox of its own.
--
--   local example <close> = Example.new("reevaluate_result", { evaluation_time = 0.05 })
--   local output, errors, code = example:run("373", "--metrics", "55")
local child = require "support.child"
local keys = require "support.keys"
local sandbox = require "cekura.sandbox"
local system = require "system"

local Example = {}
Example.__index = Example

local TOOL = (os.getenv "CEKURA_RUN" or "") ~= ""  -- a tool under which everything takes longer

-- Seconds: of a timeout that is to pass after a poll or two, of one in which a server is lost, and
-- of an evaluation that still runs when the command looks at it.
Example.SHORT, Example.LOST = TOOL and "8" or "0.3", TOOL and "20" or "2"
Example.RUNNING = TOOL and 20 or 0.5

local NOW = 1763726400  -- so that dates are always the same ones

-- With options of the sandbox.
function Example.new(name, options)
  local all = { now = NOW, evaluation_time = 0.05, api_key = keys.KEY }
  for option, value in pairs(options or {}) do all[option] = value end
  local server = sandbox.start(all)
  return setmetatable({
    words = { child.lua, "examples/" .. name .. ".lua" }, server = server,
    environment = {
      CEKURA_API_URL = server.url, CEKURA_API_KEY = server.api_key, no_proxy = "127.0.0.1",
    },
  }, Example)
end

function Example:command(...)
  local words = { ... }
  return table.move(words, 1, #words, #self.words + 1, { table.unpack(self.words) })
end

-- What it wrote to stdout, to stderr, and its exit code.
function Example:run(...)
  return child.run_checked_apart(self:command(...), self.environment)
end

-- A process, see child.start_checked.
function Example:start(...)
  return child.start_checked(self:command(...), self.environment)
end

-- What arrived that was no GET: "POST path" and the body, one behind the other.
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

-- Waits until something that was no GET has arrived, and then a number of GETs; not for ever.
function Example:await_polls(count)
  local give_up = system.monotime() + (TOOL and 60 or 10)
  repeat
    local polls
    for _, request in ipairs(self.server:requests()) do
      if request.method ~= "GET" then polls = 0 elseif polls then polls = polls + 1 end
    end
    if polls and polls >= count then return end
    system.sleep(0.005)
  until system.monotime() > give_up
  error "it does not poll"
end

function Example:__close() self.server:stop() end

return Example
