-- Simulates a client with a limiter, and a server that limits requests, in virtual time.
--
--   local simulate = require "support.limited_server"
--   local found = simulate(simulate.concurrent(32), { concurrency = 256, latency = 0.05 })
--
-- The client has `concurrency` workers, which make one call after the other for `seconds` (10), and
-- the queue of src/http/queue.c. `latency` is that of an accepted request on average, of which the
-- server needs 80 %, or what `network` (0.1), the share of each way, leaves.
-- Returns { accepted = number, rejected = share of the requests }.
local decisions = require "decisions"

-- Returns a queue of events: push(time, fn, argument), and pop() → the earliest of them.
local function new_events()
  local heap = {}
  local events = {}

  function events.push(time, fn, argument)
    local i = #heap + 1
    while i > 1 and heap[i // 2].time > time do
      heap[i] = heap[i // 2]
      i = i // 2
    end
    heap[i] = { time = time, fn = fn, argument = argument }
  end

  function events.next_time() return heap[1] and heap[1].time or math.huge end

  function events.pop()
    local first, last = heap[1], table.remove(heap)
    local i, count = 1, #heap
    while i * 2 <= count do
      local child = i * 2
      if child < count and heap[child + 1].time < heap[child].time then child = child + 1 end
      if heap[child].time >= last.time then break end
      heap[i] = heap[child]
      i = child
    end
    if count > 0 then heap[i] = last end
    return first
  end

  return events
end

-- The waiting calls, by the number of attempts that they have made.
local function new_queue()
  local lists, most = {}, 0
  local queue = { length = 0 }

  function queue.push(call)
    local list = lists[call.attempts] or { first = 1, last = 0 }
    lists[call.attempts] = list
    most = math.max(most, call.attempts)
    list.last = list.last + 1
    list[list.last] = call
    queue.length = queue.length + 1
  end

  function queue.pop(fewest)
    local from, to, step = most, 0, -1
    if fewest then from, to, step = 0, most, 1 end
    for attempts = from, to, step do
      local list = lists[attempts]
      if list and list.first <= list.last then
        local call = list[list.first]
        list[list.first] = nil
        list.first = list.first + 1
        queue.length = queue.length - 1
        return call
      end
    end
  end

  return queue
end

-- Returns the client: { accepted, rejected, start, admit, pause_left }.
local function new_client(events, server, options, random)
  local limiter, queue = decisions.limiter(), new_queue()
  local client = { accepted = 0, rejected = 0 }
  local paused_until = 0
  local network = options.network or 0.1

  local function after(now, share, fn, call)
    events.push(now + share * options.latency * (0.5 + random()), fn, call)
  end

  local function call_again(now, call)
    queue.push(call)
    client.admit(now)
  end

  local function end_accepted(now, call)
    client.accepted = client.accepted + 1
    decisions.finish(limiter)
    decisions.note_success(limiter, call.epoch, call.in_flight, now)
    call.attempts = 0
    call_again(now, call)
  end

  local function end_rejected(now, call)
    client.rejected = client.rejected + 1
    decisions.finish(limiter)
    local pause = decisions.decide { status = 429, whole = true, attempt = call.attempts,
      max_attempts = 1000, time_left = math.huge, random = random(),
      retry_after = server.retry_after and server.retry_after(now) }
    paused_until = math.max(paused_until, now + pause)
    decisions.note_rate_limited(limiter, call.epoch, call.in_flight, now, pause)
    call_again(now, call)
  end

  local function respond(now, call)
    server.leave(now)
    after(now, network, end_accepted, call)
  end

  local function arrive(now, call)
    if server.accepts(now, random) then after(now, 1 - 2 * network, respond, call)
    else after(now, network, end_rejected, call) end
  end

  function client.admit(now)
    while queue.length > 0 and decisions.allows(limiter, now) do
      local call = queue.pop(decisions.is_trial(limiter))
      call.attempts = call.attempts + 1
      call.epoch, call.in_flight = decisions.begin(limiter)
      after(now, network, arrive, call)
    end
  end

  function client.start()
    for _ = 1, options.concurrency do queue.push { attempts = 0 } end
    client.admit(0)
  end

  function client.pause_ends(now) return paused_until > now and paused_until or math.huge end

  return client
end

local function run(_, server, options)
  local seed = options.seed or 1
  local function random()  -- the same numbers in every version of Lua
    seed = seed * 48271 % 2147483647
    return seed / 2147483647
  end
  local events = new_events()
  local client = new_client(events, server, options, random)
  local seconds, now = options.seconds or 10, 0
  client.start()
  while now <= seconds do
    local pause_ends = client.pause_ends(now)
    if pause_ends < events.next_time() then
      now = pause_ends
      client.admit(now)
    else
      local event = events.pop()
      now = event.time
      event.fn(now, event.argument)
    end
  end
  return { accepted = client.accepted,
    rejected = client.rejected / (client.accepted + client.rejected) }
end

local simulate = setmetatable({}, { __call = run })

local function nothing() end

local function seconds(retry_after)
  return retry_after and function() return retry_after end
end

-- Rejects beyond `most` requests at once, a number or a function of the time.
function simulate.concurrent(most, retry_after)
  local count = 0
  return {
    accepts = function(now)
      if count >= (type(most) == "function" and most(now) or most) then return false end
      count = count + 1
      return true
    end,
    leave = function() count = count - 1 end,
    retry_after = seconds(retry_after),
  }
end

-- Accepts `rate` requests per second on average, and `burst` at once.
function simulate.bucket(rate, burst, retry_after)
  local tokens, last = burst, 0
  return {
    accepts = function(now)
      tokens, last = math.min(burst, tokens + (now - last) * rate), now
      if tokens < 1 then return false end
      tokens = tokens - 1
      return true
    end,
    leave = nothing,
    retry_after = seconds(retry_after),
  }
end

-- Accepts `count` requests in each window of so many seconds; Retry-After is the end of the window.
function simulate.window(count, length)
  local window, used = 0, 0
  return {
    accepts = function(now)
      if now // length > window then window, used = now // length, 0 end
      used = used + 1
      return used <= count
    end,
    leave = nothing,
    retry_after = function(now) return math.ceil(length - now % length) end,
  }
end

-- Rejects every request between two moments.
function simulate.moment(from, till, retry_after)
  return {
    accepts = function(now) return now < from or now >= till end,
    leave = nothing,
    retry_after = seconds(retry_after),
  }
end

return simulate
