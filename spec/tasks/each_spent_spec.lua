-- client:each reports what its items have spent: in the report, the journal and the progress.
local cekura = require "cekura"
local calls = require "support.calls"
local faults = require "support.faults"
local journal = require "cekura.each.journal"
local scratch = require "support.scratch"
local range = require "support.range"
local script = require "support.script"
local spent = require "support.spent"

local EVALUATE, FEEDBACKS = "results.evaluate_metrics", "metric_reviews.process_feedbacks"
local TIME = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ "

describe("each", function()
  local server, client

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:clear()
    client = assert(cekura.new { api_url = server.url, api_key = "k", max_attempts = 1 })
  end)
  after_each(function() client:close() end)

  local function evaluate(count) return calls.make(client, EVALUATE, { run_ids = range(count) }) end

  describe("reports as spent", function()
    it("nothing if nothing is spent", function()
      local report = assert(client:each(range(3), function() return calls.vote(client) end))
      assert.same(spent {}, report.spent)
      assert.same(spent {}, assert(client:each({}, print)).spent)
    end)

    it("the calls of its items, and no others", function()
      assert(evaluate(7))
      local task = client:spawn(function()
        for _ = 1, 5 do assert(evaluate(9)) end
      end)
      local report = assert(client:each(range(4), evaluate, { concurrency = 3 }))
      assert(task:wait() == nil)
      assert.same(spent { evaluations = 10, calls = 4 }, report.spent)
      assert.same(spent { evaluations = 62, calls = 10 }, client:spent())
    end)

    it("unknown calls, and calls of unknown size", function()
      server:script { faults.status(500), faults.status(400), faults.ok(), faults.ok() }
      local report = assert(client:each(range(4), function(item)
        if item < 3 then return evaluate(item) end
        if item == 3 then return evaluate(3) end
        return calls.make(client, FEEDBACKS)
      end, { concurrency = 1 }))
      assert.same({ 2, 1, 1 }, { report.ok, report.failed, report.unknown })
      assert.same(spent { evaluations = 3, evaluations_unknown = 1, calls = 2, calls_unknown = 1,
        uncounted = 1 }, report.spent)
    end)

    it("calls whose errors the item ignores, and calls that block", function()
      local report = assert(client:each({ 1 }, function()
        server:script { faults.status(500) }
        evaluate(2)
        local made = coroutine.wrap(function() return evaluate(3) end)()
        assert(made)
        return true
      end))
      assert.same(spent { evaluations = 3, evaluations_unknown = 2, calls = 1, calls_unknown = 1 },
        report.spent)
    end)

    it("the calls of tasks that its items start, of an each inside, and of another client",
        function()
      local other <close> = assert(cekura.new { api_url = server.url, api_key = "k" })
      local inner
      local report = assert(client:each({ 1, 2 }, function(item)
        if item == 1 then return client:spawn(evaluate, 5):wait() end
        assert(calls.make(other, EVALUATE))
        inner = assert(client:each({ 3, 4 }, evaluate))
        return true
      end))
      assert.same(spent { evaluations = 7, calls = 2 }, inner.spent)
      assert.same(spent { evaluations = 13, calls = 4 }, report.spent)
    end)

    it("the calls of a task of an inner each, which the outer item waits for", function()
      local report = assert(client:each({ 1 }, function()
        local task, go_on
        assert(client:each({ 1, 2 }, function(item)
          task = task or client:spawn(function()
            while not go_on do client:sleep(0.001) end
            return evaluate(3)
          end)
          return item
        end, { concurrency = 1 }))
        go_on = true
        return task:wait()
      end))
      assert.same(spent { evaluations = 3, calls = 1 }, report.spent)
    end)

    it("the calls of a task of a task, when the first item's worker has ended", function()
      local has_begun, has_ended
      local report = assert(client:each({ 1, 2 }, function(item)
        if item == 2 then
          has_begun = true
          while not has_ended do client:sleep(0.001) end
          return true
        end
        while not has_begun do client:sleep(0.001) end
        client:spawn(function()  -- which runs after the item, the last one of its worker
          client:spawn(evaluate, 3):wait()
          has_ended = true
        end)
        return true
      end, { concurrency = 2 }))
      assert.same(spent { evaluations = 3, calls = 1 }, report.spent)
    end)

    it("not what a task spends that ends after it", function()
      local task
      server:script { { { "held" }, faults.ok()[1] } }
      local report = assert(client:each({ 1 }, function()
        task = client:spawn(evaluate, 3)
        return true
      end))
      server:release()
      assert(task:wait())
      assert.same({ 0, 3 }, { report.spent.evaluations, client:spent().evaluations })
    end)

    it("what was in flight when it was stopped", function()
      local report = assert(client:each({ 1 }, function()
        server:script { "hang" }
        local inner = client:spawn(client.each, client, { 1 }, function() return evaluate(4) end)
        while server:deliveries() == 0 do client:sleep(0.01) end
        inner:cancel()
        return true
      end))
      assert.same(spent { evaluations_unknown = 4, calls_unknown = 1 }, report.spent)
    end)

    for what, finish in pairs {
      ["whose task is cancelled then"] = function(task) return task:cancel() end,
      ["whose task is never resumed"] = function() return true end,
    } do
      it("what was in flight on a client that is closed, " .. what, function()
        local report = assert(client:each({ 1 }, function()
          local other <close> = assert(cekura.new { api_url = server.url, api_key = "k" })
          server:script { "hang" }
          local task = other:spawn(calls.make, other, EVALUATE)
          while server:deliveries() == 0 do other:step(0.01) end
          other:close()
          assert(finish(task))
          assert.equal("unknown", task:applied())
          return nil, "the item's own"
        end))
        assert.same({ 0, 1 }, { report.failed, report.unknown })
        assert.same(spent { evaluations_unknown = 1, calls_unknown = 1 }, report.spent)
      end)
    end

    it("also in the report of an error", function()
      local _, err = client:each(range(4), function(item)
        local value, problem = evaluate(1)
        if item == 2 then client:close() end
        return value, problem
      end, { concurrency = 1 })
      assert.same(spent { evaluations = 2, calls = 2 }, err.report.spent)
    end)
  end)

  describe("with a journal", function()
    local path

    before_each(function() path = scratch.path() end)

    local function each(items, fn)
      return client:each(items, fn, { journal = path, work = "w", concurrency = 1 })
    end

    -- Returns the lines of the file that follow the event "spent", without the time.
    local function lines()
      local list = {}
      for line in scratch.read(path):gmatch "[^\n]+" do
        if line:find(TIME .. "spent ") then list[#list + 1] = line:gsub(TIME, "") end
      end
      return list
    end

    it("ends with a line of what its items have spent, one for each run", function()
      server:script { faults.ok(), faults.status(500) }
      assert(each({ 1, 2 }, evaluate))
      assert(each({ 3, 4 }, evaluate))
      local first = "spent evaluations=1 evaluations_unknown=2 calls=1 calls_unknown=1 uncounted=0"
      local second = "spent evaluations=7 evaluations_unknown=0 calls=2 calls_unknown=0 uncounted=0"
      assert.same({ first, second }, lines())
      assert.matches(second .. "\n$", scratch.read(path))
      local opened <close> = assert(journal.open(path, { api = server.url, work = "w" }))
      assert.same({ evaluations = 8, evaluations_unknown = 2, calls = 3, calls_unknown = 1,
        uncounted = 0 }, opened:spent())
      assert.equal("done", opened:state(4))
    end)

    it("has no such line if nothing was spent", function()
      assert(each({ 1, 2 }, function() return calls.vote(client) end))
      assert.same({}, lines())
    end)

    it("has it also if an item was cut short by an error of its own", function()
      assert.has_error(function()
        client:each(function()
          if server:deliveries() == 0 then return 1 end
          error "the source"
        end, evaluate, { journal = path, work = "w", concurrency = 1 })
      end)
      assert.equal(1, #lines())
    end)

    it("has a sum that does not overflow", function()
      assert(each({ 1 }, evaluate))
      scratch.write(path, (scratch.read(path):gsub("evaluations=1 ", "evaluations=%%d ", 1)
        :format(math.maxinteger)))
      assert(each({ 2 }, evaluate))
      local opened <close> = assert(journal.open(path, { api = server.url, work = "w" }))
      assert.equal(math.maxinteger, opened:spent().evaluations)
    end)

    it("is refused if such a line is damaged", function()
      assert(each({ 1 }, evaluate))
      local content = scratch.read(path)
      for _, damage in ipairs {
        { "evaluations=1 ", "" }, { "calls=1", "calls=one" }, { "calls=1", "calls=-1" },
        { "uncounted=0", "uncounted=0 more" }, { "uncounted=0", "uncounted=9223372036854775808" },
        { "spent ", "spend " },
      } do
        local changed, count = content:gsub(damage[1], damage[2], 1)
        assert.equal(1, count)
        scratch.write(path, changed)
        local report, err = each({ 2 }, evaluate)
        assert.is_nil(report)
        assert.matches("line 4 is damaged", err.message, 1, true)
        assert.equal(changed, scratch.read(path))
      end
    end)

    it("has no such line after a kill, and the next run sums up without it", function()
      local output = script.run(([[
        local cekura, calls = require "cekura", require "support.calls"
        local client = assert(cekura.new { api_url = %q, api_key = "k" })
        client:each({ 1, 2 }, function(item)
          if item == 2 then os.execute "kill -9 $PPID" end
          return calls.make(client, %q)
        end, { journal = %q, work = "w", concurrency = 1 })]]):format(server.url, EVALUATE, path))
      assert.same({}, lines(), output)
      local report = assert(each({ 1, 2, 3 }, evaluate))
      assert.same({ 1, 1, 1 }, { report.ok, report.skipped, report.unknown })
      assert.same(spent { evaluations = 3, calls = 1 }, report.spent)
    end)
  end)

  it("gives the progress function what has been spent, and what is in flight", function()
    local seen, most = {}, 0
    server:usually { { "read" }, { "sleep", 0.15 }, faults.ok()[1] }
    assert(client:each(range(4), function() return evaluate(2) end, { concurrency = 2,
      progress = function(numbers)
        seen[#seen + 1] = numbers.spent
        most = math.max(most, numbers.spent.in_flight)
      end }))
    assert.same(spent { evaluations = 8, calls = 4 }, seen[#seen])
    assert.equal(4, most)
  end)

  it("counts exactly with the numbers of the client at any concurrency", function()
    client:close()
    client = assert(cekura.new { api_url = server.url, api_key = "k", spend_limit = 100,
      max_attempts = 1 })
    local all = {}
    for i = 1, 200 do all[i] = i % 10 == 0 and faults.status(500) or faults.ok() end
    server:script(all)
    local report = assert(client:each(range(200), function(item) return evaluate(item % 3 + 1) end,
      { concurrency = 64 }))
    assert.same(client:spent(), report.spent)
    assert.equal(100, report.spent.evaluations + report.spent.evaluations_unknown)
  end)
end)
