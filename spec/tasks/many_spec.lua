-- Hundreds of calls at once, which have several multi handles of libcurl.
local child = require "support.child"
local PATIENCE = require "support.wire".PATIENCE

local COUNT = 300

local START = ([[
  local cekura = require "cekura"
  local DELAY = %d
  local server = require "cekura.sandbox".start { record = false,
    faults = { { times = math.huge, delay = DELAY } } }
  local client = assert(cekura.new { api_url = server.url, api_key = server.api_key, proxy = "",
    deadline = 300, timeout = 100 })
  local function read_all(options)
    local tasks, ok, timed_out = {}, 0, 0
    for i = 1, %d do
      tasks[i] = client:spawn(function() return client.billing:info({}, options) end)
    end
    for _, task in ipairs(tasks) do
      local value, err = task:wait()
      if value then ok = ok + 1 elseif err.kind == "timeout" then timed_out = timed_out + 1 end
    end
    print(ok, timed_out)
  end
  local function descriptors()
    local count = 0
    for _ in require "lfs".dir "/proc/self/fd" do count = count + 1 end
    return count
  end
]]):format(PATIENCE, COUNT)

describe("300 calls at once", function()
  local function run(text)
    return (child.run_checked { "sh", "-c", 'ulimit -S -n 1000; exec "$@"', "sh", child.lua, "-e",
      START .. text })
  end

  it("leave their connections to the next ones, until client:close()", function()
    assert.equal("300\t0\n300\t0\n300\ntrue\n", run [[
      local before = descriptors()
      read_all()
      read_all()
      print(server:state "connections")
      client:close()
      server:stop()
      print(descriptors() < before)
    ]])
  end)

  it("end at their deadlines", function()
    assert.equal("0\t300\n300\t0\n", run [[
      read_all { timeout = DELAY / 2, max_attempts = 1 }
      read_all()
    ]])
  end)

  it("leave connections that a later call closes for lack of a descriptor", function()
    local output = run [[
      read_all()
      local held, before = {}, descriptors()
      repeat held[#held + 1] = io.open "/dev/null" until not io.open "/dev/null"
      local value = client.results:evaluate_metrics { result_id = 373, run_ids = { 5544 },
        metric_ids = { 55 } }
      held = nil
      collectgarbage()
      print(value ~= nil, descriptors() < before - 250)
    ]]
    local of_server = "cekura.sandbox: cannot accept more connections now: [^\n]*\n"
    assert.equal("300\t0\ntrue\ttrue\n", (output:gsub(of_server, "")))
  end)
end)
