-- examples/quickstart.lua, run as a user would run it.
-- It runs once; most of the tests read its output.

local child = require "support.child"
local keys = require "support.keys"
local sandbox = require "cekura.sandbox"

local quickstart = { child.lua, "examples/quickstart.lua" }

-- An environment that names a server that is not running.
local elsewhere = {
  CEKURA_API_KEY = keys.KEY, CEKURA_API_URL = "http://127.0.0.1:1", CEKURA_DEMO_LIVE = false,
  http_proxy = "http://127.0.0.1:1", all_proxy = "http://127.0.0.1:1", no_proxy = false,
}

describe("the quickstart", function()
  local output, code

  setup(function() output, code = child.run_checked(quickstart, elsewhere) end)

  local function has(text) assert.is_truthy(output:find(text, 1, true), text .. "\n" .. output) end

  it("calls only its sandbox, whatever the environment says", function()
    assert.equal(0, code, output)
    assert.is_nil(output:find("127.0.0.1:1/", 1, true))
  end)

  it("shows a vote", function()
    assert.matches("before +3 +%- +%- +no +%-\n", output)
    assert.matches("after +3 +2 +no +yes +Agent missed the reschedule step\n", output)
  end)

  it("shows the cost of an evaluation, its status and the new values", function()
    has "this would start 6 metric evaluations"
    has "Result 373, "
    assert.matches("Credits: 10000 before, 9994 now: 6 spent.\n   And then: completed\n", output)
    assert.matches("5544 +3 %-> 2 +2 +yes\n", output)
  end)

  it("shows a hundred results at once", function()
    has "this would start at least 100 metric evaluations"
    assert.matches("scheduled +100 +0 +0 ", output)
    assert.matches("done +0 +%d+ +%d+ ", output)
  end)

  it("shows call logs before and after", function()
    assert.matches("70023 +Ask about symptoms +not judged +failure +success +%- %-> 3\n", output)
  end)

  it("shows the test set that the optimiser reads", function()
    has "The optimiser reads the test sets in the metric's Lab, and a vote creates none."
    assert.matches("create_from_run makes test set %d+ of run 5544%.\n", output)
  end)

  it("shows the optimiser's progress_id", function()
    assert.matches("progress_id %x+%-%x+%-%x+%-%x+%-%x+\n", output)
    has "The job: running\n   And then: completed\n"
  end)

  for _, kind in ipairs { "validation", "budget", "authentication" } do
    it("shows an error of the kind " .. kind, function()
      has(('kind = "%s", applied = "no"'):format(kind))
    end)
  end

  it("reports all problems at once", function()
    for _, field in ipairs { "run_id", "thumbs_up", "expected_value", "feedbak" } do
      has(field .. ": ")
    end
    has 'did you mean "feedback"?'
  end)

  it("prints lines of at most 100 columns without trailing spaces", function()
    assert.is_nil(output:find "\27")
    for line in output:gmatch "[^\n]+" do
      assert.is_true(#line <= 100, line)
      assert.is_nil(line:find "%s$", "ends with a space: " .. line)
    end
  end)
end)

describe("the quickstart, interrupted", function()
  for _, seconds in ipairs { 0.3, 0.6 } do
    it(("ends after %.1f s"):format(seconds), function()
      local process = child.start_checked(quickstart, elsewhere)
      os.execute("sleep " .. seconds)
      process:signal "INT"
      local output, code = process:finish()
      assert.not_equal(0, code, output)
    end)
  end
end)

describe("the quickstart, live", function()
  it("explains which ids it needs", function()
    local output, code = child.run_checked(quickstart,
      { CEKURA_DEMO_LIVE = "1", CEKURA_API_KEY = false, CEKURA_API_URL = "http://127.0.0.1:1" })
    assert.equal(1, code)
    for _, name in ipairs { "CEKURA_API_KEY", "metric_id", "run_ids", "call_logs" } do
      assert.is_truthy(output:find("   " .. name, 1, true), output)
    end
  end)

  local function calls_the_server(votes_feed_lab)
    local server <close> = sandbox.start { api_key = keys.KEY, votes_feed_lab = votes_feed_lab }
    local words = {
      "metric_id=55", "run_id=5544", "result_id=373", "run_ids=5540,5544", "expected_value=1",
      "result_ids=372,373", "agent_id=231",
    }
    local output, code = child.run_checked(
      table.move(words, 1, #words, 3, { table.unpack(quickstart) }), {
        CEKURA_DEMO_LIVE = "1", CEKURA_DEMO_CALL_LOGS = "70023,70072", no_proxy = "127.0.0.1",
        CEKURA_API_KEY = server.api_key, CEKURA_API_URL = server.url,
      })
    assert.equal(0, code, output)
    local requests, bodies = server:requests(), {}
    for i, request in ipairs(requests) do bodies[i] = request.body end
    assert.equal(7, #requests)  -- five endpoints, a test set, and a call with a wrong key
    assert.equal('{"metric_id":55,"thumbs_up":false,"expected_value":1,'
      .. '"feedback":"Agent missed the reschedule step"}', bodies[1])
    assert.equal('{"run_id":5544,"metrics":[{"metric":55,"expected_value":1,'
      .. '"feedback":"Agent missed the reschedule step"}]}', bodies[2])
    assert.equal('{"run_ids":["5540","5544"],"metric_ids":["55"]}', bodies[3])
    assert.equal('{"result_ids":[372,373],"metric_ids":[55]}', bodies[4])
    assert.equal('{"agent_id":231,"call_logs":[70023,70072],"metrics":[55]}', bodies[5])
    assert.equal('{"metric_id":55}', bodies[6])
  end

  for _, votes_feed_lab in ipairs { false, true } do
    it(("calls the server of the environment (votes_feed_lab = %s)"):format(votes_feed_lab),
      function() calls_the_server(votes_feed_lab) end)
  end
end)
