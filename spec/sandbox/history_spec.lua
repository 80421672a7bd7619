--- The versions of a metric, and links to results.

local cekura = require "cekura"
local sandbox = require "cekura.sandbox"

describe("the sandbox", function()
  local server, client

  local function start(options)
    local all = { evaluation_time = 0 }
    for name, value in pairs(options or {}) do all[name] = value end
    server = sandbox.start(all)
    client = assert(cekura.new { api_url = server.url, api_key = server.api_key, max_attempts = 1 })
  end

  before_each(function() start() end)
  after_each(function()
    client:close()
    server:stop()
  end)

  local function update(fields)
    fields.metric_id = 55
    return assert(client.metrics:update(fields))
  end

  local function history(arguments)
    local all = { metric_id = 55 }
    for name, value in pairs(arguments or {}) do all[name] = value end
    return client.metrics:history(all)
  end

  local function restore(history_id)
    return client.metrics:restore { metric_id = 55, history_id = history_id }
  end

  local function without_time(metric)
    metric.updated_at = nil
    return metric
  end

  describe("keeps the versions of a metric", function()
    it("newest first", function()
      local original = server:state("metrics", 55).description
      assert.equal(1, #assert(history()).results)
      update { description = "Count the steps." }
      update { name = "Steps" }
      local page = assert(history())
      local versions = page.results
      assert.same({ "~", "~", "+" }, { versions[1].history_type, versions[2].history_type,
        versions[3].history_type })
      assert.same({ "Steps", "Count the steps." }, { versions[1].name, versions[1].description })
      assert.same({ "Steps Completed", "Count the steps." },
        { versions[2].name, versions[2].description })
      assert.same({ "Steps Completed", original },
        { versions[3].name, versions[3].description })
      for _, version in ipairs(versions) do
        assert.same({ 55, "steps_completed", 14 }, { version.id, version.slug, version.project })
        assert.matches("^%d+%-%d%d%-%d%dT", version.history_date)
      end
      assert.is_true(versions[1].history_date > versions[3].history_date)
    end)

    it("a page at a time", function()
      for i = 1, 4 do update { description = ("%d"):format(i) } end
      local page = assert(history { page = 2, page_size = 2 })
      assert.same({ "2", "1" }, { page.results[1].description, page.results[2].description })
      assert.matches("page=3", page.next)
      assert.matches("page=1", page.previous)
    end)

    it("with ids that no other metric has", function()
      local other = assert(client.metrics:history { metric_id = 52 }).results[1]
      assert.not_equal(other.history_id, assert(history()).results[1].history_id)
    end)
  end)

  describe("restores a version", function()
    it("with all its fields, as a new version", function()
      local before = without_time(assert(client.metrics:get { metric_id = 55 }))
      update { description = "Count the steps.", type = "custom_code", custom_code = "_result = 1" }
      update { description = "Do not count.", enum_values = { "a" } }
      local first = assert(history()).results[3]
      local restored = assert(restore(first.history_id))
      assert.same(before, without_time(restored))
      assert.same(before, without_time(assert(client.metrics:get { metric_id = 55 })))
      local versions = assert(history()).results
      assert.equal(4, #versions)
      assert.equal(before.description, versions[1].description)
      assert.matches("^Restored version %d+$", versions[1].history_change_reason)
      assert.equal(4, server:state("metrics", 55).version)
      assert(restore(versions[2].history_id))
      assert.equal("Do not count.", server:state("metrics", 55).description)
    end)

    it("and with it the quality of the metric", function()
      local before = server:state("metrics", 55).description
      assert(client.test_sets:create_from_run { run_id = 5544,
        metrics = { { metric = 55, expected_value = 2, feedback = "x" } } })
      local job = assert(client.metric_reviews:process_feedbacks { metric_id = 55 })
      local progress = assert(client.metric_reviews:process_feedbacks_progress {
        progress_id = job.progress_id })
      update { description = progress.output.improved_metric_description }
      assert.is_true(server:state("metrics", 55).improved)
      assert(restore(assert(history()).results[2].history_id))
      assert.is_false(server:state("metrics", 55).improved)
      update { description = progress.output.improved_metric_description }
      assert.is_true(server:state("metrics", 55).improved)
      update { description = before }
      assert.is_false(server:state("metrics", 55).improved)
    end)

    it("but none that does not exist, or of another metric", function()
      local other = assert(client.metrics:history { metric_id = 52 }).results[1].history_id
      for _, id in ipairs { 1, other } do
        local value, err = restore(id)
        assert.is_nil(value)
        assert.same({ "not_found", "No HistoricalMetric matches the given query." },
          { err.kind, err.detail })
      end
      assert.equal("not_found", select(2, client.metrics:history { metric_id = 1 }).kind)
      assert.equal(1, #assert(history()).results)
    end)
  end)

  describe("makes links to a result", function()
    local function link(arguments)
      local all = { result_id = 373 }
      for name, value in pairs(arguments or {}) do all[name] = value end
      return client.results:create_shareable_link_token(all)
    end

    it("each with another token, which the seed determines", function()
      local first, second = assert(link()), assert(link { expire_at = cekura.null })
      assert.not_equal(first.token, second.token)
      assert.matches("^%x+$", first.token)
      assert.matches("^https://dashboard%.example%.com/.*" .. first.token, first.shareable_link)
      local again <close> = sandbox.start()
      local other <close> = assert(cekura.new { api_url = again.url, api_key = again.api_key })
      assert.same(first, assert(other.results:create_shareable_link_token { result_id = 373 }))
    end)

    it("that end in the future", function()
      assert(link { expire_at = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + 86400) })
      local value, err = link { expire_at = "2020-01-01T00:00:00Z" }
      assert.is_nil(value)
      assert.equal("bad_request", err.kind)
      assert.matches("expire_at.*in the past", tostring(err))
    end)

    it("but none to an unknown result", function()
      assert.equal("not_found", select(2, link { result_id = 1 }).kind)
    end)
  end)
end)
