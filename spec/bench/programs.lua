-- The programs of `make bench`. Each function returns a program: a function that returns the words
-- of a command for a number of calls.
local python = require "support.python"
local shell = require "bench.shell"
local programs = {}

local KEY = "key-of-the-bench"

-- The path and the body of each call. The client must send the same: see same_bytes.lua.
local CALLS = {
  vote = {
    "/test_framework/v1/runs/5544/mark_metric_vote/",
    '{"metric_id":55,"thumbs_up":false,"expected_value":2,'
      .. '"feedback":"Agent missed the reschedule step"}',
  },
  evaluate = {
    "/test_framework/v1/results/373/evaluate_metrics/",
    '{"run_ids":["5544"],"metric_ids":["55"]}',
  },
}

-- Set by same_bytes.lua: the User-Agent that the client sends.
programs.agent = nil

-- Returns a program whose words end with the number of calls. The words are built when it runs.
local function program(words_of)
  return function(count) return shell.words(words_of(), count) end
end

-- The client. Without `concurrency` the calls are made in sequence.
function programs.client(url, name, concurrency, journal)
  return program(function()
    return { shell.lua, "spec/bench/client.lua", url, KEY, name, concurrency or 0, journal or "" }
  end)
end

-- What programs other than the client have in common: URL KEY USER-AGENT BODY.
local function request(url, name)
  local path, body = table.unpack(CALLS[name])
  return { url .. path, KEY, programs.agent, body }
end

-- `mode` is "reuse" or "fresh", see request.h.
function programs.plain(url, name, mode)
  return program(function() return shell.words(shell.build "plain", request(url, name), mode) end)
end

function programs.plain_multi(url, name, mode, concurrency)
  return program(function()
    return shell.words(shell.build "plain_multi", request(url, name), mode, concurrency)
  end)
end

function programs.logs(url)
  return program(function() return { shell.lua, "spec/bench/logs.lua", "call", url, KEY } end)
end

function programs.decode(path)
  return program(function() return { shell.lua, "spec/bench/logs.lua", "decode", path } end)
end

-- The libraries that a user would choose instead: name, command, and `share`, by which the number
-- of calls is divided. Node.js compiles the code of a call only after thousands of them.
programs.rivals = {
  { name = "requests", share = 8, python, "spec/bench/rivals/with_requests.py" },
  { name = "httpx", share = 8, python, "spec/bench/rivals/with_httpx.py" },
  { name = "aiohttp", share = 8, python, "spec/bench/rivals/with_aiohttp.py" },
  { name = "undici", share = 1, "node", "spec/bench/rivals/with_undici.js" },
  { name = "lua-http", share = 1, "lua5.4", "spec/bench/rivals/with_lua_http.lua" },
}

function programs.rival(rival, url, concurrency)
  return program(function() return shell.words(rival, request(url, "vote"), concurrency) end)
end

-- Returns the program with words before its command.
function programs.under(before, inner)
  return function(count) return shell.words(before, inner(count)) end
end

return programs
