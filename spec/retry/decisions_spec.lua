-- The decisions of the core, as tables: outcome, retry, Retry-After, limiter, retry quota.
local decisions = require "decisions"

local NOT_RESOLVED, NOT_CONNECTED, TIMED_OUT, TLS_CUT, BAD_CERTIFICATE = 6, 7, 28, 35, 60
local PARTIAL, EMPTY, NOT_SENT, NOT_RECEIVED, TOO_LARGE, BAD_ENCODING = 18, 52, 55, 56, 23, 61
local OUT_OF_MEMORY, GARBLED, ABORTED = 27, 8, 42

local function row(attempt, kind, applied, retriable)
  return { attempt = attempt, kind = kind, applied = applied, retriable = retriable }
end

local function describe_row(attempt)
  local words = {}
  for name, value in pairs(attempt) do words[#words + 1] = name .. "=" .. tostring(value) end
  table.sort(words)
  return table.concat(words, " ")
end

describe("the outcome of an attempt", function()
  local rows = {
    -- nothing was sent
    row({ times_sent = 0, code = NOT_RESOLVED }, "network", "no", "always"),
    row({ times_sent = 0, code = NOT_CONNECTED }, "network", "no", "always"),
    row({ times_sent = 0, code = TIMED_OUT }, "timeout", "no", "always"),
    row({ times_sent = 0, code = TLS_CUT }, "tls", "no", "always"),
    row({ times_sent = 0, code = BAD_CERTIFICATE }, "tls", "no", "never"),
    row({ times_sent = 0, code = 77 }, "tls", "no", "never"),
    row({ times_sent = 0, code = GARBLED }, "network", "no", "always"),  -- a proxy's response
    row({ times_sent = 0, code = OUT_OF_MEMORY }, "network", "no", "never"),
    row({ times_sent = 0, cancelled = true, code = ABORTED }, "cancelled", "no", "never"),
    -- sending began, and no status arrived
    row({ code = EMPTY }, "network", "unknown", "idempotent"),
    row({ code = NOT_SENT }, "network", "unknown", "idempotent"),
    row({ code = NOT_RECEIVED }, "network", "unknown", "idempotent"),
    row({ code = TLS_CUT }, "network", "unknown", "idempotent"),
    row({ code = TIMED_OUT }, "timeout", "unknown", "idempotent"),
    row({ code = GARBLED }, "response", "unknown", "idempotent"),
    row({ code = 0 }, "response", "unknown", "idempotent"),
    row({ code = ABORTED, cancelled = true }, "cancelled", "unknown", "never"),
    -- a 2xx: the server acted on it
    row({ status = 200, whole = true }, "ok", "yes", "never"),
    row({ status = 204, whole = true }, "ok", "yes", "never"),
    row({ status = 200, code = 0 }, "response", "yes", "idempotent"),
    row({ status = 200, code = PARTIAL }, "response", "yes", "idempotent"),
    row({ status = 200, code = NOT_RECEIVED }, "response", "yes", "idempotent"),
    row({ status = 200, code = TIMED_OUT }, "timeout", "yes", "idempotent"),
    row({ status = 200, code = TOO_LARGE, too_large = true }, "response", "yes", "never"),
    row({ status = 200, code = BAD_ENCODING }, "response", "yes", "never"),
    row({ status = 200, code = ABORTED, cancelled = true }, "cancelled", "yes", "never"),
    -- a redirect is not followed
    row({ status = 301, whole = true }, "response", "unknown", "never"),
    row({ status = 303, whole = true }, "response", "unknown", "never"),
    row({ status = 307, whole = true }, "response", "no", "never"),
    row({ status = 308, whole = true }, "response", "no", "never"),
    -- refusals
    row({ status = 400, whole = true }, "bad_request", "no", "never"),
    row({ status = 401, whole = true }, "authentication", "no", "never"),
    row({ status = 403, whole = true }, "permission", "no", "never"),
    row({ status = 404, whole = true }, "not_found", "no", "never"),
    row({ status = 408, whole = true }, "bad_request", "unknown", "idempotent"),
    row({ status = 429, whole = true }, "rate_limited", "no", "always"),
    row({ status = 400, code = PARTIAL }, "bad_request", "no", "never"),
    -- failures of the server
    row({ status = 500, whole = true }, "server", "unknown", "idempotent"),
    row({ status = 502, whole = true }, "server", "unknown", "idempotent"),
    row({ status = 503, whole = true }, "server", "unknown", "idempotent"),
    row({ status = 504, code = TIMED_OUT }, "server", "unknown", "idempotent"),
    row({ status = 501, whole = true }, "server", "unknown", "never"),
    row({ status = 505, whole = true }, "server", "unknown", "never"),
  }
  for _, case in ipairs(rows) do
    it(("%s is %s, applied %s, retried %s"):format(describe_row(case.attempt), case.kind,
      case.applied, case.retriable), function()
      assert.same({ case.kind, case.applied, case.retriable }, { decisions.judge(case.attempt) })
    end)
  end
end)

describe("the decision on a retry", function()
  local unknown, refused, cut = { status = 503, whole = true }, { status = 429, whole = true },
                                { status = 200, code = PARTIAL }
  local function case(attempt, extra, wait)
    local situation = {}
    for name, value in pairs(attempt) do situation[name] = value end
    for name, value in pairs(extra) do situation[name] = value end
    return { situation = situation, wait = wait }
  end
  local rows = {
    -- harmless for a vote; for a call that spends credits only if the server did not act
    case(unknown, { idempotent = true }, 0.5),
    case(unknown, {}, false),
    case(unknown, { retry_unknown = true }, 0.5),
    case(refused, { idempotent = true }, 1),
    case(refused, {}, 1),
    case(cut, { idempotent = true }, 0.5),
    case(cut, {}, false),
    case(cut, { retry_unknown = true }, false),
    case({ times_sent = 0, code = NOT_CONNECTED }, {}, 0.5),
    case({ times_sent = 0, code = BAD_CERTIFICATE }, { idempotent = true }, false),
    case({ status = 404, whole = true }, { idempotent = true, retry_unknown = true }, false),
    -- the number of attempts
    case(refused, { attempt = 3 }, 4),
    case(refused, { attempt = 4 }, false),
    case(refused, { attempt = 1, max_attempts = 1 }, false),
    -- full jitter: from nothing to the base, which doubles with each attempt, up to the cap
    case(unknown, { idempotent = true, attempt = 2, random = 0 }, 0),
    case(unknown, { idempotent = true, attempt = 2, random = 0.5 }, 0.5),
    case(unknown, { idempotent = true, attempt = 3 }, 2),
    case(unknown, { idempotent = true, attempt = 9, max_attempts = 99 }, 20),
    case(unknown, { idempotent = true, base = 30 }, 20),
    -- twice the base after a 429 without Retry-After, with the same cap
    case(refused, { random = 0 }, 0),
    case(refused, { random = 0.25 }, 0.25),
    case(refused, { attempt = 2, random = 0.5 }, 1),
    case(refused, { base = 3, cap = 60 }, 6),
    case(refused, { base = 3, cap = 60, attempt = 3 }, 24),
    case(refused, { base = 15 }, 20),
    case(refused, { base = 30 }, 20),
    case(refused, { base = 0 }, 0),
    case(refused, { base = 1, retry_after = 0.5 }, 0.5),
    case({ status = 503, whole = true }, { idempotent = true, retry_after = 3 }, 3),
    case(refused, { attempt = 5, max_attempts = 99 }, 16),
    case(refused, { attempt = 6, max_attempts = 99 }, 20),
    case(refused, { attempt = 90, max_attempts = 99, random = 1 }, 20),
    -- at once if the server has closed an idle connection
    case({ code = ABORTED, found_closed = true }, { idempotent = true, attempt = 3 }, 0),
    case({ code = ABORTED, found_closed = true }, { idempotent = true, time_left = 0 }, false),
    case({ code = ABORTED, found_closed = true }, { idempotent = true, attempt = 4 }, false),
    case({ code = ABORTED, found_closed = true }, {}, false),
    case({ code = ABORTED, found_closed = true }, { retry_unknown = true }, 0.5),
    case({ code = ABORTED, found_closed = true, cancelled = true }, { idempotent = true }, false),
    -- Retry-After is neither shortened nor lengthened
    case(refused, { retry_after = 7, random = 0 }, 7),
    case(unknown, { idempotent = true, retry_after = 0 }, 0),
    -- a wait does not begin if it would pass the deadline
    case(refused, { retry_after = 10, time_left = 10 }, false),
    case(refused, { retry_after = 9, time_left = 10 }, 9),
    case(refused, { random = 1, time_left = 1 }, false),
    case(refused, { random = 1, time_left = 1.1 }, 1),
    case(refused, { random = 0, time_left = 0 }, false),
  }
  for _, each in ipairs(rows) do
    local what = each.wait and ("waits %g s"):format(each.wait) or "is to stop"
    it(what .. " after " .. describe_row(each.situation), function()
      assert.equal(each.wait, decisions.decide(each.situation))
    end)
  end
end)

describe("Retry-After:", function()
  local now = 1792540800 -- Wed, 21 Oct 2026 00:00:00 GMT
  local rows = {
    { "7", 7 }, { "0", 0 }, { " 12 ", 12 }, { "1.5", 1.5 },
    { "-5", -1 }, { "soon", -1 }, { "", -1 }, { "1e3", -1 }, { "7s", -1 }, { ".5", -1 },
    { "1.5.2", -1 }, { "5, , 7", 7 }, { " 7,", 7 },
    { "99999999999999999999", -1 }, { ("9"):rep(400), -1 }, { "3600", 3600 }, { "3601", -1 },
    { "2, 7", 7 }, { "2, soon", 2 }, { "60, soon, 120", 120 }, { "60, 1792540800", 60 },
    { "Wed, 21 Oct 2026 00:00:30 GMT", 30 },
    { "Wednesday, 21-Oct-26 00:00:30 GMT", 30 },
    { "Wed Oct 21 00:00:30 2026", 30 },
    { "Tue, 20 Oct 2026 23:00:00 GMT", 0 },
    { "Wed, 21 Oct 2099 00:00:00 GMT", -1 },
    { "Wed, 99 Oct 2026 99:99:99 GMT", -1 }, { "Wed, 21 Oct", -1 },
    { "Fri, 21 Oct 2126 00:00:00 GMT", -1 }, { "Wed, 21 Oct 2026 02:00:00 GMT", -1 },
    { "000120", 120 }, { "  120 \t", 120 }, { "-0", -1 }, { "+0500", -1 }, { "0xFFFF", -1 },
    { "NaN", -1 }, { "inf", -1 }, { "12\xff", -1 }, { "30000", -1 }, { "4294967297", -1 },
    { "9223372036854775808", -1 }, { ("x"):rep(10000), -1 },
  }
  for _, case in ipairs(rows) do
    local meaning = case[2] < 0 and "is ignored" or ("is %g seconds"):format(case[2])
    it(("%q %s"):format(case[1]:sub(1, 40), meaning), function()
      local head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " .. case[1] .. "\r\n\r\n"
      assert.equal(case[2], decisions.retry_after(head, now))
    end)
  end

  it("is the longest of several values", function()
    local head = "HTTP/1.1 503 x\r\nretry-after: 3\r\nRETRY-AFTER: 9\r\nRetry-After: x\r\n\r\n"
    assert.equal(9, decisions.retry_after(head, now))
  end)

  it("counts a date from the response's own Date, not from the local clock", function()
    local head = "HTTP/1.1 503 x\r\nDate: Wed, 21 Oct 2026 10:00:00 GMT\r\n"
      .. "Retry-After: Wed, 21 Oct 2026 10:01:00 GMT\r\n\r\n"
    assert.equal(60, decisions.retry_after(head, now + 3600 * 24 * 365))
  end)

  it("is negative without such a header", function()
    assert.equal(-1, decisions.retry_after("HTTP/1.1 200 OK\r\nX-Retry-After: 5\r\n\r\n", now))
  end)
end)

describe("the date of Deprecation and Sunset:", function()
  local rows = {
    { "@1688169599", 1688169599 }, { "@0", 0 }, { "@7;a=1", 7 },
    { "@999999999999999", 999999999999999 }, { "@9999999999999999", -1 },
    { "@" .. ("9"):rep(400), -1 }, { "@", -1 }, { "@-7", -1 },
    { "@7.5", -1 }, { "@ 7", -1 }, { "@7 ", 7 }, { "@7 x", -1 }, { "7", -1 }, { "", -1 },
    { "Fri, 30 Jun 2023 23:59:59 GMT", 1688169599 },
    { "Friday, 30-Jun-23 23:59:59 GMT", 1688169599 },
    { "Fri Jun 30 23:59:59 2023", 1688169599 },
    { "Tue, 30 Dec 1969 23:59:59 GMT", -1 }, { "-0700", -1 }, { "true", -1 }, { "?1", -1 },
    { "soon", -1 }, { ("x"):rep(400), -1 }, { "version=\"v1\"", -1 },
  }
  for _, case in ipairs(rows) do
    local meaning = case[2] < 0 and "is not readable" or ("is %d"):format(case[2])
    it(("%q %s"):format(case[1]:sub(1, 40), meaning), function()
      for _, name in ipairs { "Deprecation", "Sunset" } do
        local head = ("HTTP/1.1 200 OK\r\nX: @5\r\n%s: %s\r\n\r\n"):format(name, case[1])
        assert.equal(case[2], decisions.deprecation_date(head, name:lower()))
      end
    end)
  end

  it("is the earliest of several", function()
    local head = "HTTP/1.1 200 OK\r\nSunset: @9\r\nSunset: x\r\nsunset: @8\r\n"
      .. "Deprecation: @1\r\n\r\n"
    assert.equal(8, decisions.deprecation_date(head, "sunset"))
    assert.equal(1, decisions.deprecation_date(head, "deprecation"))
  end)
end)

describe("the limiter", function()
  local MANY = 16
  local limiter

  before_each(function() limiter = decisions.limiter() end)

  -- Returns the tickets of `count` attempts that begin now; nil if they may not.
  local function begin(count, now)
    local tickets = {}
    for i = 1, count do
      if not decisions.allows(limiter, now) then return nil end
      tickets[i] = { decisions.begin(limiter) }
    end
    return tickets
  end

  local function reject(ticket, now, pause)
    decisions.finish(limiter)
    decisions.note_rate_limited(limiter, ticket[1], ticket[2], now, pause)
  end

  local function succeed(ticket, now)
    decisions.finish(limiter)
    decisions.note_success(limiter, ticket[1], ticket[2], now or 0)
  end

  local function succeed_all(tickets, now)
    for _, ticket in ipairs(tickets) do succeed(ticket, now) end
  end

  -- Returns how many attempts may begin now. They have ended on return.
  local function room(now)
    local count = 0
    while count < 1000 and decisions.allows(limiter, now) do
      decisions.begin(limiter)
      count = count + 1
    end
    for _ = 1, count do decisions.finish(limiter) end
    return count
  end

  -- Lets all attempts that may begin succeed, `count` times. Returns their numbers.
  local function rounds(count, now)
    local sizes = {}
    for i = 1, count do
      sizes[i] = room(now)
      succeed_all(begin(sizes[i], now), now)
    end
    return sizes
  end

  it("allows any number until there is a 429", function()
    assert.equal(1000, room(0))
    succeed_all(begin(MANY, 0))
    assert.same({ 1000, 0 }, { room(0), (decisions.limit(limiter)) })
    assert.is_false(decisions.is_trial(limiter))
  end)

  it("allows none in a pause, then one, then quickly as many as were not rejected", function()
    local tickets = begin(MANY, 0)
    reject(tickets[1], 10, 5)
    for i = 2, MANY do succeed(tickets[i]) end
    assert.same({ 0, 0, 1 }, { room(10), room(14.999), room(15) })
    assert.is_true(decisions.is_trial(limiter))
    assert.same({ 1, 2, 4, 7, 11, 15 }, rounds(6, 15))
    assert.is_false(decisions.is_trial(limiter))
  end)

  it("grows slowly beyond that", function()
    reject(begin(4, 0)[4], 0, 0)
    for _ = 1, 3 do decisions.finish(limiter) end
    assert.same({ 1, 2, 3, 3, 4, 5, 7, 9 }, rounds(8, 0))
  end)

  it("prolongs a pause by the rest of a burst, and never shortens it", function()
    local tickets = begin(4, 0)
    reject(tickets[1], 0, 5)
    reject(tickets[2], 1, 1)
    reject(tickets[3], 4, 0)
    succeed(tickets[4])
    assert.same({ 0, 1 }, { room(4.999), room(5) })
  end)

  -- { how many of 16 are rejected, how many the server is assumed to accept }
  for _, burst in ipairs { { 1, 15 }, { 4, 12 }, { 8, 8 }, { 12, 4 }, { 16, 8 } } do
    for _, seconds in ipairs { 0, 1 } do
      it(("returns to %d after %d of 16 met a 429 and a pause of %d s"):format(burst[2], burst[1],
          seconds), function()
          local tickets = begin(MANY, 0)
          for i = MANY, 1, -1 do
            if i > MANY - burst[1] then reject(tickets[i], (MANY - i) / 1000, seconds)
            else succeed(tickets[i]) end
          end
          assert.equal(1, room(2))
          assert.equal(burst[2], select(2, decisions.limit(limiter)))
        end)
    end
  end

  it("ignores successes of attempts that began before the 429", function()
    local tickets = begin(MANY, 0)
    reject(tickets[1], 0, 1)
    local late = begin(1, 1)
    assert.is_nil(late)  -- fifteen are still in flight
    for i = 2, MANY do succeed(tickets[i]) end
    assert.is_true(decisions.is_trial(limiter))
    assert.equal(1, room(1))
  end)

  it("does not grow while most of the limit is unused", function()
    local tickets = begin(MANY, 0)
    reject(tickets[1], 0, 0)
    for i = 2, MANY do succeed(tickets[i]) end
    for _ = 1, 1000 do succeed_all(begin(1, 0)) end
    assert.equal(3, (decisions.limit(limiter)))  -- one uses half of two, but not of three
  end)

  it("always allows one attempt after a pause, however often it is rejected", function()
    for now = 1, 1000 do
      local tickets = assert(begin(1, now))
      if decisions.limit(limiter) > 0 then assert.is_nil(begin(1, now)) end
      reject(tickets[1], now, 1)
    end
    assert.same({ 0, 1 }, { room(1000.5), room(1001) })
  end)

  it("assumes at least half if the server accepted that many before", function()
    succeed_all(begin(MANY, 0))
    local tickets = begin(MANY, 0)
    for i = 1, 12 do reject(tickets[i], 0, 0) end
    for i = 13, MANY do succeed(tickets[i]) end
    assert.equal(8, select(2, decisions.limit(limiter)))
  end)

  it("assumes no more if the trial after the pause is rejected too", function()
    local tickets = begin(MANY, 0)
    for i = 1, 4 do reject(tickets[i], 0, 1) end
    for i = 5, MANY do succeed(tickets[i]) end
    for now = 1, 5 do
      reject(begin(1, now)[1], now, 1)
      assert.same({ 1, 12 }, { decisions.limit(limiter) })
    end
  end)

  it("grows beyond what the server accepts once in 16 times the pause and the return", function()
    local LIMIT, PAUSE, now = 4, 1, 0
    local rejected = {}  -- when
    while now < 400 do
      now = now + 0.25
      local tickets = begin(math.min(room(now), MANY), now)
      for i, ticket in ipairs(tickets) do
        if i > LIMIT then
          reject(ticket, now, PAUSE)
          if rejected[#rejected] ~= now then rejected[#rejected + 1] = now end
        else
          succeed(ticket, now)
        end
      end
    end
    for i = 3, #rejected do
      local between = rejected[i] - rejected[i - 1]
      assert.is_true(between > 16 * PAUSE and between < 40 * PAUSE)
    end
    assert.is_true(#rejected >= 10)
  end)

  it("grows faster and faster if the server accepts more", function()
    local tickets, now = begin(MANY, 0), 0
    for i = MANY // 2 + 1, MANY do reject(tickets[i], 0, 0) end
    for i = 1, MANY // 2 do succeed(tickets[i]) end
    local sizes = {}
    while now < 100 and #sizes < 8 do
      now = now + 1
      local size = room(now)
      succeed_all(begin(size, now), now)
      if size > MANY / 2 then sizes[#sizes + 1] = size end
    end
    assert.is_true(sizes[1] <= MANY / 2 + 2 and sizes[8] > 2 * MANY)
  end)
end)

describe("the retry quota", function()
  local quota

  before_each(function() quota = decisions.quota() end)

  local function spend(count, now)
    local spent = 0
    for _ = 1, count do spent = spent + (decisions.spend(quota, now or 1) and 1 or 0) end
    return spent
  end

  it("is 50 retries, and one more for ten calls", function()
    assert.equal(50, spend(100))
    for _ = 1, 100 do decisions.earn(quota) end
    local more = spend(100)
    assert.is_true(more == 10 or more == 9)  -- tenths do not add up to the last bit
  end)

  it("does not exceed 50 retries", function()
    for _ = 1, 1000 do decisions.earn(quota) end
    decisions.refund(quota, 100)
    assert.equal(50, spend(100))
  end)

  it("gets back retries that led to success", function()
    assert.equal(50, spend(50))
    decisions.refund(quota, 3)
    assert.equal(3, spend(100))
    for _ = 1, 1000 do
      decisions.refund(quota, 1)
      assert.equal(1, spend(1))
    end
  end)

  it("is restored after a minute without a request for a retry, and not before", function()
    assert.equal(50, spend(100, 1))
    for now = 2, 600, 59 do assert.equal(0, spend(1, now)) end
    assert.equal(50, spend(100, 700))
  end)
end)
