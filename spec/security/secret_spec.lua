-- The key is redacted in everything that a script can see, also if a server echoes it.
local cekura = require "cekura"
local calls = require "support.calls"
local cjson = require "cjson"
local faults = require "support.faults"
local keys = require "support.keys"

local KEY = "s3cret/Key-0815"
local LOGS = "calls.evaluate_metrics"

-- Fails if the key is in one of the values, or in a string that is JSON. Returns whether the key
-- was overwritten or redacted somewhere.
local function is_clean(key, ...)
  local was_there = false
  local stars = ("*"):rep(#key)
  local function look(text)
    keys.refuse("what a script gets", text, key)
    was_there = was_there or text:find("[redacted]", 1, true) ~= nil
      or text:find(stars, 1, true) ~= nil
    local is_json, inner = pcall(cjson.decode, text)
    if is_json then keys.each_string(inner, look) end
  end
  for i = 1, select("#", ...) do keys.each_string(select(i, ...), look) end
  return was_there
end

describe("the key", function()
  local server, client

  setup(function()
    server = faults.start()
    client = assert(cekura.new { api_url = server.url, api_key = KEY, max_attempts = 1 })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:clear() end)

  it("is sent, and only in its header", function()
    local value, response = calls.vote(client)
    local row = server:ledger()[1]
    assert.equal(KEY, row.headers["x-cekura-api-key"])
    row.headers["x-cekura-api-key"] = nil
    is_clean(KEY, row, value, response)
  end)

  it("is not in a client or its resources", function()
    calls.vote(client)
    is_clean(KEY, client, client.runs, client.results, client.calls, client.metric_reviews)
    local closed = assert(cekura.new { api_key = KEY })
    closed:close()
    is_clean(KEY, closed)
  end)

  describe("is overwritten if the server echoes it in", function()
    for _, row in ipairs {
      { "a header", faults.status(200, { ["X-Echo"] = KEY }, "{}") },
      { "several headers, and several times", faults.status(200,
        { ["X-Echo"] = { KEY, "a" .. KEY .. "b" .. KEY, KEY:rep(3) } }, "{}") },
      { "the name of a header", faults.status(200, { ["s3cret/Key-0815"] = "x" }, "{}") },
      { "the headers of a refusal", faults.status(400, { ["X-Request-ID"] = KEY }, "{}") },
      { "a string", faults.ok('"' .. KEY .. '"') },
      { "a value", faults.ok('{"key": "' .. KEY .. '"}') },
      { "a longer value", faults.ok('{"key": "<' .. KEY .. "|" .. KEY .. '>"}') },
      { "a name", faults.ok('{"' .. KEY .. '": 1}') },
      { "the middle of a name", faults.ok('[{"a ' .. KEY .. ' b": [1]}]') },
      { "a nested value", faults.ok('[[{"a": [{"b": "' .. KEY .. '"}]}]]') },
      { "a detail", faults.status(401, {}, '{"detail": "Invalid key ' .. KEY .. '."}') },
      { "a field", faults.status(400, {}, '{"key": ["' .. KEY .. '"]}') },
      { "the name of a field", faults.status(400, {}, '{"' .. KEY .. '": ["x"]}') },
      { "a nested field", faults.status(400, {}, '{"a": {"b": ["' .. KEY .. '"]}}') },
      { "a list of messages", faults.status(400, {}, '["' .. KEY .. '"]') },
      { "HTML with a 502", faults.status(502, { ["Content-Type"] = "text/html" },
        "<pre>X-CEKURA-API-KEY: " .. KEY .. "</pre>") },
      { "HTML with a 200", faults.ok("<pre>" .. KEY .. "</pre>") },
      { "text that is not JSON", faults.ok(KEY) },
      { "a body that is cut off",
        { { "send", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" .. KEY }, { "close" } } },
      { "a body that is not UTF-8", faults.ok("\xff" .. KEY) },
      { "a redirect", faults.redirect(302, "https://elsewhere.invalid/?key=" .. KEY),
        is_hidden = true },
      { "a status line", { { "send", "HTTP/1.1 200 " .. KEY
        .. "\r\nContent-Length: 2\r\n\r\n{}" } }, is_hidden = true },
      { "bytes that are not HTTP", { { "send", KEY .. "\r\n\r\n" }, { "close" } },
        is_hidden = true },
    } do
      it(row[1], function()
        for _, name in ipairs { "runs.mark_metric_vote", LOGS } do
          server:script { row[2] }
          local value, about = calls.make(client, name)
          local headers = value and about.headers
          local was_there = is_clean(KEY, value, about, headers)
          assert.is_true(was_there or row.is_hidden or false, "the echo has not arrived")
        end
      end)
    end
  end)

  it("is overwritten in many names of an object in one pass", function()
    local names = {}
    for i = 1, 30000 do names[i] = ('"%s %d": %d'):format(KEY, i, i) end
    server:script { faults.ok("{" .. table.concat(names, ",") .. "}") }
    local began = os.clock()
    local value = assert(calls.vote(client))
    assert.is_true(os.clock() - began < 5)
    local stars = ("*"):rep(#KEY)
    assert.equal(1, value[stars .. " 1"])
    assert.equal(30000, value[stars .. " 30000"])
  end)

  describe("is redacted if the caller gives it in", function()
    -- { what, changes of a vote, options }
    for _, row in ipairs {
      { "an id", { run_id = KEY } },
      { "the name of a field", { [KEY] = 1 } },
      { "the path of a problem", { expected_value = { [KEY] = { print } } } },
      { "the value of an option", {}, { timeout = KEY } },
      { "the body of a dry run", { feedback = "x" .. KEY .. "y" }, { dry_run = true } },
      { "a header of a dry run", {}, { dry_run = true, headers = { ["X-Echo"] = KEY } } },
    } do
      it(row[1], function()
        local value, err = calls.vote(client, row[2], row[3])
        assert.is_true(is_clean(KEY, value, err), "it is not even mentioned")
        assert.equal(0, server:deliveries())
      end)
    end

    for what, call in pairs {
      ["an option of each"] = function() return client:each({ 1 }, print, { [KEY] = 1 }) end,
      ["the path of a journal"] = function()
        return client:each({ 1 }, print, { journal = "/nowhere/" .. KEY })
      end,
      ["an option of results:wait"] = function()
        return client.results:wait({ result_id = 1 }, { [KEY] = 1 })
      end,
      ["an argument of results:wait"] = function()
        return client.results:wait { result_id = 1, [KEY] = 1 }
      end,
      ["an argument of results:wait with a snapshot"] = function()
        return client.results:wait { result_id = 1, after = { id = KEY }, [KEY] = 1 }
      end,
      ["an argument of metrics:wait"] = function()
        return client.metrics:wait { progress_id = "a", [KEY] = 1 }
      end,
      ["an option of calls:wait"] = function()
        return client.calls:wait({ call_logs = {}, metrics = {} }, { [KEY] = 1 })
      end,
      ["an argument of calls:wait"] = function()
        return client.calls:wait { call_logs = {}, metrics = {}, [KEY] = 1 }
      end,
      ["an option of metric_reviews:wait"] = function()
        return client.metric_reviews:wait({ progress_id = "a" }, { [KEY] = 1 })
      end,
    } do
      it(what, function()
        local value, err, more = call()
        assert.is_true(is_clean(KEY, err, more), "it is not even mentioned")
        assert.is_true(value == nil or value.ok == 0)
        assert.equal(0, server:deliveries())
      end)
    end

    it("the address of a dry run", function()
      local own <close> = assert(cekura.new { api_key = KEY, api_url = server.url .. "/" .. KEY })
      assert.is_true(is_clean(KEY, calls.vote(own, {}, { dry_run = true })))
    end)

    it("the address of a call that fails", function()
      local own <close> = assert(cekura.new {
        api_key = KEY, api_url = server.url .. "/" .. KEY, max_attempts = 1,
      })
      server:script { faults.status(404) }
      assert.is_true(is_clean(KEY, select(2, calls.vote(own))))
    end)

    for _, options in ipairs {
      { api_kye = KEY }, { timeout = KEY }, { api_url = KEY }, { api_key = KEY .. "\n" },
      { headers = { ["x-cekura-api-key"] = KEY } },
    } do
      local name = next(options)
      it("wrong options: " .. name, function()
        options.api_key = options.api_key or KEY
        local value, err = cekura.new(options)
        assert.is_nil(value)
        is_clean(KEY, err)
      end)
    end
  end)

  it("is overwritten with asterisks, and nothing else of the response is", function()
    local stars = ("*"):rep(#KEY)
    local text = '{"a": "<%s|%s>", "%s": ["x%s"]}'
    server:script { faults.status(200, { ["X-Echo"] = "a" .. KEY }, (text:gsub("%%s", KEY))) }
    local value, response = calls.vote(client)
    assert.same({ a = "<" .. stars .. "|" .. stars .. ">", [stars] = { "x" .. stars } }, value)
    assert.equal("a" .. stars, response.headers["x-echo"])
    server:script { faults.status(400, {}, (text:gsub("%%s", KEY))) }
    assert.equal(text:gsub("%%s", stars), select(2, calls.vote(client)).body)
  end)

  it("may remain in part in a complete response", function()
    local part = KEY:sub(1, -2)
    for _, body in ipairs { part, "x" .. part .. " ", KEY:sub(2), ('{"a": %q}'):format(part) } do
      server:script { faults.status(502, {}, body) }
      assert.equal(body, select(2, calls.vote(client)).body)
    end
  end)

  describe("is overwritten in a cut response that ends with its beginning:", function()
    local function cut_off(head, body)
      return { { "send", head .. "\r\n\r\n" .. body }, { "close" } }
    end

    -- { what, head, text before the key }
    for _, row in ipairs {
      { "a body with a length", "HTTP/1.1 200 OK\r\nContent-Length: 1000", '{"a": "' },
      { "a body that ends with the connection", "HTTP/1.0 200 OK", '{"a": "' },
      { "a refusal", "HTTP/1.1 400 Bad Request\r\nContent-Length: 1000", '{"detail": "' },
      { "a body that has the whole key, too", "HTTP/1.1 500 No\r\nContent-Length: 1000",
        KEY .. "<" },
    } do
      local what, head, before = table.unpack(row)
      it(what, function()
        for n = 1, #KEY - 1 do
          server:script { cut_off(head, before .. KEY:sub(1, n)) }
          local _, err = calls.vote(client)
          local shown = before == KEY .. "<" and ("*"):rep(#KEY) .. "<" or before
          assert.equal(shown .. ("*"):rep(n), err.body)
        end
      end)
    end

    it("a body that is larger than allowed", function()
      for n = 1, #KEY - 1, 4 do
        local own <close> = assert(cekura.new { api_key = KEY, api_url = server.url,
          max_response_bytes = 100 })
        server:script { faults.ok(("x"):rep(100 - n) .. KEY .. ("y"):rep(100)) }
        local _, err = calls.vote(own)
        assert.equal("response", err.kind)
        assert.is_nil((err.body):find(KEY:sub(1, 2), 1, true))
      end
    end)
  end)

  describe("of digits", function()
    local DIGITS = "90210000112233445566"
    local own
    setup(function()
      own = assert(cekura.new { api_key = DIGITS, api_url = server.url, max_attempts = 1 })
    end)
    teardown(function() own:close() end)

    -- The first digits, which Lua shows of a float of that size.
    local FLOAT = ("%.14g"):format(tonumber(DIGITS)):match "^[%d.]+"

    local function is_hidden(...)
      for i = 1, select("#", ...) do
        keys.each_string(select(i, ...), function(text)
          keys.refuse("what a script gets", text, DIGITS)
        end)
      end
    end

    for what, body in pairs {
      ["a number"] = "%s",
      ["a number in an object"] = '{"a": %s}',
      ["the middle of a number"] = '{"a": 1%s0}',
      ["a fraction"] = '{"a": 0.%s}',
      ["a negative number"] = '{"a": [-%s]}',
      ["an exponent"] = '{"a": 1e%s}',
      ["a string"] = '{"a": "%s"}',
      ["a name"] = '{"%s": 1}',
    } do
      it("leaves a response readable that echoes it in " .. what, function()
        local text = body:gsub("%%s", DIGITS)
        server:script { faults.status(200, { ["X-Echo"] = DIGITS }, text) }
        local value, response = own.runs:mark_metric_vote(calls.arguments "runs.mark_metric_vote")
        assert.is_not_nil(value, response)
        is_hidden(value, response)
        local number = type(value) == "table" and value.a or value
        assert.is_nil(tostring(number):find(FLOAT, 1, true))
        server:script { faults.status(400, {}, text) }
        local _, err = own.runs:mark_metric_vote(calls.arguments "runs.mark_metric_vote")
        is_hidden(err)
      end)
    end
  end)

  describe("is redacted before a message quotes", function()
    local LONG = ("0123456789abcdef"):rep(4):reverse()
    local own
    setup(function() own = assert(cekura.new { api_url = server.url, api_key = LONG }) end)
    teardown(function() own:close() end)

    -- Fails if eight successive characters of the key are in the error.
    local function shows_nothing(err)
      assert.is_not_nil(err)
      keys.each_string(err, function(text)
        for i = 1, 16 do assert.is_nil(text:find(LONG:sub(i, i + 7), 1, true), text) end
      end)
    end

    for _, before in ipairs { "", "x", ("x"):rep(20), ("x"):rep(39), ("é"):rep(19), "\n\0" } do
      local text = before .. LONG
      it(("a value that has it after %q"):format(before), function()
        for _, changes in ipairs {
          { run_id = text }, { metric_id = text }, { thumbs_up = text }, { [LONG] = text },
          { expected_value = { [text] = print } },
        } do
          shows_nothing(select(2, calls.vote(own, changes)))
        end
        for name in pairs { timeout = 1, max_attempts = 1, dry_run = 1, headers = 1, [LONG] = 1 } do
          shows_nothing(select(2, calls.vote(own, {}, { [name] = text })))
        end
        shows_nothing(select(2, own.calls:list { timestamp_from = text }))
        shows_nothing(select(2, own.results:evaluate_metrics { result_id = 1, metrics = { text } }))
        shows_nothing(select(2, own:request { method = text, path = "/x/" }))
        shows_nothing(select(2, own:request { method = "GET", path = text, query = text }))
        for name in pairs { timeout = 1, max_attempts = 1, backoff = 1, on_event = 1, api_url = 1,
            keep_null = 1, proxy = 1, ca_file = 1 } do
          shows_nothing(select(2, cekura.new { api_key = LONG, timeout = LONG, [name] = text }))
        end
      end)
    end
  end)
end)
