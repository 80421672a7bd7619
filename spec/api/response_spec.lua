-- Responses: values, headers, and the responses of broken or malicious servers.
local cekura = require "cekura"
local calls = require "support.calls"
local faults = require "support.faults"

local null = cekura.null
local LOGS, BULK = "calls.evaluate_metrics", "results.bulk_evaluate_metrics"
local LIMIT = (os.getenv "CEKURA_RUN" or "") == "" and 15 or 120  -- seconds; more under valgrind

describe("a response:", function()
  local server, client

  local function new(options)
    local all = { api_url = server.url, api_key = "the-key", max_attempts = 1, timeout = LIMIT }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(cekura.new(all))
  end

  setup(function()
    server = faults.start()
    client = new()
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:clear() end)

  -- Returns the results of a vote for which the server plays this entry.
  local function vote(entry, through)
    server:script { entry }
    return calls.vote(through or client)
  end

  -- Returns a text that shows the type of a number and the order of a list.
  local function shown(value)
    if value == null then return "null" end
    if type(value) == "string" then return ("%q"):format(value) end
    if type(value) ~= "table" then return tostring(value) end
    local parts = {}
    for key, item in pairs(value) do
      parts[#parts + 1] = (type(key) == "string" and key .. "=" or key .. ":") .. shown(item)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, " ") .. "}"
  end

  describe("a value", function()
    -- { title, JSON, expected value, expected value with keep_null if it differs }
    for _, row in ipairs {
      { "in the documented form is read", '{"success": true}', "{success=true}" },
      { "that is an integer is an integer", '{"n": 123}', "{n=123}" },
      { "that is a negative integer is an integer", "[-1, 0, -0]", "{1:-1 2:0 3:0}" },
      { "of 2^63 - 1 is exact", "[9223372036854775807]", "{1:9223372036854775807}" },
      { "of -2^63 is exact", "[-9223372036854775808]", "{1:-9223372036854775808}" },
      { "that is a fraction is a float", "[0.1, -2.5, 1e-7]", "{1:0.1 2:-2.5 3:1e-07}" },
      { "that is a large float is a float", "[1e300]", "{1:1e+300}" },
      { "that is null in an object is omitted, unless keep_null is set",
        '{"success": null, "n": 1}', "{n=1}", "{n=1 success=null}" },
      { "that is null in a list is cekura.null", "[1, null, 3]", "{1:1 2:null 3:3}" },
      { "with nested nulls is treated likewise",
        '{"a": [{"b": null, "c": [null]}]}', "{a={1:{c={1:null}}}}",
        "{a={1:{b=null c={1:null}}}}" },
      { "of an object with nothing but nulls is empty",
        '{"a": null, "b": null}', "{}", "{a=null b=null}" },
      { "that is null is cekura.null", "null", "null" },
      { "that is a number between blanks is read", " 17 ", "17" },
      { "that is a string is read", '"x"', '"x"' },
      { "that is false is false", "false", "false" },
      { "with empty containers has empty tables", "[[], {}]", "{1:{} 2:{}}" },
      { "with every escape is unescaped", [=["\"\\\/\b\f\n\r\t\u00e9\ud834\udd1e"]=],
        ("%q"):format '"\\/\b\f\n\r\té𝄞' },
      { "with an escaped NUL has a NUL", [=[["a\u0000b"]]=], "{1:" .. ("%q"):format "a\0b" .. "}" },
      { "in UTF-8 is unchanged", '{"é": "€𝄞"}', '{é="€𝄞"}' },
      { "with undocumented types is read as it is", '{"success": "3", "total_runs_count": 12}',
        '{success="3" total_runs_count=12}' },
      { "with an undocumented shape is read as it is", '[{"id": 1}, "x", 2, true]',
        '{1:{id=1} 2:"x" 3:2 4:true}' },
      { "with names that look like numbers has string keys",
        '{"1": "a", "2": null}', '{1="a"}', '{1="a" 2=null}' },
      { "of 128 levels is read", ("["):rep(128) .. ("]"):rep(128),
        ("{1:"):rep(127) .. "{}" .. ("}"):rep(127) },
    } do
      local title, json, plain, kept = table.unpack(row, 1, 4)

      it(title, function()
        assert.equal(plain, shown((vote(faults.ok(json)))))
        local keeping <close> = new { keep_null = true }
        assert.equal(kept or plain, shown((vote(faults.ok(json), keeping))))
      end)
    end

    it("is true if a 2xx has no body", function()
      for _, entry in ipairs {
        faults.empty(), { { "answer", 204, {}, "" } }, { { "answer", 202, {}, "" } },
      } do
        server:script { entry }
        local value, response = calls.make(client, BULK)
        assert.is_true(value)
        assert.equal(entry[1][2], response.status)
      end
    end)

    it("is read from every 2xx and every content type", function()
      for _, entry in ipairs {
        { { "answer", 201, {}, "[1]" } },
        { { "answer", 299, { { "Content-Type", "text/html" } }, "[1]" } },
      } do
        assert.same({ 1 }, (vote(entry)))
      end
    end)

    it("is decompressed", function()
      server:script { { { "gzip_bomb", 1 << 20 } }, faults.ok "[1]" }
      local _, err = calls.make(client, LOGS)  -- a megabyte of blanks
      assert.matches("^ +$", err.body)
      assert.same({ 1 }, (calls.make(client, LOGS)))
    end)

    -- { body, whether it is complete }: only the end of the connection delimits the body.
    for _, row in ipairs {
      { '{"a": "b\\"]}"} \n', true }, { '[[1], {"a": []}]\r\n', true }, { '"text"', true },
      { '{"a": ["\\\\"]}\t', true },
      { '{"a": 1' }, { "[1, 2]]" }, { "}" }, { "]" }, { '"text' }, { '"text\\' }, { '{"a": 1} x' },
      { '[{"a": 1}' }, { "12" }, { "" },
    } do
      it(("without a length is %s: %s"):format(row[2] and "read" or "refused", row[1]), function()
        local value, err = vote { { "send", "HTTP/1.1 200 OK\r\n\r\n" .. row[1] }, { "close" } }
        if row[2] then assert.is_truthy(value)
        else assert.same({ nil, "response" }, { value, err.kind }) end
      end)
    end

    it("is read if the last of its transfer codings is chunked", function()
      for _, codings in ipairs { "chunked", "identity, chunked", "identity,Chunked",
        "chunked, chunked", ", chunked,", "identity\r\nTransfer-Encoding: chunked" } do
        local head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: " .. codings .. "\r\n\r\n"
        assert.equal(12, (assert(vote { { "send", head .. "2\r\n12\r\n0\r\n\r\n" } })))
      end
    end)

    -- libcurl reads such a body until the connection ends, and reports success.
    for _, line in ipairs {
      "Content-Length: 99999999999999999999999", "Transfer-Encoding: identity",
      "Transfer-Encoding: gzip", "Transfer-Encoding:", "Transfer-Encoding: chunked, identity",
    } do
      it("is refused if its head does not say where it ends: " .. line, function()
        for _, body in ipairs { "", "12" } do
          local value, err = vote { { "send", "HTTP/1.1 200 OK\r\n" .. line .. "\r\n\r\n" .. body },
            { "close" } }
          assert.is_nil(value)
          assert.same({ "response", "yes" }, { err.kind, err.applied })
        end
      end)
    end

    local CHUNKED = "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n"

    -- { detail, the response's bytes }
    for _, row in ipairs {
      { "a trailer that looks like a status line",
        "HTTP/1.1 200 OK\r\n" .. CHUNKED .. "HTTP/1.1 500 No: y\r\nX: y\r\n\r\n" },
      { "a header that looks like a status line",
        "HTTP/1.1 200 OK\r\nHTTP/1.1 500 No: y\r\n" .. CHUNKED .. "\r\n" },
      { "a status line without a reason", "HTTP/1.1 200\r\n" .. CHUNKED .. "\r\n" },
      { "an interim response before it", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        .. "HTTP/1.1 200 OK\r\n" .. CHUNKED .. "\r\n" },
    } do
      it("is read with " .. row[1], function()
        server:script { { { "send", row[2] } } }
        local value, response = calls.vote(client)
        assert.same({}, value, tostring(response))
        assert.same({ 200, 1 }, { response.status, response.attempts })
      end)
    end

    -- libcurl 7.88 accepts such a line, and 8 does not.
    it("is read with two spaces in its status line, or is not HTTP", function()
      server:script { { { "send", "HTTP/1.1  200 OK\r\n" .. CHUNKED .. "\r\n" }, { "close" } } }
      local value, result = calls.vote(client)
      if value then assert.same({ {}, 200 }, { value, result.status })
      else assert.same({ "response", "unknown" }, { result.kind, result.applied }) end
    end)

    it("is read if the codings of the transfer are gzip and chunked", function()
      local gzip = "\x1f\x8b\8\0\0\0\0\0\0\3\x8b\x8e\5\0\x29\xbb\x4c\x0d\2\0\0\0"  -- []
      local head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip"
      local chunks = ("%x\r\n%s\r\n0\r\n\r\n"):format(#gzip, gzip)
      for _, entry in ipairs {
        { { "send", head .. ", chunked\r\n\r\n" .. chunks } },
        { { "send", head .. "\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunks } },
        { { "send", head .. "\r\n\r\n" .. gzip }, { "close" } },
      } do
        local value, err = vote(entry)
        assert.same({}, value, tostring(err))
      end
      for _, request in ipairs(server:ledger()) do assert.is_nil(request.headers.te) end
    end)

    it("is read after 100 Continue", function()
      assert.same({ success = true }, (vote(faults.continue_then())))
    end)
  end)

  describe("the second result", function()
    local HEADERS = {
      ["X-One"] = "1", ["x-TWO"] = { "a", "b", "c" }, ["X-Empty"] = "", ["X-Blanks"] = "  a b  ",
      ["X-Colon"] = "a:b", ["X-Request-Id"] = "r1",
    }

    it("has status, headers, attempts and elapsed", function()
      local _, response = vote(faults.status(201, HEADERS, "{}"))
      assert.same({
        ["x-one"] = "1", ["x-two"] = "a, b, c", ["x-empty"] = "", ["x-blanks"] = "a b",
        ["x-colon"] = "a:b", ["x-request-id"] = "r1", ["content-type"] = "application/json",
        ["content-length"] = "2",
      }, response.headers)
      assert.same({ 201, "integer", 1, "integer" }, { response.status,
        math.type(response.status), response.attempts, math.type(response.attempts) })
    end)

    it("has the duration of the call", function()
      local _, response = vote { { "read" }, { "sleep", 0.2 }, faults.ok()[1] }
      assert.is_true(response.elapsed >= 0.2 and response.elapsed < 10)
    end)

    it("shows its status and duration as a string", function()
      local _, response = assert(calls.vote(client))
      assert.matches("^cekura%.response %(200 after %d+%.%d%d%d s%)$", tostring(response))
      response.elapsed = 1.0625
      assert.equal("cekura.response (200 after 1.063 s)", tostring(response))
      response.elapsed = math.huge
      assert.equal("cekura.response (200 after 0.000 s)", tostring(response))
    end)

    it("has the same fields in pairs before and after its headers are read", function()
      for _, read_first in ipairs { false, true } do
        local _, response = vote(faults.status(200, HEADERS, "{}"))
        if read_first then assert.equal("1", response.headers["x-one"]) end
        local names = {}
        for name in pairs(response) do names[#names + 1] = name end
        table.sort(names)
        assert.same({ "attempts", "elapsed", "headers", "status" }, names)
        assert.equal("1", response.headers["x-one"])
        assert.equal(0, #response)
        assert.is_nil(response.header)
        assert.is_nil(response[99])
      end
    end)

    it("has the value of a header that is folded over several lines", function()
      local head = "HTTP/1.1 200 OK\r\nX-Fold: a\r\n b\r\n c: d\r\nX-Next: e\r\n"
      local _, response = assert(vote { { "send", head .. "Content-Length: 2\r\n\r\n[]" } })
      assert.same({ "a b c: d", "e" }, { response.headers["x-fold"], response.headers["x-next"] })
    end)

    it("has no headers of an interim response", function()
      local _, response = vote {
        { "send", "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n" }, faults.ok()[1],
      }
      assert.equal(200, response.status)
      assert.is_nil(response.headers["x-early"])
    end)

    it("has its headers after the client is closed", function()
      local short <close> = new()
      local _, response = vote(faults.status(200, HEADERS, "{}"), short)
      short:close()
      assert.equal("1", response.headers["x-one"])
    end)
  end)

  describe("is an error of kind response:", function()
    local MEBIBYTE = 1 << 20

    -- { title, entry, status, applied, message; endpoint, max_response_bytes }
    local rows = {
      { "100,000 open brackets", faults.deep_json(100000), 200, "yes", "cannot be read" },
      { "129 levels", faults.ok(("["):rep(129) .. ("]"):rep(129)), 200, "yes",
        "cannot be read" },
      { "100,000 open objects", faults.ok(('{"a":'):rep(100000)), 200, "yes", "cannot be read" },
      { "HTML with status 200", faults.html(200), 200, "yes", "cannot be read" },
      { "plain text", faults.not_json(), 200, "yes", "cannot be read" },
      { "blanks", faults.ok "  \n", 200, "yes", "cannot be read" },
      { "a value that is cut off", faults.ok '{"success": tr', 200, "yes", "cannot be read" },
      { "a value with text after it",
        faults.ok '{"success": true} {', 200, "yes", "cannot be read" },
      { "a hexadecimal number", faults.ok "[0x10]", 200, "yes", "cannot be read" },
      { "invalid UTF-8 outside a string", faults.invalid_utf8(), 200, "yes", "not valid UTF%-8" },
      { "UTF-16", faults.ok "\xff\xfe[\0]\0", 200, "yes", "not valid UTF%-8" },
      { "a status line alone", "status_line_only", 200, "yes", "cut off" },
      { "half a head", "half_header", 200, "yes", "cut off" },
      { "a body shorter than its length", "cut_body", 200, "yes", "." },
      { "a body cut off in a chunk", "cut_chunked", 200, "yes", "." },
      { "a body without its last chunk", "unended_chunked", 200, "yes", "." },
      { "a body cut off by a reset", "reset_in_body", 200, "yes", "." },
      { "a body without a length that is cut off", "cut_close_delimited", 200, "yes", "cut off" },
      { "an empty body without a length", "empty_close_delimited", 200, "yes", "cut off" },
      { "bytes that are not HTTP", "not_http", nil, "unknown", "." },
      { "an endless head", "endless_head", 200, "yes", "." },
      { "an endless body", "endless_body", 200, "yes", "larger than max_response_bytes" },
      { "an endless body, with a small max_response_bytes", "endless_body", 200, "yes",
        "larger than max_response_bytes", max_response_bytes = 1000 },
      { "one byte more than max_response_bytes", faults.ok '{"a":  1}', 200, "yes",
        "larger than max_response_bytes", max_response_bytes = 8 },
      { "gzip that expands to a gigabyte", faults.gzip_bomb(1024 * MEBIBYTE), 200, "yes",
        "larger than max_response_bytes", endpoint = LOGS },
      { "gzip that expands to too much", faults.gzip_bomb(2 * MEBIBYTE), 200, "yes",
        "larger than max_response_bytes", endpoint = LOGS, max_response_bytes = MEBIBYTE },
      { "gzip that the client did not accept", faults.gzip_bomb(1024 * MEBIBYTE), 200, "yes", "." },
      { "gzip that is cut off", { { "answer", 200,
        { { "Content-Encoding", "gzip" } }, "\x1f\x8b\8\0\0\0\0\0\0\3" } }, 200, "yes", "cut off",
        endpoint = LOGS },
      { "deflate that is cut off", { { "answer", 200,
        { { "Content-Encoding", "deflate" } }, "\x78\x9c" } }, 200, "yes", ".", endpoint = LOGS },
      { "gzip that is not gzip", { { "answer", 200, { { "Content-Encoding", "gzip" } },
        "no gzip" } }, 200, "yes", ".", endpoint = LOGS },
      { "a redirect", faults.redirect(302), 302, "unknown", "redirect is not followed" },
      { "a redirect that keeps the method", faults.redirect(307), 307, "no",
        "redirect is not followed" },
      { "a permanent redirect that keeps the method", faults.redirect(308), 308, "no",
        "redirect is not followed" },
      { "304", faults.status(304, {}, ""), 304, "unknown", "status 304" },
    }

    for _, row in ipairs(rows) do
      local title, entry, status, applied, message = table.unpack(row, 1, 5)

      it(title, function()
        local own <close> = new { max_response_bytes = row.max_response_bytes }
        server:script { entry, faults.ok "[1]" }
        local started = os.time()
        local value, err = calls.make(own, row.endpoint or "runs.mark_metric_vote")
        assert.is_true(os.time() - started < LIMIT)
        assert.is_nil(value)
        assert.equal("response", err.kind)
        assert.same({ applied, 1 }, { err.applied, err.attempts })
        assert.equal(status, err.status)
        assert.matches(message, err.message)
        assert.is_nil(tostring(err):find "[\r\n]")
        assert.is_true(#(err.body or "") <= 64 * 1024)
        assert.same({ 1 }, (calls.vote(own)))
        assert.equal(2, server:deliveries())
      end)
    end
  end)

  it("that is a redirect is not followed", function()
    local other <close> = faults.start()
    server:script { faults.redirect(302, other.url), faults.redirect(307, other.url) }
    calls.vote(client)
    calls.vote(client)
    assert.equal(0, other:connections())
  end)

  it("that is a refusal has its kind, however long, deep or invalid its body is", function()
    for _, row in ipairs {
      { faults.html(502), 502, "server" },
      { faults.status(500, {}, ("["):rep(100000)), 500, "server" },
      { faults.status(400, {}, '{"detail": "\xff"}'), 400, "bad_request" },
      { { { "send", "HTTP/1.1 403 No\r\n\r\n{" }, { "flood", (" "):rep(65536) } }, 403,
        "permission" },
      { faults.early_error(413), 413, "bad_request" },
    } do
      local _, err = vote(row[1])
      assert.same({ row[2], row[3] }, { err.status, err.kind })
      assert.same({ success = true }, (calls.vote(client)))
    end
  end)

  it("of exactly max_response_bytes is read", function()
    local own <close> = new { max_response_bytes = 8 }
    assert.same({ a = 1 }, (vote(faults.ok '{"a": 1}', own)))
  end)

  it("of megabytes is read", function()
    local items = {}
    for i = 1, 50000 do items[i] = ('{"id": %d, "name": "call %d"}'):format(i, i) end
    local value = assert(vote(faults.ok("[" .. table.concat(items, ",") .. "]")))
    assert.equal(50000, #value)
    assert.same({ id = 50000, name = "call 50000" }, value[50000])
  end)
end)
