--- `client:each`: many items at once, from a plain loop.
---
--- A task, the feeder, reads the source and begins an item whenever there is room; each item
--- runs its function in a task of its own. However an item ends, by its result, an error or a
--- cancellation, its `__close` settles it: it is counted, the journal is told, the feeder woken.
--- A batch that has been stopped begins nothing more; its feeder ends with the last item.

require "cekura.core"  -- brings the next one
local internal = require "cekura.internal"
local journal = require "cekura.journal"
local progress = require "cekura.progress"

local CONCURRENCY = 8  -- items at once, where nobody says
local GRACE = 2        -- seconds that items in flight are given to end after Ctrl-C

-- ---- options ---------------------------------------------------------------------------------

local function is_count(value)
  return type(value) == "number" and value > 0 and math.tointeger(value) ~= nil
end

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

-- ---- an item ---------------------------------------------------------------------------------

local Item = {}

--- Of an error that may be anything: it is the caller's.
local function field_of(problem, name)
  local ok, value = pcall(function() return problem[name] end)
  return ok and value or nil
end

local function text_of(problem)
  local ok, text = pcall(tostring, problem)
  return ok and text or "(" .. type(problem) .. ")"
end

--- The task knows of all calls of its client; one of another client has but its error to tell.
local function is_unapplied(item, problem)
  return item.task:applied() == "no" and (field_of(problem, "applied") or "no") == "no"
end

local function given_up(item)
  return internal.error("cancelled", "the item was given up before it had ended",
    item.task:applied())
end

--- How the item has ended, and its error unless it is "ok". "failed": nothing was done; "unknown":
--- something was, or may have been.
local function outcome_of(item, raised)
  if item.returned and (item.result or item.error == nil) then return "ok" end
  if not item.returned and raised == nil then return "unknown", given_up(item) end
  local problem = raised
  if item.returned then problem = item.error end
  return is_unapplied(item, problem) and "failed" or "unknown", problem
end

--- Called when the item's task ends, in whatever way.
function Item:__close(raised)
  self.batch:leave(self)
  if not self.begun then return end
  self.batch:settle(self, outcome_of(self, raised))
end

local function run(item)
  local _ <close> = item
  item.begun = item.batch:may_begin(item)
  if not item.begun then return end
  item.result, item.error = item.batch.fn(item.value, item.index)
  item.returned = true
end

-- ---- a batch ---------------------------------------------------------------------------------

local Batch = {}
Batch.__index = Batch

local function items_of(list)
  local index = 0
  return function()
    index = index + 1
    return list[index]
  end
end

