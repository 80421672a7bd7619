--- `client:each`: calls a function with each item of a source, several items at a time.
--- A call creates a batch, which has workers (each/worker.lua), a journal and a progress meter.

require "cekura.core"  -- preloads cekura.internal
local check = require "cekura.internal.check"
local internal = require "cekura.internal"
local journal = require "cekura.each.journal"
local progress = require "cekura.each.progress"
local start_worker = require "cekura.each.worker"

local CONCURRENCY = 8
local GRACE = 2     -- seconds that items in flight are given to end after Ctrl-C
local DEEPEST = 32  -- tasks resumed within each other in which a batch may block: see CROWDED

-- ---- options ---------------------------------------------------------------------------------

local function is_text(value) return type(value) == "string" and value ~= "" end

local OPTIONS = {
  { "concurrency", "integer", 1 },
  { "progress", check.is_meter, wanted = check.METER },
  { "journal", is_text, wanted = "the path of a file" },
  { "key", "function", wanted = "a function that names an item" },
  { "group", "function", wanted = "a function that names the group of a key" },
  { "work", is_text, wanted = "a text that says what the journal is of" },
  { "redo_unknown", "boolean" },
  { "stop_on_error", "boolean" },
  { "collect", "boolean" },
}

--- Returns nil, or one error of all problems.
local function problem_of(client, source, options)
  local problems = internal.check_options(client, options, OPTIONS, "option", "options")
  local of_list = type(source) == "table" and check.list_problem(source)
  if of_list then table.insert(problems, 1, { "source", of_list }) end
  if #problems == 0 then return nil end
  return internal.error("validation", "each: " .. check.line(problems))
end

--- `pairs` and `ipairs` return these first: they need arguments that `each` does not have.
local NEEDS_ARGUMENTS = { [next] = true, [(ipairs {})] = true }

--- Raises at the line of the caller of `each`.
local function check_use(client, source, fn, options)
  local function expect(ok, what) return ok or error("each: " .. what, 4) end
  expect(type(client) == "userdata", "call it with a colon: client:each(…)")
  expect(type(source) == "table" or type(source) == "function",
    "expected a list or an iterator function as the source")
  expect(not NEEDS_ARGUMENTS[source], "give the list itself as the source, without pairs or ipairs")
  expect(type(fn) == "function", "expected a function to call with each item")
  expect(options == nil or type(options) == "table", "expected a table of options")
end

-- ---- the batch -------------------------------------------------------------------------------

local Batch = {}
Batch.__index = Batch

--- Iterates over a list, which may grow meanwhile. A list that got a hole meanwhile raises.
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

