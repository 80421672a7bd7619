-- Calls that spend credits, concurrent, against a mixture of faults: the server never starts more
-- evaluations than spend_limit, and the numbers of client:spent() enclose those that it starts.
-- `make mutants` runs it on modules with faults of their own. CALLS and SEED are variables.
local cekura = require "cekura"
local calls = require "support.calls"
local faults = require "support.faults"
local mixture = require "support.mixture"
local system = require "system"

local CALLS = math.tointeger(os.getenv "CALLS") or 600
local SEED = math.tointeger(os.getenv "SEED") or 20260701
local CONCURRENCY = 64
local SLICES = 6  -- each with a client and a limit of its own
local LIMITED = 200  -- calls of the part with rate limits, which takes long
local MOST = 5    -- evaluations of a call

math.randomseed(SEED)

local chance = mixture.chance

local range = require "support.range"

-- ---- the calls

local LIST_OF = {  -- the argument whose length is the number of evaluations; others state it
  ["results.evaluate_metrics"] = "run_ids", ["calls.evaluate_metrics"] = "call_logs",
}

-- Returns the plan of a numbered call.
local function plan(number)
  local name = mixture.one_of(calls.names)
  local size = name == "runs.mark_metric_vote" and 0 or math.random(MOST)
  local changes, list = mixture.changes(name, number), LIST_OF[name]
  if list then changes[list] = range(size) end
  return { name = name, size = size, changes = changes, is_cancelled = chance(0.03), options = {
    evaluations = size > 0 and not list and size or nil, retry_unknown = chance(0.5) or nil,
    max_attempts = math.random(4), deadline = chance(0.9) and 2 or 0.05 + math.random() * 0.3,
  } }
end

local function make(client, call)
  return calls.make(client, call.name, call.changes, call.options)
end

local function cancel(client, call)
  local task = client:spawn(make, client, call)
  client:sleep(math.random() * 0.02)
  task:cancel()
  return true
end

-- ---- the rules

-- Returns how many evaluations the server has started at least and at most, and how many requests
-- it has acted on, at least and at most. A request that did not arrive whole starts nothing.
local function started(ledger, plans)
  local sums = { least = 0, most = 0, calls_least = 0, calls_most = 0 }
  for _, row in ipairs(ledger) do
    local call = row.complete and plans[mixture.number_of(row)]
    local note = row.note or "doubt"
    if call and call.size > 0 and note ~= "refused" then
      sums.most, sums.calls_most = sums.most + call.size, sums.calls_most + 1
      if note ~= "doubt" then
        sums.least, sums.calls_least = sums.least + call.size, sums.calls_least + 1
      end
    end
  end
  return sums
end

-- Returns a list of the rules that are broken.
local function problems_of(limit, server, spent)
  local problems = {}
  local function check(ok, what)
    if ok then return end
    problems[#problems + 1] = ("%s: the server started %d to %d evaluations in %d to %d calls; the "
      .. "client counts %d and %d unknown ones in %d and %d calls; spend_limit is %d"):format(what,
      server.least, server.most, server.calls_least, server.calls_most, spent.evaluations,
      spent.evaluations_unknown, spent.calls, spent.calls_unknown, limit)
  end
  local counted = spent.evaluations + spent.evaluations_unknown
  check(server.most <= limit, "more than spend_limit")
  check(counted <= limit, "the client counts more than spend_limit")
  check(server.most <= counted, "the client counts too little")
  check(spent.evaluations <= server.least, "the client is sure of too much")
  check(server.calls_most <= spent.calls + spent.calls_unknown, "the client counts too few calls")
  check(spent.calls <= server.calls_least, "the client is sure of too many calls")
  check(spent.uncounted == 0 and spent.in_flight == 0, "calls are left over")
  return problems
end

-- ---- the run

local totals = { calls = 0, most = 0, evaluations = 0, unknown = 0, refused = 0 }

describe("spend_limit holds", function()
  local server
  local started_at = system.monotime()

  setup(function() server = faults.start() end)
  teardown(function()
    server:stop()
    print(("\nspending: %d calls (seed %d), %d evaluations and %d unknown ones, %d calls refused, "
      .. "%.1f seconds"):format(totals.calls, SEED, totals.evaluations, totals.unknown,
      totals.refused, system.monotime() - started_at))
  end)

  -- After a 429 calls wait in the queue, until there are more of them than the limit permits.
  local function entries(count, is_limited)
    local mixtures = { mixture.common, mixture.http1, is_limited and mixture.rate_limits or nil }
    server:clear()
    server:script(mixture.script(mixtures, count))
  end

  local function run_slice(size, is_limited)
    local plans, demand = {}, 0
    for number = 1, size do
      plans[number] = plan(number)
      demand = demand + plans[number].size
    end
    local limit = math.floor(demand * (is_limited and 0.6 or 0.1 + 0.8 * math.random()))
    local client <close> = assert(cekura.new {
      api_url = server.url, api_key = "k", proxy = "", timeout = 0.5, spend_limit = limit,
      backoff = { base = 0.004, cap = 0.02 }, max_response_bytes = mixture.MAX_BYTES,
    })
    entries(size * 2, is_limited)
    local report = assert(client:each(plans, function(call)
      return (call.is_cancelled and cancel or make)(client, call)
    end, { concurrency = CONCURRENCY }))
    client:close()
    local spent = client:spent()
    assert.same({}, problems_of(limit, started(server:ledger(), plans), spent))
    assert.same(spent, report.spent)
    for _, row in ipairs(report.errors) do
      totals.refused = totals.refused + (row.error.kind == "budget" and 1 or 0)
    end
    totals.calls, totals.evaluations = totals.calls + size, totals.evaluations + spent.evaluations
    totals.unknown = totals.unknown + spent.evaluations_unknown
  end

  for slice = 1, SLICES do
    it("in part " .. slice, function() run_slice(math.ceil(CALLS / SLICES), false) end)
  end

  it("in a part with rate limits", function() run_slice(LIMITED, true) end)

  it("for calls that the server refuses and calls that it does not", function()
    assert.is_true(totals.refused > 0 and totals.unknown > 0 and totals.evaluations > 0)
  end)
end)
