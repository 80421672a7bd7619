-- The rules that must hold for a program that has run (support/program.lua). Each rule is a
-- function of the run and of broken(rule, text), which it calls for each violation.
local is_checked = (os.getenv "CEKURA_RUN" or "") ~= ""
local OVERRUN = is_checked and 3 or 0.2  -- seconds that a call may take beyond its deadline
local IN_TIME = is_checked and 0.15 or 0.05  -- seconds that a response may take to the socket
local PERIOD = 10000  -- see server:plan
local SECOND = 5000  -- the second call of item 7 has the number 5007

local SPENDS = { bulk = true, improve = true }

-- ---- indexes

local function records(run, what)
  local index = 0
  return function()
    repeat index = index + 1 until not run.records[index] or run.records[index].what == what
    return run.records[index]
  end
end

local function has(run, what, is_meant)
  for record in records(run, what) do
    if is_meant(record) then return true end
  end
  return false
end

local function number_of(row)
  return math.tointeger(tonumber(row.path:match "[/=](%d+)" or row.body:match "%d+"))
end

-- Groups the deliveries by their numbers, and marks each with the run in which it arrived.
local function sort_ledger(run)
  local turn = 1
  run.deliveries = {}
  for i, row in ipairs(run.ledger) do
    while run.turns[turn] and i > run.turns[turn] do turn = turn + 1 end
    row.run = turn
    local n = number_of(row) or 0
    run.deliveries[n] = run.deliveries[n] or {}
    table.insert(run.deliveries[n], row)
  end
end

