-- A seeded mixture of faults and calls. The results of every call must agree with the server's
-- ledger. `make soak` runs it for longer; CALLS and SEED are variables of both.
local cekura = require "cekura"
local calls = require "support.calls"
local faults = require "support.faults"
local system = require "system"

local CALLS = math.tointeger(os.getenv "CALLS") or 300
local SEED = math.tointeger(os.getenv "SEED") or 20260701
local CONCURRENCY = 16  -- of the half of the calls that run concurrently
local SLICE = 50  -- calls between two checks of the ledger
local OVERRUN = (os.getenv "CEKURA_RUN" or "") == "" and 0.2 or 5  -- seconds beyond a deadline
local MAX_BYTES = 1 << 20  -- of a response

math.randomseed(SEED)

local function chance(share) return math.random() < share end
local function one_of(list) return list[math.random(#list)] end

-- ---- what the server does: { weight, meaning, function that returns an entry }
--
--   ok       a complete 2xx
--   partial  a 2xx that is cut off or unreadable: the server acted
--   refused  the server did not act
--   doubt    anything else: the server may have acted

local function status(code, headers)
  return function() return faults.status(code, headers) end
end

local function slow_ok()
  return { { "read" }, { "sleep", math.random() * 0.05 }, faults.ok()[1] }
end

local common = {
  { 60, "ok", faults.ok }, { 4, "ok", slow_ok }, { 3, "ok", status(201, {}) },
  { 3, "doubt", status(500) }, { 3, "doubt", faults.html }, { 3, "doubt", status(503) },
  { 1, "doubt", status(504) }, { 1, "doubt", status(408) }, { 1, "doubt", status(501) },
  { 2, "doubt", status(503, { ["Retry-After"] = "0" }) },
  { 2, "doubt", status(503, { ["Retry-After"] = "Fri, 01 Jan 2021 00:00:00 GMT" }) },
  { 3, "refused", status(429) }, { 2, "refused", status(429, { ["Retry-After"] = "0" }) },
  { 0.2, "refused", status(429, { ["Retry-After"] = "1" }) },
  { 1, "refused", status(400) }, { 1, "refused", status(401) }, { 1, "refused", status(403) },
  { 1, "refused", status(404) }, { 1, "refused", status(409) },
  { 1, "refused", function() return faults.redirect(307) end },
  { 1, "doubt", function() return faults.redirect(302) end },
  { 3, "doubt", faults.close_before_answer }, { 3, "doubt", faults.reset_before_answer },
  { 1, "partial", faults.not_json }, { 1, "partial", faults.invalid_utf8 },
  { 1, "partial", function() return faults.html(200) end }, { 1, "ok", faults.empty },
  { 1, "doubt", faults.hang },
}

local http1 = {
  { 2, "partial", faults.status_line_only }, { 2, "partial", faults.half_header },
  { 2, "partial", faults.cut_body }, { 1, "partial", faults.reset_in_body },
  { 2, "partial", faults.cut_chunked }, { 2, "partial", faults.unended_chunked },
  { 2, "partial", faults.cut_close_delimited }, { 2, "partial", faults.empty_close_delimited },
  { 2, "ok", faults.whole_close_delimited }, { 1, "partial", faults.endless_body },
  { 0.5, "partial", function() return faults.trickle(0.05) end },
  { 0.3, "partial", function() return faults.slow_head(0.02) end },
  { 1, "partial", function() return faults.gzip_bomb(2 * MAX_BYTES) end },
  { 1, "doubt", faults.not_http }, { 2, "refused", faults.early_error },
  { 2, "ok", faults.continue_then }, { 2, "doubt", faults.continue_and_close },
  { 2, "ok", function() return faults.ok_then_dead(one_of { "fin", "close", "reset" }) end },
  { 2, "doubt", function() return faults.reset_mid_request(math.random(60)) end },
}

local handshakes = {
  { 2, nil, faults.close_before_handshake }, { 2, nil, faults.reset_before_handshake },
  { 2, nil, faults.cut_handshake }, { 0.5, nil, faults.hang_before_handshake },
}

local tls = { { 2, "ok", faults.tls_cut_close_delimited } }

-- Adds a step that writes the meaning into the ledger, before the server does it.
local function noted(entry, meaning)
  local begins = { read = true, read_head = true, read_body = true }
  table.insert(entry, begins[entry[1][1]] and 2 or 1, { "note", meaning })
  return entry
end

local function draw(rows)
  local total = 0
  for _, row in ipairs(rows) do total = total + row[1] end
  local point = math.random() * total
  for _, row in ipairs(rows) do
    point = point - row[1]
    if point <= 0 then return row[2] and noted(row[3](), row[2]) or row[3]() end
  end
end

local function script(kind)
  local rows, entries = {}, {}
  for _, list in ipairs(kind.mixture) do table.move(list, 1, #list, #rows + 1, rows) end
  for i = 1, SLICE * 5 do entries[i] = draw(rows) end  -- enough for max_attempts = 4
  return entries
end

-- ---- the calls

local ID_OF = {  -- the field with the call's number: in the path, or first in the body
  ["runs.mark_metric_vote"] = "run_id", ["results.evaluate_metrics"] = "result_id",
  ["results.bulk_evaluate_metrics"] = "result_ids", ["calls.evaluate_metrics"] = "agent_id",
  ["metric_reviews.process_feedbacks"] = "metric_id",
}

local function make(client, number)
  local name = chance(0.4) and calls.names[1] or one_of(calls.names)
  local field = ID_OF[name]
  local changes = { [field] = field == "result_ids" and { number } or number }
  if name == calls.names[1] and chance(0.05) then changes.feedback = ("x"):rep(300000) end
  local options = {
    deadline = chance(0.9) and 1.5 or 0.05 + math.random() * 0.3,
    max_attempts = math.random(4), retry_unknown = chance(0.15) or nil,
  }
  local call = { number = number, name = name, spends = name ~= calls.names[1],
    options = options, deliveries = {} }
  local started = system.monotime()
  local value, more = calls.make(client, name, changes, options)
  call.elapsed = system.monotime() - started
  call.ok, call.attempts = value ~= nil, more.attempts
  if call.ok then return call end
  call.kind, call.applied, call.message = more.kind, more.applied, more.message
  return call
end

-- Returns nil for a request that was cut off before its path.
local function number_of(row)
  return math.tointeger(row.path:match "/(%d+)/" or row.body:match "%d+")
end

-- ---- the rules

local KINDS = {}
for _, kind in ipairs { "authentication", "permission", "not_found", "rate_limited", "bad_request",
  "server", "network", "timeout", "tls", "response" } do KINDS[kind] = true end

local function count(call, meaning)
  local found = 0
  for _, note in ipairs(call.deliveries) do found = found + (note == meaning and 1 or 0) end
  return found
end

-- Returns the rule that a call breaks, or nil.
local function problem_of(call)
  local all, refused = #call.deliveries, count(call, "refused")
  local ok, partial = count(call, "ok"), count(call, "partial")
  local careful = call.spends and not call.options.retry_unknown
  local is_wrong = {
    ["more deliveries than attempts"] = all > call.attempts,
    ["more attempts than max_attempts"] = call.attempts > call.options.max_attempts,
    ["the server acted twice"] = careful and all - refused > 1,
    ["applied is no, but the call was not refused"] = call.applied == "no" and all > refused,
    ["applied is yes, but the server never acted"] = call.applied == "yes" and ok + partial == 0,
    ["a success that the server did not send"] = call.ok and ok == 0,
    ["the deadline has passed"] = call.elapsed > call.options.deadline + OVERRUN,
    ["an unknown kind"] = not call.ok and not KINDS[call.kind],
  }
  for problem, is in pairs(is_wrong) do
    if is then return problem end
  end
end

local function description_of(call, problem)
  local text = "%s: call %d, %s%s: %s after %d of %d attempts and %.3f of %.3f s, applied %s: %s; "
  return text:format(problem, call.number, call.name,
    call.options.retry_unknown and " with retry_unknown" or "", call.ok and "ok" or call.kind,
    call.attempts, call.options.max_attempts, call.elapsed, call.options.deadline, call.applied,
    call.message) .. "the server: " .. table.concat(call.deliveries, " ")
end

-- ---- the run

local totals = { calls = 0, ok = 0, attempts = 0, deliveries = 0, kinds = {} }

local function add(call)
  totals.calls = totals.calls + 1
  totals.attempts = totals.attempts + call.attempts
  totals.deliveries = totals.deliveries + #call.deliveries
  if call.ok then totals.ok = totals.ok + 1
  else totals.kinds[call.kind] = (totals.kinds[call.kind] or 0) + 1 end
end

local function summary(seconds)
  local kinds = {}
  for kind, number in pairs(totals.kinds) do kinds[#kinds + 1] = kind .. " " .. number end
  table.sort(kinds)
  return ("soak: %d calls (seed %d), %d ok, %s; %d attempts, %d deliveries, %.1f seconds"):format(
    totals.calls, SEED, totals.ok, table.concat(kinds, ", "), totals.attempts, totals.deliveries,
    seconds)
end

describe("a soak", function()
  local first, started = 1, system.monotime()

  -- Makes calls one after the other, numbered from `first`. The second result is the count of
  -- deliveries after each call, which assigns deliveries without a number to their calls.
  local function make_slice(server, client, kind, size)
    local slice, counts = {}, {}
    for i = 1, size do
      if chance(0.05) then server:kill_idle(one_of(kind.deaths)) end
      slice[i] = make(client, first + i - 1)
      counts[i] = server:deliveries()
    end
    return slice, counts
  end

  -- Makes calls concurrently. A delivery without a number cannot be assigned to a call.
  local function make_slice_at_once(server, client, kind, size)
    local slice, list = {}, {}
    for i = 1, size do list[i] = i end
    assert(client:each(list, function(i)
      if chance(0.05) then server:kill_idle(one_of(kind.deaths)) end
      slice[i] = make(client, first + i - 1)
      return true
    end, { concurrency = CONCURRENCY }))
    return slice, nil
  end

  -- Adds the meanings of its deliveries to each call. Returns how many could not be assigned.
  local function read_ledger(server, slice, counts)
    local current, strays = 1, 0
    for n, row in ipairs(server:ledger()) do
      while counts and current < #slice and n > counts[current] do current = current + 1 end
      local number = number_of(row)
      local call = number and slice[number - slice[1].number + 1] or counts and slice[current]
      local note = row.note == "default" and "ok" or row.note or "doubt"
      if call then table.insert(call.deliveries, note) else strays = strays + 1 end
    end
    return strays
  end

  -- Returns a list of descriptions.
  local function problems_of(slice, strays)
    local problems, spare = {}, -strays
    for _, call in ipairs(slice) do
      local problem = problem_of(call)
      if problem then problems[#problems + 1] = description_of(call, problem) end
      spare = spare + call.attempts - #call.deliveries
      add(call)
    end
    if spare < 0 then problems[#problems + 1] = "more deliveries than attempts in total" end
    return problems
  end

  -- Makes calls of one client against one script. Returns the problems.
  local function run_slice(server, kind, size, make_them)
    local client <close> = assert(cekura.new {
      api_url = server.url, api_key = "k", ca_file = server.ca_file, proxy = "", timeout = 0.2,
      connect_timeout = 0.2, backoff = { base = 0.004, cap = 0.02 }, max_response_bytes = MAX_BYTES,
    })
    server:clear()
    server:script(script(kind))
    local slice, counts = make_them(server, client, kind, size)
    first = first + size
    client:close()
    return problems_of(slice, read_ledger(server, slice, counts))
  end

  local DEATHS = { "fin", "reset", "close_next", "reset_next" }
  local TLS_DEATHS = { "fin", "reset", "tls_cut", "close_next", "reset_next" }

  for _, kind in ipairs {
    { "in plain text", 0.5, {}, mixture = { common, http1 }, deaths = DEATHS },
    { "over TLS", 0.5, { tls = true }, mixture = { common, http1, handshakes, tls },
      deaths = TLS_DEATHS },
  } do
    local title, share, options = table.unpack(kind)

    local function run(make_them)
      local server <close> = faults.start(options)
      local left = math.ceil(CALLS * share)
      while left > 0 do
        local size = math.min(left, SLICE)
        assert.same({}, run_slice(server, kind, size, make_them))
        left = left - size
      end
    end

    it(title .. " agrees with the ledger", function() run(make_slice) end)

    it(title .. ", of concurrent calls, agrees with the ledger", function()
      run(make_slice_at_once)
    end)
  end

  teardown(function() print("\n" .. summary(system.monotime() - started)) end)
end)
