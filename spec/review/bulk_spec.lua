-- cekura-review bulk, run as a user would run it.
-- Above all: no result is paid twice unless the user asks for it.

local Review = require "support.review"
local child = require "support.child"
local json = require "cjson".new()
local scratch = require "support.scratch"
local shard = require "cekura.review.internal.shard"

local NO_ERRORS = ""
local PATH = "POST /test_framework/v1/results/bulk_evaluate_metrics/"
local SPENT = "Spent: at most 23 metric evaluations.\n"
local NOTHING = "Nothing was started: --apply does it.\n"

local PLAN = [[
Metrics: Steps Completed.
3 results, from 371 to 374, in 1 call.
Estimate: 23 metric evaluations (at most: 23 runs × 1 metric), 23 credits.
Balance: 10000 credits (the last half hour may be missing).
]]

local TABLE = [[

  result  name                           runs  status     success     now
     371  Harbor Scheduling, 21 October    10  completed  50%      →  50%
     373  Harbor Scheduling, 22 October     6  completed  67%      →  50%  changed
     374  Harbor Reminders, 22 October      7  completed  14%      →  0%   changed

]]

describe("cekura-review bulk", function()
  local example, journal

  local function start(options)
    if example then example:close() end
    example = Review.new("bulk", options)
    journal = example:path "journal"
  end

  before_each(function() start() end)
  after_each(function()
    example:close()
    example = nil
  end)

  local function words(...)
    return "--metrics", "55", "--journal", journal, "--interval", "0.02", "--no-progress", ...
  end

  local function run(...) return example:run(words(...)) end

  local function run_three(...) return run("--results", "371,373,374", ...) end

  -- Returns the number of results of each call.
  local function sizes()
    local list, sent = {}, example:sent()
    for i = 2, #sent, 2 do
      local _, commas = sent[i]:match '"result_ids":%[([^]]*)%]':gsub(",", "")
      list[i // 2] = commas + 1
    end
    return list
  end

  -- Returns a file with that many ids of results, all of agents that have metric 55.
  local function many(count)
    local ids = {}
    for id, result in pairs(example.server:state "results") do
      if result.agent_id ~= 224 then ids[#ids + 1] = id end
    end
    table.sort(ids)
    return example:write("ids", "# results\n" .. table.concat(ids, "\n", 1, count) .. "\n")
  end

  describe("without --apply", function()
    it("prints the plan with its cost, and only reads", function()
      local output, errors, code = run_three()
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. NOTHING, output)
      assert.equal(0, code)
      assert.same({}, example:sent())
      assert.is_nil(scratch.read(journal))
    end)

    it("finds the results of an agent between two dates", function()
      local output, errors, code = run("--agent", "231", "--since", "2025-11-10", "--until",
        "2025-11-14")
      assert.equal(NO_ERRORS, errors)
      local found, least, most = 0, math.huge, 0
      for id, result in pairs(example.server:state "results") do
        local day = math.tointeger(tonumber(result.name:match "(%d+) November"))
        if result.agent_id == 231 and day and day >= 10 and day <= 14 then
          found, least, most = found + 1, math.min(least, id), math.max(most, id)
        end
      end
      assert.is_true(found > 2)
      assert.is_truthy(output:find(("%d results, from %d to %d, in 1 call.\n"):format(found, least,
        most), 1, true), output)
      assert.equal(0, code)
      assert.same({}, example:sent())
    end)

    it("reads ids from a file", function()
      local output = run("--from-file", many(112))
      assert.matches("112 results, from 301 to %d+, in 2 calls%.", output)
      assert.is_truthy(output:find(NOTHING, 1, true))
    end)
  end)

  describe("with --apply", function()
    it("starts the results, waits, and prints them before and after", function()
      local output, errors, code = run_three "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. TABLE .. SPENT, output)
      assert.equal(0, code)
      assert.same({ PATH, '{"result_ids":[371,373,374],"metric_ids":[55]}' }, example:sent())
    end)

    it("does not take an old status for the new one", function()
      example:lag(373, 1)
      local output, errors = run_three "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. TABLE .. SPENT, output)
    end)

    it("starts nothing a second time", function()
      run_three "--apply"
      example.server:clear()
      local output, errors, code = run_three "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal("Metrics: Steps Completed.\nNothing to send: all 3 results are in " .. journal
        .. ".\n", output:match "^.-\n.-\n")
      assert.is_nil(output:find("Spent", 1, true))
      assert.equal(0, code)
      assert.same({}, example:sent())
    end)

    it("sends a hundred results per call", function()
      local _, errors, code = run("--from-file", many(112), "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.same({ 100, 12 }, sizes())
    end)

    it("saves the results of an agent, and uses the same ones again", function()
      local _, errors, code = run("--agent", "231", "--since", "2025-11-19", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      local ids = scratch.read(journal .. ".231.ids")
      assert.matches("^%d+\n%d+\n", ids)
      example.server:clear()
      local output
      output, errors, code = run("--agent", "231", "--since", "2025-11-19", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.matches("^The results are those in [^\n]*%.231%.ids%.\n", output)
      assert.equal(0, code)
      assert.same({}, example:sent())
      output, errors, code = run("--agent", "231", "--apply")
      assert.matches("^The results are those in", output)
      assert.matches("a journal of other work", errors)
      assert.equal(2, code)
      assert.same({}, example:sent())
    end)
  end)

  describe("refuses", function()
    local HELP = "; --help shows how it is used"

    for what, row in pairs {
      ["no results"] = { {}, "which results? Say --results, --from-file, --agent or --project"
        .. HELP },
      ["two kinds of them"] = { { "--results", "1", "--agent", "2" },
        "option '--agent' can not be used together with option '--results'" .. HELP },
      ["dates without an agent"] = { { "--results", "1", "--since", "2025-01-01" },
        "--since and --until go with --agent or --project" .. HELP },
      ["--newest without a limit"] = { { "--results", "371", "--newest" },
        "--newest goes with --max-evaluations" .. HELP },
      ["an id twice"] = { { "--results", "371,371" }, "the id 371 is listed twice" .. HELP },
      ["an invalid date"] = { { "--agent", "1", "--since", "May" },
        "'May' is not a date like 2025-01-31 or 2025-01-31T12:00:00Z" .. HELP },
      ["a missing file"] = { { "--from-file", "/none/ids" },
        "/none/ids: No such file or directory" },
      ["an empty file"] = { { "--from-file", "/dev/null" }, "/dev/null: there is no id" },
      ["an unknown result"] = { { "--results", "371,99999" },
        "result 99999: results.get: status 404: No Result matches the given query. (not_found)" },
      ["an unknown agent"] = { { "--agent", "99999" },
        "no result fits: are the id and the dates right?" },
    } do
      it(what, function()
        table.insert(row[1], "--apply")
        local output, errors, code = run(table.unpack(row[1]))
        assert.equal("", output)
        assert.equal("cekura-review bulk: " .. row[2] .. "\n", errors)
        assert.equal(2, code)
        assert.same({}, example:sent())
      end)
    end

    it("an unknown metric", function()
      local _, errors, code = example:run("--metrics", "99", "--results", "371", "--no-progress",
        "--apply")
      assert.matches("^cekura%-review bulk: there is no metric 99: [^\n]*\n$", errors)
      assert.equal(2, code)
    end)

    it("more than --max-evaluations", function()
      local output, errors, code = run_three("--apply", "--max-evaluations", "22")
      assert.equal(PLAN .. "Spent: nothing.\n", output)
      assert.equal("cekura-review bulk: 23 evaluations are more than --max-evaluations 22: nothing "
        .. "was started. --newest sends those that fit\n", errors)
      assert.equal(2, code)
      assert.same({}, example:sent())
    end)
  end)

  it("stops at a refused call, and continues from there in the next run", function()
    start { balance = 1000 }  -- the first hundred is paid, the second is not
    local path = many(112)
    example.server:faults { { method = "POST", skip = 1, status = 400,
      body = { detail = "Insufficient credits" } } }
    local output, errors, code = run("--from-file", path, "--apply")
    assert.matches("^cekura%-review bulk: 12 results from %d+ to %d+: [^\n]*Insufficient", errors)
    assert.matches("\n     301  ", output)
    assert.equal(1, code)
    assert.same({ 100, 12 }, sizes())
    output, errors, code = run("--from-file", path, "--apply")
    assert.equal(NO_ERRORS, errors)
    assert.matches("Already sent, [^\n]*: 100 of 112 results%.\n", output)
    assert.equal(0, code)
    assert.same({ 100, 12, 12 }, sizes())
  end)

  it("names unknown results, and sends them again only with --redo-unknown", function()
    start { faults = { { method = "POST", status = 502 } } }
    local path = many(112)
    local output, errors, code = run("--from-file", path, "--apply")
    assert.matches("^cekura%-review bulk: 100 results from 301 to %d+: [^\n]*502[^\n]*They are not "
      .. "sent again: look at one of them%. %-%-redo%-unknown sends them again, and may pay twice\n"
      .. "cekura%-review bulk: 1 call not sent: ", errors)
    assert.is_nil(output:find("\n     301  ", 1, true))
    assert.equal(4, code)
    assert.same({ 100 }, sizes())
    output, errors, code = run("--from-file", path, "--apply")
    assert.matches("^cekura%-review bulk: 100 results [^\n]*an earlier run started "
      .. "it[^\n]*\n$", errors)
    assert.is_nil(output:find("\n     301  ", 1, true))
    assert.equal(4, code)
    assert.same({ 100, 12 }, sizes())
    output, errors, code = run("--from-file", path, "--apply", "--redo-unknown")
    assert.equal(NO_ERRORS, errors)
    assert.matches("\n     301  ", output)
    assert.equal(0, code)
    assert.same({ 100, 12, 100 }, sizes())
  end)

  describe("tracks ids, not calls:", function()
    -- Returns the ids of each call, in order.
    local function ids()
      local list, sent = {}, example:sent()
      for i = 2, #sent, 2 do list[i // 2] = sent[i]:match '"result_ids":%[([^]]*)%]' end
      return list
    end

    it("the same results in another order are not sent again", function()
      run_three "--apply"
      local _, errors, code = run("--results", "374,371,373", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.same({ "371,373,374" }, ids())
    end)

    it("only the new results of another list are sent", function()
      run("--results", "371,373", "--apply")
      local output, errors, code = run("--results", "374,373", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("Already sent, [^\n]*: 1 of 2 results%.\n", output)
      run("--results", "375,371,374,373", "--apply")
      assert.same({ "371,373", "374", "375" }, ids())
    end)

    it("an unknown result stays unknown in another list", function()
      example.server:faults { { method = "POST", status = 502 } }
      local _, _, code = run("--results", "371,373", "--apply")
      assert.equal(4, code)
      local errors
      _, errors, code = run("--results", "374,373", "--apply")
      assert.matches("^cekura%-review bulk: result 373: an earlier run started it", errors)
      assert.equal(4, code)
      assert.same({ "371,373", "374" }, ids())
      _, errors, code = run("--results", "373,371,374", "--apply", "--redo-unknown")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.same({ "371,373", "374", "373,371" }, ids())
    end)

    it("an unknown result stays unknown if it is refused later", function()
      example.server:faults { { method = "POST", status = 502 },
        { method = "POST", status = 400, body = { detail = "not now" } } }
      run("--results", "371,373", "--apply")
      local _, errors, code = run("--results", "371,373", "--apply", "--redo-unknown")
      assert.matches("not now.*They are not sent again", errors)
      assert.equal(4, code)
      _, errors, code = run("--results", "371,373", "--apply")
      assert.matches("^cekura%-review bulk: 2 results from 371 to 373: an earlier run "
        .. "started", errors)
      assert.equal(4, code)
      assert.same({ "371,373", "371,373" }, ids())
    end)

    it("the metrics in another order are the same work", function()
      local words_of = { "--results", "371", "--journal", journal, "--interval", "0.02",
        "--no-progress", "--apply" }
      example:run("--metrics", "55,57", table.unpack(words_of))
      local _, errors, code = example:run("--metrics", "57,55", table.unpack(words_of))
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.same({ "371" }, ids())
    end)

    it("--max-evaluations counts only results that are left to send", function()
      run("--results", "371,373", "--apply")
      local _, errors, code = run_three("--apply", "--max-evaluations", "7")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.same({ "371,373", "374" }, ids())
    end)
  end)

  describe("saves the results of an agent", function()
    local SINCE = { "--agent", "231", "--since", "2025-11-19" }
    local function path() return journal .. ".231.ids" end

    local function run_agent(...)
      local all = table.move(SINCE, 1, #SINCE, 1, {})
      return run(table.unpack(table.move({ ... }, 1, select("#", ...), #all + 1, all)))
    end

    -- Returns how often each id was sent.
    local function counts()
      local found, sent = {}, example:sent()
      for i = 2, #sent, 2 do
        for id in sent[i]:match('"result_ids":(%b[])'):gmatch "%d+" do
          found[id] = (found[id] or 0) + 1
        end
      end
      return found
    end

    it("and reads them again if the file is not complete", function()
      run_agent "--apply"
      local whole, sent = scratch.read(path()), counts()
      for _, cut in ipairs { 1, 4, #whole // 2, #whole - 1 } do
        os.remove(journal)
        example.server:clear()
        scratch.write(path(), whole:sub(1, cut))
        local _, errors, code = run_agent "--apply"
        assert.equal("cekura-review bulk: " .. path() .. ": is not complete: the results are "
          .. "looked "
          .. "up again\n", errors)
        assert.equal(0, code)
        assert.same(sent, counts())
        assert.equal(whole, scratch.read(path()))
      end
    end)

    it("and sends each once, even if the file lists it twice", function()
      scratch.write(path(), "371\n373\n371\n# 3 ids, all of them\n")
      local output, errors, code = run("--agent", "231", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("\n2 results, from 371 to 373", output)
      assert.same({ ["371"] = 1, ["373"] = 1 }, counts())
    end)

    it("and starts nothing if the file cannot be written", function()
      local output, code = child.run_checked(child.on_full_disk(0,
        example:command(words("--agent", "231", "--apply"))), example.environment)
      assert.not_equal(0, code)
      assert.matches("File too large", output)
      assert.same({}, example:sent())
      assert.is_nil(scratch.read(path()))
    end)
  end)

  describe("says what it spent", function()
    it("after a lost response", function()
      example.server:faults { { method = "POST", drop = true } }
      local output, _, code = run("--results", "371,373", "--apply")
      assert.matches("\nSpent: nothing; unknown: 16 metric evaluations%.\n$", output)
      assert.equal(4, code)
    end)

    it("after an unreadable response to a call that was applied", function()
      example.server:faults { { method = "POST", status = 200, applied = true, body = "<html>" } }
      local output, errors, code = run("--results", "371,373", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.matches("\nSpent: at most 16 metric evaluations%.\n$", output)
      assert.matches("\n     373 ", output)
      assert.equal(0, code)
    end)

    it("after a refusal", function()
      start { balance = 15 }
      example.server:faults { { path = "/billing/", status = 403 } }
      local output, errors, code = run("--results", "371,373", "--apply", "--json")
      assert.matches("\nSpent: nothing%.\n$", errors)
      assert.equal(1, code)
      local data = json.decode(output)
      assert.matches("Insufficient credits", data.error)
      assert.same({ { 371, 373 }, {}, {} }, { data.to_send, data.started, data.unknown })
    end)
  end)

  describe("takes the scope from the environment:", function()
    it("an agent, or else a project", function()
      local by_agent = run("--agent", "231")
      local by_project = run("--project", "14")
      assert.not_equal(by_agent, by_project)
      example.environment.CEKURA_PROJECT_ID = "14"
      assert.equal(by_project, (run()))
      example.environment.CEKURA_AGENT_ID = "231"
      assert.equal(by_agent, (run()))
    end)

    it("unless an option says what to read", function()
      example.environment.CEKURA_AGENT_ID = "231"
      local output, errors = run_three()
      assert.equal(NO_ERRORS, errors)
      assert.equal(PLAN .. NOTHING, output)
      assert.matches("\n3 results, from 301 to 304", (run("--from-file", many(3))))
    end)

    it("and saves the results of a project", function()
      example.environment.CEKURA_PROJECT_ID = "14"
      local _, errors, code = run("--since", "2025-11-20", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("^%d+\n", scratch.read(journal .. ".project-14.ids"))
      example.server:clear()
      assert.matches("\nNothing to send: all %d+ results are in ",
        (run("--since", "2025-11-20", "--apply")))
      assert.same({}, example:sent())
    end)
  end)

  describe("--newest", function()
    local function newest(limit, ...)
      return run_three("--newest", "--max-evaluations", limit, ...)
    end

    it("sends the newest results that fit, and names the others", function()
      local output, errors, code = newest("13", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("\nLeft out, because of %-%-max%-evaluations 13: 371%.\n2 results, from 373 "
        .. "to 374, in 1 call%.\nEstimate: 13 metric evaluations", output)
      assert.same({ PATH, '{"result_ids":[373,374],"metric_ids":[55]}' }, example:sent())
    end)

    it("does not pay for older ones in a second run, but for more with a higher limit", function()
      newest("13", "--apply")
      local output, _, code = newest("13", "--apply")
      assert.matches("\nNothing to send: all 2 results are in ", output)
      assert.equal(0, code)
      assert.same({ 2 }, sizes())
      newest("23", "--apply")
      assert.same({ 2, 1 }, sizes())
    end)

    it("leaves out results that are older than one that does not fit", function()
      assert.matches("\nLeft out, [^\n]*: 371, 373%.\n1 result, from 374 to 374", (newest "12"))
    end)

    it("refuses a limit that the newest result exceeds", function()
      local output, errors, code = newest("6", "--apply")
      assert.equal("", output)
      assert.equal("cekura-review bulk: the newest result, 374, takes 7 evaluations, more than "
        .. "--max-evaluations 6: nothing was started\n", errors)
      assert.equal(2, code)
      assert.same({}, example:sent())
    end)
  end)

  describe("a result without runs", function()
    before_each(function()
      example.server:faults { { method = "GET", path = "/results/373/$", status = 200,
        times = math.huge, body = { id = 373, status = "completed", total_runs_count = 0 } } }
    end)

    it("is left out", function()
      local output, errors, code = run_three "--apply"
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("\nLeft out, without runs: 373%.\n2 results, from 371 to 374", output)
      assert.same({ 2 }, sizes())
    end)

    it("is nothing to send", function()
      local output, errors, code = run("--results", "373", "--apply")
      assert.equal(NO_ERRORS, errors)
      assert.equal("Metrics: Steps Completed.\nLeft out, without runs: 373.\nNothing to send: no "
        .. "result has runs.\n", output)
      assert.equal(0, code)
    end)
  end)

  describe("--shard", function()
    -- Runs all parts at the same time, and checks that each ends with success.
    local function run_parts(total, ...)
      local processes = {}
      for i = 1, total do
        processes[i] = example:start(words("--shard", ("%d/%d"):format(i, total), "--apply", ...))
      end
      local outputs = {}
      for i, process in ipairs(processes) do
        local output, code = process:finish()
        assert.equal(0, code, output)
        outputs[i] = output
      end
      return outputs
    end

    -- Checks that the server was asked to evaluate each result of the agent exactly once.
    local function assert_once()
      local counts, sent, expected = {}, example:sent(), {}
      for i = 2, #sent, 2 do
        for id in sent[i]:match('"result_ids":(%b[])'):gmatch "%d+" do
          counts[id] = (counts[id] or 0) + 1
        end
      end
      for id, result in pairs(example.server:state "results") do
        if result.agent_id == 231 then expected[tostring(id)] = 1 end
      end
      assert.same(expected, counts)
    end

    it("divides the results of an agent among processes without repeating any", function()
      run_parts(8, "--agent", "231")
      assert_once()
      for _, output in ipairs(run_parts(8, "--agent", "231")) do
        assert.matches("\nNothing to send: ", output)
      end
      assert_once()
    end)

    it("sends nothing if the part is empty", function()
      local part = shard.has({ index = 1, total = 8 }, 371) and 2 or 1
      local output, errors, code = run("--results", "371", "--shard", part .. "/8", "--apply")
      assert.equal(("Metrics: Steps Completed.\nNothing to send: no result is in part %d of 8.\n")
        :format(part), output)
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.same({}, example:sent())
    end)

    it("refuses another number of parts, whose journals do not know what was sent", function()
      local function assert_refused(problem, ...)
        example.server:clear()
        local output, errors, code = run_three("--apply", ...)
        assert.equal("", output)
        assert.equal(("cekura-review bulk: %s: an earlier run has sent %s: use the same --shard "
          .. "K/N, or name another --journal\n"):format(journal, problem), errors)
        assert.equal(2, code)
        assert.same({}, example:sent())
      end
      run_three("--shard", "1/8", "--apply")
      assert_refused("a part of 8", "--shard", "1/4")
      assert_refused "a part of 8"
      start()
      run_three "--apply"
      assert_refused("all of it as one part", "--shard", "1/4")
    end)

    it("is set by the variables of GitLab", function()
      example.environment.CI_NODE_INDEX, example.environment.CI_NODE_TOTAL = "2", "3"
      local by_variables = run("--from-file", many(20))
      example.environment.CI_NODE_INDEX, example.environment.CI_NODE_TOTAL = nil, nil
      assert.equal((run("--from-file", many(20), "--shard", "2/3")), by_variables)
    end)
  end)

  describe("with --json", function()
    local function run_json(...)
      local output, errors, code = run("--json", ...)
      return json.decode(output), errors, code
    end

    it("has the plan, and prints it with its cost to stderr", function()
      local data, errors, code = run_json("--results", "371,373,374")
      assert.equal(PLAN .. NOTHING, errors)
      assert.equal(0, code)
      assert.same({ 23, 1, 10000 }, { data.evaluations, data.calls, data.balance })
      assert.same({ 371, 373, 374 }, data.to_send)
      assert.same({ {}, {}, {}, {} },
        { data.already_sent, data.left_out, data.started, data.results })
    end)

    it("has the outcome of each result", function()
      example.server:faults { { method = "POST", status = 502 } }
      run("--results", "371", "--apply")
      local data, _, code = run_json("--results", "371,373,374", "--apply")
      assert.equal(4, code)
      assert.same({ { 371 }, { 373, 374 }, { 373, 374 } },
        { data.unknown, data.to_send, data.started })
      assert.same({ 13, 0, true }, { data.spent.evaluations, data.spent.evaluations_unknown,
        data.spent.at_most })
      local row = data.results[2]
      assert.same({ 374, 7, "completed", 0 }, { row.id, row.runs, row.status, row.success_after })
      assert.near(1 / 7, row.success_before, 0.001)
      data = run_json("--results", "373,374")
      assert.same({ {}, { 373, 374 }, 0 }, { data.to_send, data.already_sent, data.evaluations })
    end)
  end)

  -- Two links to each other cannot be read, not even by the superuser.
  it("refuses a journal that cannot be read, also for a plan", function()
    assert(os.execute(("cd %s && env -u LD_PRELOAD ln -s b journal && "
      .. "env -u LD_PRELOAD ln -s journal b"):format(example.folder)))
    local _, errors, code = run("--results", "371")
    assert.matches("/journal: [^\n]*\n$", errors)
    assert.equal(2, code)
  end)

  it("refuses its list of ids as its journal, by any name", function()
    scratch.write(journal, "371\n")
    for _, name in ipairs { journal, (journal:gsub("^(.*)/", "%1/./")) } do
      local _, errors, code = run("--from-file", name, "--apply")
      assert.equal("cekura-review bulk: --from-file and --journal must be two files\n", errors)
      assert.equal(2, code)
    end
    assert.equal("371\n", scratch.read(journal))
  end)

  describe("during the wait", function()
    before_each(function() start { evaluation_time = 60 } end)

    it("says if the network is lost", function()
      local process = example:start(words("--results", "371,373", "--timeout", Review.LOST,
        "--apply"))
      example:await_polls(3)
      example.server:stop()
      local output, code = process:finish()
      assert.matches("the last poll failed: [^\n]*%(network%)[^\n]*run the same command again",
        output)
      assert.equal(4, code)
    end)

    it("counts what a Ctrl-C during the call may have started as unknown", function()
      start { faults = { { method = "POST", delay = 60 } } }
      local process = example:start(words("--results", "371,373", "--apply", "--json"))
      example:await_requests "POST"
      process:signal "INT"
      local output, code = process:finish()
      assert.equal(130, code)
      assert.matches("\nSpent: nothing; unknown: 16 metric evaluations%.\n", output)
      local data = json.decode(output:match "\n({.*})\n")
      assert.same({ 371, 373 }, data.unknown)
      assert.same({}, data.started)
      local _, errors, again = run("--results", "371,373", "--apply")
      assert.matches("2 results from 371 to 373: an earlier run started it", errors)
      assert.equal(4, again)
      assert.same({ 2 }, sizes())
    end)

    it("says if it is not done in time", function()
      local output, errors, code = run_three("--apply", "--timeout", Review.SHORT)
      assert.equal(PLAN .. SPENT, output)
      assert.matches("not done after[^\n]*%(timeout%): started evaluations continue; run the same",
        errors)
      assert.equal(5, code)
    end)

    it("ends at a Ctrl-C, and continues without paying again", function()
      local process = example:start(words("--results", "371,373", "--apply"))
      example:await_polls(3)
      process:signal "INT"
      local output, code = process:finish()
      assert.matches("cekura%-review bulk: interrupted: started evaluations continue; run the same "
        .. "command again to continue\nSpent: at most 16 metric evaluations%.\n$",
        output)
      assert.equal(130, code)
      run("--results", "371,373", "--apply", "--timeout", "0.1")
      assert.same({ 2 }, sizes())
    end)
  end)
end)
