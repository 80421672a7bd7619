-- The checks of a host that is a web server. Each check raises an error if a promise is broken, and
-- returns a few words for the table.
local expect = require "expect"
local process = require "process"

local LOAD = 200  -- concurrent requests
local WAIT = 10   -- seconds for the last vote to arrive
local SLOW = 3    -- seconds of a vote during which another request is measured

local web = { checks = {} }
local checks = web.checks

local function get(host, path, options)
  return process.run(("curl -s -m 60 %s '%s%s'"):format(options or "", host.url, path))
end

-- Expects that `count` requests in one go are answered, and that their votes arrive.
local function vote_often(host, count, id, options)
  local answers = get(host, ("/vote?run=5544&id=%s[1-%d]"):format(id, count), options)
  expect(host.reply:rep(count), answers)
  host:expect_votes(WAIT, count, id .. "%d+")
end

-- Starts the host, and waits for its answer. `reply` is the answer to a vote.
function web.start(host)
  host.reply = host.reply or "ok\n"
  host.process = process.start(host:with_environment() .. host.command, host.log)
  if not process.poll(30, function() return get(host, "/ping") == "pong\n" end) then
    error "the host does not answer"
  end
end

-- Starts a slow vote, and waits until it has arrived at the sandbox. Returns a function that
-- expects the answer.
local function start_slow_vote(host, id, seconds)
  host.server:faults { { path = "/5543/", delay = seconds } }
  local pipe = io.popen(("curl -s -m 20 '%s/vote?run=5543&id=%s'"):format(host.url, id))
  if not process.poll(10, function() return host:count(id) > 0 end) then
    error "the slow vote does not arrive"
  end
  return function(expected)
    local got = pipe:read "a"
    pipe:close()
    expect(expected or got, got)
  end
end

function checks.vote(host)
  vote_often(host, 1, "vote")
  return "1"
end

function checks.each(host)
  expect("10 ok\n", get(host, "/each?id=each"))
  host:expect_votes(WAIT, 10, "each%-%d+")
  return "10"
end

function checks.failure(host)
  expect("not_found no\n", get(host, "/vote?run=1&id=failure"))
  host.server:faults { { status = 501, applied = true } }
  expect("server unknown\n", get(host, "/vote?run=5544&id=failure"))
  expect("ok\n", get(host, "/vote?run=5544&id=failure"))
  return "3"
end

function checks.load(host)
  host.server:faults { { path = "/5544/", delay = 0.01, times = math.huge } }
  vote_often(host, LOAD, "load",
    "--parallel --parallel-immediate --parallel-max " .. LOAD)
  host.server:faults {}
  return tostring(LOAD)
end

-- Memory and descriptors stay flat, and connections are used again. Each of the host's `threads`
-- may open one more connection.
function checks.leaks(host)
  local requests, threads = host.requests or 200, host.threads or 1
  vote_often(host, requests, "warm")
  local memory, descriptors = host.process:usage()
  local connections = host.server:state "connections"
  vote_often(host, requests, "more")
  local grown, more_descriptors = host.process:usage()
  grown = grown - memory
  local opened = host.server:state "connections" - connections
  if grown > 1024 then error(("memory grew by %d KiB"):format(grown)) end
  if more_descriptors > descriptors + 3 * threads then
    error(("descriptors grew from %d to %d"):format(descriptors, more_descriptors))
  end
  if opened > threads then error(("%d connections"):format(opened)) end
  return ("%+d KiB"):format(grown)
end

-- A slow vote delays other requests exactly if the guide says so: `blocks`.
function checks.stalls(host)
  if host.blocks == nil then return "-" end
  local expect_answer = start_slow_vote(host, "stall", SLOW)
  local started = process.now()
  expect("pong\n", get(host, "/ping"))
  local blocked = process.now() - started > SLOW / 2
  expect_answer(host.reply)
  if blocked ~= host.blocks then
    error(("a slow call %s other requests"):format(blocked and "delays" or "does not delay"))
  end
  return blocked and "blocks" or "none"
end

-- A signal during a call replaces the host's workers, or ends the host, without a crash.
function checks.shutdown(host)
  if host.reload then
    local expect_answer = start_slow_vote(host, "reload", 1)
    host.process:signal(host.reload)
    expect_answer(host.reply)
    if not process.poll(10, function()
      return get(host, "/vote?run=5544&id=reloaded") == host.reply
    end) then
      error "no vote after the reload"
    end
  end
  local expect_answer = start_slow_vote(host, "shutdown", 1)
  host.process:signal "TERM"
  host.process:expect_end()
  expect_answer()
  return host.reload and "reload, stop" or "stop"
end

return web
