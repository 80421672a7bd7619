-- calls:pages over a range of more than 33 days: it is read in windows, newest first, against a
-- server that computes its pages and refuses a longer range, as the API's document says.
local call_log_server = require "support.call_log_server"
local cekura = require "cekura"
local clock = require "support.clock"
local internal = require "cekura.internal"

local SECOND = 1000000  -- times and spans are whole microseconds
local DAY = 86400 * SECOND
local MOST = 33 * DAY   -- observability-v2-call-logs-list: "must not exceed 33 days"

-- Returns the time of a text of the API.
local function micros(text)
  local seconds, fraction = internal.timestamp(text)
  return seconds * SECOND + math.tointeger(tonumber((fraction .. "000000"):sub(1, 6)))
end

-- Returns a time as the API writes it.
local function text_of(at)
  return os.date("!%Y-%m-%dT%H:%M:%S", at // SECOND) .. (".%06dZ"):format(at % SECOND)
end

describe("calls:pages", function()
  local server, client
  setup(function()
    local url
    server, url = call_log_server.start()
    client = assert(cekura.new { api_url = url, api_key = "k" })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:control "reset" end)

  local function add(at) return server:control("add", at) end

  local function requests() return server:control "requests" end

  -- Returns the windows that were requested: { from, to }, the texts.
  local function windows()
    local list = {}
    for _, query in ipairs(requests()) do
      if not query.page then list[#list + 1] = { query.timestamp_from, query.timestamp_to } end
    end
    return list
  end

  local function pages(from, to, more)
    local arguments = { agent_id = 231, timestamp_from = from, timestamp_to = to }
    for name, value in pairs(more or {}) do arguments[name] = value end
    return client.calls:pages(arguments)
  end

  local function ids_of(iterator)
    local ids = {}
    for log in iterator do ids[#ids + 1] = log.id end
    return ids
  end

  -- Adds logs at an instant, and one microsecond before and after it.
  local function add_around(at)
    for tick = -1, 1 do add(at + tick) end
  end

  local function ids_within(from, to)
    local ids = {}
    for i, log in ipairs(server:control("within", from, to)) do ids[i] = log.id end
    return ids
  end

  local TO = micros "2026-03-01T12:00:00.25Z"

  -- { range, span, number of windows }
  for _, row in ipairs {
    { "1 second", SECOND, 1 }, { "33 days", MOST, 1 }, { "33 days and 1 second", MOST + SECOND, 2 },
    { "66 days", 2 * MOST, 2 }, { "400 days", 400 * DAY, 13 },
  } do
    local name, span, count = table.unpack(row)
    local from, to = TO - span, TO

    for _, bounds in ipairs {
      "inclusive", "exclusive at the end", "exclusive at the beginning",
    } do
      local function fill()
        server:control("reset", bounds)
        for _, at in ipairs { from, from + span // 2, from + SECOND } do add_around(at) end
        for k = 0, span // MOST do add_around(to - k * MOST) end
      end

      it(("returns each log of %s once, bounds %s"):format(name, bounds), function()
        fill()
        local expected = ids_within(from, to)
        assert.same(expected, ids_of(pages(text_of(from), text_of(to))))
        local list = windows()
        assert.equal(count, #list)
        assert.same({ text_of(from), text_of(to) }, { list[count][1], list[1][2] })
        for i, window in ipairs(list) do
          assert.is_true(micros(window[2]) - micros(window[1]) <= MOST)
          if i > 1 then assert.equal(list[i - 1][1], window[2]) end
        end
      end)

      it(("returns each log of %s once, bounds %s, while logs arrive"):format(name, bounds),
      function()
        fill()
        server:control "arrive"
        local seen, last = {}, math.huge
        for log in pages(text_of(from), text_of(to)) do
          assert.is_nil(seen[log.id])
          assert.is_true(log.at <= last)  -- the newest first
          seen[log.id], last = true, log.at
        end
        for _, log in ipairs(server:control("within", from, to)) do
          assert.is_true(seen[log.id] or log.is_new)
          seen[log.id] = nil
        end
        assert.same({}, seen)
        assert.equal(count, #windows())
      end)
    end
  end

  -- { from, to }: at most 33 days
  for _, row in ipairs {
    { "2026-01-01T00:00:00Z", "2026-02-03T00:00:00Z" },
    { "2026-01-01T00:00:00.5Z", "2026-02-03T00:00:00.500Z" },
    { "2026-01-01T00:00:00.500000002Z", "2026-02-03T00:00:00.500000001Z" },
    { "2026-01-01T02:00:00+02:00", "2026-02-02T23:00:00-01:00" },
    { "2026-02-03T00:00:00Z", "2020-01-01T00:00:00Z" },
    { "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z" },
    { nil, "2020-01-01T00:00:00Z" },
    { os.date "!%Y-%m-%dT00:00:00+00:00", nil },
    { nil, nil },
  } do
    it(("sends the range from %s to %s as it is"):format(row[1], row[2]), function()
      assert.same({}, ids_of(pages(row[1], row[2])))
      assert.same({ { agent_id = "231", timestamp_from = row[1], timestamp_to = row[2] } },
        requests())
    end)
  end

  -- { from, to, the instant between the windows }
  for _, row in ipairs {
    { "2026-01-01T00:00:00.4Z", "2026-02-03T00:00:00.50Z", "2026-01-01T00:00:00.5Z" },
    { "2026-01-01T00:00:00.49999999999999999999Z", "2026-02-03T00:00:00.5Z",
      "2026-01-01T00:00:00.5Z" },
    { "2026-01-01T00:00:00Z", "2026-02-03T00:00:00.000000001Z", "2026-01-01T00:00:00.000000001Z" },
    { "2026-01-01T02:00:00+02:00", "2026-02-02T23:00:01-01:00", "2026-01-01T00:00:01Z" },
    { "2023-12-31T23:59:59Z", "2024-02-02T23:59:60Z", "2024-01-01T00:00:00Z" },
    { "1969-11-01T00:00:00Z", "1970-01-02T00:00:00Z", "1969-11-30T00:00:00Z" },
  } do
    it(("reads the range from %s to %s in two windows"):format(row[1], row[2]), function()
      assert.same({}, ids_of(pages(row[1], row[2])))
      assert.same({ { row[3], row[2] }, { row[1], row[3] } }, windows())
    end)
  end

  it("reads a range without an end until a day from now", function()
    local now = os.time() * SECOND
    local ids = { add(now - 40 * DAY), add(now - 33 * DAY), add(now) }
    ids[4] = add(now + SECOND)  -- by a server whose clock is fast
    assert.same({ ids[4], ids[3], ids[2], ids[1] }, ids_of(pages(text_of(now - 40 * DAY))))
    local list = windows()
    assert.equal(2, #list)
    local ahead = micros(list[1][2]) - now - DAY
    assert.is_true(0 <= ahead and ahead <= clock.LIMIT * SECOND)
  end)

  it("reads a window when its first log is asked for, and none after a break", function()
    add(TO - 50 * DAY)
    add(TO - 40 * DAY)
    add(TO - DAY)
    local next_log = pages(text_of(TO - 99 * DAY), text_of(TO))
    assert.same({}, requests())
    assert.equal(3, next_log().id)
    assert.equal(1, #requests())
    for log in next_log do
      if log.id == 2 then break end
    end
    assert.equal(2, #requests())
    assert.equal(1, next_log().id)
    assert.equal(2, #requests())
    for _ = 1, 2 do assert.is_nil(next_log()) end
    assert.equal(3, #requests())
  end)

  it("raises the error of a window, and reads that window again the next time", function()
    add(TO - 40 * DAY)
    add(TO)
    local next_log = pages(text_of(TO - 50 * DAY), text_of(TO))
    assert.equal(2, next_log().id)
    server:control("fail", 1)
    local ok, err = pcall(next_log)
    assert.same({ false, "bad_request" }, { ok, err.kind })
    assert.equal(1, next_log().id)
    assert.is_nil(next_log())
  end)

  it("does not change the caller's table, and sends its other fields each time", function()
    local arguments = { agent_id = 5, page_size = 3, ql = "{id,status}",
      timestamp_from = text_of(TO - 50 * DAY), timestamp_to = text_of(TO) }
    local copy = {}
    for name, value in pairs(arguments) do copy[name] = value end
    for k = 0, 40 do add(TO - k * DAY) end
    assert.equal(41, #ids_of(client.calls:pages(arguments)))
    assert.same(copy, arguments)
    for _, query in ipairs(requests()) do
      assert.same({ "5", "3", "{id,status}" }, { query.agent_id, query.page_size, query.ql })
    end
  end)

  it("returns each log once to several tasks that share the iterator", function()
    for k = 0, 99 do add(TO - k * DAY) end
    local next_log = pages(text_of(TO - 99 * DAY), text_of(TO))
    local seen, total = {}, 0
    local readers = {}
    for i = 1, 5 do
      readers[i] = client:spawn(function()
        for log in next_log do
          assert.is_nil(seen[log.id])
          seen[log.id], total = true, total + 1
          client:sleep(0)
        end
      end)
    end
    for _, reader in ipairs(readers) do assert.is_nil(select(2, reader:wait())) end
    assert.equal(100, total)
    assert.equal(3, #windows())
  end)

  it("refuses `page` with a range that is read in windows, and sends nothing", function()
    local ok, err = pcall(ids_of, pages(text_of(TO - 34 * DAY), text_of(TO), { page = 1 }))
    assert.same({ false, "validation", "no", "calls.pages" },
      { ok, err.kind, err.applied, err.endpoint })
    assert.matches("page: cannot be set: a range of more than 33 days is read in windows",
      tostring(err))
    assert.same({}, requests())
  end)

  it("accepts `page` with a range that is sent as it is", function()
    for k = 0, 5 do add(TO - k * DAY) end
    assert.same({ 4, 5, 6 }, ids_of(pages(text_of(TO - 33 * DAY), text_of(TO), { page = 2 })))
  end)

  for name, value in pairs {
    timestamp_from = "2020-01-01", timestamp_to = "2026-13-01T00:00:00Z", ql = "status",
  } do
    it("reports an invalid " .. name .. " as list does", function()
      local from, to = text_of(TO - DAY), text_of(TO)
      local arguments = { agent_id = 231, timestamp_from = from, timestamp_to = to, [name] = value }
      local _, expected = client.calls:list(arguments)
      local ok, err = pcall(ids_of, client.calls:pages(arguments))
      assert.is_false(ok)
      assert.equal(tostring(expected), tostring(err))
      assert.same({}, requests())
    end)
  end

  for _, ql in ipairs {
    "{status}", "{status,agent{id}}", "{identity, my_id}", "{*,-id}", "{-id}",
  } do
    it("refuses a `ql` that leaves out the id: " .. ql, function()
      local ok, err = pcall(ids_of, pages(nil, nil, { ql = ql }))
      assert.same({ false, "validation" }, { ok, err.kind })
      assert.matches("ql: must select id, which tells the items apart", tostring(err))
      assert.same({}, requests())
    end)
  end

  for _, ql in ipairs {
    "{id}", "{ status, id }", "{agent{name},id,status}", "{id,agent{id}}", "{*,-agent}",
  } do
    it("accepts a `ql` that selects the id: " .. ql, function()
      assert.same({}, ids_of(pages(nil, nil, { ql = ql })))
      assert.equal(ql, requests()[1].ql)
    end)
  end
end)
