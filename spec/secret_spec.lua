-- The key is in nothing that a script can see, whatever the server does with it.
local cekura = require "cekura"
local calls = require "support.calls"
local cjson = require "cjson"
local faults = require "support.faults"
local keys = require "support.keys"

local KEY = "s3cret/Key-0815"
local LOGS = "calls.evaluate_metrics"

-- The same text, each character as \uXXXX.
local ESCAPED = KEY:gsub(".", function(c) return ("\\u%04x"):format(c:byte()) end)

-- Fails if the key is anywhere in these values, also in what stands in a string as JSON; true if it
-- has been replaced somewhere.
local function is_clean(key, ...)
  local was_there = false
  local function look(text)
    keys.refuse("what a script gets", text, key)
    was_there = was_there or text:find("[redacted]", 1, true) ~= nil
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

  it("is in no client and no part of one", function()
    calls.vote(client)
    is_clean(KEY, client, client.runs, client.results, client.calls, client.metric_reviews)
    local closed = assert(cekura.new { api_key = KEY })
    closed:close()
    is_clean(KEY, closed)
  end)

  describe("that the server echoes in", function()
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
      { "depth", faults.ok('[[{"a": [{"b": "' .. KEY .. '"}]}]]') },
      { "escapes", faults.ok('["' .. ESCAPED .. '"]') },
      { "escapes in a name", faults.ok('{"' .. ESCAPED .. '": 1}') },
      { "an escaped slash", faults.ok('["' .. KEY:gsub("/", "\\/") .. '"]') },
      { "a detail", faults.status(401, {}, '{"detail": "Invalid key ' .. KEY .. '."}') },
      { "a detail, in escapes", faults.status(401, {}, '{"detail": "' .. ESCAPED .. '"}') },
      { "a field", faults.status(400, {}, '{"key": ["' .. KEY .. '"]}') },
      { "the name of a field", faults.status(400, {}, '{"' .. KEY .. '": ["x"]}') },
      { "the name of a field, in escapes", faults.status(400, {}, '{"' .. ESCAPED .. '": ["x"]}') },
      { "a nested field", faults.status(400, {}, '{"a": {"b": ["' .. KEY .. '"]}}') },
      { "a list of messages", faults.status(400, {}, '["' .. KEY .. '"]') },
      { "HTML that refuses", faults.status(502, { ["Content-Type"] = "text/html" },
        "<pre>X-CEKURA-API-KEY: " .. KEY .. "</pre>") },
      { "HTML with a 200", faults.ok("<pre>" .. KEY .. "</pre>") },
      { "text that is no JSON", faults.ok(KEY) },
      { "a body that is cut off",
        { { "send", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" .. KEY }, { "close" } } },
      { "a body that is not UTF-8", faults.ok("\xff" .. KEY) },
      { "a redirect", faults.redirect(302, "https://elsewhere.invalid/?key=" .. KEY),
        is_hidden = true },
      { "a status line", { { "send", "HTTP/1.1 200 " .. KEY
        .. "\r\nContent-Length: 2\r\n\r\n{}" } }, is_hidden = true },
      { "bytes that are no HTTP", { { "send", KEY .. "\r\n\r\n" }, { "close" } },
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

  it("that the server gives away in many names of an object costs one pass", function()
    local names = {}
    for i = 1, 30000 do names[i] = ('"%s %d": %d'):format(KEY, i, i) end
    server:script { faults.ok("{" .. table.concat(names, ",") .. "}") }
    local began = os.clock()
    local value = assert(calls.vote(client))
    assert.is_true(os.clock() - began < 5)
    assert.equal(1, value["[redacted] 1"])
    assert.equal(30000, value["[redacted] 30000"])
  end)

  describe("that the caller gives away in", function()
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
      it("options that are wrong: " .. name, function()
        options.api_key = options.api_key or KEY
        local value, err = cekura.new(options)
        assert.is_nil(value)
        is_clean(KEY, err)
      end)
    end
  end)

  describe("that an address and JSON write in another way", function()
    local AWKWARD = [[s3cret/"Key"+%41\0815]]
    local own
    setup(function()
      own = assert(cekura.new { api_url = server.url, api_key = AWKWARD, max_attempts = 1 })
    end)
    teardown(function() own:close() end)

    local function encoded(digits)
      return (AWKWARD:gsub("[^%w]", function(c) return digits:format(c:byte()) end))
    end
    local SLASHES = AWKWARD:gsub('[/"\\]', "\\%0")
    local QUERY = { method = "GET", path = "/x/", query = { a = "<" .. AWKWARD .. AWKWARD .. ">" } }

    it("is not in the address of a dry run", function()
      local shown = own:request(QUERY, { dry_run = true })
      assert.is_true(is_clean(AWKWARD, shown))
      assert.matches("?a=%3C[redacted][redacted]%3E", shown.url, 1, true)
    end)

    it("is not in the address of a call that fails", function()
      server:script { faults.status(404) }
      assert.is_true(is_clean(AWKWARD, select(2, own:request(QUERY))))
    end)

    it("is not in the body of a dry run", function()
      local shown = calls.vote(own, { feedback = "x" .. AWKWARD .. "y" }, { dry_run = true })
      assert.matches('"x[redacted]y"', shown.body, 1, true)
      assert.is_true(is_clean(AWKWARD, shown))
    end)

    for what, entry in pairs {
      ["in a value, percent-encoded"] = faults.ok('["' .. encoded "%%%02X" .. '"]'),
      ["in a name, percent-encoded"] = faults.ok('{"' .. encoded "%%%02X" .. '": 1}'),
      ["in a header, percent-encoded"] =
        faults.status(200, { ["X-Echo"] = encoded "%%%02x" }, "{}"),
      ["in a header, with slashes"] = faults.status(200, { ["X-Echo"] = SLASHES }, "{}"),
      ["in text, percent-encoded"] = faults.status(502, {}, "at %4 and %: " .. encoded "%%%02x"),
      ["in text, with slashes"] = faults.status(502, {}, '{"a": "\\n\\"' .. SLASHES),
      ["in text, in escapes"] = faults.status(502, {}, '{"a": "' .. encoded "\\u%04x"),
      ["as it is"] = faults.status(502, {}, AWKWARD .. "%" .. AWKWARD .. "\\"),
    } do
      it("is not shown where the server echoes it " .. what, function()
        server:script { entry }
        local value, about = calls.vote(own)
        assert.is_true(is_clean(AWKWARD, value, about, value and about.headers))
      end)
    end

    it("leaves alone what only begins like it", function()
      local part = encoded "%%%02X":sub(1, -2)
      server:script { faults.status(502, {}, part), faults.status(502, {}, SLASHES:sub(1, -2)) }
      assert.equal(part, select(2, calls.vote(own)).body)
      assert.equal(SLASHES:sub(1, -2), select(2, calls.vote(own)).body)
    end)
  end)
end)
