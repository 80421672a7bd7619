-- The progress meters: on a terminal, in a file, for a function.
require "cekura.core"
local internal = require "cekura.internal"
local progress = require "cekura.each.progress"
local terminal = require "support.terminal"

-- Defines a clock that only pass() advances, and numbers in the middle of 20,000 votes.
local START = [[
  require "cekura.core"
  local internal = require "cekura.internal"
  local now = 1000
  function internal.monotime() return now end
  local function pass(seconds) now = now + seconds end

  local function numbers(changes)
    local all = { done = 1234, total = 20000, ok = 1234, failed = 0, skipped = 0, unknown = 0,
      running = 8, elapsed = 8, rate = 152.3, left = 123 }
    for name, value in pairs(changes or {}) do all[name] = value end
    if changes and changes.total == false then all.total, all.left = nil, nil end
    return all
  end

  local meter = require "cekura.each.progress".new(true)
]]

-- Runs the text after START. All of its output must be on stderr.
local function run(columns, text, environment)
  local ran = terminal.run(columns, START .. text, environment or { TERM = "xterm" })
  assert.equal("", ran.stdout)
  assert.equal(0, ran.code, ran.stderr)
  return ran
end

-- Returns the only line on a terminal of this width.
local function line(columns, changes)
  local ran = run(columns, ("meter:show(numbers(%s)) look 'then'"):format(changes or ""))
  assert.is_true(#ran.screen.looks["then"] <= 1)
  return ran.screen.looks["then"][1] or ""
end

describe("progress on a terminal", function()
  it("is a line with a bar, rate, time left and failures", function()
    assert.equal("[=>                      ] 1234/20000   6%  152/s  2:03 left  3 failed",
      line(80, "{ failed = 3 }"))
    assert.equal("[============>           ] 10000/20000  50%  152/s  2:03 left  7 unknown",
      line(80, "{ done = 10000, unknown = 7 }"))
    assert.equal("[========================] 20000/20000  100%  152/s  0:00 left",
      line(80, "{ done = 20000, left = 0 }"))
  end)

  it("shows a pause instead of rate and time left", function()
    assert.equal("[=>                      ] 1234/20000   6%  rate limited, 0:42 left  3 failed",
      (line(90, "{ failed = 3, pause = 41.2 }"):gsub("^%[[^%]]*%]", "[=>                      ]")))
    assert.equal("1234 done  rate limited, 0:01 left", line(80, "{ total = false, pause = 0.2 }"))
    assert.matches("1234/20000   6%%  rate limited, 0:42 left  0:08 waited$",
      line(100, "{ waiting = true, pause = 42 }"))
  end)

  it("shows the evaluations, if any were started", function()
    for spent, text in pairs {
      ["evaluations = 456"] = "  456 evaluations", ["evaluations = 0, calls = 0"] = "",
      ["evaluations = 456, evaluations_unknown = 12"] = "  456-468 evaluations",
      ["evaluations = 58, uncounted = 1"] = "  58+ evaluations",
      ["evaluations = 1"] = "  1 evaluation",
    } do
      local numbers = "{ total = false, spent = { calls = 1, calls_unknown = 0, "
        .. "evaluations_unknown = 0, uncounted = 0, " .. spent .. " } }"
      assert.equal("1234 done  152/s" .. text, line(80, numbers))
    end
  end)

  it("names the error of the last poll of a wait", function()
    assert.equal("[>            ] 0/7   0%  0:08 waited  last poll failed: network",
      (line(70, "{ done = 0, total = 7, waiting = true, problem = 'network' }")
        :gsub("^%[>[^%]]*%]", "[>            ]")))
    assert.equal("0/7  last poll failed: network",
      line(33, "{ done = 0, total = 7, waiting = true, problem = 'network' }"))
  end)

  it("has neither bar nor percent without a total", function()
    assert.equal("1234 done  152/s  3 failed", line(80, "{ total = false, failed = 3 }"))
  end)

  for _, row in ipairs {
    { "an empty list", "{ done = 0, total = 0, rate = 0, left = 0 }",
      "[========================] 0/0  100%  0.0/s  0:00 left" },
    { "a list that was longer than it said", "{ done = 12, total = 10, left = 0 }",
      "[========================] 12/10  100%  152/s  0:00 left" },
    { "the last one missing", "{ done = 19999 }",
      "[=======================>] 19999/20000  99%  152/s  2:03 left" },
  } do
    it("has a line for " .. row[1], function() assert.equal(row[3], line(80, row[2])) end)
  end

  it("shows durations in hours, minutes and seconds", function()
    local ran = run(80, [[
      local times = { 0, 0.4, 59.6, 61, 3599, 3600, 3723, 359999, 3.6e6, 1e300, 1 / 0, 0 / 0, -1 }
      for i, left in ipairs(times) do
        meter:show(numbers { left = left })
        look(i)
        pass(1)
      end]])
    local times = {}
    for i = 1, 13 do times[i] = ran.screen.looks[tostring(i)][1]:match "(%S+) left$" end
    assert.same({ "0:00", "0:00", "1:00", "1:01", "59:59", "1:00:00", "1:02:03", "99:59:59", "-",
      "-", "-", "-", "0:00" }, times)
  end)

  it("shows a slow rate per minute", function()
    local ran = run(80, [[
      for i, rate in ipairs { 0, 0.02, 0.5, 1, 2.34, 9.9, 10, 99.6, 123456 } do
        meter:show(numbers { rate = rate })
        look(i)
        pass(1)
      end]])
    local rates = {}
    for i = 1, 9 do rates[i] = ran.screen.looks[tostring(i)][1]:match "(%S+)  2:03 left$" end
    assert.same({ "0.0/s", "1.2/min", "30.0/min", "1.0/s", "2.3/s", "9.9/s", "10/s", "100/s",
      "123456/s" }, rates)
  end)

  for columns, expected in pairs {
    [1] = "", [5] = " 6%", [12] = "1234/20000", [20] = "1234/20000   6%",
    [30] = "1234/20000   6%  3 failed", [40] = "1234/20000   6%  2:03 left  3 failed",
    [50] = "1234/20000   6%  152/s  2:03 left  3 failed",
    [53] = "[>     ] 1234/20000   6%  152/s  2:03 left  3 failed",
    [300] = "[==>" .. (" "):rep(37) .. "] 1234/20000   6%  152/s  2:03 left  3 failed",
  } do
    it(("shows the most important parts in %d columns"):format(columns), function()
      assert.equal(expected, line(columns, "{ failed = 3 }"))
    end)
  end

  for what, changes in pairs {
    ["ordinary numbers"] = "",
    ["large numbers"] = [[{ done = 9007199254740993, total = math.maxinteger, rate = 1e15,
      left = 3.5e6, failed = 1234567890, unknown = 9876543210 }]],
    ["numbers of which one is not known"] = "{ total = false, failed = 3, unknown = 4 }",
  } do
    it("never fills the last column, with " .. what, function()
      local ran = run(80, ([[
        for columns = 1, 200 do
          resize(columns)
          meter:show(numbers(%s))
          look(columns)
          pass(1)
        end]]):format(changes))
      for columns = 1, 200 do
        local rows = ran.screen.looks[tostring(columns)]
        assert.is_true(#rows <= 1, columns)
        assert.is_true(#(rows[1] or "") < columns, rows[1])
      end
    end)
  end

  it("has 80 columns if the terminal does not report its width", function()
    assert.equal(line(80), line(0))
  end)

  it("follows a resized window", function()
    local ran = run(80, [[
      for i, columns in ipairs { 80, 20, 50, 9, 80 } do
        resize(columns)
        pass(1)
        meter:show(numbers())
        look(i)
      end]])
    local rows = {}
    for i = 1, 5 do rows[i] = ran.screen.looks[tostring(i)] end
    local wide = { "[=>                      ] 1234/20000   6%  152/s  2:03 left" }
    assert.same({ wide, { "1234/20000   6%" },
      { "[>            ] 1234/20000   6%  152/s  2:03 left" }, { " 6%" }, wide }, rows)
  end)

  it("draws at most once per interval", function()
    local ran = run(80, [[
      meter:show(numbers())
      local function step(seconds, done)
        pass(seconds)
        meter:show(numbers { done = done })
        look(done)
      end
      step(0, 1)
      step(meter.interval * 0.9, 2)
      step(meter.interval * 0.2, 3)
      step(meter.interval * 0.9, 4)
      assert(meter.interval == 0.1)]])
    local seen = {}
    for i = 1, 4 do seen[i] = ran.screen.looks[tostring(i)][1]:match "(%d+)/" end
    assert.same({ "1234", "1234", "3", "3" }, seen)
  end)

  it("erases the rest of a longer line", function()
    local ran = run(80, [[
      meter:show(numbers { failed = 12345 })
      pass(1)
      meter:show(numbers { done = 7, rate = 5 })
      look "then"]])
    assert.same({ "[>                       ] 7/20000   0%  5.0/s  2:03 left" },
      ran.screen.looks["then"])
  end)

  describe("erases the line", function()
    for what, text in pairs {
      ["at the end"] = "",
      ["in a window that has become narrower"] = "resize(17)",
      ["in a window that has become wider"] = "resize(200)",
      -- A terminal shows this at the cursor when Ctrl-C is pressed.
      ["after a Ctrl-C"] = [[io.stderr:write "^C"]],
      ["when it is ended twice, and shown after that"] = [[
        meter:finish(numbers())
        pass(1)
        meter:show(numbers())]],
    } do
      it(what, function()
        for _, columns in ipairs { 50, 80 } do  -- at 50 the line fills the terminal
          local ran = run(columns, ([[
            io.stderr:write "before\n"
            meter:show(numbers())
            look "then"
            %s
            meter:finish(numbers())
            io.stderr:write "after\n"
            meter:finish(numbers())]]):format(text))
          assert.equal(2, #ran.screen.looks["then"])
          assert.same({ "before", "after" }, ran.screen.rows)
        end
      end)
    end
  end)

  it("writes nothing at the end if nothing was shown", function()
    assert.equal("", run(80, "meter:finish(numbers())").stderr)
  end)
end)

-- Returns the lines in a file, or on a terminal without cursor control.
local function lines_of(text)
  assert.is_nil(text:find("[\27\r]"), text)
  local lines = {}
  for one in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = one end
  return lines
end

describe("progress in a file", function()
  it("is a line every five seconds and one at the end", function()
    local ran = run("pipe", [[
      assert(meter.interval == 5)
      for done = 0, 1400, 100 do
        meter:show(numbers { done = done, failed = done // 500 })
        pass(1)
      end
      meter:finish(numbers { done = 20000, left = 0, elapsed = 131 })
      meter:finish(numbers())
      pass(60)
      meter:show(numbers())]])
    assert.same({
      "500 of 20000 done, 1 failed, 152/s, 2:03 left",
      "1000 of 20000 done, 2 failed, 152/s, 2:03 left",
      "20000 of 20000 done, 152/s, took 2:11",
    }, lines_of(ran.stderr))
  end)

  it("has the totals at the end", function()
    local ran = run("pipe",
      "meter:finish(numbers { failed = 3, unknown = 2, skipped = 500, elapsed = 3723 })")
    assert.same(
      { "1234 of 20000 done, 3 failed, 2 unknown, 500 skipped, 152/s, took 1:02:03" },
      lines_of(ran.stderr))
  end)

  it("does not need a total", function()
    local ran = run("pipe", [[
      pass(5)
      meter:show(numbers { total = false, unknown = 1 })
      meter:finish(numbers { total = false })]])
    assert.same({ "1234 done, 1 unknown, 152/s", "1234 done, 152/s, took 0:08" },
      lines_of(ran.stderr))
  end)

  it("is the same for a terminal without cursor control", function()
    local ran = run(80, [[
      pass(5)
      meter:show(numbers())
      meter:finish(numbers())]], { TERM = "dumb" })
    assert.same({
      "1234 of 20000 done, 152/s, 2:03 left", "1234 of 20000 done, 152/s, took 0:08",
    }, lines_of((ran.stderr:gsub("\r\n", "\n"))))
  end)
end)

describe("progress for a function", function()
  local now, monotime

  before_each(function()
    now, monotime = 1000, internal.monotime
    internal.monotime = function() return now end
  end)

  after_each(function() internal.monotime = monotime end)

  it("calls it with the numbers, and once more at the end", function()
    local seen = {}
    local meter = progress.new(function(numbers) seen[#seen + 1] = numbers.done end)
    for done = 0, 6 do
      meter:show { done = done }
      now = now + meter.interval * 0.6
    end
    meter:finish { done = 7 }
    meter:finish { done = 8 }
    now = now + 1
    meter:show { done = 9 }
    assert.same({ 0, 2, 4, 6, 7 }, seen)
    assert.equal(0.1, meter.interval)
  end)

  it("calls it with a table of its own", function()
    local kept
    local meter = progress.new(function(numbers) kept = numbers end)
    local numbers = { done = 1, total = 2, left = 0.5 }
    meter:show(numbers)
    assert.same(numbers, kept)
    kept.done = "changed"
    assert.equal(1, numbers.done)
  end)

  it("raises its error, and does not call it again", function()
    local calls, problem = 0, {}
    local meter = progress.new(function()
      calls = calls + 1
      error(problem)
    end)
    local ok, raised = pcall(meter.show, meter, { done = 1 })
    assert.is_false(ok)
    assert.equal(problem, raised)
    now = now + 1
    meter:show { done = 2 }
    meter:finish { done = 2 }
    assert.equal(1, calls)
  end)

  it("writes nothing", function()
    local ran = run(80, [[
      meter = require "cekura.each.progress".new(function() end)
      meter:show(numbers())
      meter:finish(numbers())]])
    assert.equal("", ran.stderr)
  end)
end)

describe("no progress", function()
  for _, option in ipairs { "false", "nil" } do
    it("is shown for " .. option, function()
      local ran = run(80, ([[
        meter = require "cekura.each.progress".new(%s)
        assert(meter.interval == math.huge)
        meter:show(numbers())
        meter:finish(numbers())]]):format(option))
      assert.equal("", ran.stderr)
    end)
  end

  for _, option in ipairs { "yes", 1, {} } do
    it("can be requested with a " .. type(option) .. ", which raises", function()
      assert.has_error(function() progress.new(option) end, "progress: expected true or a function")
    end)
  end
end)
