--- The endpoints of the sandbox: votes, evaluations, the optimiser and the lists.

local cjson = require "cjson"
local sandbox = require "cekura.sandbox"
local wire = require "support.wire"

local BILLING, BULK, CALLS, EVALUATE, FEEDBACKS =
  wire.BILLING, wire.BULK, wire.CALLS, wire.EVALUATE, wire.FEEDBACKS
local GOOD_VOTE, METRIC, PROGRESS, RUN, VOTE =
  wire.GOOD_VOTE, wire.METRIC, wire.PROGRESS, wire.RUN, wire.VOTE
local eventually, get, metric_of, post, send =
  wire.eventually, wire.get, wire.metric_of, wire.post, wire.send
local CALLS_V1 = "/observability/v1/call-logs/"
local EVALUATE_CALLS = CALLS_V1 .. "evaluate_metrics/"

describe("the sandbox", function()
  describe("records a vote", function()
    it("on a run, which then is reviewed", function()
      local server <close> = sandbox.start()
      local before = get(server, RUN).body
      assert.is_false(before.is_reviewed)
      assert.equal("success", before.evaluation_status)
      assert.equal(3, metric_of(before, 55).score)

      local response = post(server, VOTE, GOOD_VOTE)
      assert.equal(200, response.status)
      assert.equal('{"success":true}', response.text)

      local after = get(server, RUN).body
      assert.is_true(after.is_reviewed)
      assert.equal("reviewed_failure", after.evaluation_status)
      local metric = metric_of(after, 55)
      assert.same({ 3, 2, "x", false },
        { metric.score, metric.expected_value, metric.feedback, metric.thumbs_up })
      local vote = server:state "votes"[1]
      assert.same({ "run", 5544, 55 }, { vote.kind, vote.id, vote.metric_id })
    end)

    it("with null in each nullable field", function()
      local server <close> = sandbox.start()
      local response = post(server, VOTE,
        [[{"metric_id": 55, "thumbs_up": null, "expected_value": null, "feedback": null}]])
      assert.equal(200, response.status)
      assert.is_true(server:state("runs", 5544).is_reviewed)
    end)

    it("on a call log", function()
      local server <close> = sandbox.start()
      local id = get(server, CALLS .. "?agent_id=231&page_size=1").body.results[1].id
      local path = ("%d/"):format(id)
      local response = post(server, CALLS_V1 .. path .. "mark_metric_vote/", GOOD_VOTE)
      assert.equal(200, response.status)
      assert.is_string(response.body.detail)
      local log = get(server, CALLS .. path).body
      assert.is_true(log.is_reviewed)
      assert.equal(2, metric_of(log, 55).expected_value)
    end)
  end)

  describe("evaluates", function()
    it("a result, which has new values once the evaluation has ended", function()
      local server <close> = sandbox.start { evaluation_time = math.huge }
      local path = "/test_framework/v2/results/373/"
      local old = get(server, path).body
      local response = post(server, EVALUATE,
        [[{"run_ids": ["5544", "5545"], "metric_ids": ["57", "56"]}]])
      assert.equal(200, response.status)
      assert.equal("running", response.body.status)
      assert.equal(6, response.body.total_runs_count)
      assert.equal(5540, response.body.runs[1].id)
      assert.equal("evaluating", get(server, RUN).body.status)
      assert.equal(9996, server:state "balance".remaining)

      server:finish_jobs()
      local new = get(server, path).body
      assert.equal("completed", new.status)
      assert.is_nil(metric_of(old.runs["5544"], 57))
      assert.is_boolean(metric_of(new.runs["5544"], 57).score)
      assert.is_nil(metric_of(new.runs["5543"], 57))
      assert.equal(metric_of(old.runs["5544"], 56) and 2 or 1,
        server:state("runs", 5544).metrics[56].evaluations)
      assert.is_true(new.updated_at > old.updated_at)
      assert.equal("completed", new.runs["5544"].status)
    end)

    it("a hundred results at once, with an empty response", function()
      local server <close> = sandbox.start { evaluation_time = math.huge }
      local ids = {}
      local page = get(server, "/test_framework/v2/results/?project_id=14&page_size=100").text
      for id in page:gmatch '"id":(%d+),"is_cronjob"' do ids[#ids + 1] = id end
      assert.equal(100, #ids)
      local body = ('{"result_ids": [%s], "metric_ids": [55]}'):format(table.concat(ids, ","))
      local response = post(server, BULK, body)
      assert.equal(200, response.status)
      assert.equal("", response.text)
      assert.equal("0", response.headers["content-length"])
      assert.equal("running", server:state("results", tonumber(ids[100])).status)
      server:finish_jobs()
      assert.equal("completed", server:state("results", tonumber(ids[100])).status)
      assert.equal(100, #server:state "jobs")
      assert.is_true(server:state "balance".used >= 500)
    end)

    it("call logs, and returns them with their old values, encoded as in version 1", function()
      local server <close> = sandbox.start { evaluation_time = 0.1 }
      local list = get(server, CALLS_V1 .. "?agent_id=231&page_size=2").body.results
      local body = ('{"agent_id": 231, "call_logs": [%d, %d], "metrics": [57]}'):format(list[1].id,
        list[2].id)
      local response = post(server, EVALUATE_CALLS, body)
      assert.equal(200, response.status)
      assert.same(list, response.body)
      local log = eventually(function()
        local now = get(server, CALLS .. ("%d/"):format(list[1].id)).body
        return metric_of(now, 57) and now
      end)
      assert.is_true(log.updated_at > list[1].updated_at)
      assert.equal(2, server:state "balance".used)
    end)

    it("nothing if the balance is too small", function()
      local server <close> = sandbox.start { balance = 1 }
      local response = post(server, EVALUATE, [[{"run_ids": ["5544"], "metric_ids": ["55", "56"]}]])
      assert.equal(400, response.status)
      assert.same({ detail = "Insufficient credits: this needs 2.00, and 1.00 remain." },
        response.body)
      assert.equal(1, get(server, BILLING).body.credits_remaining)
      assert.equal(0, #server:state "jobs")
    end)
  end)

  describe("optimises a metric", function()
    it("from feedback: the saved proposal improves it", function()
      local server <close> = sandbox.start { evaluation_time = math.huge, votes_feed_lab = true }
      post(server, VOTE, GOOD_VOTE)
      local job = post(server, FEEDBACKS, [[{"metric_id": 55}]]).body
      local first = get(server, PROGRESS .. job.progress_id).body
      assert.equal("in_progress", first.status)
      assert.is_nil(first.output)

      server:finish_jobs()
      local progress = get(server, PROGRESS .. job.progress_id).body
      assert.equal("success", progress.status)
      local done = progress.output
      assert.matches("missed the reschedule step", done.improved_metric_description)
      assert.is_true(done.new_score.score > done.old_score.score)
      assert.equal(done.new_score.num_total, #done.review_results)

      local body = cjson.encode { description = done.improved_metric_description }
      local saved = send(server, "PATCH", "/test_framework/v2/metrics/55/", body)
      assert.equal(200, saved.status)
      assert.equal(done.improved_metric_description, saved.body.description)
      assert.is_true(server:state("metrics", 55).improved)
    end)

    it("and shows the progress only to its project", function()
      local server <close> = sandbox.start { votes_feed_lab = true }
      local job = post(server, FEEDBACKS, [[{"metric_id": 55}]]).body
      local path = PROGRESS .. job.progress_id
      assert.equal(403, get(server, path .. "&project_id=12").status)
      assert.equal(200, get(server, path .. "&project_id=14").status)
    end)

    it("and shows it with its reviews", function()
      local server <close> = sandbox.start { votes_feed_lab = true }
      local metric = get(server, "/test_framework/v2/metrics/52/").body
      assert.equal(52, metric.id)
      assert.same({ "confirmed", "rescheduled", "cancelled", "unresolved" }, metric.enum_values)
      local disagreements = 0
      for _, review in ipairs(metric.reviews) do
        if review.expected_value ~= review.actual_value then disagreements = disagreements + 1 end
      end
      assert.is_true(disagreements >= 6)
      assert.is_string(metric.reviews[1].test_set.transcript)
    end)
  end)

  describe("returns", function()
    it("the results in pages", function()
      local server <close> = sandbox.start()
      local path, seen = "/test_framework/v2/results/?project_id=14&page_size=50", 0
      repeat
        local page = get(server, path).text
        local _, results = page:gsub('"is_cronjob"', "")
        seen = seen + results
        assert.matches('^{"count":112,', page)
        path = page:match '"next":"http://127.0.0.1:%d+([^"]*)"'
      until not path
      assert.equal(112, seen)
    end)

    it("the call logs since a time in any time zone", function()
      local server <close> = sandbox.start()
      local log = get(server, CALLS .. "?page_size=1").body.results[1]
      local day, hour, rest = log.timestamp:match "^(.-T)(%d%d)(:%d%d:%d%d)"
      local function count(h, zone)
        return get(server, ("%s?page_size=1&timestamp_from=%s%02d%s%s"):format(CALLS, day, h, rest,
          zone)).body.count
      end
      local ahead = (hour + 0) < 12  -- the day stays the same
      local all = count(hour, "Z")
      assert.equal(all, count(hour + (ahead and 2 or -2), ahead and "%2B02:00" or "-02:00"))
      assert.is_true(all < count(0, "%2B14:00"))
    end)

    it("the call logs that pass a filter", function()
      local server <close> = sandbox.start()
      local function count(filter)
        local query = filter and "&filters_v2=" .. filter:gsub(" ", "") or ""
        return get(server, CALLS .. "?page_size=1" .. query).body.count
      end
      local GOOD = '{"field": "success", "op": "eq", "value": true}'
      local NONE = '{"field": "success", "op": "eq", "value": null}'
      local LONG = '{"field": "duration", "op": "gte", "value": 40}'
      local function both(operator)
        return count(('{"operator": "%s", "conditions": [%s, %s]}'):format(operator, GOOD, LONG))
      end
      local good, long = count(GOOD), count(LONG)
      assert.is_true(good > 0 and long > 0 and count(NONE) > 0 and good + count(NONE) < count())
      assert.is_true(both "and" < good and both "and" < long)
      assert.equal(good + long, both "and" + both "or")
      local ANY = '{"field": "id", "op": "gte", "value": 0}'
      assert.equal(count(), count('{"operator": "and", "conditions": [' .. ANY .. "]}"))
    end)

    it("metrics without updated_at, as documented", function()
      local server <close> = sandbox.start()
      assert.is_nil(get(server, METRIC).body.updated_at)
      assert.is_number(server:state("metrics", 55).updated_at)
    end)

    it("an updated metric, with its project unchanged", function()
      local server <close> = sandbox.start()
      local response = send(server, "PATCH", METRIC, '{"agents": [232], "project": 12}')
      assert.same({ 200, 14, 232, 1 },
        { response.status, response.body.project, response.body.agents[1], #response.body.agents })
      assert.equal(200, send(server, "PATCH", METRIC, "{}").status)
    end)

    it("null for the success of a call log without metrics", function()
      local server <close> = sandbox.start()
      local page = get(server, CALLS .. "?page_size=100").text
      assert.matches('"success":null', page)
      assert.matches('"metrics":%[%]', page)
    end)

    it("runs by their ids", function()
      local server <close> = sandbox.start()
      local runs = get(server, "/test_framework/v2/runs/bulk/?run_ids=5545,5544").body
      assert.same({ 5545, 5544 }, { runs[1].id, runs[2].id })
      assert.equal(400, get(server, "/test_framework/v2/runs/bulk/?run_ids=%5B1%5D").status)
    end)

    it("the same data for the same seed", function()
      local path, texts = "/test_framework/v2/runs/5600/", {}
      for i, seed in ipairs { 7, 7, 8 } do
        local server <close> = sandbox.start { seed = seed, now = 1700000000 }
        texts[i] = get(server, path).text
      end
      assert.equal(texts[1], texts[2])
      assert.are_not.equal(texts[1], texts[3])
    end)
  end)
end)
