-- The system calls of the client: those that a process counts with spec/c/system_calls.c, which is
-- preloaded.
local faults = require "support.faults"
local sandbox = require "cekura.sandbox"
local script = require "support.script"

local PRELOAD = (os.getenv "CEKURA_BUILD" or "build") .. "/system_calls.so"

-- `counted` returns the counts of what fn calls.
local START = [[
  local cekura, fork, counts = require "cekura", require "fork", require "system_calls"
  local client = assert(cekura.new { api_url = %q, api_key = "k", proxy = "", deadline = 60 })
  local arguments = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 3 }
  local function vote() return client.runs:mark_metric_vote(arguments) end
  local function call_for_all(fn, count, concurrency)
    local items = {}
    for i = 1, count do items[i] = i end
    print(client:each(items, fn, { concurrency = concurrency }).ok)
  end
  local function counted(fn)
    local before = counts()
    fn()
    local all = counts()
    for name, count in pairs(all) do all[name] = count - before[name] end
    return all
  end
  local function expect(ok, what) print(ok and "ok" or what) end
]]

local function run(server, text, environment)
  local all = { LD_PRELOAD = PRELOAD }
  for name, value in pairs(environment or {}) do all[name] = value end
  local output, code = script.run(START:format(server.url) .. text, all)
  assert.equal(0, code, output)
  return output
end

describe("the system calls", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  it("of calls register a connection once, and look for a fork without getpid", function()
    assert.equal("100\n50\nok\nok\nok\n", run(server, [[
      local all = counted(function()
        call_for_all(vote, 100, 4)
        local count = 0
        for _ = 1, 50 do count = count + (vote() and 1 or 0) end
        print(count)
      end)
      expect(all.epoll_ctl <= 20, all.epoll_ctl)
      expect(all.getpid <= 10, all.getpid)
      expect(all.connect <= 5, all.connect)
    ]]))
  end)

  it("of calls that begin at once check their connections together", function()
    assert.equal("ok\n", run(server, [[
      local tasks = {}
      local all = counted(function()
        for i = 1, 30 do
          tasks[i] = client:spawn(function()
            assert(vote())
            client:sleep(0.5)
            assert(vote())
          end)
        end
        for _, task in ipairs(tasks) do task:wait() end
      end)
      expect(all.peek <= 15, all.peek)
    ]]))
    assert.equal(60, server:deliveries())
  end)

  it("of a host's loop are few after the end of an idle connection", function()
    server:script { { faults.ok()[1], { "close" } } }
    assert.equal("ok\nok\n", run(server, [[
      assert(vote())
      local all = counted(function() client:step(0.2) end)
      expect(all.epoll_wait < 20, all.epoll_wait)
      assert(vote())
      all = counted(function() client:step(0.2) end)
      expect(all.epoll_wait < 20, all.epoll_wait)
    ]]))
    assert.equal(2, server:connections())
  end)

  it("of a host's loop are few after the end of a connection that a child has, too", function()
    server:script { { faults.ok()[1], { "close" } } }
    assert.equal("ok\n", run(server, [[
      assert(vote())
      fork.hold()
      client:step(0.1)
      assert(vote())
      local all = counted(function() client:step(0.2) end)
      expect(all.epoll_wait < 20, all.epoll_wait)
      assert(vote())
    ]]))
    assert.equal(3, server:deliveries())
  end)

  it("open one connection for each of 1,100 calls at once", function()
    local slow <close> = sandbox.start { api_key = "k", record = false,
      faults = { { times = math.huge, delay = 1 } } }
    assert.equal("2200\nok\n", run(slow, [[
      local function read() return client.billing:info {} end
      local all = counted(function() call_for_all(read, 2200, 1100) end)
      expect(all.connect <= 1100, all.connect)
    ]]))
  end)

  for way, environment in pairs {
    ["if the kernel clears a page"] = {},
    ["if the kernel is older"] = { OLD_KERNEL = "yes" },
  } do
    it("of a child are not made on the parent's connections " .. way, function()
      assert.equal(("nil config\n"):rep(2) .. "true\n", run(server, [[
        assert(vote())
        for _, how in ipairs { fork.run, fork.bare } do
          print(how(function()
            local value, err = vote()
            return tostring(value) .. " " .. err.kind
          end))
        end
        print(vote().success)
      ]], environment))
      assert.equal(2, server:deliveries())
    end)
  end
end)
