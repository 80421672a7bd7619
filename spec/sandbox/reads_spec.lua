--- Reads of the sandbox: the two versions of a metric's value, fields, filters, ranges.

local cjson = require "cjson"
local sandbox = require "cekura.sandbox"
local wire = require "support.wire"

local CALLS, METRIC, RESULTS, RUN = wire.CALLS, wire.METRIC, wire.RESULTS, wire.RUN
local eventually, get, metric_of, post, send =
  wire.eventually, wire.get, wire.metric_of, wire.post, wire.send
local RUNS, METRICS = "/test_framework/v2/runs/", "/test_framework/v2/metrics/"
local NOW = 1763683200 -- 2025-11-21T00:00:00Z
local DAY = 86400

--- Returns the path of version 1 of a read.
local function version_1(path) return (path:gsub("/v2/", "/v1/")) end

--- Returns a time as a query has it.
---@param fraction string? digits
local function time(seconds, fraction)
  return os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. (fraction and "." .. fraction or "") .. "Z"
end

--- Returns the keys of an object, sorted, as a text.
local function keys_of(object)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, " ")
end

local server
setup(function() server = sandbox.start { now = NOW } end)
teardown(function() server:stop() end)

local function body(path)
  local response = get(server, path)
  assert.equal(200, response.status, response.text)
  return response.body
end

--- Returns the ids of the items of a list as a text: " 5545 5544 ".
local function ids_of(items)
  local ids = {}
  for i, item in ipairs(items) do ids[i] = ("%d "):format(item.id) end
  return " " .. table.concat(ids)
end

--- Returns whether runs.list has run 5544.
local function has_run(query)
  local ids = ids_of(body(RUNS .. "?page_size=100&" .. query).results)
  return ids:find(" 5544 ", 1, true) ~= nil
end

describe("a binary metric", function()
  it("has a boolean, eval_type and passed in version 2, and 5 or 0 in version 1", function()
    for path, at in pairs {
      [RUN] = function(response) return response end,
      [RESULTS .. "373/"] = function(response) return response.runs["5544"] end,
      [RUNS .. "bulk/?run_ids=5544"] = function(response) return response[1] end,
    } do
      local new, old = metric_of(at(body(path)), 51), metric_of(at(body(version_1(path))), 51)
      assert.equal("binary", new.type)
      assert.equal("binary", new.eval_type)
      assert.is_boolean(new.score)
      assert.equal(new.score, new.passed)
      assert.equal(new.score and 5 or 0, old.score)
      assert.same({}, { old.eval_type, old.passed })
    end
  end)

  it("has the same encodings in call logs and in runs.list", function()
    local function entry(list, id)
      for _, item in ipairs(list) do
        if item.id == id then return item end
      end
    end
    local log = body(CALLS .. "?agent_id=231&page_size=1").results[1]
    local old = body(version_1(CALLS) .. "?agent_id=231&page_size=1").results[1]
    local detail = body(version_1(CALLS) .. ("%d/"):format(log.id))
    local value = entry(log.metrics, 51).passed
    assert.is_boolean(value)
    assert.same({ value, value and 5 or 0, value and 5 or 0 },
      { metric_of(log, 51).score, entry(old.metrics, 51).score, metric_of(detail, 51).score })
    assert.is_boolean(entry(body(RUNS .. "?result_id=373").results[1].metrics, 51).score)
  end)

  it("has a vote as a boolean in version 2, however it was written", function()
    local own <close> = sandbox.start()
    for written, expected in pairs { ["5"] = true, ["0"] = false, ["1"] = true,
      ['"false"'] = false, ["true"] = true } do
      post(own, wire.VOTE,
        ('{"metric_id": 51, "thumbs_up": true, "expected_value": %s}'):format(written))
      local new, old = get(own, RUN).body, get(own, version_1(RUN)).body
      assert.equal(expected, metric_of(new, 51).expected_value)
      assert.equal(expected and 5 or 0, metric_of(old, 51).expected_value)
      assert.equal(expected, own:state("runs", 5544).metrics[51].expected_value)
    end
  end)

  it("is null in both versions on a call to which it does not apply", function()
    local own <close> = sandbox.start { evaluation_time = 0.05 }
    local result = get(own, RESULTS .. "?project_id=12&page_size=1").body.results[1]
    local found
    while not found do -- until one of a result's runs was abandoned
      post(own, "/test_framework/v1/results/bulk_evaluate_metrics/",
        ('{"result_ids": [%d], "metric_ids": [44]}'):format(result.id))
      eventually(function() return own:state("results", result.id).status ~= "running" end)
      for _, id in ipairs(own:state("results", result.id).run_ids) do
        local run = get(own, RUNS .. id .. "/").body
        local entry = metric_of(run, 44)
        if entry and entry.score == cjson.null then found = entry end
      end
      result.id = result.id - 3
    end
    assert.equal(cjson.null, found.passed)
    assert.equal("binary", found.eval_type)
    assert.same({ "The metric does not apply to this call." }, found.explanation)
  end)
end)

