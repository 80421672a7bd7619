-- The kernel refuses to watch a socket: libcurl's multi handle fails, and is replaced. epoll_ctl is
-- that of spec/c/full_poller.c.
local faults = require "support.faults"
local scratch = require "support.scratch"
local script = require "support.script"

local PRELOAD = (os.getenv "CEKURA_BUILD" or "build") .. "/full_poller.so"

-- Two calls have their responses, which libcurl has not read, when the second attempt of a third
-- one fails: the first one finds its connection closed, and the second one opens another.
local SCRIPT = [[
  local cekura, system = require "cekura", require "system"
  local client = assert(cekura.new { api_key = "k", api_url = %q, proxy = "" })
  local function vote()
    return client.runs:mark_metric_vote {
      run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 3,
    }
  end
  local function evaluate()
    return client.results:bulk_evaluate_metrics { result_ids = { 1 }, metric_ids = { 2 } }
  end
  local function step(seconds)
    local till = system.monotime() + seconds
    while system.monotime() < till do client:step(0.01) end
  end
  assert(vote())
  local tasks = { client:spawn(evaluate), client:spawn(evaluate) }
  step(0.2)
  tasks[3] = client:spawn(vote)
  step(0.2)
  os.execute "unset LD_PRELOAD; sleep 1"
  assert(io.open(%q, "w")):close()
  for _, task in ipairs(tasks) do
    local value, more = task:wait()
    print(value and "ok" or tostring(more), more.attempts)
  end
  print(io.open(%q) == nil)
]]

describe("a poller that refuses a socket", function()
  it("fails the calls in flight, but not those whose responses have arrived", function()
    local server <close> = faults.start()
    local path = scratch.path()
    os.remove(path)
    local done = faults.status(200, { Connection = "close" }, '{"success": true}')[1]
    local answer = { { "read" }, { "sleep", 0.6 }, done }
    server:script { "ok", answer, answer, { { "read" }, { "sleep", 0.6 }, { "close" } } }
    local output = script.run(SCRIPT:format(server.url, path, path),
      { LD_PRELOAD = PRELOAD, FULL_POLLER = path })
    assert.equal("ok\t1\nok\t1\nok\t3\ntrue\n", output)
    assert.equal(5, server:deliveries())
  end)
end)
