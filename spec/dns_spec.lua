-- A name that the resolver hangs on holds neither the call nor the process: getaddrinfo is the
-- one of spec/c/slow_dns.c, which sleeps for half a minute.
local script = require "support.script"
local system = require "system"

local PRELOAD = (os.getenv "CEKURA_BUILD" or "build") .. "/slow_dns.so"

local SCRIPT = [[
  local cekura, system = require "cekura", require "system"
  local client = assert(cekura.new {
    api_key = "sandbox-key", api_url = "https://name.hangs.invalid", %s,
  })
  local start = system.monotime()
  local _, err = client.runs:mark_metric_vote {
    run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 3,
  }
  print(err.kind, err.applied, err.attempts, system.monotime() - start)
]]

-- What the script prints, and how long its process lived.
local function run(options)
  local start = system.monotime()
  local output = script.run(SCRIPT:format(options), { LD_PRELOAD = PRELOAD })
  local kind, applied, attempts, seconds = output:match "^(%S+)\t(%S+)\t(%d+)\t(%S+)\n$"
  assert.truthy(kind, output)
  return { kind, applied, tonumber(attempts) }, tonumber(seconds), system.monotime() - start
end

describe("a resolver that hangs", function()
  it("holds a call no longer than its deadline, and the process not at all", function()
    local result, seconds, lived = run "deadline = 0.5"
    assert.same({ "timeout", "no", 1 }, result)
    assert.truthy(seconds >= 0.5 and seconds <= 0.7, seconds)
    assert.truthy(lived < 15, lived)
  end)

  it("holds an attempt no longer than connect_timeout", function()
    local result, seconds = run "connect_timeout = 0.3, max_attempts = 1"
    assert.same({ "timeout", "no", 1 }, result)
    assert.truthy(seconds >= 0.3 and seconds <= 0.6, seconds)
  end)
end)
