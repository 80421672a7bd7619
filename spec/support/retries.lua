-- Functions that the retry specs share: a client with short waits, and a check that it still works.
local assert = require "luassert"
local cekura = require "cekura"
local calls = require "support.calls"
local clock = require "support.clock"
local keys = require "support.keys"

local retries = {}

-- Returns an `on_event` that raises an error if an event contains a key.
local function watched(on_event)
  return function(event) return on_event(keys.refused("an event", event)) end
end

-- Returns a client of a fault server. Its backoff is short unless the options change it.
function retries.client(server, options)
  local all = {
    api_url = server.url, ca_file = server.ca_file, api_key = "the-key",
    timeout = clock.LIMIT, deadline = clock.LIMIT, backoff = { base = 0.001, cap = 0.01 },
  }
  for name, value in pairs(options or {}) do all[name] = value end
  all.on_event = all.on_event and watched(all.on_event)
  return assert(cekura.new(all))
end

-- Returns a client like retries.client, and the list of its events in order. The options may have
-- another on_event, which leaves the list empty.
function retries.observed(server, options)
  local events = {}
  local all = { on_event = function(event) events[#events + 1] = event end }
  for name, value in pairs(options or {}) do all[name] = value end
  return retries.client(server, all), events
end

-- Returns a function like `it`, whose test is repeated if the processes were too slow for its
-- delays. `server` returns the fault server, which is cleared each time.
function retries.patient(it, server)
  return function(title, fn)
    it(title, function()
      clock.patiently(function()
        server():clear()
        fn()
      end)
    end)
  end
end

-- Returns a list of `count` times the same value.
function retries.times(count, value)
  local list = {}
  for i = 1, count do list[i] = value end
  return list
end

-- Fails unless the next calls of the client succeed, and arrive no more often than it counts.
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
