-- Input that is rare: what the other specs do not come by (make coverage).
local cekura = require "cekura"
local calls = require "support.calls"
local decisions = require "decisions"
local faults = require "support.faults"
local sandbox = require "cekura.sandbox"
local script = require "support.script"

describe("rare:", function()
  local server, client
  setup(function()
    server = faults.start()
    client = assert(cekura.new { api_url = server.url, api_key = "the-key", max_attempts = 1 })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:clear() end)

  -- The message of a vote with such changes, which is not sent.
  local function problem_of(changes, name)
    local value, err = calls.make(client, name or "runs.mark_metric_vote", changes)
    assert.is_nil(value)
    assert.equal(0, server:deliveries())
    return err.message
  end

  describe("an answer that only the end of the connection delimits", function()
    for _, row in ipairs {
      { '{"a": "b\\"]}"} \n', true }, { '[[1], {"a": []}]\r\n', true }, { '"text"', true },
      { '{"a": ["\\\\"]}\t', true },
      { '{"a": 1' }, { "[1, 2]]" }, { "}" }, { "]" }, { '"text' }, { '"text\\' }, { '{"a": 1} x' },
      { '[{"a": 1}' }, { "12" }, { "" },
    } do
      it((row[2] and "is whole: " or "is not whole: ") .. row[1], function()
        server:script { { { "send",
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" .. row[1] }, { "close" } } }
        local value, err = calls.vote(client)
        assert.equal(row[2] or false, value ~= nil and value ~= true)
        if not row[2] then assert.equal("response", err.kind) end
      end)
    end
  end)

  it("a client in the child of a fork: the child is told, the parent goes on", function()
    local output, code = script.run(([[
      local client = assert(require "cekura".new { api_url = %q, api_key = "the-key" })
      local calls = require "support.calls"
      assert(calls.vote(client))
      if require "fork".go_on() then
        print(select(2, calls.vote(client)))
        os.exit(true)
      end
      print(calls.vote(client).success)
    ]]):format(server.url))
    assert.equal("cekura: the client was made before fork: make one in this process (config)\n"
      .. "true\n", output)
    assert.equal(0, code)
    assert.equal(2, server:deliveries())
  end)

  -- Ctrl-C raises wherever Lua runs: between an attempt and the wait for the next one, too.
  for _, kind in ipairs { "request", "response", "retry" } do
    it("Ctrl-C while on_event is told of a " .. kind, function()
      server:script { faults.status(503, { ["Retry-After"] = "30" }), faults.status(503) }
      local told = {}
      local own <close> = assert(cekura.new {
        api_url = server.url, api_key = "the-key", max_attempts = 3,
        on_event = function(event)
          told[#told + 1] = event.type
          if event.type ~= kind then return end
          debug.sethook(function()
            debug.sethook()
            error("interrupted!", 0)
          end, "", 1)
        end,
      })
      assert.error_matches(function() calls.vote(own) end, "interrupted!")
      assert.equal(kind, told[#told])
    end)
  end

  describe("a value that is no JSON:", function()
    local pointer = debug.upvalueid(problem_of, 1)
    it("a pointer", function()
      assert.matches("expected_value: must be a JSON value, got userdata",
        problem_of { expected_value = pointer }, 1, true)
      assert.matches("got userdata", problem_of { run_id = pointer }, 1, true)
    end)
    it("a file", function()
      assert.matches("got a userdata", problem_of { expected_value = io.stdout }, 1, true)
    end)
    it("null for an id", function()
      assert.matches("got null", problem_of { run_id = cekura.null }, 1, true)
    end)
  end)

  describe("a text", function()
    for _, row in ipairs {
      { "\u{800}", true }, { "\u{10000}", true }, { "\u{10FFFF}", true }, { "\u{D7FF}", true },
      { "\xE0\x80\x80" }, { "\xE1\x80x" }, { "\xED\xA0\x80" }, { "\xF0\x80\x80\x80" },
      { "\xF4\x90\x80\x80" }, { "\xF1\x80\x80x" }, { "\xC2" }, { "\xF5\x80\x80\x80" },
    } do
      it(("%q is %s"):format(row[1], row[2] and "UTF-8" or "none"), function()
        if row[2] then
          assert.is_true(calls.vote(client, { feedback = row[1] }).success)
        else
          assert.matches("UTF-8", problem_of { feedback = row[1] }, 1, true)
        end
      end)
    end
  end)

  it("names that are long, or full of what cannot be shown, are in the message", function()
    local name = ("\1\""):rep(2000)
    assert.matches("unknown field", problem_of { [("x"):rep(5000)] = 1 }, 1, true)
    assert.matches("\\001", problem_of { run_id = name }, 1, true)
    assert.matches("got a function", problem_of { expected_value = { [name] = print } }, 1, true)
  end)

  it("of two names that are near, the nearer is suggested", function()
    local name = "metric_reviews.process_feedbacks"
    assert.matches('did you mean "metric_id"?', problem_of({ metric_tid = 1 }, name), 1, true)
    assert.matches('did you mean "metric_type"?', problem_of({ metric_typ = 1 }, name), 1, true)
  end)

  it("a header whose name or value has a NUL", function()
    for _, headers in ipairs { { ["a\0b"] = "x" }, { a = "b\0c" } } do
      local value, err = calls.vote(client, {}, { headers = headers })
      assert.is_nil(value)
      assert.equal("validation", err.kind)
    end
    assert.equal(0, server:deliveries())
  end)

  it("misuse raises", function()
    assert.error_matches(function() client:sleep(-1) end, "expected seconds from 0")
    assert.error_matches(function() client:sleep(0 / 0) end, "expected seconds from 0")
    assert.error_matches(function() cekura.array(setmetatable({}, {})) end, "metatable of its own")
    local internal = require "cekura.internal"
    assert.error_matches(function() internal.open_file "a\0b" end, "without a zero byte")
  end)

  it("an answer of which chunked is the last coding says where it ends", function()
    for _, codings in ipairs { "chunked", "identity, chunked", "identity,Chunked" } do
      server:script { { { "send", "HTTP/1.1 200 OK\r\nTransfer-Encoding: " .. codings
        .. "\r\n\r\n2\r\n12\r\n0\r\n\r\n" }, { "close" } } }
      assert.equal(12, (assert(calls.vote(client))))
    end
  end)

  -- libcurl reads such an answer until the connection ends, and an empty one would be a success.
  describe("an answer whose head does not say where it ends, in", function()
    for _, line in ipairs {
      "Content-Length: 99999999999999999999999", "Transfer-Encoding: identity",
      "Transfer-Encoding: gzip", "Transfer-Encoding:", "Transfer-Encoding: chunked, identity",
    } do
      it(line, function()
        for _, body in ipairs { "", "12" } do
          server:script { { { "send", "HTTP/1.1 200 OK\r\n" .. line .. "\r\n\r\n" .. body },
            { "close" } } }
          local value, err = calls.vote(client)
          assert.is_nil(value)
          assert.same({ "response", "yes" }, { err.kind, err.applied })
        end
      end)
    end
  end)

  it("an address of more than a head may have, which is shown", function()
    local ids = {}
    for i = 1, 20000 do ids[i] = 1000000000000 + i end
    local plan = assert(client.runs:bulk({ run_ids = ids }, { dry_run = true }))
    assert.is_true(#plan.url > 256 * 1024)
    server:usually(faults.status(414, {}, "{}"))
    local value, err = client.runs:bulk { run_ids = ids }
    assert.is_nil(value)
    assert.equal(plan.url, err.url)
  end)

  describe("names beyond number,", function()
    local many = {}
    for i = 1, 100000 do many["name" .. i] = "x" end

    it("of headers", function()
      local value, err = calls.vote(client, {}, { headers = many })
      assert.is_nil(value)
      assert.matches("headers: must have at most 1000 names, got 100000", err.message, 1, true)
    end)
  end)

  it("a request without a path", function()
    local value, err = client:request { method = "GET" }
    assert.is_nil(value)
    assert.matches("path: is required", err.message, 1, true)
  end)

  it("a response asked for what it does not have", function()
    local _, response = calls.vote(client)
    assert.is_nil(response[99])
    assert.is_nil(response.nothing)
  end)

  it("a refusal whose fields are of all sorts", function()
    server:script { faults.status(400, {}, '{"c": ["x"], "b": {"z": "1"}, "a": "y", "d": 5}') }
    local _, err = calls.vote(client)
    assert.same({ "y" }, err.fields.a)
    assert.is_nil(err.fields.d)
    server:script { faults.status(400, {}, '[["x"], "y", 5]') }
    assert.equal("bad_request", select(2, calls.vote(client)).kind)
  end)

  it("an api_url with a password alone", function()
    local value, err = cekura.new { api_key = "the-key", api_url = "https://:word@a.example" }
    assert.is_nil(value)
    assert.matches("api_url", err.message, 1, true)
  end)

  it("Retry-After in odd forms", function()
    local function seconds(text)
      return decisions.retry_after("HTTP/1.1 429 x\r\nRetry-After:" .. text .. "\r\n\r\n", 0)
    end
    assert.equal(-1, seconds "")
    assert.equal(-1, seconds ".5")
    assert.equal(-1, seconds "1.5.2")
    assert.equal(7, seconds "5, , 7")
    assert.equal(7, seconds " 7,")
    assert.equal(-1, decisions.retry_after("HTTP/1.1 429 x\r\nRetry-Xfter: 5\r\n\r\n", 0))
  end)

  it("times of a filter", function()
    local own <close> = sandbox.start()
    local near <close> = assert(cekura.new { api_url = own.url, api_key = own.api_key })
    for _, row in ipairs {
      { "2025-01-01T00:00:00.5-00:00", true }, { "2025-01-01T00:00:00.123456Z", true },
      { "2025-01-01T00:00:00+00:00", true }, { "2025-01-01T00:00:00." },
      { "2025-01-01T00:00:00.5" }, { "2025-01-01T00:00:00x00:00" },
    } do
      local value, err = near.calls:list { agent_id = 231, timestamp_from = row[1] }
      assert.equal(row[2] or false, value ~= nil, row[1] .. tostring(err))
    end
  end)
end)
