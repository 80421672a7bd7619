-- cekura-review labs on production calls.
-- The votes, the test sets and the evaluation are of call logs; the optimiser is that of `improve`.

local Review = require "support.review"
local csv = require "cekura.review.sheet"
local json = require "cjson".new()
local scratch = require "support.scratch"

local START = "POST /test_framework/metric%-reviews/process_feedbacks/"
local CREATE = "POST /test_framework/test%-sets/create_from_call_log/"
local EVALUATE = "POST /observability/v1/call%-logs/evaluate_metrics/"
local VOTE = "POST /observability/v1/call%-logs/%d+/mark_metric_vote/"

describe("cekura-review labs --source calls", function()
  local cycle

  local function begin(options)
    if cycle then cycle:close() end
    cycle = Review.new("labs", options or { evaluation_time = 0.05, votes_feed_lab = false })
    cycle.always = { "--metric", "55", "--agent", "231", "--source", "calls", "--state",
      cycle:path "state", "--sheet", cycle:path "votes.csv", "--interval", "0.05",
      "--no-progress" }
  end

  before_each(function() begin() end)
  after_each(function()
    cycle:close()
    cycle = nil
  end)

  -- Writes the sheet, and fills it in: the metric was wrong, and 3 is right.
  local function write_votes(count)
    cycle:run("--want", tostring(count or 12))
    local sheet = assert(csv.open(scratch.read(cycle:path "votes.csv")))
    local lines, row = { "call_log_id,metric_id,thumbs_up,expected_value,feedback\n" }, sheet:read()
    while row do
      lines[#lines + 1] = row.cells.call_log_id .. ",55,no,3,All three are there\n"
      row = sheet:read()
    end
    scratch.write(cycle:path "votes.csv", table.concat(lines))
    return #lines - 1
  end

  local function run_ok(...)
    local output, errors, code = cycle:run(...)
    assert.equal(0, code, errors)
    return output
  end

  local function counts()
    return { votes = #cycle:changes(VOTE), sets = #cycle:changes(CREATE),
      started = #cycle:changes(START), scored = #cycle:changes "/run_reviews/",
      saved = #cycle:changes "^PATCH", evaluated = #cycle:changes(EVALUATE) }
  end

  it("prints the plan, and writes a sheet with call_log_id", function()
    local output, errors, code = cycle:run("--want", "12")
    assert.equal("", errors)
    assert.equal(3, code)
    assert.matches("The metric has judged 65 production calls in them; reviewers have reviewed 11",
      output)
    assert.matches("\n  production call %d+, [^\n]+%. The metric says %d: ", output)
    assert.matches("%] Main Agent: ", output)
    assert.matches("This was the plan: nothing was changed", output)
    assert.same({}, cycle:changes())
    local row = assert(csv.open(scratch.read(cycle:path "votes.csv"))):read()
    assert.equal("55", row.cells.metric_id)
    assert.is_truthy(row.cells.call_log_id)
  end)

  it("with --apply performs all steps once", function()
    local sent = write_votes()
    local output = run_ok "--apply"
    local reviewed = 11 + sent
    assert.matches(("ok %d, failed 0"):format(sent), output)
    assert.matches("score on %d+ held%-out labels?, which the optimiser has not read", output)
    assert.matches("saved to metric 55", output)
    assert.matches("of the labels that the optimiser has not read: [^\n]+ before, [^\n]+ now\n",
      output)
    assert.matches(("agreement: [^\n]*of %d production calls%%) before, 100%%%%"):format(reviewed),
      output)
    local done = counts()
    assert.same({ votes = sent, sets = reviewed, started = 1, scored = 2, saved = 1,
      evaluated = 1 }, done)
    local body = json.decode(cycle:body(EVALUATE))
    assert.same({ 231, { 55 }, reviewed }, { body.agent_id, body.metrics, #body.call_logs })
    assert.matches("was saved", (run_ok "--apply"))
    assert.same(done, counts())
  end)

  it("with --json has the calls, the agreement and the improvement", function()
    local sent = write_votes()
    local data = json.decode((run_ok("--apply", "--json")))
    assert.same({ 55, "calls", 11 + sent, true, sent, 65 }, { data.metric_id, data.source,
      #data.calls, data.improvement.saved, data.votes.votes.ok, data.judged })
    local one = data.calls[1]
    assert.is_number(one.call_log_id)
    assert.same({ "boolean", "boolean", "boolean" },
      { type(one.agreed), type(one.agrees_now), type(one.held_out) })
    assert.equal(11 + sent, data.agreement.total)
    assert.is_true(data.held_out.total > 0 and data.held_out.total < data.agreement.total)
    assert.is_true(data.spent.evaluations > 11 + sent)
  end)

  it("continues the evaluation after a kill -9, and does not repeat an unknown one", function()
    begin { evaluation_time = Review.RUNNING, votes_feed_lab = false }
    write_votes()
    local process = cycle:start "--apply"
    cycle:finish_jobs_until(function() return counts().evaluated > 0 end)
    cycle:await_file("state", '"evaluated":{"1":"started"')
    process:signal "KILL"
    process:finish()
    cycle.server:finish_jobs()
    assert.matches("100%% %([^\n]*%) now\n", run_ok "--apply")
    assert.equal(1, counts().evaluated)

    begin()
    write_votes()
    cycle.server:faults { { path = "/evaluate_metrics/", drop = true, applied = true } }
    local _, _, code = cycle:run "--apply"
    assert.equal(4, code)
    local errors
    _, errors, code = cycle:run "--apply"
    assert.equal(4, code)
    assert.matches("unknown whether batch 1 is being evaluated: %-%-restart starts it", errors)
    assert.equal(1, counts().evaluated)
    run_ok("--apply", "--restart")
    assert.same({ 2, 1 }, { counts().evaluated, counts().started })
  end)

  it("gives no advice that it does not follow, if rows are bad", function()
    scratch.write(cycle:path "votes.csv",
      "call_log_id,metric_id,thumbs_up,expected_value\n70071,55,maybe,3\n")
    local _, errors, code = cycle:run "--apply"
    assert.equal(2, code)
    assert.matches("1 of 1 rows are bad, so nothing was sent%. Correct them, then run this again\n",
      errors)
    assert.is_nil(errors:find "skip%-bad")
    assert.same({}, cycle:changes())
  end)

  it("refuses the state of runs, and needs an agent or a project", function()
    write_votes()
    run_ok("--apply")
    local _, errors, code = cycle:run("--source", "runs")
    assert.equal(2, code)
    assert.matches("belongs to %-%-source calls, and this run to %-%-source runs", errors)
    cycle.always = { "--metric", "55", "--state", cycle:path "other" }
    errors = select(2, cycle:run())
    assert.matches("whose calls%? Say %-%-agent or %-%-project", errors)
    cycle.environment.CEKURA_AGENT_ID = "231"
    assert.equal("", (select(2, cycle:run())))
  end)

  it("does not save a proposal that is worse", function()
    write_votes()
    cycle.server:faults { { path = "/process_feedbacks_progress/", status = 200, times = math.huge,
      body = { status = "completed", improved_metric_description = "Worse.", old_score = 0.8,
        improved_evaluation_trigger = "always", new_score = 0.7 } } }
    local _, errors, code = cycle:run "--apply"
    assert.equal(1, code)
    assert.matches("not saved: the proposal scores worse than the metric", errors)
    assert.matches("the improvement is not saved: the cycle ends here", errors)
    assert.same({ 0, 0 }, { counts().saved, counts().evaluated })
  end)
end)
