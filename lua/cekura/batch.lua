--- `client:each`: many items at once, from a plain loop.
---
--- There are as many slots as may be busy at once. Each is a task that takes an item from the
--- source, calls the function with it, settles it (it is counted, and the journal told), and
--- takes the next. A slot that is cancelled settles its item on the way out.

require "cekura.core"  -- brings the next one
local internal = require "cekura.internal"
local journal = require "cekura.journal"
local progress = require "cekura.progress"

local GRACE = 2  -- seconds that items in flight are given to end after Ctrl-C

-- ---- options ---------------------------------------------------------------------------------

local function is_count(value) return math.type(value) == "integer" and value > 0 end
local function is_boolean(value) return type(value) == "boolean" end
local function is_function(value) return type(value) == "function" end
local function is_text(value) return type(value) == "string" and value ~= "" end
local function is_meter(value) return is_boolean(value) or is_function(value) end

local rows = {
  { "concurrency", is_count, "a whole number from 1" },
  { "progress", is_meter, "true, false or a function" },
  { "journal", is_text, "the path of a file" },
  { "key", is_function, "a function that names an item" },
  { "work", is_text, "a text that says what the journal is of" },
  { "redo_unknown", is_boolean, "true or false" },
  { "stop_on_error", is_boolean, "true or false" },
  { "collect", is_boolean, "true or false" },
}

local names, row_of = {}, {}
for i, row in ipairs(rows) do names[i], row_of[row[1]] = row[1], row end

local function problem_of(name, value)
  local row = row_of[name]
  if row then
    return not row[2](value) and ("options.%s: must be %s"):format(name, row[3]) or nil
  end
  local near = internal.nearest(tostring(name), names)
  local advice = near and (', did you mean "%s"?'):format(near) or ""
  return ("options.%s: unknown option%s"):format(tostring(name), advice)
end

