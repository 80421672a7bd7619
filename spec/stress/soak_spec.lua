-- A seeded mixture of faults and calls. The results of every call must agree with the server's
-- ledger. `make soak` runs it for longer; CALLS and SEED are variables of both.
local cekura = require "cekura"
local calls = require "support.calls"
local clock = require "support.clock"
local faults = require "support.faults"
local mixture = require "support.mixture"
local system = require "system"

local CALLS = math.tointeger(os.getenv "CALLS") or 300
local SEED = math.tointeger(os.getenv "SEED") or 20260701
local CONCURRENCY = 16  -- of the half of the calls that run concurrently
local SLICE = 50  -- calls between two checks of the ledger
local USUAL = (os.getenv "CEKURA_RUN" or "") == "" and 0.2 or 5  -- most seconds beyond a deadline

math.randomseed(SEED)

local chance, one_of = mixture.chance, mixture.one_of
local common, http1, limits = mixture.common, mixture.http1, mixture.rate_limits
local handshakes, tls = mixture.handshakes, mixture.tls

-- ---- the calls

local function make(client, number)
  local name = chance(0.4) and calls.names[1] or one_of(calls.names)
  local changes = mixture.changes(name, number)
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
    ["the deadline has passed"] = call.elapsed > call.options.deadline + clock.OVERRUN,
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

local totals = { calls = 0, ok = 0, attempts = 0, deliveries = 0, kinds = {},
  expired = 0, late = 0 }  -- calls that reached their deadline, and those that took much longer

local function add(call)
  totals.calls = totals.calls + 1
  totals.attempts = totals.attempts + call.attempts
  totals.deliveries = totals.deliveries + #call.deliveries
  local beyond = call.elapsed - call.options.deadline
  totals.expired = totals.expired + (beyond >= 0 and 1 or 0)
  totals.late = totals.late + (beyond > USUAL and 1 or 0)
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
      local number = mixture.number_of(row)
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
      connect_timeout = 0.2, backoff = { base = 0.004, cap = 0.02 },
      max_response_bytes = mixture.MAX_BYTES,
    })
    server:clear()
    server:script(mixture.script(kind.mixture, SLICE * 5))  -- enough for 4 attempts of each
    local slice, counts = make_them(server, client, kind, size)
    first = first + size
    client:close()
    return problems_of(slice, read_ledger(server, slice, counts))
  end

  local DEATHS = { "fin", "reset", "close_next", "reset_next" }
  local TLS_DEATHS = { "fin", "reset", "tls_cut", "close_next", "reset_next" }

  for _, kind in ipairs {
    { "in plain text", 0.5, {}, mixture = { common, limits, http1 }, deaths = DEATHS },
    { "over TLS", 0.5, { tls = true }, mixture = { common, limits, http1, handshakes, tls },
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

  -- Calls may also be late because other processes use the processor, but hardly all of them.
  it("ends calls at their deadline", function()
    local is_in_time = totals.late == 0 or totals.late < totals.expired
    assert.is_true(is_in_time, totals.late .. " of " .. totals.expired)
  end)

  teardown(function() print("\n" .. summary(system.monotime() - started)) end)
end)
