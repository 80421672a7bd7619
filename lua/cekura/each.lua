--- `client:each`: many items at once, from a plain loop.
---
--- There are as many slots as may be busy at once. Each is a task that takes an item from the
--- source, calls the function with it, settles it (it is counted, and the journal told), and
--- takes the next. A slot that is cancelled settles its item on the way out.

require "cekura.core"  -- brings the next one
local check = require "cekura.internal.check"
local internal = require "cekura.internal"
local journal = require "cekura.each.journal"
local progress = require "cekura.each.progress"

local CONCURRENCY = 8
local GRACE = 2  -- seconds that items in flight are given to end after Ctrl-C

--- Items may block within each other, each in a coroutine of its own. From so many on no other one
--- begins before some have ended, and no other batch may block: the C stack is limited.
local CROWD, DEEPEST = 16, 32

-- ---- options ---------------------------------------------------------------------------------

local problems_of = check.new({
  { "concurrency", check.is_count, "a whole number from 1" },
  { "progress", check.is_meter, "true, false or a function" },
  { "journal", check.is_text, "the path of a file" },
  { "key", check.is_function, "a function that names an item" },
  { "group", check.is_function, "a function that names the group of a key" },
  { "work", check.is_text, "a text that says what the journal is of" },
  { "redo_unknown", check.is_boolean, "true or false" },
  { "stop_on_error", check.is_boolean, "true or false" },
  { "collect", check.is_boolean, "true or false" },
}, "option", "options.")

--- nil, or an error that names all that is wrong.
local function problem_of(client, source, options)
  local problems = problems_of(client, options)
  local of_list = type(source) == "table" and check.list_problem(source)
  if of_list then table.insert(problems, 1, { "source", of_list }) end
  if #problems == 0 then return nil end
  return internal.error("validation", "each: " .. check.line(problems))
end

-- ---- the batch -------------------------------------------------------------------------------

local Batch = {}
Batch.__index = Batch

--- A list may grow. One that has got a hole since, or computes its items, is looked at here.
local function items_of(list)
  local index = 0
  return function()
    index = index + 1
    local item = list[index]
    if item == nil and index <= #list then
      error(internal.error("validation", "each: source: " .. check.HOLE), 0)
    end
    return item
  end
end

