-- The sandbox in one's own tests: the server of the API is replaced, in the process of the test.
--
--   lua5.4 tools/busted.lua examples/sandbox_in_tests.lua     in the checkout
--   busted --lua=lua5.4 my_spec.lua                           in your project
--
-- This costs nothing and needs no key. The rock is cekura-sandbox.

local cekura = require "cekura"
local sandbox = require "cekura.sandbox"

-- The code under test. Votes on each run, and returns how many votes were saved.
local function approve(client, run_ids, metric_id)
  local report = assert(client:each(run_ids, function(run_id)
    return client.runs:mark_metric_vote {
      run_id = run_id, metric_id = metric_id, thumbs_up = true, expected_value = 3,
    }
  end))
  return report.ok
end

describe("approve", function()
  local server, client

  before_each(function()
    server = sandbox.start()  -- always the same data: run 5544, metric 55, result 373 and others
    client = assert(cekura.new {
      api_url = server.url, api_key = server.api_key, backoff = { base = 0.01, cap = 0.05 },
    })
  end)

  after_each(function()
    client:close()
    server:stop()
  end)

  it("votes on each run", function()
    assert.equal(2, approve(client, { 5543, 5544 }, 55))
    assert.is_true(server:state("runs", 5544).is_reviewed)
    assert.equal(2, #server:requests())
  end)

  it("votes once more after a rate limit", function()
    server:faults { { status = 429, headers = { ["Retry-After"] = "0" } } }
    assert.equal(1, approve(client, { 5544 }, 55))
    assert.equal(2, #server:requests())
  end)

  it("counts only the votes that were saved", function()
    assert.equal(1, approve(client, { 5544, 999999 }, 55))
  end)

  it("spends nothing", function()
    approve(client, { 5543, 5544 }, 55)
    assert.equal(0, server:state "balance".used)
  end)
end)
