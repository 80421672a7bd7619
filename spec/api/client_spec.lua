-- Clients: cekura.new, its options, and close.
local cekura = require "cekura"
local calls = require "support.calls"
local script = require "support.script"
local sandbox = require "cekura.sandbox"

local EVALUATE, BULK = "results.evaluate_metrics", "results.bulk_evaluate_metrics"
local LOGS, FEEDBACKS = "calls.evaluate_metrics", "metric_reviews.process_feedbacks"

local range = require "support.range"

describe("a client", function()
  local server

  setup(function() server = sandbox.start { api_key = "the-key" } end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local function new(options)
    local all = { api_url = server.url, api_key = "the-key", max_attempts = 1 }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(cekura.new(all))
  end

  describe("takes the option", function()
    for _, options in ipairs {
      { timeout = 0.001 }, { timeout = 86400 }, { timeout = 30.5 },
      { connect_timeout = 1 }, { deadline = 1 }, { max_attempts = 1 }, { max_attempts = 100.0 },
      { max_response_bytes = 1 }, { max_response_bytes = 1 << 40 },
      { max_evaluations = 0 }, { max_evaluations = math.tointeger(2 ^ 53) },
      { backoff = {} }, { backoff = { base = 0 } }, { backoff = { cap = 0 } },
      { backoff = { base = 0.5, cap = 20 } }, { backoff = { base = 86400, cap = 0.001 } },
      { keep_null = true }, { keep_null = false }, { allow_http = true }, { on_event = print },
      { ca_file = "x" }, { ca_path = "x" }, { proxy = "http://127.0.0.1:1" },
      { user_agent = "me" }, { headers = {} }, { headers = { ["X-A"] = "1" } },
      { api_url = "https://api.cekura.ai" }, { api_url = "https://api.cekura.ai/" },
      { api_url = "HTTPS://api.cekura.ai:8443/a/b/" }, { api_url = "http://127.0.0.1:8080" },
      { api_url = "http://127.1.2.3/x" }, { api_url = "http://localhost" },
      { api_url = "http://[::1]:8080" }, { api_url = "http://LOCALHOST" },
      { api_url = "https://[fe80::1%25lo]" }, { api_url = "https://api.cekura.ai/%61" },
      { api_url = "http://example.com", allow_http = true },
      { api_key = "!~azAZ09" }, { api_key = ("k"):rep(5000) },
    } do
      local name, value = next(options)
      it(name .. " = " .. tostring(value):sub(1, 40):gsub("^table: .*", "{ … }"), function()
        local all = { api_key = "k" }
        for each, given in pairs(options) do all[each] = given end
        local client <close> = assert(cekura.new(all))
        assert.matches("^cekura%.client %(open, https?://.*[^/]%)$", tostring(client))
      end)
    end
  end)

  describe("is refused because of", function()
    local URL_TO_SAY = "is not a URL like https://api.cekura.ai"
    local ENCODED = "must not have a percent-encoded host"
    local CLEAR = "must begin with https://, or the key would cross the network in the clear "
      .. "(allow_http = true permits it)"
    local NO_KEY = "is required: set CEKURA_API_KEY in the environment, or give it to cekura.new"
    local ASCII = "must be visible ASCII, without spaces or line breaks"
    local SECONDS = "must be a number of seconds from 0.001 to 86400, got "
    local OURS = "is set by the client itself"
    local WAIT = "must be a number of seconds from 0 to 86400, got "
    local BACKOFF = "must be a table { base = seconds, cap = seconds }, got "
    local TWO_FIELDS = 'has only the fields "base" and "cap"'

    for _, row in ipairs {
      -- { options, the problems they have }
      { { api_kye = "x" }, { api_kye = 'unknown option, did you mean "api_key"?' } },
      { { timeuot = 3 }, { timeuot = 'unknown option, did you mean "timeout"?' } },
      { { ["api_url\0x"] = 3 }, { ["(a name with a NUL byte)"] = "unknown option" } },
      { { backoff = { ["base\0"] = 3 } }, { backoff = TWO_FIELDS } },
      { { colour = 3 }, { colour = "unknown option" } },
      { { "the-key" }, { ["(not a name)"] = "unknown option" } },
      { { dry_run = true }, { dry_run = "is an option of a single call, not of cekura.new" } },

      { { timeout = 0 }, { timeout = SECONDS .. "0" } },
      { { timeout = -1 }, { timeout = SECONDS .. "-1" } },
      { { timeout = 86401 }, { timeout = SECONDS .. "86401" } },
      { { timeout = "30" }, { timeout = SECONDS .. '"30"' } },
      { { timeout = 0 / 0 }, { timeout = SECONDS .. tostring(0 / 0) } },
      { { connect_timeout = math.huge }, { connect_timeout = SECONDS .. "inf" } },
      { { deadline = {} }, { deadline = SECONDS .. "table" } },
      { { max_attempts = 0 }, { max_attempts = "must be a whole number from 1 to 100, got 0" } },
      { { max_attempts = 101 },
        { max_attempts = "must be a whole number from 1 to 100, got 101" } },
      { { max_attempts = 1.5 },
        { max_attempts = "must be a whole number from 1 to 100, got 1.5" } },
      { { max_attempts = "4" },
        { max_attempts = 'must be a whole number from 1 to 100, got "4"' } },
      { { backoff = 5 }, { backoff = BACKOFF .. "5" } },
      { { backoff = "0.5" }, { backoff = BACKOFF .. '"0.5"' } },
      { { backoff = true }, { backoff = BACKOFF .. "boolean" } },
      { { backoff = { bass = 1 } }, { backoff = TWO_FIELDS } },
      { { backoff = { 0.5 } }, { backoff = TWO_FIELDS } },
      { { backoff = { base = -1 } }, { ["backoff.base"] = WAIT .. "-1" } },
      { { backoff = { base = 0 / 0 } }, { ["backoff.base"] = WAIT .. tostring(0 / 0) } },
      { { backoff = { base = "1" } }, { ["backoff.base"] = WAIT .. '"1"' } },
      { { backoff = { cap = math.huge } }, { ["backoff.cap"] = WAIT .. "inf" } },
      { { backoff = { base = 86401, cap = {} } },
        { ["backoff.base"] = WAIT .. "86401", ["backoff.cap"] = WAIT .. "table" } },
      { { on_event = 5 }, { on_event = "must be a function, got 5" } },
      { { on_event = "print" }, { on_event = 'must be a function, got "print"' } },
      { { on_event = {} }, { on_event = "must be a function, got table" } },
      { { retry_unknown = true },
        { retry_unknown = "is an option of a single call, not of cekura.new" } },
      { { max_response_bytes = 0 },
        { max_response_bytes = "must be a whole number from 1, got 0" } },
      { { max_evaluations = -1 },
        { max_evaluations = "must be a whole number from 0, got -1" } },
      { { keep_null = 1 }, { keep_null = "must be true or false, got 1" } },
      { { allow_http = "yes" }, { allow_http = 'must be true or false, got "yes"' } },
      { { ca_file = true }, { ca_file = "must be a string, got boolean" } },
      { { proxy = "a\0b" }, { proxy = "must not contain a NUL byte" } },
      { { user_agent = "a\r\nX-B: c" },
        { user_agent = "must not contain line breaks or other control characters" } },

      { { api_key = "" }, { api_key = NO_KEY } },
      { { api_key = 17 }, { api_key = "must be a string, got number" } },
      { { api_key = "two words" }, { api_key = ASCII } },
      { { api_key = "line\n" }, { api_key = ASCII } },
      { { api_key = "line\r\nX-Evil: 1" }, { api_key = ASCII } },
      { { api_key = "caf\u{e9}" }, { api_key = ASCII } },
      { { api_key = "\127" }, { api_key = ASCII } },
      { { api_key = "k\0k" }, { api_key = "must not contain a NUL byte" } },

      { { api_url = "" }, { api_url = URL_TO_SAY } },
      { { api_url = "api.cekura.ai" }, { api_url = URL_TO_SAY } },
      { { api_url = "https://" }, { api_url = URL_TO_SAY } },
      { { api_url = "https://a b" }, { api_url = URL_TO_SAY } },
      { { api_url = "https:/api.cekura.ai" }, { api_url = URL_TO_SAY } },
      { { api_url = "https:///api.cekura.ai" }, { api_url = URL_TO_SAY } },
      { { api_url = "https:api.cekura.ai" }, { api_url = URL_TO_SAY } },
      { { api_url = "https://api.cekura.ai?" }, { api_url = "must not have a query" } },
      { { api_url = "https://api.cekura.ai/#" }, { api_url = "must not have a fragment" } },
      { { api_url = "https://api.cekura.ai/#?" }, { api_url = "must not have a fragment" } },
      { { api_url = "https://a:port" }, { api_url = URL_TO_SAY } },
      { { api_url = "/path" }, { api_url = URL_TO_SAY } },
      { { api_url = "https://user@api.cekura.ai" },
        { api_url = "must not hold a user name or password" } },
      { { api_url = "https://user:pass@api.cekura.ai" },
        { api_url = "must not hold a user name or password" } },
      { { api_url = "https://:pass@api.cekura.ai" },
        { api_url = "must not hold a user name or password" } },
      { { api_url = "https://%61pi.cekura.ai/" }, { api_url = ENCODED } },
      { { api_url = "http://%31%327.1" }, { api_url = ENCODED } },
      { { api_url = "https://api.cekura.ai?x=1" }, { api_url = "must not have a query" } },
      { { api_url = "https://api.cekura.ai/#x" }, { api_url = "must not have a fragment" } },
      { { api_url = "ftp://api.cekura.ai" }, { api_url = "must begin with https://" } },
      { { api_url = "file:///etc/passwd" }, { api_url = "must begin with https://" } },
      { { api_url = "ftp://127.0.0.1", allow_http = true },
        { api_url = "must begin with https://" } },
      { { api_url = "http://api.cekura.ai" }, { api_url = CLEAR } },
      { { api_url = "HTTP://api.cekura.ai" }, { api_url = CLEAR } },
      { { api_url = "http://127.0.0.1.example.com" }, { api_url = CLEAR } },
      { { api_url = "http://localhost.example.com" }, { api_url = CLEAR } },
      { { api_url = "http://10.0.0.1" }, { api_url = CLEAR } },
      { { api_url = "http://0.0.0.0" }, { api_url = CLEAR } },
      { { api_url = "http://[::2]" }, { api_url = CLEAR } },

      { { headers = "X-A: 1" }, { headers = "must be a table of name = value, got string" } },
      { { headers = { "X-A: 1" } }, { headers = "must be a table of name = value, got a list" } },
      { { headers = { ["X A"] = "1" } }, { ["headers.X A"] = "is not a header name" } },
      { { headers = { ["X-A:"] = "1" } }, { ["headers.X-A:"] = "is not a header name" } },
      { { headers = { ["X-A\r\nB"] = "1" } }, { ["headers.X-A\r\nB"] = "is not a header name" } },
      { { headers = { [""] = "1" } }, { ["headers."] = "is not a header name" } },
      { { headers = { ["X-A"] = "1\r\nX-B: 2" } },
        { ["headers.X-A"] = "must not contain line breaks or other control characters" } },
      { { headers = { ["a\0b"] = "1" } },
        { ["headers.a"] = "is not a header name" } },
      { { headers = { ["X-A"] = "1\0" } },
        { ["headers.X-A"] = "must not contain line breaks or other control characters" } },
      { { headers = { ["X-A"] = 1 } }, { ["headers.X-A"] = "must be a string, got number" } },
      { { headers = { ["X-A"] = true } }, { ["headers.X-A"] = "must be a string, got boolean" } },
      { { headers = { ["x-cekura-api-key"] = "1" } }, { ["headers.x-cekura-api-key"] = OURS } },
      { { headers = { ["CONTENT-TYPE"] = "1" } }, { ["headers.CONTENT-TYPE"] = OURS } },
      { { headers = { accept = "1" } }, { ["headers.accept"] = OURS } },
      { { headers = { ["User-Agent"] = "1" } }, { ["headers.User-Agent"] = OURS } },
      { { headers = { Host = "1" } }, { ["headers.Host"] = OURS } },
      { { headers = { ["content-length"] = "1" } }, { ["headers.content-length"] = OURS } },
      { { headers = { ["Transfer-Encoding"] = "chunked" } },
        { ["headers.Transfer-Encoding"] = OURS } },
      { { headers = { Expect = "100-continue" } }, { ["headers.Expect"] = OURS } },
      { { headers = { Connection = "close" } }, { ["headers.Connection"] = OURS } },
      { { headers = { ["Accept-Encoding"] = "br" } }, { ["headers.Accept-Encoding"] = OURS } },

      { { api_key = "", api_url = "ftp://x", timeout = -1, retries = 3, headers = { a = 1 } }, {
        api_key = NO_KEY, api_url = "must begin with https://", timeout = SECONDS .. "-1",
        retries = 'unknown option, did you mean "max_attempts"?',
        ["headers.a"] = "must be a string, got number" } },
    } do
      local options, problems = table.unpack(row)
      local names = {}
      for path in pairs(problems) do names[#names + 1] = path end
      table.sort(names)

      local what = table.concat(names, ", ") .. ": " .. tostring(options[names[1]])
      it(what:gsub("%c", "?"):sub(1, 80), function()
        local all = { api_key = "k" }
        for name, value in pairs(options) do all[name] = value end
        local client, err = cekura.new(all)
        assert.is_nil(client)
        assert.same({ "config", "no" }, { err.kind, err.applied })
        local fields = {}
        for path, message in pairs(problems) do fields[path] = { message } end
        assert.same(fields, err.fields)
        assert.is_nil(tostring(err):find "[\r\n]")
      end)
    end

    for name, meant in pairs {
      key = "api_key", token = "api_key", apiKey = "api_key", API_TOKEN = "api_key",
      url = "api_url", base_url = "api_url", baseURL = "api_url", ["base-url"] = "api_url",
      host = "api_url", endpoint = "api_url", retries = "max_attempts",
      max_retries = "max_attempts", maxRetries = "max_attempts", timeout_ms = "timeout",
      request_timeout = "timeout", connection_timeout = "connect_timeout", cacert = "ca_file",
      user_agents = "user_agent", https_proxy = "proxy", callback = "on_event",
    } do
      it(("%s, and asks whether %s was meant"):format(name, meant), function()
        local _, err = cekura.new { api_key = "k", [name] = "secret" }
        assert.same({ [name] = { ('unknown option, did you mean "%s"?'):format(meant) } },
          err.fields)
        assert.is_nil(tostring(err):find "secret")
      end)
    end

    it("an address with a password, which no message shows", function()
      local _, err = cekura.new { api_key = "k", api_url = "https://user:hunter2@x" }
      assert.is_nil(tostring(err):find "hunter2")
    end)
  end)

  describe("has the address", function()
    for _, row in ipairs {
      { "https://api.cekura.ai/", "https://api.cekura.ai" },
      { "HTTPS://API.Cekura.AI//", "https://api.cekura.ai" },
      { "http://LocalHost:81/A/b%2F/", "http://localhost:81/A/b%2F" },
      { "https://[FE80::1%25Lo]/x", "https://[fe80::1%25Lo]/x" },
      { "http://127.0.0.1:8080", "http://127.0.0.1:8080" },
    } do
      it(row[2] .. " for " .. row[1], function()
        local client <close> = new { api_url = row[1] }
        assert.equal(row[2], client.api_url)
      end)
    end
  end)

  describe("reads the environment:", function()
    -- Returns the output of a script, which has the variables VOTE and URL, the sandbox's address.
    local function run(environment, text)
      local all = { CEKURA_API_KEY = false, CEKURA_API_URL = false, CEKURA_CA_FILE = false }
      for name, value in pairs(environment) do all[name] = value end
      return (script.run(([[
        local cekura, URL = require "cekura", %q
        local VOTE = { run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 1 }
        ]]):format(server.url) .. text, all))
    end

    local function last_key() return server:requests()[1].headers["x-cekura-api-key"] end

    it("the key and the URL", function()
      local output = run({ CEKURA_API_KEY = "the-key", CEKURA_API_URL = server.url },
        [[print(assert(cekura.new()).runs:mark_metric_vote(VOTE).success)]])
      assert.equal("true\n", output)
      assert.equal("the-key", last_key())
    end)

    for _, name in ipairs { "CEKURA_API_URL", "CEKURA_CA_FILE" } do
      it("an empty " .. name .. " counts as unset", function()
        local environment = { CEKURA_API_KEY = "the-key", [name] = "" }
        assert.equal("https://api.cekura.ai\ntrue\n", run(environment, [[
          local client, err = cekura.new()
          print(client and client.api_url or err)
          client = assert(cekura.new { api_url = URL })
          print(client.runs:mark_metric_vote(VOTE).success)]]))
      end)
    end

    it("an empty CEKURA_API_KEY does not replace the option", function()
      assert.equal("true\n", run({ CEKURA_API_KEY = "", CEKURA_API_URL = "" },
        [[print(assert(cekura.new { api_key = "the-key", api_url = URL })
          .runs:mark_metric_vote(VOTE).success)]]))
      assert.equal("the-key", last_key())
    end)

    it("options win over it", function()
      local output = run({ CEKURA_API_KEY = "other", CEKURA_API_URL = "https://elsewhere.invalid" },
        [[print(assert(cekura.new { api_key = "the-key", api_url = URL })
          .runs:mark_metric_vote(VOTE).success)]])
      assert.equal("true\n", output)
      assert.equal("the-key", last_key())
    end)

    it("the default URL is Cekura's", function()
      assert.equal("https://api.cekura.ai/test_framework/v1/runs/5544/mark_metric_vote/\n",
        run({}, [[print(assert(cekura.new { api_key = "any-key" })
          .runs:mark_metric_vote(VOTE, { dry_run = true }).url)]]))
    end)

    for _, row in ipairs {
      { "no key", {}, "api_key: is required" },
      { "an empty key", { CEKURA_API_KEY = "" }, "api_key: is required" },
      { "a key with a line break", { CEKURA_API_KEY = "a\nb" }, "api_key: must be visible ASCII" },
      { "an address without https", { CEKURA_API_KEY = "k", CEKURA_API_URL = "http://a.example" },
        "api_url: must begin with https://" },
    } do
      it(row[1] .. " is an error, of the default client too", function()
        local output = run(row[2], [[
          local client, err = cekura.new()
          print(client, err.kind, err)
          client, err = cekura.runs:mark_metric_vote(VOTE)
          print(client, err.kind, err)]])
        local first, second = output:match "^(.-)\n(.*)\n$"
        assert.truthy(first:find("nil\tconfig\tcekura: " .. row[3], 1, true), output)
        assert.truthy(second:find("nil\tconfig\tcekura: " .. row[3], 1, true), output)
      end)
    end

    it("the default client is made once, on first use", function()
      local output = run({ CEKURA_API_KEY = "the-key", CEKURA_API_URL = server.url }, [[
        print(tostring(cekura.runs))
        for _ = 1, 2 do print(cekura.runs:mark_metric_vote(VOTE).success) end]])
      assert.equal("cekura.runs\ntrue\ntrue\n", output)
      local requests = server:requests()
      assert.equal(2, #requests)
      assert.equal(requests[1].connection, requests[2].connection)
    end)

    it("the default client is made as soon as there is a key", function()
      local output = run({ CEKURA_API_KEY = false }, [[
        print(select(2, cekura.runs:mark_metric_vote(VOTE)).kind)
        print(select(2, cekura.runs:mark_metric_vote(VOTE)).kind)]])
      assert.equal("config\nconfig\n", output)
    end)
  end)

  describe("with max_evaluations", function()
    -- { what, endpoint, changes, number of evaluations, their words in the error }
    for _, row in ipairs {
      { "counts runs times metrics", EVALUATE, { run_ids = range(3), metric_ids = range(4) }, 12,
        "would start 12 metric" },
      { "counts call logs times metrics", LOGS, { call_logs = range(5), metrics = range(2) }, 10,
        "would start 10 metric" },
      { "counts nothing where there is nothing", LOGS, { call_logs = {} }, 0 },
    } do
      local what, name, changes, count, said = table.unpack(row)

      it(what, function()
        local client <close> = new { max_evaluations = count }
        calls.make(client, name, changes)
        assert.equal(1, #server:requests())
        if count == 0 then return end
        server:clear()
        local strict <close> = new { max_evaluations = count - 1 }
        local value, err = calls.make(strict, name, changes)
        assert.is_nil(value)
        assert.same({ "budget", "no", name, 0 },
          { err.kind, err.applied, err.endpoint, err.attempts })
        assert.truthy(tostring(err):find(said, 1, true))
        assert.same({}, server:requests())
        calls.make(strict, name, changes, { max_evaluations = count })  -- the call's option wins
        assert.equal(1, #server:requests())
        err = select(2, calls.make(client, name, changes, { max_evaluations = 0 }))
        assert.equal("budget", err.kind)
        err = select(2, calls.make(strict, name, changes, { evaluations = 1, uncounted = true }))
        assert.equal("budget", err.kind)  -- the arguments show a higher number than the stated one
        assert.equal(1, #server:requests())
      end)
    end

    local function request(client, changes, options)
      local arguments = { method = "POST", path = "/test_framework/v1/scenarios/run/" }
      for name, value in pairs(changes) do arguments[name] = value end
      return client:request(arguments, options)
    end

    local function made(name)
      return function(client, changes, options)
        return calls.make(client, name, changes, options)
      end
    end

    -- { what, endpoint, changes, the number that is known, its words in the error }
    for _, row in ipairs {
      { "a bulk call", made(BULK), { result_ids = range(29), metric_ids = range(2) }, 58,
        "is not known (at least 58), max_evaluations is 100: nothing was sent" },
      { "the optimiser", made(FEEDBACKS), {}, 0,
        "is not known, max_evaluations is 100: nothing was sent" },
      { "the optimiser without an evaluation afterwards", made(FEEDBACKS),
        { skip_evaluation = true }, 0, "is not known, max_evaluations is 100" },
      { "a request that is not a GET", request, {}, 0, "is not known, max_evaluations is 100" },
      { "a GET that spends credits", request, { method = "GET", spends_credits = true }, 0,
        "is not known, max_evaluations is 100" },
    } do
      local what, make, changes, known, said = table.unpack(row)

      describe("refuses " .. what .. " of unknown size,", function()
        local client

        before_each(function() client = new { max_evaluations = 100 } end)
        after_each(function() client:close() end)

        local function refuses(how, options)
          local value, err = make(client, changes, options)
          assert.is_nil(value)
          assert.same({ "budget", "no", 0 }, { err.kind, err.applied, err.attempts })
          assert.truthy(tostring(err):find(how, 1, true), tostring(err))
          assert.same({}, server:requests())
        end

        it("unless the size is stated", function()
          refuses(said)
          refuses(said, { dry_run = true })
          refuses(said, { uncounted = false })
          refuses("would start 456 metric evaluations, max_evaluations is 100",
            { evaluations = 456 })
          refuses("would start 101 metric evaluations", { evaluations = 101, uncounted = true })
          make(client, changes, { evaluations = 100 })
          make(client, changes, { evaluations = 456, max_evaluations = 456 })
          assert.equal(2, #server:requests())
        end)

        it("unless that is allowed", function()
          make(client, changes, { uncounted = true })
          assert.equal(1, #server:requests())
        end)

        it("even if the stated number is lower than the arguments show", function()
          if known == 0 then return end
          for _, options in ipairs { { evaluations = 0 }, { evaluations = known - 1 },
              { uncounted = true }, {} } do
            options.max_evaluations = known - 1
            refuses("would start " .. (options.evaluations and "" or "at least ") .. known
              .. " metric evaluations", options)
          end
        end)

        it("but sends it without a limit", function()
          local free <close> = new()
          make(free, changes)
          make(free, changes, { evaluations = 5 })
          assert.equal(2, #server:requests())
        end)
      end)
    end

    it("sends every call that spends nothing", function()
      local client <close> = new { max_evaluations = 0 }
      assert(calls.vote(client))
      assert(calls.vote(client, {}, { evaluations = 5 }))
      local free = 2
      for _, name in ipairs(calls.companions) do
        calls.make(client, name)
        free = free + 1
      end
      request(client, { method = "GET" })
      request(client, { spends_credits = false })
      request(client, { idempotent = true })
      assert.equal(free + 3, #server:requests())
    end)
  end)

  describe("with dry_run", function()
    for _, row in ipairs {
      { "runs.mark_metric_vote", { run_id = "9223372036854775807" },
        "/test_framework/v1/runs/9223372036854775807/mark_metric_vote/",
        '{"metric_id":55,"thumbs_up":false,"expected_value":2}' },
      { EVALUATE, { run_ids = { 1, 2 }, metric_ids = { 3, 4, 5 } },
        "/test_framework/v1/results/373/evaluate_metrics/",
        '{"run_ids":["1","2"],"metric_ids":["3","4","5"]}', 6 },
      { BULK, { result_ids = { 1, 2 } }, "/test_framework/v1/results/bulk_evaluate_metrics/",
        '{"result_ids":[1,2],"metric_ids":[55]}', 2 },
      { LOGS, {}, "/observability/v1/call-logs/evaluate_metrics/",
        '{"agent_id":231,"call_logs":[1],"metrics":[57]}', 1 },
      { FEEDBACKS, {}, "/test_framework/metric-reviews/process_feedbacks/", '{"metric_id":55}' },
    } do
      local name, changes, path, body, evaluations = table.unpack(row, 1, 5)

      it("shows what " .. name .. " would send, and sends nothing", function()
        local client <close> = new { headers = { ["X-One"] = "1", ["X-Two"] = "2" } }
        local shown = assert(calls.make(client, name, changes, {
          dry_run = true, headers = { ["x-two"] = "3" },
        }))
        assert.same({}, server:requests())
        assert.matches("^cekura%-lua/", shown.headers["User-Agent"])
        shown.headers["User-Agent"] = nil
        assert.same({
          method = "POST", url = server.url .. path, body = body, evaluations = evaluations,
          evaluations_at_least = name == BULK or nil,
          headers = { ["Content-Type"] = "application/json", Accept = "application/json",
            ["X-One"] = "1", ["x-two"] = "3" },
        }, shown)
        assert.equal(1, #{ calls.make(client, name, changes, { dry_run = true }) })
        calls.make(client, name, changes)
        local request = server:requests()[1]  -- the call sends what the dry run showed
        assert.same({ path, body }, { request.path, request.body })
      end)
    end

    it("shows the stated number of evaluations", function()
      local client <close> = new()
      local shown = assert(calls.make(client, BULK, {}, { dry_run = true, evaluations = 7 }))
      assert.same({ n = 2, 7, nil }, table.pack(shown.evaluations, shown.evaluations_at_least))
      shown = assert(calls.make(client, FEEDBACKS, {}, { dry_run = true, evaluations = 8 }))
      assert.equal(8, shown.evaluations)
      shown = assert(calls.vote(client, {}, { dry_run = true, evaluations = 9 }))
      assert.is_nil(shown.evaluations)
    end)

    it("still checks arguments and max_evaluations", function()
      local client <close> = new()
      local _, err = calls.make(client, BULK, { result_ids = {} }, { dry_run = true })
      assert.equal("validation", err.kind)
      _, err = calls.make(client, BULK, {}, { dry_run = true, max_evaluations = 0 })
      assert.equal("budget", err.kind)
    end)

    it("shows the URL with the path of api_url", function()
      local client <close> = new { api_url = "https://api.example/a%20b/" }
      assert.equal("https://api.example/a%20b/test_framework/metric-reviews/process_feedbacks/",
        calls.make(client, FEEDBACKS, {}, { dry_run = true }).url)
    end)

    it("= false sends", function()
      local client <close> = new()
      assert(calls.vote(client, {}, { dry_run = false }))
      assert.equal(1, #server:requests())
    end)
  end)

  describe("refuses for a single call", function()
    for _, row in ipairs {
      { { timeuot = 3 }, { ["options.timeuot"] = 'unknown option, did you mean "timeout"?' } },
      { { ["timeout\0x"] = 3 }, { ["options.(a name with a NUL byte)"] = "unknown option" } },
      { { ["dry_run\0"] = true }, { ["options.(a name with a NUL byte)"] = "unknown option" } },
      { { api_key = "x" },
        { ["options.api_key"] = "is an option of cekura.new, not of a single call" } },
      { { keep_null = true },
        { ["options.keep_null"] = "is an option of cekura.new, not of a single call" } },
      { { timeout = 0 },
        { ["options.timeout"] = "must be a number of seconds from 0.001 to 86400, got 0" } },
      { { dry_run = 1 }, { ["options.dry_run"] = "must be true or false, got 1" } },
      { { retry_unknown = "yes" },
        { ["options.retry_unknown"] = 'must be true or false, got "yes"' } },
      { { backoff = {} },
        { ["options.backoff"] = "is an option of cekura.new, not of a single call" } },
      { { on_event = print },
        { ["options.on_event"] = "is an option of cekura.new, not of a single call" } },
      { { deadline = 0 },
        { ["options.deadline"] = "must be a number of seconds from 0.001 to 86400, got 0" } },
      { { max_attempts = 101 },
        { ["options.max_attempts"] = "must be a whole number from 1 to 100, got 101" } },
      { { headers = { Host = "x" } },
        { ["options.headers.Host"] = "is set by the client itself" } },
      { { headers = { ["X-A"] = "1\n" } }, { ["options.headers.X-A"] =
        "must not contain line breaks or other control characters" } },
      { { retries = 3 },
        { ["options.retries"] = 'unknown option, did you mean "max_attempts"?' } },
      { { base_url = "x" }, { ["options.base_url"] = "unknown option" } },
      { { metric_id = 55 },
        { ["options.metric_id"] = "is an argument: it belongs in the first table" } },
    } do
      local options, problems = table.unpack(row)

      it(next(problems), function()
        local client <close> = new()
        local _, err = calls.vote(client, { run_id = calls.none }, options)
        local fields = { run_id = { "is required" } }  -- and another problem
        for path, message in pairs(problems) do fields[path] = { message } end
        assert.same(fields, err.fields)
        assert.same({ "validation", "no" }, { err.kind, err.applied })
        assert.same({}, server:requests())
      end)
    end

    it("an option among the arguments, and an argument among the options", function()
      local client <close> = new()
      local second = "is an option: it belongs in the second table, after the arguments"
      local first = "is an argument: it belongs in the first table"
      for name in pairs { timeout = 1, deadline = 1, max_attempts = 1, dry_run = true, headers = {},
          retry_unknown = true, max_evaluations = 1, evaluations = 1, uncounted = true } do
        local _, err = client.runs:get { run_id = 1, [name] = 1 }
        assert.same({ [name] = { second } }, err.fields)
        _, err = client:request { method = "GET", path = "/x", [name] = 1 }
        assert.same({ [name] = { second } }, err.fields)
      end
      local _, err = client.runs:get { run_id = 1, api_url = "x" }
      assert.same({ api_url = { "is an option of cekura.new, not of a single call" } }, err.fields)
      _, err = client:request({ method = "GET", path = "/x" }, { query = {} })
      assert.same({ ["options.query"] = { first } }, err.fields)
      _, err = client.results:list({}, { page_size = 5 })
      assert.same({ ["options.page_size"] = { first } }, err.fields)
      assert.same({}, server:requests())
    end)

    it("more than 1,000 headers", function()
      local client <close> = new()
      local many = {}
      for i = 1, 1001 do many["X-" .. i] = "x" end
      local _, err = calls.vote(client, {}, { headers = many })
      assert.same({ "must have at most 1000 names, got 1001" }, err.fields["options.headers"])
    end)

    it("headers of an __index metamethod", function()
      local output = script.run(([[
        local cekura = require "cekura"
        local sly = { __index = { headers = { ["X-A"] = true, [1] = "X-B: c\r\n" } } }
        local client = assert(cekura.new(setmetatable({ api_url = %q, api_key = "the-key" }, sly)))
        print(client.runs:mark_metric_vote({
          run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 1,
        }, setmetatable({}, sly)).success)]]):format(server.url))
      assert.equal("true\n", output)
      for name in pairs(server:requests()[1].headers) do assert.not_matches("^x%-[ab]", name) end
    end)
  end)

  describe("that is misused raises:", function()
    local client
    setup(function() client = new() end)
    teardown(function() client:close() end)

    for _, row in ipairs {
      { "a dot for the colon", "call it with a colon: runs:mark_metric_vote{ … }",
        function() client.runs.mark_metric_vote { run_id = 1 } end },
      { "another resource", "call it with a colon: runs:mark_metric_vote{ … }",
        function() client.runs.mark_metric_vote(client.results, {}) end },
      { "nothing at all", "call it with a colon: runs:mark_metric_vote{ … }",
        function() client.runs.mark_metric_vote() end },
      { "no table", "takes a table of arguments, got nil",
        function() client.runs:mark_metric_vote() end },
      { "a number for the table", "takes a table of arguments, got number",
        function() client.runs:mark_metric_vote(5544) end },
      { "an id for the table", 'got number: runs:get { run_id = 5544 }',
        function() client.runs:get(5544) end },
      { "digits for the table", 'got string: calls:get { call_log_id = "70071" }',
        function() client.calls:get "70071" end },
      { "an id for a table with a list", "runs:bulk { run_ids = { 5544 } }",
        function() client.runs:bulk(5544) end },
      { "an id for a table with other fields",
        "metric_reviews:process_feedbacks { metric_id = 55 }",
        function() client.metric_reviews:process_feedbacks(55) end },
      { "other text for the table", 'metrics:get { metric_id = "…" }',
        function() client.metrics:get "the-key" end },
      { "a number for the options", "takes a table of options, got number",
        function() client.runs:mark_metric_vote({}, 30) end },
      { "a number for the client's options", "table expected, got number",
        function() cekura.new(30) end },
      { "close with a dot", "cekura.client expected", function() client.close() end },
      { "close of something else", "cekura.client expected",
        function() client.close(client.runs) end },
      { "an unknown call", 'did you mean "mark_metric_vote"',
        function() client.runs:mark_metric_votes {} end },
      { "an unknown resource", 'did you mean "runs"',
        function() client.run:mark_metric_vote {} end },
    } do
      it(row[1], function()
        local ok, message = pcall(row[3])
        assert.is_false(ok)
        assert.truthy(tostring(message):find(row[2], 1, true), message)
        assert.same({}, server:requests())
      end)
    end

    it("an assignment to a field", function()
      assert.has_error(function() client.runs = {} end)
      assert.has_error(function() client.runs.mark_metric_vote = print end)
    end)
  end)

  describe("ends", function()
    local function is_closed(runs)
      local value, err = runs:mark_metric_vote {
        run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 1,
      }
      assert.is_nil(value)
      assert.same({ "config", "no" }, { err.kind, err.applied })
      assert.equal("cekura: the client is closed: make a new one with cekura.new (config)",
        tostring(err))
      assert.same({}, server:requests())
    end

    it("with close, which can be called twice", function()
      local client = new()
      client:close()
      client:close()
      assert.equal("cekura.client (closed, " .. server.url .. ")", tostring(client))
      is_closed(client.runs)
    end)

    it("with close, which closes its connection", function()
      local client = new()
      local runs = client.runs
      assert(calls.vote(client))
      server:clear()
      client:close()
      is_closed(runs)
    end)

    it("with its scope", function()
      local runs
      do
        local client <close> = new()
        runs = client.runs
      end
      is_closed(runs)
    end)

    it("only after its last resource is collected", function()
      local runs = new().runs
      local vote = runs.mark_metric_vote
      for _ = 1, 3 do
        collectgarbage()
        assert(vote(runs, { run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 1 }))
      end
      assert.equal(3, #server:requests())
    end)

    it("when it is collected, and leaves no descriptor open", function()
      local output = script.run(([[
        local cekura = require "cekura"
        local function descriptors()
          collectgarbage()
          collectgarbage()
          local pipe <close> = assert(io.popen "unset LD_PRELOAD; ls /proc/$PPID/fd | wc -l")
          return pipe:read "n"
        end
        local function vote()
          local client = assert(cekura.new { api_url = %q, api_key = "the-key" })
          return client.runs:mark_metric_vote {
            run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = 1,
          }
        end
        assert(vote())
        local before = descriptors()
        for _ = 1, 10 do assert(vote()) end
        -- A stale index of Lua's stack may hold one more client, with its poller and its socket.
        print(descriptors() - before <= 2)]]):format(server.url))
      assert.equal("true\n", output)
      assert.equal(11, #server:requests())
    end)

    it("alone: other clients are not affected", function()
      local one = new()
      local other <close> = new()
      assert(calls.vote(one))
      one:close()
      assert(calls.vote(other))
    end)
  end)

  it("has its own key, URL and settings", function()
    local second <close> = sandbox.start { api_key = "second-key" }
    local one <close> = new { headers = { ["X-Who"] = "one" } }
    local two <close> = new { api_url = second.url, api_key = "second-key" }
    local wrong <close> = new { api_key = "second-key" }
    for _ = 1, 2 do
      assert(calls.vote(one))
      assert(calls.vote(two))
      assert.equal("authentication", select(2, calls.vote(wrong)).kind)
    end
    local keys = {}
    for i, request in ipairs(server:requests()) do
      keys[i] = request.headers["x-cekura-api-key"] .. " " .. tostring(request.headers["x-who"])
    end
    assert.same({ "the-key one", "second-key nil", "the-key one", "second-key nil" }, keys)
    assert.equal(2, #second:requests())
  end)

  it("can be made in one coroutine and used in others", function()
    local client = coroutine.wrap(function() return new() end)()
    for _ = 1, 2 do
      collectgarbage()
      assert.is_true(coroutine.wrap(function() return calls.vote(client) end)().success)
      assert.equal("validation",
        coroutine.wrap(function() return select(2, calls.vote(client, { x = 1 })) end)().kind)
    end
    client:close()
  end)

  it("has a readable tostring, as its resources have", function()
    local client <close> = new()
    assert.equal("cekura.client (open, " .. client.api_url .. ")", tostring(client))
    for _, name in ipairs { "runs", "results", "calls", "metric_reviews" } do
      assert.equal("cekura." .. name, tostring(client[name]))
      assert.equal(client[name], client[name])
    end
  end)
end)
