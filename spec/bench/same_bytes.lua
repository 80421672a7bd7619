-- Verifies that all programs send the same request: method, path, host, types, key, User-Agent,
-- body.
local programs = require "bench.programs"
local shell = require "bench.shell"

-- Returns the recorded lines of what a program sends.
local function recorded(servers, program)
  local before = #servers.requests()
  shell.run(program(1))
  return servers.requests():sub(before + 1)
end

local function check(servers, name, wanted, program)
  local line = recorded(servers, program)
  if line ~= wanted then error(("%s sends\n%sinstead of\n%s"):format(name, line, wanted), 0) end
end

local function check_plain(servers, call, mode)
  local url = servers.record
  local wanted = recorded(servers, programs.client(url, call))
  check(servers, "each", wanted, programs.client(url, call, 16))
  check(servers, "plain.c", wanted, programs.plain(url, call, mode))
  check(servers, "plain_multi.c", wanted, programs.plain_multi(url, call, mode, 16))
  return wanted
end

-- Reads the User-Agent of the client from its request, for programs.agent. Raises an error if one
-- of the programs sends something else.
return function(servers, rivals)
  local first = recorded(servers, programs.client(servers.record, "vote"))
  programs.agent = first:match "|([^|]+)|[^|]*$"
  check_plain(servers, "evaluate", "fresh")
  local wanted = check_plain(servers, "vote", "reuse")
  for _, rival in ipairs(rivals) do
    for _, concurrency in ipairs { 1, 16 } do
      check(servers, rival.name, wanted, programs.rival(rival, servers.record, concurrency))
    end
  end
end
