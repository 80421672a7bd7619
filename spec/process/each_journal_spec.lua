-- client:each with a journal: a run does not repeat what an earlier run did.
local cekura = require "cekura"
local child = require "support.child"
local clock = require "support.clock"
local faults = require "support.faults"
local internal = require "cekura.internal"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"
local script = require "support.script"
local votes = require "support.votes"

local SEED = math.tointeger(os.getenv "SEED") or os.time()
local AT = "2026-11-21T04:20:11Z "
local LINE = "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ ([^\n]*)\n"

-- Fails unless the report has these counts, and 0 for the others.
local function counts(expected, report)
  for _, name in ipairs { "ok", "failed", "skipped", "unknown" } do
    assert.equal(expected[name] or 0, report[name], name)
  end
  assert.equal(report.failed + report.unknown, #report.errors)
end

describe("each with a journal", function()
  local server, client, path, header

  setup(function() server = sandbox.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:faults()
    server:clear()
    client = assert(cekura.new { api_url = server.url, api_key = server.api_key })
    path = scratch.path()
    header = ("cekura journal 1 api=%s work=w\n"):format(server.url)
  end)

  after_each(function()
    assert.is_false(client:step())
    client:close()
    os.remove(path)
  end)

  local function vote(item) return votes.cast(client, item) end
  local function arrived() return votes.arrived(server:requests()) end

  local function each(items, fn, options)
    local all = { journal = path, work = "w" }
    for name, value in pairs(options or {}) do all[name] = value end
    return client:each(items, fn, all)
  end

  -- Returns the events in the file, without their times.
  local function events()
    local list = {}
    for line in scratch.read(path):gmatch(LINE) do list[#list + 1] = line end
    return list
  end

  -- Writes a journal with these events.
  local function write(lines)
    for i, line in ipairs(lines) do lines[i] = AT .. line .. "\n" end
    scratch.write(path, header .. table.concat(lines))
  end

  -- Votes for an item; 2 is an invalid call, and 3 raises after its vote.
  local function mixed(item)
    if item == 2 then return client.runs:mark_metric_vote {} end
    if item == 3 then
      assert(vote(item))
      error "after the vote"
    end
    return vote(item)
  end

  it("records the start and the end of each item", function()
    counts({ ok = 1, failed = 1, unknown = 1 }, each({ 1, 2, 3 }, mixed, { concurrency = 1 }))
    assert.equal(header, scratch.read(path):match "^[^\n]*\n")
    local lines = events()
    assert.same({ "started 1", "done 1", "started 2" }, { lines[1], lines[2], lines[3] })
    assert.matches("^failed 2 runs%.mark_metric_vote: run_id: is required; ", lines[4])
    assert.equal("started 3", lines[5])
    assert.matches("^unknown 3 .*: after the vote$", lines[6])
    assert.equal(6, #lines)
  end)

  it("records an error that tostring cannot show", function()
    local hostile = setmetatable({}, {
      __tostring = function() error "never" end, __index = function() error "never" end,
    })
    local report = each({ 1, 2 }, function() error(hostile) end, { concurrency = 1 })
    counts({ failed = 2 }, report)
    assert.equal(hostile, report.errors[2].error)
    assert.same({ "started 1", "failed 1 (table)", "started 2", "failed 2 (table)" }, events())
  end)

  describe("in the next run", function()
    before_each(function()
      counts({ ok = 8, failed = 1, unknown = 1 }, each(votes.items(10), mixed))
      server:clear()
    end)

    it("skips finished items, repeats failed ones, and reports unknown ones", function()
      local report = each(votes.items(10), vote)
      counts({ ok = 1, skipped = 8, unknown = 1 }, report)
      assert.same({ 2 }, arrived())
      local one = report.errors[1]
      assert.same({ 3, 3, "3" }, { one.index, one.item, one.key })
      assert.same({ "cancelled", "unknown" }, { one.error.kind, one.error.applied })
      assert.matches("redo_unknown = true", one.error.message)
      counts({ skipped = 9, unknown = 1 }, each(votes.items(10), vote))
    end)

    it("repeats unknown items with redo_unknown", function()
      counts({ ok = 2, skipped = 8 }, each(votes.items(10), vote, { redo_unknown = true }))
      assert.same({ 2, 3 }, votes.sorted(arrived()))
      counts({ skipped = 10 }, each(votes.items(10), vote, { redo_unknown = true }))
    end)

    it("leaves an item unknown that is refused when it is repeated", function()
      server:faults { { status = 400, body = { detail = "no" }, times = math.huge } }
      counts({ failed = 2, skipped = 8 }, each(votes.items(10), vote, { redo_unknown = true }))
      server:faults()
      counts({ ok = 1, skipped = 8, unknown = 1 }, each(votes.items(10), vote))
    end)

    it("does the items that were added", function()
      counts({ ok = 6, skipped = 8, unknown = 1 }, each(votes.items(15), vote))
      assert.same({ 2, 11, 12, 13, 14, 15 }, votes.sorted(arrived()))
    end)

    it("is not stopped by an item that an earlier run left unknown", function()
      counts({ ok = 1, skipped = 8, unknown = 1 },
        each(votes.items(10), vote, { stop_on_error = true }))
    end)

    it("passes the skipped items to progress", function()
      local last
      each(votes.items(10), vote, { progress = function(numbers) last = numbers end })
      assert.same({ 10, 10, 1, 8, 1 },
        { last.done, last.total, last.ok, last.skipped, last.unknown })
    end)
  end)

  it("reports an item that was started but not finished as unknown", function()
    write { "started 1", "started 2", "done 2", "done 3", "started 3", "started 4", "failed 4" }
    counts({ ok = 2, skipped = 1, unknown = 2 }, each(votes.items(5), vote))
    assert.same({ 4, 5 }, votes.sorted(arrived()))
    counts({ ok = 2, skipped = 3 }, each(votes.items(5), vote, { redo_unknown = true }))
  end)

  it("continues after a torn line", function()
    write { "started 1", "done 1", "started 2" }
    scratch.write(path, scratch.read(path) .. AT .. "done 2")
    counts({ ok = 1, skipped = 1, unknown = 1 }, each(votes.items(3), vote))
    assert.same({ 3 }, arrived())
  end)

  describe("identifies an item by", function()
    local function key(row) return row.key end

    it("its key", function()
      local rows = { { key = "a b" }, { key = 7 }, { key = 7.5 }, { key = "é\n" } }
      local function nothing() end
      counts({ ok = 4 }, each(rows, nothing, { key = key }))
      counts({ skipped = 4 }, each(rows, error, { key = key }))
      counts({ skipped = 2 }, each({ { key = "7" }, { key = 7.0 / 1 * 1.0 + 0.5 } }, error,
        { key = key }))
    end)

    it("itself, if it is a string or a number", function()
      counts({ ok = 3 }, each({ "a", 5, 2.0 }, function() end))
      counts({ skipped = 3 }, each({ "a", 5.0, 2 }, error))
    end)

    it("a key, and fails a second item with the same key", function()
      for run = 1, 2 do
        local report = each({ "a", "b", "a", "a" }, function() end, { concurrency = 1 })
        counts({ [run == 1 and "ok" or "skipped"] = 2, failed = 2 }, report)
        assert.same({ 3, "a", "validation" },
          { report.errors[1].index, report.errors[1].key, report.errors[1].error.kind })
        assert.matches('its key "a" is that of item 1, too', report.errors[2].error.message)
      end
    end)

    it("a key, and stops at a second item with the same key with stop_on_error", function()
      counts({ ok = 2, failed = 1 }, each({ 1, 2, 1, 3 }, vote,
        { stop_on_error = true, concurrency = 2 }))
      assert.same({ 1, 2 }, votes.sorted(arrived()))
    end)

    for what, row in pairs {
      ["a table, and nothing says what names it"] = { {}, nil,
        "item 3 is a table: give the option `key`$" },
      ["an empty text"] = { "", nil, "item 3 is an empty string: give the option `key`$" },
      ["one for which `key` has nothing"] = { {}, function(item)
        return type(item) == "number" and item or nil
      end, "that of item 3 is nil$" },
      ["one for which `key` has a table"] = { {}, function(item) return item end,
        "that of item 3 is a table$" },
      ["one for which `key` has no number"] = { {}, function(item)
        return type(item) == "number" and item or 0 / 0
      end, "that of item 3 is NaN$" },
    } do
      it("a key, and stops at " .. what, function()
        local report, problem = each({ 1, 2, row[1], 4 }, vote, { key = row[2], concurrency = 1 })
        assert.is_nil(report)
        assert.equal("config", problem.kind)
        assert.matches("^each: a journal needs a key for each item", problem.message)
        assert.matches(row[3], problem.message)
        counts({ ok = 2 }, problem.report)
        assert.same({ 1, 2 }, votes.sorted(arrived()))
        counts({ ok = 1, skipped = 2 }, each({ 1, 2, 4 }, vote))
      end)
    end

    it("the result of `key`, whose error it raises", function()
      local ok, raised = pcall(each, votes.items(5), vote, { concurrency = 1, key = function(item)
        if item == 3 then error("no key", 0) end
        return item
      end })
      assert.same({ false, "no key" }, { ok, raised })
      assert.same({ "done 1", "done 2" }, table.move(votes.sorted(events()), 1, 2, 1, {}))
      counts({ ok = 3, skipped = 2 }, each(votes.items(5), vote))
    end)
  end)

  describe("starts no item with a journal", function()
    -- Fails unless each returns an error, sends nothing, and leaves the file unchanged.
    local function refuses(pattern, options)
      local before = scratch.read(path)
      local report, problem = each(votes.items(3), error, options)
      assert.is_nil(report)
      assert.equal("config", problem.kind)
      assert.matches("^each: " .. path:gsub("%p", "%%%0") .. ": " .. pattern, problem.message)
      counts({}, problem.report)
      assert.equal(before, scratch.read(path))
      assert.equal(0, #server:requests())
    end

    it("of other work", function()
      write { "done 1" }
      refuses("a journal of other work", { work = "other" })
    end)

    it("of another API", function()
      scratch.write(path, "cekura journal 1 api=https://api.cekura.ai work=w\n")
      refuses "a journal of other work"
    end)

    it("that is damaged", function()
      write { "done 1", "what", "done 2" }
      refuses "line 3 is damaged"
    end)

    it("that is another kind of file", function()
      scratch.write(path, "run_id,metric_id\n")
      refuses "not a journal"
    end)

    it("that another process uses", function()
      local holder = child.start_checked { child.lua, "-e", ([[
        io.stdout:setvbuf "line"
        local it = assert(require "cekura.each.journal".open(%q, { api = %q, work = "w" }))
        print "open"
        io.read()
        require "system".sleep(600)]]):format(path, server.url) }
      local said = holder:line()
      local ok, problem = pcall(refuses, "another run is using this file")
      holder:signal "KILL"
      holder:finish()
      assert.equal("open", said)
      assert.is_true(ok, problem)
      counts({ ok = 3 }, each(votes.items(3), vote))
    end)

    it("that the each around it uses", function()
      local report = each({ 1 }, function() return each({ 2 }, error) end)
      counts({ failed = 1 }, report)
      assert.matches("another run is using this file", report.errors[1].error.message)
      counts({ ok = 1 }, each({ 1 }, vote))
    end)
  end)

  describe("does not record a dry run as finished:", function()
    local function plan(item) return votes.cast(client, item, { dry_run = true }) end

    -- Fails unless items with this function count as ok, and the next run does them.
    local function does_again(fn)
      counts({ ok = 2 }, each({ 1, 2 }, fn))
      assert.equal(0, #arrived())
      assert.matches("failed 1 a dry run: nothing was sent", table.concat(events(), "\n"))
      counts({ ok = 2 }, each({ 1, 2 }, vote))
      assert.same({ 1, 2 }, votes.sorted(arrived()))
      counts({ skipped = 2 }, each({ 1, 2 }, error))
    end

    for what, fn in pairs {
      ["a vote"] = function(item) return plan(item) end,
      ["without a result"] = function(item) plan(item) end,
      ["a call that reads"] = function()
        return client.runs:get({ run_id = 5544 }, { dry_run = true })
      end,
      ["a request of the caller's"] = function()
        return client:request({ method = "POST", path = "/x/", body = {} }, { dry_run = true })
      end,
      ["in a task that the item begins"] = function(item)
        return client:spawn(plan, item):wait()
      end,
      ["in an each of the item"] = function(item)
        return client:each({ item }, plan).ok == 1
      end,
      ["of another client"] = function(item)
        local other <close> = assert(cekura.new { api_url = server.url, api_key = "k" })
        return votes.cast(other, item, { dry_run = true })
      end,
    } do
      it(what, function() does_again(fn) end)
    end

    it("after a call that reads", function()
      counts({ ok = 1 }, each({ 1 }, function(item)
        plan(item)
        return client.runs:get { run_id = 5544 }
      end))
      server:clear()
      counts({ ok = 1 }, each({ 1 }, vote))
      assert.same({ 1 }, arrived())
    end)

    it("in an item after others that voted", function()
      counts({ ok = 6 }, each(votes.items(6), function(item)
        return votes.cast(client, item, { dry_run = item % 2 == 0 })
      end, { concurrency = 2 }))
      counts({ ok = 3, skipped = 3 }, each(votes.items(6), vote))
      assert.same(votes.items(6), votes.sorted(arrived()))
    end)

    it("unless the item also votes, or only reads", function()
      counts({ ok = 4 }, each(votes.items(4), function(item)
        if item == 1 then plan(item) end
        if item <= 2 then assert(vote(item)) end
        if item == 2 then plan(item) end
        if item == 3 then return client.runs:get { run_id = 5544 } end
        return client.results:wait { result_id = 373 }
      end))
      counts({ skipped = 4 }, each(votes.items(4), error))
    end)

    it("and leaves an unknown item unknown", function()
      write { "started 1", "started 2", "unknown 2" }
      counts({ ok = 2 }, each({ 1, 2 }, plan, { redo_unknown = true }))
      counts({ unknown = 2 }, each({ 1, 2 }, vote))
      assert.same({}, arrived())
    end)
  end)

  it("repeats an item that failed without a result", function()
    server:faults { { status = 401, times = 3 } }
    local report = each(votes.items(3), function(item) vote(item) end)
    counts({ failed = 3 }, report)
    assert.equal("authentication", report.errors[1].error.kind)
    server:clear()
    counts({ ok = 3 }, each(votes.items(3), function(item) vote(item) end))
    assert.same({ 1, 2, 3 }, votes.sorted(arrived()))
  end)

  describe("does not repeat an item that may have spent and then raised,", function()
    -- Fails unless the item is unknown, and the next run does not repeat it.
    local function spends_once(fn)
      counts({ unknown = 1 }, each({ 7 }, function(item)
        fn(item)
        error "after that"
      end))
      assert.is_false(client:step(0.01))
      counts({ unknown = 1 }, each({ 7 }, vote))
      assert.same({ 7 }, arrived())
    end

    -- Returns a function of an item that calls fn with another client, and closes that client.
    local function with_other(fn)
      return function(item)
        local other <close> = assert(cekura.new { api_url = server.url,
          api_key = server.api_key })
        fn(other, item)
      end
    end

    for what, fn in pairs {
      ["through another client"] = with_other(function(other, item)
        assert(votes.cast(other, item))
      end),
      ["through another client, in a coroutine of its own"] = with_other(function(other, item)
        assert(coroutine.wrap(votes.cast)(other, item))
      end),
      ["in a task of another client"] = with_other(function(other, item)
        assert(other:spawn(votes.cast, other, item):wait())
      end),
      ["in an each of another client"] = with_other(function(other, item)
        assert.equal(1, other:each({ item }, function() return votes.cast(other, item) end).ok)
      end),
      ["in a task that it awaits"] = function(item)
        assert(client:spawn(vote, item):wait())
      end,
      ["in a task that has begun another one, and ended"] = function(item)
        local inner
        client:spawn(function()
          inner = client:spawn(vote, item)
        end):wait()
        inner:wait()
      end,
      ["in a chain of tasks that have ended"] = function(item)
        local last
        local function chain(left)
          if left == 0 then
            assert(vote(item))
            last = true
          else
            client:spawn(chain, left - 1)
          end
        end
        chain(10)
        while not last do client:sleep(0.001) end
      end,
    } do
      it(what, function() spends_once(fn) end)
    end

    it("in a task that it did not wait for", function()
      counts({ unknown = 1 }, each({ 7 }, function(item)
        client:spawn(vote, item)
        error "before that"
      end))
      while client:step(0.01) do end
      counts({ unknown = 1 }, each({ 7 }, vote))
      assert.same({ 7 }, arrived())
    end)
  end)

  it("does not attribute the calls of an earlier item to the next one", function()
    server:faults { { path = "/runs/", times = 1, delay = clock.SHORT } }
    local task
    local report = each({ 1, 2 }, function(item)
      if item == 2 then
        task:wait()
        error "nothing was done"
      end
      task = client:spawn(vote, item)
      return true
    end, { concurrency = 1 })
    counts({ ok = 1, failed = 1 }, report)
    assert.same({ 1 }, arrived())
  end)

  for what, change in pairs {
    ["is deleted"] = function() os.remove(path) end,
    ["is replaced"] = function()
      scratch.write(path .. ".new", scratch.read(path))
      assert(os.rename(path .. ".new", path))
    end,
  } do
    it("stops if the file " .. what .. ", and two runs vote once for each item", function()
      local report, problem = each(votes.items(5), function(item)
        if item == 3 then change() end
        return vote(item)
      end, { concurrency = 1 })
      assert.is_nil(report)
      assert.equal("config", problem.kind)
      assert.matches("was replaced or deleted while it was in use", problem.message)
      counts({ ok = 3 }, problem.report)
      assert.same({ 1, 2, 3 }, votes.sorted(arrived()))
    end)
  end

  it("works without the global `arg`, even if undeclared globals raise", function()
    local output = script.run(([[
      arg = nil
      setmetatable(_G, { __index = function(_, name) error("undeclared " .. name, 2) end,
        __newindex = function(_, name) error("assigned " .. name, 2) end })
      local client = assert(require "cekura".new { api_url = %q, api_key = "k" })
      print(assert(client:each({ 1 }, function() end, { journal = %q, progress = true })).ok)
      print(select(2, client.results:wait({ result_id = 1 }, { timeout = 60 })).kind)
      print(select(2, pcall(client.results:pages {})).kind)]]):format(server.url, path))
    assert.matches("1\nauthentication\nauthentication\n$", output)
    assert.equal(("cekura journal 1 api=%s"):format(server.url), scratch.read(path):match "^[^\n]*")
  end)

  it("unlocks the file, however it ends", function()
    assert.is_false((pcall(each, function() error "no" end, error)))
    counts({ ok = 1 }, each({ 1 }, function() end))
    local begun = 0
    local task = client:spawn(each, votes.items(3), function()
      begun = begun + 1
      client:sleep(60)
    end)
    while begun < 2 do client:step() end
    task:cancel()
    counts({ skipped = 1, unknown = 2 }, each(votes.items(3), error))
    local last = votes.sorted(events())
    assert.same({ "unknown 2", "unknown 3" },
      { last[#last - 1]:match "^%a+ %d+", last[#last]:match "^%a+ %d+" })
  end)

  it("repeats items that were cancelled before they started, at any step", function()
    local steps = 0
    repeat
      steps = steps + 1
      local begun = 0
      local task = client:spawn(each, votes.items(3), function()
        begun = begun + 1
        client:sleep(60)
      end)
      for _ = 1, steps do client:step() end
      local have_begun = begun == 3
      task:cancel()
      counts({ ok = 3 - begun, unknown = begun }, each(votes.items(3), vote))
      os.remove(path)
    until have_begun
    assert.is_true(steps > 4)
  end)

  it("ends if the coroutine of an item is closed before the next one starts", function()
    local own
    client:spawn(function()
      while not (own and coroutine.status(own) == "suspended") do client:sleep(0) end
      coroutine.close(own)
    end)
    local report, problem = each(votes.items(9), function(item)
      local value = vote(item)
      if item == 1 then own = coroutine.running() end
      return value
    end, { concurrency = 2 })
    assert.is_nil(report)
    assert.matches("ended before all was done", problem.message)
  end)

  it("belongs to the script unless `work` is given", function()
    local text = ([[
      local cekura = require "cekura"
      local client = assert(cekura.new { api_url = %q, api_key = "k" })
      print(client:each({ 1 }, function() end, { journal = %q }))]]):format(server.url, path)
    local one, other = scratch.path(), scratch.path()
    scratch.write(one, text)
    scratch.write(other, text)
    assert.matches("^table", (child.run_checked { child.lua, one }))
    assert.equal(("cekura journal 1 api=%s work=%s"):format(server.url, one:match "[^/]+$"),
      scratch.read(path):match "^[^\n]*")
    assert.matches("^table", (child.run_checked { child.lua, one }))
    assert.matches("^nil.*a journal of other work", (child.run_checked { child.lua, other }))
    os.remove(one)
    os.remove(other)
  end)

  describe("syncs", function()
    local open_file, log, problems

    before_each(function()
      open_file, log, problems = internal.open_file, {}, {}
      local function note(text) log[#log + 1] = text end
      internal.open_file = function(name)
        local file, watched = assert(open_file(name)), {}
        for _, method in ipairs { "read", "truncate", "close" } do
          watched[method] = function(_, ...) return file[method](file, ...) end
        end
        function watched.append(_, text)
          for line in text:gmatch "[^\n]+" do
            local event = line:match " (%l+ %d+)" or "header"
            note(event)
            if problems[event] then return nil, name .. ": No space left" end
          end
          return file:append(text)
        end
        function watched.sync()
          note "sync"
          if problems.sync == #log then return nil, name .. ": Input/output error" end
          return file:sync()
        end
        return watched
      end
    end)

    after_each(function() internal.open_file = open_file end)

    local function noted_vote(item)
      log[#log + 1] = "send " .. item
      return vote(item)
    end

    it("all lines before an item sends anything", function()
      counts({ ok = 20 }, each(votes.items(20), noted_vote, { concurrency = 3 }))
      local place, synced_at = {}, {}
      for i, entry in ipairs(log) do
        place[entry], synced_at[i] = i, entry == "sync" and i or synced_at[i - 1] or 0
      end
      for item = 1, 20 do
        local send = place["send " .. item]
        assert.is_true(place["started " .. item] < synced_at[send])
        assert.is_true(send < place["done " .. item])
      end
      assert.equal("sync", log[#log])
    end)

    it("or does not start the item", function()
      for what, problem in pairs { ["started 3"] = "No space left", sync = "Input/output error" } do
        os.remove(path)
        server:clear()
        log, problems = {}, {}
        problems[what] = what == "sync" and 12 or true  -- after the header, two items and a line
        local report, err = each(votes.items(9), noted_vote, { concurrency = 1 })
        assert.is_nil(report)
        assert.equal("config", err.kind)
        assert.matches("^each: " .. path:gsub("%p", "%%%0") .. ": " .. problem, err.message)
        counts({ ok = 2 }, err.report)
        assert.same({ 1, 2 }, votes.sorted(arrived()))
      end
    end)

    it("or starts no item after those in flight", function()
      server:faults { { times = math.huge, delay = 0.02 } }
      problems["done 2"] = true
      local report, err = each(votes.items(50), noted_vote, { concurrency = 4 })
      assert.is_nil(report)
      assert.matches("No space left", err.message)
      local sent = arrived()
      assert.is_true(#sent < 50)
      counts({ ok = #sent }, err.report)
      problems = {}
      counts({ ok = 50 - #sent, skipped = #sent - 1, unknown = 1 }, each(votes.items(50), vote))
    end)
  end)

  it("reports a full disk, waits for the items in flight, and continues later", function()
    local output, code = child.run_on_full_disk(2, (votes.START .. [[
        local votes = require "support.votes"
        local report, problem = client:each(votes.items(100), vote,
          { journal = %q, work = "w", concurrency = 4 })
        print(report, problem.kind, problem.report.ok, #problem.report.errors)
        print(problem)
        print(client:step())]]):format(server.url, server.api_key, path))
    assert.equal(0, code, output)
    local kind, ok, errors = output:match "^nil\t(%l+)\t(%d+)\t(%d+)\n"
    assert.same({ "config", "0" }, { kind, errors })
    assert.matches(path:gsub("%p", "%%%0") .. ": File too large", output)
    assert.matches("\nfalse\n$", output)
    local sent = votes.sorted(arrived())
    assert.equal(#sent, math.tointeger(ok))
    assert.is_true(#sent < 100)
    local done = select(2, scratch.read(path):gsub("Z done ", ""))
    local begun = select(2, scratch.read(path):gsub("Z started ", ""))
    assert.is_true(#sent <= begun and begun < #sent + 4)
    server:clear()
    counts({ ok = 100 - begun, skipped = done, unknown = begun - done },
      each(votes.items(100), vote))
    counts({ ok = begun - done, skipped = 100 - begun + done },
      each(votes.items(100), vote, { redo_unknown = true }))
  end)
end)

describe("each with a journal that is killed", function()
  local server, path

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:clear()
    path = scratch.path()
  end)

  after_each(function() os.remove(path) end)

  local function start(text)
    return child.start_checked { child.lua, "-e",
      votes.START:format(server.url, "k") .. ("local PATH = %q\n"):format(path) .. text }
  end

  -- Returns the last event of each key in the journal.
  local function states()
    local all = {}
    for event, key in (scratch.read(path) or ""):gmatch "Z (%l+) (%d+)[^\n]*\n" do
      all[math.tointeger(key)] = event
    end
    return all
  end

  -- Returns how often each item has arrived.
  local function deliveries()
    local all = {}
    for _, row in ipairs(server:ledger()) do
      local item = math.tointeger(row.body:match '"feedback":"item (%d+)"'
        or row.body:match '"call_logs":%[(%d+)%]')
      if item then all[item] = (all[item] or 0) + 1 end
    end
    return all
  end

  it("has written the starts of the requests that arrived, and the ends", function()
    server:script { faults.ok(), faults.ok(), { { "hang" } } }
    local process = start [[
      client:each({ 1, 2, 3, 4 }, vote, { journal = PATH, work = "w", concurrency = 1 })]]
    local has_arrived = server:wait(3, 60)
    process:signal "KILL"
    local output = process:finish()
    assert.is_true(has_arrived, output)
    local lines = {}
    for line in scratch.read(path):gmatch(LINE) do lines[#lines + 1] = line end
    assert.same({ "started 1", "done 1", "started 2", "done 2", "started 3" }, lines)
  end)

  -- Kills a process after a number of lines, unless it ends earlier. Returns its output.
  local function kill_after(process, lines)
    local output = {}
    for i = 1, lines do
      output[i] = process:line()
      if not output[i] then break end
    end
    if #output == lines then process:signal "KILL" end
    output[#output + 1] = process:finish()
    return table.concat(output, "\n")
  end

  -- Runs the text again and again, until a run is not killed. Returns the output of that run, and
  -- the number of killed runs. Calls `look` after each run.
  local function run_and_kill(text, look)
    for kills = 0, 200 do
      local output = kill_after(start(text), math.random(2, 60))
      look()
      if output:find "ended" then return output, kills end
    end
    error "it does not come to an end"
  end

  it(("again and again, sends every vote, and none that is done again (seed %d)"):format(SEED),
    function()
      math.randomseed(SEED)
      local done = {}
      local output, kills = run_and_kill([[
        local votes = require "support.votes"
        local report = assert(client:each(votes.items(600), function(item)
          print "begins"
          assert(vote(item))
          print "is over"
        end, { journal = PATH, work = "w", redo_unknown = true }))
        print("ended", report.ok + report.skipped)]],
        function()
          local all = deliveries()
          for item, count in pairs(done) do assert.equal(count, all[item], item) end
          for item, state in pairs(states()) do
            if state == "done" then done[item] = assert(all[item]) end
          end
        end)
      assert.matches("ended\t600", output)
      assert.is_true(kills > 0)
      local all = deliveries()
      for item = 1, 600 do
        assert.is_true(all[item] >= 1)
        assert.equal(all[item], done[item])
      end
    end)

  it(("again and again, spends credits at most once (seed %d)"):format(SEED), function()
    math.randomseed(SEED)
    local text = [[
      local votes = require "support.votes"
      local report = assert(client:each(votes.items(300), function(item)
        print "begins"
        assert(client.calls:evaluate_metrics {
          agent_id = 1, call_logs = { item }, metrics = { 1 } })
        print "is over"
      end, { journal = PATH, work = "w", concurrency = 4, redo_unknown = ... }))
      print("ended", report.ok, report.skipped, report.unknown)]]
    local before = {}
    local output = run_and_kill(text, function()
      local now = states()
      for item, state in pairs(before) do  -- items that were in flight stay unknown
        if state == "started" then assert.equal(state, now[item], item) end
      end
      before = now
    end)
    local ok, skipped, unknown = output:match "ended\t(%d+)\t(%d+)\t(%d+)"
    assert.equal(300, ok + skipped + unknown)
    local all = deliveries()
    local open = 0
    for item, state in pairs(states()) do
      assert.is_true((all[item] or 0) <= 1)
      if state == "done" then assert.equal(1, all[item]) else open = open + 1 end
    end
    assert.equal(open, math.tointeger(unknown))
    output = start((text:gsub("%.%.%. }", "true }"))):finish()
    assert.matches(("ended\t%d\t%d\t0"):format(open, 300 - open), output)
    assert.is_true(open > 0)
    all = deliveries()
    for item = 1, 300 do assert.is_true(all[item] >= 1) end
  end)
end)

