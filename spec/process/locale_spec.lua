-- A locale whose letters and decimal point are not those of HTTP and JSON.
local faults = require "support.faults"
local locale = require "support.locale"
local script = require "support.script"

describe("in a Turkish locale", function()
  local server, turkish

  setup(function() server, turkish = faults.start(), locale.turkish() end)
  teardown(function()
    server:stop()
    if turkish then turkish:__close() end
  end)
  before_each(function() server:clear() end)

  local NEW = [[
    local cekura = require "cekura"
    local function new(options)
      options.api_url, options.api_key, options.max_attempts = %q, "the-key", 1
      return cekura.new(options)
    end
    local client = assert(new {})
    local vote = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 0.5 }
  ]]

  -- Returns the output of a script; nil if the system has no such locale.
  local function run(text)
    if not turkish then return end
    local output, code = script.run(turkish.SET .. NEW:format(server.url) .. text,
      { LOCPATH = turkish.folder, LC_ALL = false })
    assert.equal(0, code, output)
    return output
  end

  it("X-Request-ID and Retry-After are found in upper and lower case", function()
    server:script {
      faults.status(503, { ["X-REQUEST-ID"] = "r-1", ["RETRY-AFTER"] = "7" }),
      faults.status(503, { ["x-request-id"] = "r-2", ["retry-after"] = "1.5" }),
    }
    local output = run [[
      for _ = 1, 2 do
        local _, err = client.runs:mark_metric_vote(vote)
        print(err.request_id, math.tointeger(err.retry_after * 10))
      end]]
    if output then assert.matches("^r%-1\t70\nr%-2\t15\n", output) end
  end)

  it("response headers have names in lower case", function()
    server:script { { { "answer", 200, { { "X-REQUEST-ID", "a" }, { "X-I", "b" } }, "{}" } } }
    local output = run [[
      local _, response = client.runs:mark_metric_vote(vote)
      print(response.headers["x-request-id"], response.headers["x-i"])]]
    if output then assert.matches("^a\tb\n", output) end
  end)

  it("Content-Length and Transfer-Encoding are found in upper case", function()
    local HEAD = "HTTP/1.1 200 OK\r\n"
    server:script {
      { { "send", HEAD .. "CONTENT-LENGTH: 2\r\n\r\n17" } },
      { { "send", HEAD .. "TRANSFER-ENCODING: CHUNKED\r\n\r\n2\r\n17\r\n0\r\n\r\n" } },
    }
    local output = run [[
      for _ = 1, 2 do print(client.runs:mark_metric_vote(vote)) end]]
    if output then assert.matches("^17\t[^\n]+\n17\t", output) end
  end)

  it("headers that the client sets itself are refused in any case", function()
    local output = run [[
      for _, name in ipairs { "x-cekura-api-key", "X-CEKURA-API-KEY", "X-Cekura-Api-Key",
        "content-type", "CONTENT-TYPE", "TRAILER", "trailer", "accept-encoding" } do
        local made, err = new { headers = { [name] = "x" } }
        local value, err2 = client.runs:mark_metric_vote(vote, { headers = { [name] = "x" } })
        print(made, err.kind, value, err2.kind)
      end]]
    if output then
      assert.equal(("nil\tconfig\tnil\tvalidation\n"):rep(8), output:match "^[^=]*":sub(1, 8 * 26))
      assert.equal(0, server:deliveries())
    end
  end)

  it("a call's header replaces the client's in any case", function()
    local output = run [[
      local own = assert(new { headers = { ["X-I"] = "client" } })
      own.runs:mark_metric_vote(vote, { headers = { ["x-i"] = "call" } })]]
    if output then assert.equal("call", server:ledger()[1].headers["x-i"]) end
  end)

  it("numbers have decimal points in bodies, queries and responses", function()
    server:script { faults.ok '{"fraction": 1.5}', faults.ok "{}" }
    local output = run [[
      vote.expected_value = { 0.5, 1e300, 2.0, -1.25e-7 }
      print(client.runs:mark_metric_vote(vote).fraction * 2 == 3)
      client:request { method = "GET", path = "/a", query = { x = 0.5, y = { 1.5, 2 } } }]]
    if output then
      local first, second = table.unpack(server:ledger())
      assert.matches("%[0%.5,1e%+300,2%.0,%-1%.25e%-07%]", first.body)
      assert.equal("/a?x=0.5&y=1.5,2", second.path)
      assert.matches("^true\n", output)
    end
  end)

  it("the scheme and host of an address may be in upper case", function()
    local output = run [[
      local made = cekura.new { api_key = "k", api_url = "HTTPS://API.CEKURA.AI" }
      print(made ~= nil)
      local _, err = cekura.new { api_key = "k", api_url = "HTTP://127.0.0.1:1",
        proxy = "http://127.0.0.1:1" }
      print(err and err.kind)]]
    if output then assert.matches("^true\nconfig\n", output) end
  end)
end)