-- Returns the deliveries of a number, all of them or those whose run satisfies is_meant.
local function deliveries(run, n, is_meant)
  local found = {}
  for _, row in ipairs(run.deliveries[n] or {}) do
    if not is_meant or is_meant(row.run) then found[#found + 1] = row end
  end
  return found
end

local function during(number) return function(other) return other == number end end
local function before(number) return function(other) return other < number end end

-- Returns how many of them the server may have acted on. Reads and incomplete requests do not
-- count.
local function effects(rows)
  local count = 0
  for _, row in ipairs(rows) do
    local is_effect = row.complete and row.method ~= "GET" and row.note ~= "refused"
    count = count + (is_effect and 1 or 0)
  end
  return count
end

local function notes_of(rows)
  local notes = {}
  for i, row in ipairs(rows) do notes[i] = row.note or "none" end
  return "; the server: " .. (#notes > 0 and table.concat(notes, ", ") or "nothing")
end

local function name_of(call)
  local outcome = call.ok and "ok" or call.message
  return ("call %d (%s, client %s) in run %d, after %.3f s: %s"):format(call.n, call.call,
    call.client, call.run, call.finish - call.start, outcome)
end

-- ---- time: lists of { start, finish }

-- Returns the seconds of from…till that the intervals cover.
local function covered(intervals, from, till)
  table.sort(intervals, function(one, other) return one[1] < other[1] end)
  local sum, reached = 0, from
  for _, interval in ipairs(intervals) do
    local start, finish = math.max(interval[1], reached), math.min(interval[2], till)
    if finish > start then sum, reached = sum + finish - start, finish end
  end
  return sum
end

local function add_intervals(list, run, what, is_meant)
  for record in records(run, what) do
    if not is_meant or is_meant(record) then list[#list + 1] = { record.start, record.finish } end
  end
  return list
end

-- Adds the times during which a client's tasks were not driven.
local function add_gaps(list, run, client)
  local drives = add_intervals({}, run, "drive", function(each) return each.client == client end)
  table.sort(drives, function(one, other) return one[1] < other[1] end)
  local reached = 0
  for _, drive in ipairs(drives) do
    list[#list + 1] = { reached, drive[1] }
    reached = math.max(reached, drive[2])
  end
  list[#list + 1] = { reached, math.huge }
end

-- Returns the seconds in which a call could not continue: the process was stopped or busy, another
-- client's call blocked, or the tasks were not driven.
local function held_up(run, call)
  local list = add_intervals({}, run, "busy")
  add_intervals(list, run, "stop")
  add_intervals(list, run, "call", function(other) return other.client ~= call.client end)
  if not call.blocks then add_gaps(list, run, call.client) end
  return covered(list, call.start, call.finish)
end

-- ---- the process

local function exit(run, broken)
  local output = table.concat(run.output, "\n")
  local is_report = output:find "Sanitizer" or output:find "runtime error:"
  if run.leak then broken("the key is shown", tostring(run.leak)) end
  for record in records(run, "exit") do
    local killed = has(run, "after", function(after) return after.signal == "KILL" end)
    local fine = record.code == 0 or (record.code == -9 and killed)
      or (record.code == 1 and output:find "interrupted!$")
    if has(run, "hang", function() return true end) then broken("it hangs", output)
    elseif is_report or not fine then broken("it crashes", record.code .. "\n" .. output) end
  end
end

-- The errors that a program may raise, and the conditions.
local ALLOWED = {
  { "interrupted!$", '"INT"' }, { "^hook$", '"raise"' },
  { "the client is closed", "close" },
  { " %(%l+", "{ pages" },  -- raised by the source of an `each`
}

local function raised(run, broken)
  for record in records(run, "end") do
    local allowed = record.ok
    for _, row in ipairs(ALLOWED) do
      allowed = allowed or (record.raised:find(row[1]) and run.text:find(row[2], 1, true))
    end
    if not allowed then broken("it raises", record.raised) end
  end
end

local function left_open(run, broken)
  for record in records(run, "left_open") do
    if record.count > 0 then broken("something is left open", tostring(record.count)) end
  end
end

-- ---- calls

-- A response to the first attempt that arrived in time ends the call.
local function check_response(call, rows, broken)
  local row = rows[1]
  local limit = call.start + math.min(call.timeout, call.deadline) - IN_TIME
  local is_whole = row and row.note == "ok" and row.answered and row.answered < limit
  if is_whole and (call.kind == "timeout" or #rows > 1) then
    broken("a response is lost", ("%s, answered after %.3f s"):format(name_of(call),
      row.answered - call.start))
  end
end

-- Compares the deliveries of a number with the result of its only call.
local function check_deliveries(run, call, broken)
  local rows = deliveries(run, call.n, during(call.run))
  local attempts = call.attempts or 0
  if #rows > attempts then
    broken("more deliveries than attempts", name_of(call) .. notes_of(rows))
  end
  if call.applied == "no" and effects(rows) > 0 then
    broken("applied is no, and it was", name_of(call) .. notes_of(rows))
  end
  check_response(call, rows, broken)
end

local function calls(run, broken)
  local begun = {}
  for record in records(run, "begin") do
    local key = record.n .. "/" .. record.run
    begun[key] = (begun[key] or 0) + 1
  end
  for call in records(run, "call") do
    local is_only = begun[call.n .. "/" .. call.run] == 1 and not call.call:find "wait"
    if is_only then check_deliveries(run, call, broken) end
    local late = call.finish - call.start - call.deadline - OVERRUN
    if late > 0 and late > held_up(run, call) then broken("it is late", name_of(call)) end
  end
end

-- Returns the numbers of the items that redo_unknown repeats.
local function redone(run)
  local found = {}
  for each in records(run, "each_begin") do
    if each.redo and not each.first then  -- the items of an iterator may have any number
      return setmetatable({}, { __index = function() return true end })
    end
    for n = each.redo and each.first or 1, each.redo and each.last or 0 do
      found[n], found[n + SECOND] = true, true
    end
  end
  return found
end

local function paid(run, broken)
  local again = redone(run)
  for record in records(run, "begin") do
    if record.retry_unknown then again[record.n] = true end
  end
  for record in records(run, "begin") do
    local rows = SPENDS[record.call] and not again[record.n] and deliveries(run, record.n) or {}
    if effects(rows) > 1 then
      again[record.n] = true
      broken("paid twice", "call " .. record.n .. notes_of(rows))
    end
  end
end

-- on_event is called for each attempt.
local function events(run, broken)
  for record in records(run, "left_open") do
    local count = 0
    for _, row in ipairs(run.ledger) do count = count + (row.run == record.in_run and 1 or 0) end
    if record.requests and count > record.requests then
      broken("more deliveries than events", count .. " and " .. record.requests)
    end
  end
end

-- Returns when the pause of a 429 ends. It starts when the response is read, which a busy script
-- delays.
local function pause_end(run)
  local till = 0
  for _, row in ipairs(run.ledger) do
    if row.note == "refused" then till = math.max(till, (row.answered or 0) + 1) end
  end
  for busy in records(run, "busy") do
    if till > 0 then till = math.max(till, busy.finish + 1) end
  end
  return till
end

local function last(run, broken)
  for call in records(run, "last") do
    local from = math.max(call.start, pause_end(run))
    if not call.ok then broken("the client is unusable", name_of(call)) end
    if call.ok and call.finish - from > OVERRUN then
      broken("the client is slow at the end", name_of(call))
    end
  end
end

-- ---- pages

-- Returns the items taken from each iterator in each run: { key = { size = …, open = … } }.
local function taken(run, broken)
  local all = setmetatable({}, { __index = function(self, key)
    self[key] = { size = 0, open = 0, seen = {} }
    return self[key]
  end })
  for record in records(run, "drain") do
    local from = all[record.pages .. "/" .. record.in_run]
    from.begun, from.open = true, from.open + 1
  end
  for record in records(run, "drained") do
    local from = all[record.pages .. "/" .. record.in_run]
    from.open = from.open - 1
  end
  for record in records(run, "item") do
    local from = all[record.pages .. "/" .. record.in_run]
    if from.seen[record.id] then broken("an item of a page comes twice", tostring(record.id)) end
    from.size, from.seen[record.id] = from.size + 1, true
  end
  return all
end

-- If every reader of an iterator reached its end, every item was taken.
local function pages(run, broken)
  local all = taken(run, broken)
  for _, list in ipairs(run.lists) do
    local p, _, count = table.unpack(list)
    for number = 1, run.sources[p] and 0 or run.runs do
      local from = all[p .. "/" .. number]
      if from.begun and from.open == 0 and from.size ~= count then
        broken("items of pages are missing", ("%d: %d of %d"):format(p, from.size, count))
      end
    end
  end
end

-- ---- each

-- Returns { index = record } of one kind of records about the items of an `each`.
local function by_index(run, each, what)
  local found = {}
  for record in records(run, what) do
    if record.each == each.each and record.run == each.run then found[record.index] = record end
  end
  return found
end

local function set_of(list)
  local set = {}
  for _, value in ipairs(list) do set[value] = true end
  return set
end

local function size_of(set)
  local size = 0
  for _ in pairs(set) do size = size + 1 end
  return size
end

-- Returns the effects of an item, which makes at most two calls.
local function item_effects(run, item, is_meant)
  local n = item.n
  if not item.journal then n = n % PERIOD + (item.run - 1) * PERIOD end
  return effects(deliveries(run, n, is_meant)) + effects(deliveries(run, n + SECOND, is_meant))
end

local function check_sum(each, broken)
  local report = each.report
  local sum = report.ok + report.failed + report.skipped + report.unknown
  local total = each.first and each.last - each.first + 1
  if total and (sum > total or (sum < total and each.complete and not each.stop_on_error)) then
    local text = ("each %d: %d of %d items"):format(each.each, sum, total)
    broken("the sum of a report is wrong", text)
  end
end

local function check_errors(run, each, broken)
  local report, name = each.report, "each " .. each.each
  local failed = set_of(report.errors)
  if #report.errors ~= size_of(failed) or #report.errors ~= report.failed + report.unknown then
    broken("the errors of a report are wrong", name .. ": " .. table.concat(report.errors, " "))
  end
  for _, index in ipairs(report.results) do
    if failed[index] then broken("a result of a failed item", name .. ", item " .. index) end
  end
  local left = by_index(run, each, "left")
  for index, item in pairs(left) do
    if each.complete and item.ok == (failed[index] or false) then
      broken("the errors of a report are wrong", name .. ", item " .. index)
    end
  end
end

-- An item that the server may have acted on is not `failed`, because a later run would repeat it.
local function check_failed(run, each, broken)
  local failed, count = set_of(each.report.errors), 0
  for index, item in pairs(by_index(run, each, "enter")) do
    if failed[index] and item_effects(run, item, during(each.run)) > 0 then count = count + 1 end
  end
  if count > each.report.unknown then
    broken("an item that was done has failed", ("each %d: %d were done, %d are unknown"):format(
      each.each, count, each.report.unknown))
  end
end

-- Returns what earlier runs reported about an item.
local function earlier(run, each, index)
  local found
  for number = 1, each.run - 1 do
    local left = by_index(run, { each = each.each, run = number }, "left")[index]
    found = left or found
  end
  return found
end

local function check_again(run, each, broken)
  for index, item in pairs(by_index(run, each, "enter")) do
    local left = earlier(run, each, index)
    local done = left and left.ok and (left.real > 0 or left.dry == 0)
    if done or item_effects(run, item, before(each.run)) > 0 then
      broken("an item is done again", ("item %d of each %d"):format(item.n, each.each))
    end
  end
end

local function check_skipped(run, each, broken)
  local entered, failed = by_index(run, each, "enter"), set_of(each.report.errors)
  for index = 1, each.last - each.first + 1 do
    local left = earlier(run, each, index)
    local done = left and left.ok and (left.real > 0 or left.dry == 0)
    if not entered[index] and not failed[index] and not done then
      broken("an item is skipped that was not done", ("item %d of each %d"):format(
        each.first + index - 1, each.each))
    end
  end
end

local function eaches(run, broken)
  for each in records(run, "each_begin") do
    if each.journal and not each.redo then check_again(run, each, broken) end
  end
  for each in records(run, "each") do
    if each.report then
      check_sum(each, broken)
      check_errors(run, each, broken)
      check_failed(run, each, broken)
      if each.complete and each.first and not each.stop_on_error then
        check_skipped(run, each, broken)
      end
    end
  end
end

-- ---- all rules

local RULES = { exit, raised, left_open, calls, paid, events, last, pages, eaches }

-- Returns a list of { rule, text }, one for each violation.
return function(run)
  local problems = {}
  sort_ledger(run)
  for _, rule in ipairs(RULES) do
    rule(run, function(name, text) problems[#problems + 1] = { name, text } end)
  end
  return problems
end
