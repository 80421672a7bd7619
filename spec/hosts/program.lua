-- The checks of a host that is a program: each call is a process of its own.
local expect = require "expect"
local process = require "process"

local program = { checks = {} }
local checks = program.checks

-- Runs the program with this path and query, and returns the line with the outcome.
local function answer(host, path, query)
  local command = host:with_environment() .. host.command(path, query)
  return process.run(command .. " 2>&1"):match(host.answer)
end

function program.start() end

function checks.vote(host)
  expect("ok", answer(host, "/vote", "run=5544&id=vote"))
  expect(1, (host:count "vote"))
  return "1"
end

function checks.each(host)
  expect("10 ok", answer(host, "/each", "id=each"))
  expect(10, (host:count "each%-%d+"))
  return "10"
end

function checks.failure(host)
  expect("not_found no", answer(host, "/vote", "run=1&id=failure"))
  host.server:faults { { status = 501, applied = true } }
  expect("server unknown", answer(host, "/vote", "run=5544&id=failure"))
  return "2"
end

-- SIGTERM while a call is in flight.
function checks.shutdown(host)
  host.server:faults { { path = "/5544/", delay = 1.5, times = math.huge } }
  local command = host:with_environment() .. host.command("/vote", "run=5544&id=slow")
  host.process = process.start(command, host.log)
  if not process.poll(5, function() return host:count "slow" > 0 end) then
    error "the slow vote does not arrive"
  end
  host.process:signal "TERM"
  host.process:expect_end()
  return "stop"
end

return program
