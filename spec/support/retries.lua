-- What the specs of sending again have in common.
local assert = require "luassert"
local cekura = require "cekura"
local calls = require "support.calls"
local clock = require "support.clock"
local keys = require "support.keys"

local retries = {}

-- What is told to `on_event` has no key.
local function watched(on_event)
  return function(event) return on_event(keys.refused("an event", event)) end
end

-- A client of a fault server that waits hardly at all, unless the options say otherwise.
function retries.client(server, options)
  local all = {
    api_url = server.url, ca_file = server.ca_file, api_key = "the-key",
    timeout = clock.LIMIT, deadline = clock.LIMIT, backoff = { base = 0.001, cap = 0.01 },
  }
  for name, value in pairs(options or {}) do all[name] = value end
  all.on_event = all.on_event and watched(all.on_event)
  return assert(cekura.new(all))
end

-- A list with the same value several times.
function retries.times(count, value)
  local list = {}
  for i = 1, count do list[i] = value end
  return list
end

-- A client over which the next calls work, and are delivered no more often than it counts.
function retries.is_sound(client, server)
  server:clear()
  local value, response = calls.vote(client)
  assert.same({ success = true }, value)
  assert.is_true(server:deliveries() <= response.attempts)
  server:clear()
  value, response = calls.make(client, "results.evaluate_metrics")
  assert.same({ success = true }, value)
  assert.same({ 1, 1 }, { response.attempts, server:deliveries() })
end

return retries
