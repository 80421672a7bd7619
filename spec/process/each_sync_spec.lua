-- client:each with a journal on a slow disk, which is that of spec/c/slow_sync.c.
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"
local script = require "support.script"
local system = require "system"
local votes = require "support.votes"

local PRELOAD = (os.getenv "CEKURA_BUILD" or "build") .. "/slow_sync.so"
local SEED = math.tointeger(os.getenv "SEED") or os.time()

local is_checked = (os.getenv "CEKURA_RUN" or "") ~= ""

describe("each with a journal on a slow disk", function()
  local server, path, log

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  local function begin()
    server:clear()
    path, log = scratch.path(), scratch.path()
  end

  before_each(begin)

  -- A test that is repeated if the processes were too slow for the sync.
  local function patient(title, fn)
    it(title, function()
      clock.patiently(function()
        begin()
        fn()
      end)
    end)
  end

  after_each(function()
    os.remove(path)
    os.remove(log)
  end)

  -- Returns the variables of a child with a slow disk.
  local function slow(more)
    local all = { LD_PRELOAD = PRELOAD, SLOW_SYNC_LOG = log }
    for name, value in pairs(more or {}) do all[name] = value end
    return all
  end

  -- Returns the text of a child in which `each(count, options)` votes.
  local function script_of(url, text)
    return votes.START:format(url, "k") .. ([[
      local votes = require "support.votes"
      local PATH = %q
      local function each(count, options)
        options.journal, options.work = PATH, "w"
        return client:each(votes.items(count), vote, options)
      end
    ]]):format(path) .. text
  end

  local function run(url, text, more)
    local output, code = script.run(script_of(url, text), slow(more))
    assert.equal(0, code, output)
    return output
  end

  -- Returns the sizes of the journal at its syncs.
  local function sizes()
    local list = {}
    for size in (scratch.read(log) or ""):gmatch "%d+" do list[#list + 1] = math.tointeger(size) end
    return list
  end

  -- Returns the last event of each item in a journal, and the number of lines of each event.
  local function states(content)
    local all, count = {}, { started = 0, done = 0, failed = 0, unknown = 0 }
    for event, key in (content or scratch.read(path)):gmatch "Z (%l+) (%d+)[^\n]*\n" do
      all[math.tointeger(key)] = event
      count[event] = count[event] + 1
    end
    return all, count
  end

  local function arrived() return votes.sorted(votes.arrived(server:ledger())) end

  patient("syncs once for all items that are ready", function()
    local quick <close> = sandbox.start {
      api_key = "k", faults = { { times = math.huge, delay = 0.05 } },
    }
    local seconds = tonumber(run(quick.url, [[
      local internal = require "cekura.internal"
      local began = internal.monotime()
      assert(assert(each(128, { concurrency = 32 })).ok == 128)
      print(internal.monotime() - began)]], { SLOW_SYNC = "0.02" }))
    assert.is_true(#sizes() < 128 / 2, #sizes())
    if not is_checked then assert.is_true(seconds < 128 * 0.02 / 2, seconds) end
  end)

  it("syncs for each item at a concurrency of 1", function()
    run(server.url, "assert(assert(each(10, { concurrency = 1 })).ok == 10)")
    assert.equal(12, #sizes())  -- and for the header, and at the end
  end)

  local function start(text, more)
    return child.start_checked({ child.lua, "-e", script_of(server.url, text) }, slow(more))
  end

  -- Fails unless the next run, on a fast disk, does these items and skips the others.
  local function does_again(items, count)
    server:clear()
    local output = run(server.url, ("local report = assert(each(%d, {})) "
      .. "print(report.ok, report.skipped, report.failed, report.unknown)"):format(count),
      { SLOW_SYNC = "0" })
    assert.equal(("%d\t%d\t0\t0\n"):format(#items, count - #items), output)
    assert.same(items, arrived())
  end

  it("sends nothing after a sync that fails, and does those items in the next run", function()
    local output = run(server.url, [[
      local report, problem = each(50, { concurrency = 8 })
      print(report, problem.kind, problem.report.ok, #problem.report.errors)
      print(problem)]], { SLOW_SYNC_FAILS = "4" })
    local ok = math.tointeger(output:match "^nil\tconfig\t(%d+)\t0\n")
    assert.matches("Input/output error", output)
    local sent, all, count = arrived(), states()
    assert.equal(ok, #sent)
    assert.equal(ok, count.done)
    assert.is_true(count.started > ok and count.started <= ok + 8)
    local left = {}
    for item = 1, 50 do
      local state = item <= ok and "done" or item <= count.started and "failed" or nil
      assert.equal(state, all[item])
      if all[item] ~= "done" then left[#left + 1] = item end
    end
    assert.same(votes.items(ok), sent)
    does_again(left, 50)
  end)

  it("starts no item after Ctrl-C during the sync, and does those items in the next run", function()
    local output, code = script.run(script_of(server.url, [[each(9, { concurrency = 4 })]]),
      slow { SLOW_SYNC_INTERRUPTED = "2" })
    assert.matches("interrupted!\nstack", output)
    assert.equal(1, code)
    assert.same({}, arrived())
    assert.same({ "failed", "failed", "failed", "failed" }, (states()))
    does_again(votes.items(9), 9)
  end)

  -- Lets the second of two items fail while the start of the third is synced.
  local function fail_during_sync(status, headers)
    server:script { { { "read" }, { "sleep", 0.02 }, faults.ok()[1] },
      { { "read" }, { "sleep", 0.15 }, faults.status(status, headers)[1] } }
  end

  -- Fails unless two items were sent, and no other one counts as started.
  local function has_started_two(all, count)
    assert.equal(2, server:deliveries())
    assert.equal(1, count.done)
    assert.is_true(count.started <= 3 and count.failed == count.started - 1)
    assert.is_true(all[3] == nil or all[3] == "failed")
  end

  patient("starts no item if another one fails during the sync", function()
    fail_during_sync(400)
    local output = run(server.url, [[
      local report = assert(each(9, { concurrency = 2, stop_on_error = true }))
      print(report.ok, report.failed)]], { SLOW_SYNC = "0.3" })
    assert.equal("1\t1\n", output)
    has_started_two(states())
  end)

  patient("has started no item while it is paused by a 429 that arrived during the sync", function()
    fail_during_sync(429, { ["Retry-After"] = "3500" })
    local process, limit = start([[each(9, { concurrency = 2 })]], { SLOW_SYNC = "0.3" }),
      system.monotime() + clock.LIMIT
    local function is_paused()
      local content = scratch.read(path) or ""
      local all = states(content)
      return content:find "rate_limited" and all[1] ~= "started" and all[3] ~= "started"
    end
    repeat system.sleep(0.01) until is_paused() or system.monotime() > limit
    process:signal "KILL"
    process:finish()
    local all, count = states()
    has_started_two(all, count)
    assert.is_nil(scratch.read(path):find "failed 3 [^\n]*rate_limited")
    does_again(all[1] == "done" and { 2, 3, 4, 5, 6, 7, 8, 9 } or { 1, 3, 4, 5, 6, 7, 8, 9 }, 9)
  end)

  -- Reduces the journal to what is on disk if the machine crashes, and returns that.
  local function crash()
    local list = sizes()
    local rest = (scratch.read(path) or ""):sub(1, list[#list] or 0)
    scratch.write(path, rest)
    return rest
  end

  it(("spends credits at most once if the machine crashes again and again (seed %d)"):format(SEED),
    function()
      math.randomseed(SEED)
      local text = [[
        local report = assert(client:each(votes.items(300), function(item)
          print "begins"
          return client.calls:evaluate_metrics {
            agent_id = 1, call_logs = { item }, metrics = { 1 } }
        end, { journal = PATH, work = "w", concurrency = 16 }))
        print("ended", report.ok, report.skipped, report.unknown)]]
      -- Fails unless the journal on disk has every item that has arrived.
      local function check(content)
        local all, has_arrived = states(content), {}
        for _, row in ipairs(server:ledger()) do
          local item = math.tointeger(row.body:match '"call_logs":%[(%d+)%]')
          assert.is_nil(has_arrived[item], "sent twice")
          has_arrived[item] = true
          assert.is_truthy(all[item], "not on disk")
        end
      end
      local crashes = 0
      local ended  -- what the run that was not killed has printed
      repeat
        local process, left = start(text), math.random(1, 60)
        repeat
          local line = process:line()
          left = left - 1
          ended = line and line:match "^ended\t(.*)"
        until not line or ended or left == 0
        if not ended then process:signal "KILL" end
        process:finish()
        check(crash())
        crashes = crashes + 1
      until ended or crashes == 200
      local ok, skipped, unknown = ended:match "(%d+)\t(%d+)\t(%d+)"
      assert.equal(300, ok + skipped + unknown)
      assert.is_true(crashes > 2)
    end)
end)
