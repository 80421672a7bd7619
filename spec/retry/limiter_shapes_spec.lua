-- The limiter against servers that limit requests in different ways: which share of the requests
-- that the server would accept are accepted, and how many are rejected. In virtual time, except for
-- the last one.
local calls = require "support.calls"
local faults = require "support.faults"
local retries = require "support.retries"
local simulate = require "support.limited_server"

local LATENCY = 0.05

-- Requires that a share of the `rate` requests per second that the server would accept is accepted,
-- and that at most a share of all requests is rejected. `most` = { accepted, rejected }.
local function accepts(what, rate, most, client, new_server)
  it(("%s: %d %% are accepted, and %g %% rejected"):format(what, 100 * most[1], 100 * most[2]),
    function()
      local SEEDS = 3
      local accepted, rejected = 0, 0
      for seed = 1, SEEDS do
        local options = { seed = seed, latency = LATENCY, seconds = 10 }
        for name, value in pairs(client) do options[name] = value end
        local found = simulate(new_server(), options)
        accepted = accepted + found.accepted / rate / options.seconds / SEEDS
        rejected = rejected + found.rejected / SEEDS
      end
      local what_happened = ("accepted %.3f, rejected %.4f"):format(accepted, rejected)
      assert.is_true(accepted >= most[1] and rejected <= most[2], what_happened)
    end)
end

describe("of the requests that a server accepts that rejects", function()
  for _, retry_after in ipairs { false, 1 } do
    local header = retry_after and "with Retry-After: 1" or "without Retry-After"
    for _, row in ipairs {
      { most = 1, of = 8, 0.85, 0.05 },
      { most = 4, of = 16, 0.85, 0.02 },
      { most = 32, of = 64, 0.8, 0.01 },
      { most = 32, of = 256, 0.8, 0.05 },
      { most = 32, of = 1024, 0.5, 0.25 },
      { most = 200, of = 1024, 0.8, 0.03 },
    } do
      accepts(("more than %d of %d at once, %s"):format(row.most, row.of, header),
        row.most / LATENCY, row, { concurrency = row.of },
        function() return simulate.concurrent(row.most, retry_after or nil) end)
    end
  end

  for latency, row in pairs { [0.005] = { 0.85, 0.01 }, [0.5] = { 0.6, 0.1 } } do
    accepts(("more than 32 of 64 at once, in %g s each"):format(latency), 32 / latency, row,
      { concurrency = 64, latency = latency }, function() return simulate.concurrent(32) end)
  end

  accepts("more than 32, then 8, then 64 at once", (32 + 8 + 64) / 3 / LATENCY, { 0.65, 0.01 },
    { concurrency = 128, seconds = 60 }, function()
      return simulate.concurrent(function(now) return ({ 32, 8, 64, 64 })[1 + now // 20] end, 1)
    end)

  accepts("more than 32 at once after a while", (256 * 2 + 32 * 8) / 10 / LATENCY, { 0.75, 0.01 },
    { concurrency = 256 }, function()
      return simulate.concurrent(function(now) return now < 2 and 256 or 32 end)
    end)

  accepts("more than 100 per second, with bursts of 100", 100, { 0.95, 0.05 },
    { concurrency = 16, latency = 0.02 }, function() return simulate.bucket(100, 100) end)

  accepts("more than 100 per second, with bursts of 10", 100, { 0.6, 0.05 },
    { concurrency = 64, seconds = 20 }, function() return simulate.bucket(100, 10, 1) end)

  accepts("more than 100 in each second", 100, { 0.7, 0.04 },
    { concurrency = 16, latency = 0.02, seconds = 20 },
    function() return simulate.window(100, 1) end)

  accepts("more than 1000 in each second", 1000, { 0.65, 0.02 },
    { concurrency = 256, seconds = 20 }, function() return simulate.window(1000, 1) end)

  accepts("more than 600 in each minute", 10, { 0.99, 0.03 },
    { concurrency = 64, seconds = 120 }, function() return simulate.window(600, 60) end)

  for _, count in ipairs { 16, 256 } do
    local client = { concurrency = count }
    accepts(("all of %d for the first 0.2 s"):format(count), count / LATENCY, { 0.8, 0.01 },
      client, function() return simulate.moment(0, 0.2, 1) end)
    accepts(("all of %d for 0.2 s"):format(count), count / LATENCY, { 0.8, 0.01 },
      client, function() return simulate.moment(3, 3.2, 1) end)
    accepts(("all of %d for 3 s"):format(count), 0.7 * count / LATENCY, { 0.8, 0.01 },
      client, function() return simulate.moment(3, 6) end)
  end
end)

describe("a server that rejects more than 8 at once", function()
  it("rejects none of the next 300 requests after the first ones", function()
    local MOST, BURST, COUNT = 8, 16, 400
    local server <close> = faults.start()
    local client <close> = retries.client(server)
    server:usually(faults.limited(MOST, 0.02, { ["Retry-After"] = "0.5" }))
    local numbers = {}
    for i = 1, COUNT do numbers[i] = i end
    local report = assert(client:each(numbers, function(number)
      return calls.vote(client, { run_id = number })
    end, { concurrency = BURST }))
    assert.equal(COUNT, report.ok)
    local late = 0
    for i, row in ipairs(server:ledger()) do
      late = late + (row.note == "refused" and i > COUNT / 4 and 1 or 0)
    end
    assert.is_true(late <= 1)  -- on a slow machine the limit grows before the last call
    assert.is_true(server:deliveries() > COUNT)
  end)
end)
