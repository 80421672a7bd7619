-- A mixture of faults, and of the meanings that they have for the calls: for specs that compare the
-- results of many calls with the ledger of the fault server.
local faults = require "support.faults"
local mixture = {}

mixture.MAX_BYTES = 1 << 20  -- of a response that the client should read

function mixture.chance(share) return math.random() < share end
function mixture.one_of(list) return list[math.random(#list)] end

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

mixture.common = {
  { 60, "ok", faults.ok }, { 4, "ok", slow_ok }, { 3, "ok", status(201, {}) },
  { 3, "doubt", status(500) }, { 3, "doubt", faults.html }, { 3, "doubt", status(503) },
  { 1, "doubt", status(504) }, { 1, "doubt", status(408) }, { 1, "doubt", status(501) },
  { 2, "doubt", status(503, { ["Retry-After"] = "0" }) },
  { 2, "doubt", status(503, { ["Retry-After"] = "Fri, 01 Jan 2021 00:00:00 GMT" }) },
  { 1, "refused", status(400) }, { 1, "refused", status(401) }, { 1, "refused", status(403) },
  { 1, "refused", status(404) }, { 1, "refused", status(409) },
  { 1, "refused", function() return faults.redirect(307) end },
  { 1, "doubt", function() return faults.redirect(302) end },
  { 3, "doubt", faults.close_before_answer }, { 3, "doubt", faults.reset_before_answer },
  { 1, "partial", faults.not_json }, { 1, "partial", faults.invalid_utf8 },
  { 1, "partial", function() return faults.html(200) end }, { 1, "ok", faults.empty },
  { 1, "doubt", faults.hang },
}

mixture.rate_limits = {
  { 3, "refused", status(429) }, { 2, "refused", status(429, { ["Retry-After"] = "0" }) },
  { 0.2, "refused", status(429, { ["Retry-After"] = "1" }) },
}

mixture.http1 = {
  { 2, "partial", faults.status_line_only }, { 2, "partial", faults.half_header },
  { 2, "partial", faults.cut_body }, { 1, "partial", faults.reset_in_body },
  { 2, "partial", faults.cut_chunked }, { 2, "partial", faults.unended_chunked },
  { 2, "partial", faults.cut_close_delimited }, { 2, "partial", faults.empty_close_delimited },
  { 2, "ok", faults.whole_close_delimited }, { 1, "partial", faults.endless_body },
  { 0.5, "partial", function() return faults.trickle(0.05) end },
  { 0.3, "partial", function() return faults.slow_head(0.02) end },
  { 1, "partial", function() return faults.gzip_bomb(2 * mixture.MAX_BYTES) end },
  { 1, "doubt", faults.not_http }, { 2, "refused", faults.early_error },
  { 2, "ok", faults.continue_then }, { 2, "doubt", faults.continue_and_close },
  { 2, "ok", function()
    return faults.ok_then_dead(mixture.one_of { "fin", "close", "reset" })
  end },
  { 2, "doubt", function() return faults.reset_mid_request(math.random(60)) end },
}

mixture.handshakes = {
  { 2, nil, faults.close_before_handshake }, { 2, nil, faults.reset_before_handshake },
  { 2, nil, faults.cut_handshake }, { 0.5, nil, faults.hang_before_handshake },
}

mixture.tls = { { 2, "ok", faults.tls_cut_close_delimited } }

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

-- Returns a script of `count` entries that are drawn from several mixtures.
function mixture.script(mixtures, count)
  local rows, entries = {}, {}
  for _, list in ipairs(mixtures) do table.move(list, 1, #list, #rows + 1, rows) end
  for i = 1, count do entries[i] = draw(rows) end
  return entries
end

-- ---- calls with numbers

local ID_OF = {  -- the field with the call's number: in the path, or first in the body
  ["runs.mark_metric_vote"] = "run_id", ["results.evaluate_metrics"] = "result_id",
  ["results.bulk_evaluate_metrics"] = "result_ids", ["calls.evaluate_metrics"] = "agent_id",
  ["metric_reviews.process_feedbacks"] = "metric_id",
}

-- Returns changes of the arguments of a call, whose requests then have the number.
function mixture.changes(name, number)
  local field = ID_OF[name]
  return { [field] = field == "result_ids" and { number } or number }
end

-- Returns nil for a request that was cut off before its path.
function mixture.number_of(row)
  return math.tointeger(row.path:match "/(%d+)/" or row.body:match "%d+")
end

return mixture
