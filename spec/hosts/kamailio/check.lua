local expect = require "expect"
local process = require "process"

local WAIT = 20  -- seconds for the last queued vote to arrive
local SLOW = 2   -- seconds that the sandbox takes for a vote on run 5543

local checks = {}

local function command(host, method, target, count)
  return ("python3 %s/kamailio/sip.py %d %s '%s' %d"):format(host.folder, host.port, method, target,
    count or 1)
end

local function sip(host, ...) return process.run(command(host, ...)) end

local function start(host)
  host.process = process.start(host:with_environment() .. host.command, host.log)
  -- A request that arrives before Kamailio is refused at once.
  local ready = process.poll(30, function() return sip(host, "OPTIONS", "/ping") == "pong\n" end)
  if not ready then error "the host does not answer" end
end

function checks.vote(host)
  expect("ok\n", sip(host, "MESSAGE", "/vote?run=5544&id=vote"))
  expect(1, (host:count "vote"))
  return "1"
end

function checks.each(host)
  expect("10 ok\n", sip(host, "MESSAGE", "/each?id=each"))
  expect(10, (host:count "each%-%d+"))
  return "10"
end

function checks.failure(host)
  expect("not_found no\n", sip(host, "MESSAGE", "/vote?run=1&id=failure"))
  host.server:faults { { status = 501, applied = true } }
  expect("server unknown\n", sip(host, "MESSAGE", "/vote?run=5544&id=failure"))
  expect("ok\n", sip(host, "MESSAGE", "/vote?run=5544&id=failure"))
  return "3"
end

-- Votes that are queued.
function checks.load(host)
  expect(("pong\n"):rep(200), sip(host, "BYE", "/vote?run=5544&id=load#", 200))
  host:expect_votes(WAIT, 200, "load%d+")
  return "200"
end

function checks.leaks(host)
  local function votes(id)
    for round = 1, 5 do
      local target = ("/vote?run=5544&id=%s%d-#"):format(id, round)
      expect(("ok\n"):rep(100), sip(host, "MESSAGE", target, 100))
      sip(host, "BYE", target .. "b", 100)
    end
    host:expect_votes(WAIT, 500, id .. "%d+%-%d+b")
  end
  votes "warm"
  local memory, descriptors = host.process:usage()
  local connections = host.server:state "connections"
  votes "more"
  local more_memory, more_descriptors = host.process:usage()
  if more_memory - memory > 1024 then
    error(("memory grew by %d KiB"):format(more_memory - memory))
  end
  expect(descriptors, more_descriptors)
  local opened = host.server:state "connections" - connections
  if opened > 3 then error(("%d connections"):format(opened)) end
  return ("%+d KiB"):format(more_memory - memory)
end

-- Starts slow votes, and returns how long an OPTIONS takes meanwhile.
local function seconds_of_a_ping(host, method, count, id, arrived)
  local pipe = io.popen(command(host, method, ("/vote?run=5543&id=%s#"):format(id), count))
  if not process.poll(10, function() return host:count(id .. "%d+") == arrived end) then
    error "the slow votes do not arrive"
  end
  local started = process.now()
  expect("pong\n", sip(host, "OPTIONS", "/ping"))
  local taken = process.now() - started
  expect((method == "BYE" and "pong\n" or "ok\n"):rep(count), pipe:read "a")
  pipe:close()
  return taken
end

-- A slow vote blocks one of the two workers; two of them block both. Queued votes block none.
function checks.stalls(host)
  host.server:faults { { path = "/5543/", delay = SLOW, times = math.huge } }
  if seconds_of_a_ping(host, "MESSAGE", 1, "one", 1) > SLOW / 2 then error "one vote blocks" end
  if seconds_of_a_ping(host, "MESSAGE", 2, "two", 2) < SLOW / 2 then error "two do not block" end
  if seconds_of_a_ping(host, "BYE", 2, "queued", 1) > SLOW / 2 then error "queued votes block" end
  host:expect_votes(WAIT, 2, "queued%d+")
  return "worker"
end

function checks.shutdown(host)
  for _, method in ipairs { "BYE", "MESSAGE" } do
    os.execute(command(host, method, "/vote?run=5543&id=shutdown" .. method, 1) .. " >/dev/null &")
    if not process.poll(10, function() return host:count("shutdown" .. method) > 0 end) then
      error "the slow vote does not arrive"
    end
  end
  host.process:signal "TERM"
  host.process:expect_end()
  return "stop"
end

return { {
  name = "Kamailio", version = "kamailio -v", start = start, checks = checks,
  command = [[sh -c 'SCRIPT="$HOSTS/kamailio/vote.lua" exec kamailio -DD -E \
    -f "$HOSTS/kamailio/kamailio.cfg" -l "udp:127.0.0.1:$PORT" \
    -Y "$SCRATCH" -P "$SCRATCH/kamailio.pid"']],
} }
