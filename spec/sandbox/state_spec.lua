--- The state of the sandbox and its record of requests.

local sandbox = require "cekura.sandbox"
local wire = require "support.wire"

local GOOD_VOTE, VOTE = wire.GOOD_VOTE, wire.VOTE
local curl, post, send = wire.curl, wire.post, wire.send

local function keys_of(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  return keys
end

describe("the sandbox", function()
  describe("returns its state", function()
    it("as a whole, a part or an item", function()
      local server <close> = sandbox.start()
      assert.equal(5544, server:state("runs", 5544).id)
      assert.is_nil(server:state("runs", 1))
      assert.equal(3, #keys_of(server:state "agents"))
      assert.same({ initial = 10000, remaining = 10000, used = 0 }, server:state "balance")
      if os.getenv "CEKURA_GC" ~= "aggressive" then -- it would collect for half a minute
        local state = server:state()
        assert.same({ 1080, 320 }, { #keys_of(state.runs), #keys_of(state.call_logs) })
        assert.same(state.runs[5544], server:state("runs", 5544))
      end
      assert.has_error(function() server:state "nothing" end, 'there is no state called "nothing"')
    end)

    it("for an id as digits, as a float, and for a slug", function()
      local server <close> = sandbox.start()
      assert.same(server:state("runs", 5544), server:state("runs", "5544"))
      assert.same(server:state("results", 373), server:state("results", 373.0))
      assert.equal(52, server:state("metrics", "call_outcome").id)
      assert.is_nil(server:state("runs", "1"))
    end)
  end)

  describe("records", function()
    it("each request byte by byte", function()
      local server <close> = sandbox.start()
      local body = '{"x":"\195\164 \\u0000"}'
      send(server, "POST", VOTE .. "?a=%41%20b&c", body, { ["X-Extra"] = "1" })
      local request = server:requests()[1]
      assert.equal("POST", request.method)
      assert.equal(VOTE, request.path)
      assert.equal("a=%41%20b&c", request.query)
      assert.equal(body, request.body)
      assert.equal("1", request.headers["x-extra"])
      assert.equal("sandbox-key", request.headers["x-cekura-api-key"])
      assert.equal(400, request.status)
      assert.is_true(request.at >= 0)
    end)

    it("the connection of each request", function()
      local server <close> = sandbox.start()
      curl(server.url .. "/a%20b/", server.url .. "/b/")
      curl(server.url .. "/c/")
      local paths, connections = {}, {}
      for i, request in ipairs(server:requests()) do
        paths[i], connections[i] = request.path, request.connection
      end
      assert.same({ "/a%20b/", "/b/", "/c/" }, paths)
      assert.same({ 1, 1, 2 }, connections)
      assert.equal(2, server:state "connections")
    end)

    it("at most as many requests as the option says", function()
      local server <close> = sandbox.start { record = 2 }
      curl(server.url .. "/a/", server.url .. "/b/", server.url .. "/c/")
      assert.equal(2, #server:requests())
      assert.equal("/c/", server:requests()[2].path)
      server:clear()
      assert.equal(0, #server:requests())
      local other <close> = sandbox.start { record = false }
      curl(other.url .. "/a/")
      assert.equal(0, #other:requests())
    end)

    it("no body of more than 32 MiB", function()
      local server <close> = sandbox.start()
      local name = os.tmpname()
      local file <close> = assert(io.open(name, "wb"))
      for _ = 1, 33 do file:write((" "):rep(1024 * 1024)) end
      file:flush()
      assert.equal(413, send(server, "POST", VOTE, "@" .. name, { Expect = "" }).status)
      os.remove(name)
      assert.is_nil(server:requests()[1].body)
      assert.equal(200, post(server, VOTE, GOOD_VOTE).status)
    end)
  end)
end)
