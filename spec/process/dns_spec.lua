-- A hanging resolver delays neither the call nor the end of the process: getaddrinfo is that of
-- spec/c/slow_dns.c, which sleeps for half a minute.
local clock = require "support.clock"
local faults = require "support.faults"
local scratch = require "support.scratch"
local script = require "support.script"
local system = require "system"

local BUILD = os.getenv "CEKURA_BUILD" or "build"
local PRELOAD, FAST_CLOCK = BUILD .. "/slow_dns.so", BUILD .. "/fast_clock.so"

local SCRIPT = [[
  local cekura, system = require "cekura", require "system"
  local client = assert(cekura.new {
    api_key = "sandbox-key", api_url = "https://name.hangs.invalid", proxy = "", %s,
  })
  local start = system.monotime()
  local _, err = client.runs:mark_metric_vote {
    run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 3,
  }
  print(err.kind, err.applied, err.attempts, system.monotime() - start)
]]

-- Returns the output of the script, and the duration of its process.
local function run(options)
  local start = system.monotime()
  local output = script.run(SCRIPT:format(options), { LD_PRELOAD = PRELOAD })
  local kind, applied, attempts, seconds = output:match "^(%S+)\t(%S+)\t(%d+)\t(%S+)\n$"
  assert.truthy(kind, output)
  return { kind, applied, tonumber(attempts) }, tonumber(seconds), system.monotime() - start
end

describe("a resolver that hangs", function()
  it("delays a call until its deadline, but not the end of the process", function()
    local result, seconds, lived = run "deadline = 0.5"
    assert.same({ "timeout", "no", 1 }, result)
    assert.truthy(seconds >= 0.5 and seconds <= 0.5 + clock.OVERRUN, seconds)
    assert.truthy(lived < 15, lived)
  end)

  it("of a proxy delays a call until its deadline, but not the end of the process", function()
    local result, seconds, lived = run [[
      deadline = 0.5, api_url = "https://127.0.0.1", proxy = "http://name.hangs.invalid:3128"]]
    assert.same({ "timeout", "no", 1 }, result)
    assert.truthy(seconds >= 0.5 and seconds <= 0.5 + clock.OVERRUN, seconds)
    assert.truthy(lived < 15, lived)
  end)

  it("delays an attempt until connect_timeout", function()
    local result, seconds = run "connect_timeout = 0.3, max_attempts = 1"
    assert.same({ "timeout", "no", 1 }, result)
    -- libcurl's timer may be a millisecond early.
    assert.truthy(seconds >= 0.299 and seconds <= 0.3 + clock.OVERRUN, seconds)
  end)

  local TASKS = [[
    local cekura = require "cekura"
    local client = assert(cekura.new {
      api_key = "k", api_url = "https://name.hangs.invalid", deadline = %s,
    })
    local tasks = {}
    for i = 1, 8 do
      tasks[i] = client:spawn(client.request, client, { method = "GET", path = "/" })
    end
    local function step(seconds)
      local till = require "system".monotime() + seconds
      while require "system".monotime() < till do client:step(0.01) end
    end
  ]]

  -- The resolver returns after `seconds`, or after half a minute.
  local function run_tasks(deadline, text, slow)
    return script.run(TASKS:format(deadline) .. text, { LD_PRELOAD = PRELOAD, SLOW_DNS = slow })
  end

  it("delays several calls until their deadline", function()
    local output, code = run_tasks("0.3", [[
      for i = 1, 8 do
        local _, err = tasks[i]:wait()
        print(err.kind, err.applied)
      end
    ]])
    assert.equal(("timeout\tno\n"):rep(8), output)
    assert.equal(0, code)
  end)

  for what, ending in pairs {
    ["the end of the script"] = "", ["os.exit"] = "os.exit(7)", ["lua_close"] = "os.exit(7, true)",
    ["an error"] = "error 'boom'", ["close"] = "client:close()",
    ["collection"] = "client, tasks = nil, nil collectgarbage() collectgarbage()",
    ["cancel"] = "for i = 1, 8 do tasks[i]:cancel() end",
    ["Ctrl-C"] = "io.popen 'sleep 0.2; kill -INT $PPID' tasks[1]:wait()",
    ["many clients"] = [[
      for i = 1, 20 do
        local other = assert(cekura.new { api_key = "k", api_url = "https://name.hangs.invalid" })
        for j = 1, 4 do other:spawn(other.request, other, { method = "GET", path = "/" }) end
        other:step(0.01)
      end
    ]],
    ["exec"] = "os.execute 'exec true'",
    ["a fork"] = "print(require 'fork'.run(function() client:close() return 'closed' end))",
  } do
    local wanted = ending:find "exit" and 7 or (ending:find "error" or ending:find "INT") and 1 or 0

    it("does not delay the end of a process by " .. what, function()
      local start = system.monotime()
      local output, code = run_tasks("60", "step(0.05) " .. ending)
      assert.equal(wanted, code, output)
      assert.truthy(system.monotime() - start < 15)
    end)

    it("that returns while a process ends does not crash it: by " .. what, function()
      for moment = 0, 2 do
        local text = ("step(%.3f) "):format(0.19 + moment * 0.005) .. ending
        local output, code = run_tasks("60", text, "0.2")
        assert.equal(wanted, code, output)
      end
    end)
  end

  it("that returns after its client was closed is harmless", function()
    local output, code = run_tasks("60", [[
      step(0.05)
      client:close()
      client, tasks = nil, nil
      collectgarbage()
      require "system".sleep(0.3)
      print "went on"
    ]], "0.2")
    assert.equal("went on\n", output)
    assert.equal(0, code)
  end)

  it("of IPv6 addresses alone delays neither a call nor the end of the process", function()
    local server <close> = faults.start()
    local start = system.monotime()
    local output = script.run(([[
      local client = assert(require "cekura".new {
        api_key = "k", api_url = "http://v6.hangs.invalid:%d", allow_http = true, timeout = 10,
      })
      print(client:request { method = "GET", path = "/" } ~= nil)
    ]]):format(server.port), { LD_PRELOAD = PRELOAD })
    assert.equal("true\n", output)
    assert.truthy(system.monotime() - start < 15)
  end)

  it("does not delay a call that is made once the resolver has recovered", function()
    local server <close> = faults.start()
    local path = scratch.path()
    local output = script.run(([[
      local cekura = require "cekura"
      local client = assert(cekura.new {
        api_key = "k", api_url = "http://name.hangs.invalid:%d", allow_http = true,
        deadline = 0.2, max_attempts = 1,
      })
      local tasks = {}
      for i = 1, 50 do
        tasks[i] = client:spawn(client.request, client, { method = "GET", path = "/" })
      end
      for i = 1, 50 do assert(not tasks[i]:wait()) end
      assert(io.open(%q, "w")):close()
      print(client:request({ method = "GET", path = "/" }, { deadline = 10 }) ~= nil)
    ]]):format(server.port, path), { LD_PRELOAD = PRELOAD, SLOW_DNS_RECOVERED = path })
    os.remove(path)
    assert.equal("true\n", output)
  end)
end)

