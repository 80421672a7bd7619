-- What became of an attempt, and whether there is another: the tables that the core follows.
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

describe("what became of an attempt", function()
  local rows = {
    -- nothing left this machine
    row({ times_sent = 0, code = NOT_RESOLVED }, "network", "no", "always"),
    row({ times_sent = 0, code = NOT_CONNECTED }, "network", "no", "always"),
    row({ times_sent = 0, code = TIMED_OUT }, "timeout", "no", "always"),
    row({ times_sent = 0, code = TLS_CUT }, "tls", "no", "always"),
    row({ times_sent = 0, code = BAD_CERTIFICATE }, "tls", "no", "never"),
    row({ times_sent = 0, code = 77 }, "tls", "no", "never"),
    row({ times_sent = 0, code = OUT_OF_MEMORY }, "network", "no", "never"),
    row({ times_sent = 0, cancelled = true, code = ABORTED }, "cancelled", "no", "never"),
    -- sending began, and no status came
    row({ code = EMPTY }, "network", "unknown", "idempotent"),
    row({ code = NOT_SENT }, "network", "unknown", "idempotent"),
    row({ code = NOT_RECEIVED }, "network", "unknown", "idempotent"),
    row({ code = TLS_CUT }, "network", "unknown", "idempotent"),
    row({ code = TIMED_OUT }, "timeout", "unknown", "idempotent"),
    row({ code = GARBLED }, "response", "unknown", "idempotent"),
    row({ code = 0 }, "response", "unknown", "idempotent"),
    row({ code = ABORTED, cancelled = true }, "cancelled", "unknown", "never"),
    -- a 2xx: the server did it
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
    -- the server's own trouble
    row({ status = 500, whole = true }, "server", "unknown", "idempotent"),
    row({ status = 502, whole = true }, "server", "unknown", "idempotent"),
    row({ status = 503, whole = true }, "server", "unknown", "idempotent"),
    row({ status = 504, code = TIMED_OUT }, "server", "unknown", "idempotent"),
    row({ status = 501, whole = true }, "server", "unknown", "never"),
    row({ status = 505, whole = true }, "server", "unknown", "never"),
  }
  for _, case in ipairs(rows) do
    it(describe_row(case.attempt), function()
      assert.same({ case.kind, case.applied, case.retriable }, { decisions.judge(case.attempt) })
    end)
  end
end)

describe("another attempt", function()
  local unknown, refused, cut = { status = 503, whole = true }, { status = 429, whole = true },
                                { status = 200, code = PARTIAL }
  local function case(attempt, extra, wait)
    local situation = {}
    for name, value in pairs(attempt) do situation[name] = value end
    for name, value in pairs(extra) do situation[name] = value end
    return { situation = situation, wait = wait }
  end
  local rows = {
    -- harmless for a vote, and for a call that spends credits only where nothing was done
    case(unknown, { idempotent = true }, 0.5),
    case(unknown, {}, false),
    case(unknown, { retry_unknown = true }, 0.5),
    case(refused, { idempotent = true }, 0.5),
    case(refused, {}, 0.5),
    case(cut, { idempotent = true }, 0.5),
    case(cut, {}, false),
    case(cut, { retry_unknown = true }, false),
    case({ times_sent = 0, code = NOT_CONNECTED }, {}, 0.5),
    case({ times_sent = 0, code = BAD_CERTIFICATE }, { idempotent = true }, false),
    case({ status = 404, whole = true }, { idempotent = true, retry_unknown = true }, false),
    -- the number of attempts
    case(refused, { attempt = 3 }, 2),
    case(refused, { attempt = 4 }, false),
    case(refused, { attempt = 1, max_attempts = 1 }, false),
    -- full jitter: from nothing to the cap of the attempt
    case(refused, { attempt = 2, random = 0 }, 0),
    case(refused, { attempt = 2, random = 0.5 }, 0.5),
    case(refused, { attempt = 9, max_attempts = 99, random = 1 }, 20),
    case(refused, { attempt = 90, max_attempts = 99, random = 1 }, 20),
    -- what the server asks for is neither shortened nor lengthened
    case(refused, { retry_after = 7, random = 0 }, 7),
    case(unknown, { idempotent = true, retry_after = 0 }, 0),
    -- a wait that would pass the deadline is not begun
    case(refused, { retry_after = 10, time_left = 10 }, false),
    case(refused, { retry_after = 9, time_left = 10 }, 9),
    case(refused, { random = 1, time_left = 0.5 }, false),
    case(refused, { random = 0, time_left = 0 }, false),
  }
  for _, each in ipairs(rows) do
    it(describe_row(each.situation), function()
      assert.equal(each.wait, decisions.decide(each.situation))
    end)
  end
end)

