-- cekura-review report, run as a user would run it, and the page that it writes.
-- The expected numbers are counted from the state of the sandbox.


local Review = require "support.review"
local agreement = require "cekura.review.agreement"
local cekura = require "cekura"
local child = require "support.child"
local cjson = require "cjson"
local html = require "cekura.review.report.html"
local scratch = require "support.scratch"
local times = require "cekura.review.internal.times"
local values = require "cekura.review.internal.values"

local NOW = times.parse "2025-11-21T09:00:00Z"  -- fixes the weeks in the sandbox
local NO_ERRORS = ""
local NOTHING = "there is nothing to report: the metrics' Labs have no review of any of 1,080 "
  .. "runs. cekura%-review votes %-%-lab puts reviews there"

describe("cekura-review report", function()
  local example, server, client, output

  before_each(function()
    example = Review.new("report", { now = NOW })
    server, output = example.server, example:path "page.html"
    client = assert(cekura.new { api_url = server.url, api_key = server.api_key })
    example.always = { "--no-progress", "--output", output }
  end)

  after_each(function()
    client:close()
    example:close()
  end)

  local function run(...) return example:run(...) end

  local function read_page()
    return cjson.decode((child.run { "python3", "spec/support/page.py", output }))
  end

  -- Returns the page that the example writes with these options.
  local function page_of(...)
    local _, errors, code = run(...)
    assert.equal(NO_ERRORS, errors)
    assert.equal(0, code)
    local page = read_page()
    assert.same({}, page.problems)
    assert.same({}, page.loads)
    return page
  end

  local function table_of(page, pattern)
    for caption, rows in pairs(page.tables) do
      if caption:find(pattern) then return rows end
    end
  end

  -- Returns the rows of the overview, { [name] = row }, and the names in order.
  local function overview_of(page)
    local rows, names = {}, {}
    for i, row in ipairs(table_of(page, "^How often")) do
      if i > 1 then
        local name = page.texts.name[i - 1]
        rows[name], names[i - 1] = row, name
      end
    end
    return rows, names
  end

  -- Returns the reviews of a metric in the sandbox: a list of { call, value, expected }. fits(call)
  -- selects calls.
  local function reviews_of(metric_id, fits)
    local list = {}
    for _, part in ipairs { "runs", "call_logs" } do
      for _, call in pairs(server:state(part)) do
        local e = call.metrics[metric_id]
        call.part = part
        if e and e.is_reviewed and e.expected_value ~= nil and (not fits or fits(call)) then
          list[#list + 1] = { call = call, value = e.value, expected = e.expected_value }
        end
      end
    end
    return list
  end

  local function agreed(reviews, tolerance)
    local count = 0
    for _, review in ipairs(reviews) do
      local same = review.value == review.expected
        or tolerance and math.abs(review.value - review.expected) <= tolerance
      count = count + (same and 1 or 0)
    end
    return count
  end

  local function count_sentence(name, page)
    for _, text in ipairs(page.texts.metric) do
      local said, total = text:match("^" .. name .. " .- agreed with it in (%d+) of (%d+) call")
      if said then return tonumber(said), tonumber(total) end
      total = text:match("^" .. name .. " .- agreed with it in all of (%d+) call")
      if total then return tonumber(total), tonumber(total) end
    end
  end

  describe("prints", function()
    it("a summary, and only reads", function()
      local text, errors, code = run()
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("^Reviewers went over %d+ calls, and agreed with the metrics in ", text)
      assert.matches("\n 4%d%% now  Steps Completed: worse since 20 Oct, %d%d%% before\n", text)
      assert.matches("Call Outcome: better since 3 Nov, ", text)
      assert.matches("written to " .. output .. "\n$", text)
      for _, request in ipairs(server:requests()) do assert.equal("GET", request.method) end
      assert.same({}, server:state "votes")
    end)

    it("progress on stderr", function()
      example.always = { "--output", output }
      local _, errors, code = run("--results", "373,374")
      assert.equal(0, code)
      assert.matches("^cekura%-review report: reading results\n2 of 2 done.-\n"
        .. "cekura%-review report: reading metrics\n%d of %d done", errors)
    end)
  end)

  describe("writes a page", function()
    local LABELS = { binary = { [true] = "passed", [false] = "failed" }, enum = {} }

    -- Returns the confusion table of a metric, counted in the sandbox.
    local function counted(metric, reviews, order)
      local cells, label = {}, LABELS[metric.eval_type]
      for _, review in ipairs(reviews) do
        local row = label[review.expected] or review.expected
        local column = label[review.value] or review.value
        cells[row] = cells[row] or {}
        cells[row][column] = (cells[row][column] or 0) + 1
      end
      local rows, totals, all = {}, {}, 0
      for i, row in ipairs(order) do
        local sum = 0
        rows[i] = { row }
        for j, column in ipairs(order) do
          local count = (cells[row] or {})[column] or 0
          rows[i][j + 1] = tostring(count)
          totals[j], sum = (totals[j] or 0) + count, sum + count
        end
        table.insert(rows[i], tostring(sum))
        all = all + sum
      end
      for j, total in ipairs(totals) do totals[j] = tostring(total) end
      rows[#rows + 1] = { "All", table.unpack(totals) }
      table.insert(rows[#rows], tostring(all))
      return rows
    end

    it("whose confusion tables count the sandbox's votes", function()
      local page = page_of()
      for id, metric in pairs(server:state "metrics") do
        local reviews = reviews_of(id)
        if LABELS[metric.eval_type] and #reviews > 0 then
          local rows = table_of(page, "^What " .. metric.name .. " said")
          local order = metric.enum_values or { "passed", "failed" }
          assert.same(order, rows[2])
          assert.same(counted(metric, reviews, order), table.move(rows, 3, #rows, 1, {}))
        end
      end
    end)

    it("whose shares count the sandbox's votes", function()
      local page, checked = page_of(), 0
      for id, metric in pairs(server:state "metrics") do
        local reviews = reviews_of(id)
        local said, total = count_sentence(metric.name, page)
        if #reviews > 0 then
          local tolerance = metric.eval_type == "continuous_qualitative" and 0.5
          assert.equal(#reviews, total)
          assert.equal(agreed(reviews, tolerance), said)
          checked = checked + 1
        end
      end
      assert.equal(9, checked)
    end)

    it("whose weeks add up to the total", function()
      local page = page_of("--metric", "52")
      local monday, weeks = times.parse "2025-11-03T00:00:00Z", {}
      for _, review in ipairs(reviews_of(52)) do
        if review.call.timestamp >= monday and review.call.timestamp < monday + 7 * 86400 then
          weeks[#weeks + 1] = review
        end
      end
      local rows, sums = table_of(page, "^Agreement with Call Outcome by week"), { 0, 0 }
      for i = 2, #rows do
        sums = { sums[1] + rows[i][2], sums[2] + rows[i][3] }
        if rows[i][1] == "3 Nov" then
          assert.same({ "3 Nov", tostring(agreed(weeks)), tostring(#weeks),
            ("%d%%"):format(math.floor(agreed(weeks) / #weeks * 100 + 0.5)) }, rows[i])
        end
      end
      assert.same({ agreed(reviews_of(52)), #reviews_of(52) }, sums)
      assert.equal("3 Nov", rows[8][1])
    end)

    it("that lists the least reliable metric first", function()
      local page = page_of()
      local rows, names = overview_of(page)
      assert.equal("Steps Completed", names[1])
      assert.equal("Response Latency", names[#names])
      assert.equal("100%", rows["Response Latency"][2])
      assert.matches("^▼ worse since .*, %d%d%% before$", rows["Steps Completed"][8])
      assert.matches("^▲ better since .*, %d%d%% before$", rows["Call Outcome"][8])
      assert.equal("– no clear change", rows["Empathy"][8])
      assert.equal(tostring(#reviews_of(53)), rows["Empathy"][4])
    end)

    it("that shows --examples mistakes of each kind", function()
      local mistakes = #reviews_of(55) - agreed(reviews_of(55))
      assert.equal(mistakes, #page_of("--metric", "55", "--examples", "1000").texts.case)
      assert.equal(2, #page_of("--metric", "55", "--examples", "1").texts.case)
      assert.is_nil(page_of("--metric", "55", "--examples", "0").texts.case)
    end)

    it("with the reviewer's feedback and the transcript", function()
      local feedback = "It forgot the ninth step"
      assert(client.runs:mark_metric_vote {
        run_id = 5544, metric_id = 55, thumbs_up = false, expected_value = 2, feedback = feedback,
      })
      local turns = assert(client.runs:get { run_id = 5544 }).transcript_object
      local page = page_of("--results", "373", "--metric", "55")
      local found
      for _, text in ipairs(page.texts.case) do
        if text:find(feedback, 1, true) then found = text end
      end
      assert.matches("The metric said 3, the reviewer 2 ", found)
      assert.matches("Reschedule an appointment · run 5544 · %d+ October 2025 ", found)
      assert.matches("The metric’s reason: The agent completed 3 of 3 steps. ", found)
      for _, turn in ipairs(turns) do
        assert.is_truthy(found:find(turn.role .. " " .. turn.content, 1, true))
      end
    end)

    it("that uses the current value of the metric", function()
      assert(client.runs:mark_metric_vote {
        run_id = 5544, metric_id = 51, thumbs_up = true, expected_value = true,
      })
      local page = page_of("--results", "373", "--metric", "51")
      local rows = table_of(page, "^What Identity Verified")
      assert.equal(#reviews_of(51, function(call) return call.result_id == 373 end),
        tonumber(rows[5][4]))
    end)

    it("on which true and 5 are the same verdict, and null is not one", function()
      local AT, entries = "2025-10-22T05:06:50Z", {
        { score = true, passed = true }, { score = 5 }, { score = false }, { score = cjson.null } }
      local expected, runs, reviews = { 5, true, "true", false }, {}, {}
      for i, entry in ipairs(entries) do
        entry.id, entry.type, entry.eval_type = 54, "binary", "binary"
        runs[tostring(i)] = { id = i, status = "completed", timestamp = AT, agent_name = "A",
          evaluation = { metrics = { entry } } }
        reviews[i] = { id = i, expected_value = expected[i], updated_at = AT,
          test_set = { id = i, source_model = "Run", source_id = i, transcript = "" } }
      end
      server:faults {
        { path = "/results/373/", body = { id = 373, name = "R", runs = runs } },
        { path = "/metrics/54/", body = { id = 54, name = "Careful", eval_type = "binary",
          reviews = reviews } },
      }
      local page = page_of("--results", "373", "--metric", "54")
      assert.same({ 2, 4 }, { count_sentence("Careful", page) })
      local rows = table_of(page, "^What Careful said")
      assert.same({ { "passed", "failed", "no value" }, { "passed", "2", "1", "0", "3" },
        { "failed", "0", "0", "1", "1" } }, table.move(rows, 2, 4, 1, {}))
    end)

    it("to a pipe", function()
      local text, errors, code = run("--results", "373,374", "--output", "/dev/stdout")
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.matches("^<!DOCTYPE html>.*</html>\n", text)
      assert.matches("written to /dev/stdout", text, 1, true)
    end)

    it("that leaves out votes without an expected value", function()
      local before = #reviews_of(55)
      for id, call in pairs(server:state "runs") do
        if call.metrics[55] and call.metrics[55].is_reviewed then
          assert(client.runs:mark_metric_vote {
            run_id = id, metric_id = 55, thumbs_up = true, expected_value = cekura.null,
          })
          break
        end
      end
      local _, total = count_sentence("Steps Completed", page_of("--metric", "55"))
      assert.equal(before - 1, total)
    end)
  end)

  describe("says how far a binary metric can be relied on", function()
    local SINCE_ALWAYS = { "--metric", "51" }

    -- Returns the reviews of a metric as pairs, and its pass rate: the passed runs and all runs.
    local function counted(metric_id)
      local pairs_of, passed, total = {}, 0, 0
      for i, review in ipairs(reviews_of(metric_id)) do
        pairs_of[i] = { said = review.value, expected = review.expected }
      end
      for _, each in pairs(server:state "runs") do
        local value = each.metrics[metric_id] and each.metrics[metric_id].value
        if value ~= nil then total = total + 1 end
        if value == true then passed = passed + 1 end
      end
      return pairs_of, passed, total
    end

    local function percent(share) return ("%.0f%%"):format(math.floor(share * 100 + 0.5)) end

    local function interval(low, high) return ("%s to %s"):format(percent(low), percent(high)) end

    it("on the page, on stdout and in the data, with the same numbers", function()
      local pairs_of, passed, total = counted(51)
      local kappa = agreement.kappa(pairs_of)
      local rates = agreement.rates(pairs_of)
      local positive, negative = rates.true_positive, rates.true_negative
      local corrected = agreement.corrected(passed / total, positive.share, negative.share)
      local low, high = agreement.corrected_interval(passed, total, positive, negative)

      local page = page_of(table.unpack(SINCE_ALWAYS))
      local rows = table_of(page, "^How far Identity Verified can be relied on%. The intervals")
      assert.equal(("%.2f"):format(kappa), rows[3][2])
      assert.equal(percent(positive.share), rows[4][2])
      assert.equal(interval(positive.low, positive.high), rows[4][3])
      assert.equal(("%d reviews"):format(positive.total), rows[4][4])
      assert.equal(percent(negative.share), rows[5][2])
      assert.equal(interval(negative.low, negative.high), rows[5][3])
      assert.equal(percent(passed / total), rows[6][2])
      assert.equal(("%d runs"):format(total), rows[6][4])
      assert.equal(percent(corrected), rows[7][2])
      assert.equal(interval(low, high), rows[7][3])

      table.insert(example.always, "--json")
      local output_data, text = run(table.unpack(SINCE_ALWAYS))
      local data = cjson.decode(output_data)
      local metric = data.metrics[1]
      assert.same({ 51, "Identity Verified", "binary", #pairs_of, "report", 0, output },
        { metric.id, metric.name, metric.kind, metric.total, data.command, data.exit_code,
          data.output })
      assert.same({ kappa, positive.share, negative.share, passed / total, corrected, low, high },
        { metric.kappa.value, metric.true_positive.share, metric.true_negative.share,
          metric.pass_rate.share, metric.corrected_pass_rate.share,
          metric.corrected_pass_rate.low, metric.corrected_pass_rate.high })
      assert.matches(("kappa %.2f: "):format(kappa), text, 1, true)
      assert.matches(("passes %s of %d calls that reviewers pass: %s\n"):format(
        percent(positive.share), positive.total, interval(positive.low, positive.high)), text, 1,
        true)
      assert.matches(("corrected for its errors %s: %s\n"):format(percent(corrected),
        interval(low, high)), text, 1, true)
      assert.matches(("Resting on %d reviewed calls that people chose"):format(#pairs_of), text)
    end)

    it("and marks numbers that rest on fewer than ten calls", function()
      local page = page_of("--metric", "54")
      local rows = table_of(page, "^How far Avoids Medical Advice can be relied on")
      local rates = agreement.rates((counted(54)))
      assert.is_true(rates.true_negative.total < 10)
      assert.matches("^%d+ reviews?  ?few$", rows[5][4])
      assert.matches("few$", rows[7][4])
      assert.matches("^%d+ reviews$", rows[4][4])
      local _, names = overview_of(page)
      assert.same({ "Avoids Medical Advice" }, names)
      assert.matches("few", table_of(page, "^How often")[2][6])
    end)
  end)

  describe("with --sample", function()
    -- Writes a sheet of the reviewed calls of a metric: of three calls, one random, one targeted,
    -- one absent. Returns its path, the random reviews, and the number of targeted and others.
    local function sample(metric_id, name)
      local lines = { "run_id,call_log_id,metric_id,thumbs_up,selection,notes" }
      local random, targeted, others = {}, 0, 0
      for i, review in ipairs(reviews_of(metric_id)) do
        local id, is_run = review.call.id, review.call.part == "runs"
        local word = ({ "random", "targeted" })[i % 3 + 1]
        if word == "random" then random[#random + 1] = review end
        if word == "targeted" then targeted = targeted + 1 end
        others = others + (word and 0 or 1)
        lines[#lines + 1] = word and ("%s,%s,%d,,%s,"):format(is_run and id .. ".0" or "",
          is_run and "" or id, metric_id, word)
      end
      return example:write(name or "sample.csv", table.concat(lines, "\r\n") .. "\r\n"), random,
        targeted, others
    end

    it("rests on the random calls alone, and says so", function()
      local path, random, targeted, others = sample(55)
      local text = run("--metric", "55,53", "--sample", path)
      local page = read_page()
      local said, total = count_sentence("Steps Completed", page)
      assert.same({ agreed(random), #random }, { said, total })
      local basis = ("Resting on %d randomly selected calls; %d targeted ones and %d that people "
        .. "chose left out."):format(#random, targeted, others)
      assert.is_truthy(text:find(basis, 1, true))
      assert.is_truthy(page.text:find(basis, 1, true))
      local beginning = "Randomly selected calls alone count for Steps Completed. People chose the "
        .. "calls for Empathy, which may not be typical."
      assert.is_truthy(text:find(beginning, 1, true))
      assert.is_truthy(page.text:find(beginning, 1, true))
      assert.equal(#reviews_of(53), (select(2, count_sentence("Empathy", page))))
    end)

    it("accepts several sheets, with any separator", function()
      local first, random = sample(55)
      local second, others = sample(54, "other.csv")
      scratch.write(second, (scratch.read(second):gsub(",", ";")))
      table.insert(example.always, "--json")
      local data = cjson.decode((run("--metric", "54,55", "--sample", first, "--sample", second)))
      local totals = {}
      for _, metric in ipairs(data.metrics) do
        totals[metric.id] = metric.total
        assert.equal("random", metric.selection.kind)
      end
      assert.same({ [54] = #others, [55] = #random }, totals)
    end)

    it("refuses a wrong sheet before it reads anything", function()
      for content, problem in pairs {
        ["run_id,metric_id\n1,2\n"] = "has no column selection",
        ["run_id,metric_id,selection\n1,2,maybe\n"] =
          'line 2: selection: "maybe" is neither random nor targeted',
        ["run_id,metric_id,selection\n,2,random\n"] = "line 2: needs a run_id or a call_log_id",
        ["run_id,metric_id,selection\n1,two,random\n"] = 'line 2: metric_id: "two" is not an id',
        ["run_id,metric_id,selection\n1,2\n"] = "line 2: the header has 3",
        ["run_id,call_log_id,metric_id,selection\n1,2,3,random\n"] = "line 2: has both",
        [""] = "is empty",
      } do
        local path = example:write("sample.csv", content)
        local text, errors, code = run("--sample", path)
        assert.same({ "", 2 }, { text, code })
        assert.is_truthy(errors:find(("report: --sample: %s: %s"):format(path, problem), 1, true))
      end
      assert.same({}, server:requests())
    end)
  end)

  it("takes the agent from the environment, unless --results says what to read", function()
    example.environment.CEKURA_AGENT_ID = "232"
    local page = page_of("--metric", "52")
    local fits = function(call) return call.agent_id == 232 end
    assert.equal(#reviews_of(52, fits), (select(2, count_sentence("Call Outcome", page))))
    page_of("--metric", "55", "--results", "373")
    for _, request in ipairs(server:requests()) do
      if request.path:find "/results/$" then assert.matches("agent_id=232", request.query) end
    end
  end)

  describe("reports only on", function()
    local function totals(metric_id, name, fits, ...)
      local reviews = reviews_of(metric_id, fits)
      local said, total = count_sentence(name, page_of(...))
      assert.is_true(#reviews > 0)
      assert.equal(#reviews, total)
      assert.equal(agreed(reviews), said)
    end

    it("the calls of an agent", function()
      totals(52, "Call Outcome", function(call) return call.agent_id == 232 end, "--agent", "232")
    end)

    it("the calls of a project", function()
      totals(42, "Request Resolved", function(call) return call.agent_id == 224 end,
        "--project", "12")
    end)

    it("the runs of some results, without production calls", function()
      local wanted, list = {}, {}
      for _, review in ipairs(reviews_of(52, function(call) return call.part == "runs" end)) do
        local id = review.call.result_id
        if not wanted[id] and #list < 3 then list[#list + 1], wanted[id] = id, true end
      end
      totals(52, "Call Outcome", function(call) return wanted[call.result_id] end,
        "--results", table.concat(list, ", "))
    end)

    it("the calls of some days", function()
      local from, to = times.parse "2025-10-15T00:00:00Z", times.parse "2025-11-08T00:00:00Z"
      totals(55, "Steps Completed", function(call)
        return call.timestamp >= from and call.timestamp < to
      end, "--since", "2025-10-15", "--until", "2025-11-07")
    end)

    it("some metrics, and names those without reviews", function()
      local page = page_of("--metric", "55,57")
      local _, names = overview_of(page)
      assert.same({ "Steps Completed" }, names)
      assert.matches("Nobody has reviewed Follow%-up Offered here%.", page.text)
    end)
  end)

  describe("escapes", function()
    local HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>"
      .. '"\'&amp; &lt; {name} %1 </style></details>'

    local function vote(fields)
      fields.run_id, fields.metric_id, fields.thumbs_up = 5544, fields.metric_id or 52, false
      assert(client.runs:mark_metric_vote(fields))
    end

    it("the feedback and expected value of a reviewer", function()
      vote { expected_value = HOSTILE, feedback = HOSTILE }
      local page = page_of("--results", "373", "--metric", "52")
      local text = page.text:gsub("%s+", " ")
      assert.is_truthy(text:find("“" .. HOSTILE .. "”", 1, true))
      assert.is_truthy(text:find("the reviewer " .. HOSTILE, 1, true))
      assert.is_nil(scratch.read(output):lower():find("<script", 1, true))
    end)

    it("the name and description of a metric", function()
      assert(client.metrics:update { metric_id = 52, name = HOSTILE, description = HOSTILE })
      vote { expected_value = "unresolved" }
      local page = page_of("--results", "373", "--metric", "52")
      local _, names = overview_of(page)
      assert.same({ HOSTILE }, names)
      assert.is_truthy(page.texts.description[1]:find(HOSTILE, 1, true))
    end)

    it("control characters, as replacement characters", function()
      local feedback = "a\0b\27[2Jc\u{85}\u{FFFF}\r\nd\u{202E}e\u{2066}"
      vote { expected_value = "unresolved", feedback = feedback }
      local page = page_of("--results", "373", "--metric", "52")
      local shown = "“aXbX[2JcXX dXeX”"
      assert.is_truthy(page.text:find(shown:gsub("X", "\u{FFFD}"), 1, true))
    end)

    it("control characters on the terminal, as blanks", function()
      assert(client.metrics:update { metric_id = 52, name = "\27[2J\u{9B}2J" })
      vote { expected_value = "unresolved" }
      local text = run("--results", "373", "--metric", "52")
      assert.is_nil(text:find "\27")
      assert.is_nil(text:find "\xC2\x9B")
    end)

    it("names and explanations in a response", function()
      vote { expected_value = "unresolved" }
      server:faults { { path = "/results/373/", body = { id = 373, name = HOSTILE,
        runs = { ["5544"] = { id = 5544, scenario_name = HOSTILE, agent_name = HOSTILE,
          timestamp = "2025-10-22 05:06:50", evaluation = { metrics = {
            { id = 52, name = HOSTILE, type = "enum", value = HOSTILE, explanation = { HOSTILE } },
          } } } } } } }
      local page = page_of("--results", "373", "--metric", "52")
      assert.is_truthy(page.texts.where[1]:find(HOSTILE, 1, true))
      assert.is_truthy(page.texts.reason[1]:find(HOSTILE, 1, true))
      assert.is_truthy(page.texts.scope[1]:find(HOSTILE, 1, true))
    end)
  end)

  describe("ends with one line of explanation", function()
    local function refuses(expected_code, expected, ...)
      local text, errors, code = run(...)
      assert.equal("", text)
      assert.matches("^cekura%-review report: " .. expected .. "[^\n]*\n$", errors)
      assert.equal(expected_code, code)
      assert.is_nil(scratch.read(output))
    end

    for what, words in pairs {
      ["a list with a word"] = { "'x' is not an id: a whole number", "--results", "373,x" },
      ["an empty list"] = { "there is no id", "--metric", "" },
      ["an agent's name"] = { "'Ava' is not an id", "--agent", "Ava" },
      ["the id 0"] = { "'0' is not an id", "--agent", "0" },
      ["a sample that does not exist"] = { "%-%-sample: /none.csv: No such file", "--sample",
        "/none.csv" },
      ["two scopes"] = { "option '%-%-project' can not be used together", "--agent", "231",
        "--project", "14" },
      ["a day that does not exist"] = { "'2025%-02%-30' is not a date", "--since", "2025-02-30" },
      ["days in the wrong order"] = { "%-%-since is after %-%-until", "--since", "2025-11-02",
        "--until", "2025-11-01" },
      ["a word for --examples"] = { "'many' is not a whole number", "--examples", "many" },
      ["a surplus argument"] = { "too many arguments", "report.html" },
      ["a folder that does not exist"] = { "%-%-output: /none/x.html: No such file", "--output",
        "/none/x.html" },
    } do
      it("for " .. what, function() refuses(2, table.unpack(words)) end)
    end

    it("for a page that would overwrite the sample, by any name", function()
      local path = example:write("sample.csv", "run_id,metric_id,selection\n5540,55,random\n")
      refuses(2, "%-%-output would overwrite a %-%-sample: name another file", "--sample", path,
        "--output", (path:gsub("^(.*)/", "%1/./")))
      assert.matches("5540", scratch.read(path))
    end)

    it("for a page and data on stdout", function()
      local text, errors, code = run("--json", "--output", "/dev/stdout")
      assert.equal(2, code)
      assert.matches("%-%-output: %-%-json needs stdout; name a file", errors)
      assert.equal(2, cjson.decode(text).exit_code)
    end)

    it("for an id that does not exist", function()
      refuses(2, "result 999: results.get: status 404", "--results", "373,999")
      refuses(2, "metric 999: metrics.get: status 404", "--metric", "999")
    end)

    it("for an agent without a result", function()
      refuses(1, "there is no run to report on", "--agent", "999")
      refuses(1, "there is no run to report on", "--since", "2031-01-01")
    end)

    it("for calls without reviews", function()
      refuses(1, NOTHING, "--metric", "57")
    end)

    it("for votes that are not in a Lab", function()
      example:close()
      example = Review.new("report", { now = NOW, votes_feed_lab = false })
      output = example:path "page.html"
      example.always = { "--no-progress", "--output", output }
      refuses(1, NOTHING)
    end)

    it("for a wrong key", function()
      example.environment.CEKURA_API_KEY = "another-key"
      refuses(2, "results.list: status 401")
    end)

    it("for no key", function()
      example.environment.CEKURA_API_KEY = false
      refuses(2, "cekura: api_key: is required")
    end)

    it("for a server that is not running", function()
      server:stop()
      refuses(4, "results.list: ")
    end)

    it("for a network that is lost", function()
      server:faults { { path = "/results/%d+/", skip = 20, times = math.huge, drop = true } }
      refuses(4, "result %d+: results.get: ")
    end)

    it("and does not change an older page", function()
      scratch.write(output, "older")
      local _, _, code = run("--agent", "999")
      assert.equal(1, code)
      assert.equal("older", scratch.read(output))
    end)
  end)

  it("leaves out metrics and call logs that were deleted meanwhile", function()
    server:faults {
      { path = "/metrics/54/", status = 404, body = { detail = "gone" } },
      { path = "/call%-logs/%d+/", status = 404, times = math.huge, body = { detail = "gone" } },
    }
    local page = page_of("--agent", "231")
    local _, total = count_sentence("Call Outcome", page)
    assert.equal(#reviews_of(52, function(call)
      return call.agent_id == 231 and call.part == "runs"
    end), total)
    assert.is_nil(count_sentence("Avoids Medical Advice", page))
  end)
end)

describe("cekura.review.report", function()
  local report = require "cekura.review.report"
  local AT = "2025-10-22T05:06:50Z"

  -- Returns a source with runs whose values and reviews are given: a list of { value, expected }.
  local function source_of(kind, rows, options)
    local runs, reviews = {}, {}
    for i, row in ipairs(rows) do
      runs[tostring(i)] = { id = i, timestamp = AT, evaluation = { metrics = {
        { id = 7, eval_type = kind, [kind == "enum" and "enum" or "score"] = row[1] } } } }
      reviews[i] = { expected_value = row[2], updated_at = AT,
        test_set = { source_model = "Run", source_id = i, transcript = "" } }
    end
    local source = report.new(options)
    assert(source:add_result { id = 1, name = "R", runs = runs })
    assert(source:add_metric { id = 7, name = "Seven", eval_type = kind, reviews = reviews })
    return source
  end

  local function report_of(...) return source_of(...):report().metrics[1] end

  it("counts responses without a server", function()
    local found = report_of("binary", { { true, true }, { false, true }, { false, false } })
    assert.same({ 2, 3, 2 / 3 }, { found.agreed, found.total, found.now.share })
    assert.equal(0.4, tonumber(("%.9f"):format(found.reliability.kappa.value)))
    assert.equal("people", found.selection.kind)
  end)

  it("takes the error of a call", function()
    local source, err = report.new(), { kind = "not_found" }
    for _, add in ipairs { "add_result", "add_metric", "add_call_log" } do
      assert.same({ nil, err }, { source[add](source, nil, err) })
    end
    local added, problem = source:add_metric {}
    assert.is_nil(added)
    assert.matches("the response's `id` is missing", tostring(problem))
    assert.is_nil(source:report())
  end)

  it("says how many random calls of a sample have no review", function()
    local sheet = require "cekura.review.sheet"
    local function lines_for(rows)
      local source = source_of("binary", { { true, true }, { false, false } })
      assert(source:add_sample(assert(sheet.open("run_id,metric_id,selection\n" .. rows))))
      return table.concat(report.lines(source:report()), "\n")
    end
    assert.is_truthy(lines_for("1,7,random\n2,7,targeted\n3,7,random\n4,7,random\n"):find(
      "Resting on 1 randomly selected call; 1 targeted one left out. 2 random calls of the sample "
      .. "have no review here.", 1, true))
    assert.is_truthy(lines_for("2,7,targeted\n3,7,random\n"):find("Resting on 2 reviewed calls "
      .. "that people chose; they may not be typical. 1 random call of the sample has no review "
      .. "here.", 1, true))
    assert.is_truthy(lines_for("1,7,targeted\n1,7,random\n"):find(
      "Resting on 1 randomly selected call; 1 that people chose left out.\n", 1, true))
  end)

  it("has a class of its own for a metric that did not apply", function()
    local found = report_of("binary", { { true, true }, { cekura.null, true }, { false, false },
      { cekura.null, false }, { true, false } }).reliability
    assert.equal(2, found.no_value)
    assert.same({ 1, 1 }, { found.true_positive.agreed, found.true_positive.total })
    assert.same({ 1, 2 }, { found.true_negative.agreed, found.true_negative.total })
    assert.same({ 2, 3, 2 },
      { found.pass_rate.agreed, found.pass_rate.total, found.pass_rate.no_value })
  end)

  it("says how many calls and runs have no value", function()
    local source = source_of("binary", { { true, true }, { cekura.null, true }, { false, false } })
    local text = table.concat(report.lines(source:report()), "\n")
    assert.is_truthy(text:find("It gave no value to 1 of these calls, because it did not apply: "
      .. "that is neither a pass nor a fail. It gave no value to 1 run, which the pass rate "
      .. "leaves out.", 1, true))
    assert.matches("no value to 1 run, which", (report.html(source:report())))
  end)

  it("counts the reviews without an expected value that it leaves out", function()
    local found = report_of("binary", { { true, true }, { true, cekura.null }, { false, "later" } })
    assert.equal(1, found.total)
    assert.equal(2, found.selection.without_expected)
  end)

  it("has no kappa, and null in its data, if all values are the same", function()
    local source = source_of("enum", { { "a", "a" }, { "a", "a" } })
    assert.is_nil(source:report().metrics[1].reliability.kappa)
    local data = report.data(source:report())
    assert.equal(cekura.null, data.metrics[1].kappa)
    assert.is_true(data.metrics[1].now.few)
    local lines = table.concat(report.lines(source:report()), "\n")
    assert.matches("kappa undefined: no interval", lines)
  end)

  it("has no corrected pass rate for a metric that is no better than chance", function()
    local found = report_of("binary", { { true, true }, { false, true }, { true, false },
      { false, false } }).reliability
    assert.is_nil(found.corrected)
    assert.equal(0.5, found.true_positive.share)
  end)

  it("weighs kappa for numbers and ratings by the distance", function()
    local rows = { { 1, 1 }, { 2, 3 }, { 5, 5 }, { 4, 1 } }
    local pairs_of = {}
    for i, row in ipairs(rows) do pairs_of[i] = { said = row[1], expected = row[2] } end
    for _, kind in ipairs { "numeric", "continuous_qualitative" } do
      local kappa = report_of(kind, rows).reliability.kappa
      assert.same({ agreement.kappa(pairs_of, "linear"), "linear" }, { kappa.value, kappa.weights })
    end
  end)

  it("is quick for measurements with many different values", function()
    local rows = {}
    for i = 1, 3000 do rows[i] = { i + 0.5, i + 0.25 } end
    local began = os.clock()
    assert.is_nil(report_of("numeric", rows).reliability.kappa)
    assert.is_true(os.clock() - began < 2)
  end)

  it("accepts another confidence", function()
    local found = source_of("binary", { { true, true }, { false, true } }, { confidence = 0.8 })
      :report()
    assert.same({ agreement.wilson(1, 2, 0.8) }, { found.metrics[1].now.low,
      found.metrics[1].now.high })
    assert.is_truthy(report.html(found):find("80%%\nconfidence"))
  end)
end)

describe("the parts of a report", function()
  -- Returns the relative luminance of "#rrggbb", as WCAG defines it.
  local function luminance(colour)
    local sum = 0
    for i, weight in ipairs { 0.2126, 0.7152, 0.0722 } do
      local part = tonumber(colour:sub(2 * i, 2 * i + 1), 16) / 255
      sum = sum + weight * (part <= 0.04045 and part / 12.92 or ((part + 0.055) / 1.055) ^ 2.4)
    end
    return sum
  end

  local function contrast(a, b)
    local light, dark = luminance(a), luminance(b)
    if light < dark then light, dark = dark, light end
    return (light + 0.05) / (dark + 0.05)
  end

  it("have readable contrast in light, dark and print schemes", function()
    local schemes = 0
    for block in require "cekura.review.report.style":gmatch ":root (%b{})" do
      local colours = {}
      for name, colour in block:gmatch "%-%-([%w-]+): (#%x+)" do colours[name] = colour end
      for _, ground in ipairs { "page", "raised", "good-soft", "bad-soft" } do
        assert.is_true(contrast(colours.text, colours[ground]) >= 7)
      end
      for _, ink in ipairs { "muted", "good", "bad" } do
        assert.is_true(contrast(colours[ink], colours.page) >= 4.5)
        assert.is_true(contrast(colours[ink], colours.raised) >= 4.5)
      end
      schemes = schemes + 1
    end
    assert.equal(3, schemes)
  end)

  it("escape values that are not markup", function()
    local item = html.template '<b title="{hint}">{text}{no}</b>'
    local inner = item { hint = 1, text = "a", no = false }
    local markup = item { hint = '"\'<&>', text = { inner, "<" }, no = false }
    assert.equal('<b title="&quot;&#39;&lt;&amp;&gt;"><b title="1">a</b>&lt;</b>',
      tostring(markup))
    assert.has_error(function() item { hint = "" } end, "the template has no value for {text}")
    assert.equal("\u{FFFD}(\u{FFFD}\u{FFFD}é", html.escape "\xC3(\xED\0é" )
    assert.equal("\u{FFFD}\u{FFFD}\u{FFFD}", html.escape "\xED\xA0\x80")
  end)

  it("parse every form of time", function()
    local seconds = 1609459200  -- the first of 2021
    for text, expected in pairs {
      ["2021-01-01T00:00:00Z"] = seconds, ["2021-01-01 00:00:00"] = seconds,
      ["2021-01-01T00:00:00.250000Z"] = seconds, ["2021-01-01"] = seconds,
      ["2021-01-01T05:30:00+05:30"] = seconds, ["2020-12-31T19:00:30-0500"] = seconds + 30,
      ["2020-02-29"] = 1582934400, ["1970-01-01T00:01"] = 60,
    } do
      assert.equal(expected, times.parse(text))
    end
    for _, text in ipairs { "", "now", "2021-02-29", "2021-13-01", "2021-01-01x" } do
      assert.is_nil(times.parse(text))
    end
    assert.is_nil(times.parse(cekura.null))
  end)

  it("divide time into weeks, or months if those are too many", function()
    local week = times.period(0, 100 * 86400)
    assert.equal("2025-11-17", times.iso(week.start(times.parse "2025-11-23T23:59:59Z")))
    assert.equal("2025-11-24", times.iso(week.start(times.parse "2025-11-24")))
    local month = times.period(0, 400 * 86400)
    local from = month.start(times.parse "2024-02-29")
    assert.equal("2024-02-01", times.iso(from))
    assert.equal("2024-03-01", times.iso(month.next(from)))
  end)

  it("read equal values in every notation", function()
    for _, value in ipairs { 5, 1, "5", 5.0, true, "true" } do
      assert.equal("passed", values.read("binary", value))
    end
    for _, value in ipairs { 0, "0", false, "False" } do
      assert.equal("failed", values.read("binary", value))
    end
    assert.equal(3, values.read("numeric", "3.0"))
    assert.is_nil(values.read("enum", cekura.null))
    assert.equal("Booked", values.read("enum", " BOOKED", { "Gone", "Booked" }))
    assert.is_true(values.agree("continuous_qualitative", 4.5, 4))
    assert.is_true(values.agree("continuous_qualitative", 4.4, 3.9))  -- in binary above 0.5
    assert.is_false(values.agree("continuous_qualitative", 4.41, 3.9))
    assert.is_false(values.agree("numeric", 4.5, 4))
  end)
end)
