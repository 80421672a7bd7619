-- cekura-review votes with sheets of production calls, of both kinds of calls, and with the columns
-- and the spelling of ids of other programs; what it writes for machines.

local Review = require "support.review"
local cekura = require "cekura"
local cjson = require "cjson"
local child = require "support.child"
local scratch = require "support.scratch"

local HEADER = "call_log_id,metric_id,thumbs_up,expected_value,feedback\n"
local MIXED = "run_id,call_log_id,metric_id,thumbs_up,expected_value,feedback\n"
local RUNS = "run_id,metric_id,thumbs_up,expected_value"
local VOTE, CREATE = "POST .*/mark_metric_vote/", "POST .*/create_from_"
local NO_ERRORS = ""

describe("cekura-review votes", function()
  local example, server, calls

  before_each(function()
    example = Review.new("votes", { votes_feed_lab = false })
    example.always = { "--no-progress" }
    server, calls = example.server, {}
    for id, call in pairs(server:state "call_logs") do
      if call.agent_id == 231 and call.metrics[55] then calls[#calls + 1] = id end
    end
    table.sort(calls)
  end)
  after_each(function() example:close() end)

  local function write(text) return example:write("votes.csv", text) end

  -- Returns rows with the ids of calls instead of C1, C2 …
  local function with_calls(text)
    return (text:gsub("C(%d)", function(i) return calls[tonumber(i)] end))
  end

  -- Returns { [source id] = { expected_value, feedback } } of a metric's Lab.
  local function labels(metric_id)
    local client <close> = assert(cekura.new { api_url = server.url, api_key = server.api_key })
    local found = {}
    for _, review in ipairs(assert(client.metrics:get { metric_id = metric_id }).reviews) do
      found[review.test_set.source_id] = { review.expected_value, review.feedback }
    end
    return found
  end

  -- Returns the paths of the requests that match.
  local function paths(pattern)
    local list = example:changes(pattern)
    table.sort(list)
    return list
  end

  describe("with production calls", function()
    it("votes on them, and puts them into the Labs of their metrics", function()
      local path = write(HEADER .. with_calls "C1,55,no,2,Missed\nC1,54,no,false,\nC2,55,yes,3,\n")
      local output, errors, code = example:run("--lab", path)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 3, failed 0, skipped 0, unknown 0\n"
        .. "test sets: ok 2, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
      local vote = "POST /observability/v1/call-logs/%d/mark_metric_vote/"
      local create = "POST /test_framework/test-sets/create_from_call_log/"
      assert.same({ vote:format(calls[1]), vote:format(calls[1]), vote:format(calls[2]), create,
        create }, paths())
      local call = server:state("call_logs", calls[1])
      assert.is_true(call.is_reviewed)
      assert.same({ 2, "Missed" }, { call.metrics[55].expected_value, call.metrics[55].feedback })
      assert.same({ 2, "Missed" }, labels(55)[tostring(calls[1])])
      assert.same({ 3, "" }, labels(55)[tostring(calls[2])])
    end)

    it("does both only once, in two runs", function()
      local path = write(HEADER .. with_calls "C1,55,no,2,Missed\nC2,55,yes,3,\n")
      example:run("--lab", path)
      local output, errors, code = example:run("--lab", path)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 0, failed 0, skipped 2, unknown 0\n"
        .. "test sets: ok 0, failed 0, skipped 2, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({ 2, 2 }, { #paths(VOTE), #paths(CREATE) })
    end)

    it("prints the first requests with --dry-run, and sends nothing", function()
      local output, errors, code =
        example:run("--lab", "--dry-run", write(HEADER .. "4711,55,no,2,Missed\n"))
      assert.equal(NO_ERRORS, errors)
      assert.matches("/observability/v1/call-logs/4711/mark_metric_vote/\n"
        .. '{"metric_id":55,"thumbs_up":false,"expected_value":2,"feedback":"Missed"}\n', output,
        1, true)
      assert.matches("/test_framework/test-sets/create_from_call_log/\n"
        .. '{"call_log_id":4711,"metrics":[{"metric":55,"expected_value":2,"feedback":"Missed"}]}',
        output, 1, true)
      assert.equal(0, code)
      assert.same({}, paths())
    end)

    it("lists bad rows, doubles among them", function()
      local path = write(HEADER .. ",55,no,2,\n5,55,no,2,\n05.0,55,yes,3,\nx,55,no,2,\n")
      local _, errors, code = example:run(path)
      assert.equal(([[
PATH:2: call_log_id: is required
PATH:3: call_log_id: the same call log and metric as in line 4
PATH:4: call_log_id: the same call log and metric as in line 3
PATH:5: call_log_id: must be an id: a whole number from 1 to 9223372036854775807, got "x"
cekura-review votes: 4 of 4 rows are bad, so nothing was sent. Correct them, or leave them out ]]
        .. "with --skip-bad\n"):gsub("PATH", path), errors)
      assert.equal(2, code)
      assert.same({}, paths())
    end)

    it("writes refused rows to the rejects, which can be corrected and sent", function()
      local rejects = example:path "rejects.csv"
      local path = write(HEADER .. with_calls "C1,55,no,2,\n9,55,no,2,\n")
      local output, _, code = example:run(path, "--rejects", rejects)
      assert.equal("ok 1, failed 1, skipped 0, unknown 0\n", output)
      assert.equal(1, code)
      local text = scratch.read(rejects)
      assert.matches("^line,error,call_log_id,[^\n]*\n3,[^\n]*404[^\n]*,9,55,no,2,\r\n$", text)
      scratch.write(rejects, (text:gsub(",9,55", "," .. calls[2] .. ",55")))
      output = example:run(rejects)
      assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
    end)

    it("killed, repeats what is unknown without a flag, and nothing that is done", function()
      server:faults { { path = "/create_from_call_log/", skip = 1, delay = 60, applied = true } }
      local path = write(HEADER .. with_calls "C1,55,no,2,\nC2,55,no,2,\nC3,55,no,2,\n")
      local process = example:start("--lab", path, "--concurrency", "1")
      example:await_requests(CREATE, 2)
      process:signal "KILL"
      process:finish()
      local output, errors, code = example:run("--lab", path)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 0, failed 0, skipped 3, unknown 0\n"
        .. "test sets: ok 2, failed 0, skipped 1, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({ 3, 4 }, { #paths(VOTE), #paths(CREATE) })
      local sources = {}
      for _, set in pairs(server:state "test_sets") do sources[#sources + 1] = set end
      assert.equal(3, #sources)
    end)
  end)

  describe("with runs and production calls in one sheet", function()
    it("sends each row to its endpoint; the same id is two calls", function()
      local path = write(MIXED .. with_calls "5544,,55,no,2,\n,C1,55,yes,3,\n5545.0,,55,no,1,\n"
        .. ",5544,55,no,2,\n")
      local output, _, code = example:run("--lab", path, "--rejects", example:path "rejects.csv")
      assert.equal("ok 3, failed 1, skipped 0, unknown 0\n"
        .. "test sets: ok 3, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(1, code)
      assert.same({ "POST /observability/v1/call-logs/5544/mark_metric_vote/",
        ("POST /observability/v1/call-logs/%d/mark_metric_vote/"):format(calls[1]),
        "POST /test_framework/v1/runs/5544/mark_metric_vote/",
        "POST /test_framework/v1/runs/5545/mark_metric_vote/" }, paths(VOTE))
      assert.equal(3, server:state("call_logs", calls[1]).metrics[55].expected_value)
      assert.matches("\n5,[^\n]*404[^\n]*,,5544,55,no,2,\r\n$",
        scratch.read(example:path "rejects.csv"))
    end)

    it("refuses rows with both ids, and with none", function()
      local path = write(MIXED .. "5544,4711,55,maybe,2,\n,,55,no,2,\n ,\u{A0},55,no,2,\n"
        .. "5545,,55,no,2,\n")
      local output, errors, code = example:run(path, "--skip-bad")
      assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(([[
PATH:2: call_log_id: is not empty, and neither is run_id: a vote is on a run or on a call log
PATH:2: thumbs_up: must be true or false, got "maybe"
PATH:3: run_id: is required, unless there is a call_log_id
PATH:4: run_id: is required, unless there is a call_log_id
]]):gsub("PATH", path), errors)
      assert.equal(1, code)
    end)

    it("continues after another program has written the ids as fractions", function()
      local rows = with_calls "5544,,55,no,2,\n,C1,55,yes,3,\n"
      example:run("--lab", write(MIXED .. rows))
      local output = example:run("--lab",
        write(MIXED .. (rows:gsub("(%d%d%d%d+)", "%1.0"):gsub("55,", "55.0,"))))
      assert.equal("ok 0, failed 0, skipped 2, unknown 0\n"
        .. "test sets: ok 0, failed 0, skipped 2, unknown 0\n", output)
    end)
  end)

  it("accepts what pandas writes for a column with empty cells", function()
    local path = example:path "votes.csv"
    local output, code = child.run { "/usr/bin/python3", "-E", "-c",
      "import csv, sys\n"
      .. "rows = [[float(5544), '', 55, True, 2.0], ['', float(sys.argv[2]), 55, False, 3.0]]\n"
      .. "file = csv.writer(open(sys.argv[1], 'w', newline=''), lineterminator='\\n')\n"
      .. "file.writerow(['run_id', 'call_log_id', 'metric_id', 'thumbs_up', 'expected_value'])\n"
      .. "file.writerows(rows)", path, tostring(calls[1]) }
    assert.equal(0, code, output)
    assert.matches("\n5544.0,,55,True,2.0\n", scratch.read(path), 1, true)
    output = example:run(path)
    assert.equal("ok 2, failed 0, skipped 0, unknown 0\n", output)
  end)

  describe("ignores", function()
    it("the columns of a sample, which are among the rejects", function()
      local path = write(RUNS .. ",selection,metric,value,explanation\n"
        .. "5544,55,no,2,random,Steps,3,All three\n99,55,no,2,targeted,Steps,3,\"=1+1, so\"\n")
      local output = example:run(path, "--rejects", example:path "rejects.csv")
      assert.equal("ok 1, failed 1, skipped 0, unknown 0\n", output)
      assert.matches('\n3,[^\n]*,99,55,no,2,targeted,Steps,3,"=1%+1, so"\r\n$',
        scratch.read(example:path "rejects.csv"))
    end)

    it("columns of the reviewer's own with --extra-columns only", function()
      local path = write("Reviewer," .. RUNS .. ",Call URL,reviewer\n"
        .. "Ada,5544,55,no,2,https://x,B\n")
      local output, errors, code = example:run(path)
      assert.equal("", output)
      assert.equal(("cekura-review votes: %s: column \"Reviewer\": unknown column; column "
        .. "\"Call URL\": unknown column; column \"reviewer\": unknown column. --extra-columns "
        .. "ignores columns of your own\n"):format(path), errors)
      assert.equal(2, code)
      assert.same({}, paths())
      output, errors, code = example:run(path, "--extra-columns")
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
    end)

    it("columns without a name, as pandas writes its index", function()
      local path = write("," .. RUNS .. "\n0,5544,55,no,2\n1,99,55,no,2\n")
      local _, errors, code = example:run(path)
      assert.matches("line 1: column 1 has no name", errors)
      assert.equal(2, code)
      local rejects = example:path "rejects.csv"
      local output = example:run(path, "--extra-columns", "--rejects", rejects)
      assert.equal("ok 1, failed 1, skipped 0, unknown 0\n", output)
      assert.matches("^line,error,column 1,[^\n]*\n3,[^\n]*,1,99,55,no,2\r\n$",
        scratch.read(rejects))
    end)

    it("a misspelt column with a warning", function()
      local path = write(RUNS .. ",feedbak,Notes\n5544,55,no,2,Missed,x\n")
      local output, errors, code = example:run(path, "--extra-columns")
      assert.equal('cekura-review votes: column "feedbak" is ignored, did you mean "feedback"?\n',
        errors)
      assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
    end)

    it("no column of a vote that is there twice", function()
      local path = write(RUNS .. ",Run ID\n5544,55,no,2,5545\n")
      local _, errors, code = example:run(path, "--extra-columns")
      assert.matches('columns "run_id" and "Run ID" are the same', errors)
      assert.equal(2, code)
    end)
  end)

  it("suggests the name of a column of either kind of calls", function()
    for column, name in pairs { cal_log_id = "call_log_id", run_di = "run_id" } do
      local path = write(column .. ",metric_id,thumbs_up,expected_value\n1,55,no,2\n")
      local _, errors, code = example:run(path)
      assert.matches(('column "%s": unknown column, did you mean "%s"?'):format(column, name),
        errors, 1, true)
      assert.matches('column "run_id" or "call_log_id" is missing', errors, 1, true)
      assert.equal(2, code)
    end
  end)

  it("leaves out the rows of a sample that are not filled in yet, and continues later", function()
    local header = RUNS .. ",feedback,selection,metric,value\n"
    local path = write(header .. "5544,55,no,2,,random,Steps,3\n5545,55, ,,,random,Steps,2\n"
      .. "5544,54,,,,targeted,Booked,True\n")
    local output, errors, code = example:run(path)
    assert.equal("cekura-review votes: rows that are not filled in, and left out: 2\n", errors)
    assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
    assert.equal(0, code)
    write(header .. "5544,55,no,2,,random,Steps,3\n5545,55,,,Missed,random,Steps,2\n")
    output, errors, code = example:run(path)
    assert.equal("", output)
    assert.matches(":3: thumbs_up: is required", errors, 1, true)
    assert.equal(2, code)
    write(header .. "5544,55,no,2,,random,Steps,3\n5545,55,yes,2,,random,Steps,2\n")
    output, errors, code = example:run(path)
    assert.equal(NO_ERRORS, errors)
    assert.equal("ok 1, failed 0, skipped 1, unknown 0\n", output)
    assert.equal(0, code)
  end)

  it("refuses a sheet in which no row is filled in", function()
    local path = write(RUNS .. "\n5544,55,,\n")
    local output, errors, code = example:run(path)
    assert.equal("", output)
    assert.equal(("cekura-review votes: %s: no row is filled in\n"):format(path), errors)
    assert.equal(3, code)
  end)

  describe("with --json", function()
    local function run(...)
      local output, errors, code = example:run("--json", ...)
      return cjson.decode(output), output, errors, code
    end

    it("has the numbers of both steps, and the rows that were not accepted", function()
      local path = write(RUNS .. ",Mine\n5544,55,no,2,\n99,55,no,2,\nx,55,no,2,\n5545,55,no,2,\n")
      local data, _, errors, code = run("--lab", "--skip-bad", "--extra-columns", path)
      assert.equal(1, code)
      assert.same({ "votes", 1 }, { data.command, data.exit_code })
      assert.same({ ok = 2, failed = 1, skipped = 0, unknown = 0, left = 0 }, data.votes)
      assert.same({ ok = 2, failed = 0, skipped = 0, unknown = 0, left = 0 }, data.test_sets)
      assert.same({ "Mine" }, data.ignored_columns)
      assert.same({ 2, 3, 4 }, { #data.rejected, data.rejected[1].line, data.rejected[2].line })
      assert.matches("status 404", data.rejected[1].error)
      assert.equal('run_id: must be an id: a whole number from 1 to 9223372036854775807, got "x"',
        data.rejected[2].error)
      assert.matches("ok 2, failed 1, skipped 0, unknown 0\n", errors, 1, true)
    end)

    it("has empty lists, and no numbers of a step that is not asked for", function()
      local data, output = run(write(RUNS .. "\n5544,55,no,2\n"))
      assert.matches('"rejected":[]', output, 1, true)
      assert.matches('"ignored_columns":[]', output, 1, true)
      assert.is_nil(data.test_sets)
    end)

    it("has the bad rows if nothing was sent", function()
      local data, _, _, code = run(write(RUNS .. "\n5544,55,no,2\nx,55,no,2\n"))
      assert.equal(2, code)
      assert.same({ "1 of 2 rows are bad, so nothing was sent. Correct them, or leave them out "
        .. "with --skip-bad", 3 }, { data.error, data.rejected[1].line })
      assert.is_nil(data.votes)
    end)

    it("is JSON for any bytes in names and cells", function()
      local path = write(RUNS .. ",\xFFa\xC3,b\u{E4}\n5544,55,\xFE,2,,\n")
      local data, _, _, code = run("--extra-columns", path)
      assert.equal(2, code)
      assert.same({ "\u{FFFD}a\u{FFFD}", "b\u{E4}" }, data.ignored_columns)
      assert.matches("thumbs_up: must be true or false", data.rejected[1].error)
      data, _, _, code = run(example:path "\xFF.csv")
      assert.equal(2, code)
      assert.matches("\u{FFFD}.csv: No such file or directory", data.error)
    end)

    it("has the first requests of a dry run", function()
      local data = run("--dry-run", write(HEADER .. "4711,55,no,2,\n4712,55,no,2,\n"))
      assert.equal(2, data.votes.planned)
      assert.same({ method = "POST", body = '{"metric_id":55,"thumbs_up":false,"expected_value":2}',
        url = server.url .. "/observability/v1/call-logs/4711/mark_metric_vote/" },
        data.votes.first)
    end)
  end)
end)
