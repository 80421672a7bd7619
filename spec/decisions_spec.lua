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
    row({ sendings = 0, code = NOT_RESOLVED }, "network", "no", "always"),
    row({ sendings = 0, code = NOT_CONNECTED }, "network", "no", "always"),
    row({ sendings = 0, code = TIMED_OUT }, "timeout", "no", "always"),
    row({ sendings = 0, code = TLS_CUT }, "tls", "no", "always"),
    row({ sendings = 0, code = BAD_CERTIFICATE }, "tls", "no", "never"),
    row({ sendings = 0, code = 77 }, "tls", "no", "never"),
    row({ sendings = 0, code = OUT_OF_MEMORY }, "network", "no", "never"),
    row({ sendings = 0, cancelled = true, code = ABORTED }, "cancelled", "no", "never"),
    -- sending began, and no status came
    row({ code = EMPTY }, "network", "unknown", "idempotent"),
    row({ code = NOT_SENT }, "network", "unknown", "idempotent"),
    row({ code = NOT_RECEIVED }, "network", "unknown", "idempotent"),
    row({ code = TLS_CUT }, "network", "unknown", "idempotent"),
    row({ code = TIMED_OUT }, "timeout", "unknown", "idempotent"),
    row({ code = GARBLED }, "response", "unknown", "idempotent"),
    row({ code = 0 }, "response", "unknown", "idempotent"),
    row({ code = ABORTED, cancelled = true }, "cancelled", "unknown", "never"),
    row({ code = ABORTED, not_processed = true }, "network", "no", "always"),
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
    case({ sendings = 0, code = NOT_CONNECTED }, {}, 0.5),
    case({ sendings = 0, code = BAD_CERTIFICATE }, { idempotent = true }, false),
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
  local year = 31536000
  local rows = {
    { "7", 7 }, { "0", 0 }, { " 12 ", 12 }, { "1.5", 1.5 },
    { "-5", -1 }, { "soon", -1 }, { "", -1 }, { "1e3", -1 }, { "7s", -1 }, { ".5", -1 },
    { "99999999999999999999", year }, { ("9"):rep(400), year },
    { "2, 7", 7 }, { "2, soon", 2 }, { "60, soon, 120", 120 },
    { "Wed, 21 Oct 2026 00:00:30 GMT", 30 },
    { "Wednesday, 21-Oct-26 00:00:30 GMT", 30 },
    { "Wed Oct 21 00:00:30 2026", 30 },
    { "Tue, 20 Oct 2026 23:00:00 GMT", 0 },
    { "Wed, 21 Oct 2099 00:00:00 GMT", year },
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
