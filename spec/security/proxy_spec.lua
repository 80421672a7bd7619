-- The key is sent to api_url only: not to the target of a redirect, not to a server that asks for
-- another authentication, and not to a proxy.
local cekura = require "cekura"
local calls = require "support.calls"
local cjson = require "cjson"
local faults = require "support.faults"
local script = require "support.script"

local KEY = "s3cret-key-0815"
local VOTE, SPENDING = "runs.mark_metric_vote", "results.evaluate_metrics"
local LIMIT = (os.getenv "CEKURA_RUN" or "") == "" and 15 or 120  -- seconds; more under valgrind

-- Fails if the key is in anything that a server received.
local function is_without_key(server)
  local all = cjson.encode(server:ledger())
  assert.is_nil(all:find(KEY, 1, true), all)
end

describe("a response that asks for another request:", function()
  local server, other, client

  setup(function()
    server, other = faults.start(), faults.start()
    client = assert(cekura.new { api_url = server.url, api_key = KEY, timeout = LIMIT,
      backoff = { base = 0.001, cap = 0.001 } })
  end)
  teardown(function()
    client:close()
    server:stop()
    other:stop()
  end)
  before_each(function()
    server:clear()
    other:clear()
  end)

  local places = {
    ["the same place"] = function() return "" end,
    ["another path"] = function() return "/elsewhere" end,
    ["another path of the same server"] = function() return server.url .. "/elsewhere" end,
    ["another server"] = function() return other.url .. "/elsewhere" end,
    ["another server, without a scheme"] = function() return "//127.0.0.1:" .. other.port end,
    ["a file"] = function() return "file:///etc/passwd" end,
  }

  for code, applied in pairs {
    [301] = "unknown", [302] = "unknown", [303] = "unknown", [307] = "no", [308] = "no",
  } do
    for what, place in pairs(places) do
      it(("a %d to %s is not followed"):format(code, what), function()
        for _, endpoint in ipairs { VOTE, SPENDING } do
          server:clear()
          server:script { faults.redirect(code, place()) }
          local value, err = calls.make(client, endpoint, {}, { retry_unknown = true })
          assert.is_nil(value)
          assert.same({ "response", applied, code, 1 },
            { err.kind, err.applied, err.status, err.attempts })
          assert.equal(1, server:deliveries())
          assert.equal(0, other:connections())
        end
      end)
    end
  end

  for what, challenges in pairs {
    Basic = { 'Basic realm="x"' }, Negotiate = { "Negotiate" }, NTLM = { "NTLM" },
    Digest = { 'Digest realm="x", nonce="abc", qop="auth", algorithm=MD5' },
    everything = { "Negotiate", "NTLM", 'Digest realm="x", nonce="abc"', 'Basic realm="x"' },
  } do
    it("a 401 that asks for " .. what .. " is not followed", function()
      for _, endpoint in ipairs { VOTE, SPENDING } do
        server:clear()
        server:script { faults.status(401, { ["WWW-Authenticate"] = challenges }) }
        local _, err = calls.make(client, endpoint)
        assert.same({ "authentication", "no", 1 }, { err.kind, err.applied, err.attempts })
        assert.equal(1, server:deliveries())
        assert.is_nil(server:ledger()[1].headers.authorization)
        assert.same({ success = true }, (calls.make(client, endpoint)))
        assert.is_nil(server:ledger()[2].headers.authorization)
      end
    end)
  end

  it("a password in .netrc is not used", function()
    local pipe = assert(io.popen "exec env -u LD_PRELOAD mktemp -d")
    local home = pipe:read "l"
    pipe:close()
    local file = assert(io.open(home .. "/.netrc", "w"))
    file:write("machine 127.0.0.1 login somebody password secret\n",
      "default login somebody password secret\n")
    file:close()
    server:script { faults.status(401, { ["WWW-Authenticate"] = 'Basic realm="x"' }) }
    local output, code = script.run(([[
      local client = assert(require "cekura".new { api_url = %q, api_key = %q })
      local arguments = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
      local _, err = client.runs:mark_metric_vote(arguments)
      print(err.kind, client.runs:mark_metric_vote(arguments))]]):format(server.url, KEY),
      { HOME = home })
    os.remove(home .. "/.netrc")
    os.remove(home)
    assert.matches("^authentication\ttable", output)
    assert.equal(0, code)
    assert.equal(2, server:deliveries())
    for _, row in ipairs(server:ledger()) do assert.is_nil(row.headers.authorization) end
  end)
end)

