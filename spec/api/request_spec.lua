-- client:request calls endpoints that the contract does not have, like any other call.
local cekura = require "cekura"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"

local PATH = "/test_framework/v1/new/"

describe("request", function()
  describe("to the sandbox", function()
    local server, client
    setup(function()
      server = sandbox.start()
      client = assert(cekura.new { api_url = server.url, api_key = server.api_key })
    end)
    teardown(function()
      client:close()
      server:stop()
    end)
    before_each(function() server:clear() end)

    it("returns the same as the endpoint's function", function()
      local result, response = assert(client:request {
        method = "GET", path = "/test_framework/v2/results/373/" })
      assert.same(assert(client.results:get { result_id = 373 }), result)
      assert.same({ 200, 1 }, { response.status, response.attempts })
      assert.equal("integer", math.type(result.id))
    end)

    it("sends a body as JSON", function()
      assert.same({ success = true }, client:request { method = "POST",
        path = "/test_framework/v1/runs/5544/mark_metric_vote/",
        body = { metric_id = 55, thumbs_up = false, expected_value = cekura.null } })
      assert.equal("application/json", server:requests()[1].headers["content-type"])
      assert.is_true(server:state("runs", 5544).is_reviewed)
    end)

    it("returns the error of every call for a refused one", function()
      local value, err = client:request { method = "GET", path = PATH }
      assert.is_nil(value)
      assert.same({ "not_found", "request", "GET", 404, "Not found.", "no" },
        { err.kind, err.endpoint, err.method, err.status, err.detail, err.applied })
      assert.equal(server.url .. PATH, err.url)
    end)

    it("sends a length of 0 and no type with POST, PUT and PATCH without a body", function()
      for _, method in ipairs { "POST", "PUT", "PATCH" } do
        server:clear()
        client:request { method = method, path = PATH }
        local request = server:requests()[1]
        assert.equal(method, request.method)
        assert.same({ "0" }, { request.headers["content-length"], request.headers["content-type"] })
      end
    end)

    it("sends the body of a DELETE, if there is one", function()
      client:request { method = "DELETE", path = PATH }
      client:request { method = "DELETE", path = PATH, body = cekura.array {} }
      local plain, full = table.unpack(server:requests())
      assert.same({ "DELETE", "" }, { plain.method, plain.body })
      assert.is_nil(plain.headers["content-type"])
      assert.same({ "DELETE", "[]" }, { full.method, full.body })
    end)

    it("does not change later calls", function()
      assert(client:request { method = "GET", path = "/test_framework/v2/results/373/" })
      assert(client.runs:mark_metric_vote {
        run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 3 })
      client:request { method = "POST", path = PATH }
      assert(client.runs:get { run_id = 5544 })
      local last = server:requests()[4]
      assert.is_nil(last.headers["content-length"])
    end)

    it("runs concurrently in each", function()
      local report = assert(client:each({ 5543, 5544, 5545 }, function(id)
        return client:request { method = "GET", path = ("/test_framework/v2/runs/%d/"):format(id) }
      end))
      assert.equal(3, report.ok)
    end)
  end)

  describe("in a dry run", function()
    local client <const> = assert(cekura.new {
      api_key = "any-key", api_url = "https://a.example/x/", user_agent = "spec" })
    teardown(function() client:close() end)

    local function plan(arguments)
      arguments.method = arguments.method or "GET"
      arguments.path = arguments.path or "/y"
      return assert(client:request(arguments, { dry_run = true }))
    end

    it("returns everything that would be sent", function()
      assert.same({ method = "GET", url = "https://a.example/x/y",
        headers = { Accept = "application/json", ["User-Agent"] = "spec" } }, plan {})
      local post = plan { method = "PATCH", path = "/a/", body = { a = { 1, 2.5 } } }
      assert.same({ "PATCH", '{"a":[1,2.5]}', "application/json" },
        { post.method, post.body, post.headers["Content-Type"] })
    end)

    -- { query, as it is sent }
    for _, row in ipairs {
      { { b = 1, a = "x", ["a-b"] = true, B = 2 }, "?B=2&a=x&a-b=true&b=1" },
      { { q = "a b&c=d?ü/" }, "?q=a%20b%26c%3Dd%3F%C3%BC%2F" },
      { { ["näme[]"] = "" }, "?n%C3%A4me%5B%5D=" },
      { { ids = { 1, "2", 3.0 }, no = false }, "?ids=1,2,3&no=false" },
      { { big = math.maxinteger, f = 1e300, less = -1.5 },
        "?big=9223372036854775807&f=1e%2B300&less=-1.5" },
      { { list = { "a,b", true } }, "?list=a%2Cb,true" },
      { {}, "" },
    } do
      it("writes a query in the order of its names: \"" .. row[2] .. "\"", function()
        assert.equal("https://a.example/x/y" .. row[2], plan({ query = row[1] }).url)
      end)
    end

    it("writes 100,000 names in order", function()
      local query, names = {}, {}
      for i = 1, 100000 do
        names[i] = ("n%06d"):format(i)
        query[names[i]] = "x"
      end
      assert.equal("https://a.example/x/y?" .. table.concat(names, "=x&") .. "=x",
        plan({ query = query }).url)
    end)

    for body, text in pairs {
      ["text"] = '"text"', [5] = "5", [false] = "false", [cekura.null] = "null",
      [cekura.array {}] = "[]",
    } do
      it("writes any JSON value as the body: " .. text, function()
        assert.equal(text, plan({ method = "POST", body = body }).body)
      end)
    end

    for _, path in ipairs { "/", "/a..b/", "/a/...", "/a%20b/", "/a%2fb", "/a%2f...%2Fb",
      "/a%5C.b/", "/..a%2f", "/a%2f%2fb", "/%252e/", "/@:!$&'()*+,;=~_-." } do
      it("accepts the path " .. path, function()
        assert.equal("https://a.example/x" .. path, plan({ path = path }).url)
      end)
    end

    -- { field, value, message }
    for _, row in ipairs {
      { "path", "a", 'must begin with "/"' }, { "path", "", 'must begin with "/"' },
      { "path", "https://b.example/", 'must begin with "/"' },
      { "path", "//b.example/", "would name a host" },
      { "path", "/a?b=1", "must not have a query" }, { "path", "/a#b", "percent%-encoded" },
      { "path", "/a b", "percent%-encoded" }, { "path", "/ä", "percent%-encoded" },
      { "path", "/a\r\nX: y", "percent%-encoded" }, { "path", "/a\0b", "percent%-encoded" },
      { "path", "/a\\b", "percent%-encoded" },
      { "path", "/{id}/", "{name} that should have been replaced" },
      { "path", "/a%2", "two hexadecimal digits" }, { "path", "/a%", "two hexadecimal digits" },
      { "path", "/a%zz", "two hexadecimal digits" }, { "path", "/../a", "as a segment" },
      { "path", "/a/..", "as a segment" }, { "path", "/./a", "as a segment" },
      { "path", "/%2E%2e/a", "as a segment" }, { "path", "/a/.%2e", "as a segment" },
      { "path", "/a%2f..%2fb", "as a segment" }, { "path", "/a%2F%2e%2E%2Fb", "as a segment" },
      { "path", "/a/..%2fb", "as a segment" }, { "path", "/a%2f../b", "as a segment" },
      { "path", "/a%5c..%5Cb", "as a segment" }, { "path", "/a%2f..", "as a segment" },
      { "path", "/..%5c", "as a segment" }, { "path", "/a%2f.", "as a segment" },
      { "path", "/%2e", "as a segment" },
      { "path", 5, "must be a string, got 5" }, { "path", nil, "is required" },
      { "method", "get", 'must be one of "GET", "POST"' }, { "method", "HEAD", "must be one of" },
      { "method", true, "must be one of" }, { "method", "GET\0", "must be one of" },
      { "query", "a=1", "must be a table of name = value" },
      { "query", { 1 }, "got a key of type number" },
      { "query", { a = {} }, "must have at least 1 item" },
      { "query", { a = { b = 1 } }, "must be a list" },
      { "query", { a = { { 1 } } }, "must be a string, a number" },
      { "query", { a = cekura.null }, "got null" }, { "query", { a = print }, "got function" },
      { "query", { a = "\xff" }, "must be valid UTF%-8" }, { "query", { a = 0 / 0 }, "finite" },
      { "query", { [""] = 1 }, "a name that is empty" },
      { "query", { ["\xff"] = 1 }, "a name that is empty or not valid" },
      { "body", {}, "a GET has none" }, { "spends_credits", 1, "must be true or false" },
      { "idempotent", "yes", "must be true or false" },
    } do
      it(("refuses the %s %q"):format(row[1], tostring(row[2])), function()
        local arguments = { method = "GET", path = "/y" }
        arguments[row[1]] = row[2]
        local value, err = client:request(arguments)
        assert.is_nil(value)
        assert.same({ "validation", "no", "request" }, { err.kind, err.applied, err.endpoint })
        assert.matches("^" .. row[1] .. "[^:]*: .*" .. row[3], err.message)
      end)
    end

    it("refuses a field name that is followed by a NUL", function()
      local _, err = client:request({ method = "GET", path = "/y", ["idempotent\0x"] = true })
      assert.matches("NUL byte%): unknown field", err.message)
    end)

    it("refuses a body that JSON cannot represent, and names the path", function()
      local _, err = client:request { method = "POST", path = "/y", body = { a = { print } } }
      assert.same({ "must be a JSON value, got a function" }, err.fields["body.a[1]"])
    end)

    it("reports every problem at once", function()
      local _, err = client:request({ methd = "GET", path = "y", query = 5, idempotent = 1,
        [1] = 2 }, { timeout = -1, retries = 5 })
      for _, part in ipairs { 'methd: unknown field, did you mean "method"?',
        "method: is required", "path: must begin", "query: must be a table",
        "idempotent: must be true or false", "(list item): unknown field", "options.timeout: ",
        "options.retries: unknown option" } do
        assert.is_truthy(err.message:find(part, 1, true), part)
      end
    end)

    it("refuses an idempotent call that spends credits", function()
      local _, err = client:request { method = "POST", path = "/y", idempotent = true,
        spends_credits = true }
      assert.matches("idempotent: excludes spends_credits", err.message)
    end)

    it("raises if an argument is not a table or a dot replaces the colon", function()
      assert.has_error(function() client:request() end,
        "request takes a table of arguments, got nil")
      assert.matches("takes a table of options",
        select(2, pcall(client.request, client, {}, 5)))
      assert.is_false(pcall(client.request, { method = "GET", path = "/y" }))
      assert.matches("cekura:request", select(2, pcall(cekura.request, { method = "GET" })))
    end)

    it("returns an error for a closed client", function()
      local closed = assert(cekura.new { api_key = "k" })
      closed:close()
      assert.equal("config", select(2, closed:request { method = "GET", path = "/y" }).kind)
    end)
  end)

  it("that raises in a coroutine, which dies, lets the client close its connections", function()
    local server <close> = faults.start()
    local client = retries.client(server)
    assert(client:request { method = "GET", path = "/y" })
    local coroutine_of_call = coroutine.create(client.request)
    local ok, raised = coroutine.resume(coroutine_of_call, client,
      { method = "POST", path = "/y", body = ("x"):rep(65 << 20) })
    assert.is_false(ok)
    assert.matches("larger than 64 MiB", raised)
    client:close()
    assert.is_true(server:closes())
    assert.equal("dead", coroutine.status(coroutine_of_call))  -- it is not collected before
  end)

  describe("is retried", function()
    local server, client
    setup(function()
      server = faults.start()
      client = retries.client(server)
    end)
    teardown(function()
      client:close()
      server:stop()
    end)
    before_each(function() server:clear() end)

    -- { arguments, deliveries with a 503 first, deliveries with a 429 first }
    for _, row in ipairs {
      { { method = "GET" }, 2, 2 }, { { method = "POST" }, 1, 2 }, { { method = "PUT" }, 1, 2 },
      { { method = "DELETE" }, 1, 2 }, { { method = "PATCH", body = { a = 1 } }, 1, 2 },
      { { method = "POST", idempotent = true }, 2, 2 },
      { { method = "POST", spends_credits = false }, 1, 2 },
      { { method = "POST", spends_credits = false, idempotent = true }, 2, 2 },
      { { method = "GET", spends_credits = true }, 1, 2 },
      { { method = "GET", idempotent = false }, 1, 2 },
    } do
      local names = {}
      for name, value in pairs(row[1]) do names[#names + 1] = name .. " = " .. tostring(value) end
      table.sort(names)
      local arguments = { path = PATH }
      for name, value in pairs(row[1]) do arguments[name] = value end

      local title = "%d times after a 503 for { %s }"
      it(title:format(row[2] - 1, table.concat(names, ", ")), function()
        for i, status in ipairs { 503, 429 } do
          server:clear()
          server:script { faults.status(status) }
          local value, err = client:request(arguments)
          assert.equal(row[i + 1], server:deliveries())
          if row[i + 1] == 1 then
            assert.same({ "server", "unknown" }, { err.kind, err.applied })
          else
            assert.same({ success = true }, value)
          end
        end
      end)
    end

    it("after an unknown outcome with retry_unknown", function()
      server:script { "close_before_answer" }
      assert(client:request({ method = "POST", path = PATH }, { retry_unknown = true }))
      assert.equal(2, server:deliveries())
    end)

    it("never because a kept-alive connection was dead", function()
      for _ = 1, 5 do
        server:clear()
        server:script { faults.ok_then_dead "close" }
        assert(client:request { method = "POST", path = PATH })
        assert(client:request { method = "POST", path = PATH, body = {} })
        assert.equal(2, server:deliveries())
      end
    end)

    it("and on_event gets its events", function()
      local types = {}
      local watching <close> = retries.client(server, { on_event = function(event)
        types[#types + 1] = event.endpoint .. " " .. event.type
      end })
      assert(watching:request { method = "GET", path = PATH })
      assert.same({ "request request", "request response" }, types)
    end)
  end)
end)

describe("request accepts a response without a body:", function()
  local RESET = "HTTP/1.1 205 Reset Content\r\n"
  local NO_CHUNKS = "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
  local COMPLETE = {
    ["a 200 with a length"] = { { "answer", 200, {}, "" } },
    ["a 200 that ends with the connection"] = "empty_close_delimited",
    ["a 200 of no chunks"] = { { "send", "HTTP/1.1 200 OK\r\n" .. NO_CHUNKS } },
    ["a 202 that ends with the connection"] = {
      { "send", "HTTP/1.1 202 Accepted\r\n\r\n" }, { "close" } },
    ["a 204"] = { { "answer", 204, {}, "" } },
    ["a 205 with a length"] = { { "answer", 205, {}, "" } },
    ["a 205 of no chunks"] = { { "send", RESET .. NO_CHUNKS } },
    ["a 205 that ends with the connection"] = { { "send", RESET .. "\r\n" }, { "close" } },
    ["a 205 that does not end the connection"] = { { "send", RESET .. "\r\n" }, { "hang" } },
    ["a coded one of no bytes"] = { { "answer", 200, { { "Content-Encoding", "gzip" } }, "" } },
  }

  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  for what, entry in pairs(COMPLETE) do
    it(what, function()
      local client <close> = retries.client(server)
      for _, arguments in ipairs {
        { method = "DELETE", path = "/a/", idempotent = true },
        { method = "GET", path = "/a/" },
        { method = "POST", path = "/a/" },
      } do
        server:clear()
        server:script { entry }
        local value, response = client:request(arguments)
        assert.is_true(value, tostring(response))
        assert.equal(1, response.attempts)
        assert.equal(1, server:deliveries())
      end
    end)
  end
end)
