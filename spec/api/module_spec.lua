-- The module: its fields, what it needs to load, and lua-cjson.
local cekura = require "cekura"
local cjson = require "cjson"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"
local script = require "support.script"

-- A script that uses each function that is written in Lua. It prints one line for each.
local USE = [[
  local function show(name, value, problem) print(name, problem and problem.kind or value) end
  local client = assert(cekura.new { api_key = "any-key" })
  local options = { progress = function() end, journal = os.tmpname() }
  show("each", assert(client:each({}, print, options)).ok)
  os.remove(options.journal)
  for _, name in ipairs { "results", "metric_reviews", "metrics", "calls" } do
    show(name .. ":wait", client[name]:wait {})
  end
  for _, name in ipairs { "results", "runs", "calls" } do
    show(name .. ":pages", select(2, pcall(client[name]:pages { page_size = 0 })).kind)
  end
  show("estimate", cekura.estimate(client, "runs.none", {}))
  show("values", #cekura.values {})
  show("chunks", cekura.chunks({ 5 }, 1)()[1])
]]
local USED = "each\t0\nresults:wait\tvalidation\nmetric_reviews:wait\tvalidation\n"
  .. "metrics:wait\tvalidation\ncalls:wait\tvalidation\nresults:pages\tvalidation\n"
  .. "runs:pages\tvalidation\ncalls:pages\tvalidation\nestimate\tvalidation\nvalues\t0\nchunks\t5\n"

describe("the module", function()
  it("has a version", function() assert.matches("^%d+%.%d+%.%d+$", cekura._VERSION) end)

  it("is the table of cekura.core", function() assert.equal(cekura, require "cekura.core") end)

  it("has lua-cjson's null", function()
    assert.equal(cjson.null, cekura.null)
    assert.equal("userdata", type(cekura.null))
  end)

  describe("is loaded", function()
    it("without I/O and without a thread", function()
      local output = script.run [[
        local function state()
          local status <close> = io.open "/proc/self/status"
          local threads = status and status:read "a":match "Threads:%s*(%d+)" or "not Linux"
          local pipe <close> = assert(io.popen "unset LD_PRELOAD; ls -l /proc/$PPID/fd")
          local open = select(2, pipe:read "a":gsub("socket:", ""):gsub("anon_inode:", ""))
          return threads .. " " .. open
        end
        local before = state()
        local cekura = require "cekura"
        assert(cekura.runs and cekura.endpoints)
        print(before == state())
        local client = assert(cekura.new { api_key = "any-key" })
        client:close()
        print(before == state())]]
      assert.equal("true\ntrue\n", output)
    end)

    it("without any Lua file", function()
      local server <close> = sandbox.start()
      local output = script.run(([[
        package.path = ""
        local cekura = require "cekura.core"
        local client = assert(cekura.new { api_url = %q, api_key = %q })
        print(client.runs:mark_metric_vote {
          run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = cekura.null,
        }.success, #cekura.endpoints, cekura.chunks)]]):format(server.url, server.api_key))
      assert.equal("true\t26\tnil\n", output)
    end)

    for use, expected in pairs {
      ["#endpoints"] = "26", ["endpoints[26].name"] = "billing.info",
      ["endpoints['runs.get'].call"] = "get", ["tostring(endpoints.none)"] = "nil",
      ["count(pairs(endpoints))"] = "52", ["count(ipairs(endpoints))"] = "26",
    } do
      it("with the contract, even if its first use is " .. use, function()
        for _, name in ipairs { "cekura.core", "cekura" } do
          local output = script.run(([[
            local endpoints = require(%q).endpoints
            local function count(...)
              local n = 0
              for _ in ... do n = n + 1 end
              return n
            end
            print(%s)]]):format(name, use))
          assert.equal(expected .. "\n", output)
        end
      end)
    end

    it("completely: its files are not needed afterwards, as after chroot", function()
      local folder = scratch.folder()
      local output = script.run(([[
        local folder = %q
        os.execute("env -u LD_PRELOAD cp -R lua " .. folder)
        package.path = folder .. "/lua/?.lua;" .. folder .. "/lua/?/init.lua"
        local cekura = require "cekura"
        os.execute("env -u LD_PRELOAD rm -r " .. folder)
        package.path = ""
      ]]):format(folder) .. USE)
      assert.equal(USED, output)
    end)

    it("by a searcher of the host, and not around it", function()
      local output = script.run([[
        local path = package.path
        package.path = path:gsub("lua/", "nowhere/")
        table.insert(package.searchers, 2, function(name)
          local file = name:find "^cekura" and package.searchpath(name, path)
          return file and assert(loadfile(file)), file
        end)
        local cekura = require "cekura"
        path = ""
      ]] .. USE)
      assert.equal(USED, output)
    end)

    it("with the modules that a host has preloaded", function()
      local output = script.run [[
        package.preload["cekura.values"] = function()
          return { rows = function() return "the host's" end }
        end
        print(require "cekura".values {})]]
      assert.equal("the host's\n", output)
    end)

    it("without io and with a debugger's view of each file", function()
      local output = script.run [[
        io = nil
        local cekura = require "cekura"
        local sources = {}
        debug.sethook(function()
          sources[debug.getinfo(2, "S").source] = true
        end, "c")
        cekura.values {}
        debug.sethook()
        print(sources["@lua/cekura/values.lua"])]]
      assert.equal("true\n", output)
    end)

    for name, taken in pairs {
      ["that forbids undeclared globals, and has no io"] = { before = [[
        io = nil
        setmetatable(_G, { __index = function(_, name) error("undeclared " .. name, 2) end })]] },
      ["that has no load"] = { before = "load = nil" },
      ["that takes load and require from its scripts"] = { after = "load, require = nil" },
    } do
      it("by a host " .. name, function()
        local output = script.run((taken.before or "") .. [[

          local cekura = require "cekura"
        ]] .. (taken.after or "") .. "\n" .. USE)
        assert.equal(USED, output)
      end)
    end

    it("only with lua-cjson: without it, require raises", function()
      local output = script.run [[
        package.preload.cjson = function() error "no cjson here" end
        print(pcall(require, "cekura"))]]
      assert.matches("^false\t.*no cjson here", output)
    end)

    it("without a global variable", function()
      local output = script.run [[
        local before = {}
        for name in pairs(_G) do before[name] = true end
        local cekura = require "cekura"
        cekura.new { api_key = "any-key" }:close()
        for name in pairs(_G) do if not before[name] then print(name) end end]]
      assert.equal("", output)
    end)
  end)

  describe("array", function()
    it("returns the table that it is given, marked", function()
      local list = { 1, 2 }
      assert.equal(list, cekura.array(list))
      assert.equal(list, cekura.array(list))
      assert.same({ 1, 2 }, list)
    end)

    for _, row in ipairs {
      { "nothing" }, { "a string", "x" }, { "null", cekura.null },
      { "a table with a metatable of its own", setmetatable({}, { __index = {} }) },
    } do
      it("raises for " .. row[1], function() assert.has_error(function()
        cekura.array(row[2])
      end) end)
    end
  end)

  describe("chunks", function()
    for _, row in ipairs {
      { "an empty list", {}, 3, {} },
      { "a short list", { 1, 2 }, 3, { { 1, 2 } } },
      { "a list of just that length", { 1, 2, 3 }, 3, { { 1, 2, 3 } } },
      { "a list with a rest", { 1, 2, 3, 4 }, 3, { { 1, 2, 3 }, { 4 } } },
      { "single items", { "a", false, "c" }, 1, { { "a" }, { false }, { "c" } } },
    } do
      it("iterates over " .. row[1], function()
        local slices = {}
        for slice in cekura.chunks(row[2], row[3]) do slices[#slices + 1] = slice end
        assert.same(row[4], slices)
      end)
    end

    it("does not change the list", function()
      local list = { 1, 2 }
      cekura.chunks(list, 2)()[1] = "changed"
      assert.same({ 1, 2 }, list)
    end)

    for _, size in ipairs { 0, -1, 1.5, "3", {} } do
      it("raises for a size of " .. type(size) .. " " .. tostring(size):sub(1, 4), function()
        assert.has_error(function() cekura.chunks({ 1 }, size) end)
      end)
    end

    for what, row in pairs {
      ["no list"] = { "expected a list" }, ["a text"] = { "expected a list", "x" },
      ["a list with a hole"] = { "the list must be a list without holes", { 1, nil, 3 } },
      ["a map"] = { "the list must be a list, got a table with string keys", { a = 1 } },
    } do
      it("raises for " .. what .. ", at the caller's line", function()
        local _, message = pcall(function() cekura.chunks(row[2], 3) end)
        assert.matches("^spec/api/module_spec.lua:%d+: chunks: " .. row[1], message)
      end)
    end

    it("raises at the caller's line if called with a colon, as new does", function()
      for _, call in ipairs {
        function() cekura:chunks({ 1 }, 3) end, function() cekura:new { api_key = "k" } end,
      } do
        local _, message = pcall(call)
        assert.matches("^spec/api/module_spec.lua:%d+: call it with a dot: cekura%.", message)
      end
    end)
  end)
end)

describe("the contract as data", function()
  local endpoints = cekura.endpoints

  it("has each endpoint by position and by name", function()
    local names = {}
    for i, endpoint in ipairs(endpoints) do
      names[i] = endpoint.name
      assert.equal(endpoint, endpoints[endpoint.name])
      assert.equal(endpoint.name, endpoint.resource .. "." .. endpoint.call)
      assert.equal("function", type(cekura[endpoint.resource][endpoint.call]))
    end
    assert.same({
      "runs.mark_metric_vote", "results.evaluate_metrics", "results.bulk_evaluate_metrics",
      "calls.evaluate_metrics", "metric_reviews.process_feedbacks",
      "metric_reviews.process_feedbacks_progress", "metric_reviews.process_feedbacks_cancel",
      "test_sets.create_from_run", "test_sets.create_from_call_log", "metrics.get", "metrics.list",
      "metrics.update", "metrics.run_reviews", "metrics.run_reviews_progress", "metrics.history",
      "metrics.restore", "results.get", "results.list", "results.create_shareable_link_token",
      "runs.get", "runs.list", "runs.bulk", "calls.get", "calls.list", "calls.mark_metric_vote",
      "billing.info",
    }, names)
    assert.equal(26, #endpoints)
    assert.is_nil(endpoints["runs.no_such_call"])
    assert.is_nil(endpoints[27])
  end)

  local LIST = "&?page &?page_size &?include_count &?ql"

  -- { name, spends_credits, idempotent, fields: ? may be left out, / in the path, & in the query,
  -- 0 may be null }
  for _, row in ipairs {
    { "runs.mark_metric_vote", false, true,
      "/run_id metric_id thumbs_up0 expected_value0 ?feedback0" },
    { "results.evaluate_metrics", true, false, "/result_id run_ids metric_ids" },
    { "results.bulk_evaluate_metrics", true, false, "result_ids metric_ids" },
    { "calls.evaluate_metrics", true, false, "?agent_id ?project_id call_logs metrics" },
    { "metric_reviews.process_feedbacks", true, false,
      "metric_id ?metric_type ?test_set_ids ?simplified_prompt ?skip_evaluation" },
    { "metric_reviews.process_feedbacks_progress", false, true,
      "&progress_id &?agent_id &?project_id" },
    { "metric_reviews.process_feedbacks_cancel", false, true, "progress_id" },
    { "test_sets.create_from_run", false, true, "run_id metrics ?name ?project" },
    { "test_sets.create_from_call_log", false, true, "call_log_id metrics ?name ?project" },
    { "metrics.get", false, true, "/metric_id" },
    { "metrics.list", false, true, "&?agent_id &?project_id &?assistant_id &?agents &?slug "
      .. "&?filters &?include_scores" },
    { "metrics.update", false, true, "/metric_id ?name ?slug0 ?description ?type ?prompt "
      .. "?custom_code ?eval_type ?enum_values ?evaluation_trigger ?trigger_type "
      .. "?evaluation_trigger_prompt ?evaluation_trigger_custom_code ?audio_enabled "
      .. "?simulation_enabled ?observability_enabled ?sampling_enabled ?add_to_new_agents0 "
      .. "?add_to_rubric ?configuration0 ?display_order ?priority_assignment_prompt "
      .. "?llm_provider ?relevance_llm_provider ?kb_file_ids0 ?scenarios0 ?project0 ?agent0 "
      .. "?agents ?assistant_id ?apply_to_all_agents ?metric_description_program0 "
      .. "?metric_description_variables ?evaluation_trigger_program0 "
      .. "?evaluation_trigger_variables ?alert_enabled ?alert_type ?alert_filters0 "
      .. "?significant_change_alert_status ?significant_change_alert_direction ?window_size "
      .. "?std_multiplier ?ewma_alpha ?slack_workspace0 ?slack_channel_id0" },
    { "metrics.run_reviews", true, false, "/metric_id ?description ?type ?prompt ?custom_code "
      .. "?llm_provider ?evaluation_trigger ?trigger_type ?evaluation_trigger_prompt "
      .. "?evaluation_trigger_custom_code ?metric_description_program0 "
      .. "?metric_description_variables0 ?evaluation_trigger_program0 "
      .. "?evaluation_trigger_variables0 ?skip_save" },
    { "metrics.run_reviews_progress", false, true,
      "&progress_id &?agent_id &?project_id &?assistant_id" },
    { "metrics.history", false, true, "/metric_id &?page &?page_size" },
    { "metrics.restore", false, true, "/metric_id history_id" },
    { "results.get", false, true, "/result_id" },
    { "results.list", false, true, "&?agent_id &?project_id &?assistant_id &?search &?scenarios "
      .. LIST },
    { "results.create_shareable_link_token", false, false, "/result_id ?expire_at0" },
    { "runs.get", false, true, "/run_id" },
    { "runs.list", false, true, "&?agent_id &?project_id &?result_id &?assistant_id &?id &?id__in "
      .. "&?id__contains &?status &?status__in &?success &?success_rate &?search "
      .. "&?timestamp__gte &?timestamp__lte &?created_at_from &?created_at_to &?created_at_range "
      .. "&?duration__gte &?duration__lte &?duration_range &?call_id &?call_id__icontains "
      .. "&?provider_call_id &?provider_call_id__icontains &?call_ended_reason "
      .. "&?call_ended_reason__icontains &?call_ended_reason__in &?result__id &?result__agent_id "
      .. "&?result__agent_id__in &?result__run_as_text &?scenario__id &?scenario__id__in "
      .. "&?scenarios &?personality__id &?personality__id__in &?personalities &?tags &?metrics "
      .. LIST },
    { "runs.bulk", false, true, "&run_ids &?agent_id &?result_id &?project_id" },
    { "calls.get", false, true, "/call_log_id" },
    { "calls.list", false, true, "&?agent_id &?project_id &?timestamp_from &?timestamp_to "
      .. "&?call_ids &?assistant_id &?filters_v2 " .. LIST },
    { "calls.mark_metric_vote", false, true,
      "/call_log_id metric_id thumbs_up0 expected_value0 ?feedback0" },
    { "billing.info", false, true, "&?organization_id" },
  } do
    it("describes the fields of " .. row[1], function()
      local endpoint, words = endpoints[row[1]], {}
      for i, field in ipairs(endpoint.fields) do
        words[i] = ({ path = "/", query = "&", body = "" })[field.place]
          .. (field.required and "" or "?") .. field.name .. (field.nullable and "0" or "")
      end
      assert.same({ row[2], row[3], row[4] },
        { endpoint.spends_credits, endpoint.idempotent, table.concat(words, " ") })
    end)
  end

  it("has all properties of each endpoint and field", function()
    for _, endpoint in ipairs(endpoints) do
      assert.truthy(({ GET = true, POST = true, PATCH = true })[endpoint.method])
      assert.equal(endpoint.method == "PATCH", endpoint.partial)
      assert.same({ "boolean", "boolean", "boolean" }, {
        type(endpoint.spends_credits), type(endpoint.idempotent),
        type(endpoint.evaluations_at_least),
      })
      for _, text in ipairs { endpoint.summary, endpoint.returns } do assert.matches("%S", text) end
      local known, in_path = {}, {}
      for _, field in ipairs(endpoint.fields) do
        known[field.name] = field
        if field.place == "path" then in_path[field.name] = true end
        assert.truthy(({ path = true, query = true, body = true })[field.place])
        assert.equal(field.type == "array", field.items ~= nil)
        assert.truthy(({ integer = true, number = true, string = true, boolean = true,
          array = true, object = true, any = true })[field.type])
        assert.truthy(({ id = true, int32 = true, ["date-time"] = true, json = true,
          selection = true })[field.format or "id"])
        assert.is_true(field.place ~= "body" or endpoint.method ~= "GET")
        assert.matches("%S", field.description)
      end
      for name in endpoint.path:gmatch "{(.-)}" do
        assert.is_true(in_path[name])
        in_path[name] = nil
      end
      assert.is_nil(next(in_path))
      for _, name in ipairs(endpoint.one_of or {}) do assert.is_false(known[name].required) end
      for _, name in ipairs(endpoint.evaluations or {}) do
        assert.equal("array", known[name].type)
      end
    end
  end)

  it("has the limits and choices of fields", function()
    local function field(name, wanted)
      for _, each in ipairs(endpoints[name].fields) do
        if each.name == wanted then return each end
      end
    end
    assert.equal("string", field("results.evaluate_metrics", "run_ids").items)
    assert.equal("integer", field("results.bulk_evaluate_metrics", "result_ids").items)
    assert.equal(1, field("results.bulk_evaluate_metrics", "result_ids").min_items)
    assert.equal(100, field("results.bulk_evaluate_metrics", "result_ids").max_items)
    assert.is_nil(field("calls.evaluate_metrics", "call_logs").min_items)
    assert.equal("any", field("runs.mark_metric_vote", "expected_value").type)
    assert.equal("basic custom_prompt custom_code llm_judge",
      table.concat(field("metric_reviews.process_feedbacks", "metric_type").enum, " "))
    assert.equal("agent_id project_id",
      table.concat(endpoints["calls.evaluate_metrics"].one_of, " "))
    assert.equal("call_logs metrics",
      table.concat(endpoints["calls.evaluate_metrics"].evaluations, " "))
    assert.is_true(endpoints["results.bulk_evaluate_metrics"].evaluations_at_least)
    assert.same({ 255, "int32", "completed" }, { field("metrics.update", "name").max_length,
      field("metrics.update", "display_order").format, field("runs.list", "status__in").enum[2] })
    local labels = field("test_sets.create_from_run", "metrics")
    assert.same({ "object", "metric", true, "expected_value", "feedback" },
      { labels.items, labels.fields[1].name, labels.fields[1].required, labels.fields[2].name,
        labels.fields[3].name })
    local range = endpoints["calls.list"].range
    assert.same({ "timestamp_from", "timestamp_to", 33 }, { range.from, range.to, range.days })
    assert.is_nil(endpoints["runs.mark_metric_vote"].evaluations)
    assert.is_nil(endpoints["runs.mark_metric_vote"].one_of)
  end)

  it("cannot be changed, at any level, and reads like any table", function()
    local function check(value)
      if type(value) ~= "table" then return 0 end
      local count, tables = 0, 1
      for key, item in pairs(value) do
        count = count + (math.type(key) == "integer" and 1 or 0)
        assert.equal(item, value[key])
        assert.error_matches(function() value[key] = item end, "read%-only")
        assert.error_matches(function() value[key] = nil end, "read%-only")
        if type(key) == "string" or type(item) ~= "table" then tables = tables + check(item) end
      end
      assert.equal(count, #value)
      for i = 1, count do assert.not_nil(value[i]) end
      assert.error_matches(function() value.new = 1 end, "read%-only")
      assert.error_matches(function() value[#value + 1] = 1 end, "read%-only")
      assert.error_matches(function() table.insert(value, 1) end, "read%-only")
      assert.has_error(function() setmetatable(value, {}) end)
      assert.equal("read-only", getmetatable(value))
      for i = 1, count do tables = tables + check(value[i]) end
      return tables
    end
    assert.is_true(check(endpoints) > 30)
    assert.equal("POST", endpoints[1].method)
    assert.equal(26, #endpoints)
  end)
end)

describe("lua-cjson", function()
  local server

  setup(function() server = sandbox.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  -- Returns the output of a script that has a client and vote(value).
  local function run(before, after, environment)
    return (script.run(before .. ([[
      local cekura = require "cekura"
      local client = assert(cekura.new { api_url = %q, api_key = %q })
      local function vote(value, options)
        return assert(client.runs:mark_metric_vote({
          run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = value,
        }, options))
      end
      ]]):format(server.url, server.api_key) .. after, environment))
  end

  it("with array_mt has its arrays marked by it", function()
    local newer = (os.getenv "CEKURA_BUILD" or "build") .. "/clamping/?.so;"
    local output = run([[local cjson = require "cjson"]], [[
      print(getmetatable(cekura.array {}) == cjson.array_mt)
      vote {
        setmetatable({}, cjson.array_mt), setmetatable({ 1 }, cjson.array_mt),
        setmetatable({}, cjson.empty_array_mt), cekura.array {}, {}, cjson.null, cjson.empty_array,
      }]], { LUA_CPATH = newer .. os.getenv "LUA_CPATH" })
    assert.equal("true\n", output)
    assert.equal('{"metric_id":55,"thumbs_up":true,"expected_value":[[],[1],[],[],{},null,[]]}',
      server:requests()[1].body)
  end)

  -- The decode of cjson.safe returns nil and a message.
  it("replaced by cjson.safe still reports invalid JSON", function()
    server:faults { { body = '{"a": ' }, { body = '{"a": 1}' } }
    local output = run([[package.loaded.cjson = require "cjson.safe"]] .. "\n", [[
      local value, err = client.runs:get { run_id = 5544 }
      print(value, err.kind, err.message:match "cannot be read: its JSON is cut off")
      print(client.runs:get { run_id = 5544 }.a)]])
    assert.equal("nil\tresponse\tcannot be read: its JSON is cut off\n1\n", output)
  end)

  it("without its functions makes require raise", function()
    local output = script.run [[
      local function new() return { decode = print, decode_invalid_numbers = type,
        decode_max_depth = type } end
      package.loaded.cjson = { new = new }
      print(pcall(require, "cekura"))]]
    assert.matches("false\t.*not lua%-cjson", output)
  end)

  it("keeps the settings of the host", function()
    server:faults { { body = '{"a": [[[[1]]]]}' } }
    local output = run([[
      local cjson = require "cjson"
      cjson.decode_max_depth(2)
      cjson.encode_number_precision(3)
      cjson.decode_invalid_numbers(true)]] .. "\n", [[
      print(vote(0.123456).a[1][1][1][1])
      print(cjson.decode_max_depth(), cjson.encode(0.123456), cjson.decode "[NaN]"[1])]])
    assert.matches("^1\n2\t0.123\t%-?nan\n$", output)
    assert.truthy(server:requests()[1].body:find("0.123456", 1, true))
  end)
end)