--- nil, or an error that names all that is wrong.
local function check(options)
  local problems = {}
  for name, value in pairs(options) do problems[#problems + 1] = problem_of(name, value) end
  if #problems == 0 then return nil end
  table.sort(problems)
  return internal.error("validation", "each: " .. table.concat(problems, "; "))
end

-- ---- the source ------------------------------------------------------------------------------

local function items_of(list)
  local index = 0
  return function()
    index = index + 1
    return list[index]
  end
end

-- ---- the batch ------------------------------------------------------------------------------

local Batch = {}
Batch.__index = Batch

local function new_batch(client, source, fn, options)
  local results = options.collect and {} or nil
  return setmetatable({
    client = client,
    next_item = type(source) == "table" and items_of(source) or source,
    fn = fn,
    options = options,
    meter = progress.new(options.progress or nil),
    report = { ok = 0, failed = 0, skipped = 0, unknown = 0, errors = {}, results = results },
    -- What is looked at for each item is never nil: that would cost a detour by the metatable.
    results = results or false,
    total = type(source) == "table" and #source or nil,
    log = false,        -- the journal
    slots = {},
    reader = false,     -- the slot that reads the source, if that takes time
    waiting = false,    -- whether others wait for it
    index = 0,          -- of the item that was read last
    seen = {},          -- with a journal: { key = index }
    began = internal.monotime(),
    held_until = 0,     -- no item begins before: a server asked for more time than a call has
    stopped = false,    -- no item begins any more
    trouble = false,    -- why each fails as a whole: an error of ours
    raised = false,     -- { what the caller's source, key or progress raised }
    interrupted = false,
  }, Batch)
end

function Batch:running()
  local count = 0
  for _, slot in ipairs(self.slots) do count = count + (slot.busy and 1 or 0) end
  return count
end

--- { done, total, ok, failed, skipped, unknown, running, elapsed, rate, left }
function Batch:numbers()
  local report, elapsed = self.report, internal.monotime() - self.began
  local really_done = report.ok + report.failed + report.unknown
  local done = really_done + report.skipped
  local rate = elapsed > 0 and really_done / elapsed or 0
  return {
    done = done, total = self.total, ok = report.ok, failed = report.failed,
    skipped = report.skipped, unknown = report.unknown, running = self:running(),
    elapsed = elapsed, rate = rate,
    left = self.total and rate > 0 and (self.total - done) / rate or nil,
  }
end

--- Slots that wait to read are told that something has changed.
function Batch:wake()
  for _, slot in ipairs(self.slots) do
    if slot.resting then slot.task:wake() end
  end
end

--- No item begins any more; those that run end by themselves.
function Batch:stop(trouble)
  self.stopped = true
  self.trouble = self.trouble or trouble or false
  self:wake()
end

--- What the caller's own code raised is raised by each, once all that runs has ended.
function Batch:raise(raised)
  self.raised = self.raised or { raised }
  self:stop()
end

--- A file that cannot be written ends the batch: what is not written may be done twice.
function Batch:check_journal(ok, message)
  if not ok then self:stop(internal.error("config", "each: " .. message)) end
  return ok
end

-- ---- the end of an item ----------------------------------------------------------------------

--- It has not gone well, and is one of the errors.
function Batch:count_error(slot, outcome, problem)
  local report = self.report
  report[outcome] = report[outcome] + 1
  report.errors[#report.errors + 1] =
    { index = slot.index, item = slot.value, key = slot.key, error = problem }
  if self.options.stop_on_error then self:stop() end
end

--- A pause that no single call could wait for holds up the items that have not begun.
function Batch:hold(problem)
  if type(problem) ~= "table" or problem.kind ~= "rate_limited" then return end
  local pause = tonumber(problem.retry_after)
  if pause then self.held_until = math.max(self.held_until, internal.monotime() + pause) end
end

--- A client that was closed does no other item either.
function Batch:check_client(problem)
  if type(problem) ~= "table" or problem.kind ~= "config" then return end
  local open, why = self.client:pollfd()
  if not open then self:stop(why) end
end

local function succeed(batch, slot, result)
  local report = batch.report
  report.ok = report.ok + 1
  slot.busy = false
  if batch.results then batch.results[slot.index] = result end
  if batch.log then batch:check_journal(batch.log:finish(slot.key, "done")) end
end

--- "failed": nothing was done; "unknown": something was, or may have been.
local function fail(batch, slot, outcome, problem)
  slot.busy = false
  if batch.log then
    batch:check_journal(batch.log:finish(slot.key, outcome, tostring(problem)))
  end
  batch:count_error(slot, outcome, problem)
  batch:hold(problem)
  batch:check_client(problem)
end

--- What pcall returned of the item's function. Whether the others had their turn meanwhile.
local function settle(batch, slot, returned, result, problem)
  local applied, stood = slot.watch()
  if returned and (result or problem == nil) then
    succeed(batch, slot, result)
  else
    if not returned then problem = result == nil and "an error without a message" or result end
    fail(batch, slot, applied == "no" and "failed" or "unknown", problem)
  end
  return stood
end

-- ---- the next item ---------------------------------------------------------------------------

local function is_key(key)
  return type(key) == "string" and key ~= "" or math.type(key) == "integer"
end

--- False: it has none, and the batch ends.
function Batch:find_key(slot)
  local key = slot.value
  if self.options.key then key = self.options.key(key) end
  slot.key = is_key(key) and tostring(key) or nil
  if slot.key then return true end
  self:stop(internal.error("config", ("each: a journal needs a key for each item, a string or an "
    .. "integer; that of item %d is a %s: give the option `key`"):format(slot.index, type(key))))
  return false
end

function Batch:is_first(slot)
  local first = self.seen[slot.key]
  self.seen[slot.key] = first or slot.index
  if not first then return true end
  self:count_error(slot, "failed", internal.error("validation",
    ("its key %q is that of item %d, too: in a journal each item needs its own"):format(
    slot.key, first)))
  return false
end

function Batch:is_to_do(slot)
  local state = self.log:state(slot.key)
  if state == nil or state == "failed" then return true end
  if state == "done" then
    self.report.skipped = self.report.skipped + 1
    return false
  end
  if self.options.redo_unknown then return true end
  self:count_error(slot, "unknown", internal.error("cancelled", "an earlier run began it, and "
    .. "nothing says whether it was done: look, or set redo_unknown = true", "unknown"))
  return false
end

--- The started line is on disk before anything is sent, and with it what has finished so far.
function Batch:note_start(slot)
  return self:check_journal(self.log:start(slot.key))
    and self:check_journal(self.log:sync())
end

--- Whether the item in the slot is to be done; if not, it has been counted.
function Batch:admits(slot)
  return self:find_key(slot) and self:is_first(slot) and self:is_to_do(slot)
    and self:note_start(slot)
end

--- Others go on meanwhile; `wake` ends it early.
function Batch:rest(slot, seconds)
  slot.resting = true
  local ok, problem = self.client:sleep(seconds)
  slot.resting = false
  if not ok then self:stop(problem) end
end

--- The source may make calls of its own: the others wait until it has been read, or the pause
--- is over that the server asked for.
local function wait_to_read(batch, slot)
  while not batch.stopped do
    local left = batch.reader and math.huge or batch.held_until - internal.monotime()
    if left <= 0 then return end
    batch.waiting = true
    batch:rest(slot, left)
  end
end

local function end_reading(batch)
  batch.reader = false
  if not batch.waiting then return end  -- nearly always
  batch.waiting = false
  batch:wake()
end

--- Puts the next item into the slot; false: there is none any more.
local function read(batch, slot)
  if batch.reader or batch.held_until > 0 then wait_to_read(batch, slot) end
  if batch.stopped then return false end
  batch.reader = slot
  local value = batch.next_item()
  slot.value, slot.index = value, batch.index + 1
  if value == nil then batch.stopped = true else batch.index = slot.index end
  end_reading(batch)
  return value ~= nil
end

-- ---- a slot ----------------------------------------------------------------------------------

local Slot = {}

local BREATH = 32  -- items between two looks at the others, where none of them has made a call

local function work(batch, slot)
  local fn, log, quiet = batch.fn, batch.log, 0
  while read(batch, slot) do
    if not log or batch:admits(slot) then
      slot.busy = true
      if settle(batch, slot, pcall(fn, slot.value, slot.index)) then quiet = 0 end
    end
    quiet = quiet + 1
    if quiet % BREATH == 0 then coroutine.yield() end
  end
end

--- What the source or the key function raises ends the batch.
local function serve(batch, slot)
  local _ <close> = slot
  local ok, raised = pcall(work, batch, slot)
  if ok then return end
  batch:raise(raised)
  end_reading(batch)
end

--- The slot was cancelled in the middle of an item.
function Slot:__close()
  if not self.busy then return end
  local error = internal.error("cancelled", "the item was given up before it had ended",
    (self.watch()))
  fail(self.batch, self, "unknown", error)
end

function Batch:open_slots()
  local count = math.min(self.options.concurrency or 8, self.total or math.huge)
  for i = 1, count do
    local slot = setmetatable({ batch = self, busy = false, resting = false }, Slot)
    local task, problem = self.client:spawn(serve, self, slot)
    if not task then return problem end
    slot.task, slot.watch, self.slots[i] = task, internal.watch(task), slot
  end
end

-- ---- showing how far it is -------------------------------------------------------------------

local function tick(batch)
  repeat
    local ok, raised = pcall(batch.meter.show, batch.meter, batch:numbers())
    if not ok then return batch:raise(raised) end
  until not batch.client:sleep(batch.meter.interval)
end

function Batch:open_meter()
  if self.meter.interval == math.huge then return end
  self.ticker = self.client:spawn(tick, self)
end

-- ---- the whole -------------------------------------------------------------------------------

--- What the journal is of, where the caller does not say: the script.
local function default_work()
  local script = type(arg) == "table" and type(arg[0]) == "string" and arg[0] or nil
  return script and script:match "[^/]+$" or nil
end

function Batch:open_journal()
  local options = self.options
  if not options.journal then return nil end
  local opened, message = journal.open(options.journal,
    { api = self.client.api_url, work = options.work or default_work() })
  if not opened then return internal.error("config", "each: " .. message) end
  self.log = opened
end

--- Until all slots have ended, or Ctrl-C.
function Batch:wait()
  for _, slot in ipairs(self.slots) do
    local _, problem = slot.task:wait()
    if not slot.task:ended() then
      self.interrupted = true
      return problem
    end
  end
end

--- nil, or an error.
function Batch:run()
  local problem = self:open_journal() or self:open_slots()
  if problem then return problem end
  self:open_meter()
  problem = self:wait()
  if self.raised then error(self.raised[1], 0) end
  return problem
end

--- Whatever still runs is given up.
function Batch:cancel()
  self:stop()
  for _, slot in ipairs(self.slots) do slot.task:cancel() end
end

--- After Ctrl-C: what is under way may have been paid for, and is given a moment to end.
function Batch:wind_up()
  self:stop()
  local guard = self.client:spawn(function()
    self.client:sleep(GRACE)
    self:cancel()
  end)
  self:wait()
  if guard then guard:cancel() end
end

--- However each is left, nothing stays in flight, and nothing on the screen.
function Batch:__close(raised)
  if raised ~= nil or self.interrupted then self:wind_up() end
  self:cancel()
  if self.ticker then self.ticker:cancel() end
  if self.log then self:check_journal(self.log:close()) end
  self.meter:finish(self:numbers())
end

local function by_index(one, other) return one.index < other.index end

local function each(client, source, fn, options)
  assert(type(source) == "table" or type(source) == "function",
    "each: expected a list or an iterator function as the source")
  assert(type(fn) == "function", "each: expected a function to call with each item")
  assert(options == nil or type(options) == "table", "each: expected a table of options")
  local problem = check(options or {})
  if problem then return nil, problem end
  local batch = new_batch(client, source, fn, options or {})
  do
    local _ <close> = batch
    problem = batch:run()
  end
  table.sort(batch.report.errors, by_index)
  problem = batch.trouble or problem
  if not problem then return batch.report end
  problem.report = batch.report
  return nil, problem
end

return each
