-- client:each, without journals and Ctrl-C, which have specs of their own.
local cekura = require "cekura"
local clock = require "support.clock"
local faults = require "support.faults"
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"
local script = require "support.script"
local terminal = require "support.terminal"
local votes = require "support.votes"

-- Fails unless the report has these counts, 0 for the others, and no problem.
local function counts(expected, report, problem)
  assert.is_nil(problem)
  local seen = {}
  for _, name in ipairs { "ok", "failed", "skipped", "unknown" } do
    if report[name] ~= 0 then seen[name] = report[name] end
  end
  assert.same(expected, seen)
  assert.equal(report.failed + report.unknown, #report.errors)
end

-- Returns the error that the function raises.
local function raised_by(fn, ...)
  local result = table.pack(pcall(fn, ...))
  assert.is_false(result[1])
  return result[2]
end

describe("each", function()
  local server, client

  setup(function() server = sandbox.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:faults()
    server:clear()
    client = assert(cekura.new { api_url = server.url, api_key = server.api_key })
  end)

  after_each(function()
    assert.is_false(client:step())  -- no task is left
    client:close()
  end)

  local function vote(item) return votes.cast(client, item) end
  local function arrived() return votes.arrived(server:requests()) end

  -- Fails if an `each` has left a task behind, or if the client cannot make a call.
  local function is_sound()
    assert.is_false(client:step())
    local before = #server:requests()
    assert.same({ success = true }, (vote(0)))
    assert.equal(before + 1, #server:requests())
  end

  describe("calls the function with", function()
    it("each item of a list", function()
      counts({ ok = 20 }, client:each(votes.items(20), vote))
      assert.same(votes.items(20), votes.sorted(arrived()))
    end)

    it("what an iterator returns, up to its first nil", function()
      local left = 5
      local report = client:each(function()
        left = left - 1
        assert(left >= 0)
        if left > 0 then return left, "more" end
      end, vote)
      counts({ ok = 4 }, report)
      assert.same(votes.items(4), votes.sorted(arrived()))
    end)

    it("each slice of a list", function()
      local sizes = {}
      counts({ ok = 3 }, client:each(cekura.chunks(votes.items(5), 2),
        function(slice, index) sizes[index] = #slice end))
      assert.same({ 2, 2, 1 }, sizes)
    end)

    it("no item of an empty source", function()
      local function never() error "an item" end
      counts({}, client:each({}, never))
      counts({}, client:each(function() end, never, { collect = true, progress = function() end }))
    end)

    it("false, if an item is false", function()
      local seen = {}
      counts({ ok = 3 }, client:each({ false, 1, false }, function(item, index)
        seen[index] = item
      end))
      assert.same({ false, 1, false }, seen)
    end)

    it("many items that make no call", function()
      local sum = 0
      counts({ ok = 5000 }, client:each(votes.items(5000), function(item) sum = sum + item end))
      assert.equal(5000 * 5001 // 2, sum)
    end)

    it("items that make several calls or none", function()
      counts({ ok = 10 }, client:each(votes.items(10), function(item)
        for _ = 1, item % 4 do assert(vote(item)) end
      end))
      assert.same({ 1, 2, 2, 3, 3, 3, 5, 6, 6, 7, 7, 7, 9, 10, 10 }, votes.sorted(arrived()))
    end)

    it("items that yield", function()
      counts({ ok = 10 }, client:each(votes.items(10), function()
        for _ = 1, 3 do coroutine.yield "what" end
      end))
    end)
  end)

  describe("reports", function()
    it("results in the order of the items, not of their ends", function()
      local ended = {}
      local report = client:each(votes.items(5), function(item)
        client:sleep((5 - item) * 0.02)
        ended[#ended + 1] = item
        return item * 10, "more"
      end, { collect = true })
      counts({ ok = 5 }, report)
      assert.same({ 5, 4, 3, 2, 1 }, ended)
      assert.same({ 10, 20, 30, 40, 50 }, report.results)
    end)

    it("false and nil as results", function()
      local report = client:each(votes.items(3), function(item)
        if item == 1 then return false end
        if item == 3 then return "three" end
      end, { collect = true })
      counts({ ok = 3 }, report)
      assert.same({ [1] = false, [3] = "three" }, report.results)
    end)

    it("no results without the option collect", function()
      assert.is_nil(client:each({ 1 }, function() return 1 end).results)
    end)

    it("errors by index, each with its item", function()
      local object = {}
      local report = client:each({ "a", "b", "c", "d", "e", "f" }, function(item, index)
        client:sleep((6 - index) * 0.01)
        if item == "a" then return nil, "said" end
        if item == "b" then error "raised" end
        if item == "c" then error(object) end
        if item == "d" then return nil, false end
        if item == "e" then return false, "said" end
      end, { collect = true })
      counts({ ok = 1, failed = 5 }, report)
      local errors = report.errors
      for i, item in ipairs { "a", "b", "c", "d", "e" } do
        assert.same({ i, item }, { errors[i].index, errors[i].item })
      end
      assert.equal("said", errors[1].error)
      assert.matches("each_spec.lua:%d+: raised$", errors[2].error)
      assert.equal(object, errors[3].error)
      assert.is_false(errors[4].error)
      assert.equal("said", errors[5].error)
      assert.same({}, report.results)
    end)

    it("an item without effect as failed, one with a possible effect as unknown", function()
      server:faults { { status = 500, path = "evaluate_metrics" } }
      local report = client:each(votes.items(4), function(item)
        if item == 1 then return client.runs:mark_metric_vote {} end
        if item == 2 then
          return client.results:evaluate_metrics {
            result_id = 373, run_ids = { 5544 }, metric_ids = { 55 } }
        end
        if item == 3 then
          assert(vote(item))
          error "after the vote"
        end
        return vote(item)
      end)
      counts({ ok = 1, failed = 1, unknown = 2 }, report)
      assert.equal("validation", report.errors[1].error.kind)
      assert.same({ "server", "unknown" },
        { report.errors[2].error.kind, report.errors[2].error.applied })
      assert.matches("after the vote$", report.errors[3].error)
    end)
  end)

  describe("reports as failed an item that returns nothing and", function()
    local function fails(kind, fn)
      local report = client:each({ 1 }, fn)
      counts({ failed = 1 }, report)
      assert.equal(kind, report.errors[1].error.kind)
    end

    local function invalid() return client.runs:mark_metric_vote {} end

    it("whose call the server refused", function()
      server:faults { { status = 401, times = math.huge } }
      fails("authentication", function(item) vote(item) end)
      fails("authentication", function(item) return (vote(item)) end)
      fails("authentication", function() client.runs:get { run_id = 5544 } end)
      fails("authentication", function() client:request { method = "GET", path = "/x/" } end)
      fails("authentication", function() client.results:wait { result_id = 373 } end)
    end)

    it("whose call was not sent", function()
      fails("validation", function() invalid() end)
      fails("validation", function() client.results:wait {} end)
      fails("validation", function() client:each({}, error, { concurrency = 0 }) end)
      fails("budget", function()
        client.results:evaluate_metrics({ result_id = 373, run_ids = { 5544 },
          metric_ids = { 55 } }, { max_evaluations = 0 })
      end)
    end)

    it("whose call of another or a closed client failed", function()
      local other = assert(cekura.new { api_url = server.url, api_key = "wrong" })
      fails("authentication", function(item) votes.cast(other, item) end)
      other:close()
      fails("config", function(item) votes.cast(other, item) end)
    end)

    it("whose task, each or coroutine failed", function()
      fails("validation", function() client:spawn(invalid):wait() end)
      fails("validation", function() client:each({ 1 }, invalid) end)
      fails("validation", function() coroutine.wrap(invalid)() end)
    end)

    it("whose first call failed and whose last call succeeded", function()
      fails("validation", function()
        invalid()
        client.runs:get { run_id = 5544 }
      end)
      fails("validation", function()
        client:spawn(invalid):wait()
        client:each({ 1 }, function() return true end)
        client.results:wait { result_id = 373 }
      end)
      local report = client:each({ 1 }, function(item)
        invalid()
        vote(item)
      end)
      counts({ unknown = 1 }, report)
    end)

    it("but not one that returns a value, or whose each or wait succeeded", function()
      counts({ ok = 4 }, client:each(votes.items(4), function(item)
        if item <= 2 then
          invalid()
          return item == 1
        end
        if item == 3 then client:each({ 1, 2 }, function() return invalid() or true end) end
        if item == 4 then
          server:faults { { status = 503, path = "results" } }
          assert(client.results:wait({ result_id = 373 }, { interval = 0.01, max_attempts = 1 }))
        end
      end, { concurrency = 1 }))
    end)

    it("independently of the items before it", function()
      counts({ ok = 5, failed = 5 }, client:each(votes.items(10), function(item)
        if item % 2 == 0 then invalid() end
      end, { concurrency = 2 }))
    end)
  end)

  it("reports an item as unknown if a call of another client may have been applied", function()
    local other <close> = assert(cekura.new { api_url = server.url, api_key = server.api_key })
    server:faults { { status = 500 } }
    local report = client:each({ 1 }, function()
      return other.results:evaluate_metrics {
        result_id = 373, run_ids = { 5544 }, metric_ids = { 55 } }
    end)
    counts({ unknown = 1 }, report)
    assert.equal("server", report.errors[1].error.kind)
  end)

  describe("keeps in flight", function()
    -- Returns the highest number of requests that were in flight at once: the server responds to
    -- each after the delay.
    local function in_hand(delay)
      local most, requests = 0, server:requests()
      for i, request in ipairs(requests) do
        local count = 1
        for j = 1, i - 1 do
          if requests[j].at > request.at - delay then count = count + 1 end
        end
        most = math.max(most, count)
      end
      return most
    end

    for options, expected in pairs { [{}] = 8, [{ concurrency = 3 }] = 3, [{ concurrency = 1 }] = 1,
        [{ concurrency = 4.0 }] = 4, [{ concurrency = 1000 }] = 11 } do
      it(("%d items of 11 with concurrency %s"):format(expected, options.concurrency), function()
        local delay = expected > 1 and clock.SHORT or 0.005
        server:faults { { times = math.huge, delay = delay } }
        local running, most = 0, 0
        counts({ ok = 11 }, client:each(votes.items(11), function(item)
          running = running + 1
          most = math.max(most, running)
          assert(vote(item))
          running = running - 1
        end, options))
        assert.equal(expected, most)
        assert.equal(expected, in_hand(delay))
      end)
    end
  end)

  describe("with stop_on_error", function()
    it("starts no item after the first failure, and waits for the items in flight", function()
      server:faults {
        { status = 400, skip = 5 }, { times = math.huge, delay = clock.SHORT } }
      local begun, begun_by_then = 0, nil
      local report = client:each(votes.items(50), function(item)
        begun = begun + 1
        local value, problem = vote(item)
        if not value then begun_by_then = begun end
        return value, problem
      end, { concurrency = 4, stop_on_error = true })
      counts({ ok = begun - 1, failed = 1 }, report)
      assert.equal(begun_by_then, begun)
      assert.equal(begun, #server:requests())
      is_sound()
    end)

    it("does not start items that wait for a free call", function()
      local begun = {}
      local report = client:each(votes.items(20), function(item)
        begun[#begun + 1] = item
        if item == 3 then error "no" end
        return vote(item)
      end, { stop_on_error = true })
      counts({ ok = 2, failed = 1 }, report)
      assert.same({ 1, 2, 3 }, begun)
      assert.same({ 1, 2 }, votes.sorted(arrived()))
    end)

    it("does not start the item that the source returns afterwards", function()
      local given = 0
      local report = client:each(function()
        given = given + 1
        if given == 2 then client:sleep(0.03) end
        return given
      end, function(item)
        assert.equal(1, item)
        client:sleep(0.01)
        error "no"
      end, { stop_on_error = true })
      counts({ failed = 1 }, report)
      assert.equal(2, given)
    end)

    it("continues after an item that returns false without an error", function()
      counts({ ok = 3 }, client:each(votes.items(3), function() return false end,
        { stop_on_error = true }))
    end)
  end)

  describe("refuses", function()
    for name, values in pairs {
      concurrency = { 0, -1, 1.5, "8", true, math.huge, 0 / 0 }, progress = { 1, "yes", {} },
      journal = { "", 1, true }, key = { "id", true }, work = { "", 5 },
      redo_unknown = { 1, "yes" }, stop_on_error = { 0 }, collect = { "all" },
    } do
      it("a wrong " .. name, function()
        for _, value in ipairs(values) do
          local report, problem = client:each({ 1 }, error, { [name] = value })
          assert.is_nil(report)
          assert.equal("validation", problem.kind)
          assert.matches("^each: options%." .. name .. ": must be [^;]*$", problem.message)
        end
      end)
    end

    -- { what, list, message }
    for _, row in ipairs {
      { "a list with a hole", { 1, nil, 3 }, "without holes: keys 1 to n" },
      { "a list that begins with a hole", { nil, 2 }, "without holes: keys 1 to n" },
      { "a sparse list", { [1] = 1, [1000] = 2 }, "without holes: keys 1 to n" },
      { "keys that are not whole", { 1, [1.5] = 2 }, "without holes: keys 1 to n" },
      { "keys below 1", { [0] = 0, 1 }, "without holes: keys 1 to n" },
      { "keys of other types", { [1] = 1, [3] = 3, [true] = 1 }, "without holes: keys 1 to n" },
      { "a map", { a = 1, b = 2 }, "got a table with string keys" },
      { "a map in a list", { 1, 2, name = "x" }, "got a table with string keys" },
      { "a packed list with a hole", table.pack(1, nil, 3), "without holes: keys 1 to n" },
      { "a packed list that ends with a hole", table.pack(1, nil), "without holes: keys 1 to n" },
    } do
      it(row[1] .. ", and does nothing", function()
        for _, options in ipairs { {}, { journal = os.tmpname() } } do
          local report, problem = client:each(row[2], error, options)
          assert.is_nil(report)
          assert.same({ "validation", "no" }, { problem.kind, problem.applied })
          assert.equal("each: source: must be a list" .. (row[3]:find "got" and ", " or " ")
            .. row[3], problem.message)
          if options.journal then os.remove(options.journal) end
        end
      end)
    end

    it("but accepts a list that table.pack made", function()
      counts({ ok = 2 }, client:each(table.pack(1, 2), function() end))
    end)

    it("pairs and ipairs as the source, at the caller's line", function()
      for _, iterator in ipairs { pairs, ipairs } do
        assert.matches("^spec/tasks/each_spec.lua:%d+: each: give the list itself",
          raised_by(function() local _ = client:each(iterator { 1 }, print) end))
      end
    end)

    it("a list that gets a hole meanwhile, once the started items have ended", function()
      local list, seen = { 1, 2, 3, 4, 5 }, {}
      local problem = raised_by(client.each, client, list, function(item)
        seen[#seen + 1] = item
        if item == 2 then list[3] = nil end
      end, { concurrency = 1 })
      assert.same({ "validation", 1, 2 }, { problem.kind, table.unpack(seen) })
      assert.matches("source: must be a list without holes", problem.message)
    end)

    it("a list that computes its items only if it has a hole", function()
      local function list(size, hole)
        return setmetatable({ name = "computed" }, { __len = function() return size end,
          __index = function(_, i) return i <= size and i ~= hole and i or nil end })
      end
      counts({ ok = 3 }, client:each(list(3), function() end))
      assert.equal("validation", raised_by(client.each, client, list(3, 2), function() end).kind)
    end)

    it("all wrong options at once, and suggests the right names", function()
      local _, problem = client:each({ 1 }, error,
        { concurency = 8, journal = false, [7] = 7, stop_on_errors = true })
      assert.matches("^each: options.journal: must be the path of a file, got boolean; ",
        problem.message)
      for _, text in ipairs {
        '; options.concurency: unknown option, did you mean "concurrency"?',
        '; options.stop_on_errors: unknown option, did you mean "stop_on_error"?',
        "; options.(not a name): unknown option",
      } do
        assert.is_truthy(problem.message:find(text, 1, true), problem.message)
      end
    end)

    for what, row in pairs {
      ["no source"] = { "a list or an iterator", nil, print },
      ["a text as the source"] = { "a list or an iterator", "x", print },
      ["no function"] = { "a function to call", {} },
      ["a table as the function"] = { "a function to call", {}, {} },
      ["options that are no table"] = { "a table of options", {}, print, 8 },
    } do
      it(what .. ", and raises", function()
        local message = raised_by(function() client:each(table.unpack(row, 2, 4)) end)
        assert.matches("each_spec.lua:%d+: each: expected " .. row[1], message)
      end)
    end

    it("a dot instead of the colon, and raises", function()
      assert.matches("each_spec.lua:%d+: each: call it with a colon: client:each",
        raised_by(function() client.each({ 1 }, print) end))
      assert.matches("each_spec.lua:%d+: call it with a colon: cekura:each",
        raised_by(function() cekura.each({ 1 }, print) end))
    end)

    it("a closed client", function()
      local closed = assert(cekura.new { api_url = server.url, api_key = "k" })
      closed:close()
      local report, problem = closed:each({ 1 }, error)
      assert.is_nil(report)
      assert.equal("config", problem.kind)
      assert.matches("closed", problem.message)
      counts({}, problem.report)
    end)
  end)

  it("works with the default client", function()
    local output, code = script.run([[
      local cekura = require "cekura"
      local votes = require "support.votes"
      local report = assert(cekura:each(votes.items(5), function(item)
        return cekura.runs:mark_metric_vote(votes.arguments(item))
      end))
      print(report.ok)
      print(cekura:each({}, print, { concurrency = 0 }))
    ]], { CEKURA_API_URL = server.url, CEKURA_API_KEY = server.api_key })
    assert.matches("^5\nnil\tcekura: each: options.concurrency: must be [^\n]*\n$", output)
    assert.equal(0, code)
    assert.same(votes.items(5), votes.sorted(arrived()))
    output = script.run([[print(require "cekura":each({}, print))]], { CEKURA_API_KEY = false })
    assert.matches("^nil\tcekura: api_key: is required", output)
  end)

  describe("within an item of each", function()
    it("runs its own items", function()
      local seen = {}
      counts({ ok = 4 }, client:each(votes.items(4), function(outer)
        counts({ ok = 4 }, client:each(votes.items(4), function(inner)
          local item = outer * 10 + inner
          seen[#seen + 1] = item
          return vote(item)
        end, { concurrency = 3 }))
      end, { concurrency = 2 }))
      assert.equal(16, #seen)
      assert.same(votes.sorted(seen), votes.sorted(arrived()))
    end)

    it("runs concurrently with the outer items", function()
      server:faults { { times = math.huge, delay = clock.SHORT } }
      local running, most = 0, 0
      counts({ ok = 2 }, client:each(votes.items(2), function()
        counts({ ok = 2 }, client:each(votes.items(2), function(inner)
          running = running + 1
          most = math.max(most, running)
          assert(vote(inner))
          running = running - 1
        end))
      end))
      assert.equal(4, most)
    end)

    it("does not make the item unknown whose tasks have only read, and have ended", function()
      local report = client:each({ 1 }, function()
        local task, go_on
        client:each({ 1, 2 }, function(item)
          task = task or client:spawn(function()
            while not go_on do client:sleep(0.001) end
            return client.billing:info {}
          end)
          return item
        end, { concurrency = 1 })
        go_on = true
        assert(task:wait())
        return nil, "the item's own"
      end)
      counts({ failed = 1 }, report)
    end)

    it("nests three deep, and passes an error up", function()
      local report = client:each({ 1, 2 }, function(one)
        return client:each({ 1, 2 }, function(two)
          local inner = client:each({ 1, 2 }, function(three)
            assert(three ~= 2 or two ~= 2 or one ~= 2, "the last")
            return vote(one * 100 + two * 10 + three)
          end)
          return inner.failed == 0, inner.errors[1] and inner.errors[1].error
        end, { collect = true })
      end, { collect = true })
      counts({ ok = 2 }, report)
      counts({ ok = 2 }, report.results[1])
      counts({ ok = 1, unknown = 1 }, report.results[2])  -- because one of its votes has arrived
      assert.matches("the last$", report.results[2].errors[1].error)
      assert.same({ 111, 112, 121, 122, 211, 212, 221 }, votes.sorted(arrived()))
    end)

    it("works in a coroutine of the caller's", function()
      local function in_coroutine(item)
        return coroutine.wrap(function()
          return client:each({ 1, 2 }, function(inner) return vote(item * 10 + inner) end)
        end)()
      end
      counts({ ok = 2 }, in_coroutine(7))
      local report = client:each({ 1, 2, 3 }, in_coroutine, { collect = true })
      counts({ ok = 3 }, report)
      for _, inner in ipairs(report.results) do counts({ ok = 2 }, inner) end
      assert.same({ 11, 12, 21, 22, 31, 32, 71, 72 }, votes.sorted(arrived()))
    end)

    describe("in coroutines of sixty items", function()
      -- Fails unless each item is counted once. Returns how many of them are ok.
      local function count_all(fn, options)
        options.concurrency = 60
        local report, problem = client:each(votes.items(60), fn, options)
        assert.is_nil(problem)
        assert.equal(60, report.ok + report.failed + report.unknown)
        for _, e in ipairs(report.errors) do
          assert.matches("wait within each other", tostring(e.error))
        end
        assert.equal(2 * report.ok, #server:requests())
        is_sound()
        return report.ok
      end

      local function in_coroutine(item)
        return coroutine.wrap(function()
          return client:each({ 1, 2 }, function(inner) return vote(item * 10 + inner) end)
        end)()
      end

      it("finishes all of them", function()
        assert.equal(60, count_all(in_coroutine, {}))
      end)

      it("finishes all of them with a journal", function()
        local path = os.tmpname()
        assert.equal(60, count_all(in_coroutine, { journal = path }))
        os.remove(path)
      end)

      it("fails if it nests too deep, and reports the others", function()
        assert.is_true(count_all(function(item)
          client:sleep(0.02)  -- all items have started
          return in_coroutine(item)
        end, {}) > 0)
      end)

      it("finishes items that wait for tasks", function()
        counts({ ok = 60 }, client:each(votes.items(60), function(item)
          return coroutine.wrap(function() return client:spawn(vote, item):wait() end)()
        end, { concurrency = 60 }))
      end)
    end)

    it("returns its report at any depth", function()
      local deepest = 0
      local function nest(depth)
        deepest = math.max(deepest, depth)
        return coroutine.wrap(function()
          return client:each({ 1 }, function() return nest(depth + 1) end)
        end)()
      end
      local report = nest(1)
      assert.equal(1, report.ok + report.failed + report.unknown)
      assert.is_true(deepest > 20)
      is_sound()
    end)

    it("in tasks that each start the next one, takes no more memory each time", function()
      local first, last
      local function start(number)
        if number == 1000 or number == 3000 then
          collectgarbage()
          collectgarbage()  -- the first one may have been in the middle of a cycle
          first, last = first or collectgarbage "count", collectgarbage "count"
        end
        client:each({ 1 }, function() return number == 3000 or client:spawn(start, number + 1) end)
      end
      client:spawn(start, 1)
      while client:step(0) do end
      assert.is_true(last - first < 64, last - first .. " kB")
    end)

    it("works in a task", function()
      local task = client:spawn(client.each, client, votes.items(3), vote)
      counts({ ok = 3 }, task:wait())
    end)
  end)

  it("reads a source that makes calls while other items continue", function()
    clock.patiently(function()
      server:clear()
      server:faults {
        { path = "/runs/5540/", times = math.huge, delay = clock.SHORT },
        { times = math.huge, delay = clock.SHORT / 3 },
      }
      local given, reading, ended_meanwhile = 0, false, 0
      local function source()
        assert(not reading, "entered twice")
        reading = true
        assert(client.runs:mark_metric_vote {
          run_id = 5540, metric_id = 55, thumbs_up = true, expected_value = 2 })
        given, reading = given + 1, false
        return given <= 3 and given or nil
      end
      local report = client:each(source, function(item)
        local value, problem = vote(item)
        if reading then ended_meanwhile = ended_meanwhile + 1 end
        return value, problem
      end)
      counts({ ok = 3 }, report)
      assert.equal(4, given)
      assert.equal(3, ended_meanwhile)
      assert.same({ 0, 0, 0, 0, 1, 2, 3 }, votes.sorted(arrived()))
    end)
  end)

  describe("raises, once the items in flight have ended, an error", function()
    local function raises(expected, source, fn, options)
      server:faults { { times = math.huge, delay = 0.02 } }
      local begun, ended = 0, 0
      local raised = raised_by(client.each, client, source, function(item)
        begun = begun + 1
        assert((fn or vote)(item))
        ended = ended + 1
      end, options)
      assert.equal(expected, raised)
      assert.equal(begun, ended)
      is_sound()
    end

    it("of the source", function()
      for _, thing in ipairs { "text", {}, false } do
        local given = 0
        raises(thing, function()
          given = given + 1
          if given == 4 then error(thing, 0) end
          return given
        end)
        assert.equal(4, given)
        assert.same({ 0, 1, 2, 3 }, votes.sorted(arrived()))
        server:clear()
      end
    end)

    it("nil that the source raises", function()
      raises(_VERSION ~= "Lua 5.4" and "<no error object>" or nil, function() error() end)
    end)

    it("of a list that computes its items", function()
      raises("computed", setmetatable({ 1, 2 }, { __index = function() error("computed", 0) end }))
    end)

    it("of progress", function()
      for nth = 1, 3 do
        local calls, problem = 0, {}
        raises(problem, votes.items(20), vote, { concurrency = 1, progress = function()
          calls = calls + 1
          if calls == nth then error(problem) end
        end })
        assert.equal(nth, calls)
      end
    end)

    it("of progress at the end", function()
      local problem = {}
      assert.equal(problem, raised_by(client.each, client, {}, vote, { progress = function(numbers)
        if numbers.done == 0 then error(problem) end
      end }))
      is_sound()
    end)

    it("of the first function that raises", function()
      raises("source", function() error("source", 0) end, vote, { progress = function(numbers)
        if numbers.elapsed > 0 then error "progress" end
      end })
      local given = 0
      raises("source", function()
        given = given + 1
        return given < 2 and given or error("source", 0)
      end, function(item)
        client:sleep(0.15)  -- longer than progress waits
        return vote(item)
      end, { progress = function() if given == 2 then error "progress" end end })
    end)

    it("of a source, in a coroutine and in an item", function()
      local report = client:each({ 1, 2 }, function(item)
        return client:each(function() error("no " .. item, 0) end, vote)
      end)
      counts({ failed = 2 }, report)
      assert.same({ "no 1", "no 2" }, { report.errors[1].error, report.errors[2].error })
      local ok, raised = coroutine.resume(coroutine.create(function()
        client:each(function() error("no", 0) end, vote)
      end))
      assert.same({ false, "no" }, { ok, raised })
    end)
  end)

  describe("reads the source", function()
    it("only when a worker is free", function()
      for _, concurrency in ipairs { 1, 2, 7 } do
        local given, ended = 0, 0
        local report = client:each(function()
          given = given + 1
          assert(given - ended <= concurrency + 1)
          return given <= 60 and given or nil
        end, function(item)
          if item % 3 > 0 then client:sleep(item % 5 / 1000) end
          if item % 10 == 0 then assert(vote(item)) end
          ended = ended + 1
          assert(given - ended <= concurrency + 1)
        end, { concurrency = concurrency })
        counts({ ok = 60 }, report)
      end
    end)

    it("so that 100,000 items take the memory of 1,000", function()
      local limit = (os.getenv "CEKURA_RUN" or "") == "" and 2048 or math.huge  -- kB
      local quiet <close> = sandbox.start { record = 0 }
      local function peaks(count)
        local output, code = script.run((votes.START .. [[
          local most, left = 0, %d
          local report = client:each(function()
            left = left - 1
            return left >= 0 and left or nil
          end, function(item)
            if item %% 100 == 0 then most = math.max(most, collectgarbage "count") end
            return item %% 50 > 0 or vote(item)
          end, { concurrency = 16 })
          local status = io.open "/proc/self/status":read "a"
          print(report.ok, math.ceil(most), status:match "VmHWM:%%s*(%%d+)")]])
          :format(quiet.url, quiet.api_key, count))
        assert.equal(0, code, output)
        local ok, lua, process = output:match "^(%d+)\t(%d+)\t(%d+)\n$"
        assert.equal(count, math.tointeger(ok))
        return math.tointeger(lua), math.tointeger(process)
      end
      local lua, process = peaks(1000)
      local more_lua, more_process = peaks(100000)
      assert.is_true(more_lua - lua < 2048, more_lua .. " kB")
      assert.is_true(more_process - process < limit, more_process .. " kB")
    end)
  end)

  describe("calls a progress function", function()
    it("with numbers that add up, and with the last ones at the end", function()
      local seen = {}
      local report = client:each(votes.items(12), function(item)
        client:sleep(0.02)
        if item % 4 == 0 then return nil, "no" end
      end, { concurrency = 2, progress = function(numbers)
        assert.equal(12, numbers.total)
        assert.equal(numbers.done,
          numbers.ok + numbers.failed + numbers.skipped + numbers.unknown)
        assert.is_true(numbers.running <= 2 and numbers.done + numbers.running <= 12)
        assert.is_true(numbers.elapsed >= 0 and numbers.rate >= 0)
        assert.is_true(not numbers.left or numbers.left >= 0)
        seen[#seen + 1] = numbers
      end })
      counts({ ok = 9, failed = 3 }, report)
      assert.equal(0, seen[1].done)
      for i = 2, #seen do assert.is_true(seen[i - 1].done <= seen[i].done) end
      local last = seen[#seen]
      assert.same({ 12, 9, 3, 0 }, { last.done, last.ok, last.failed, last.running })
      assert.equal(0, last.left)
      assert.is_true(#seen >= 2)
    end)

    it("with 0 left if the list has become longer", function()
      local list, last = { 1, 2 }, nil
      counts({ ok = 6 }, client:each(list, function(item)
        if item <= 4 then list[item + 2] = item + 2 end
        client:sleep(0.01)
      end, { concurrency = 1, progress = function(numbers) last = numbers end }))
      assert.same({ 6, 2, 0 }, { last.done, last.total, last.left })
    end)

    it("without a total of an iterator", function()
      local left, calls = 3, 0
      client:each(function()
        left = left - 1
        return left > 0 or nil
      end, function() end, { progress = function(numbers)
        calls = calls + 1
        assert.is_nil(numbers.total)
        assert.is_nil(numbers.left)
      end })
      assert.is_true(calls > 0)
    end)

    it("that makes calls itself", function()
      local calls = 0
      counts({ ok = 10 }, client:each(votes.items(10), vote, { concurrency = 2,
        progress = function()
          calls = calls + 1
          assert(vote(100))
        end }))
      assert.equal(10 + calls, #server:requests())
    end)
  end)
end)

describe("each, with a server that does not respond,", function()
  local server, client

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:clear()
    server:script(retries.times(20, { { "hang" } }))
    client = retries.client(server)
  end)

  after_each(function() client:close() end)

  local function vote(item) return votes.cast(client, item) end

  -- Fails if a call is in flight, that is, if the server has an open connection.
  local function is_quiet()
    server:ledger()
    assert.equal(0, server:open())
  end

  -- Waits, in a task, for the requests of three items.
  local function await_requests()
    while server:deliveries() < 3 do client:sleep(0.01) end
  end

  for what, close in pairs {
    ["in an item"] = function(close)
      return votes.items(9), function(item)
        if item < 4 then return vote(item) end
        await_requests()
        close()
        return true
      end
    end,
    ["in the source"] = function(close)
      local given = 0
      return function()
        given = given + 1
        if given == 4 then
          await_requests()
          close()
        end
        return given
      end, vote
    end,
  } do
    it("ends if the client is closed " .. what, function()
      local source, fn = close(function() client:close() end)
      local report, problem = client:each(source, fn, { concurrency = 4 })
      assert.is_nil(report)
      assert.equal("config", problem.kind)
      assert.matches("the client is closed", problem.message)
      report = problem.report
      assert.equal(3, #report.errors)
      for i = 1, 3 do
        assert.same({ i, "cancelled" }, { report.errors[i].index, report.errors[i].error.kind })
      end
      is_quiet()
    end)
  end

  it("returns a complete report if the client is closed after the last item was started", function()
    local given = 0
    local report = client:each(function()
      given = given + 1
      if given < 4 then return given end
      await_requests()
      client:close()
    end, vote)
    counts({ unknown = 3 }, report)
    is_quiet()
    client = retries.client(server)
    counts({ ok = 1 }, client:each({ 1 }, function()
      client:close()
      return true
    end))
  end)

  it("returns an error if the client is closed before the last item was started", function()
    local report, problem = client:each({ 1, 2, 3 }, function() client:close() end,
      { concurrency = 2 })
    assert.is_nil(report)
    assert.equal("config", problem.kind)
  end)

  it("ends if the task that it runs in is cancelled", function()
    local item_ends = {}
    local task = client:spawn(client.each, client, votes.items(9), function(item)
      local _ <close> = setmetatable({}, { __close = function()
        item_ends[#item_ends + 1] = item
      end })
      return client:each({ item }, vote)
    end, { concurrency = 3 })
    while server:deliveries() < 3 do client:step(0.05) end
    assert.is_true(task:cancel())
    assert.is_false(client:step())
    assert.same({ 1, 2, 3 }, votes.sorted(item_ends))
    assert.equal(3, server:deliveries())
    is_quiet()
    server:clear()
    counts({ ok = 3 }, client:each(votes.items(3), vote))
  end)

  it("ends if an item or the source cancels that task", function()
    local task
    local cancel = function() assert(task:cancel()) end
    local calls = 0
    task = client:spawn(client.each, client, votes.items(9), function(item)
      calls = calls + 1
      if item == 3 then cancel() else return vote(item) end
    end)
    while client:step(0.01) do end
    assert.is_nil((task:wait()))
    assert.equal(3, calls)
    is_quiet()
    task = client:spawn(client.each, client, function()
      cancel()
      return 1
    end, error)
    while client:step(0.01) do end
    assert.is_nil((task:wait()))
  end)

  it("returns an error if the coroutine of an item is closed", function()
    local report, problem = client:each({ 1, 2, 3 }, function(item)
      local co = coroutine.running()
      if item == 1 then client:spawn(function() coroutine.close(co) end) end
      client:sleep(0.01)
    end, { concurrency = 1 })
    assert.is_nil(report)
    assert.equal("cancelled", problem.kind)
    assert.matches("ended before all was done", problem.message)
    counts({ unknown = 1 }, problem.report)
  end)

  it("ends if an error closes the coroutine in which its task called it", function()
    local task = client:spawn(function()
      return client:each({ 1 }, function()
        return client:each(function()
          error("out", 0)
        end, vote)
      end)
    end)
    local report = task:wait()
    counts({ failed = 1 }, report)
    assert.equal("out", report.errors[1].error)
    assert.is_false(client:step())
    assert.equal(0, server:deliveries())
  end)
end)

describe("each, after a 429 with a Retry-After longer than a call,", function()
  it("delays an item that the source returns afterwards", function()
    clock.patiently(function()
      local server <close> = faults.start()
      local deadline = clock.SHORT * 2
      local client <close> = retries.client(server, { deadline = deadline })
      server:script { faults.status(429, { ["Retry-After"] = math.ceil(deadline + 0.5) }) }
      local given, failed = 0, false
      local report = client:each(function()
        given = given + 1
        while given == 2 and not failed do client:sleep(0.01) end
        return given <= 2 and given or nil
      end, function(item)
        local value, problem = votes.cast(client, item)
        failed = not value
        return value, problem
      end)
      counts({ ok = 1, failed = 1 }, report)
      assert.equal(2, server:deliveries())
    end)
  end)

  -- { what, deadline of a call: longer or shorter than the pause }
  for what, deadline in pairs { ["calls wait for"] = clock.LIMIT, ["items wait for"] = 1 } do
    it("passes to progress the pause that " .. what, function()
      clock.patiently(function()
        local server <close> = faults.start()
        local client <close> = retries.client(server, { deadline = deadline })
        server:script { faults.status(429, { ["Retry-After"] = "2" }) }
        local pauses, last = {}, nil
        client:each(votes.items(3), function(item) return votes.cast(client, item) end,
          { concurrency = 1, progress = function(numbers)
            if numbers.pause then pauses[#pauses + 1] = numbers.pause end
            last = numbers
          end })
        assert.is_true(#pauses > 2)
        assert.is_true(pauses[1] <= 2 and pauses[1] > 1)
        assert.is_true(pauses[#pauses] < pauses[1] and pauses[#pauses] > 0)
        assert.is_nil(last.pause)
      end)
    end)
  end

  it("shows the pause and its length", function()
    local server <close> = faults.start()
    server:script { faults.status(429, { ["Retry-After"] = "6" }) }
    local ran = terminal.run("pipe", ([[
      local client = assert(require "cekura".new { api_url = %q, api_key = "the-key" })
      local votes = require "support.votes"
      local report = client:each(votes.items(3), function(item) return votes.cast(client, item) end,
        { concurrency = 1, progress = true })
      print(report.ok)]]):format(server.url))
    assert.equal("3\n", ran.stdout)
    assert.matches("^0 of 3 done, rate limited, 0:0%d left\n", ran.stderr)
    assert.matches("3 of 3 done, [^\n]*took 0:0%d\n$", ran.stderr)
  end)

  it("fails the items in flight, and delays the others", function()
    clock.patiently(function()
      local server <close> = faults.start()
      local deadline = clock.SHORT * 2
      local pause = math.ceil(deadline + 0.5)
      local client <close> = retries.client(server, { deadline = deadline })
      server:script(retries.times(2, faults.status(429, { ["Retry-After"] = pause })))
      local report = client:each(votes.items(6), function(item) return votes.cast(client, item) end,
        { concurrency = 2 })
      counts({ ok = 4, failed = 2 }, report)
      for i = 1, 2 do
        local problem = report.errors[i].error
        assert.same({ i, "rate_limited" }, { report.errors[i].index, problem.kind })
        assert.is_true(problem.retry_after > deadline and problem.retry_after <= pause)
      end
      local ledger = server:ledger()
      assert.same({ 1, 2, 3, 4, 5, 6 }, votes.sorted(votes.arrived(ledger)))
      assert.is_true(ledger[3].at - ledger[1].at > pause - 0.05)
    end)
  end)
end)