--- Fields that are read for each item are never nil: a nil would be looked up in the metatable.
local function new_batch(client, source, fn, options)
  local results = options.collect and {} or nil
  return setmetatable({
    client = client,
    next_item = type(source) == "table" and items_of(source) or source,
    fn = fn,
    options = options,
    meter = progress.new(options.progress),
    report = { ok = 0, failed = 0, skipped = 0, unknown = 0, errors = {}, results = results,
      spent = internal.spent_of {} },
    results = results or false,
    total = type(source) == "table" and #source or nil,
    journal = false,
    starts = {},         -- with a journal: workers whose starts are written next
    seen = {},           -- with a journal: the first index of each key
    workers = {},
    active = 0,          -- workers that have not ended
    ended = false,       -- whether all have: nothing is shown any more
    index = 0,           -- of the item that was read last
    not_started = 0,     -- items that were counted without a start: the rate is without them
    reader = false,      -- the worker that reads the source, while it does
    has_waiting = false, -- whether workers wait for the reader
    paused_until = 0,    -- no item starts before, because of a 429
    began = internal.monotime(),
    exhausted = false,   -- the source has no more items
    stopped = false,     -- no item starts any more
    interrupted = false, -- Ctrl-C ended a wait of this batch
    problem = false,     -- the error that `each` returns
    cut_short = false,   -- the error that it returns if an item was left out
    raised = false,      -- { what the caller's source, key or progress raised }
  }, Batch)
end

--- Wakes the workers that sleep.
function Batch:wake()
  self.has_waiting = false
  for _, worker in ipairs(self.workers) do
    if worker.resting then worker.task:wake() end
  end
end

--- Lets no item start any more. Items in flight end by themselves. A caller that creates the error
--- stops the batch first: workers that wait for another one must wake even if there is no memory.
function Batch:stop(problem)
  self.stopped = true
  self.problem = self.problem or problem or false
  self:wake()
end

--- Stops the batch, because other code has ended its tasks.
function Batch:end_early()
  self:stop()
  self:stop(internal.error("cancelled", "each: its tasks were ended before all was done"))
end

--- Stops the batch; `each` raises the value once all items in flight have ended.
function Batch:raise(raised)
  self:stop()
  self.raised = self.raised or { raised }
end

--- Delays the items that have not started, because a call would not wait as long as this pause.
function Batch:pause(seconds)
  self.paused_until = math.max(self.paused_until, internal.monotime() + seconds)
end

function Batch:count_error(worker, outcome, problem)
  local report = self.report
  report[outcome] = report[outcome] + 1
  report.errors[#report.errors + 1] =
    { index = worker.index, item = worker.value, key = worker.key, error = problem }
end

--- Records that a worker has ended. The last one also ends the ticker, so that no Ctrl-C can arrive
--- in between.
function Batch:leave()
  self.active = self.active - 1
  self.ended = self.active == 0
  if self.ended and self.ticker then self.ticker:cancel() end
end

--- Returns the numbers that a progress function is called with: cekura.Progress.
function Batch:numbers()
  local report, now, running = self.report, internal.monotime(), 0
  for _, worker in ipairs(self.workers) do running = running + (worker.busy and 1 or 0) end
  local done = report.ok + report.failed + report.unknown + report.skipped
  local elapsed = now - self.began
  local rate = elapsed > 0 and (done - self.not_started) / elapsed or 0
  local pause = math.max(self.paused_until - now, internal.pause_left(self.client))
  if pause <= 0 or self.ended then pause = nil end
  return {
    done = done, total = self.total, ok = report.ok, failed = report.failed,
    skipped = report.skipped, unknown = report.unknown, running = running,
    elapsed = elapsed, rate = rate,
    left = self.total and rate > 0 and math.max(self.total - done, 0) / rate + (pause or 0) or nil,
    pause = pause, spent = internal.spent_of(self.workers),
  }
end

--- Returns whether every item of the source has been counted.
function Batch:is_complete()
  local report = self.report
  local done = report.ok + report.failed + report.unknown + report.skipped
  return (self.exhausted or self.index == self.total) and done == self.index
end

-- ---- the journal -----------------------------------------------------------------------------

--- Returns the default of the option `work`: the script's name; nil if there is none.
local function default_work()
  local arguments = rawget(_G, "arg")  -- a host may have none, and forbid undeclared globals
  local script = type(arguments) == "table" and rawget(arguments, 0)
  return type(script) == "string" and script:match "[^/]+$" or nil
end

--- Stops the batch if the journal failed: an item that is not recorded may be done twice.
function Batch:check_journal(ok, message)
  if not ok then
    self:stop(internal.error("config", "each: " .. internal.redacted(self.client, message)))
  end
  return ok
end

--- Returns false if there is a journal that cannot be used.
function Batch:open_journal()
  local options = self.options
  if not options.journal then return true end
  local opened, message = journal.open(options.journal,
    { api = self.client.api_url, work = options.work or default_work(), group = options.group })
  self.journal = opened or false
  return self:check_journal(opened, message)
end

-- ---- Ctrl-C ----------------------------------------------------------------------------------

--- The batches that run. A batch may run in an item of another one.
local open = setmetatable({}, { __mode = "k" })

--- Calls the method of every open batch of the client.
local function for_all(client, method)
  local all = {}
  for batch in pairs(open) do all[#all + 1] = batch.client == client and batch or nil end
  for _, batch in ipairs(all) do method(batch) end
end

local function interruption()
  return internal.error("cancelled", "each: interrupted before all was done")
end

--- Lets no item start any more. If all have started, the batch may still succeed.
function Batch:interrupt()
  self.cut_short = self.cut_short or interruption()
  self:stop()
end

--- Cancels the items in flight. This needs no memory.
function Batch:give_up()
  local any = false
  self.stopped = true
  for i = 1, #self.workers do any = self.workers[i].task:cancel() or any end
  if any then self.problem = self.problem or interruption() end
end

--- Waits until all workers have ended, or for Ctrl-C.
function Batch:wait()
  for _, worker in ipairs(self.workers) do
    worker.task:wait()
    if not worker.task:ended() then
      self.interrupted = true
      return
    end
  end
end

--- Waits up to GRACE seconds for the calls in flight, because they may have been paid for.
function Batch:wind_up()
  local client = self.client
  for_all(client, Batch.interrupt)
  local guard = client:spawn(function()
    client:sleep(GRACE)
    for_all(client, Batch.give_up)
  end)
  self:wait()
  if guard then guard:cancel() end
end

--- Leaves nothing in flight, also after an error, or if the task that called `each` is cancelled.
function Batch:__close(raised)
  local ok, problem = true, nil
  if raised ~= nil or self.interrupted then ok, problem = pcall(self.wind_up, self) end
  self:give_up()
  self.ended = true
  if self.ticker then self.ticker:cancel() end
  open[self] = nil
  if not ok then error(problem, 0) end
end

-- ---- each ------------------------------------------------------------------------------------

--- Shows the progress until the batch has ended.
local function tick(batch)
  while not batch.ended do
    local ok, raised = pcall(batch.meter.show, batch.meter, batch:numbers())
    if not ok then return batch:raise(raised) end
    if not batch.client:sleep(batch.meter.interval) then return end
  end
end

function Batch:start()
  for _ = 1, math.min(self.options.concurrency or CONCURRENCY, self.total or math.huge) do
    local worker, problem = start_worker(self)
    if not worker then
      self:stop(problem)
      break
    end
    self.workers[#self.workers + 1] = worker
    self.active = #self.workers
  end
  if self.meter.interval < math.huge and self.active > 0 then
    self.ticker = self.client:spawn(tick, self)
  end
end

--- Runs the workers to their end.
function Batch:work()
  local _ <close> = self
  local depth = internal.depth(self.client)
  if depth > DEEPEST then
    return self:stop(internal.error("config", ("each: %d items wait within each other: do not call "
      .. "it in a coroutine of an item's own"):format(depth)))
  end
  open[self] = true
  self:start()
  self:wait()
  if not (self.stopped or self.interrupted or self:is_complete()) then
    self:end_early()
  end
end

local function finally(fn) return setmetatable({}, { __close = fn }) end

--- Sums up what the items have spent, and records it.
function Batch:count_spending()
  local report = self.report
  report.spent = internal.spent_of(self.workers, true)
  if self.journal and report.spent.calls + report.spent.calls_unknown > 0 then
    self:check_journal(self.journal:add_spent(report.spent))
  end
end

--- Runs the batch. At its end, however it comes, the items in flight end first; then the journal is
--- closed, and then the progress line is cleared.
function Batch:run()
  local is_open = false
  local _ <close> = finally(function()
    local ok, raised = true, nil
    if is_open then ok, raised = pcall(self.meter.finish, self.meter, self:numbers()) end
    if not ok then self:raise(raised) end
  end)
  local _ <close> = finally(function()
    if self.journal then self:check_journal(self.journal:close()) end
  end)
  local _ <close> = finally(function() self:count_spending() end)
  is_open = self:open_journal()
  if is_open then self:work() end
end

local function by_index(one, other) return one.index < other.index end

--- Returns what `each` returns, or raises. Failed items are failed calls of its task.
function Batch:conclude()
  local report = self.report
  if self.raised then error(self.raised[1], 0) end
  table.sort(report.errors, by_index)
  local problem = self.problem or (not self:is_complete() and self.cut_short)
  local failure = problem or report.errors[1] and report.errors[1].error
  if failure ~= nil then internal.note_failure(failure) end
  if not problem then return report end
  problem.report = report
  return nil, problem
end

return function(client, source, fn, options)
  check_use(client, source, fn, options)
  local problem = problem_of(client, source, options or {})
  if problem then
    internal.note_failure(problem)
    return nil, problem
  end
  local batch = new_batch(client, source, fn, options or {})
  batch:run()
  return batch:conclude()
end
