-- Many calls of one client against a server that is rate limited, or down: the limit on attempts in
-- flight, the queue, the retry quota, and the number of connections.
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"
local internal = require "cekura.internal"  -- once cekura is there

local times = retries.times
local CONCURRENCY = 16
local SPENDING = "results.bulk_evaluate_metrics"

local function new(server, options)
  local all = { deadline = 60 }
  for name, value in pairs(options or {}) do all[name] = value end
  return retries.client(server, all)
end

local function vote(client, number, options)
  return calls.vote(client, { run_id = number }, options)
end

-- Votes for each number up to `count`, or always for the run `run`. Returns the report, whose
-- results are the numbers of attempts.
local function vote_all(client, count, options, run)
  local list = {}
  for i = 1, count do list[i] = i end
  return assert(client:each(list, function(i)
    local value, more = vote(client, run or i, options)
    return value and more.attempts, more
  end, { concurrency = CONCURRENCY, collect = true }))
end

local function sum(list)
  local total = 0
  for _, value in ipairs(list) do total = total + value end
  return total
end

local function attempts_of(report)
  local total = sum(report.results)
  for _, each in ipairs(report.errors) do total = total + each.error.attempts end
  return total
end

local function number_of(row) return math.tointeger(row.path:match "/(%d+)/") end

-- { [number of a vote] = how often it was delivered }
local function deliveries_of(ledger)
  local found = {}
  for _, row in ipairs(ledger) do
    local number = number_of(row)
    found[number] = (found[number] or 0) + 1
  end
  return found
end

local function limit(retry_after)
  return faults.status(429, { ["Retry-After"] = retry_after })
end

local function after(seconds, entry)
  return { { "sleep", seconds }, table.unpack(entry) }
end

local function all_are_ok(report, count)
  local first = report.errors[1]
  assert.is_nil(first and tostring(first.error))
  assert.equal(count, report.ok)
end

-- Pauses a client: its first call gets a 429.
local function pause(server, client, retry_after)
  server:script { limit(retry_after) }
  assert.equal("rate_limited", select(2, vote(client, 1000, { max_attempts = 1 })).kind)
end

-- Returns a task for each number, whose vote is queued.
local function spawn_votes(client, numbers, options)
  local tasks, begun = {}, 0
  for i, number in ipairs(numbers) do
    tasks[i] = client:spawn(function()
      begun = begun + 1
      return vote(client, number, options)
    end)
  end
  while begun < #tasks do client:step(0) end  -- a step resumes tasks for 10 ms at most
  return tasks
end

