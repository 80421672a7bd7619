-- The journal without each: a later run reads the events of earlier runs, however these ended.
local child = require "support.child"
local journal = require "cekura.each.journal"
local locale = require "support.locale"
local scratch = require "support.scratch"
local script = require "support.script"

local WORK = { api = "https://api.cekura.ai", work = "votes.csv" }
local HEADER = "cekura journal 1 api=https://api.cekura.ai work=votes.csv\n"
local AT = "2026-11-21T04:20:11Z "
local NOW = "!%Y-%m-%dT%H:%M:%SZ "
local TIME = "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ "

describe("a journal", function()
  local path, began

  before_each(function() path, began = scratch.path(), os.date(NOW) end)
  after_each(function() os.remove(path) end)

  local function open(options) return assert(journal.open(path, options or WORK)) end

  -- Returns the file with "T " in place of its times, which must be those of this test.
  local function content()
    return (scratch.read(path):gsub(TIME, function(time)
      assert.is_true(time == AT or began <= time and time <= os.date(NOW), time)
      return "T "
    end))
  end

  -- Fails unless the file is refused with a message that matches, and left unchanged.
  local function is_refused(text, pattern, options)
    scratch.write(path, text)
    local nothing, message = journal.open(path, options or WORK)
    assert.is_nil(nothing)
    assert.equal(path .. ": ", message:sub(1, #path + 2))
    assert.matches(pattern, message:sub(#path + 3))
    assert.equal(text, scratch.read(path))
  end

  describe("writes", function()
    it("a header and a line per event", function()
      local it <close> = open()
      assert.equal(HEADER, content())
      assert.is_true(it:start "5544:55")
      assert.equal(HEADER .. "T started 5544:55\n", content())
      assert.is_true(it:finish("5544:55", "done"))
      assert.is_true(it:finish("5545:55", "failed", "not_found: no such run"))
      assert.is_true(it:finish(7, "unknown", nil))
      assert.equal(HEADER .. "T started 5544:55\nT done 5544:55\n"
        .. "T failed 5545:55 not_found: no such run\nT unknown 7\n", content())
    end)

    it("the starts of several keys, or none of them", function()
      local it <close> = open()
      assert.is_true(it:start_all { "a", 5 })
      assert.equal(HEADER .. "T started a\nT started 5\n", content())
      assert.is_false((pcall(it.start_all, it, { "b", {} })))
      assert.equal(HEADER .. "T started a\nT started 5\n", content())
      assert.same({ "started", "started" }, { it:state "a", it:state "5" })
      assert.is_nil(it:state "b")
    end)

    it("a header without work", function()
      open { api = "http://[::1]:81/a b" }:close()
      assert.equal("cekura journal 1 api=http://[::1]:81/a%20b\n", content())
      open { api = "http://[::1]:81/a b" }:close()
    end)

    for _, slashes in ipairs { "", "/", "//" } do
      it("the same header for an address that ends with " .. slashes, function()
        for _, work in ipairs { "votes/", "a b", false } do
          local line = "cekura journal 1 api=http://h:1" .. slashes
            .. (work and " work=" .. work:gsub(" ", "%%20") or "")
          scratch.write(path, line .. "\n" .. AT .. "done 1\n")
          for _, api in ipairs { "http://h:1", "http://h:1/" } do
            local it <close> = open { api = api, work = work or nil }
            assert.equal("done", it:state(1))
          end
          assert.is_nil((journal.open(path, { api = "http://h:12", work = work or nil })))
          os.remove(path)
        end
      end)
    end

    it("the same header for a host in any case", function()
      scratch.write(path, "cekura journal 1 api=HTTPS://API.cekura.ai/%2541/ work=w\n" .. AT
        .. "done 1\n")
      for _, api in ipairs { "https://api.cekura.ai/%41", "Https://api.Cekura.ai/%41//" } do
        local it <close> = open { api = api, work = "w" }
        assert.equal("done", it:state(1))
      end
      assert.is_nil((journal.open(path, { api = "https://api.cekura.ai/a", work = "w" })))
    end)

    it("the same header with and without the default port", function()
      for one, other in pairs { ["http://h"] = "http://h:80/", ["https://h/a"] = "HTTPS://h:443/a/",
          ["http://[::1]"] = "http://[::1]:80" } do
        scratch.write(path, "cekura journal 1 api=" .. other .. " work=w\n" .. AT .. "done 1\n")
        for _, api in ipairs { one, other } do
          local it <close> = open { api = api, work = "w" }
          assert.equal("done", it:state(1))
        end
        for _, api in ipairs { "http://h:443", "https://h:80/a", "http://h:8080" } do
          assert.is_nil((journal.open(path, { api = api, work = "w" })))
        end
        os.remove(path)
      end
    end)

    it("the address without a slash at its end", function()
      open { api = "http://h:1/", work = "w/" }:close()
      assert.equal("cekura journal 1 api=http://h:1 work=w/\n", content())
    end)

    it("any work as one word", function()
      for _, work in ipairs { "", "my votes.csv", "a=b\nc", "günstig.csv" } do
        open { api = "x", work = work }:close()
        assert.equal(1, select(2, scratch.read(path):gsub("\n", "")))
        open { api = "x", work = work }:close()
        os.remove(path)
      end
    end)

    it("a message on one line of limited length", function()
      local it <close> = open()
      local function written(message)
        assert(it:finish("k", "failed", message))
        return content():match "failed k([^\n]*)\n$"
      end
      assert.equal(" a b c", written "  a\r\n\tb\0c\n")
      assert.equal(" ? é ??", written "\xFF é \xE2\x82")
      assert.equal(" a b", written "a\u{85}b")
      assert.equal("", written "")
      assert.equal("", written " \n ")
      assert.equal(" an error", written(setmetatable({}, { __tostring = function()
        return "an error"
      end })))
      assert.equal(" " .. ("x"):rep(300), written(("x"):rep(301)))
      assert.equal(" " .. ("x"):rep(299), written(("x"):rep(299) .. "é"))
      assert.equal(" " .. ("x"):rep(298) .. "é", written(("x"):rep(298) .. "éé"))
      assert.equal(" " .. ("x"):rep(299), written(("x"):rep(299) .. " y"))
      it:close()
      local again <close> = open()
      assert.equal("failed", again:state "k")
    end)
  end)

  describe("returns", function()
    it("the last event of each key, in this run and later", function()
      local it = open()
      assert.is_nil(it:state "a")
      for _, key in ipairs { "a", "b", "c", "d", "e" } do assert(it:start(key)) end
      assert(it:finish("b", "done"))
      assert(it:finish("c", "failed", "done c"))
      assert(it:finish("d", "unknown"))
      assert(it:finish("e", "failed"))
      assert(it:start "e")
      for _ = 1, 2 do
        local states = {}
        for _, key in ipairs { "a", "b", "c", "d", "e", "f" } do
          states[key] = it:state(key)
        end
        assert.same({ a = "started", b = "done", c = "failed", d = "unknown", e = "started" },
          states)
        it:close()
        it = open()
      end
      it:close()
    end)

    it("the state of a number by its text", function()
      local it <close> = open()
      assert(it:finish(5, "done"))
      assert.equal("done", it:state "5")
      assert.equal("done", it:state(5.0))
      assert(it:finish(2^53, "done"))
      assert.equal("done", it:state "9007199254740992")
      assert(it:finish(0.1, "failed"))
      assert.is_nil(it:state(0.1 + 2^-56))
      assert.equal("failed", it:state(0.1))
      assert(it:finish(math.mininteger, "done"))
      assert.equal("done", it:state "-9223372036854775808")
    end)

    it("the state of a number by its text in every locale", function()
      local turkish <close> = locale.turkish()
      if not turkish then return end
      local output = script.run(turkish.SET .. ([[
        local it <close> = assert(require "cekura.each.journal".open(%q, { api = "x" }))
        for _, key in ipairs { 7.5, -0.25, 1e300, 1e-7, math.huge, -math.huge } do
          assert(it:finish(key, "failed", "0,5"))
          assert(it:state(key) == "failed")
        end
        print "written"]]):format(path), { LOCPATH = turkish.folder, LC_ALL = false })
      assert.matches("^written\n", output)
      local it <close> = open { api = "x" }
      for _, key in ipairs { 7.5, -0.25, 1e300, 1e-7, math.huge, -math.huge } do
        assert.equal("failed", it:state(key))
      end
      assert.matches("failed 7.5 0,5\n", content())
    end)

    it("the state of keys that contain line breaks and controls", function()
      local keys = { "done x", "x", "x\n", "x\n\n", " ", "\n", "%", "%20", "%0A", "%2", "\0",
        "\0\0", "é", "\xE9", "日本", "\u{10FFFF}",
        "\xED\xA0\x80", "\xC0\x80", "\xC2",
        "\u{80}", "\u{85}", "\xE0\xC2\x80", "\x7F", "\r", "a=b",
        "k\n" .. AT .. "done z", ("k"):rep(100000) }
      for byte = 0, 255 do keys[#keys + 1] = "byte " .. string.char(byte) end
      local it = open()
      for i, key in ipairs(keys) do
        assert.is_nil(it:state(key))
        assert(it:start(key))
        if i % 2 == 0 then assert(it:finish(key, "done")) end
      end
      it:close()
      assert.equal(1 + #keys + #keys // 2, select(2, scratch.read(path):gsub("\n", "")))
      assert.is_nil(scratch.read(path):find "[\0-\x09\x0B-\x1F\x7F]")
      assert.truthy(utf8.len(scratch.read(path)))
      assert.truthy(content():find("T started 日本\n", 1, true))
      assert.truthy(content():find("T started done%20x\n", 1, true))
      it = open()
      for i, key in ipairs(keys) do
        assert.equal(i % 2 == 0 and "done" or "started", it:state(key))
      end
      assert.is_nil(it:state "z")
      it:close()
    end)
  end)

  describe("continues after a torn", function()
    it("header, at every byte", function()
      for length = 0, #HEADER do
        scratch.write(path, HEADER:sub(1, length))
        local it <close> = open()
        assert(it:finish("a", "done"))
        assert.equal(HEADER .. "T done a\n", content())
      end
    end)

    it("last line, at every byte", function()
      local before = HEADER .. AT .. "started 5544:55\n"
      local last = AT .. "done 5544:55\n"
      for length = 0, #last - 1 do
        scratch.write(path, before .. last:sub(1, length))
        local it <close> = open()
        assert.equal(before, scratch.read(path))
        assert.equal("started", it:state "5544:55")
        for stop = 1, #"5544:55" - 1 do assert.is_nil(it:state(("5544:55"):sub(1, stop))) end
        assert(it:finish("5544:55", "failed"))
        assert.equal(HEADER .. "T started 5544:55\nT failed 5544:55\n", content())
      end
    end)

    it("line of any bytes after the header", function()
      for _, torn in ipairs { "x", ("\0"):rep(100000), AT .. "done a", "\xFF", "\r" } do
        scratch.write(path, HEADER .. torn)
        open():close()
        assert.equal(HEADER, scratch.read(path))
      end
    end)
  end)

  describe("is refused and left unchanged", function()
    it("if it belongs to other work", function()
      local function names(text, theirs, options, ours)
        local message = ("^a journal of other work: it belongs to %s, and this run to %s%%. ")
          :format(theirs:gsub("%p", "%%%0"), (ours:gsub("%p", "%%%0")))
        is_refused(text, message .. "Name another file, or give the `work` that it belongs to$",
          options)
      end
      local ours = "api=https://api.cekura.ai work=votes.csv"
      names("cekura journal 1 api=http://x work=votes.csv\n", "api=http://x work=votes.csv",
        WORK, ours)
      names("cekura journal 1 api=http://x\n", "api=http://x", WORK, ours)
      names(HEADER, ours, { api = WORK.api }, "api=https://api.cekura.ai")
      names(HEADER .. AT .. "done 1\ntorn", ours, { api = WORK.api, work = "votes" },
        "api=https://api.cekura.ai work=votes")
      names("cekura journal 1 api= work=\n", "api= work=", WORK, ours)
      names("cekura journal 1 api=\27[2J\0\xFF\n", "api= [2J ?", WORK, ours)
    end)

    for _, text in ipairs {
      "\n", "run_id,metric_id\n1,2\n", "x", "\0", "cekura journal\n", HEADER:sub(1, -2) .. "x",
      " " .. HEADER, "\xEF\xBB\xBF" .. HEADER, "cekura journal x api=y\n",
      "cekura journal 1 api=https://other",
    } do
      it(("if it is not a journal: %q"):format(text), function()
        is_refused(text, "^not a journal, and left as it is: name another file$")
      end)
    end

    for _, rest in ipairs { " ", " x", " api=x work=y ", " work=x api=y", " api=x work=y z" } do
      it("if its first line is damaged:" .. rest, function()
        is_refused("cekura journal 1" .. rest .. "\n", "^line 1 is damaged: name another file$")
      end)
    end

    it("if it has another version", function()
      is_refused("cekura journal 2 api=https://api.cekura.ai work=votes.csv\nanything\n",
        "^a journal of version 2, and this is a cekura for version 1: name another file$")
      is_refused("cekura journal 10 keys=sha256\n", "^a journal of version 10,")
    end)

    for _, line in ipairs {
      "", "x", AT, AT .. "done", AT .. "done ", AT .. "done  a", AT .. "Done a", AT .. "ended a",
      AT .. "started a b", AT .. "done a ", AT .. "done a\r", AT .. "done a b\0c", AT .. "done a%",
      AT .. "done a%2f",
      AT .. "done a%41", AT .. "done \xFF", AT .. "done a\tb",
      " " .. AT .. "done a", AT .. "done a \xFF", "2026-11-21 04:20:11 done a",
      AT:sub(1, -3) .. " done a", AT .. "do" .. AT .. "done b", ("\0"):rep(4096), HEADER:sub(1, -2),
    } do
      it(("if it has the line %q"):format(line:sub(1, 60)), function()
        local before, after = AT .. "started a\n", AT .. "started c\n"
        is_refused(HEADER .. before .. line .. "\n" .. after .. AT .. "torn",
          '^line 3 is damaged: ".*"%. Put it right, or name another file$')
        is_refused(HEADER .. line .. "\n", "^line 2 is damaged: ")
      end)
    end
  end)

  describe("is used by one run:", function()
    local REFUSAL = ": another run is using this file"

    it("a second one in the process is refused", function()
      local it = open()
      assert(it:start "a")
      local before = scratch.read(path)
      assert.same({ nil, path .. REFUSAL }, { journal.open(path, WORK) })
      assert.same({ nil, path .. REFUSAL }, { journal.open(path, { api = "other" }) })
      assert.equal(before, scratch.read(path))
      assert(it:finish("a", "done"))
      it:close()
      local second <close> = open()
      assert.equal("done", second:state "a")
    end)

    it("a second process is refused", function()
      local holder = child.start_checked { child.lua, "-e", ([[
        io.stdout:setvbuf "line"
        local it = assert(require "cekura.each.journal".open(%q, { api = %q, work = %q }))
        assert(it:start "a")
        print "open"
        require "system".sleep(600)]]):format(path, WORK.api, WORK.work) }
      local said = holder:line()
      local before = scratch.read(path)
      local nothing, message = journal.open(path, WORK)
      local after = scratch.read(path)
      holder:signal "KILL"
      holder:finish()
      assert.equal("open", said)
      assert.is_nil(nothing)
      assert.equal(path .. REFUSAL, message)
      assert.equal(before, after)
      local it <close> = open()  -- the lock ends with its process
      assert.equal("started", it:state "a")
    end)

    it("a journal that is collected or refused is unlocked", function()
      coroutine.wrap(open)()  -- in a coroutine, which is collected, too
      collectgarbage()
      collectgarbage()
      open():close()
      assert.is_nil(journal.open(path, { api = "other" }))
      open():close()
    end)
  end)

  describe("whose file was replaced or deleted", function()
    local function replace()
      scratch.write(path .. ".new", scratch.read(path))
      assert(os.rename(path .. ".new", path))
    end

    for what, change in pairs {
      deleted = function() os.remove(path) end,
      ["deleted and made again"] = function()
        os.remove(path)
        open():close()
      end,
      ["replaced by a copy"] = replace,
      moved = function() assert(os.rename(path, path .. ".moved")) end,
    } do
      it("takes no more events: " .. what, function()
        local it <close> = open()
        assert.is_true(it:start(1))
        change()
        local ok, message = it:start(2)
        assert.is_nil(ok)
        assert.equal(path .. ": this file was replaced or deleted while it was in use", message)
        assert.equal("started", it:state(1))
        assert.is_nil(it:state(2))
      end)
    end

    it("is distinguished from a journal whose script changes its folder", function()
      local output = script.run(([[
        local lfs, journal = require "lfs", require "cekura.each.journal"
        assert(lfs.chdir %q)
        local it <close> = assert(journal.open(%q, { api = "x" }))
        assert(lfs.chdir "/")
        print(it:start(1), it:finish(1, "done"))]]):format(path:match "^(.*)/(.*)$"))
      assert.equal("true\ttrue\n", output)
      assert.matches("done 1\n$", content())
    end)
  end)

  it("keeps acknowledged events if the process is killed repeatedly", function()
    local text = ([[
      io.stdout:setvbuf "line"
      local it = assert(require "cekura.each.journal".open(%q, { api = %q, work = %q }))
      for key = 1, 1000000 do
        if it:state(key) ~= "done" then
          assert(it:start(key))
          assert(it:finish(key, "done"))
          print(key)
        end
      end]]):format(path, WORK.api, WORK.work)
    local acknowledged = {}
    local function see(output)
      for key in output:gmatch "(%d+)\n" do
        assert.is_nil(acknowledged[key], "done twice")
        acknowledged[key] = true
      end
    end
    for round = 1, 5 do
      local process = child.start_checked { child.lua, "-e", text }
      for _ = 1, 10 + 7 * round do see(process:line() .. "\n") end
      process:signal "KILL"
      see(process:finish())
      local it <close> = open()
      for key in pairs(acknowledged) do assert.equal("done", it:state(key)) end
    end
  end)

  it("reports a full disk and stays whole", function()
    local output = child.run_on_full_disk(2, ([[
        local journal = require "cekura.each.journal"
        local it = assert(journal.open(%q, { api = %q, work = %q }))
        local key, ok, problem = 0, nil, nil
        repeat
          key = key + 1
          ok, problem = it:finish(key, "failed", ("x"):rep(99))
        until not ok
        print(problem)
        print(it:state(key), it:state(key - 1))
        print((it:close()))
        it = assert(journal.open(%q, { api = %q, work = %q }))
        print(it:state(key), it:state(key - 1))]])
        :format(path, WORK.api, WORK.work, path, WORK.api, WORK.work))
    assert.equal(path .. ": File too large\nnil\tfailed\ntrue\nnil\tfailed\n", output)
    assert.matches("^" .. HEADER:gsub("%p", "%%%0") .. "T failed 1 .*\n$", content())
  end)

  it("reports a full disk when it writes the header", function()
    local output = child.run_on_full_disk(0,
      ([[print(require "cekura.each.journal".open(%q, { api = %q }))]]):format(path, WORK.api))
    assert.equal("nil\t" .. path .. ": File too large\n", output)
    open():close()
  end)

  for _, row in ipairs {
    { "/no/such/folder/x", "No such file or directory" },
    { "/", "Is a directory" },
    { "/proc/sys/kernel/ostype", "[PR]e.+" },  -- read-only, also for root
    { "/dev/null", "not a regular file" },     -- it keeps no events
  } do
    it("reports a problem with " .. row[1], function()
      local nothing, message = journal.open(row[1], WORK)
      assert.is_nil(nothing)
      assert.matches("^" .. row[1] .. ": " .. row[2] .. "$", message)
    end)
  end

  it("opens at a path without a folder", function()
    local folder, name = path:match "^(.*/)(.*)$"
    local cpath = os.getenv "LUA_CPATH":gsub("[^;]+", require "lfs".currentdir() .. "/%0")
    local output = child.run_checked { "sh", "-c", [[
      export LUA_PATH="$PWD/lua/?.lua;;" LUA_CPATH="$2"
      cd "$1" && shift 2 && exec "$@"]], "sh", folder, cpath, child.lua, "-e", ([[
      local journal = require "cekura.each.journal"
      print((journal.open(%q, { api = %q }):close()))]]):format(name, WORK.api) }
    assert.equal("true\n", output)
    assert.equal("cekura journal 1 api=https://api.cekura.ai\n", content())
  end)

  describe("is synced", function()
    -- Replaces the journal's file by one that counts syncs, and fails with `watched.problem`.
    local function watch(it)
      local file, watched = it.file, { count = 0 }
      function watched.append(_, text) return file:append(text) end
      function watched.close() file:close() end
      function watched.sync()
        watched.count = watched.count + 1
        if watched.problem then return nil, watched.problem end
        return file:sync()
      end
      it.file = watched
      return watched
    end

    it("if there is a new line, and when it is closed", function()
      local it = open()
      local watched = watch(it)
      assert.is_true(it:sync())
      assert.equal(0, watched.count)
      assert(it:start "a")
      assert(it:finish("a", "done"))
      assert.equal(0, watched.count)
      assert.is_true(it:sync())
      assert.is_true(it:sync())
      assert.equal(1, watched.count)
      assert(it:start "b")
      assert.is_true(it:close())
      assert.equal(2, watched.count)
    end)

    it("with the lines that an earlier run may not have synced", function()
      scratch.write(path, HEADER .. AT .. "done a\n")
      local it <close> = open()
      local watched = watch(it)
      assert.is_true(it:sync())
      assert.equal(1, watched.count)
    end)

    it("never again after a failure", function()
      local it = open()
      local watched = watch(it)
      assert(it:start "a")
      watched.problem = path .. ": Input/output error"
      assert.same({ nil, watched.problem }, { it:sync() })
      local problem = watched.problem
      watched.problem = nil
      assert.same({ nil, problem }, { it:sync() })
      assert(it:finish("a", "done"))
      assert.same({ nil, problem }, { it:sync() })
      assert.same({ nil, problem }, { it:close() })
      assert.is_true(it:close())
      open():close()
    end)
  end)

  it("fails every use after close", function()
    local it = open()
    assert.is_true(it:close())
    assert.is_true(it:close())
    local message = path .. ": this journal has been closed"
    assert.same({ nil, message }, { it:start "a" })
    assert.same({ nil, message }, { it:finish("a", "done") })
    assert.same({ nil, message }, { it:sync() })
    local ok, raised = pcall(it.state, it, "a")
    assert.is_false(ok)
    assert.equal(message, raised)
    assert.equal(HEADER, content())
  end)

  it("raises for a wrong key, outcome or work", function()
    local it <close> = open()
    local function raises(pattern, f, ...)
      local ok, message = pcall(f, ...)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    local key = "journal: a key is a string or a number, not "
    raises(key .. "nil", it.state, it, nil)
    raises(key .. "an empty string", it.start, it, "")
    raises(key .. "table", it.finish, it, {}, "done")
    raises(key .. "NaN", it.start, it, 0 / 0)
    raises('"unknown", not started', it.finish, it, "a", "started")
    raises('"unknown", not nil', it.finish, it, "a")
    raises("`api` is missing", journal.open, path)
    raises("`api` is missing", journal.open, path, { work = "x" })
    raises("`work` is not a string", journal.open, path, { api = "x", work = 5 })
    assert.equal(HEADER, content())
  end)

  describe("with groups", function()
    local function group(key) return key:match "^(.-):" end
    local options = { api = WORK.api, work = WORK.work, group = group }

    it("returns a state for the last key of a group that did not fail", function()
      local it <close> = open(options)
      for _, key in ipairs { "1:a", "2:x", "1:b" } do
        it:start(key)
        it:finish(key, "done")
      end
      it:start "1:c"
      it:finish("1:c", "failed")
      local function check(each)
        assert.is_nil(each:state "1:a")
        assert.equal("done", each:state "1:b")
        assert.is_nil(each:state "1:c")
        assert.equal("done", each:state "2:x")
        assert.is_nil(each:state "alone")
      end
      check(it)
      it:close()
      local again <close> = open(options)
      check(again)
      again:start "1:a"
      assert.equal("started", again:state "1:a")
      assert.is_nil(again:state "1:b")
    end)

    it("returns the state of a key after which several keys of its group failed", function()
      for _, order in ipairs { { "1:b", "1:c", "1:d" }, { "1:d", "1:c", "1:b" },
          { "1:c", "1:b", "1:d" } } do
        local it = open(options)
        it:start "1:a"
        it:finish("1:a", "done")
        it:start_all { "1:b", "1:c", "1:d" }
        for _, key in ipairs(order) do
          assert.is_nil(it:state "1:a")
          it:finish(key, "failed")
        end
        assert.equal("done", it:state "1:a")
        it:start "1:b"
        assert.is_nil(it:state "1:a")
        it:finish("1:b", "failed")
        it:close()
        it = open(options)
        assert.equal("done", it:state "1:a")
        it:close()
        os.remove(path)
      end
    end)
  end)

  it("iterates over its keys with their last events", function()
    local it <close> = open()
    it:start "a b"
    it:start(7)
    it:finish(7, "done")
    local found = {}
    for key, event in it:entries() do found[key] = event end
    assert.same({ ["a b"] = "started", ["7"] = "done" }, found)
  end)
end)
