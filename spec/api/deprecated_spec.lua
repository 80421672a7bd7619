-- Deprecation and Sunset headers: the event `deprecated`, and a warning for each route.
local calls = require "support.calls"
local child = require "support.child"
local faults = require "support.faults"
local retries = require "support.retries"

local VOTE = "runs.mark_metric_vote"
local SUCCESS = '{"success": true}'
local DEPRECATION, SUNSET = "@1688169599", "Sun, 11 Nov 2035 23:59:59 GMT"
local KEY = "Kq-zX-vW_tB-nL-mRs"

-- Returns an entry of the fault server: a 200 whose head has these lines.
local function ok(...)
  local lines = { "HTTP/1.1 200 OK", "Date: Sun, 29 Nov 2026 00:00:00 GMT", "Server: depot", ... }
  lines[#lines + 1] = "Content-Type: application/json"
  lines[#lines + 1] = "Content-Length: " .. #SUCCESS
  return { { "send", table.concat(lines, "\r\n") .. "\r\n\r\n" .. SUCCESS } }
end

describe("a response with a Deprecation or Sunset header", function()
  local server
  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local function new(options) return retries.observed(server, options) end

  local function types(events)
    local list = {}
    for i, event in ipairs(events) do list[i] = event.type end
    return table.concat(list, " ")
  end

  -- Returns the only event of type `deprecated`.
  local function only(events)
    local found
    for _, event in ipairs(events) do
      if event.type == "deprecated" then
        assert.is_nil(found)
        found = event
      end
    end
    return assert(found, "no event")
  end

  describe("emits an event", function()
    it("with the texts and their dates in seconds since 1970", function()
      local client <close>, events = new()
      server:script { ok("Deprecation: " .. DEPRECATION, "Sunset: " .. SUNSET) }
      assert.same({ success = true }, (calls.vote(client)))
      assert.equal("request response deprecated", types(events))
      local event = events[3]
      assert.equal("float", math.type(event.elapsed))
      event.elapsed = nil
      assert.same({
        type = "deprecated", endpoint = VOTE, method = "POST", attempt = 1, status = 200,
        url = server.url .. "/test_framework/v1/runs/5544/mark_metric_vote/",
        deprecation = DEPRECATION, deprecation_at = 1688169599,
        sunset = SUNSET, sunset_at = 2078438399,
      }, event)
      assert.equal("integer", math.type(event.sunset_at))
    end)

    -- { what, lines of the head, deprecation, deprecation_at, sunset, sunset_at }
    for _, row in ipairs {
      { "Deprecation alone", { "Deprecation: @1688169599" }, "@1688169599", 1688169599 },
      { "Sunset alone", { "Sunset: " .. SUNSET }, nil, nil, SUNSET, 2078438399 },
      { "names in other letters", { "DEPRECATION: @7", "sunset: " .. SUNSET }, "@7", 7, SUNSET,
        2078438399 },
      { "parameters", { "Deprecation: @7;a=1" }, "@7;a=1", 7 },
      { "a date, as in an earlier draft", { "Deprecation: Fri, 30 Jun 2023 23:59:59 GMT" },
        "Fri, 30 Jun 2023 23:59:59 GMT", 1688169599 },
      { "true of an earlier draft", { "Deprecation: true" }, "true" },
      { "a text that is not a date", { "Sunset: soon", "Deprecation: @" }, "@", nil, "soon" },
      { "a fraction", { "Deprecation: @7.5" }, "@7.5" },
      { "an empty value", { "Deprecation:" }, "" },
      { "an empty value and blanks", { "Sunset: \t " }, nil, nil, "" },
      { "several headers, of which the earliest date counts",
        { "Deprecation: @9", "Deprecation: soon", "Deprecation: @8" }, "@9, soon, @8", 8 },
      { "a continued line", { "Deprecation:", "  @12" }, "@12", 12 },
    } do
      it("for " .. row[1], function()
        local client <close>, events = new()
        server:script { ok(table.unpack(row[2])) }
        assert.same({ success = true }, (calls.vote(client)))
        local event = only(events)
        assert.same(table.pack(table.unpack(row, 3, 6)), table.pack(event.deprecation,
          event.deprecation_at, event.sunset, event.sunset_at))
      end)
    end

    it("each time, also of client:request", function()
      local client <close>, events = new()
      server:usually(ok "Deprecation: true")
      calls.vote(client)
      calls.vote(client)
      client:request { method = "GET", path = "/x/", query = { a = 1 } }
      assert.equal(("request response deprecated "):rep(3), types(events) .. " ")
      assert.same({ "request", "GET", server.url .. "/x/?a=1" },
        { events[9].endpoint, events[9].method, events[9].url })
    end)

    it("of every attempt, with the kind of a failure", function()
      local client <close>, events = new()
      server:script {
        faults.status(503, { Deprecation = "@1" }), faults.status(429, { Sunset = "x" }),
        faults.status(404, { Deprecation = "@3" }),
      }
      assert.equal("not_found", select(2, calls.vote(client)).kind)
      assert.equal("request response deprecated retry request response deprecated retry "
        .. "request response deprecated give_up", types(events))
      assert.same({ "server", "rate_limited", "not_found" },
        { events[3].kind, events[7].kind, events[11].kind })
      assert.same({ 1, 2, 3 }, { events[3].attempt, events[7].attempt, events[11].attempt })
      assert.same({ 503, 429, 404 }, { events[3].status, events[7].status, events[11].status })
    end)

    it("of a body that was cut off", function()
      local client <close>, events = new { max_attempts = 1 }
      server:script { {
        { "send", "HTTP/1.1 200 OK\r\nDeprecation: @1\r\nContent-Length: 9\r\n\r\n[" }, { "close" },
      } }
      assert.equal("yes", select(2, calls.vote(client)).applied)
      assert.equal("request response deprecated give_up", types(events))
    end)

    it("of the calls of tasks and of each", function()
      local client <close>, events = new()
      server:usually(ok "Deprecation: @1")
      assert.same({ success = true }, (client:spawn(calls.vote, client):wait()))
      assert(client:each({ 1, 2, 3 }, function(id) return calls.vote(client, { run_id = id }) end))
      local _, count = types(events):gsub("deprecated", "")
      assert.equal(4, count)
    end)

    it("without the key", function()
      local client <close>, events = new { api_key = KEY }
      server:script { ok("Deprecation: " .. KEY, "Sunset: " .. KEY .. KEY) }
      calls.vote(client)
      local event = only(events)
      assert.same({ ("*"):rep(#KEY), ("*"):rep(2 * #KEY) }, { event.deprecation, event.sunset })
    end)

    it("whose on_event may close the client", function()
      local client, count = nil, 0
      client = new { on_event = function(event)
        if event.type == "deprecated" then client:close() end
        count = count + 1
      end }
      server:usually(ok "Deprecation: @1")
      assert.same({ success = true }, (calls.vote(client)))
      assert.equal(3, count)
      assert.equal("config", select(2, calls.vote(client)).kind)
    end)

    it("whose on_event cannot use its client", function()
      local client, message
      client = new { on_event = function(event)
        if event.type == "deprecated" then message = select(2, pcall(calls.vote, client)) end
      end }
      server:usually(ok "Deprecation: @1")
      assert.same({ success = true }, (calls.vote(client)))
      assert.matches("its own on_event", message)
      client:close()
    end)
  end)

  describe("is not", function()
    -- { what, entry }
    for _, row in ipairs {
      { "one with a similar name", ok("X-Deprecation: @1", "Deprecations: @1", "Sunsets: x",
        "Deprecatio: n", "Sunse: t", "Sun: set", "D: x", "S: x", "Set-Cookie: sunset=1",
        "Via: deprecation: @1") },
      { "one without a colon", ok("X: y", "Deprecation", "Sunset") },
      { "one with blanks before the colon", ok "Deprecation : @1" },
      { "one whose interim response has it", { { "send", "HTTP/1.1 103 Hints\r\nDeprecation: @1\r\n"
        .. "Sunset: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]" } } },
      { "one whose trailer has it", { { "send", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        .. "\r\n2\r\n[]\r\n0\r\nDeprecation: @1\r\nSunset: x\r\n\r\n" } } },
    } do
      it(row[1], function()
        local client <close>, events = new()
        server:script { row[2] }
        calls.vote(client)
        assert.is_nil(types(events):find("deprecated", 1, true))
      end)
    end

    it("one that follows on the same connection", function()
      local client <close>, events = new()
      server:script { ok "Deprecation: @1", "ok" }
      calls.vote(client)
      calls.vote(client)
      assert.equal("request response deprecated request response", types(events))
    end)
  end)

  -- ---- warnings

  local PRELUDE = [[
    local cekura = require "cekura"
    local function new(options)
      options = options or {}
      options.backoff = { base = 0, cap = 0 }
      return assert(cekura.new(options))
    end
    local client = new()
    local function vote(id, with)
      return assert((with or client).runs:mark_metric_vote { run_id = id or 5544, metric_id = 55,
        thumbs_up = true, expected_value = 1 }).success
    end
    local function get(path, with)
      return assert((with or client):request { method = "GET", path = path })
    end
  ]]

  -- Runs a script. Returns its stdout, and the list of its warnings.
  local function run(text, environment)
    local all = { CEKURA_API_URL = server.url, CEKURA_API_KEY = KEY }
    for name, value in pairs(environment or {}) do all[name] = value end
    local output, errors, code = child.run_checked_apart({ child.lua, "-e", PRELUDE .. text }, all)
    local list = {}
    for line in errors:gmatch "[^\n]+" do
      list[#list + 1] = line:match "^Lua warning: (.*)$" or error(errors)
    end
    assert.equal(0, code)
    return output, list
  end

  local function deprecated(route, dates)
    return ("cekura: %s is deprecated by the API%s"):format(route, dates or "")
  end

  describe("is reported by warn", function()
    it("once per route of a client", function()
      server:usually(ok("Deprecation: @1688169599", "Sunset: " .. SUNSET))
      local output, list = run [[
        warn "@on"
        for id = 1, 5 do vote(id) end
        client.results:get { result_id = 373 }
        local other <close> = new()
        for id = 1, 2 do vote(id, other) end
        print(vote())
      ]]
      local dates = "; deprecation: 2023-06-30; sunset: 2035-11-11"
      assert.equal("true\n", output)
      assert.same({ deprecated(VOTE, dates), deprecated("results.get", dates),
        deprecated(VOTE, dates) }, list)
    end)

    it("also without an event, in a task, and if the call fails", function()
      server:usually(faults.status(404, { Deprecation = "true" }))
      local output, list = run [[
        warn "@on"
        print(client:spawn(function() return (pcall(vote)) end):wait())
      ]]
      assert.same({ "false\n", { deprecated(VOTE) } }, { output, list })
    end)

    it("with the dates that can be read", function()
      server:script {
        ok("Deprecation: \27[31m\7", "Sunset: " .. SUNSET),
        ok("Deprecation: @0", "Sunset: x\194\155"),
        ok "Deprecation: @999999999999999", ok "Deprecation: @9999999999999999",
      }
      local _, list = run [[
        warn "@on"
        for i, name in ipairs { "a", "b", "c", "d" } do get("/" .. name) end
      ]]
      assert.same({
        deprecated("GET /a", "; sunset: 2035-11-11"),
        deprecated("GET /b", "; deprecation: 1970-01-01"),
        deprecated("GET /c", "; deprecation: 31690708-07-05"), deprecated "GET /d",
      }, list)
    end)

    it("of client:request by method and path, without ids and query", function()
      server:usually(ok "Deprecation: true")
      local _, list = run [[
        warn "@on"
        for id = 1, 300 do get(("/test_framework/v1/runs/%d/"):format(id)) end
        get "/test_framework/v2/runs/7/"
        get "/runs/0b8ee0f3-2af4-4a39-9f8c-64dd6c3a9a55"
        get "/runs/a1"
        client:request { method = "GET", path = "/runs/", query = { id = 5 } }
        client:request { method = "GET", path = "/runs/", query = { id = 6, path = "/x/" } }
        client:request { method = "DELETE", path = "/runs/5" }
        get "/v1x/v/version/v2"
      ]]
      assert.same({
        deprecated "GET /test_framework/v1/runs/{id}/",
        deprecated "GET /test_framework/v2/runs/{id}/",
        deprecated "GET /runs/{id}", deprecated "GET /runs/", deprecated "DELETE /runs/{id}",
        deprecated "GET /{id}/v/version/v2",
      }, list)
    end)

    it("of at most 100 routes of client:request, and of all endpoints", function()
      server:usually(ok "Deprecation: true")
      local _, list = run [[
        warn "@on"
        local function word(i) return string.char(97 + i // 26, 97 + i % 26) end
        for i = 0, 149 do get("/" .. word(i)) end
        vote()
      ]]
      assert.equal(101, #list)
      assert.same({ deprecated "GET /dv", deprecated(VOTE) }, { list[100], list[101] })
    end)

    it("without the end of a long path", function()
      server:usually(ok "Deprecation: true")
      local _, list = run [[
        warn "@on"
        get("/" .. ("x"):rep(5000))
        get("/" .. ("x"):rep(6000))
        get(("/abc"):rep(1000))
      ]]
      assert.same({ deprecated("GET /" .. ("x"):rep(199)) }, { list[1] })
      assert.equal(2, #list)
      assert.is_true(#list[2] < 300)
    end)

    it("without the key", function()
      server:usually(ok("Deprecation: " .. KEY))
      local _, list = run([[
        warn "@on"
        get "/keys/]] .. KEY .. [["
      ]])
      assert.same({ deprecated "GET /keys/[redacted]" }, list)
    end)

    it("only after warn \"@on\"", function()
      server:usually(ok "Deprecation: true")
      local output, list = run "print(vote())"
      assert.same({ "true\n", {} }, { output, list })
    end)

    it("and its call succeeds if the host's warn function raises", function()
      server:usually(ok "Deprecation: true")
      local output, list = run [[
        local count = 0
        require "warnings".on(function(text)
          count = count + 1
          error(setmetatable({}, { __tostring = function() error(text) end }))
        end)
        local function on_event() error "my mistake" end
        local noisy <close> = new { on_event = on_event }
        print(vote(), vote(), count)
        print(vote(1, noisy), count)
      ]]
      assert.same({ "true\ttrue\t1\ntrue\t5\n", {} }, { output, list })
    end)

    it("whose host's warn function may close the client, but cannot use it", function()
      server:usually(ok "Deprecation: true")
      local output = run [[
        require "warnings".on(function()
          print(pcall(vote))
          client:close()
        end)
        print(vote())
        print((pcall(vote)))
      ]]
      assert.matches("^false\t[^\n]*cannot be used by its own on_event[^\n]*\ntrue\nfalse\n$",
        output)
    end)
  end)

  it("is marked in the log", function()
    server:script { ok "Sunset: x", "ok" }
    local _, errors = child.run_checked_apart({ child.lua, "-e", PRELUDE .. "vote() vote()" },
      { CEKURA_API_URL = server.url, CEKURA_API_KEY = KEY, CEKURA_LOG = "info" })
    assert.matches("^[^\n]*status 200, attempt 1, %d+ ms, deprecated\n[^\n]* ms\n$", errors)
  end)
end)