describe("a proxy", function()
  local proxy, secure, plain
  local NONE = {}  -- of the variables that libcurl reads
  for _, name in ipairs { "http_proxy", "https_proxy", "all_proxy", "no_proxy" } do
    NONE[name], NONE[name:upper()] = false, false
  end

  setup(function()
    proxy, secure, plain = faults.start(), faults.start { tls = true }, faults.start()
  end)
  teardown(function()
    for _, each in ipairs { proxy, secure, plain } do each:stop() end
  end)
  before_each(function()
    for _, each in ipairs { proxy, secure, plain } do each:clear() end
  end)

  -- A call in an interpreter of its own, whose environment is known. Returns its result as text:
  -- "true attempts", or "nil kind applied attempts".
  local function call(endpoint, options, environment)
    local variables = {}
    for name, value in pairs(NONE) do variables[name] = value end
    for name, value in pairs(environment or {}) do variables[name] = value end
    local all = {
      api_url = secure.url, api_key = KEY, timeout = LIMIT, max_attempts = 2,
      ca_file = secure.ca_file, backoff = { base = 0.001, cap = 0.001 },
    }
    for name, value in pairs(options or {}) do all[name] = value end
    local output, code = script.run(([[
      local calls = require "support.calls"
      local client = assert(require "cekura".new(require "cjson".decode(%q)))
      local value, more = calls.make(client, %q)
      if value then print(value.success, more.attempts)
      else print(value, more.kind, more.applied, more.attempts) end
      io.stderr:write(tostring(more), "\n")
    ]]):format(cjson.encode(all), endpoint), variables)
    assert.equal(0, code, output)
    local line, message = output:match "^(.-)\n(.*)$"
    return line:gsub("%s+", " "), message
  end

  -- Returns the error of cekura.new about a proxy, in an interpreter of its own.
  local function new(options, environment)
    local variables = {}
    for name, value in pairs(NONE) do variables[name] = value end
    for name, value in pairs(environment or {}) do variables[name] = value end
    local all = { api_url = "https://api.example", api_key = KEY }
    for name, value in pairs(options or {}) do all[name] = value end
    local output = script.run(([[
      local client, err = require "cekura".new(require "cjson".decode(%q))
      print(client and "made" or err.kind)
      if err then
        print(err)
        for name, list in pairs(err.fields or {}) do print(name, table.concat(list)) end
      end
    ]]):format(cjson.encode(all)), variables)
    assert.is_nil(output:find("s3same", 1, true), output)
    return output
  end

  for what, url in pairs {
    ["a port that is none"] = "http://me:s3same@proxy.example:http",
    ["a port beyond all"] = "http://me:s3same@proxy.example:99999",
    ["no host"] = "http://me:s3same@",
    ["a space"] = "http://me:s3same@proxy .example:3128",
    ["a scheme that no proxy has"] = "ftp://me:s3same@proxy.example:3128",
    ["a scheme of its own"] = "s3same://me:s3same@proxy.example:3128",
    ["a slash in its password"] = "http://me:3/s3same@proxy.example:3128",
    ["a question mark in its password"] = "http://me:3?s3same@proxy.example:3128",
    ["a number sign in its password"] = "http://me:3#s3same@proxy.example:3128",
    ["an @ in its password"] = "http://me:s3@s3same@proxy.example:3128",
    ["a control character in its password"] = "http://me:s3same%0a@proxy.example:3128",
    ["a host that is no name"] = "http://me:s3same@[proxy",
    ["nothing but a password"] = "://me:s3same",
  } do
    it("with " .. what .. " is an error of cekura.new that does not show it", function()
      assert.matches("^config\n.*proxy: ", new { proxy = url })
      for _, name in ipairs { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" } do
        assert.matches("^config\n.*" .. name .. ": ", new(nil, { [name] = url }))
      end
    end)
  end

  it("in the environment is not checked if it does not apply", function()
    local url = "http://me:s3same@proxy.example:http"
    for name in pairs(NONE) do
      assert.matches("^made\n", new({ proxy = "" }, { [name] = url }))
      assert.matches("^made\n", new({ proxy = "http://a.example" }, { [name] = url }))
      assert.matches("^made\n", new({ api_url = "http://127.0.0.1:1" }, { [name] = url }))
    end
    assert.matches("^made\n", new(nil, { http_proxy = url, HTTP_PROXY = url }))
  end)

  it("in the environment is not checked if no_proxy exempts the server", function()
    for _, list in ipairs { "api.example", ".example", "example", "a.b, API.Example", "*" } do
      for _, name in ipairs { "no_proxy", "NO_PROXY" } do
        assert.matches("^made\n", new(nil, { https_proxy = "http://:http", [name] = list }))
      end
    end
    for _, list in ipairs { "pi.example", "b.api.example", "examples", "" } do
      assert.matches("^config\n", new(nil, { https_proxy = "http://:http", no_proxy = list }))
    end
  end)

  for _, url in ipairs {
    "proxy.example", "proxy.example:3128", "http://proxy.example/", "HTTP://proxy.example",
    "http://me:s3%2Fsame@proxy.example:3128", "http://me@proxy.example", "socks5h://[::1]:1080",
    "socks4://proxy.example", "socks4a://proxy.example", "socks5://127.0.0.1",
    "socks://proxy.example", "http://[fe80::1%25eth0]:3128",
  } do
    it("may be " .. url, function()
      assert.equal("made\n", new { proxy = url })
      assert.equal("made\n", new(nil, { https_proxy = url }))
    end)
  end

  it("that fails is named in the error without its password", function()
    local gone <close> = faults.start()
    gone:stop()
    for _, row in ipairs {
      { "http://me:s3same@127.0.0.1:" .. gone.port, "http://127.0.0.1:" .. gone.port },
      { "me:s3same@127.0.0.1:" .. gone.port, "http://127.0.0.1:" .. gone.port },
      { "socks5://me:s3same@127.0.0.1:" .. gone.port, "socks5://127.0.0.1:" .. gone.port },
      { "http://me:s3same@name.invalid:3128", "http://name.invalid:3128" },
      { "http://me@name.invalid:3128/", "http://name.invalid:3128" },
    } do
      for _, way in ipairs { "option", "https_proxy", "ALL_PROXY" } do
        local options = way == "option" and { proxy = row[1] } or nil
        local line, message = call(SPENDING, options, not options and { [way] = row[1] } or nil)
        assert.equal("nil network no 2", line)
        assert.is_truthy(message:find("(through the proxy " .. row[2] .. ")", 1, true), message)
        assert.is_nil(message:find("s3same", 1, true), message)
      end
    end
  end)

  it("that rejects the password is named in the error without it", function()
    local refusal = faults.status(407, { ["Proxy-Authenticate"] = 'Basic realm="x"' })
    proxy:script { refusal, refusal }
    local _, message = call(SPENDING, { proxy = proxy.url:gsub("//", "//me:s3same@") })
    assert.is_truthy(message:find("through the proxy " .. proxy.url, 1, true), message)
    assert.is_nil(message:find("s3same", 1, true), message)
  end)

  it("is not named in the error if the call was sent, or uses none", function()
    proxy:script { "tunnel" }
    secure:script { faults.status(403) }
    local _, message = call(SPENDING, { proxy = proxy.url })
    assert.is_nil(message:find("proxy", 1, true), message)
    secure:stop()
    _, message = call(SPENDING, nil, { https_proxy = proxy.url, no_proxy = "localhost" })
    secure = faults.start { tls = true }
    assert.is_nil(message:find("proxy", 1, true), message)
  end)

  -- Fails unless the proxy was asked for a tunnel to the server, and for nothing else.
  local function saw_tunnel(count)
    local rows = proxy:ledger()
    assert.equal(count or 1, #rows)
    for _, row in ipairs(rows) do
      assert.same({ "CONNECT", "localhost:" .. secure.port }, { row.method, row.path })
      assert.is_nil(row.headers["x-cekura-api-key"])
    end
    is_without_key(proxy)
    return rows
  end

  for what, way in pairs {
    ["the option"] = function(url) return { proxy = url } end,
    ["https_proxy"] = function(url) return nil, { https_proxy = url } end,
    ["HTTPS_PROXY"] = function(url) return nil, { HTTPS_PROXY = url } end,
    ["all_proxy"] = function(url) return nil, { all_proxy = url } end,
  } do
    describe("of " .. what, function()
      for _, endpoint in ipairs { VOTE, SPENDING } do
        it("tunnels " .. endpoint .. " and does not see the key", function()
          proxy:script { "tunnel" }
          assert.equal("true 1", call(endpoint, way(proxy.url)))
          assert.is_true(#saw_tunnel()[1].body > 0)
          assert.equal(1, secure:deliveries())
          assert.equal(KEY, secure:ledger()[1].headers["x-cekura-api-key"])
        end)
      end

      it("receives its password, and the server does not", function()
        proxy:script { "tunnel" }
        assert.equal("true 1", call(SPENDING, way(proxy.url:gsub("//", "//me:word@"))))
        assert.equal("Basic bWU6d29yZA==", saw_tunnel()[1].headers["proxy-authorization"])
        assert.is_nil(secure:ledger()[1].headers["proxy-authorization"])
        assert.is_nil(secure:ledger()[1].headers.authorization)
      end)
    end)
  end

  for what, entry in pairs {
    ["refuses the tunnel"] = faults.status(502),
    ["requires a password"] = faults.status(407, { ["Proxy-Authenticate"] = 'Basic realm="x"' }),
    ["points elsewhere"] = faults.redirect(307, "https://elsewhere.invalid/"),
    ["closes"] = faults.close_before_answer(),
    ["resets"] = faults.reset_before_answer(),
    ["speaks another protocol"] = faults.not_http(),
  } do
    it("that " .. what .. " has sent nothing, so the call is retried", function()
      for _, endpoint in ipairs { VOTE, SPENDING } do
        proxy:clear()
        secure:clear()
        proxy:script { entry, entry }
        assert.equal("nil network no 2", call(endpoint, { proxy = proxy.url }))
        saw_tunnel(2)
        assert.equal(0, secure:connections())
        proxy:clear()
        proxy:script { entry, "tunnel" }
        assert.equal("true 2", call(endpoint, { proxy = proxy.url }))
        saw_tunnel(2)
        assert.equal(1, secure:deliveries())
      end
    end)
  end

  it("that pretends to tunnel sees a TLS handshake, and no key", function()
    local entry = {
      { "read" }, { "send", "HTTP/1.1 200 Connection established\r\n\r\n" }, { "hang" },
    }
    proxy:script { entry }
    local options = { proxy = proxy.url, connect_timeout = 0.3, max_attempts = 1 }
    assert.equal("nil timeout no 1", call(SPENDING, options))
    is_without_key(proxy)
    assert.equal(0, secure:connections())
  end)

  it("that cannot be reached has sent nothing", function()
    local gone = faults.start()
    gone:stop()
    assert.equal("nil network no 2", call(SPENDING, { proxy = gone.url }))
    assert.equal("nil network no 2", call(SPENDING, { proxy = "http://name.invalid:3128" }))
    assert.equal(0, secure:connections())
  end)

  it("is not used if no_proxy names the server, or if the option is empty", function()
    assert.equal("true 1",
      call(VOTE, nil, { https_proxy = proxy.url, no_proxy = "localhost" }))
    assert.equal("true 1", call(VOTE, { proxy = "" }, { https_proxy = proxy.url }))
    assert.equal(0, proxy:connections())
  end)

  it("in the environment is not used for plain http, since it would see the key", function()
    for _, name in ipairs { "http_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY" } do
      plain:clear()
      assert.equal("true 1", call(SPENDING, { api_url = plain.url }, { [name] = proxy.url }))
      assert.equal(1, plain:deliveries())
      assert.equal(0, proxy:connections())
    end
  end)

  it("as an option of a client for plain http is an error of cekura.new", function()
    for _, url in ipairs { plain.url, "HTTP://localhost" } do
      local client, err = cekura.new { api_url = url, api_key = KEY, proxy = proxy.url }
      assert.is_nil(client)
      assert.equal("config", err.kind)
      assert.matches("^proxy:? ", err.message)
    end
    local allowed, err = cekura.new { api_url = "http://elsewhere.invalid", allow_http = true,
      api_key = KEY, proxy = proxy.url }
    assert.is_nil(allowed)
    assert.matches("^proxy:? ", err.message)
    local client <close> = assert(cekura.new { api_url = plain.url, api_key = KEY, proxy = "" })
    assert.is_not_nil(calls.vote(client))
  end)
end)