describe("after a 429", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local patient = retries.patient(it, function() return server end)

  it("internal.pause_left returns the seconds that are left of the pause", function()
    local client <close> = new(server)
    local other <close> = new(server)
    assert.equal(0, internal.pause_left(client))
    pause(server, client, 30)
    local left = internal.pause_left(client)
    assert.is_true(left > 15 and left <= 30)
    assert.equal(0, internal.pause_left(other))
    client:close()
    assert.equal(0, internal.pause_left(client))
  end)

  -- Another call fails while the blocking call is the only one in flight.
  for what, raise in pairs {
    ["an error"] = function() error "wrong" end,
    ["the error of Ctrl-C"] = function() error("interrupted!", 0) end,
    ["a table"] = function() error {} end,
  } do
    patient("a blocking call ends if the on_event of another call raises " .. what, function()
      local armed, met
      local client <close> = new(server, { on_event = function(event)
        if not armed or event.type ~= "give_up" then return end
        met = true
        raise()
      end })
      local WAIT = clock.SHORT * 2
      server:script { faults.status(503, { ["Retry-After"] = WAIT }), limit(0),
        after(4 * WAIT, faults.ok()) }
      local waiting = client:spawn(vote, client, 1, { deadline = 2 * WAIT })
      while server:deliveries() < 1 do client:step(0.01) end
      local limited = client:spawn(vote, client, 2, { max_attempts = 1 })
      assert.equal("rate_limited", select(2, limited:wait()).kind)
      armed = true
      assert.same({ success = true }, (vote(client, 3)))
      armed = false
      assert.is_true(met)
      assert.equal("server", select(2, waiting:wait()).kind)
      local value, response = vote(client, 4, { deadline = WAIT })
      assert.same({ success = true }, value)
      assert.equal(1, response.attempts)
    end)
  end

  local function numbers_delivered()
    local numbers = {}
    for i, row in ipairs(server:ledger()) do numbers[i] = number_of(row) end
    return numbers
  end

  patient("to one of sixteen calls, no attempt begins in the pause, then one, then more", function()
    local client <close> = new(server)
    local SLOW, STEP = 0.15, 0.06
    server:script { after(SLOW / 3, limit(1)), table.unpack(times(15, after(SLOW, faults.ok()))) }
    server:usually(after(STEP, faults.ok()))
    all_are_ok(vote_all(client, 60), 60)

    local ledger = server:ledger()
    assert.equal(61, #ledger)
    local again, number = ledger[17], number_of(ledger[1])
    assert.is_true(again.at >= ledger[1].at + SLOW / 3 + 1)
    assert.is_true(number == number_of(ledger[18]) or number == number_of(ledger[19]))
    assert.is_true(ledger[18].at >= again.at + STEP)
    assert.is_true(ledger[20].at >= ledger[18].at + STEP)  -- after one, two
    local most = 0
    for i = 17, 61 do
      local at_once = 1
      for j = 17, i - 1 do at_once = at_once + (ledger[j].at > ledger[i].at - STEP and 1 or 0) end
      most = math.max(most, at_once)
    end
    assert.is_true(most >= 8 and most <= CONCURRENCY)
    for each, count in pairs(deliveries_of(ledger)) do
      assert.equal(each == number and 2 or 1, count)
    end
  end)

  for _, most in ipairs { 1, 4, 8 } do
    it(("the number in flight settles at the %d that the server accepts"):format(most), function()
      local client <close> = new(server, { backoff = { base = 0.02, cap = 0.2 } })
      local COUNT = most == 1 and 60 or 240
      server:usually(faults.limited(most, 0.01))
      local report = vote_all(client, COUNT)
      all_are_ok(report, COUNT)

      local refused, ledger = { 0, 0 }, server:ledger()  -- in each half
      for i, row in ipairs(ledger) do
        local half = i <= #ledger / 2 and 1 or 2
        refused[half] = refused[half] + (row.note == "refused" and 1 or 0)
      end
      assert.equal(attempts_of(report), #ledger)
      assert.is_true(refused[1] <= CONCURRENCY + 0.1 * #ledger)
      assert.is_true(refused[2] <= 0.05 * #ledger)
    end)
  end

  it("the calls do not exceed the rate per second that the server accepts", function()
    local up <close> = sandbox.start { api_key = "the-key", rate_limit = { per_second = 100 } }
    local client <close> = new { url = up.url }
    local report = vote_all(client, 250, nil, 5544)
    all_are_ok(report, 250)
    assert.is_true(attempts_of(report) - 250 <= 2 * CONCURRENCY)
  end)

  it("with Retry-After: 0 every call succeeds", function()
    local client <close> = new(server)
    server:script(times(8, limit(0)))
    all_are_ok(vote_all(client, 100), 100)
    assert.equal(108, server:deliveries())
  end)

  patient("without Retry-After all calls wait for the backoff of the limited call", function()
    local client <close> = new(server, { max_attempts = 1, backoff = { base = 0.4, cap = 0.4 } })
    local waited = 0
    for _ = 1, 5 do
      pause(server, client)
      local seconds = clock.time(function() assert(vote(client, 1)) end)
      assert.is_true(seconds < 0.4 + clock.AT_ONCE)
      waited = waited + seconds
    end
    assert.is_true(waited > 0.1)
  end)

  it("to every call, each call makes max_attempts attempts", function()
    for _, most in ipairs { 1, 3 } do
      local client <close> = new(server, { max_attempts = most })
      server:clear()
      server:usually(faults.status(429))
      local report = vote_all(client, 80)
      assert.same({ 0, 80 }, { report.ok, report.failed })
      for _, each in ipairs(report.errors) do
        assert.same({ "rate_limited", "no", most },
          { each.error.kind, each.error.applied, each.error.attempts })
      end
      assert.equal(80 * most, server:deliveries())
    end
  end)

  -- ---- the queue

  it("a call whose deadline is before the end of the pause fails at once", function()
    local client <close> = new(server)
    pause(server, client, 50)
    local seconds = clock.time(function()
      for _, task in ipairs(spawn_votes(client, { 1, 2, 3, 4 }, { deadline = 10 })) do
        local _, err = task:wait()
        assert.same({ "rate_limited", "no", 0 }, { err.kind, err.applied, err.attempts })
        assert.is_true(err.retry_after > 10 and err.retry_after <= 50)
      end
    end)
    assert.is_true(seconds < clock.AT_ONCE)
    assert.equal(1, server:deliveries())
  end)

  patient("calls in flight end, and queued ones fail if a pause exceeds their deadline", function()
    local client <close> = new(server, { deadline = 20 })
    server:script { { { "held", 3 }, limit(1)[1] }, { { "held" }, limit(50)[1] },
      { { "held" }, faults.ok()[1] } }
    local seconds = clock.time(function()
      local tasks = spawn_votes(client, { 1, 2, 3 })
      while internal.pause_left(client) == 0 do client:step(0.01) end
      table.move(spawn_votes(client, { 4, 5 }), 1, 2, 4, tasks)
      server:release()
      local ok = 0
      for _, task in ipairs(tasks) do
        local value, err = task:wait()
        if value then
          ok = ok + 1
        else
          assert.equal("rate_limited", err.kind)
          assert.is_true(err.retry_after > 20 and err.retry_after <= 50)
        end
      end
      assert.equal(1, ok)
    end)
    assert.is_true(seconds < clock.AT_ONCE)
    assert.equal(3, server:deliveries())
  end)

  patient("a queued call that is not admitted in time ends at its deadline", function()
    local client <close> = new(server)
    local SLOW = 0.5
    pause(server, client, 0)
    server:usually(after(SLOW, faults.ok()))
    local tasks = spawn_votes(client, { 1, 2, 3 }, { deadline = 0.2, timeout = 0.2 })
    local seconds, _, err = clock.time(tasks[3].wait, tasks[3])
    assert.same({ "rate_limited", "no", 0 }, { err.kind, err.applied, err.attempts })
    assert.is_true(seconds >= 0.15 and seconds <= 0.2 + clock.OVERRUN)
  end)

  patient("the time in the queue does not count towards the timeout of an attempt", function()
    local client <close> = new(server)
    pause(server, client, 1)
    for _, task in ipairs(spawn_votes(client, { 1, 2 }, { timeout = 0.3 })) do
      local value, response = task:wait()
      assert.same({ { success = true }, 1 }, { value, response.attempts })
    end
  end)

  patient("a call that is cancelled in the queue is not sent, and delays no other", function()
    local client <close> = new(server)
    pause(server, client, "0.3")
    local tasks = spawn_votes(client, { 1, 2, 3 })
    assert.is_true(tasks[1]:cancel())
    assert.equal("cancelled", select(2, tasks[1]:wait()).kind)
    for i = 2, 3 do assert(tasks[i]:wait()) end
    assert.same({ 1000, 2, 3 }, numbers_delivered())
  end)

  it("a call that is cancelled in flight delays no other", function()
    local client <close> = new(server)
    pause(server, client, 0)
    server:script { "hang" }
    local tasks = spawn_votes(client, { 1, 2, 3 })
    while server:deliveries() < 2 do client:step(0.01) end
    assert.is_true(tasks[1]:cancel())
    for i = 2, 3 do assert(tasks[i]:wait()) end
    assert.same({ 1000, 1, 2, 3 }, numbers_delivered())
  end)

  it("client:close() ends the queued calls", function()
    local client = new(server)
    pause(server, client, 50)
    local tasks = spawn_votes(client, { 1, 2, 3 })
    client:close()
    for _, task in ipairs(tasks) do
      local seconds, value, err = clock.time(task.wait, task)
      assert.same({ nil, "cancelled", "no" }, { value, err.kind, err.applied })
      assert.is_true(seconds < clock.AT_ONCE)
    end
    assert.equal(1, server:deliveries())
  end)

  patient("a blocking call waits in the same queue as tasks", function()
    local client <close> = new(server)
    pause(server, client, "0.3")
    server:usually(after(0.03, faults.ok()))
    local tasks = spawn_votes(client, { 1, 2, 3 })
    assert(vote(client, 4))
    for _, task in ipairs(tasks) do assert(task:wait()) end
    local numbers = numbers_delivered()
    assert.same({ 5, 1, 4 }, { #numbers, numbers[2], numbers[5] })  -- 2 and 3 are admitted together
  end)

  patient("a call that met the 429 is admitted before others, but not for the trial", function()
    local client <close> = new(server)
    server:script { after(0.05, limit("0.4")), after(0.2, limit("0.4")) }
    server:usually(after(0.03, faults.ok()))
    local tasks = spawn_votes(client, { 1, 2 })
    while server:deliveries() < 2 do client:step(0.01) end
    client:sleep(0.1)  -- one of the two is queued during the pause by now
    table.move(spawn_votes(client, { 3, 4, 5, 6 }), 1, 4, 3, tasks)
    for _, task in ipairs(tasks) do assert(task:wait()) end
    local numbers = table.concat(numbers_delivered(), "", 3)
    assert.truthy(numbers:find "^3[12][12][456]+$")  -- 3 is the trial after the pause
  end)
end)

describe("while a server is down", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local COUNT = 400
  local MOST = math.floor(1.10 * COUNT + 50)
  local WHY = "not tried again: too many calls of this client fail"

  local function last_says_why(report)
    assert.truthy(tostring(report.errors[#report.errors].error):find(WHY, 1, true))
  end

  for what, entry in pairs {
    ["answers 503"] = faults.status(503), ["resets connections"] = faults.reset_before_answer(),
    ["hangs"] = faults.hang(),
  } do
    it(("and %s, at most 50 retries, and one for ten calls, are made"):format(what), function()
      local timeout = what == "hangs" and 0.03 or nil
      local client <close> = new(server, { timeout = timeout })
      server:usually(entry)
      local report = vote_all(client, COUNT)
      assert.equal(0, report.ok)
      local requests = attempts_of(report)
      assert.is_true(requests <= MOST and requests > COUNT)
      assert.is_true(server:deliveries() <= requests)
      last_says_why(report)

      server:clear()
      report = vote_all(client, CONCURRENCY, { timeout = clock.LIMIT })
      all_are_ok(report, CONCURRENCY)
      assert.same({ CONCURRENCY, CONCURRENCY }, { attempts_of(report), server:deliveries() })
    end)
  end

  it("and refuses connections, at most 50 retries, and one for ten calls, are made", function()
    local gone = faults.start()
    gone:stop()
    local client <close> = new(gone)
    local report = vote_all(client, COUNT)
    assert.same({ 0, COUNT }, { report.ok, report.failed })
    assert.is_true(attempts_of(report) <= MOST)
    last_says_why(report)
  end)

  it("single calls make all their attempts, and their errors do not blame others", function()
    local client <close> = new(server)
    for _ = 1, 10 do
      server:script(times(4, faults.status(503)))
      local _, err = vote(client, 1)
      assert.equal(4, err.attempts)
      assert.is_nil(tostring(err):find(WHY, 1, true))
    end
  end)

  it("calls that spend credits are sent once each, and their errors do not blame others", function()
    local client <close> = new(server)
    server:usually(faults.status(503))
    local report = assert(client:each(times(80, true), function()
      return calls.make(client, SPENDING)
    end, { concurrency = CONCURRENCY }))
    assert.equal(80, report.unknown)
    assert.equal(80, server:deliveries())
    for _, each in ipairs(report.errors) do
      assert.is_nil(tostring(each.error):find(WHY, 1, true))
    end
  end)

  it("for every second request, all votes arrive nevertheless", function()
    local client <close> = new(server, { max_attempts = 20 })
    local entries = {}
    for i = 1, 2000 do entries[i] = i % 2 == 1 and faults.status(503) or faults.ok() end
    server:script(entries)
    local report = vote_all(client, COUNT)
    all_are_ok(report, COUNT)
    local attempts = attempts_of(report)
    assert.equal(attempts, server:deliveries())
    assert.is_true(attempts > MOST)
  end)
end)

describe("the connections of many calls", function()
  it("are no more than the calls at once", function()
    local up <close> = sandbox.start { api_key = "the-key" }
    local client <close> = new { url = up.url }
    for _ = 1, 2 do all_are_ok(vote_all(client, 200, nil, 5544), 200) end
    assert.is_true(up:state "connections" <= CONCURRENCY)
  end)

  it("are no more than the calls at once after a 429", function()
    local server <close> = faults.start()
    local client <close> = new(server)
    server:script(times(20, limit(0)))
    all_are_ok(vote_all(client, 100), 100)
    assert.is_true(server:connections() <= CONCURRENCY)
  end)
end)