describe("a read of version 1", function()
  it("has the header Deprecation, also with an error, and version 2 has not", function()
    for _, path in ipairs { RUN, RESULTS, RESULTS .. "373/", RUNS .. "bulk/?run_ids=5544", CALLS,
      CALLS .. "70071/", METRIC, RUNS .. "bulk/", RUNS .. "1/" } do
      assert.equal("@1787270400", get(server, version_1(path)).headers.deprecation, path)
      assert.is_nil(get(server, path).headers.deprecation, path)
    end
    assert.equal("@1787270400",
      send(server, "PATCH", version_1(METRIC), "{}").headers.deprecation)
  end)

  it("is the only deprecated endpoint: votes and evaluations are of version 1, too", function()
    local own <close> = sandbox.start()
    assert.is_nil(post(own, wire.VOTE, wire.GOOD_VOTE).headers.deprecation)
    local response = post(own, wire.EVALUATE, [[{"run_ids": ["5544"], "metric_ids": ["55"]}]])
    assert.equal(200, response.status)
    assert.is_nil(response.headers.deprecation)
  end)

  it("does not exist for runs.list and metrics.list", function()
    assert.equal(404, get(server, version_1(RUNS)).status)
    assert.equal(404, get(server, version_1(METRICS)).status)
  end)
end)

describe("a list", function()
  local LISTS = { RESULTS, RUNS, CALLS }

  it("has no count with include_count=false", function()
    for _, path in ipairs(LISTS) do
      assert.equal("next previous results", keys_of(body(path .. "?include_count=false")))
      assert.equal("count next previous results", keys_of(body(path .. "?include_count=true")))
    end
  end)

  it("has only the fields that ql selects, on every page", function()
    for _, path in ipairs(LISTS) do
      local page = body(path .. "?page_size=1&ql=%7Bid,%20status%7D")
      assert.equal("id status", keys_of(page.results[1]))
      local next_page = body(page.next:match "^http://[^/]+(.*)$")
      assert.equal("id status", keys_of(next_page.results[1]))
    end
  end)

  it("has only the selected keys of an object or of the objects in a list", function()
    local run = body(RUNS .. "?page_size=1&ql={id,metadata{ended_reason,x},metrics{id,score}}")
      .results[1]
    assert.equal("id metadata metrics", keys_of(run))
    assert.equal("ended_reason", keys_of(run.metadata))
    assert.equal("id score", keys_of(run.metrics[1]))
    assert.equal("{}", (get(server, RUNS .. "?page_size=1&ql={}").text:match '%[(.-)%]'))
  end)

  it("has all fields but the excluded ones", function()
    local all = body(RUNS .. "?page_size=1").results[1]
    assert.same(all, body(RUNS .. "?page_size=1&ql={*}").results[1])
    all.id, all.metadata.ended_reason = nil, nil
    for _, ql in ipairs { "{-id,metadata{-ended_reason}}", "{*,-id,metadata{x}}" } do
      assert.same(all, body(RUNS .. "?page_size=1&ql=" .. ql).results[1])
    end
  end)

  it("is refused with a selection that is malformed or has unknown fields", function()
    for ql, problem in pairs {
      ["id"] = 'QuerySyntaxError: "{" expected at 1.',
      ["{id"] = 'QuerySyntaxError: "," or "}" expected at 4.',
      ["{id,}"] = "QuerySyntaxError: a name expected at 5.",
      ["{id}x"] = "QuerySyntaxError: nothing expected at 5.",
      ["{id}{}"] = "QuerySyntaxError: nothing expected at 5.",
      ["{-id{x}}"] = 'QuerySyntaxError: "," or "}" expected at 5.',
      ["{id:x}"] = 'QuerySyntaxError: "," or "}" expected at 4.',
      ["{-x}"] = "`x` field is not found",
      ["{id,id}"] = "QueryFormatError: the field id is included more than once.",
      ["{id,metdata}"] = "`metdata` field is not found",
      ["{id{x}}"] = "`id` is not a nested field",
      [""] = 'QuerySyntaxError: "{" expected at 1.',
    } do
      local response = get(server, RUNS .. "?ql=" .. ql)
      assert.equal(400, response.status, ql)
      assert.same({ ql = { problem } }, response.body)
    end
  end)

  it("has only items of an assistant", function()
    local by_agent = body(RUNS .. "?agent_id=224&page_size=1").count
    assert.equal(by_agent, body(RUNS .. "?assistant_id=asst_skyline&page_size=1").count)
    for _, path in ipairs(LISTS) do
      assert.equal(0, body(path .. "?assistant_id=x").count)
    end
  end)
end)

