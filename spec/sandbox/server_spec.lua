--- The server of the sandbox: connections, start and stop, options, and misused methods.

local child = require "support.child"
local locale = require "support.locale"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"
local script = require "support.script"
local wire = require "support.wire"

local CALLS, GOOD_VOTE, METRIC, PATIENCE, VOTE =
  wire.CALLS, wire.GOOD_VOTE, wire.METRIC, wire.PATIENCE, wire.VOTE
local curl, eventually, post, quote, send =
  wire.curl, wire.eventually, wire.post, wire.quote, wire.send

describe("the sandbox", function()
  describe("accepts", function()
    it("2000 connections at once with a soft limit of 1024 descriptors", function()
      local output = child.run(child.checked { "sh", "-c", 'ulimit -S -n 1024; exec "$@"', "sh",
        child.lua, "-e", ([[
          local cekura = require "cekura"
          local server = require "cekura.sandbox".start { record = false,
            faults = { { times = math.huge, delay = %d } } }
          local client = assert(cekura.new { api_url = server.url, api_key = server.api_key,
            deadline = 600, timeout = 300 })
          local items = {}
          for i = 1, 2000 do items[i] = i end
          local started = os.time()
          local report = client:each(items, function()
            return client.billing:info {}
          end, { concurrency = 2000 })
          print(report.ok, report.unknown, server:state "connections" > 1500,
            os.time() - started < %d)
        ]]):format(2 * PATIENCE, 30 * PATIENCE) })
      assert.equal("2000\t0\ttrue\ttrue\n", output)
    end)

    it("connections later, with a message, if the process has no descriptor left", function()
      local cue = scratch.path()
      local process = child.start_checked { "sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh",
        child.lua, "-e", ([[
          io.stdout:setvbuf "line"
          local server = require "cekura.sandbox".start()
          local held = {}
          repeat
            local file = io.open "/dev/null"
            held[#held + 1] = file
          until not file
          print(server.url)
          repeat until os.rename(%q, %q)  -- needs no descriptor
          print("accepted so far: " .. server:state "connections")
          for _, file in ipairs(held) do file:close() end
          repeat until os.remove(%q)
        ]]):format(cue, cue .. "-seen", cue .. "-end") }
      local url = process:line()
      local pipe = assert(io.popen("env -u LD_PRELOAD curl -s -o /dev/null -w '%{http_code}' "
        .. url))
      assert.equal("cekura.sandbox: cannot accept more connections now: Too many open files",
        process:line())
      assert(io.open(cue, "w")):close()
      assert.equal("accepted so far: 0", process:line())
      assert.equal("401", pipe:read "a")
      pipe:close()
      assert(io.open(cue .. "-end", "w")):close()
      assert.same({ "", 0 }, { process:finish() })
    end)
  end)

  describe("responds without a 500", function()
    local deep = ("["):rep(900) .. ("]"):rep(900)

    --- the request, method, path, body, status
    local rows = {
      { "a path with words of the sandbox's tables", "GET",
        "/test_framework/v2/results/methods/GET/row/method/rep/x/", nil, 404 },
      { "a metric with such a name", "GET", "/test_framework/v2/metrics/methods/", nil, 404 },
      { "a metric by a hexadecimal number", "GET", "/test_framework/v2/metrics/0x37/", nil, 404 },
      { "the year 0", "GET", CALLS .. "?timestamp_from=0000-00-00", nil, 400 },
      { "a query of 2000 parameters", "GET",
        "/test_framework/v2/results/?" .. ("page=1&"):rep(2000), nil, 200 },
      { "a value that is nested more deeply than the client reads or writes", "POST", VOTE,
        '{"metric_id":55,"thumbs_up":true,"expected_value":' .. deep .. "}", 400 },
    }
    for _, row in ipairs(rows) do
      it("to " .. row[1], function()
        local server <close> = sandbox.start()
        assert.equal(row[5], send(server, table.unpack(row, 2, 4)).status)
        assert.is_table(server:state("runs", 5544)) -- after the vote
        assert.is_table(server:state "votes")
      end)
    end

    it("to a list of two million items", function()
      local server <close> = sandbox.start()
      local path = scratch.path()
      local file = assert(io.open(path, "w"))
      file:write('{"enum_values":["a"', (',"a"'):rep(2000000), "]}"):close()
      local response = send(server, "PATCH", METRIC, "@" .. path, { Expect = "" })
      assert.equal(200, response.status)
      assert.is_true(#response.text > 8000000)
    end)

    -- Prints responses without the times of this run.
    local ANSWERS = [[
      local server = require "cekura.sandbox".start {
        now = 1700000000, balance = 1000.5, log = true,
      }
      local function ask(path, body)
        local data = body and "-H 'Content-Type: application/json' -d '" .. body .. "'" or ""
        local command = "curl -s -g -H 'X-CEKURA-API-KEY: sandbox-key' " .. data
        local pipe <close> = assert(io.popen(("%s '%s%s'"):format(command, server.url, path)))
        print((pipe:read "a":gsub('"updated_at":"[^"]*"', ""):gsub(":%d%d%d%d%d/", "/")))
      end
      ask "/test_framework/v2/results/?page_size=100&search=MIDNIGHT&is_cronjob=TRUE"
      ask "/test_framework/v2/results/?project_id=14&page_size=20&search=HARBOR"
      ask "/test_framework/v2/metrics/55/"
      ask("/test_framework/v2/runs/?page_size=2&ql={id,metadata{ended_reason}}"
        .. "&call_ended_reason__icontains=CONNECTION")
      ask "/test_framework/billing/info/"
      ask("/observability/v2/call-logs/?filters_v2="
        .. '{"field":"agent_name","op":"gte","value":"harbor"}')
      ask("/test_framework/v1/runs/5544/mark_metric_vote/",
        '{"metric_id":55,"thumbs_up":false,"expected_value":1.5}')
      print(server:state("runs", 5544).metrics[55].expected_value == 1.5)
      ask "/test_framework/v2/runs/5544/"
      ask("/test_framework/v1/results/bulk_evaluate_metrics/",
        ('{"result_ids":[%s],"metric_ids":[51,52,53,54,55,56,57]}'):format(
          table.concat({ 301, 302, 304, 305, 306 }, ",")))
      server:faults { { path = "billing", status = 500, headers = { ["content-type"] = "A/I" } } }
      ask "/test_framework/billing/info/"
    ]]

    it("equally in every locale", function()
      local turkish <close> = locale.turkish()
      if not turkish then return end
      local environment = { LOCPATH = turkish.folder, LC_ALL = false }
      local function responses(text)
        return (script.run(text .. ANSWERS, environment):gsub("[%d.]+ ms", "ms"))
      end
      local usual = responses ""
      assert.matches('"success":true', usual)
      assert.matches("true\n", usual)
      assert.equal(usual, responses(turkish.SET))
    end)
  end)

  describe("starts and stops", function()
    it("more than once, each with its own state", function()
      local one <close> = sandbox.start()
      local two <close> = sandbox.start { api_key = "another" }
      assert.are_not.equal(one.port, two.port)
      assert.equal(200, post(one, VOTE, GOOD_VOTE).status)
      assert.equal(1, #one:state "votes")
      assert.equal(0, #two:state "votes")
    end)

    it("within 0.1 s of processor time", function()
      local begun = os.clock()
      for _ = 1, 10 do sandbox.start():stop() end
      assert.is_true((os.clock() - begun) / 10 < 0.1 * PATIENCE)
    end)

    it("during a delayed response", function()
      local server <close> = sandbox.start { faults = { { delay = 60 } } }
      local slow = assert(io.popen("env -u LD_PRELOAD curl -s -S " .. server.url .. "/ 2>&1"))
      eventually(function() return #server:requests() == 1 end)
      server:stop()
      assert.matches("Empty reply", slow:read "a")
      slow:close()
    end)

    it("and raises afterwards", function()
      local server = sandbox.start()
      server:stop()
      server:stop()
      assert.has_error(function() server:requests() end)
      assert.matches("Failed to connect", curl(server.url))
    end)

    it("by the collector", function()
      local url = sandbox.start().url
      collectgarbage()
      collectgarbage()
      assert.matches("Failed to connect", curl(url))
    end)

    it("by a signal, in the foreground", function()
      local text = [[require "cekura.sandbox".serve { api_key = "k" } print "served"]]
      local command = "%s -e %s & child=$!; echo $child; wait $child; echo $?"
      command = command:format(child.lua, quote(text))
      for _, signal in ipairs { "INT", "TERM" } do
        local pipe <close> = assert(io.popen("exec 2>&1; " .. command))
        local pid = pipe:read "l"
        local line
        repeat line = pipe:read "l" until not line or line:find "Ctrl"
        os.execute(("kill -%s %s"):format(signal, pid))
        assert.equal("served\n0\n", pipe:read "a")
      end
    end)
  end)

  describe("refuses", function()
    --- the options, the message
    local rows = {
      { { evaluation_tme = 1 },
        'options.evaluation_tme: unknown field, did you mean "evaluation_time"?' },
      { { port = 70000 }, "options.port: must be a whole number from 0 to 65535, got 70000" },
      { { port = "80" }, "options.port: must be a whole number from 0 to 65535" },
      { { evaluation_time = -1 }, "options.evaluation_time: must be a number from 0, got -1" },
      { { api_key = "" }, "options.api_key: must be a string of visible ASCII characters" },
      { { faults = { status = 500 } },
        "options.faults: must be a list, got a table with string keys" },
      { { faults = { { sttus = 500 } } },
        'options.faults[1].sttus: unknown field, did you mean "status"?' },
      { { faults = { { path = "[" } } }, "options.faults[1].path: must be a Lua pattern" },
      { { faults = { { headers = { a = "b\nc" } } } }, "control characters cannot be sent" },
      { { rate_limit = {} }, "options.rate_limit.per_second: is required" },
      { { rate_limit = { per_second = 1, retry_after = math.huge } },
        "options.rate_limit.retry_after: must be a number from 0, got inf" },
      { { optimiser = "improve" }, 'must be "improves", "fails" or "asks", got "improve"' },
      { { now = 1e18 }, "options.now: must be a whole number from 0 to 253402300799" },
      { false, "options: must be a table, got boolean" },
    }
    for _, row in ipairs(rows) do
      it("options: " .. row[2], function()
        local ok, message = pcall(sandbox.start, row[1])
        assert.is_false(ok)
        assert.is_truthy(message:find(row[2], 1, true), message)
      end)
    end

    it("a port that is in use", function()
      local server <close> = sandbox.start()
      local ok, message = pcall(sandbox.start, { port = server.port })
      assert.is_false(ok)
      assert.matches("cannot listen on 127.0.0.1:%d+: Address already in use", message)
    end)

    --- the mistyped call, the message
    local server
    setup(function() server = sandbox.start() end)
    teardown(function() server:stop() end)

    local calls = {
      { function() server:faults({ { status = 500 } }, { { status = 500 } }) end,
        "one argument too many: server:faults { rule, … }" },
      { function() server.faults { { status = 500 } } end, -- luacheck: ignore
        "call it with a colon: server:faults { rule, … }" },
      { function() server:requests "POST" end, "one argument too many: server:requests()" },
      { function() server:finish_jobs(1) end, "one argument too many: server:finish_jobs()" },
      { function() server:stop(1) end, "one argument too many: server:stop()" },
      { function() server:state "run" end, 'no state called "run", did you mean "runs"?' },
      { function() server:state(5544) end, 'no state called "5544"' },
      { function() server:state("runs", "5544x") end, 'the state "runs" has no item "5544x"' },
      { function() server:state("runs", 5544.5) end, 'the state "runs" has no item 5544.5' },
      { function() server:state("metrics", "outcome") end, 'has no item "outcome"' },
      { function() server:state("votes", 1) end, 'the state "votes" has no ids' },
      { function() server:state("connections", 1) end, 'the state "connections" has no ids' },
      { function() server:state(nil, 5544) end, "the name of a state expected before the id" },
      { function() server:fault {} end, 'the sandbox has no "fault", did you mean "faults"?' },
      { function() server:close() end, 'the sandbox has no "close"' },
      { function() return server.uri end, 'the sandbox has no "uri", did you mean "url"?' },
      { function() server.faults = {} end, 'the sandbox takes no "faults"' },
      { function() sandbox.start({}, { port = 1 }) end, "sandbox.start: one argument too many" },
    }
    for _, row in ipairs(calls) do
      it("a call: " .. row[2], function()
        local ok, message = pcall(row[1])
        assert.is_false(ok)
        assert.matches("^spec/sandbox/server_spec%.lua:%d+: ", message)
        assert.is_truthy(message:find(row[2], 1, true), message)
      end)
    end
  end)
end)
