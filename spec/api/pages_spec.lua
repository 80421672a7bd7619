-- results:pages, runs:pages and calls:pages: each item once, read when it is asked for, from
-- api_url only. windows_spec.lua reads ranges of more than 33 days.
local cekura = require "cekura"
local faults = require "support.faults"
local json = require "cjson".new()
local retries = require "support.retries"
local sandbox = require "cekura.sandbox"

local LIST = "/test_framework/v2/results/"

-- Returns a page of items with these ids.
local function page(ids, following, count)
  local results = {}
  for i, id in ipairs(ids) do results[i] = { id = id } end
  local text = json.encode { results = results, next = following or json.null, count = count or 1 }
  return faults.ok((text:gsub('"results":{}', '"results":[]')))
end

-- Returns the memory in use, in kB.
local function settled()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

local function ids_of(iterator)
  local ids = {}
  for item in iterator do ids[#ids + 1] = item.id end
  return ids
end

describe("pages", function()
  describe("with the sandbox", function()
    local server, client
    setup(function()
      server = sandbox.start()
      client = assert(cekura.new { api_url = server.url, api_key = server.api_key })
    end)
    teardown(function()
      client:close()
      server:stop()
    end)
    before_each(function() server:clear() end)

    -- Returns how many items of a part of the sandbox's state are of agent 231.
    local function items_of(part)
      local count = 0
      for _, item in pairs(server:state(part)) do
        if item.agent_id == 231 then count = count + 1 end
      end
      return count
    end

    -- { resource, part of the state, arguments, number of requests for n items }
    for _, row in ipairs {
      { "results", "results", { page_size = 7 }, function(n) return math.ceil(n / 7) end },
      { "runs", "runs", { page_size = 100 }, function(n) return math.ceil(n / 100) end },
      { "calls", "call_logs", { page_size = 100, timestamp_from = os.date("!%Y-%m-%dT%H:%M:%SZ",
        os.time() - 62 * 86400) }, function() return 2 end },
    } do
      local name, part, arguments, requests = table.unpack(row)
      arguments.agent_id = 231

      it("returns each of the " .. name .. " once, with the filter on each page", function()
        local seen, count = {}, 0
        for item in client[name]:pages(arguments) do
          assert.is_nil(seen[item.id])
          assert.equal(231, item.agent)
          seen[item.id], count = true, count + 1
        end
        assert.equal(items_of(part), count)
        assert.equal(requests(count), #server:requests())
        assert.is_nil(arguments.page)  -- the caller's table is unchanged
      end)

      it("returns the same " .. name .. " without the count, and with selected fields", function()
        local lean = { include_count = false, ql = "{status,id}" }
        for field, value in pairs(arguments) do lean[field] = value end
        assert.is_nil(assert(client[name]:list { include_count = false }).count)
        assert.same(ids_of(client[name]:pages(arguments)), ids_of(client[name]:pages(lean)))
      end)
    end

    it("reads a page when its first item is asked for", function()
      local next_result = client.results:pages { agent_id = 231, page_size = 2 }
      assert.equal(0, #server:requests())
      next_result()
      next_result()
      assert.equal(1, #server:requests())
      next_result()
      assert.equal(2, #server:requests())
    end)

    it("starts at the page that the caller names", function()
      local all = ids_of(client.results:pages { agent_id = 231, page_size = 10 })
      local rest = ids_of(client.results:pages { agent_id = 231, page_size = 10, page = 2 })
      assert.same({ table.unpack(all, 11) }, rest)
    end)

    it("returns nil for an empty list, again and again", function()
      local next_result = client.results:pages { search = "no such name" }
      for _ = 1, 3 do assert.is_nil(next_result()) end
      assert.equal(1, #server:requests())
    end)

    it("is a source of each, whose other items continue meanwhile", function()
      local source = client.calls:pages { agent_id = 231, page_size = 5 }
      local report = assert(client:each(source, function(log)
        return client.calls:get { call_log_id = log.id }
      end))
      assert.equal(#ids_of(client.calls:pages { agent_id = 231 }), report.ok)
      assert.equal(0, #report.errors)
    end)

    it("follows `next` with keep_null", function()
      local keeping <close> = assert(cekura.new { api_url = server.url .. "/",
        api_key = server.api_key, keep_null = true })
      assert.equal(64, #ids_of(keeping.results:pages { agent_id = 231 }))
    end)

    it("works with the default client, and passes its options to each call", function()
      local headers = { headers = { ["X-One"] = "1" } }
      assert.equal(64, #ids_of(client.results:pages({ agent_id = 231 }, headers)))
      for _, request in ipairs(server:requests()) do
        assert.equal("1", request.headers["x-one"])
      end
      assert.is_function(cekura.results.pages)
    end)

    -- { what is wrong, arguments, options, message }
    for _, row in ipairs {
      { "an unknown field", { agent = 1 }, nil, 'results.list: agent: unknown field' },
      { "a page that is none", { page = "x" }, nil, "results.list: page: must be a whole number" },
      { "an unknown option", {}, { headres = {} }, 'did you mean "headers"' },
      { "a dry run", {}, { dry_run = true }, "options.dry_run: is an option of a single call" },
    } do
      it("raises an error for " .. row[1] .. ", and sends nothing", function()
        local ok, err = pcall(ids_of, client.results:pages(row[2], row[3]))
        assert.is_false(ok)
        assert.same({ "validation", "no" }, { err.kind, err.applied })
        assert.matches(row[4], tostring(err))
        assert.equal(0, #server:requests())
      end)
    end

    it("raises misuse at the caller's line", function()
      assert.matches("call it with a colon: results:pages{ … }",
        select(2, pcall(client.results.pages, {})))
      assert.matches("call it with a colon: results:pages{ … }",
        select(2, pcall(client.results.pages, client.calls, {})))
      for _, row in ipairs {
        { "results:pages takes a table of arguments, got nil", client.results },
        { "results:pages takes a table of options, got boolean", client.results, {}, true },
        { "call it with a colon: results:pages{ … }", {} },
      } do
        local _, message = pcall(function() client.results.pages(table.unpack(row, 2)) end)
        assert.matches("^spec/api/pages_spec.lua:%d+: " .. row[1], message)
      end
    end)

    it("raises the error of a closed client", function()
      local closed = assert(cekura.new { api_key = "k" })
      local next_result = closed.results:pages {}
      closed:close()
      for _, call in ipairs { next_result, function() closed.results:pages {} end } do
        local _, err = pcall(call)
        assert.equal("config", err.kind)
      end
    end)
  end)

  describe("with a faulty server", function()
    local server, client
    setup(function()
      server = faults.start()
      client = retries.client(server)
    end)
    teardown(function()
      client:close()
      server:stop()
    end)
    before_each(function() server:clear() end)

    local function following(query, base)
      return (base or server.url) .. LIST .. "?" .. query
    end

    local function targets()
      local list = {}
      for i, row in ipairs(server:ledger()) do list[i] = row.path end
      return list
    end

    it("follows `next`, whatever `count` says", function()
      server:script { page({ 1, 2 }, following "page=2", 0), page({ 3 }, following "page=3", 2),
        page({}, following "page=4", 3), page({ 4 }, nil, 1000) }
      assert.same({ 1, 2, 3, 4 }, ids_of(client.results:pages {}))
      assert.equal(4, server:deliveries())
    end)

    it("takes only the page number from `next`", function()
      server:script { page({ 1 }, following "agent_id=999&page=2&evil=1"), page { 2 } }
      assert.same({ 1, 2 }, ids_of(client.results:pages { agent_id = 5 }))
      local list = targets()
      assert.equal(LIST .. "?agent_id=5", list[1])
      assert.equal(LIST .. "?agent_id=5&page=2", list[2])
    end)

    for _, base in ipairs { "?page=2", "/test_framework/v2/results/?page=2",
      "//evil.example/?page=2", "http://127.0.0.1:1/?page=2", "https://evil.example/a?b=c&page=2",
      "http://user@127.0.0.1/?page=2#page=3", "HTTP://127.0.0.1:80/?page=2&agent_id=1",
      "javascript:?page=2", "?page=1&page=2", "?pages=9&page=2" } do
      it("asks api_url for the page that `next` names: " .. base, function()
        server:script { page({ 1 }, base), page { 2 } }
        assert.same({ 1, 2 }, ids_of(client.results:pages { agent_id = 5 }))
        assert.same({ LIST .. "?agent_id=5", LIST .. "?agent_id=5&page=2" }, targets())
      end)
    end

    for name, path in pairs {
      results = LIST, runs = "/test_framework/v2/runs/", calls = "/observability/v2/call-logs/",
    } do
      it("returns each id of the " .. name .. " once if items are added meanwhile", function()
        server:script { page({ 9, "8", 7 }, "?page=2"), page({ 8, "7", 6.0, 5 }, "?page=3"),
          page({ 6, "5" }, "?page=4"), page { 5, 4, "4", "04", "x", "x" } }
        assert.same({ 9, "8", 7, 6, 5, 4, "04", "x" }, ids_of(client[name]:pages {}))
        for i, target in ipairs(targets()) do
          assert.equal(path .. (i > 1 and "?page=" .. i or ""), target)
        end
      end)
    end

    it("returns every item without an id", function()
      local body = '{"results": [{"a":1}, 5, null, {"id":null}, {"id":true}, {"a":1}], "next": %s}'
      server:script { faults.ok(body:format '"?page=2"'), faults.ok(body:format "null") }
      local count = 0
      for _ in client.results:pages {} do count = count + 1 end
      assert.equal(12, count)
    end)

    it("keeps only the ids of the items that it has returned", function()
      local pages, text = {}, ("x"):rep(20000)
      for i = 1, 50 do
        pages[i] = faults.ok(json.encode { results = { { id = i, text = text } },
          next = i < 50 and "?page=" .. i + 1 or json.null })
      end
      server:script(pages)
      local next_result, before = client.results:pages {}, nil
      for i = 1, 50 do
        assert.equal(i, next_result().id)
        if i == 2 then before = settled() end
      end
      assert.is_true(settled() - before < 200)  -- kB: fifty texts have a thousand
      assert.is_nil(next_result())
    end)

    -- { `next`, message }
    for _, row in ipairs {
      { "page=0", "names no page" }, { "page=-1", "names no page" },
      { "page=two", "names no page" },
      { "", "names no page" }, { "cursor=x", "names no page" },
      { "page=1", "leads back to page 1, which has been read" },
      { "page=99999999999999999999", "names no page" },
    } do
      it(("raises for `next` = ?%s"):format(row[1]), function()
        server:script { page({ 1 }, following(row[1])) }
        local ok, err = pcall(ids_of, client.results:pages {})
        assert.is_false(ok)
        assert.matches(row[2], err.message)
        assert.equal(1, server:deliveries())
      end)
    end

    it("raises if `next` leads back", function()
      server:script { page({ 1 }, following "page=2"), page({ 2 }, following "page=3"),
        page({ 3 }, following "page=2") }
      local ok, err = pcall(ids_of, client.results:pages {})
      assert.is_false(ok)
      assert.matches("back to page 2", err.message)
    end)

    for what, body in pairs {
      ["a list"] = "[1, 2]", ["a text"] = '"x"', ["nothing"] = "", ["an object"] = "{}",
      ["results that are none"] = '{"results": 5}',
      ["a number as next"] = '{"results": [], "next": 5}',
    } do
      it("raises for a response that is not a page: " .. what, function()
        server:script { faults.ok(body) }
        local ok, err = pcall(ids_of, client.results:pages {})
        assert.is_false(ok)
        assert.equal("response", err.kind)
      end)
    end

    it("retries a page after a transient failure", function()
      server:script { page({ 1 }, following "page=2"), faults.status(503), "close_before_answer",
        page { 2 } }
      assert.same({ 1, 2 }, ids_of(client.results:pages {}))
    end)

    describe("shared by several tasks", function()
      local slow = { "sleep", 0.05 }

      -- Returns the same entry with a delay.
      local function slowly(entry) return { slow, table.unpack(entry) } end

      -- Returns a task that reads all items. Its results are the ids, and the error that ended it.
      local function reader(next_result)
        return client:spawn(function()
          local ids = {}
          local ok, err = pcall(function()
            for item in next_result do
              ids[#ids + 1] = item.id
              client:sleep(0.001)
            end
          end)
          return ids, not ok and err or nil
        end)
      end

      local function all_of(...)
        local all = {}
        for _, ids in ipairs { ... } do table.move(ids, 1, #ids, #all + 1, all) end
        table.sort(all)
        return all
      end

      it("returns each item once", function()
        server:script { slowly(page({ 1, 2, 3 }, "?page=2")), slowly(page({ 4, 5 }, "?page=3")),
          slowly(page { 6 }) }
        local next_result, tasks, all = client.results:pages {}, {}, {}
        for i = 1, 4 do tasks[i] = reader(next_result) end
        for i = 1, 4 do
          local ids, err = tasks[i]:wait()
          assert.is_nil(err)
          all = all_of(all, ids)
        end
        assert.same({ 1, 2, 3, 4, 5, 6 }, all)
        assert.equal(3, server:deliveries())
        assert.is_false(client:step())
      end)

      it("and by the main program returns each item once", function()
        server:script { slowly(page({ 1, 2, 3 }, "?page=2")), slowly(page { 4, 5 }) }
        local next_result = client.results:pages {}
        local task = reader(next_result)
        client:step()  -- it reads the first page
        local mine = ids_of(next_result)
        assert.same({ 1, 2, 3, 4, 5 }, all_of(mine, (task:wait())))
        assert.equal(2, server:deliveries())
      end)

      it("and by a coroutine in a task returns each item once", function()
        server:script { slowly(page({ 1, 2, 3 }, "?page=2")), slowly(page { 4, 5 }) }
        local next_result = client.results:pages {}
        local one = reader(next_result)
        local other = client:spawn(function()
          return coroutine.wrap(function() return ids_of(next_result) end)()
        end)
        assert.same({ 1, 2, 3, 4, 5 }, all_of((other:wait()), (one:wait())))
        assert.equal(2, server:deliveries())
      end)

      it("raises an error in the task that read the page, and another reads it again", function()
        server:script { slowly(faults.status(400)), page { 1, 2 } }
        local next_result = client.results:pages {}
        local one, other = reader(next_result), reader(next_result)
        local ids, err = one:wait()
        assert.same({}, ids)
        assert.equal("bad_request", err.kind)
        ids, err = other:wait()
        assert.same({ 1, 2 }, ids)
        assert.is_nil(err)
      end)

      for what, stop in pairs {
        ["is cancelled"] = function(task) return task:cancel() end,
        ["has its coroutine closed"] = function(_, co) return coroutine.close(co) end,
      } do
        it("continues if the reading task " .. what, function()
          server:script { "hang", page { 1, 2 } }
          local next_result, co = client.results:pages {}, nil
          local one = client:spawn(function()
            co = coroutine.running()
            return next_result()
          end)
          local other = reader(next_result)
          while server:deliveries() < 1 do client:step(0.01) end
          assert.is_true(stop(one, co))
          assert.same({ 1, 2 }, (other:wait()))
          one:cancel()  -- the call of a closed coroutine may still be in flight
        end)
      end

      it("continues if a waiting task is cancelled", function()
        server:script { slowly(page { 1, 2 }) }
        local next_result = client.results:pages {}
        local one, other, third = reader(next_result), reader(next_result), reader(next_result)
        client:step()
        assert.is_true(other:cancel())
        assert.same({ 1, 2 }, all_of((one:wait()), (third:wait())))
        assert.is_false(client:step())
      end)

      it("raises in all of them if the client is closed", function()
        server:script { "hang" }
        local mortal <close> = retries.client(server)
        local next_result, errors = mortal.results:pages {}, {}
        for i = 1, 3 do
          mortal:spawn(function() errors[i] = select(2, pcall(next_result)) end)
        end
        mortal:step()
        mortal:close()
        while mortal:step() do end
        assert.same({ "cancelled", "config", "config" },
          { errors[1].kind, errors[2].kind, errors[3].kind })
      end)

      it("raises in on_event of its own call", function()
        local next_result, err
        local nosy <close> = retries.client(server, { on_event = function(event)
          if event.type == "request" and not err then
            err = select(2, pcall(next_result))
          end
        end })
        server:script { page { 1, 2 } }
        next_result = nosy.results:pages {}
        assert.same({ 1, 2 }, ids_of(next_result))
        assert.matches("while the same coroutine reads a page", err)
      end)
    end)

    it("raises the error of a page, and reads that page again the next time", function()
      server:script { page({ 1 }, following "page=2"), faults.status(400), page { 2 } }
      local next_result = client.results:pages {}
      assert.equal(1, next_result().id)
      local ok, err = pcall(next_result)
      assert.is_false(ok)
      assert.same({ "bad_request", "results.list", 400 }, { err.kind, err.endpoint, err.status })
      assert.equal(2, next_result().id)
      assert.is_nil(next_result())
    end)

    it("raises the error in each, after the items that were read", function()
      server:script { page({ 1, 2 }, following "page=2"), faults.status(404) }
      local seen = {}
      local ok, err = pcall(client.each, client, client.results:pages {}, function(item)
        seen[#seen + 1] = item.id
        return true
      end)
      assert.is_false(ok)
      assert.equal("not_found", err.kind)
      assert.same({ 1, 2 }, seen)
    end)

    it("does not show a key that the server puts into `next`", function()
      server:script { page({ 1 }, "http://evil.example/?key=the-key") }
      local _, err = pcall(ids_of, client.results:pages {})
      assert.is_nil(tostring(err):find("the-key", 1, true))
    end)
  end)
end)
