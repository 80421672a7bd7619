-- cekura-review votes with --lab, run as a user would run it.
-- Above all: an interruption repeats neither a vote nor a test set that was accepted.

local Review = require "support.review"
local cekura = require "cekura"
local scratch = require "support.scratch"
local sheet = require "cekura.review.sheet"
local system = require "system"
local values = require "cekura.values"

local SEED = math.tointeger(os.getenv "SEED") or os.time()
local HEADER = "run_id,metric_id,thumbs_up,expected_value,feedback\n"
local CREATE = "POST /test_framework/test%-sets/create_from_run/"
local CREATE_PATH, VOTE = "/create_from_run/", "POST .*/mark_metric_vote/"
local NO_ERRORS = ""

for _, votes_feed_lab in ipairs { false, true } do
  describe(("cekura-review votes --lab (votes_feed_lab = %s)"):format(votes_feed_lab), function()
    local example, server

    before_each(function()
      example = Review.new("votes", { votes_feed_lab = votes_feed_lab })
      example.always = { "--no-progress" }
      server = example.server
    end)
    after_each(function() example:close() end)

    -- Writes a sheet of rows, each a line without its end. Returns its path.
    local function write_rows(rows)
      return example:write("votes.csv", HEADER .. table.concat(rows, "\n") .. "\n")
    end

    -- Returns { [source id] = { expected_value, feedback } } of a metric's Lab.
    local function labels(metric_id)
      local client <close> =
        assert(cekura.new { api_url = server.url, api_key = server.api_key })
      local found = {}
      for _, review in ipairs(assert(client.metrics:get { metric_id = metric_id }).reviews) do
        found[review.test_set.source_id] = { review.expected_value, review.feedback }
      end
      return found
    end

    -- Returns votes on completed runs that have a value of metric 55.
    local function rows_of_completed_runs(count)
      local rows = {}
      for id, run in pairs(server:state "runs") do
        local is_wanted = run.metrics[55] and run.status == "completed"
        if is_wanted and #rows < count then rows[#rows + 1] = id .. ",55,no,2," end
      end
      return rows
    end

    local function counts() return { #example:changes(VOTE), #example:changes(CREATE) } end

    it("votes, and puts each run into the Labs of its metrics", function()
      local output, errors, code = example:run("--lab", write_rows {
        '5544,55,no,2,"Agent missed the ""reschedule"" step"', "5544,54,no,false,null",
        "05545,55,yes,3," })
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 3, failed 0, skipped 0, unknown 0\n"
        .. "test sets: ok 2, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({ 3, 2 }, counts())
      assert.is_true(server:state("runs", 5544).is_reviewed)
      assert.same({ 2, 'Agent missed the "reschedule" step' }, labels(55)["5544"])
      assert.same({ 3, "" }, labels(55)["5545"])
      assert.is_false(values.read("binary", labels(54)["5544"][1]))
    end)

    it("does both only once, in two runs", function()
      local path = write_rows { "5544,55,no,2,", "5545,55,yes,3," }
      example:run("--lab", path)
      local output, errors, code = example:run("--lab", path)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 0, failed 0, skipped 2, unknown 0\n"
        .. "test sets: ok 0, failed 0, skipped 2, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({ 2, 2 }, counts())
    end)

    it("creates only the test sets of a sheet that was sent without it", function()
      local path = write_rows { "5544,55,no,2,", "5545,55,yes,3," }
      example:run(path)
      assert.same({ 2, 0 }, counts())
      local output = example:run("--lab", path)
      assert.equal("ok 0, failed 0, skipped 2, unknown 0\n"
        .. "test sets: ok 2, failed 0, skipped 0, unknown 0\n", output)
      assert.same({ 2, 2 }, counts())
    end)

    it("changes the label of a corrected row", function()
      example:run("--lab", write_rows { "5544,55,no,2,One", "5545,55,yes,3," })
      example:run("--lab", write_rows { "5544,55,no,1,Two", "5545,55,yes,3," })
      assert.same({ 3, 3 }, counts())
      assert.same({ 1, "Two" }, labels(55)["5544"])
    end)

    it("creates no test set of a vote that was refused", function()
      local output, _, code =
        example:run("--lab", write_rows { "5544,55,no,2,", "999999,55,no,2," })
      assert.equal("ok 1, failed 1, skipped 0, unknown 0\n"
        .. "test sets: ok 1, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(1, code)
      assert.same({ 2, 1 }, counts())
    end)

    it("writes a row whose test set was refused to the rejects, and creates it later", function()
      local path = write_rows { "5544,55,no,2,", "5545,55,yes,3," }
      local rejects = example:path "rejects.csv"
      server:faults { { path = CREATE_PATH, status = 400, body = { detail = "not now" } } }
      local output, _, code =
        example:run("--lab", path, "--rejects", rejects, "--concurrency", "1")
      assert.equal("ok 2, failed 0, skipped 0, unknown 0\n"
        .. "test sets: ok 1, failed 1, skipped 0, unknown 0\n", output)
      assert.equal(1, code)
      assert.matches("\r?\n2,[^\n]*not now[^\n]*,5544,55,no,2,\r?\n$", scratch.read(rejects))
      output, _, code = example:run("--lab", path, "--rejects", rejects)
      assert.equal("ok 0, failed 0, skipped 2, unknown 0\n"
        .. "test sets: ok 1, failed 0, skipped 1, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({ 2, 3 }, counts())
    end)

    it("gives up for a wrong key, and says how many test sets are left", function()
      server:faults { { path = CREATE_PATH, status = 401, times = math.huge } }
      local output, errors, code = example:run("--lab", "--concurrency", "1",
        write_rows { "5544,55,no,2,", "5545,55,yes,3,", "5546,55,yes,3," })
      assert.equal("ok 3, failed 0, skipped 0, unknown 0\n"
        .. "test sets: ok 0, failed 1, skipped 0, unknown 0\n", output)
      assert.matches("cekura%-review votes: gave up, with 2 test sets left: [^\n]*401", errors)
      assert.equal(2, code)
    end)

    it("prints both plans with --dry-run, and sends nothing", function()
      local output, errors, code = example:run("--lab", "--dry-run",
        write_rows { "5544,55,no,2,Missed", "5545,55,yes,3,", "5544,54,yes,null," })
      assert.equal(NO_ERRORS, errors)
      assert.matches("^Votes to send: 3, [^\n]*\nThe first:\n\n"
        .. "POST [^\n]*/runs/5544/mark_metric_vote/\n", output)
      assert.matches("\nTest sets to create: 2, [^\n]*\nThe first:\n\n"
        .. "POST [^\n]*/test%-sets/create_from_run/\n", output)
      assert.is_truthy(output:find('{"run_id":5544,"metrics":['
        .. '{"metric":55,"expected_value":2,"feedback":"Missed"},'
        .. '{"metric":54,"expected_value":null}]}\n', 1, true), output)
      assert.equal(0, code)
      assert.same({ 0, 0 }, counts())
    end)

    it("loses no row at a Ctrl-C in the second step", function()
      server:faults { { path = CREATE_PATH, delay = 0.3, times = math.huge } }
      local rows, rejects = rows_of_completed_runs(12), example:path "rejects.csv"
      local process = example:start("--lab", write_rows(rows), "--rejects", rejects,
        "--concurrency", "2")
      example:await_requests(CREATE, 4)
      process:signal "INT"
      local _, code = process:finish()
      assert.equal(130, code)
      local there, file = {}, assert(sheet.open(scratch.read(rejects)))
      for row in function() return file:read() end do there[row.cells.run_id] = row.cells.error end
      for id in scratch.read(example:path "votes.csv.journal"):gmatch " done lab:(%d+):" do
        assert.is_nil(there[id])
        there[id] = "done"
      end
      for _, row in ipairs(rows) do assert.is_truthy(there[row:match "^%d+"], row) end
      assert.matches("its test set was not created", there[rows[12]:match "^%d+"])
    end)

    -- Returns { [target] = true } of the events in the journal, such as "5544:55" and "lab:5544".
    local function targets_of(event)
      local targets = {}
      for line in (scratch.read(example:path "votes.csv.journal") or ""):gmatch "([^\n]*)\n" do
        local target = line:match("^%S+ " .. event .. " (.+):%x+")
        if target then targets[target] = true end
      end
      return targets
    end

    -- Returns how often each target arrived in the requests after the first `skipped`, and the
    -- number of requests.
    local function arrivals(skipped)
      local times, requests = {}, server:requests()
      for i = (skipped or 0) + 1, #requests do
        local request = requests[i]
        local run = request.path:match "/runs/(%d+)/mark"
        local set = request.path:find(CREATE_PATH, 1, true)
          and request.body:match '"run_id":(%d+)'
        local target = run and run .. ":55" or set and "lab:" .. set
        if target then times[target] = (times[target] or 0) + 1 end
      end
      return times, #requests
    end

    it("killed in the second step, continues with the second step only", function()
      server:faults { { path = CREATE_PATH, skip = 1, delay = 60 } }
      local path = write_rows { "5544,55,no,2,", "5545,55,yes,3,", "5546,55,yes,3," }
      local process = example:start("--lab", path, "--concurrency", "1")
      example:await_requests(CREATE, 2)
      process:signal "KILL"
      process:finish()
      server:faults()
      local output, errors, code = example:run("--lab", path)
      assert.equal("ok 0, failed 0, skipped 3, unknown 0\n"
        .. "test sets: ok 2, failed 0, skipped 1, unknown 0\n", output)
      assert.equal(0, code, errors)
      assert.same({ ["5544:55"] = 1, ["5545:55"] = 1, ["5546:55"] = 1, ["lab:5544"] = 1,
        ["lab:5545"] = 2, ["lab:5546"] = 1 }, (arrivals()))
    end)

    -- Kills the process after up to 40 requests more than `sent`. Returns its exit code.
    local function kill(process, sent)
      local give_up, enough = system.monotime() + 2, sent + math.random(0, 40)
      while select(2, arrivals()) < enough and system.monotime() < give_up do
        system.sleep(0.002)
      end
      process:signal "KILL"
      return select(2, process:finish())
    end

    it("killed again and again, does both for every row, and nothing accepted again", function()
      math.randomseed(SEED)
      server:faults { { delay = 0.01, times = math.huge } }
      local rows = rows_of_completed_runs(Review.is_slow and 30 or 100)
      local path, kills, code = write_rows(rows), -1, 137
      while code == 137 or code == 9 do
        kills = kills + 1
        local done, sent = targets_of "done", select(2, arrivals())
        local process = example:start("--lab", path,
          "--concurrency", tostring(math.random(8)))
        code = kill(process, sent)
        for target in pairs((arrivals(sent))) do
          assert.is_nil(done[target], ("%s again, SEED=%d"):format(target, SEED))
        end
      end
      assert.equal(0, code)
      local count, found = #rows, labels(55)
      assert.equal(("ok 0, failed 0, skipped %d, unknown 0\ntest sets: ok 0, failed 0, "
        .. "skipped %d, unknown 0\n"):format(count, count), (example:run("--lab", path)))
      for _, row in ipairs(rows) do assert.same({ 2, "" }, found[row:match "^%d+"], row) end
      assert.is_true(kills >= 2, kills .. " kills, SEED=" .. SEED)
    end)
  end)
end
