-- A locale that writes letters and numbers in another way than HTTP and JSON do.
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

  -- What the text prints; nil where there is no such locale.
  local function run(text)
    if not turkish then return end
    local output, code = script.run(turkish.SET .. NEW:format(server.url) .. text,
      { LOCPATH = turkish.folder, LC_ALL = false })
    assert.equal(0, code, output)
    return output
  end

  it("request_id and Retry-After are found, whatever their letters", function()
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

  it("headers of an answer have names in small letters", function()
    server:script { { { "answer", 200, { { "X-REQUEST-ID", "a" }, { "X-I", "b" } }, "{}" } } }
    local output = run [[
      local _, response = client.runs:mark_metric_vote(vote)
      print(response.headers["x-request-id"], response.headers["x-i"])]]
    if output then assert.matches("^a\tb\n", output) end
  end)

  it("the end of a body is found, whatever the letters that tell of it", function()
    local HEAD = "HTTP/1.1 200 OK\r\n"
    server:script {
      { { "send", HEAD .. "CONTENT-LENGTH: 2\r\n\r\n17" } },
      { { "send", HEAD .. "TRANSFER-ENCODING: CHUNKED\r\n\r\n2\r\n17\r\n0\r\n\r\n" } },
    }
    local output = run [[
      for _ = 1, 2 do print(client.runs:mark_metric_vote(vote)) end]]
    if output then assert.matches("^17\t[^\n]+\n17\t", output) end
  end)

  it("headers that the client sets itself are refused in any letters", function()
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

  it("a call's header wins over the client's in any letters", function()
    local output = run [[
      local own = assert(new { headers = { ["X-I"] = "client" } })
      own.runs:mark_metric_vote(vote, { headers = { ["x-i"] = "call" } })]]
    if output then assert.equal("call", server:ledger()[1].headers["x-i"]) end
  end)

  it("numbers have points in bodies and queries, and in what comes back", function()
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

  it("an address with capitals is what it is in small letters", function()
    local output = run [[
      local made = cekura.new { api_key = "k", api_url = "HTTPS://API.CEKURA.AI" }
      print(made ~= nil)
      local _, err = cekura.new { api_key = "k", api_url = "HTTP://127.0.0.1:1",
        proxy = "http://127.0.0.1:1" }
      print(err and err.kind)]]
    if output then assert.matches("^true\nconfig\n", output) end
  end)
end)
