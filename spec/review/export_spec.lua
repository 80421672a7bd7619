-- cekura-review export: labels, votes and values as CSV or JSON lines.

local Review = require "support.review"
local cekura = require "cekura"
local child = require "support.child"
local json = require "cjson".new()
local lfs = require "lfs"
local scratch = require "support.scratch"
local sheet = require "cekura.review.sheet"
local terminal = require "support.terminal"

local NASTY = '=1+1, "so"\n;\tü'

local function rows_of(text)
  local rows, opened = {}, assert(sheet.open(text))
  for row in function() return opened:read() end do rows[#rows + 1] = row.cells end
  return rows, opened.columns
end

local function lines_of(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do rows[#rows + 1] = json.decode(line) end
  return rows
end

local function find(rows, name, value)
  for _, row in ipairs(rows) do
    if row[name] == value then return row end
  end
end

describe("cekura-review export", function()
  local review

  before_each(function()
    review = Review.new("export", { votes_feed_lab = false })
    review.always = { "--no-progress" }
  end)
  after_each(function() review:close() end)

  local function client()
    return assert(cekura.new { api_url = review.server.url, api_key = review.server.api_key })
  end

  -- Puts a run and a production call into the Lab.
  local function label()
    local one <close> = client()
    assert(one.test_sets:create_from_run { run_id = 5544, metrics = {
      { metric = 55, expected_value = 2, feedback = NASTY } } })
    assert(one.test_sets:create_from_call_log { call_log_id = 70071, metrics = {
      { metric = 51, expected_value = true, feedback = "" } } })
  end

  it("writes each label with exact cells", function()
    label()
    local output, errors, code = review:run("labels", "--agent", "231")
    assert.equal(0, code, errors)
    local rows, columns = rows_of(output)
    assert.same({ "label_id", "metric_id", "metric", "run_id", "call_log_id", "agent_id",
      "test_set_id", "expected_value", "value", "feedback", "explanation", "created_at",
      "updated_at" }, columns)
    assert.equal(2, #rows)
    local row = find(rows, "run_id", "5544")
    assert.equal(NASTY, row.feedback)
    assert.same({ "55", "2", "3", "" },
      { row.metric_id, row.expected_value, row.value, row.call_log_id })
    row = find(rows, "call_log_id", "70071")
    assert.same({ "51", "true", "" }, { row.metric_id, row.expected_value, row.run_id })
    assert.equal("2 labels\n", errors)
  end)

  it("writes labels as JSON lines with the same columns", function()
    label()
    local rows = lines_of((review:run("labels", "--metric", "55", "--agent", "231", "--format",
      "jsonl")))
    assert.equal(1, #rows)
    assert.same({ NASTY, 2, 5544 }, { rows[1].feedback, rows[1].expected_value, rows[1].run_id })
    assert.equal(json.null, rows[1].call_log_id)
    assert.equal(1, #lines_of((review:run("labels", "--agent", "231", "--calls", "--format",
      "jsonl"))))
    assert.equal(1, #lines_of((review:run("labels", "--results", "373", "--format", "jsonl"))))
    assert.equal("", (review:run("labels", "--agent", "231", "--until", "2024-01-01", "--format",
      "jsonl")))
  end)

  it("writes each vote of the runs, or of production calls", function()
    local one <close> = client()
    assert(one.runs:mark_metric_vote { run_id = 5544, metric_id = 55, thumbs_up = false,
      expected_value = 2, feedback = NASTY })
    local rows = lines_of((review:run("votes", "--results", "373", "--format", "jsonl")))
    local expected = 0
    for _, id in ipairs(review.server:state("results", 373).run_ids) do
      for _, said in pairs(review.server:state("runs", id).metrics) do
        if said.thumbs_up ~= nil then expected = expected + 1 end
      end
    end
    assert.equal(expected, #rows)
    local row
    for _, each in ipairs(rows) do
      if each.run_id == 5544 and each.metric_id == 55 then row = each end
    end
    assert.same({ false, 2, 3, NASTY, 373 },
      { row.thumbs_up, row.expected_value, row.value, row.feedback, row.result_id })
    rows = lines_of((review:run("votes", "--agent", "231", "--calls", "--format", "jsonl",
      "--since", "2025-11-10")))
    assert.is_true(#rows > 0)
    for _, each in ipairs(rows) do assert.equal("number", type(each.call_log_id)) end
  end)

  it("writes each value of the selected metrics and days", function()
    local output = review:run("values", "--results", "373", "--metric", "51,55")
    local rows = rows_of(output)
    local state = review.server:state("results", 373)
    local expected = 0
    for _, id in ipairs(state.run_ids) do
      local said = review.server:state("runs", id).metrics
      expected = expected + (said[51] and 1 or 0) + (said[55] and 1 or 0)
    end
    assert.equal(expected, #rows)
    local row = find(rows, "run_id", "5544")
    assert.same({ "373", "231", "binary", "true", "true" },
      { row.result_id, row.agent_id, row.kind, row.applies, row.value })
    assert.equal(0, #rows_of((review:run("values", "--results", "373", "--until", "2024-01-01"))))
  end)

  it("writes control characters to a file, and blanks to a terminal", function()
    local feedback = "a\27[2Jb\u{9B}2Jc"
    local voter <close> = client()
    assert(voter.runs:mark_metric_vote { run_id = 5544, metric_id = 55, thumbs_up = false,
      expected_value = 2, feedback = feedback })
    for _, format in ipairs { "csv", "jsonl" } do
      local words = { "votes", "--results", "373", "--metric", "55", "--format", format }
      assert.matches(format == "csv" and feedback or "a\\u001b[2Jb\u{9B}2Jc",
        review:run(table.unpack(words)), 1, true)
      local shell = table.concat(review:command(table.unpack(words)), " ") .. " >&2"
      local shown = terminal.run(80, ("os.execute(%q)"):format(shell), review.environment).stderr
      assert.is_nil(shown:find "[\27\x9B]", shown)
      assert.matches(format == "csv" and "a [2Jb 2Jc" or "a\\u001b[2Jb 2Jc", shown, 1, true)
    end
  end)

  it("writes one JSON object with --json, with the rows or the file", function()
    local data = json.decode((review:run("values", "--results", "373", "--metric", "55", "--json")))
    assert.equal(data.count, #data.rows)
    local path = review:path "out.jsonl"
    local output = review:run("values", "--results", "373", "--metric", "55", "--json", "--output",
      path, "--format", "jsonl")
    assert.same({ command = "export", exit_code = 0, what = "values", count = data.count,
      output = path }, json.decode(output))
    assert.equal(data.count, #lines_of(scratch.read(path)))
  end)

  it("refuses a metric that does not exist, and accepts one without a row", function()
    for _, what in ipairs { "labels", "votes", "values" } do
      local _, errors, code = review:run(what, "--results", "373", "--metric", "55,999")
      assert.matches("metric 999: ", errors)
      assert.equal(2, code)
      _, errors, code = review:run(what, "--results", "373", "--metric", "57")
      assert.same({ ("0 %s\n"):format(what), 0 }, { errors, code })
    end
  end)

  it("names what could not be read, and leaves no file", function()
    local path = review:path "out.csv"
    for _, case in ipairs {
      { { path = "/v2/results/38%d/", status = 404, body = {} }, "values", "result 38%d: " },
      { { path = "/v2/metrics/53/", status = 404, body = {} }, "labels", "metric 53: " },
      { { path = "/v2/results/", skip = 5, status = 403, body = {} }, "votes", "403" },
    } do
      review.server:faults { case[1] }
      local output, errors, code = review:run(case[2], "--agent", "231", "--output", path)
      assert.equal("", output)
      assert.matches(case[3], errors)
      assert.equal(1, code)
      assert.is_nil(scratch.read(path))
    end
  end)

  it("names a production call that vanishes, and keeps the file of an earlier run", function()
    local path = review:write("out.csv", "old")
    review.server:faults { { method = "GET", path = "/call%-logs/70%d+/$", skip = 3, status = 404,
      body = {} } }
    local _, errors, code = review:run("values", "--agent", "231", "--calls", "--output", path,
      "--since", "2025-11-10")
    assert.matches("production call 70%d+: ", errors)
    assert.equal(1, code)
    assert.equal("old", scratch.read(path))
  end)

  it("leaves no file on a full disk", function()
    local path = review:path "out.csv"
    local command =
      child.on_full_disk(1, review:command("values", "--agent", "231", "--output", path))
    local _, errors, code = child.run_checked_apart(
      { "sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", table.unpack(command) }, review.environment)
    assert.matches("%-%-output: [^\n]*out.csv: [^\n]+\n$", errors)
    assert.equal(1, code)
    for name in lfs.dir(review.folder) do assert.is_truthy(name:find "^%.%.?$", name) end
  end)
end)