local function new_batch(client, source, fn, options)
  return setmetatable({
    client = client,
    next_item = type(source) == "table" and items_of(source) or source,
    fn = fn,
    options = options,
    meter = progress.new(options.progress),
    report = { ok = 0, failed = 0, skipped = 0, unknown = 0, errors = {},
               results = options.collect and {} or nil },
    total = type(source) == "table" and #source or nil,
    given = 0,           -- items that the source has given
    exhausted = false,   -- it has nothing more
    running = {},        -- { item = true }
    running_count = 0,
    seen = {},           -- with a journal: { key = index }
    started = internal.monotime(),
    held_until = 0,      -- no item begins before: a server asked for more time than a call has
    stopped = false,     -- no item begins any more
    interrupted = false, -- by Ctrl-C
    trouble = nil,       -- why each fails as a whole: an error of ours
    cut_short = nil,     -- why it fails if items have been left out: an error of ours
    raised = nil,        -- { an error of the caller's source, key or progress }
  }, Batch)
end

--- No item begins any more.
function Batch:stop(trouble)
  self.stopped = true
  self.trouble = self.trouble or trouble
  if self.feeder then self.feeder:wake() end
end

--- The same, and where all have begun already, nothing has been lost by it.
function Batch:cut(reason)
  self.cut_short = self.cut_short or reason
  self:stop()
end

-- ---- counting --------------------------------------------------------------------------------

--- { done, total, ok, failed, skipped, unknown, running, elapsed, rate, left }
function Batch:numbers()
  local report, elapsed = self.report, internal.monotime() - self.started
  local really_done = report.ok + report.failed + report.unknown
  local done = really_done + report.skipped
  local rate = elapsed > 0 and really_done / elapsed or 0
  return {
    done = done, total = self.total, ok = report.ok, failed = report.failed,
    skipped = report.skipped, unknown = report.unknown, running = self.running_count,
    elapsed = elapsed, rate = rate,
    left = self.total and rate > 0 and math.max(self.total - done, 0) / rate or nil,
  }
end

function Batch:show()
  if self.meter.interval < math.huge then self.meter:show(self:numbers()) end
end

function Batch:show_last() self.meter:finish(self:numbers()) end

--- What ended well, or need not be done.
function Batch:count(outcome) self.report[outcome] = self.report[outcome] + 1 end

--- What did not: "failed" or "unknown".
function Batch:count_error(item, outcome, problem)
  local errors = self.report.errors
  self:count(outcome)
  errors[#errors + 1] = { index = item.index, item = item.value, key = item.key, error = problem }
end

--- A pause that no single call could wait for holds up the items that have not begun.
function Batch:hold(problem)
  if field_of(problem, "kind") ~= "rate_limited" then return end
  local pause = tonumber(field_of(problem, "retry_after"))
  if pause then self.held_until = math.max(self.held_until, internal.monotime() + pause) end
end

function Batch:fail(item, outcome, problem)
  self:count_error(item, outcome, problem)
  if self.options.stop_on_error then self:stop() end
  self:hold(problem)
end

function Batch:succeed(item)
  self:count "ok"
  if self.report.results then self.report.results[item.index] = item.result end
end

--- There is room for another one. First of all: whatever goes wrong later, the feeder goes on.
function Batch:leave(item)
  if not self.running[item] then return end
  self.running[item], self.running_count = nil, self.running_count - 1
  self.feeder:wake()
end

function Batch:settle(item, outcome, problem)
  self:note_end(item, outcome, problem)
  if outcome == "ok" then return self:succeed(item) end
  self:fail(item, outcome, problem)
end

-- ---- the journal -----------------------------------------------------------------------------

--- What the journal is of, where the caller does not say: the script.
local function default_work()
  local script = type(arg) == "table" and type(arg[0]) == "string" and arg[0] or nil
  return script and script:match "[^/]+$" or nil
end

--- A file that cannot be written ends the batch: what is not written may be done twice.
function Batch:check_journal(ok, message)
  if not ok then self:stop(internal.error("config", "each: " .. message)) end
  return ok
end

--- False: there is none that could be used.
function Batch:open_journal()
  local options = self.options
  if not options.journal then return true end
  local it, message = journal.open(options.journal,
    { api = self.client.api_url, work = options.work or default_work() })
  self.journal = it
  return self:check_journal(it, message)
end

function Batch:close_journal()
  if self.journal then self:check_journal(self.journal:close()) end
end

--- The started line is on disk before anything is sent, and with it what has finished so far.
function Batch:note_start(item)
  if not self.journal then return true end
  return self:check_journal(self.journal:start(item.key))
    and self:check_journal(self.journal:sync())
end

local EVENTS = { ok = "done", failed = "failed", unknown = "unknown" }

function Batch:note_end(item, outcome, problem)
  if not self.journal then return end
  local message = outcome ~= "ok" and text_of(problem) or nil
  self:check_journal(self.journal:finish(item.key, EVENTS[outcome], message))
end

local function kind_of(key)
  if key == nil then return "nil" end
  if key ~= key then return "NaN" end
  return key == "" and "an empty string" or "a " .. type(key)
end

--- Without a key nobody could tell what has been done.
function Batch:refuse_key(item, key)
  local given = self.options.key ~= nil
  self:stop(internal.error("config", ("each: a journal needs a key for each item, a string or a "
    .. "number, and %s %d is %s%s"):format(given and "that of item" or "item", item.index,
    kind_of(key), given and "" or ": give the option `key`")))
end

--- Whether the item has a key, which is text from then on.
function Batch:set_key(item)
  local key = item.value
  if self.options.key then key = self.options.key(item.value) end
  item.key = journal.text_of(key)
  if not item.key then self:refuse_key(item, key) end
  return item.key ~= nil
end

function Batch:is_first(item)
  local first = self.seen[item.key]
  self.seen[item.key] = first or item.index
  if not first then return true end
  self:fail(item, "failed", internal.error("validation",
    ("its key %q is that of item %d, too: in a journal each item needs its own"):format(
    item.key, first)))
  return false
end

--- What an earlier run has left open does not stop this one: nothing has failed in it.
function Batch:is_to_do(item)
  local state = self.journal:state(item.key)
  if state == nil or state == "failed" then return true end
  if state == "done" then
    self:count "skipped"
    return false
  end
  if self.options.redo_unknown then return true end
  self:count_error(item, "unknown", internal.error("cancelled", "an earlier run began it, and "
    .. "nothing says whether it was done: look, or do it again with redo_unknown = true",
    "unknown"))
  return false
end

--- Whether the item is to be done; if not, it has been counted.
function Batch:admits(item)
  return not self.journal
    or (self:set_key(item) and self:is_first(item) and self:is_to_do(item))
end

-- ---- beginning items -------------------------------------------------------------------------

--- The last word on whether an item begins, when its turn has come.
function Batch:may_begin(item) return not self.stopped and self:note_start(item) end

function Batch:begin(item)
  local task, problem = self.client:spawn(run, item)
  if not task then return self:stop(problem) end
  item.task = task
  self.running[item], self.running_count = true, self.running_count + 1
end

--- Waits until something happens, or it is time to show how far it is.
function Batch:rest(seconds)
  self:show()
  local ok, problem = self.client:sleep(math.min(seconds, self.meter.interval))
  if ok then return end
  self:cut(problem)
  coroutine.yield()  -- the client was closed, and the items have yet to learn of it
end

--- False: the batch has been stopped.
function Batch:wait_for_room()
  local concurrency = self.options.concurrency or CONCURRENCY
  while not self.stopped do
    local pause = self.held_until - internal.monotime()
    if self.running_count >= concurrency then self:rest(math.huge)
    elseif pause > 0 then self:rest(pause)
    else return true end
  end
  return false
end

--- The next item of the source; nil at its end.
function Batch:read()
  local value = self.next_item()
  self.exhausted = value == nil
  if self.exhausted then return nil end
  self.given = self.given + 1
  return setmetatable({ batch = self, value = value, index = self.given }, Item)
end

--- The source is read when there is room for what it gives. That may take long: the batch may be
--- stopped meanwhile, or a server ask for time.
function Batch:feed()
  while self:wait_for_room() do
    local item = self:read()
    if not item then return end
    if self:wait_for_room() and self:admits(item) then self:begin(item) end
    self:show()
  end
end

--- Source, key and progress are the caller's, and may raise: the first error counts, and is raised
--- when all that the source has given has ended.
function Batch:attempt(method, ...)
  local ok, raised = pcall(method, self, ...)
  if not ok then self.raised = self.raised or { raised } end
end

--- What the feeder's task does. It ends when nothing runs any more, and returns true.
local function feed(batch)
  batch:attempt(batch.feed)
  while batch.running_count > 0 do batch:attempt(batch.rest, math.huge) end
  return true
end

-- ---- the end ---------------------------------------------------------------------------------

--- Batches whose feeder has begun. One may run in an item of another.
local open = setmetatable({}, { __mode = "k" })

local function interruption()
  return internal.error("cancelled", "each: interrupted before all was done")
end

function Batch:interrupt() self:cut(interruption()) end

--- Ends whatever still runs, at once. An item whose task has not begun does not learn of it.
function Batch:give_up()
  if self.feeder:ended() then return end
  self:interrupt()
  for item in pairs(self.running) do item.task:cancel() end
  self.running, self.running_count = {}, 0
  self.feeder:cancel()
end

--- Does it with each batch of a client.
local function tell_all(client, method)
  local all = {}
  for batch in pairs(open) do all[#all + 1] = batch.client == client and batch or nil end
  for _, batch in ipairs(all) do method(batch) end
end

--- After Ctrl-C: what is under way may have been paid for, and is given a moment to end.
function Batch:wind_up()
  local client = self.client
  tell_all(client, Batch.interrupt)
  local guard = client:spawn(function()
    client:sleep(GRACE)
    tell_all(client, Batch.give_up)
  end)
  self.feeder:wait()
  if guard then guard:cancel() end
end

--- Also when each is left by an error, or its own task is cancelled: nothing stays in flight.
function Batch:__close(raised)
  self.stopped = true  -- for a feeder that Ctrl-C came too early to know of
  if not self.feeder then return end
  local is_interrupted = self.interrupted or raised ~= nil
  if is_interrupted and not self.feeder:ended() then self:wind_up() end
  self:give_up()
  open[self] = nil
end

-- ---- each ------------------------------------------------------------------------------------

function Batch:run()
  local _ <close> = self
  local feeder, problem = self.client:spawn(feed, self)
  if not feeder then return self:stop(problem) end
  self.feeder, open[self] = feeder, true
  feeder:wait()
  self.interrupted = not feeder:ended()
end

local function finally(fn) return setmetatable({}, { __close = fn }) end

--- However it ends: at first nothing is in flight any more, then the journal is whole, then the
--- screen clear.
function Batch:go()
  if not self:open_journal() then return end
  local _ <close> = finally(function() self:attempt(self.show_last) end)
  local _ <close> = finally(function() self:close_journal() end)
  self:run()
end

local function by_index(one, other) return one.index < other.index end

--- Each item that there is has been counted.
function Batch:is_complete() return self.exhausted and self:numbers().done == self.given end

--- What each returns or raises.
function Batch:conclude()
  if self.raised then error(self.raised[1], 0) end
  table.sort(self.report.errors, by_index)
  local problem = self.trouble or (not self:is_complete() and self.cut_short)
  if not problem then return self.report end
  problem.report = self.report
  return nil, problem
end

local function check_use(client, source, fn, options)
  local function expect(ok, what) return ok or error("each: " .. what, 4) end
  expect(type(client) == "userdata", "call it with a colon: client:each(…)")
  expect(type(source) == "table" or type(source) == "function",
    "expected a list or an iterator function as the source")
  expect(type(fn) == "function", "expected a function to call with each item")
  expect(options == nil or type(options) == "table", "expected a table of options")
end

--- client:each(source, fn, options): a report, or nil and an error that has it as `report`.
local function each(client, source, fn, options)
  check_use(client, source, fn, options)
  local problem = check(options or {})
  if problem then return nil, problem end
  local batch = new_batch(client, source, fn, options or {})
  batch:go()
  return batch:conclude()
end

return each
