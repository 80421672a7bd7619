-- CEKURA_LOG writes a line on stderr per attempt, and changes nothing else.
local cekura = require "cekura"
local child = require "support.child"
local faults = require "support.faults"

local KEY = "Kq7-zX0vW_9tB3nL-mR5s"

describe("CEKURA_LOG", function()
  local server
  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local PRELUDE = [[
    local cekura = require "cekura"
    local client = assert(cekura.new { backoff = { base = 0, cap = 0 }, max_attempts = 2 })
    local function vote(options, feedback)
      return client.runs:mark_metric_vote({ run_id = 5544, metric_id = 55, thumbs_up = true,
        expected_value = 1, feedback = feedback }, options)
    end
  ]]

  local function environment(level)
    return { CEKURA_LOG = level, CEKURA_API_URL = server.url, CEKURA_API_KEY = KEY,
      no_proxy = "127.0.0.1" }
  end

  -- Runs a script. Returns its stdout, the lines of its stderr, and the exit code.
  local function run(level, text)
    local words = { child.lua, "-e", PRELUDE .. text }
    local output, errors, code = child.run_checked_apart(words, environment(level))
    local lines = {}
    for line in errors:gmatch "[^\n]*" do
      if line ~= "" then lines[#lines + 1] = line end
    end
    return output, lines, code
  end

  it("writes nothing if it is unset or empty", function()
    for _, level in ipairs { "", false } do
      local output, lines, code = run(level, "print(vote())")
      assert.matches("^table", output)
      assert.same({ {}, 0 }, { lines, code })
    end
  end)

  it("= info writes a line per attempt", function()
    server:script { faults.status(503), faults.ok "{}", faults.status(404), "close_before_answer" }
    local _, lines = run("info", [[
      vote()
      vote()
      client.results:evaluate_metrics { result_id = 373, run_ids = { 1 }, metric_ids = { 55 } }
    ]])
    assert.equal(4, #lines)
    local address = server.url .. "/test_framework/v1/runs/5544/mark_metric_vote/"
    for i, expected in ipairs {
      { "POST " .. address .. ": status 503 (server), attempt 1, " },
      { "POST " .. address .. ": status 200, attempt 2, " },
      { "POST " .. address .. ": status 404 (not_found), attempt 1, " },
      { "evaluate_metrics/: ", "(network), attempt 1, " },
    } do
      assert.matches("^cekura: ", lines[i])
      assert.matches("%d ms$", lines[i])
      for _, part in ipairs(expected) do assert.matches(part, lines[i], 1, true) end
    end
  end)

  it("covers the calls of tasks and of each", function()
    local _, lines = run("info", [[
      local report = client:each({ 1, 2, 3, 4, 5 }, function() return vote() end)
      local task = client:spawn(vote)
      task:wait()
    ]])
    assert.equal(6, #lines)
    assert.equal(6, server:deliveries())
  end)

  it("= debug writes bodies, and one line per attempt", function()
    server:script { faults.ok '{"a": "one\r\n two\27[31m\u{9B}31m\127é"}',
      faults.status(400, {}, "<p>\n") }
    local _, lines = run("debug", "vote({}, 'line\\nbreak')\nvote()\nclient.billing:info {}")
    assert.equal(3, #lines)
    assert.matches([[request {.*"feedback":"line\nbreak"]], lines[1])
    assert.matches([[response {"a": "one\013\010 two\027[31m\194\15531m\127é"}]], lines[1], 1, true)
    assert.matches([[%(bad_request%), attempt 1, %d+ ms, request .*, response <p>\010$]], lines[2])
    assert.is_nil(lines[3]:find(", request", 1, true))
    for _, line in ipairs(lines) do assert.is_nil(line:find "%c") end
  end)

  it("cuts long texts between characters", function()
    server:script { faults.ok('["' .. ("é"):rep(100000) .. '"]') }
    local _, lines = run("debug", "vote({}, ('x'):rep(100000))")
    assert.equal(1, #lines)
    assert.is_true(#lines[1] < 6000)
    assert.truthy(utf8.len(lines[1]))
    assert.matches("é…$", lines[1])
  end)

  it("never writes the key, nor the beginning of a cut one", function()
    local at_the_edge = ("x"):rep(1990) .. KEY .. ("x"):rep(100)
    server:script {
      faults.status(400, { ["X-Echo"] = KEY }, '{"detail": "' .. KEY .. '"}'),
      { { "send", "HTTP/1.1 400 No\r\nContent-Length: 99\r\n\r\n" .. KEY:sub(1, 12) },
        { "close" } },
      faults.status(400, {}, at_the_edge),
    }
    local _, lines = run("debug", ([[
      local key = os.getenv "CEKURA_API_KEY"
      vote()
      vote()
      vote()
      vote({}, key)
      vote({}, ("x"):rep(1930) .. key .. ("y"):rep(100))
      client:request { method = "GET", path = "/x/" .. key, query = { a = key } }
      local own = cekura.new { api_url = %q .. "/" .. key }
      own.runs:get { run_id = 1 }
    ]]):format(server.url))
    assert.equal(7, #lines)
    for _, line in ipairs(lines) do
      for i = 1, #KEY - 5 do assert.is_nil(line:find(KEY:sub(i, i + 5), 1, true), line) end
    end
  end)

  it("does not change the events of on_event", function()
    server:script { faults.status(503) }
    local output, lines = run("info", [[
      local own = cekura.new { backoff = { base = 0, cap = 0 },
        on_event = function(event) print(event.type) end }
      client = own
      vote()
    ]])
    assert.equal("request\nresponse\nretry\nrequest\nresponse\n", output)
    assert.equal(2, #lines)
  end)

  it("does not disturb a program whose stderr is closed", function()
    for _, redirection in ipairs { "2>&-", "2>&- >&-", "2>/dev/full" } do
      server:clear()
      local text = PRELUDE .. [[
        for _ = 1, 3 do assert(vote()) end
        assert(client:each({ 1, 2 }, function() return vote() end).ok == 2)
        os.exit(7, true)
      ]]
      local _, code = child.run_checked({ "sh", "-c", 'exec "$0" -e "$1" ' .. redirection,
        child.lua, text }, environment "debug")
      assert.equal(7, code)
      assert.equal(5, server:deliveries())
      for _, row in ipairs(server:ledger()) do
        assert.matches("^POST %S+ HTTP/1.1$", row.request_line)
      end
    end
  end)

  it("does not write to a connection if the descriptor of stderr is free", function()
    local text = 'local file = io.open "/dev/null"\n' .. PRELUDE .. [[
      file:close()  -- frees the descriptor of stderr
      for i = 1, 3 do assert(vote()) end
      os.exit(7, true)
    ]]
    local command = 'exec "$0" -e "$1" 2>&-'
    local _, code = child.run_checked({ "sh", "-c", command, child.lua, text }, environment "debug")
    assert.equal(7, code)
    local ledger = server:ledger()
    assert.equal(3, #ledger)
    for _, row in ipairs(ledger) do
      assert.matches("^POST %S+ HTTP/1.1$", row.request_line)
      assert.is_nil(row.body:find("cekura: ", 1, true))
    end
  end)

  it("does not end a program whose stderr is a closed pipe", function()
    local text = PRELUDE .. [[
      for _ = 1, 3 do assert(vote()) end
      os.exit(7, true)
    ]]
    -- os._exit, because LeakSanitizer would report Python's own memory.
    local wrapper = [[
import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
os._exit(subprocess.run(sys.argv[1:], stderr=writer).returncode)]]
    local _, code = child.run_checked({ "python3", "-c", wrapper, child.lua, "-e", text },
      environment "debug")
    assert.equal(7, code)
  end)

  it("with another value is an error of kind config", function()
    for _, level in ipairs { "verbose", "INFO", "1", " info", KEY .. "\nx" } do
      local output, lines, code = run(level, "")
      assert.equal(1, code)
      assert.equal("", output)
      assert.matches('CEKURA_LOG: must be "info" or "debug", got "', lines[1], 1, true)
      assert.matches("%(config%)", lines[1])
    end
  end)

  it("is optional: a client can be made without it", function()
    assert.is_nil(os.getenv "CEKURA_LOG")
    assert(cekura.new { api_key = KEY }):close()
  end)
end)