describe("results.list", function()
  it("has a result once for each run with one of the scenarios, as documented", function()
    local runs = body(RUNS .. "?page_size=1&agent_id=231&scenarios=24270,24271").count
    local path = RESULTS .. "?page_size=100&agent_id=231&scenarios=24270,24271"
    assert.equal(runs, body(path).count)
    local seen, duplicates = {}, 0
    for _, result in ipairs(body(path).results) do
      if seen[result.id] then duplicates = duplicates + 1 end
      seen[result.id] = true
    end
    assert.is_true(duplicates > 0)
  end)
end)

describe("a list of call logs", function()
  --- Returns the status of a list from one time to another; nil: without it.
  local function list(from, to)
    local query = from and "&timestamp_from=" .. from or ""
    if to then query = query .. "&timestamp_to=" .. to end
    return get(server, CALLS .. "?page_size=1" .. query)
  end

  local TOO_LONG = { timestamp_to = { "The time range must not exceed 33 days." } }

  it("covers at most 33 days, to the fraction of a second", function()
    local to = time(NOW, "1234567")
    assert.equal(200, list(time(NOW - 33 * DAY, "12345670"), to).status)
    assert.equal(200, list(time(NOW - 33 * DAY, "2"), to).status)
    for _, from in ipairs { time(NOW - 33 * DAY, "1234566"), time(NOW - 33 * DAY - 1, "9"),
      time(NOW - 400 * DAY) } do
      local response = list(from, to)
      assert.equal(400, response.status)
      assert.same(TOO_LONG, response.body)
    end
  end)

  it("ends now without timestamp_to", function()
    assert.equal(400, list(time(NOW - 34 * DAY)).status)
    assert.equal(list(time(NOW - 32 * DAY), time(NOW)).body.count,
      list(time(NOW - 32 * DAY)).body.count)
    assert.equal(0, list(time(NOW + DAY)).body.count)
  end)

  it("covers 30 days without timestamp_from", function()
    local month = list(time(NOW - 30 * DAY), time(NOW)).body.count
    assert.is_true(month > 100 and month < 320)
    assert.equal(month, list().body.count)
    assert.equal(month, list(nil, time(NOW)).body.count)
    assert.equal(list(time(NOW - 40 * DAY), time(NOW - 10 * DAY)).body.count,
      list(nil, time(NOW - 10 * DAY)).body.count)
  end)

  it("includes call logs at both ends of the range", function()
    local at = body(CALLS .. "?page_size=1").results[1].timestamp
    assert.equal(1, list(at, at).body.count)
  end)

  it("is refused with a time that is not as in RFC 3339", function()
    for _, text in ipairs { "2025-11-01", "2025-11-01T00:00:00", "x", "2025-13-01T00:00:00Z" } do
      local response = list(text)
      assert.equal(400, response.status, text)
      assert.same({ timestamp_from = { "Enter a valid date/time." } }, response.body)
    end
  end)

  it("can be filtered with each documented operator", function()
    local function count(field, op, value)
      return body(CALLS .. ('?page_size=1&filters_v2={"field":"%s","op":"%s","value":%s}'):format(
        field, op, value)).count
    end
    local all = body(CALLS .. "?page_size=1").count
    local good = count("success", "eq", "true")
    assert.equal(all - good, count("success", "neq", "true"))
    assert.equal(all, count("duration", "lt", "40") + count("duration", "gte", "40"))
    assert.equal(all, count("duration", "lte", "40") + count("duration", "gt", "40"))
    assert.equal(all, count("agent_name", "startswith", '"Harbor"')
      + count("agent_name", "contains", '"line%20Res"'))
    assert.equal(all, count("agent", "in", "[224,231,232]"))
    assert.equal(all, count("success", "isnull", "true") + count("success", "isnull", "false"))
    assert.equal(all, count("timestamp", "lt", '"2025-11-01T00:00:00Z"')
      + count("timestamp", "gte", '"2025-11-01T00:00:00.000Z"'))
  end)
end)

