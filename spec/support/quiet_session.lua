-- A process of secret_session_spec: makes some calls, and stops twice for a search of its memory
-- (support/memory.py), before and after its client is closed.
local cekura = require "cekura"
local calls = require "support.calls"

local function look(name)
  collectgarbage()
  collectgarbage()
  print("look " .. name)
  io.stdout:flush()
  io.read()
end

local client = assert(cekura.new {
  ca_file = os.getenv "CA_FILE", backoff = { base = 0.001, cap = 0.001 },
})
for _ = 1, 4 do  -- that fail
  local value = calls.vote(client, {}, { timeout = 0.5, max_attempts = 1 })
  assert(not value)
end
for _ = 1, 3 do  -- the first one at its second attempt
  assert(calls.vote(client))
end
assert(client:each({ 1, 2, 3, 4 }, function() return calls.vote(client) end))
look "open"
local unfinished = client:spawn(function()
  calls.vote(client, {}, { headers = { ["X-Trace"] = "a" } })
end)
client:step()
client:close()
look "closed"
assert(tostring(unfinished))
os.exit(true, true)
