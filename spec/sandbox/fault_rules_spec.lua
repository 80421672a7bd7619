--- Fault rules: what they do to responses, and which of them are refused.

local clock = require "support.clock"
local sandbox = require "cekura.sandbox"
local wire = require "support.wire"

local BILLING, GOOD_VOTE, RUN, VOTE = wire.BILLING, wire.GOOD_VOTE, wire.RUN, wire.VOTE
local curl, eventually, get, post, send = wire.curl, wire.eventually, wire.get, wire.post, wire.send

describe("the sandbox", function()
  describe("applies a fault rule", function()
    it("`times` times after `skip` requests, with status, headers and body", function()
      local rule = { path = "billing", skip = 1, times = 2, status = 503,
        headers = { ["Retry-After"] = "7" }, body = { wrong = true } }
      local server <close> = sandbox.start { faults = { rule } }
      local seen = {}
      for i = 1, 4 do seen[i] = get(server, BILLING).status end
      assert.same({ 200, 503, 503, 200 }, seen)
      server:faults { { path = "billing", status = 503, headers = { ["Retry-After"] = "7" },
        body = { wrong = true } } }
      local response = get(server, BILLING)
      assert.equal("7", response.headers["retry-after"])
      assert.equal('{"wrong":true}', response.text)
    end)

    local LIST = "/observability/v2/call-logs/?page_size=1"

    --- The path of a rule, and one that it matches.
    for path, target in pairs {
      ["/call-logs/"] = LIST,
      ["/observability/v2/call-logs/"] = LIST,
      ["call-logs"] = LIST,
      ["/call%-logs/$"] = LIST,
      ["^/observability/.-/call.logs/$"] = LIST,
      ["5544/mark_metric_vote/"] = VOTE,
      ["/runs/%d+/mark"] = VOTE,
      ["/runs/(%d)%1"] = VOTE,
      ["/test_framework/v1/metrics/55/"] = "/test_framework/v1/metrics/55/",
    } do
      it("to a path as text and as a pattern: " .. path, function()
        local server <close> = sandbox.start { faults = { { path = path, status = 503 } } }
        assert.equal(503, get(server, target).status)
        assert.same({ { times_applied = 1 } }, server:state "faults")
      end)
    end

    it("to an endpoint that the sandbox does not have", function()
      local server <close> = sandbox.start { faults = {
        { path = "/v2/widgets/", status = 404, body = { id = 1 } },
        { method = "DELETE", path = "/v2/widgets/", status = 204 },
        { path = "/v2/a%20b/", status = 200, body = "c" },
        { path = "/v2/a%C3%A9/", status = 200, body = "d" },
      } }
      assert.equal('{"id":1}', get(server, "/v2/widgets/").text)
      assert.equal(204, send(server, "DELETE", "/v2/widgets/").status)
      assert.equal("c", get(server, "/v2/a%20b/").text)
      assert.equal("d", get(server, "/v2/a%C3%A9/").text)
    end)

    it("whose header replaces one with another case", function()
      local server <close> = sandbox.start { faults = {
        { status = 500, body = "x", headers = { ["content-type"] = "a/b" } },
        { status = 500, headers = { ["CONTENT-TYPE"] = "a/b", X = 7.0 } },
      } }
      assert.equal("a/b", get(server, BILLING).headers["content-type"])
      local output = curl("-i", server.url .. BILLING)
      assert.equal(1, select(2, output:lower():gsub("\ncontent%-type:", "")))
      assert.matches("\nX: 7\r", output)
    end)

    it("with a whole number as a float", function()
      local rule = { status = 503.0, times = 2.0, skip = 1.0 }
      local server <close> = sandbox.start { faults = { rule } }
      assert.equal(200, get(server, BILLING).status)
      assert.equal(503, get(server, BILLING).status)
    end)

    it("to no request if string.find finds its pattern malformed", function()
      local rule = { path = "(x)%2", status = 503, body = "x" }
      local server <close> = sandbox.start { faults = { rule } }
      assert.equal(404, get(server, "/x/").status)
    end)

    it("only to its method", function()
      local server <close> = sandbox.start { faults = { { method = "PATCH", status = 500 } } }
      assert.equal(200, get(server, BILLING).status)
    end)

    it("that drops the connection, with or without the effect", function()
      local server <close> = sandbox.start { faults = {
        { path = "vote", drop = true },
        { path = "vote", drop = true, applied = true },
      } }
      assert.matches("curl: %(52%)", post(server, VOTE, GOOD_VOTE).failure)
      assert.equal(0, #server:state "votes")
      assert.matches("curl: %(52%)", post(server, VOTE, GOOD_VOTE).failure)
      assert.equal(1, #server:state "votes")
      assert.is_nil(server:requests()[1].status)
    end)

    it("that truncates the body", function()
      local server <close> = sandbox.start { faults = { { truncate = 4 } } }
      local output = curl("-i", server.url .. VOTE, "-H", "X-CEKURA-API-KEY: sandbox-key", "-H",
        "Content-Type: application/json", "--data", GOOD_VOTE)
      assert.matches("Content%-Length: 16", output)
      assert.matches('{"su', output)
      assert.matches("curl: %(18%)", output)  -- a part of the body is missing
      assert.equal(1, #server:state "votes")
    end)

    it("that delays one response and no other", function()
      local server <close> = sandbox.start { faults = { { path = "billing", delay = 0.3 } } }
      local function seconds_of(path)
        return tonumber(curl("-o", "/dev/null", "-w", "%{time_total}", server.url .. path))
      end
      assert.is_true(seconds_of(BILLING) >= 0.3)
      server:faults { { path = "billing", delay = 600 } }
      local slow = assert(io.popen("env -u LD_PRELOAD curl -s " .. server.url .. BILLING))
      eventually(function() return #server:requests() == 2 end)
      assert.is_true(seconds_of(RUN) < clock.LIMIT)
      server:stop()
      slow:close()
    end)

    it("of the option rate_limit", function()
      local server <close> = sandbox.start { rate_limit = { per_second = 2, retry_after = 3 } }
      local addresses, seen = {}, {}
      for i = 1, 4 do addresses[i] = server.url .. BILLING end
      local responses = curl("-i", "-H", "X-CEKURA-API-KEY: sandbox-key", table.unpack(addresses))
      for i, request in ipairs(server:requests()) do seen[i] = request.status end
      assert.same({ 200, 200, 429, 429 }, seen)
      assert.matches("Retry%-After: 3\r\n", responses)
      assert.matches("Request was throttled. Expected available in 3 seconds.", responses)
    end)
  end)

  describe("refuses fault", function()
    local shared
    setup(function() shared = sandbox.start() end)
    teardown(function() shared:stop() end)

    local cycle = {}
    cycle[1] = cycle
    --- the rules, the message
    local lists = {
      { false, "faults: must be a list, got boolean" },
      { { status = 500 }, "got a table with string keys, such as { { status = 503 } }" },
      { { { status = 500 }, nil, { status = 500 } }, "faults: must be a list without holes" },
      { { nil, { status = 500 }, extra = 1 }, "faults: must be a list" },
      { { { status = 500 }, status = 500 }, "faults: must be a list" },
      { { { status = 500 }, 5 }, "faults[2]: must be a table, got number" },
      { { { status = 500 }, { stauts = 500 } },
        'faults[2].stauts: unknown field, did you mean "status"?' },
      { { { status = "500" } },
        'faults[1].status: must be a whole number from 200 to 599, got "500"' },
      { { { status = 600 } }, "faults[1].status: must be a whole number from 200 to 599, got 600" },
      { { { status = 500, times = "2" } },
        "faults[1].times: must be a whole number from 0 or math.huge" },
      { { { status = 500, skip = 0.5 } },
        "faults[1].skip: must be a whole number from 0, got 0.5" },
      { { { drop = "yes" } }, "faults[1].drop: must be true or false" },
      { { { delay = "1" } }, "faults[1].delay: must be a number from 0 to 86400" },
      { { { method = "post", status = 500 } },
        'faults[1].method: unknown method "post", did you mean "POST"?' },
      { { { method = "PSOT", status = 500 } }, 'did you mean "POST"?' },
      { { { method = "GET", path = VOTE, status = 500 } },
        "faults[1].method: no endpoint with this path takes GET, but POST does" },
      { { { path = "/metrics/identity_verified/", status = 500 } },
        "faults[1].path: no endpoint has this path" },
      { { { path = "(a", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "x%", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "%d%1", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "a)*", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "%b(", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = "%fa", status = 500 } }, "faults[1].path: must be a Lua pattern" },
      { { { path = 5, status = 500 } }, "faults[1].path: must be a string, got number" },
      { { { path = "/call-log/", status = 500 } },
        'faults[1].path: no endpoint has "call-log" in its path, did you mean "call-logs"?' },
      { { { path = "^/test_framework/v1/run/%-$", status = 500 } }, 'did you mean "runs"?' },
      { { { path = "/vote/", drop = true } }, 'did you mean "mark_metric_vote"?' },
      { { { path = "/test_framework/runs/5544/", status = 500 } },
        "faults[1].path: no endpoint has this path" },
      { { { path = "/nothing/", status = 500 } }, "faults[1].path: no endpoint has this path" },
      { { { path = "/runs/{run_id}/", status = 500 } },
        "faults[1].path: must have an id or the pattern %d+ instead of {run_id}" },
      { { { path = "http://127.0.0.1/x/", status = 500 } }, "without scheme and host" },
      { { { path = "/results/?page=2", status = 500 } }, "without the query" },
      { { { applied = true } }, "faults[1].applied: needs status, body or drop beside it" },
      { { { applied = false, delay = 1 } }, "faults[1].applied: needs" },
      { { { path = "vote", times = 2 } }, "faults[1]: changes nothing" },
      { { { drop = false } }, "faults[1]: changes nothing" },
      { { { drop = true, status = 500 } }, "faults[1].status: is never sent" },
      { { { drop = true, truncate = 1 } }, "faults[1].truncate: is never sent" },
      { { { status = 204, body = "x" } }, "faults[1].body: a response with status 204 has none" },
      { { { body = "abc", truncate = 3 } }, "faults[1].truncate: 3 leaves out nothing" },
      { { { body = { a = print } } }, "faults[1].body: JSON cannot hold a function" },
      { { { body = { a = { 1, nil, 3 } } } },
        "faults[1].body: JSON cannot hold a list with holes" },
      { { { body = { 1, a = 2 } } }, "faults[1].body: JSON cannot hold the key a beside others" },
      { { { body = { [true] = 2 } } }, "faults[1].body: JSON cannot hold the key true" },
      { { { body = { 0 / 0 } } }, "faults[1].body: JSON cannot hold" },
      { { { body = { "\xff" } } }, "faults[1].body: JSON cannot hold a string that is not UTF-8" },
      { { { body = { ["\xff"] = 1 } } },
        "faults[1].body: JSON cannot hold a key that is not UTF-8" },
      { { { body = cycle } }, "faults[1].body: JSON cannot hold a table that contains itself" },
      { { { headers = { ["Content-Length"] = "5" } } }, "faults[1].headers.Content-Length:" },
      { { { headers = { ["transfer-encoding"] = "x" } } }, "faults[1].headers.transfer-encoding:" },
      { { { headers = { connection = "keep-alive" } } }, "faults[1].headers.connection:" },
      { { { headers = { "Retry-After: 1" } } }, 'faults[1].headers: "1" is not a header name' },
      { { { headers = { X = "" } } }, "faults[1].headers.X: must not be empty" },
      { { { headers = { X = 1.5 } } }, "faults[1].headers.X: must be a string, got number" },
      { { { headers = { X = "1", x = "2" } } }, "is there twice" },
      { { { headers = { X = ("x"):rep(20000) } } },
        "faults[1].headers: must have at most 16384 bytes" },
      { { { times = math.huge, delay = 1 }, { path = "vote", drop = true } },
        "faults[2]: can never apply, because faults[1] applies to all its requests" },
    }
    for i, row in ipairs(lists) do
      it(("rule %d: %s"):format(i, row[2]), function()
        local ok, message = pcall(function() shared:faults(row[1]) end)
        assert.is_false(ok)
        assert.matches("^spec/sandbox/fault_rules_spec%.lua:%d+: ", message)
        assert.is_truthy(message:find(row[2], 1, true), message)
        assert.equal(200, get(shared, BILLING).status)
      end)
    end
  end)
end)
