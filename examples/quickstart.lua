-- Calls the five endpoints one after the other, and prints what each of them does; a test set makes
-- the vote available to the optimiser. The server is a sandbox in this process, whatever the
-- environment says.
--
--   make demo
--   lua5.4 examples/quickstart.lua     the same, if cekura and its sandbox are installed
--
-- With CEKURA_DEMO_LIVE=1 and CEKURA_API_KEY it calls the real API, and SPENDS CREDITS. Without
-- arguments it then prints which ids it needs.

local cekura = require "cekura"
local folder = require "cekura.internal".real_path(arg[0]):match "^.*/"  -- resolves links
package.path = folder .. "?.lua;" .. package.path  -- finds support/

local command = require "support.command"
local output = require "support.output"
local texttable = require "support.table"
local values = require "support.values"

-- ---- printing ----

local WIDTH = 100

local function printf(format, ...) output.print(format:format(...)) end

--- Prints the title on the left and the call on the right.
local function heading(title, call)
  printf("\n%s%s%s\n", title, (" "):rep(WIDTH - #title - #call), call)
end

local function print_table(rows) output.write(texttable.text(rows, "   ")) end

local function print_response(response)
  printf("   Status %d after %d attempt, %.1f ms.", response.status, response.attempts,
    response.elapsed * 1000)
end

--- Returns "3 -> 2".
local function change(before, after)
  return texttable.show(before) .. " -> " .. texttable.show(after)
end

-- ---- the server: a sandbox, or the real API ----

local live = command.setting "CEKURA_DEMO_LIVE" == "1"

-- { name, value in the sandbox, description }
local IDS = {
  { "metric_id", 55, "the metric to vote on, to evaluate again and to improve" },
  { "result_id", 373, "a result" },
  { "run_id", 5544, "the run of it to vote on" },
  { "expected_value", 2, "the value that the metric should have given: a number, or text" },
  { "run_ids", { 5540, 5541, 5542, 5543, 5544, 5545 }, "runs of it to evaluate again: 1,2,3" },
  { "result_ids", nil, "up to 100 results to evaluate again at once: 1,2,3" },
  { "agent_id", 231, "an agent" },
  { "call_logs", { 70023, 70033, 70042, 70050, 70072 }, "call logs of it to evaluate: 1,2,3" },
}

local function read_value(name, text)
  local number = name == "expected_value" and tonumber(text)
  if number then return math.tointeger(number) or number end
  if not name:find "s$" then return text end
  local list = {}
  for id in text:gmatch "[^,]+" do list[#list + 1] = id end
  return list
end

--- Returns the ids from the arguments name=value and from CEKURA_DEMO_NAME, and the rows of IDS
--- that are missing.
local function given_ids()
  local given, ids, missing = {}, {}, {}
  for _, argument in ipairs(arg) do
    local name, text = argument:match "^([%w_]+)=(.+)$"
    if name then given[name] = text end
  end
  for _, row in ipairs(IDS) do
    local name = row[1]
    local text = given[name] or command.setting("CEKURA_DEMO_" .. name:upper())
    if text then ids[name] = read_value(name, text) else missing[#missing + 1] = row end
  end
  return ids, missing
end

local function explain(missing)
  output.print "With CEKURA_DEMO_LIVE=1 this runs against the real API. It spends credits, and"
  output.print "needs ids. These are missing:\n"
  if not command.setting "CEKURA_API_KEY" then
    output.print "   CEKURA_API_KEY    in the environment"
  end
  for _, row in ipairs(missing) do printf("   %-16s  %s", row[1], row[3]) end
  output.print "\nGive ids as arguments (metric_id=55), or as CEKURA_DEMO_METRIC_ID and so on."
  output.print "Without CEKURA_DEMO_LIVE=1 it is a sandbox in this process, which costs nothing."
  command.finish "failed"
end

--- Returns the ids for the sandbox. The results are the 100 newest ones of the metric's agents.
local function sandbox_ids(server)
  local ids, has_metric, list = {}, {}, {}
  for _, row in ipairs(IDS) do ids[row[1]] = row[2] end
  for _, id in ipairs(server:state("metrics", ids.metric_id).agents) do has_metric[id] = true end
  for id, result in pairs(server:state "results") do
    if has_metric[result.agent_id] then list[#list + 1] = id end
  end
  table.sort(list, function(a, b) return a > b end)
  ids.result_ids = table.move(list, 1, 100, 1, {})
  return ids
end

local server, client, ids

local function begin_live()
  local missing
  ids, missing = given_ids()
  if #missing > 0 or not command.setting "CEKURA_API_KEY" then explain(missing) end
  client = assert(cekura.new { max_evaluations = 1000 })
end

local function begin_in_sandbox()
  server = require "cekura.sandbox".start { evaluation_time = 0.3 }
  client = assert(cekura.new {
    api_url = server.url, api_key = server.api_key,
    proxy = "",  -- ignores the proxy of the environment
  })
  ids = sandbox_ids(server)
end

-- ---- the state of the sandbox ----

local metrics  -- ids, as the arguments take them

local function state(part, id) return server and server:state(part, id) end

local function balance() return state("balance").remaining | 0 end

--- Returns the metric's entry for a run or a call log: { value, expected_value, … }, or an empty
--- table.
local function verdict(part, id)
  return state(part, id).metrics[ids.metric_id] or {}
end

--- Waits until done() is true, at most ten seconds.
local function wait_until(done)
  local give_up = os.time() + 10
  while not done() do
    if os.time() > give_up then error("the sandbox has not finished in time", 0) end
    assert(client:sleep(0.05))  -- os.execute "sleep" would keep Ctrl-C from this process
  end
end

--- Prints what a call would cost, without sending it.
local function print_cost(request, bound)
  printf("   A dry run sends nothing, and says: this would start %s%d metric evaluations.",
    bound or "", request.evaluations)
  printf("   %s %s\n", request.method, request.url)
end

local function print_spent(before)
  if not server then return end
  printf("   Credits: %d before, %d now: %d spent.", before, balance(), before - balance())
end

-- ---- the five endpoints ----

local FEEDBACK = "Agent missed the reschedule step"

--- Puts the run of the vote into the metric's Lab, as long as the metric disagrees with the vote.
local function create_test_set()
  local set = assert(client.test_sets:create_from_run {
    run_id = ids.run_id, metrics = { {
      metric = ids.metric_id, expected_value = ids.expected_value, feedback = FEEDBACK,
    } },
  })
  output.print()
  output.print "   The optimiser reads the test sets in the metric's Lab, and a vote creates none."
  printf("   client.test_sets:create_from_run makes test set %s of run %s.", set.id, ids.run_id)
end

local function vote()
  heading("1  A vote on what a metric said of a run", "client.runs:mark_metric_vote")
  local run, before = state("runs", ids.run_id), server and verdict("runs", ids.run_id)
  local value, response = assert(client.runs:mark_metric_vote {
    run_id = ids.run_id, metric_id = ids.metric_id, thumbs_up = false,
    expected_value = ids.expected_value, feedback = FEEDBACK,
  })
  print_response(response)
  printf("   The response: success = %s", value.success)
  if not server then return end
  local run_now, after = state("runs", ids.run_id), verdict("runs", ids.run_id)
  printf("   Run %d, metric %d (%s):\n", ids.run_id, ids.metric_id,
    state("metrics", ids.metric_id).name)
  print_table {
    { "", "metric said", "reviewer says", "thumbs up", "run reviewed", "feedback" },
    { "before", before.value, before.expected_value, before.thumbs_up, run.is_reviewed,
      before.feedback },
    { "after", after.value, after.expected_value, after.thumbs_up, run_now.is_reviewed,
      after.feedback },
  }
end

local function print_new_values(old)
  local rows = { { "run", "metric said", "reviewer says", "reviewed" } }
  for i, id in ipairs(ids.run_ids) do
    local now = verdict("runs", id)
    rows[i + 1] =
      { id, change(old[i], now.value), now.expected_value, state("runs", id).is_reviewed }
  end
  print_table(rows)
end

local function evaluate_result()
  heading("2  One result: runs evaluated again", "client.results:evaluate_metrics")
  local arguments =
    { result_id = ids.result_id, run_ids = ids.run_ids, metric_ids = metrics }
  print_cost(assert(client.results:evaluate_metrics(arguments, { dry_run = true })))
  local credits, old = server and balance(), {}
  for i, id in ipairs(server and ids.run_ids or {}) do old[i] = verdict("runs", id).value end

  local result, response = assert(client.results:evaluate_metrics(arguments))
  print_response(response)
  printf("   Result %s, %s: %s", result.id, result.name, result.status)
  if not server then return end
  print_spent(credits)
  wait_until(function() return state("results", ids.result_id).status ~= "running" end)
  printf("   And then: %s\n", state("results", ids.result_id).status)
  print_new_values(old)
end

--- Returns how many results have each status: { running, completed, failed }.
local function count_results()
  local counts, results = { running = 0, completed = 0, failed = 0 }, state "results"
  for _, id in ipairs(ids.result_ids) do
    local status = results[id].status
    counts[status] = counts[status] + 1
  end
  return counts
end

--- Returns in how many of the reviewed runs the metric agrees with the reviewer.
local function agreement()
  local same, all, runs = 0, 0, state "runs"
  local eval_type = state("metrics", ids.metric_id).eval_type
  for _, result in pairs(state "results") do
    for _, id in ipairs(result.run_ids) do
      local said = runs[id].metrics[ids.metric_id]
      if said and said.expected_value ~= nil then
        all = all + 1
        if values.are_same(eval_type, said.value, said.expected_value) then same = same + 1 end
      end
    end
  end
  return ("%d of %d reviewed runs"):format(same, all)
end

local function bulk_row(name)
  local counts = count_results()
  return { name, counts.running, counts.completed, counts.failed, agreement() }
end

local function evaluate_results()
  heading(("3  %d results at once"):format(#ids.result_ids),
    "client.results:bulk_evaluate_metrics")
  local arguments = { result_ids = ids.result_ids, metric_ids = metrics }
  local uncounted = true  -- the number of runs is unknown, so max_evaluations cannot count them
  print_cost(assert(client.results:bulk_evaluate_metrics(arguments,
    { dry_run = true, uncounted = uncounted })), "at least ")
  local credits = server and balance()
  local rows = { { "results", "running", "completed", "failed", "metric and reviewer agree on" } }
  rows[2] = server and bulk_row "before"

  local done, response = assert(client.results:bulk_evaluate_metrics(arguments,
    { uncounted = uncounted }))
  rows[3] = server and bulk_row "scheduled"
  print_response(response)
  printf("   A success has no body, so the value is %s.", done)
  if not server then return end
  print_spent(credits)
  wait_until(function() return count_results().running == 0 end)
  rows[4] = bulk_row "done"
  output.print()
  print_table(rows)
end

local function evaluate_calls()
  heading("4  Production calls", "client.calls:evaluate_metrics")
  local arguments = { agent_id = ids.agent_id, call_logs = ids.call_logs, metrics = metrics }
  print_cost(assert(client.calls:evaluate_metrics(arguments, { dry_run = true })))
  local credits, old = server and balance(), {}
  for i, id in ipairs(server and ids.call_logs or {}) do
    old[i] = verdict("call_logs", id).value
  end

  local logs, response = assert(client.calls:evaluate_metrics(arguments))
  print_response(response)
  if server then
    print_spent(credits)
    wait_until(function()
      for _, id in ipairs(ids.call_logs) do
        if state("call_logs", id).evaluating then return false end
      end
      return true
    end)
  end
  output.print "   The response has the calls as they were before.\n"
  local rows = { { "call log", "topic", "success", "status before" } }
  if server then rows[1][5], rows[1][6] = "status now", "metric said" end
  for i, log in ipairs(logs) do
    local row = { log.id, log.topic, log.success, log.status }
    if log.success == nil then row[3] = "not judged" end
    if server then
      row[5] = state("call_logs", log.id).evaluation_status
      row[6] = change(old[i], verdict("call_logs", log.id).value)
    end
    rows[#rows + 1] = row
  end
  print_table(rows)
end

local function job_status(progress_id)
  for _, job in ipairs(state "jobs") do
    if job.progress_id == progress_id then return job.status end
  end
end

local function improve_metric()
  heading("5  A better metric from what reviewers said",
    "client.metric_reviews:process_feedbacks")
  local credits = server and balance()
  local value, response =
    assert(client.metric_reviews:process_feedbacks({ metric_id = ids.metric_id },
      { uncounted = true }))
  print_response(response)
  printf("   The optimiser works on metric %s: progress_id %s", ids.metric_id, value.progress_id)
  if not server then return end
  print_spent(credits)
  printf("   The job: %s", job_status(value.progress_id))
  wait_until(function() return job_status(value.progress_id) == "completed" end)
  printf("   And then: %s", job_status(value.progress_id))
end

-- ---- three wrong calls ----

local function print_error(what, _, err)
  printf("   %s\n", what)
  local line = "     "
  for word in tostring(err):gmatch "%S+" do
    if #line + #word >= WIDTH then
      output.print(line)
      line = "     "
    end
    line = line .. " " .. word
  end
  output.print(line)
  printf("\n      kind = %q, applied = %q, status = %s\n", err.kind, err.applied,
    texttable.show(err.status))
end

local function wrong_calls()
  heading("Three wrong calls", "nil, err")
  print_error("A misspelt field, wrong types, a missing field: all are reported, nothing is sent.",
    client.runs:mark_metric_vote {
      run_id = "55x", metric_id = ids.metric_id, thumbs_up = 1, feedbak = "?",
    })
  print_error("More evaluations than max_evaluations allows.",
    client.results:evaluate_metrics({
      result_id = ids.result_id, run_ids = ids.run_ids, metric_ids = metrics,
    }, { max_evaluations = 0 }))
  local stranger = assert(cekura.new {
    api_key = "not-the-key", api_url = server and server.url, proxy = server and "" or nil,
  })
  print_error("A key that the server does not know.", stranger.runs:mark_metric_vote {
    run_id = ids.run_id, metric_id = ids.metric_id, thumbs_up = true,
    expected_value = cekura.null,
  })
end

-- ---- the command ----

command.run("quickstart", "started evaluations continue", function()
  local begin = live and begin_live or begin_in_sandbox
  begin()
  metrics = { ids.metric_id }
  printf("cekura %s, %s", cekura._VERSION, live and "the real API"
    or "a sandbox in this process at " .. server.url)
  vote()
  create_test_set()
  evaluate_result()
  evaluate_results()
  evaluate_calls()
  improve_metric()
  wrong_calls()
  client:close()
  if server then server:stop() end
  return "ok"
end)
