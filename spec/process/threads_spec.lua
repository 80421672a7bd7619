-- Eight threads at once, each with a Lua state and clients. `make tsan` runs it with a build for
-- ThreadSanitizer: HOST is its host, and LUA_CPATH its module.
local child = require "support.child"
local faults = require "support.faults"
local sandbox = require "cekura.sandbox"
local certificates = require "support.tls".certificates()

local BUILD = os.getenv "CEKURA_BUILD" or "build"
local HOST = os.getenv "HOST" or BUILD .. "/host"
local CPATH = os.getenv "HOST_CPATH"
local ROUNDS = (os.getenv "CEKURA_RUN" or "") == "" and 40 or 10

local SCRIPT = [[
  local URL, KEY, ROUNDS, TLS_URL, CA = %q, %q, %d, %q, %q
  local cekura = require "cekura"
  local events = 0
  local client <close> = assert(cekura.new {
    api_url = URL, api_key = KEY, on_event = function() events = events + 1 end,
  })
  local function vote(run_id)
    return client.runs:mark_metric_vote {
      run_id = run_id, metric_id = 55, thumbs_up = true, expected_value = 2,
    }
  end
  local items = {}
  for i = 1, ROUNDS do
    assert(vote(5540 + i %% 5).success)
    items[i] = 5540 + i %% 5
  end
  local report = assert(client:each(items, vote, { concurrency = 8 }))
  assert(report.ok == ROUNDS and events == 4 * ROUNDS, report.ok .. " " .. events)
  assert(client.results:list {})
  local _, err = client.runs:mark_metric_vote {}
  assert(err.kind == "validation")
  local _, err = cekura.new { api_url = "http://127.0.0.1:1", api_key = "k", max_attempts = 1 }
    .runs:get { run_id = 1 }
  assert(err.kind == "network", err)
  local tls <close> = assert(cekura.new { api_url = TLS_URL, api_key = "k", ca_file = CA })
  for _ = 1, 3 do assert(tls.runs:get { run_id = 1 }) end
  -- A name makes libcurl start threads of its own. No server listens at this port.
  local named <close> = assert(cekura.new {
    api_url = "https://localhost:1", api_key = "k", max_attempts = 1, deadline = 1,
  })
  local _, err = named.runs:get { run_id = 1 }
  assert(err.applied == "no", err)
  client:spawn(vote, 5540)
  client:step(0)
]]

describe("eight threads with a state each", function()
  it("make calls at once", function()
    local server <close> = sandbox.start { api_key = "the-key" }
    local tls <close> = faults.start { tls = true }
    local text = SCRIPT:format(server.url, "the-key", ROUNDS, tls.url, certificates.ca)
    local output, code = child.run_checked({ HOST, "8", "2", text },
      { LUA_CPATH = CPATH or nil, CEKURA_API_URL = false, CEKURA_API_KEY = false })
    assert.equal("ok\n", output)
    assert.equal(0, code)
    local count = 0
    for _, request in ipairs(server:requests()) do
      count = count + (request.path:find "mark_metric_vote" and 1 or 0)
    end
    assert.is_true(count >= 8 * 2 * 2 * ROUNDS and count <= 8 * 2 * (2 * ROUNDS + 1), count)
  end)
end)
