-- cekura-review calls, run as a user would run it.
-- Above all: no value is paid twice unless the user asks for it.

local Review = require "support.review"
local json = require "cjson".new()
local scratch = require "support.scratch"
local shard = require "cekura.review.internal.shard"

local NO_ERRORS = ""
local PATH = "POST /observability/v1/call-logs/evaluate_metrics/"

local PLAN = [[
20 calls to evaluate.
Estimate: 40 metric evaluations (20 calls × 2 metrics), 40 credits.
Balance: 10000 credits (the last half hour may be missing).
]]

local SPENT = "Spent: 40 metric evaluations.\n"

local VALUES = [[

Follow-up Offered (binary): 20 values.
  value   calls
  failed      7   35%  ###########
  passed     13   65%  ####################

Steps Completed (numeric): 20 values.
  min  median  max
    1     2.5    3

]]

describe("cekura-review calls", function()
  local example, journal

  local function start(options)
    if example then example:close() end
    example = Review.new("calls", options)
    journal = example:path "journal"
  end

  before_each(function() start() end)
  after_each(function()
    example:close()
    example = nil
  end)

  local function words_of(...)
    return { "--interval", "0.02", "--no-progress", "--journal", journal, ... }
  end

  local function words_of_twenty(...)
    return words_of("--agent", "231", "--metric", "57", "--metric", "55", "--success", "no",
      "--limit", "20", ...)
  end

  local function run(...) return example:run(table.unpack(words_of(...))) end
  local function run_twenty(...) return example:run(table.unpack(words_of_twenty(...))) end

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

  local function all_are_read() example:await_polls(20) end

  -- Evaluates twenty calls. The first poll must see their values before the evaluation: the wait
  -- would take 30 seconds to be sure of unchanged ones.
  local function evaluate_twenty(...)
    return example:run_until(all_are_read, table.unpack(words_of_twenty("--apply", ...)))
  end

  it("with --apply evaluates the calls, and prints the values", function()
    start { evaluation_time = Review.RUNNING }
    local output, errors, code = evaluate_twenty()
    assert.equal(NO_ERRORS, errors)
    assert.equal(PLAN .. VALUES .. SPENT, output)
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
    assert.matches("\nNothing to send: all %d+ calls are in ", output)
    output = run("--agent", "231", "--metric", "57", "--again", "--journal", journal .. "-again")
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
        assert.equal("cekura-review calls: " .. row[2] .. "\n", errors)
        assert.equal(2, code)
        assert.same({}, example:sent())
      end)
    end

    it("more than --max-evaluations", function()
      local output, errors, code = run_twenty("--apply", "--max-evaluations", "39")
      assert.equal(PLAN .. "Spent: nothing.\n", output)
      assert.equal("cekura-review calls: 40 evaluations are more than --max-evaluations 39: "
        .. "nothing was "
        .. "started\n", errors)
      assert.equal(2, code)
      assert.same({}, example:sent())
    end)

    it("a server that is not running", function()
      example.server:stop()
      local output, errors, code = run_twenty()
      assert.equal("", output)
      assert.matches("^cekura%-review calls: [^\n]*%(network%)\n$", errors)
      assert.equal(4, code)
    end)
  end)

  it("prints why the server refuses, such as missing credits", function()
    start { balance = 39, faults = { { path = "/billing/", status = 403 } } }
    local output, errors, code = run_twenty "--apply"
    assert.matches("\nSpent: nothing%.\n$", output)
    assert.matches("^cekura%-review calls: [^\n]*Insufficient credits: this needs "
      .. "40[^\n]*\n$", errors)
    assert.equal(1, code)
    assert.equal(2, #example:sent())
  end)

  it("stops at an unknown outcome, and prints the values of the calls before", function()
    start { faults = { { method = "POST", skip = 1, drop = true } } }
    local output, errors, code = run("--project", "14", "--metric", "57", "--since", "2025-01-01",
      "--apply")
    assert.matches("\ncekura%-review calls: 100 calls from %d+ to %d+ may have been started%. "
      .. "They are not sent again%.", errors)
    assert.matches("\ncekura%-review calls: %d+ calls not sent: run the same command again", errors)
    assert.matches("\nFollow%-up Offered %(binary%): 100 values%.\n", output)
    assert.equal(4, code)
    assert.equal(4, #example:sent())
  end)

  -- Returns how often each call was sent.
  local function counts()
    local found, sent = {}, example:sent()
    for i = 2, #sent, 2 do
      for id in sent[i]:match('"call_logs":(%b[])'):gmatch "%d+" do
        found[id] = (found[id] or 0) + 1
      end
    end
    return found
  end

  local function assert_once(count)
    local found = 0
    for id, times in pairs(counts()) do
      assert.equal(1, times, id)
      found = found + 1
    end
    assert.equal(count, found)
  end

  local function words_of_all(...)
    return words_of("--agent", "231", "--metric", "57", "--apply", ...)
  end

  local function run_all(...) return example:run(table.unpack(words_of_all(...))) end

  describe("records what was sent:", function()
    it("a run during the evaluation pays for nothing twice, and waits for the values", function()
      start { evaluation_time = 60 }
      run_twenty("--apply", "--timeout", Review.SHORT)
      local output, errors, code = run_twenty("--apply", "--timeout", Review.SHORT)
      assert.equal("0 calls to evaluate.\nNothing to send: all 20 calls are in " .. journal
        .. ".\n", output)
      assert.matches("20 of 20 call logs have no new values yet", errors)
      assert.equal(5, code)
      assert_once(20)
    end)

    it("prints the values of calls that an earlier run has sent", function()
      start { evaluation_time = Review.RUNNING }
      local total = math.tointeger(run_all("--timeout", "0.1"):match "^(%d+) calls")
      local reads = gets "call%-logs/%d+/$" + total
      local function all_are_polled() example:await_requests("GET .*/call%-logs/%d+/$", reads) end
      local output, errors, code = example:run_until(all_are_polled, table.unpack(words_of_all()))
      assert.equal(NO_ERRORS, errors)
      assert.is_truthy(output:find(("(binary): %d values."):format(total), 1, true), output)
      assert.is_nil(output:find("Spent", 1, true))
      assert.equal(0, code)
      assert_once(total)
    end)

    it("calls without a value count for --limit", function()
      start { evaluation_time = 60 }
      run("--agent", "231", "--metric", "57", "--limit", "3", "--apply", "--timeout", "0.1")
      local output = run("--agent", "231", "--metric", "57", "--limit", "5")
      assert.matches("^2 calls to evaluate%.\nAlready sent, according to [^\n]*: 3%.\n", output)
    end)

    it("unknown calls are sent again only with --redo-unknown", function()
      start { faults = { { method = "POST", drop = true } } }
      local function run_three(...)
        return run("--agent", "231", "--metric", "57", "--limit", "3", "--apply", ...)
      end
      local output, errors, code = run_three()
      assert.matches("\nSpent: nothing; unknown: 3 metric evaluations%.\n$", output)
      assert.matches("3 calls from %d+ to %d+ may have been started", errors)
      assert.equal(4, code)
      output, errors, code = run_three()
      assert.matches("\nNothing to send: all 3 calls are in ", output)
      assert.matches("^cekura%-review calls: 3 calls from %d+ to %d+ may have been started%. They "
        .. "are not sent again[^\n]*\n$", errors)
      assert.equal(4, code)
      assert_once(3)
      output, errors, code = run_three "--redo-unknown"
      assert.equal(NO_ERRORS, errors)
      assert.matches("%(binary%): 3 values%..*\nSpent: 3 metric evaluations%.\n$", output)
      assert.equal(0, code)
    end)

    it("a refused call may be sent again", function()
      start { evaluation_time = Review.RUNNING }
      example.server:faults { { method = "POST", status = 402, body = { detail = "no credits" } } }
      local output, _, code = run_twenty "--apply"
      assert.matches("\nSpent: nothing%.\n$", output)
      assert.equal(1, code)
      example.server:clear()
      output, _, code = evaluate_twenty()
      assert.equal(PLAN .. VALUES .. SPENT, output)
      assert.equal(0, code)
    end)

    it("a call whose response was lost is waited for by the next run", function()
      start { faults = { { method = "POST", truncate = 20 } } }
      local output = run_all()
      local total = math.tointeger(output:match "^(%d+) calls")
      assert.matches(("\nSpent: %d metric evaluations%%.\n$"):format(total), output)
      local _, errors, code = run_all()
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert_once(total)
    end)

    it("other metrics need another journal", function()
      run_all("--limit", "1")
      local _, errors, code = run("--agent", "231", "--metric", "52", "--apply")
      assert.matches("a journal of other work", errors)
      assert.equal(2, code)
    end)

    it("nothing is written without --apply", function()
      run_twenty()
      assert.is_nil(scratch.read(journal))
    end)
  end)

  it("takes the scope from the environment", function()
    local by_agent = run("--agent", "231", "--metric", "57")
    local by_project = run("--project", "14", "--metric", "57")
    assert.not_equal(by_agent, by_project)
    example.environment.CEKURA_PROJECT_ID = "14"
    assert.equal(by_project, (run("--metric", "57")))
    example.environment.CEKURA_AGENT_ID = "231"
    assert.equal(by_agent, (run("--metric", "57")))
    assert.equal(by_project, (run("--metric", "57", "--project", "14")))
  end)

  describe("--shard", function()
    it("divides the calls among processes without repeating any", function()
      local total = math.tointeger(run("--agent", "231", "--metric", "57"):match "^(%d+) calls")
      for run_number = 1, 2 do
        local processes = {}
        for i = 1, 8 do
          processes[i] = example:start("--agent", "231", "--metric", "57", "--interval", "0.02",
            "--no-progress", "--journal", journal, "--shard", i .. "/8", "--apply")
        end
        for _, process in ipairs(processes) do
          local output, code = process:finish()
          assert.equal(0, code, output)
          assert.is_true(run_number == 1 or not output:find("Spent", 1, true))
        end
        assert_once(total)
      end
    end)

    it("sends nothing if the part is empty", function()
      local part = 0  -- one in which no call is
      local function is_used(log) return shard.has({ index = part, total = 1000 }, log) end
      repeat
        part = part + 1
        local used = false
        for id in pairs(example.server:state "call_logs") do used = used or is_used(id) end
      until not used
      local output, errors, code = run("--agent", "231", "--metric", "57", "--shard",
        part .. "/1000", "--apply")
      assert.equal(("0 calls to evaluate.\nNothing to send: no call is in part %d of 1000.\n")
        :format(part), output)
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
    end)
  end)

  describe("with --json", function()
    local function run_json(...)
      local output, errors, code = run_twenty("--json", ...)
      return json.decode(output), errors, code
    end

    it("has the plan, and prints it with its cost to stderr", function()
      local data, errors, code = run_json()
      assert.equal(PLAN .. "Nothing was started: --apply does it.\n", errors)
      assert.equal(0, code)
      assert.same({ 20, 40, 10000, 231 }, { #data.to_send, data.evaluations, data.balance,
        data.agent_id })
      assert.same({ {}, {}, {} }, { data.started, data.unknown, data.already_sent })
    end)

    it("has what was started, and the distribution", function()
      start { evaluation_time = Review.RUNNING }
      local output, _, code = evaluate_twenty "--json"
      local data = json.decode(output)
      assert.equal(0, code)
      assert.same({ 40, 0 }, { data.spent.evaluations, data.spent.evaluations_unknown })
      assert.same(data.to_send, data.started)
      assert.same({ metric_id = 57, name = "Follow-up Offered", eval_type = "binary", count = 20,
        values = { { value = "failed", count = 7 }, { value = "passed", count = 13 } } },
        data.distribution[1])
      local steps = data.distribution[2]
      assert.same({ 20, 1, 2.5, 3 }, { steps.count, steps.min, steps.median, steps.max })
    end)
  end)

  it("counts what a Ctrl-C during the call may have started as unknown", function()
    start { faults = { { method = "POST", delay = 60 } } }
    local process = example:start("--agent", "231", "--metric", "57", "--limit", "3",
      "--no-progress", "--journal", journal, "--apply", "--json")
    example:await_requests "POST"
    process:signal "INT"
    local output, code = process:finish()
    assert.equal(130, code)
    assert.matches("\nSpent: nothing; unknown: 3 metric evaluations%.\n", output)
    local data = json.decode(output:match "\n({.*})\n")
    assert.same({ 3, 0 }, { #data.unknown, #data.started })
    assert.same(data.to_send, data.unknown)
  end)

  describe("during the wait", function()
    local LOOK = "started evaluations continue: without %-%-apply this command prints the values"

    before_each(function() start { evaluation_time = 60 } end)

    local function start_process(...)
      return example:start("--agent", "231", "--metric", "57", "--limit", "3", "--interval", "0.05",
        "--journal", journal, "--no-progress", "--apply", ...)
    end

    it("says if the network is lost", function()
      local process = start_process("--timeout", Review.LOST)
      example:await_polls(4)
      example.server:stop()
      local output, code = process:finish()
      assert.matches("%(network%)[^\n]*" .. LOOK, output)
      assert.equal(4, code)
    end)

    it("says if it is not done in time", function()
      local output, errors, code = run_twenty("--apply", "--timeout", Review.SHORT)
      assert.equal(PLAN .. SPENT, output)
      assert.matches("20 of 20 call logs have no new values yet[^\n]*" .. LOOK, errors)
      assert.equal(5, code)
    end)

    it("ends at a Ctrl-C", function()
      local process = start_process()
      example:await_polls(4)
      process:signal "INT"
      local output, code = process:finish()
      assert.matches("\ncekura%-review calls: interrupted: " .. LOOK, output)
      assert.equal(130, code)
    end)
  end)
end)
