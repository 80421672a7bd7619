-- cekura-review labs, run as a user would run it.
-- Above all: the next run continues after an interruption, and pays for nothing twice.

local Review = require "support.review"
local json = require "cjson".new()
local scratch = require "support.scratch"
local sheet = require "cekura.review.sheet"

local START = "POST /test_framework/metric%-reviews/process_feedbacks/"
local CREATE = "POST /test_framework/test%-sets/create_from_run/"
local EVALUATE = "POST .*/evaluate_metrics/"
local NO_ERRORS = ""

-- The votes of a person who has read the transcripts of the first run.
local VOTES = [[
run_id,metric_id,thumbs_up,expected_value,feedback
5945,55,no,3,"Identity, offer and confirmation: all three are there"
5948,55,no,3,"Identity, offer and confirmation: all three are there"
5968,55,yes,2,
5971,55,no,3,"Identity, offer and confirmation: all three are there"
5974,55,no,3,"Identity, offer and confirmation: all three are there"
5975,55,no,2,Noting it is not confirming it
5977,55,no,2,Only the identity is missing
]]

describe("cekura-review labs", function()
  local cycle

  local function begin(options)
    if cycle then cycle:close() end
    cycle = Review.new("labs", options or { evaluation_time = 0.05 })
    cycle.always = { "--metric", "55", "--agent", "231", "--state", cycle:path "state",
      "--sheet", cycle:path "votes.csv", "--interval", "0.05", "--no-progress" }
  end

  before_each(function() begin() end)
  after_each(function()
    cycle:close()
    cycle = nil
  end)

  local function write_votes() scratch.write(cycle:path "votes.csv", VOTES) end

  local function state() return json.decode(scratch.read(cycle:path "state")) end

  -- Returns the names of the steps, in order.
  local function steps(output)
    local names = {}
    for number, name in output:gmatch "\nStep (%d) of 7, ([^:]+):" do
      names[math.tointeger(number)] = name
    end
    return names
  end

  -- Returns how often each result was evaluated.
  local function evaluations()
    local counts = {}
    for _, line in ipairs(cycle:changes(EVALUATE)) do
      local id = line:match "/results/(%d+)/"
      counts[id] = (counts[id] or 0) + 1
    end
    return counts
  end

  it("prints the plan with its costs, and writes a sheet for the votes", function()
    local output, errors, code = cycle:run()
    assert.equal(NO_ERRORS, errors)
    assert.equal(3, code)
    assert.same({ "look", "vote", "optimise", "diff", "save", "evaluate", "compare" },
      steps(output))
    assert.matches("agreement: 82%% %(9 of 11 runs%)", output)
    assert.matches("disagreements: 2; the optimiser needs 6", output)
    assert.matches("run 5975, Reschedule an appointment. The metric says 3", output)
    assert.matches("\n    %[00:40%] Main Agent: All right, I have noted that.", output)
    assert.matches("Estimate: 33 metric evaluations %(about: one for each reviewed run", output)
    assert.matches("Estimate: 11 metric evaluations", output)
    assert.matches("This was the plan: nothing was changed. %-%-apply does it.\n$", output)
    assert.same({}, cycle:changes())
    assert.is_nil(scratch.read(cycle:path "state"))
    local written = assert(sheet.open(scratch.read(cycle:path "votes.csv")))
    assert.same({ run_id = "5945", metric_id = "55", thumbs_up = "", expected_value = "",
      feedback = "" }, written:read().cells)
  end)

  it("takes true and 5 for the same verdict, and null for none", function()
    local runs = {}
    -- { score, expected value }; the fifth cannot be read, and the last one did not apply
    for i, row in ipairs { { true, 5 }, { false, "false" }, { 5, true }, { true, 0 }, { 3, true },
      { json.null, false } } do
      runs[tostring(i)] = { id = i, status = "completed", evaluation = { metrics = { { id = 55,
        type = "binary", eval_type = "binary", score = row[1], expected_value = row[2] } } } }
    end
    cycle.server:faults {
      { path = "/v2/results/", body = { results = { { id = 373, status = "completed" } } } },
      { path = "/v2/results/373/", body = { id = 373, status = "completed", runs = runs } },
      { path = "/metrics/55/", times = math.huge,
        body = { id = 55, name = "Careful", eval_type = "binary" } },
    }
    local output, errors = cycle:run()
    assert.equal(NO_ERRORS, errors)
    assert.matches("The metric has judged 4 runs in them; reviewers have reviewed 4", output)
    assert.matches("agreement: 75%% %(3 of 4 runs%)", output)
  end)

  it("neither sends nor overwrites a sheet that is not filled in", function()
    cycle:run()
    local written = scratch.read(cycle:path "votes.csv")
    local _, errors, code = cycle:run("--apply")
    assert.equal(3, code)
    assert.matches("cekura%-review labs: [^\n]*votes%.csv: no row is filled in\n", errors)
    assert.equal(written, scratch.read(cycle:path "votes.csv"))
    assert.same({}, cycle:changes())
  end)

  it("does not replace a sheet that it may not read", function()
    write_votes()
    local path = cycle:path "votes.csv"
    assert(os.execute("exec env -u LD_PRELOAD chmod 000 " .. path))
    local may_read = scratch.read(path) ~= nil  -- as the superuser
    local _, errors, code = cycle:run()
    assert(os.execute("exec env -u LD_PRELOAD chmod 600 " .. path))
    assert.equal(VOTES, scratch.read(path))
    if not may_read then assert.matches("votes.csv: Permission denied\n$", errors) end
    assert.equal(may_read and 0 or 2, code)
  end)

  it("prints the plan with a sheet, and sends nothing", function()
    write_votes()
    local output, errors, code = cycle:run()
    assert.equal(NO_ERRORS, errors)
    assert.equal(0, code)
    assert.matches("Votes to send: 7", output)
    assert.same({}, cycle:changes())
    assert.is_nil(scratch.read(cycle:path "votes.csv.journal"))
  end)

  local function perform_all(votes_feed_lab)
    begin { evaluation_time = 0.05, votes_feed_lab = votes_feed_lab }
    write_votes()
    local output, errors, code = cycle:run("--apply")
    assert.equal(0, code, errors)
    assert.matches("ok 7, failed 0", output)
    assert.matches("disagreements now: 8; agreement: 56%% %(10 of 18 runs%)", output)
    local labels = votes_feed_lab and 161 or 18 -- in the Lab
    assert.matches(("Estimate: %d metric evaluations %%(at least: 10 for the optimiser, 2 × %d "
      .. "for the scores%%)"):format(10 + 2 * labels, labels), output)
    assert.matches("Estimate: 18 metric evaluations", output)
    assert.matches("score on 8 held%-out labels, which the optimiser has not read", output)
    assert.matches("%+ %- Noting it is not confirming it\n", output)
    assert.matches("saved to metric 55", output)
    assert.matches("5975 +2 +3 +2 +NOW RIGHT\n", output)
    assert.matches("agreement: 56%% %(10 of 18 runs%) before, 100%% %(18 of 18 runs%) now\n",
      output)
    assert.matches(("\nSpent: %d metric evaluations, 1 call of unknown cost%%.\n$")
      :format(2 * labels + 18), output)

    -- The rows of the sheet get test sets, and so do the 11 runs that were reviewed before.
    local created, changes = votes_feed_lab and 7 or 18, cycle:changes()
    assert.equal(created, #cycle:changes(CREATE))
    assert.equal(7 + created + 1 + 2 + 1 + 8, #changes)
    assert.matches(START, changes[8 + created])
    assert.equal(10, #json.decode(cycle:body(START)).test_set_ids)
    assert.matches("/run_reviews/", changes[10 + created])
    assert.matches("PATCH .*/metrics/55/", changes[11 + created])
    for _, count in pairs(evaluations()) do assert.equal(1, count) end
    assert.equal(10000 - 10 - 2 * labels - 18, cycle.server:state("balance").remaining)

    local again
    again, errors, code = cycle:run("--apply")
    assert.equal(0, code, errors)
    assert.matches("was saved.*agreement: 56%% .* before, 100%% .* now\n$", again)
    assert.equal(#changes, #cycle:changes())
  end

  for _, votes_feed_lab in ipairs { false, true } do
    it(("with --apply performs all steps, and agreement grows (votes_feed_lab = %s)")
      :format(votes_feed_lab), function() perform_all(votes_feed_lab) end)
  end

  it("puts each reviewed run into the Lab with the expected value and the feedback", function()
    begin { evaluation_time = 0.05, votes_feed_lab = false }
    write_votes()
    local _, errors, code = cycle:run("--apply")
    assert.equal(0, code, errors)
    local labels = {}
    for _, line in ipairs(cycle:sent()) do
      local label = line:find '^{"run_id"' and json.decode(line)
      if label then labels[label.run_id] = label.metrics end
    end
    assert.same({ { metric = 55, expected_value = 2,
      feedback = "Noting it is not confirming it" } }, labels[5975])
    local count = 0
    for id, metrics in pairs(labels) do
      count = count + 1
      assert.equal(cycle.server:state("runs", id).metrics[55].expected_value,
        metrics[1].expected_value)
    end
    assert.equal(18, count)
  end)

  -- The API documents expected values in the Lab, and none in the metrics of a run.
  it("takes expected values from the Lab if the runs have none", function()
    begin { evaluation_time = 0.05, votes_feed_lab = false, optimiser = "asks" }
    local client <close> = assert(require "cekura".new {
      api_url = cycle.server.url, api_key = cycle.server.api_key })
    local rules = {}
    local newest = assert(client.results:list { agent_id = 231, page_size = 8 }).results
    for _, summary in ipairs(newest) do
      local result = assert(client.results:get { result_id = summary.id })
      for _, run in pairs(result.runs) do
        for _, entry in ipairs(run.evaluation.metrics) do entry.expected_value = nil end
      end
      rules[#rules + 1] = { method = "GET", path = ("/results/%d/$"):format(result.id),
        status = 200, times = math.huge, body = json.encode(result) }
    end
    cycle.server:faults(rules)
    write_votes()
    local output, errors, code = cycle:run("--apply")
    assert.matches("agreement: nobody has reviewed anything", output)
    assert.matches("disagreements now: 6; agreement: 14%% %(1 of 7 runs%)", output)
    assert.equal(4, #json.decode(cycle:body(START)).test_set_ids) -- three are held out
    assert.matches("the optimiser asks a person", errors)
    assert.equal(3, code)
  end)

  it("needs a person if there are too few disagreements", function()
    local _, errors, code = cycle:run("--apply")
    assert.equal(3, code)
    assert.matches("the optimiser needs 6 disagreements: vote first", errors)
    assert.same({}, cycle:changes())
    assert.is_truthy(scratch.read(cycle:path "votes.csv"))
    os.remove(cycle:path "votes.csv")
    local output
    output, _, code = cycle:run("--apply", "--want", "2")
    assert.equal(0, code)
    assert.matches("agreement: 82%% .* before", output)
  end)

  it("asks for another sheet if the first has too few votes", function()
    local few = VOTES:match "^[^\n]*\n[^\n]*\n"
    scratch.write(cycle:path "votes.csv", few)
    local output, _, code = cycle:run("--apply")
    assert.equal(3, code)
    assert.matches("disagreements now: 3;", output)
    assert.matches("\n  %-%-sheet FILE writes another sheet", output)
    assert.equal(few, scratch.read(cycle:path "votes.csv"))
    assert.equal(1, #cycle:changes "mark_metric_vote")
    assert.equal(2, #cycle:changes())
  end)

  it("refuses its sheet or the sheet's journal as its state, by any name", function()
    write_votes()
    for _, ending in ipairs { "", ".journal" } do
      local _, errors, code = cycle:run("--apply", "--state", cycle:path "./votes.csv" .. ending)
      assert.equal(("cekura-review labs: --state and --sheet%s must be two "
        .. "files\n"):format(ending), errors)
      assert.equal(2, code)
    end
    assert.equal(VOTES, scratch.read(cycle:path "votes.csv"))
    assert.same({}, cycle:changes())
  end)

  it("continues only with the agent and the results of the first run", function()
    local _, errors, code = cycle:run("--apply", "--want", "2")
    assert.equal(0, code, errors)
    local before, count = scratch.read(cycle:path "state"), #cycle:changes()
    for _, words in ipairs { { "--agent", "232" }, { "--last", "20" } } do
      for _, apply in ipairs { "--apply", "--no-progress" } do
        local problem, refused = select(2, cycle:run(words[1], words[2], apply))
        assert.matches(("state: belongs to %s %%d+, and this run to %s %s: name another file")
          :format(words[1]:gsub("%-", "%%-"), words[1]:gsub("%-", "%%-"), words[2]), problem)
        assert.equal(2, refused)
      end
    end
    assert.equal(before, scratch.read(cycle:path "state"))
    assert.equal(count, #cycle:changes())
    _, errors, code = cycle:run("--last", "8", "--apply")
    assert.equal(0, code, errors)
  end)

  describe("after a kill -9", function()
    local function kill_when(condition, ...)
      local process = cycle:start("--apply")
      condition(...)
      process:signal "KILL"
      process:finish()
    end

    local function count_of_reads()
      local count = 0
      for _, request in ipairs(cycle.server:requests()) do
        count = count + (request.method == "GET" and 1 or 0)
      end
      return count
    end

    -- Kills it while eight results are evaluated.
    local function kill_during_evaluations()
      begin { evaluation_time = Review.RUNNING }
      write_votes()
      kill_when(function()
        cycle:finish_jobs_until(function() return #cycle:changes(EVALUATE) > 0 end)
        cycle:await_file("state", '"evaluated":{' .. ('"%d+":"started",?'):rep(8))
      end)
    end

    -- Runs it again, and ends the evaluations after eight polls.
    local function continue()
      local count = count_of_reads() + 16
      return cycle:run_until(function() cycle:await_requests("GET", count) end, "--apply")
    end

    it("continues the optimiser's job", function()
      write_votes()
      cycle.server:faults {
        { path = "/process_feedbacks_progress/", delay = 600, times = math.huge } }
      kill_when(cycle.await_file, cycle, "state", "progress_id")
      cycle.server:faults()
      local output, errors, code = cycle:run("--apply")
      assert.equal(0, code, errors)
      assert.matches("started before: ", output)
      assert.equal(1, #cycle:changes(START))
      assert.equal(7, #cycle:changes "mark_metric_vote")
    end)

    it("continues the evaluations, and does not take an old status for the new one", function()
      kill_during_evaluations()
      local id = next(evaluations())
      local before = state().unevaluated[id]
      assert.same({ id, "completed" }, { ("%d"):format(before.id), before.status })
      cycle.server:faults { { method = "GET", path = "/results/" .. id .. "/$", status = 200,
        body = { id = before.id, status = "completed", updated_at = before.updated_at, runs = {} },
        skip = 1, times = 2 } }
      local output, errors, code = continue()
      assert.equal(0, code, errors)
      assert.matches("100%% %(18 of 18 runs%) now\n", output)
    end)

    it("creates the test sets that are missing, and starts one job", function()
      begin { evaluation_time = 0.05, votes_feed_lab = false }
      write_votes()
      cycle.server:faults { { path = "/create_from_run/", skip = 9, delay = 60 } }
      kill_when(cycle.await_requests, cycle, CREATE, 10)
      cycle.server:faults()
      local _, errors, code = cycle:run("--apply")
      assert.equal(0, code, errors)
      assert.equal(18, #cycle:changes(CREATE))
      assert.equal(7, #cycle:changes "mark_metric_vote")
      assert.equal(1, #cycle:changes(START))
      assert.equal(10, #json.decode(cycle:body(START)).test_set_ids) -- eight are held out
    end)

    it("continues the evaluations", function()
      kill_during_evaluations()
      local _, errors, code = continue()
      assert.equal(0, code, errors)
      for _, count in pairs(evaluations()) do assert.equal(1, count) end
      assert.equal(1, #cycle:changes(START))
    end)

    it("does not repeat an unknown start without --restart", function()
      write_votes()
      cycle.server:faults { { path = "/evaluate_metrics/", skip = 2, delay = 60, applied = true } }
      kill_when(cycle.await_requests, cycle, EVALUATE, 3)
      local _, errors, code = cycle:run("--apply")
      assert.equal(4, code)
      assert.matches("unknown whether result %d+ is being evaluated: %-%-restart", errors)
      assert.equal(3, #cycle:changes(EVALUATE))
      cycle.server:faults {
        { path = "/evaluate_metrics/", status = 402, body = { detail = "no" } },
      }
      cycle:run("--apply", "--restart")
      _, errors, code = cycle:run("--apply")
      assert.equal(4, code)
      assert.matches("unknown whether result %d+ is being evaluated: %-%-restart", errors)
      assert.equal(4, #cycle:changes(EVALUATE))
      _, errors, code = cycle:run("--apply", "--restart")
      assert.equal(0, code, errors)
      assert.equal(10, #cycle:changes(EVALUATE))
      assert.equal(1, #cycle:changes(START))
    end)
  end)

  describe("ends early", function()
    it("if the optimiser asks a person", function()
      begin { evaluation_time = 0.05, optimiser = "asks" }
      write_votes()
      local output, errors, code = cycle:run("--apply")
      assert.equal(3, code)
      assert.matches("metric 55: the optimiser asks a person: Does a new time", errors)
      assert.equal("diff", steps(output)[#steps(output)])
      assert.is_nil(state().evaluated)
    end)

    it("if the job fails; --restart starts another one", function()
      begin { evaluation_time = 0.05, optimiser = "fails" }
      write_votes()
      local _, errors, code = cycle:run("--apply")
      assert.equal(1, code)
      assert.matches("has failed: .*%-%-restart starts another one", errors)
      cycle:run("--apply")
      assert.equal(1, #cycle:changes(START))
      cycle:run("--apply", "--restart")
      assert.equal(2, #cycle:changes(START))
    end)

    it("after --timeout, at a Ctrl-C, and if the network is lost", function()
      begin { evaluation_time = 60 }
      write_votes()
      local _, errors, code = cycle:run("--apply", "--timeout", Review.SHORT)
      assert.equal(5, code)
      assert.matches("It continues: run the same command again", errors)
      assert.equal(1, #cycle:changes(START))
      local progress = "GET .*/process_feedbacks_progress/"
      cycle.server:clear()
      local process = cycle:start("--apply")
      cycle:await_requests(progress, 2)
      process:signal "INT"
      local output
      output, code = process:finish()
      assert.equal(130, code)
      assert.matches("cekura%-review labs: interrupted: run the same command again", output)
      assert.equal(0, #cycle:changes(START))
      cycle.server:clear()
      process = cycle:start("--apply", "--timeout", Review.LOST)
      cycle:await_requests(progress, 2)
      assert.equal(0, #cycle:changes(START))
      cycle.server:stop()
      _, code = process:finish()
      assert.equal(4, code)
    end)

    it("without credits", function()
      begin { evaluation_time = 0.05, balance = 10 + 2 * 161 + 5 }
      write_votes()
      local _, errors, code = cycle:run("--apply")
      assert.equal(1, code)
      assert.matches("the balance of 5 credits is too low for the estimate of 18", errors)
      cycle.server:faults { { path = "/billing/", status = 403 } }
      _, errors, code = cycle:run("--apply")
      assert.equal(1, code)
      assert.matches("results.evaluate_metrics: .*Insufficient credits", errors)
      assert.equal(1, #cycle:changes(START))
    end)
  end)

  describe("refuses", function()
    local function assert_usage(pattern, ...)
      local _, errors, code = cycle:run(...)
      assert.matches(pattern, errors)
      assert.equal(2, code)
      assert.same({}, cycle:changes())
    end

    it("unknown ids, and a wrong key", function()
      assert_usage("404", "--metric", "999")
      assert_usage("'x' is not an id", "--metric", "x")
      cycle.environment.CEKURA_API_KEY = "another-key"
      assert_usage "401"
      cycle.always = {}
      assert_usage "missing option '%-%-metric'"
    end)

    it("a metric that has judged none of the runs", function()
      local _, errors, code = cycle:run("--metric", "57", "--apply")
      assert.equal(1, code)
      assert.matches("metric 57 has judged none of these runs", errors)
    end)

    it("an agent without results", function()
      local _, errors, code = cycle:run("--agent", "999", "--apply")
      assert.equal(1, code)
      assert.matches("agent 999 has no finished result", errors)
    end)
  end)
end)