describe("runs.list", function()
  it("has runs without transcripts, newest first", function()
    local page = body(RUNS .. "?page_size=2")
    local first, second = page.results[1], page.results[2]
    assert.is_true(first.timestamp > second.timestamp)
    assert.same({}, { first.transcript, first.transcript_object, first.evaluation })
    assert.is_table(first.metrics)
    local run = body(RUNS .. ("%d/"):format(first.id))
    for _, name in ipairs { "id", "status", "success", "duration", "provider_call_id", "result_id",
      "scenario_name", "metadata", "timestamp", "evaluation_status" } do
      assert.same(run[name], first[name], name)
    end
  end)

  it("can be filtered by scope, ids, status, times and parts of the run", function()
    local run = body(RUN)
    for _, query in ipairs {
      "result_id=373", "result__id=373", "result_id=373&agent_id=231",
      "result_id=373&project_id=14",
      "result_id=373&success=true", "id__in=1,5544", "id=5544", "id__contains=5544",
      "result_id=373&status=completed", "result_id=373&status__in=failed,completed",
      "result_id=373&timestamp__gte=" .. run.timestamp .. "&timestamp__lte=" .. run.timestamp,
      "created_at_from=" .. run.timestamp .. "&created_at_to=" .. run.timestamp,
      "result_id=373&duration__gte=1&duration__lte=1e3", "call_id=" .. run.call_id,
      "provider_call_id__icontains=" .. run.call_id:sub(6):upper(),
      "result_id=373&call_ended_reason=customer-ended-call",
      "result_id=373&call_ended_reason__in=x,customer-ended-call",
      "result_id=373&call_ended_reason__icontains=CUSTOMER", "result__agent_id=231&id=5544",
      "result__agent_id__in=231,224&id=5544", "result_id=373&result__run_as_text=false",
      "result_id=373&scenario__id=24270", "result_id=373&scenario__id__in=24270",
      "result_id=373&scenarios=1,24270", "result_id=373&personality__id=3",
      "result_id=373&personality__id__in=3", "result_id=373&personalities=3",
    } do
      assert.is_true(has_run(query), query)
    end
    for _, query in ipairs {
      "result_id=301", "agent_id=224&result_id=373", "id__in=5543", "status=failed&result_id=373",
      "success=false&id=5544", "duration__gte=1000&id=5544", "call_id=x", "scenarios=1",
      "personality__id=4", "result__run_as_text=true", "call_ended_reason__in=x&id=5544",
      "created_at_from=" .. time(NOW + DAY),
    } do
      assert.is_false(has_run(query), query)
    end
  end)

  it("is refused with a filter that the sandbox's data cannot express", function()
    for _, name in ipairs { "tags", "search", "metrics", "duration_range", "created_at_range" } do
      local response = get(server, RUNS .. "?" .. name .. "=x")
      assert.equal(400, response.status)
      assert.same({ [name] = { "The sandbox does not filter by " .. name .. "." } }, response.body)
    end
    assert.equal(400, get(server, RUNS .. "?success_rate=0.5").status)
  end)

  it("is refused with an argument of the wrong type", function()
    for query, problem in pairs {
      ["success=TRUE"] = "Must be a valid boolean.",
      ["status=done"] = '"done" is not a valid choice.',
      ["status__in=failed,done"] = 'Item 1: "done" is not a valid choice.',
      ["duration__gte=x"] = "A valid number is required.",
      ["duration__gte=0x10"] = "A valid number is required.",
      ["id__contains=1.5"] = "A valid integer is required.",
      ["id__in="] = "This list may not be empty.",
      ["created_at_from=2025"] = "Enter a valid date/time.",
      ["include_count=no"] = "Must be a valid boolean.",
    } do
      local response = get(server, RUNS .. "?" .. query)
      assert.equal(400, response.status, query)
      assert.same({ [query:match "^[^=]+"] = { problem } }, response.body)
    end
  end)
end)

