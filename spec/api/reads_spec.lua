-- Calls that only read: whatever their outcome is, the server has not acted.
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"

local function get_page(client, options) return calls.make(client, "results.list", nil, options) end

local function request(client, options)
  return client:request({ method = "GET", path = "/a/" }, options)
end

for name, read in pairs { ["results:list"] = get_page, ["client:request with GET"] = request } do
  describe(name .. ' fails with applied = "no",', function()
    local server

    setup(function() server = faults.start() end)
    teardown(function() server:stop() end)
    before_each(function() server:clear() end)

    local function has_not_acted(err, kind)
      assert.same({ kind, "no" }, { err.kind, err.applied })
      assert.is_nil(tostring(err):find("act", 1, true), tostring(err))
    end

    -- { title, entry, kind }
    for _, row in ipairs {
      { "if no response arrives", "hang", "timeout" },
      { "if the connection is lost", "reset_before_answer", "network" },
      { "after a 500", faults.status(500), "server" },
      { "after a redirect", faults.redirect(302), "response" },
      { "if the response is cut off", "cut_body", "response" },
      { "if the response is too slow", faults.trickle(clock.SHORT), "timeout" },
      { "if the response is not JSON", "not_json", "response" },
      { "if the response is too large", "endless_body", "response" },
    } do
      it(row[1], function()
        local last
        local client <close> = retries.client(server, { max_attempts = 1, timeout = clock.SHORT,
          max_response_bytes = 100000, on_event = function(event) last = event end })
        server:usually(row[2])
        local value, err = read(client)
        assert.is_nil(value)
        has_not_acted(err, row[3])
        assert.same({ "give_up", "no" }, { last.type, last.applied })
      end)
    end

    it("if its task is cancelled", function()
      local client <close> = retries.client(server)
      server:script { "hang" }
      local task = client:spawn(read, client)
      client:step(0)
      assert.is_true(task:cancel())
      has_not_acted(select(2, task:wait()), "cancelled")
      assert.equal("no", task:applied())
    end)

    it("if the client is closed meanwhile", function()
      local client <close> = retries.client(server)
      server:script { "hang" }
      local task = client:spawn(read, client)
      while server:deliveries() < 1 do client:step(0.01) end
      client:close()
      has_not_acted(select(2, task:wait()), "cancelled")
      assert.equal("no", task:applied())
    end)

    it("as an item of each", function()
      local client <close> = retries.client(server, { max_attempts = 1 })
      server:script { "reset_before_answer", "not_json" }
      local report = client:each({ 1, 2 }, function() return read(client) end, { concurrency = 1 })
      assert.same({ 0, 2, 0 }, { report.ok, report.failed, report.unknown })
      for _, failed in ipairs(report.errors) do assert.equal("no", failed.error.applied) end
    end)
  end)
end

describe("a GET that is declared to have effects", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  for what, meaning in pairs {
    ["spends_credits"] = { spends_credits = true }, ["idempotent"] = { idempotent = false },
  } do
    it("fails with applied = \"unknown\": " .. what, function()
      local client <close> = retries.client(server, { max_attempts = 1 })
      server:script { "reset_before_answer" }
      meaning.method, meaning.path = "GET", "/a/"
      local _, err = client:request(meaning)
      assert.same({ "network", "unknown" }, { err.kind, err.applied })
    end)
  end
end)