describe("Retry-After", function()
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
    { "Wed, 99 Oct 2026 99:99:99 GMT", -1 },
  }
  for _, case in ipairs(rows) do
    it(("%q"):format(case[1]:sub(1, 40)), function()
      local head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " .. case[1] .. "\r\n\r\n"
      assert.equal(case[2], decisions.retry_after(head, now))
    end)
  end

  it("is the longest of several", function()
    local head = "HTTP/1.1 503 x\r\nretry-after: 3\r\nRETRY-AFTER: 9\r\nRetry-After: x\r\n\r\n"
    assert.equal(9, decisions.retry_after(head, now))
  end)

  it("counts a date from the answer's own Date, not from a clock here that may be wrong", function()
    local head = "HTTP/1.1 503 x\r\nDate: Wed, 21 Oct 2026 10:00:00 GMT\r\n"
      .. "Retry-After: Wed, 21 Oct 2026 10:01:00 GMT\r\n\r\n"
    assert.equal(60, decisions.retry_after(head, now + 3600 * 24 * 365))
  end)

  it("is nothing where there is no such header", function()
    assert.equal(-1, decisions.retry_after("HTTP/1.1 200 OK\r\nX-Retry-After: 5\r\n\r\n", now))
  end)
end)

describe("the pace", function()
  local MANY = 16
  local pace

  before_each(function() pace = decisions.pace() end)

  -- { round, crowd } of so many attempts that begin now; nil where they may not
  local function begin(count, now)
    local turns = {}
    for i = 1, count do
      if not decisions.allows(pace, now) then return nil end
      turns[i] = { decisions.begins(pace) }
    end
    return turns
  end

  local function refuse(turn, now, seconds)
    decisions.ends(pace)
    decisions.limit(pace, turn[1], turn[2], now, seconds)
  end

  local function answer(turn)
    decisions.ends(pace)
    decisions.content(pace, turn[1], turn[2])
  end

  local function answer_all(turns)
    for _, turn in ipairs(turns) do answer(turn) end
  end

  -- How many may begin now; they have ended again.
  local function room(now)
    local count = 0
    while count < 1000 and decisions.allows(pace, now) do
      decisions.begins(pace)
      count = count + 1
    end
    for _ = 1, count do decisions.ends(pace) end
    return count
  end

  -- Answers as many as may begin, again and again: how many those were.
  local function rounds(count, now)
    local sizes = {}
    for i = 1, count do
      sizes[i] = room(now)
      answer_all(begin(sizes[i], now))
    end
    return sizes
  end

  it("is any until there is a 429", function()
    assert.equal(1000, room(0))
    answer_all(begin(MANY, 0))
    assert.same({ 1000, 0 }, { room(0), (decisions.window(pace)) })
    assert.is_false(decisions.is_trial(pace))
  end)

  it("is none in a pause, then one, then quickly as many as were not refused", function()
    local turns = begin(MANY, 0)
    refuse(turns[1], 10, 5)
    for i = 2, MANY do answer(turns[i]) end
    assert.same({ 0, 0, 1 }, { room(10), room(14.999), room(15) })
    assert.is_true(decisions.is_trial(pace))
    assert.same({ 1, 2, 4, 7, 11, 15 }, rounds(6, 15))
    assert.is_false(decisions.is_trial(pace))
  end)

  it("grows slowly beyond that", function()
    refuse(begin(4, 0)[4], 0, 0)
    for _ = 1, 3 do decisions.ends(pace) end
    assert.same({ 1, 2, 3, 3, 4, 5, 5, 6 }, rounds(8, 0))
  end)

  it("is prolonged by the rest of a burst, and never shortened", function()
    local turns = begin(4, 0)
    refuse(turns[1], 0, 5)
    refuse(turns[2], 1, 1)
    refuse(turns[3], 4, 0)
    answer(turns[4])
    assert.same({ 0, 1 }, { room(4.999), room(5) })
  end)

  -- { how many of 16 are refused, how many the server is taken to bear }
  for _, burst in ipairs { { 1, 15 }, { 4, 12 }, { 8, 8 }, { 12, 8 }, { 16, 8 } } do
    for _, seconds in ipairs { 0, 1 } do
      it(("goes back to %d after %d of 16, and a pause of %d"):format(burst[2], burst[1], seconds),
        function()
          local turns = begin(MANY, 0)
          for i = MANY, 1, -1 do
            if i > MANY - burst[1] then refuse(turns[i], (MANY - i) / 1000, seconds)
            else answer(turns[i]) end
          end
          assert.equal(1, room(2))
          assert.equal(burst[2], select(2, decisions.window(pace)))
        end)
    end
  end

  it("takes no answer from before the 429 for one from after it", function()
    local turns = begin(MANY, 0)
    refuse(turns[1], 0, 1)
    local late = begin(1, 1)
    assert.is_nil(late)  -- fifteen are still under way
    for i = 2, MANY do answer(turns[i]) end
    assert.is_true(decisions.is_trial(pace))
    assert.equal(1, room(1))
  end)

  it("does not grow where there is nobody to fill it", function()
    local turns = begin(MANY, 0)
    refuse(turns[1], 0, 0)
    for i = 2, MANY do answer(turns[i]) end
    for _ = 1, 1000 do answer_all(begin(1, 0)) end
    assert.equal(3, (decisions.window(pace)))  -- one fills half of two, and not of three
  end)

  it("is one however often that is refused, and never stuck", function()
    for now = 1, 1000 do
      local turns = assert(begin(1, now))
      if decisions.window(pace) > 0 then assert.is_nil(begin(1, now)) end
      refuse(turns[1], now, 1)
    end
    assert.same({ 0, 1 }, { room(1000.5), room(1001) })
  end)

  it("tries for more ever more rarely where that is refused every time", function()
    local LIMIT, now = 4, 0
    local refused = {}  -- after how many answers
    local answers = 0
    while answers < 4000 do
      now = now + 1
      local turns = begin(math.min(room(now), MANY), now)
      for i, turn in ipairs(turns) do
        if i > LIMIT then refuse(turn, now, 0) refused[#refused + 1] = answers
        else answer(turn) answers = answers + 1 end
      end
    end
    local late = 0
    for _, at in ipairs(refused) do late = late + (at > 1000 and 1 or 0) end
    assert.is_true(late > 0 and late <= 0.01 * 3000)
    for _ = 1, 40 do rounds(16, now) end  -- now there is room
    assert.is_true(room(now) > 3 * LIMIT)
  end)
end)

describe("the budget for retries", function()
  local budget

  before_each(function() budget = decisions.budget() end)

  local function spend(count, now)
    local spent = 0
    for _ = 1, count do spent = spent + (decisions.spend(budget, now or 1) and 1 or 0) end
    return spent
  end

  it("is an allowance, and one for ten calls", function()
    assert.equal(50, spend(100))
    for _ = 1, 100 do decisions.earn(budget) end
    local more = spend(100)
    assert.is_true(more == 10 or more == 9)  -- tenths do not add up to the last bit
  end)

  it("does not grow beyond the allowance", function()
    for _ = 1, 1000 do decisions.earn(budget) end
    decisions.refund(budget, 100)
    assert.equal(50, spend(100))
  end)

  it("gets back what led to an answer", function()
    assert.equal(50, spend(50))
    decisions.refund(budget, 3)
    assert.equal(3, spend(100))
    for _ = 1, 1000 do
      decisions.refund(budget, 1)
      assert.equal(1, spend(1))
    end
  end)

  it("is whole again when nothing has asked for a minute, and not before", function()
    assert.equal(50, spend(100, 1))
    for now = 2, 600, 59 do assert.equal(0, spend(1, now)) end
    assert.equal(50, spend(100, 700))
  end)
end)
