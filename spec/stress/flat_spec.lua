-- Memory and descriptors do not grow over many calls and many clients.
-- `make flat` makes 100,000 calls and 10,000 clients; CALLS and CLIENTS are variables of both.
local sandbox = require "cekura.sandbox"
local script = require "support.script"

local is_checked = (os.getenv "CEKURA_RUN" or "") ~= ""
local CALLS = math.tointeger(os.getenv "CALLS") or is_checked and 500 or 20000
local CLIENTS = math.tointeger(os.getenv "CLIENTS") or is_checked and 50 or 2000
local MOST = is_checked and math.huge or 512  -- KiB of growth; a tool keeps freed memory

-- A script calls sample() after each tenth of its work, except for the first, which warms up.
local START = [[
  local cekura = require "cekura"
  local URL, COUNT = %q, %d
  local function new() return assert(cekura.new { api_url = URL, api_key = "the-key" }) end
  local function vote(client, run_id)
    return client.runs:mark_metric_vote {
      run_id = run_id, metric_id = 55, thumbs_up = true, expected_value = 2,
    }
  end
  local function resident()
    local status <close> = assert(io.open "/proc/self/status")
    return tonumber(status:read "a":match "VmRSS:%%s*(%%d+)")
  end
  local function descriptors()
    local pipe <close> = assert(io.popen "unset LD_PRELOAD; ls /proc/$PPID/fd | wc -l")
    return pipe:read "n"
  end
  local least, most, open, more
  local function sample()
    collectgarbage()
    collectgarbage()
    local now, count = resident(), descriptors()
    least, most = least or now, math.max(most or now, now)
    open, more = open or count, math.max(more or count, count)
  end
  local function tell() print(most - least, more - open, least) end
]]

describe("memory and descriptors do not grow", function()
  local server

  setup(function() server = sandbox.start { api_key = "the-key", record = false } end)
  teardown(function() server:stop() end)

  -- `connections`: the number of descriptors that may vary, whatever the count is.
  local function is_flat(count, connections, text)
    local output, code = script.run(START:format(server.url, count) .. text .. "\ntell()")
    assert.equal(0, code, output)
    local gained, opened = output:match "^(%-?%d+)\t(%-?%d+)\t%d+\n$"
    assert.truthy(gained, output)
    if os.getenv "CALLS" then print(count, output) end
    assert.is_true(tonumber(gained) <= MOST, output)
    assert.is_true(tonumber(opened) <= connections, output)
  end

  it("over many blocking calls", function()
    -- On a busy machine a connection may be replaced, and the old one closed a call later.
    is_flat(CALLS, 2, [[
      local client <close> = new()
      for i = 1, COUNT do
        assert(vote(client, 5540 + i % 5).success)
        if i % (COUNT // 10) == 0 then sample() end
      end
    ]])
  end)

  it("over many calls in each", function()
    is_flat(CALLS, 16, [[
      local client <close> = new()
      local index = 0
      local function source()
        index = index + 1
        if index % (COUNT // 10) == 0 then sample() end
        return index <= COUNT and 5540 + index % 5 or nil
      end
      local report = assert(client:each(source, function(run_id)
        return vote(client, run_id)
      end, { concurrency = 16 }))
      assert(report.ok == COUNT)
    ]])
  end)

  it("over many clients, closed and forgotten, some with calls in flight", function()
    -- A variable and a stale index of Lua's stack keep a client each: a poller, two pairs, and
    -- one or two sockets.
    is_flat(CLIENTS, 14, [[
      for i = 1, COUNT do
        local client = new()
        if i % 10 == 0 then assert(vote(client, 5540)) end
        if i % 10 == 1 then client:spawn(vote, client, 5540) client:step(0) end
        if i % 3 ~= 0 then client:close() end
        if i % 50 == 0 then collectgarbage() end
        if i % (COUNT // 10) == 0 then sample() end
      end
    ]])
  end)
end)