--- What is looked at for each item is never nil here: that would cost a detour by the metatable.
local function new_batch(client, source, fn, options)
  local results = options.collect and {} or nil
  return setmetatable({
    client = client,
    next_item = type(source) == "table" and items_of(source) or source,
    fn = fn,
    options = options,
    meter = progress.new(options.progress),
    report = { ok = 0, failed = 0, skipped = 0, unknown = 0, errors = {}, results = results },
    results = results or false,
    total = type(source) == "table" and #source or nil,
    log = false,         -- the journal
    seen = {},           -- with a journal: { key = index }
    slots = {},
    serving = 0,         -- slots that have not ended
    passed_over = 0,     -- items that were counted without being done: they say nothing of the pace
    over = false,        -- none is left: nothing is to be shown any more
    index = 0,           -- of the item that was read last
    reader = false,      -- the slot that reads the source, while it does
    waiting = false,     -- whether others wait for it
    held_until = 0,      -- no item begins before: a server asked for more time than a call has
    began = internal.monotime(),
    exhausted = false,   -- the source has said that there is nothing more
    stopped = false,     -- no item begins any more
    interrupted = false, -- by Ctrl-C
    trouble = false,     -- why each fails as a whole: an error of ours
    cut_short = false,   -- why it fails if an item has been left out: an error of ours
    raised = false,      -- { what the caller's source, key or progress raised }
  }, Batch)
end

--- Slots that wait to read are told that something has changed.
function Batch:wake()
  self.waiting = false
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

function Batch:running()
  local count = 0
  for _, slot in ipairs(self.slots) do count = count + (slot.busy and 1 or 0) end
  return count
end

--- Seconds until items go on, because the server asked for a pause; nil if it did not.
function Batch:pause()
  local left = math.max(self.held_until - internal.monotime(), internal.pause_left(self.client))
  return left > 0 and not self.over and left or nil
end

--- { done, total, ok, failed, skipped, unknown, running, elapsed, rate, left, pause }
function Batch:numbers()
  local report, elapsed, pause = self.report, internal.monotime() - self.began, self:pause()
  local done = report.ok + report.failed + report.unknown + report.skipped
  local rate = elapsed > 0 and (done - self.passed_over) / elapsed or 0
  return {
    done = done, total = self.total, ok = report.ok, failed = report.failed,
    skipped = report.skipped, unknown = report.unknown, running = self:running(),
    elapsed = elapsed, rate = rate,
    left = self.total and rate > 0 and math.max(self.total - done, 0) / rate + (pause or 0) or nil,
    pause = pause,
  }
end

-- ---- the journal -----------------------------------------------------------------------------

--- What the journal is of, where the caller does not say: the script.
local function default_work()
  local arguments = rawget(_G, "arg")  -- a host may have none, and forbid undeclared globals
  local script = type(arguments) == "table" and rawget(arguments, 0)
  return type(script) == "string" and script:match "[^/]+$" or nil
end

--- A file that cannot be written ends the batch: what is not written may be done twice.
function Batch:check_log(ok, message)
  if not ok then
    self:stop(internal.error("config", "each: " .. internal.redacted(self.client, message)))
  end
  return ok
end

--- False: there is none that could be used.
function Batch:open_log()
  local options = self.options
  if not options.journal then return true end
  local log, message = journal.open(options.journal,
    { api = self.client.api_url, work = options.work or default_work(), group = options.group })
  self.log = log or false
  return self:check_log(log, message)
end

function Batch:close_log()
  if self.log then self:check_log(self.log:close()) end
end

--- The started line is on disk before anything is sent, and with it what has finished so far.
function Batch:log_start(slot)
  return self:check_log(self.log:start(slot.key)) and self:check_log(self.log:sync())
end

--- An error of the caller's may be one that cannot be shown.
local function text_of(problem)
  local ok, text = pcall(tostring, problem)
  return ok and text or "(" .. type(problem) .. ")"
end

function Batch:log_end(slot, word, problem)
  if not self.log then return end
  self:check_log(self.log:finish(slot.key, word, problem ~= nil and text_of(problem) or nil))
end

-- ---- the end of an item ----------------------------------------------------------------------

--- "failed": nothing was done; "unknown": something was, or may have been.
function Batch:count_error(slot, outcome, problem)
  local report = self.report
  report[outcome] = report[outcome] + 1
  report.errors[#report.errors + 1] =
    { index = slot.index, item = slot.value, key = slot.key, error = problem }
end

--- Of an error that may be anything: it is the caller's.
local function field_of(problem, name)
  local ok, value = pcall(function() return problem[name] end)
  return ok and value or nil
end

--- A pause that no single call could wait for holds up the items that have not begun.
function Batch:hold(problem)
  local pause = field_of(problem, "kind") == "rate_limited"
    and tonumber(field_of(problem, "retry_after"))
  if pause then self.held_until = math.max(self.held_until, internal.monotime() + pause) end
end

--- The event of an item that has done nothing: it may still have been done by an earlier run.
local function undone(slot) return slot.was_unknown and "unknown" or "failed" end

local function fail(batch, slot, outcome, problem)
  slot.busy = false
  batch:count_error(slot, outcome, problem)
  batch:log_end(slot, outcome == "failed" and undone(slot) or outcome, problem)
  if batch.options.stop_on_error then batch:stop() end
  batch:hold(problem)
end

--- A dry run has done nothing: the next run does the item.
local function log_success(batch, slot, is_rehearsal)
  if not is_rehearsal then return batch:log_end(slot, "done") end
  batch:log_end(slot, undone(slot), "a dry run: nothing was sent")
end

local function succeed(batch, slot, result, is_rehearsal)
  local report = batch.report
  slot.busy = false
  report.ok = report.ok + 1
  if batch.results then batch.results[slot.index] = result end
  if batch.log then log_success(batch, slot, is_rehearsal) end
end

--- Whether the item is done, or false and its error, from what pcall returned of its function. One
--- that returned nothing is done unless a call failed, with the error `failure`.
local function judge(failure, returned, result, problem)
  if not returned then return false, result == nil and "an error without a message" or result end
  if result or result == false and problem == nil then return true end
  if problem == nil then problem = failure end
  return problem == nil, problem
end

--- Takes what pcall returned of the item's function.
local function settle(batch, slot, returned, result, problem)
  if returned and result and not batch.log then return succeed(batch, slot, result) end
  local applied, _, _, _, is_rehearsal, failure = slot.watch()
  local done, trouble = judge(failure, returned, result, problem)
  if done then return succeed(batch, slot, result, is_rehearsal) end
  local unapplied = applied == "no" and (field_of(trouble, "applied") or "no") == "no"
  fail(batch, slot, unapplied and "failed" or "unknown", trouble)
end

-- ---- whether an item is to be done -----------------------------------------------------------

local function kind_of(key)
  if key == nil then return "nil" end
  if key ~= key then return "NaN" end
  return key == "" and "an empty string" or "a " .. type(key)
end

--- Without a key nobody could tell what has been done.
function Batch:refuse_key(slot, key)
  local given = self.options.key ~= nil
  self:stop(internal.error("config", ("each: a journal needs a key for each item, a string or a "
    .. "number, and %s %d is %s%s"):format(given and "that of item" or "item", slot.index,
    kind_of(key), given and "" or ": give the option `key`")))
end

--- Whether the item has a key, which is text from then on.
function Batch:set_key(slot)
  local key = slot.value
  if self.options.key then
    slot.naming = true
    key = self.options.key(key)
    slot.naming = false
  end
  slot.key = journal.text_of(key)
  if not slot.key then self:refuse_key(slot, key) end
  return slot.key ~= nil
end

--- Takes what `admits` says of an item.
function Batch:pass_over(is_to_do)
  if not is_to_do then self.passed_over = self.passed_over + 1 end
  return is_to_do
end

function Batch:is_first(slot)
  local first = self.seen[slot.key]
  self.seen[slot.key] = first or slot.index
  if not first then return true end
  self:count_error(slot, "failed", internal.error("validation",
    ("its key %q is that of item %d, too: in a journal each item needs its own"):format(
    slot.key, first)))
  if self.options.stop_on_error then self:stop() end
  return false
end

--- What an earlier run has left open does not stop this one: nothing has failed in it.
function Batch:is_to_do(slot)
  local state = self.log:state(slot.key)
  slot.was_unknown = state == "unknown" or state == "started"
  if state == nil or state == "failed" then return true end
  if state == "done" then
    self.report.skipped = self.report.skipped + 1
    return false
  end
  if self.options.redo_unknown then return true end
  self:count_error(slot, "unknown", internal.error("cancelled", "an earlier run began it, and "
    .. "nothing says whether it was done: look, or do it again with redo_unknown = true",
    "unknown"))
  return false
end

--- Whether the item in the slot is to be done; if not, it has been counted.
function Batch:admits(slot)
  return self:set_key(slot) and self:pass_over(self:is_first(slot) and self:is_to_do(slot))
    and not self.stopped and self:log_start(slot)
end

-- ---- the next item ---------------------------------------------------------------------------

--- Others go on meanwhile; `wake` ends it early.
function Batch:rest(slot, seconds)
  slot.resting = true
  if not self.client:sleep(seconds) then coroutine.yield() end  -- it was closed
  slot.resting = false
end

--- The source may make calls of its own: the others wait until it has been read.
local function wait_for_reader(batch, slot)
  while batch.reader and not batch.stopped do
    batch.waiting = true
    batch:rest(slot, math.huge)
  end
end

--- Until the pause is over that the server asked for.
local function wait_for_pause(batch, slot)
  while not batch.stopped do
    local left = batch.held_until - internal.monotime()
    if left <= 0 then return end
    batch:rest(slot, left)
  end
end

--- Puts the next item into the slot; false: there is none, or none is to begin any more.
local function read(batch, slot)
  if batch.reader then wait_for_reader(batch, slot) end
  if batch.stopped or batch.exhausted then return false end
  batch.reader = slot
  local value = batch.next_item()
  batch.reader = false
  if batch.waiting then batch:wake() end
  if value == nil then
    batch.exhausted = true
    return false
  end
  batch.index = batch.index + 1
  slot.value, slot.index = value, batch.index
  return true
end

-- ---- a slot ----------------------------------------------------------------------------------

local Slot = {}

local PAUSE = 0.01  -- seconds between two looks at how many block

--- Until few items block within each other that end before this one could.
local function wait_for_room(batch, slot)
  local depth
  repeat
    batch:rest(slot, PAUSE)
    depth = select(4, slot.watch())
  until depth <= CROWD or batch.stopped
end

--- The last word on whether the item begins.
local function may_begin(batch, slot, open, depth)
  if not open then batch:stop(select(2, batch.client:pollfd())) end
  if depth > CROWD then wait_for_room(batch, slot) end
  if batch.held_until > 0 then wait_for_pause(batch, slot) end
  return not batch.stopped and (not batch.log or batch:admits(slot))
end

local BREATH = 32  -- items between two looks at the others, where none of them has made a call

local function work(batch, slot)
  local fn, quiet = batch.fn, 0
  while read(batch, slot) do
    local _, stood, open, depth = slot.watch()
    if may_begin(batch, slot, open, depth) then
      slot.busy = true
      settle(batch, slot, pcall(fn, slot.value, slot.index))
    end
    quiet = stood and 0 or quiet + 1
    if quiet == BREATH then coroutine.yield() end
  end
end

--- What the source or the key function raises is raised by each. Anything else, such as a stack
--- without room, ends it with an error that has the report.
local function serve(batch, slot)
  local _ <close> = slot
  local ok, raised = pcall(work, batch, slot)
  if ok then return end
  local is_callers = batch.reader == slot or slot.naming
  if batch.reader == slot then batch.reader = false end
  if is_callers then return batch:raise(raised) end
  batch:stop(internal.error("cancelled", "each: ended by an error: " .. text_of(raised)))
end

--- The last one ends the ticker: here, where no Ctrl-C can come in between.
function Batch:leave()
  self.serving = self.serving - 1
  self.over = self.serving == 0
  if self.over and self.ticker then self.ticker:cancel() end
end

--- The slot has nothing more to do, or was cancelled in the middle of an item.
function Slot:__close()
  self.batch:leave()
  if not self.busy then return end
  fail(self.batch, self, "unknown", internal.error("cancelled",
    "the item was given up before it had ended", (self.watch())))
end

--- nil, or an error.
function Batch:open_slot()
  local slot = setmetatable({ batch = self, busy = false, resting = false }, Slot)
  local task, problem = self.client:spawn(serve, self, slot)
  if not task then return problem end
  slot.task, slot.watch = task, internal.watch(task)
  self.slots[#self.slots + 1] = slot
  self.serving = #self.slots
end

function Batch:open_slots()
  for _ = 1, math.min(self.options.concurrency or CONCURRENCY, self.total or math.huge) do
    local problem = self:open_slot()
    if problem then return self:stop(problem) end
  end
end

-- ---- showing how far it is -------------------------------------------------------------------

local function tick(batch)
  while not batch.over do
    local ok, raised = pcall(batch.meter.show, batch.meter, batch:numbers())
    if not ok then return batch:raise(raised) end
    if not batch.client:sleep(batch.meter.interval) then return end
  end
end

function Batch:open_meter()
  if self.meter.interval == math.huge or #self.slots == 0 then return end
  self.ticker = self.client:spawn(tick, self)
end

--- A progress function may raise here, too, but what was raised first counts.
function Batch:show_last()
  local ok, raised = pcall(self.meter.finish, self.meter, self:numbers())
  if not ok then self:raise(raised) end
end

-- ---- the end ---------------------------------------------------------------------------------

--- Batches that have begun. One may run in an item of another.
local open = setmetatable({}, { __mode = "k" })

local function interruption()
  return internal.error("cancelled", "each: interrupted before all was done")
end

--- Nothing begins any more. If all has, it may end as if nothing had happened.
function Batch:interrupt()
  self.cut_short = self.cut_short or interruption()
  self:stop()
end

--- Whatever still runs is ended, at once. No memory is asked for before that.
function Batch:give_up()
  local any = false
  self.stopped = true
  for i = 1, #self.slots do any = self.slots[i].task:cancel() or any end
  if any then self.trouble = self.trouble or interruption() end
end

--- Does it with each batch of a client.
local function tell_all(client, method)
  local all = {}
  for batch in pairs(open) do all[#all + 1] = batch.client == client and batch or nil end
  for _, batch in ipairs(all) do method(batch) end
end

--- Until all slots have ended, or Ctrl-C.
function Batch:wait()
  for _, slot in ipairs(self.slots) do
    slot.task:wait()
    if not slot.task:ended() then
      self.interrupted = true
      return
    end
  end
end

--- After Ctrl-C: what is under way may have been paid for, and is given a moment to end.
function Batch:wind_up()
  local client = self.client
  tell_all(client, Batch.interrupt)
  local guard = client:spawn(function()
    client:sleep(GRACE)
    tell_all(client, Batch.give_up)
  end)
  self:wait()
  if guard then guard:cancel() end
end

--- Also when each is left by an error, or its own task is cancelled: nothing stays in flight.
function Batch:__close(raised)
  local ok, problem = true, nil
  if raised ~= nil or self.interrupted then ok, problem = pcall(self.wind_up, self) end
  self:give_up()
  self.over = true  -- for a ticker that Ctrl-C came too early to know of
  if self.ticker then self.ticker:cancel() end
  open[self] = nil
  if not ok then error(problem, 0) end
end

-- ---- each ------------------------------------------------------------------------------------

--- Each item that there is has been counted. One may have been read, and left out then.
function Batch:is_complete()
  local all = self.exhausted or self.index == self.total
  return all and self:numbers().done == self.index
end

--- False: too many block already.
function Batch:has_room()
  local depth = internal.depth(self.client)
  if depth <= DEEPEST then return true end
  self:stop(internal.error("config", ("each: %d items wait within each other: do not call it in a "
    .. "coroutine of an item's own"):format(depth)))
  return false
end

function Batch:run()
  local _ <close> = self
  if not self:has_room() then return end
  open[self] = true
  self:open_slots()
  self:open_meter()
  self:wait()
  if not (self.stopped or self.interrupted or self:is_complete()) then
    self:stop(internal.error("cancelled", "each: its tasks were ended before all was done"))
  end
end

local function finally(fn) return setmetatable({}, { __close = fn }) end

--- However it ends: at first nothing is in flight any more, then the journal is whole, then the
--- screen clear.
function Batch:go()
  local opened = false
  local _ <close> = finally(function() if opened then self:show_last() end end)
  local _ <close> = finally(function() self:close_log() end)
  opened = self:open_log()
  if opened then self:run() end
end

local function by_index(one, other) return one.index < other.index end

--- What each returns or raises. Items that failed make it a failed call of the item around it.
function Batch:conclude()
  local report = self.report
  if self.raised then error(self.raised[1], 0) end
  table.sort(report.errors, by_index)
  local problem = self.trouble or (not self:is_complete() and self.cut_short)
  local failure = problem or report.errors[1] and report.errors[1].error
  if failure ~= nil then internal.note_failure(failure) end
  if not problem then return report end
  problem.report = report
  return nil, problem
end

--- What `pairs` and `ipairs` return first needs more than that.
local NEEDS_ARGUMENTS = { [next] = true, [(ipairs {})] = true }

local function check_use(client, source, fn, options)
  local function expect(ok, what) return ok or error("each: " .. what, 4) end
  expect(type(client) == "userdata", "call it with a colon: client:each(…)")
  expect(type(source) == "table" or type(source) == "function",
    "expected a list or an iterator function as the source")
  expect(not NEEDS_ARGUMENTS[source], "give the list itself as the source, without pairs or ipairs")
  expect(type(fn) == "function", "expected a function to call with each item")
  expect(options == nil or type(options) == "table", "expected a table of options")
end

local function each(client, source, fn, options)
  check_use(client, source, fn, options)
  local problem = problem_of(client, source, options or {})
  if problem then
    internal.note_failure(problem)
    return nil, problem
  end
  local batch = new_batch(client, source, fn, options or {})
  batch:go()
  return batch:conclude()
end

return each