describe("a name", function()
  local LOOKUPS = [[
    local cekura = require "cekura"
    local client = assert(cekura.new {
      api_key = "k", api_url = "http://server.invalid:%d", allow_http = true, max_attempts = 1,
    })
    local function lookups()
      assert(%s)
      local count = 0
      for _ in io.lines(os.getenv "LOOKUPS") do count = count + 1 end
      return count
    end
    local first = lookups()
    print(lookups() == first, lookups() == first)
    assert(io.open(os.getenv "FAST_CLOCK", "w")):close()
    print(lookups() == 2 * first, lookups() == 2 * first)
  ]]

  -- libcurl 8.23 looks up IPv4 and IPv6 addresses by themselves.
  for what, call in pairs {
    ["a read"] = 'client.results:get { result_id = 373 }',
    ["a paid call"] =
      'client.results:evaluate_metrics { result_id = 373, run_ids = { 1 }, metric_ids = { 2 } }',
  } do
    it("is looked up once in a minute, by " .. what, function()
      local server <close> = faults.start()
      local moved, log = scratch.path(), scratch.path()
      os.remove(moved)
      local output = script.run(LOOKUPS:format(server.port, call), {
        LD_PRELOAD = FAST_CLOCK, FAST_CLOCK = moved, LOOKUPS = log,
      })
      os.remove(moved)
      os.remove(log)
      assert.equal("true\ttrue\ntrue\ttrue\n", output)
    end)
  end
end)