describe("runs.bulk", function()
  it("has only runs in the scope of agent_id, project_id or result_id", function()
    local path = RUNS .. "bulk/?run_ids=5544,5000"
    for query, count in pairs { [""] = 2, ["&agent_id=224"] = 0, ["&project_id=14"] = 2,
      ["&project_id=12"] = 0, ["&result_id=373"] = 1, ["&result_id=301"] = 1 } do
      assert.equal(count, #body(path .. query), query)
    end
  end)
end)

describe("metrics.list", function()
  it("is a plain list of metrics, filtered by scope, slug and filters", function()
    for query, expected in pairs {
      ["?project_id=12"] = "41 42 43 44 ", ["?agent_id=224"] = "41 42 43 44 ",
      ["?assistant_id=asst_skyline"] = "41 42 43 44 ", ["?agents=224,231&slug=empathy"] = "53 ",
      ["?slug=call_outcome"] = "52 ", ["?slug=x"] = "", ["?project_id=9"] = "",
      ['?filters={"field":"eval_type","op":"eq","value":"enum"}'] = "42 52 ",
      ['?filters={"field":"name","op":"contains","value":"Verified"}'] = "41 51 ",
      ['?filters={"operator":"and","conditions":[{"field":"agents__id","op":"in","value":[224]}'
        .. ',{"field":"type","op":"eq","value":"llm_judge"}]}'] = "41 42 43 44 ",
    } do
      assert.equal(" " .. expected, ids_of(body(METRICS .. query)), query)
    end
    assert.equal("[]", get(server, METRICS .. "?slug=x").text)
  end)

  it("has no code, and scores only with include_scores", function()
    local own <close> = sandbox.start { votes_feed_lab = true }
    local plain = get(own, METRICS .. "?slug=call_outcome").body[1]
    local scored = get(own, METRICS .. "?slug=call_outcome&include_scores=true").body[1]
    assert.same({ cjson.null, cjson.null }, { plain.overall_score, plain.total_score })
    assert.is_true(scored.overall_score > 0 and scored.overall_score < scored.total_score)
    assert.same({}, { plain.custom_code, plain.reviews })
    assert.same({ "Harbor Scheduling", "Harbor Reminders" }, plain.agent_names)
  end)

  it("is refused with filters by other fields or operators", function()
    for filter, problem in pairs {
      ['{"field":"slug","op":"eq","value":"x"}'] = 'The sandbox does not filter by "slug".',
      ['{"field":"name","op":"gte","value":"x"}'] = 'The operator "gte" is not supported.',
      ['{"field":"name","op":"in","value":"x"}'] = "The operator in needs a list as value.",
    } do
      local response = get(server, METRICS .. "?filters=" .. filter)
      assert.equal(400, response.status)
      assert.same({ filters = { problem } }, response.body)
    end
  end)
end)

describe("metrics.update", function()
  it("saves every documented field that can be read", function()
    local own <close> = sandbox.start()
    local changes = {
      name = "N", slug = "n_1", description = "D", prompt = "P", custom_code = "C",
      priority_assignment_prompt = "A", display_order = -2147483648, alert_type = "normal",
      significant_change_alert_status = "enabled", significant_change_alert_direction = "increase",
      window_size = 10, std_multiplier = 1.5, ewma_alpha = 0.25, slack_workspace = 7,
      slack_channel_id = "C0", add_to_new_agents = true, sampling_enabled = true,
      evaluation_trigger = "custom", trigger_type = "custom_code",
      evaluation_trigger_custom_code = "_result = True",
    }
    local response = send(own, "PATCH", METRIC, cjson.encode(changes))
    assert.equal(200, response.status, response.text)
    local read = get(own, METRIC).body
    for name, value in pairs(changes) do
      assert.equal(value, response.body[name], name)
      assert.equal(value, read[name], name)
    end
    assert.equal(55, get(own, METRICS .. "?slug=n_1").body[1].id)
  end)

  it("is refused with a value outside of the document's limits", function()
    for written, problem in pairs {
      ['"display_order": 2147483648'] =
        "Ensure this value is less than or equal to 2147483647.",
      ['"display_order": -2147483649'] =
        "Ensure this value is greater than or equal to -2147483648.",
      ['"display_order": 1.5'] = "A valid integer is required.",
      ['"std_multiplier": "2"'] = "A valid number is required.",
      ['"name": "' .. ("é"):rep(256) .. '"'] = "Ensure this field has no more than 255 characters.",
      ['"llm_provider": "x"'] = '"x" is not a valid choice.',
      ['"significant_change_alert_direction": "both"'] = '"both" is not a valid choice.',
      ['"enum_values": ["a", 1]'] = "Item 1: Not a valid string.",
      ['"enum_values": {}'] = 'Expected a list of items but got type "dict".',
      ['"name": null'] = "This field may not be null.",
      ['"slug": "empathy"'] = "metric with this slug already exists.",
      ['"alert_enabled": true'] = "Only applicable to binary metrics.",
    } do
      local response = send(server, "PATCH", METRIC, "{" .. written .. "}")
      assert.equal(400, response.status, written)
      assert.same({ [written:match '"([^"]+)"'] = { problem } }, response.body)
    end
    local longest = ("é"):rep(255)
    local own <close> = sandbox.start()
    assert.equal(200, send(own, "PATCH", METRIC, '{"name": "' .. longest .. '"}').status)
    assert.equal(200, send(own, "PATCH", METRIC, '{"slug": null}').status)
    local lists = '{"description": "\\"[] \\\\", "enum_values": [ ], '
      .. '"configuration": {"a": [], "b": {}}}'
    local saved = send(own, "PATCH", METRIC, lists).text
    assert.matches('"description":"\\"[] \\\\"', saved, 1, true)
    assert.matches('"configuration":{"a":[],"b":{}}', saved, 1, true)
    assert.matches('"enum_values":[]', saved, 1, true)
    assert.equal(200, send(own, "PATCH", METRICS .. "51/", '{"alert_enabled": true}').status)
  end)

  it("keeps the random numbers of a metric whose slug changes", function()
    local values = {}
    for i, slug in ipairs { "", '"slug": "other"' } do
      local own <close> = sandbox.start { now = NOW }
      send(own, "PATCH", METRIC, "{" .. slug .. "}")
      values[i] = metric_of(get(own, RUNS .. "5600/").body, 55).score
    end
    assert.equal(values[1], values[2])
  end)
end)
