-- examples/evaluate_calls.lua, run as a user would run it.
-- Above all: no value is paid twice unless the user asks for it.

local Example = require "support.example"

local NO_ERRORS = ""
local PATH = "POST /observability/v1/call-logs/evaluate_metrics/"

local PLAN = [[
20 calls to evaluate.
Cost: 40 metric evaluations (20 calls × 2 metrics).
Balance: 10000 credits (the last half hour may be missing).
]]

local VALUES = [[

Follow-up Offered (binary): 20 values.
  value   calls
  failed      7   35%  ###########
  passed     13   65%  ####################

Steps Completed (numeric): 20 values.
  min  median  max
    1     2.5    3

]]

describe("evaluate_calls", function()
  local example

  local function start(options)
    if example then example:close() end
    example = Example.new("evaluate_calls", options)
  end

  before_each(function() start() end)
  after_each(function()
    example:close()
    example = nil
  end)

  local function run(...)
    return example:run("--interval", "0.02", "--no-progress", ...)
  end

  local function run_twenty(...)
    return run("--agent", "231", "--metric", "57", "--metric", "55", "--success", "no", "--limit",
      "20", ...)
  end

  local function gets(pattern)
    local count = 0
    for _, request in ipairs(example.server:requests()) do
      if request.method == "GET" and request.path:find(pattern) then count = count + 1 end
    end
    return count
  end

  it("prints the plan with its cost, and only reads", function()
    local output, errors, code = run_twenty()
    assert.equal(NO_ERRORS, errors)
    assert.equal(PLAN .. "Nothing was started: --apply does it.\n", output)
    assert.equal(0, code)
    assert.same({}, example:sent())
  end)

  it("reads no more pages than --limit needs", function()
    local function read(limit) -- without --until, the first windows are empty: NOW is in the past
      run("--project", "14", "--metric", "57", "--since", "2025-01-01", "--until", "2025-11-21",
        "--limit", limit)
    end
    read "100"
    assert.equal(1, gets "call%-logs/$")
    read "101"
    assert.equal(3, gets "call%-logs/$")
  end)

  it("with --apply evaluates the calls, and prints the values", function()
    local output, errors, code = run_twenty "--apply"
    assert.equal(NO_ERRORS, errors)
    assert.equal(PLAN .. VALUES, output)
    assert.equal(0, code)
    local sent = example:sent()
    assert.equal(PATH, sent[1])
    assert.equal(2, #sent)
    local logs = sent[2]:match '^{"agent_id":231,"call_logs":%[([%d,]+)%],"metrics":%[57,55%]}$'
    local count = 0
    for id in logs:gmatch "%d+" do
      count = count + 1
      assert.is_not_nil(example.server:state("call_logs", math.tointeger(id)).metrics[57])
    end
    assert.equal(20, count)
  end)

  it("leaves out calls that have the values, unless --again is given", function()
    local _, _, first = run("--agent", "231", "--metric", "57", "--apply")
    assert.equal(0, first)
    example.server:clear()
    local output, errors, code = run("--agent", "231", "--metric", "57", "--apply")
    assert.equal(NO_ERRORS, errors)
    assert.matches("^0 calls to evaluate%.\nHave all values already: %d+, left out%.\n\nFollow%-up "
      .. "Offered %(binary%): %d+ values%.\n", output)
    assert.equal(0, code)
    assert.same({}, example:sent())
    output = run("--agent", "231", "--metric", "57", "--again")
    assert.matches("^%d%d+ calls to evaluate%.\nHave all values already: %d+%.\n", output)
  end)

  it("sends a hundred calls of a project per request", function()
    local output, errors, code = run("--project", "14", "--metric", "57", "--since", "2025-01-01",
      "--apply")
    assert.equal(NO_ERRORS, errors)
    assert.equal(0, code)
    local total, sizes = math.tointeger(output:match "^(%d+) calls"), {}
    for _, body in ipairs(example:sent()) do
      local logs = body:match '"call_logs":%[([%d,]+)%]'
      if logs then sizes[#sizes + 1] = select(2, logs:gsub("%d+", "")) end
    end
    assert.same({ 100, 100, total - 200 }, sizes)
  end)

  it("counts the values of an enum", function()
    local output = run("--agent", "231", "--metric", "52")
    assert.matches("Call Outcome %(enum%): %d+ values%.\n", output)
    local sum = 0
    for name, count in output:gmatch "\n  (%l+) +(%d+) +%d+%%  #+" do
      assert.is_truthy(("confirmed rescheduled cancelled unresolved"):find(name, 1, true), name)
      sum = sum + count
    end
    assert.equal(math.tointeger(output:match "(%d+) values%."), sum | 0)
  end)

  it("selects calls by date", function()
    local output = run("--agent", "231", "--metric", "57", "--since", "2025-10-01", "--until",
      "2025-10-03")
    local expected = 0
    for _, log in pairs(example.server:state "call_logs") do
      local day = os.date("!%Y-%m-%d", log.timestamp // 1 | 0)
      if log.agent_id == 231 and day >= "2025-10-01" and day <= "2025-10-03" then
        expected = expected + 1
      end
    end
    assert.is_true(expected > 3)
    assert.equal(expected, math.tointeger(output:match "^(%d+) calls"))
  end)

  describe("refuses", function()
    local HELP = "; --help shows how it is used"

    for what, row in pairs {
      ["neither agent nor project"] = { { "--metric", "57" },
        "whose calls? Say --agent or --project" .. HELP },
      ["an agent and a project"] = { { "--agent", "1", "--project", "2", "--metric", "57" },
        "option '--project' can not be used together with option '--agent'" .. HELP },
      ["no metric"] = { { "--agent", "231" }, "missing option '--metric'" .. HELP },
      ["a metric twice"] = { { "--agent", "231", "--metric", "57", "--metric", "57" },
        "--metric: the id 57 is listed twice" .. HELP },
      ["an unknown word"] = { { "--agent", "231", "--metric", "57", "--success", "maybe" },
        "argument for option '--success' must be one of 'yes', 'no'" .. HELP },
      ["a limit of 0"] = { { "--agent", "231", "--metric", "57", "--limit", "0" },
        "'0' is not a whole number from 1 on" .. HELP },
      ["an unknown metric"] = { { "--agent", "231", "--metric", "99" }, "there is no "
        .. "metric 99: metrics.get: status 404: No Metric matches the given query. (not_found)" },
      ["filters that no call fits"] = { { "--agent", "99999", "--metric", "57" },
        "no call fits: are the id, the dates and the other filters right?" },
    } do
      it(what, function()
        table.insert(row[1], "--apply")
        local output, errors, code = run(table.unpack(row[1]))
        assert.equal("", output)
        assert.equal("evaluate_calls: " .. row[2] .. "\n", errors)
        assert.equal(2, code)
        assert.same({}, example:sent())
      end)
    end

    it("more than --max-evaluations", function()
      local output, errors, code = run_twenty("--apply", "--max-evaluations", "39")
      assert.equal(PLAN, output)
      assert.equal("evaluate_calls: 40 evaluations are more than --max-evaluations 39: nothing was "
        .. "started\n", errors)
      assert.equal(2, code)
      assert.same({}, example:sent())
    end)

    it("a server that is not running", function()
      example.server:stop()
      local output, errors, code = run_twenty()
      assert.equal("", output)
      assert.matches("^evaluate_calls: [^\n]*%(network%)\n$", errors)
      assert.equal(4, code)
    end)
  end)

  it("prints why the server refuses, such as missing credits", function()
    start { balance = 39 }
    local output, errors, code = run_twenty "--apply"
    assert.is_truthy(output:find("Balance: 39 credits", 1, true))
    assert.matches("^evaluate_calls: [^\n]*Insufficient credits: this needs 40[^\n]*\n$", errors)
    assert.equal(1, code)
    assert.equal(2, #example:sent())
  end)

  it("stops at an unknown outcome, and prints the values of the calls before", function()
    start { faults = { { method = "POST", skip = 1, drop = true } } }
    local output, errors, code = run("--project", "14", "--metric", "57", "--since", "2025-01-01",
      "--apply")
    assert.matches("\nevaluate_calls: The calls from %d+ to %d+ may have been started%. They are "
      .. "not sent again%.", errors)
    assert.matches("\nFollow%-up Offered %(binary%): 100 values%.\n", output)
    assert.equal(4, code)
    assert.equal(4, #example:sent())
  end)

  describe("during the wait", function()
    local LOOK = "started evaluations continue: without %-%-apply this command prints the values"

    before_each(function() start { evaluation_time = 60 } end)

    local function start_process(...)
      return example:start("--agent", "231", "--metric", "57", "--limit", "3", "--interval", "0.05",
        "--no-progress", "--apply", ...)
    end

    it("says if the network is lost", function()
      local process = start_process("--timeout", Example.LOST)
      example:await_polls(4)
      example.server:stop()
      local output, code = process:finish()
      assert.matches("%(network%)[^\n]*" .. LOOK, output)
      assert.equal(4, code)
    end)

    it("says if it is not done in time", function()
      local output, errors, code = run_twenty("--apply", "--timeout", Example.SHORT)
      assert.equal(PLAN, output)
      assert.matches("20 of 20 call logs have no new values yet[^\n]*" .. LOOK, errors)
      assert.equal(5, code)
    end)

    it("ends at a Ctrl-C", function()
      local process = start_process()
      example:await_polls(4)
      process:signal "INT"
      local output, code = process:finish()
      assert.matches("\nevaluate_calls: interrupted: " .. LOOK, output)
      assert.equal(130, code)
    end)
  end)
end)
