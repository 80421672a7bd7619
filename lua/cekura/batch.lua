--- `client:each`: many items at once, from a plain loop.
---
--- A task, the feeder, reads the source and begins an item whenever there is room; each item
--- runs its function in a task of its own. However an item ends, by its result, an error or a
--- cancellation, its `__close` settles it: it is counted, the journal is told, the feeder woken.

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

-- ---- an item ---------------------------------------------------------------------------------

local Item = {}

--- "ok"; "failed": nothing was done; "unknown": it failed, and something was or may have been.
local function outcome_of(item, raised)
  if item.returned and (item.result or item.error == nil) then return "ok" end
  if not item.returned and raised == nil then return "unknown" end  -- cancelled
  return item.task:applied() == "no" and "failed" or "unknown"
end

local function error_of(item, raised)
  if item.returned then return item.error end
  if raised ~= nil then return raised end
  return internal.error("cancelled", "the item was given up before it had ended",
    item.task:applied())
end

--- Called when the item's task ends, in whatever way.
function Item:__close(raised)
  local outcome = outcome_of(self, raised)
  self.batch:settle(self, outcome, outcome ~= "ok" and error_of(self, raised) or nil)
end

local function run(item)
  local _ <close> = item
  item.result, item.error = item.batch.fn(item.value, item.index)
  item.returned = true
end

-- ---- the batch: counting ---------------------------------------------------------------------

local Batch = {}
Batch.__index = Batch

local function new_batch(client, source, fn, options)
  return setmetatable({
    client = client,
    next_item = type(source) == "table" and items_of(source) or source,
    fn = fn,
    options = options,
    meter = progress.new(options.progress or nil),
    report = { ok = 0, failed = 0, skipped = 0, unknown = 0, errors = {},
               results = options.collect and {} or nil },
    total = type(source) == "table" and #source or nil,
    running = {},      -- { item = true }
    running_count = 0,
    seen = {},         -- with a journal: { key = index }
    started = internal.monotime(),
    held_until = 0,    -- no item begins before: a server asked for more time than a call has
    stopped = false,   -- no item begins any more
    interrupted = false,
    trouble = nil,     -- why each fails as a whole: an error of ours
  }, Batch)
end

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
    left = self.total and rate > 0 and (self.total - done) / rate or nil,
  }
end

function Batch:show()
  if self.meter.interval < math.huge then self.meter:show(self:numbers()) end
end

function Batch:stop(trouble)
  self.stopped = true
  self.trouble = self.trouble or trouble
end

function Batch:count(item, outcome, problem)
  local report = self.report
  report[outcome] = report[outcome] + 1
  if problem == nil then return end
  report.errors[#report.errors + 1] =
    { index = item.index, item = item.value, key = item.key, error = problem }
  if self.options.stop_on_error then self:stop() end
end

--- A file that cannot be written ends the batch: what is not written may be done twice.
function Batch:check_journal(ok, message)
  if not ok then self:stop(internal.error("config", "each: " .. message)) end
  return ok
end

--- A pause that no single call could wait for holds up the items that have not begun.
function Batch:hold(problem)
  if type(problem) ~= "table" or problem.kind ~= "rate_limited" then return end
  local pause = tonumber(problem.retry_after)
  if pause then self.held_until = math.max(self.held_until, internal.monotime() + pause) end
end

local names_in_journal = { ok = "done", failed = "failed", unknown = "unknown" }

function Batch:settle(item, outcome, problem)
  self.running[item], self.running_count = nil, self.running_count - 1
  if self.journal then
    local message = problem ~= nil and tostring(problem) or nil
    self:check_journal(self.journal:finish(item.key, names_in_journal[outcome], message))
  end
  if self.report.results and outcome == "ok" then self.report.results[item.index] = item.result end
  self:count(item, outcome, problem)
  self:hold(problem)
  self.feeder:wake()
end

-- ---- the batch: beginning items --------------------------------------------------------------

function Batch:key_of(item)
  if self.options.key then return self.options.key(item.value) end
  return item.value
end

local function is_key(key)
  return type(key) == "string" and key ~= "" or math.type(key) == "integer"
end

--- Whether the item is to be done; if not, it has been counted.
function Batch:admits(item)
  if not self.journal then return true end
  item.key = self:key_of(item)
  if not is_key(item.key) then
    self:stop(internal.error("config", ("each: a journal needs a key for each item, a string "
      .. "or an integer; that of item %d is a %s: give the option `key`"):format(
      item.index, type(item.key))))
    return false
  end
  item.key = tostring(item.key)
  return self:is_first(item) and self:is_to_do(item)
end

function Batch:is_first(item)
  local first = self.seen[item.key]
  self.seen[item.key] = first or item.index
  if not first then return true end
  self:count(item, "failed", internal.error("validation",
    ("its key %q is that of item %d, too: in a journal each item needs its own"):format(
    item.key, first)))
  return false
end

function Batch:is_to_do(item)
  local state = self.journal:state(item.key)
  if state == nil or state == "failed" then return true end
  if state == "done" then
    self:count(item, "skipped")
    return false
  end
  if self.options.redo_unknown then return true end
  self:count(item, "unknown", internal.error("cancelled", "an earlier run began it, and nothing "
    .. "says whether it was done: look, or do it again with redo_unknown = true", "unknown"))
  return false
end

--- The started line is on disk before anything is sent, and with it what has finished so far.
function Batch:note_start(item)
  if not self.journal then return true end
  return self:check_journal(self.journal:start(item.key))
    and self:check_journal(self.journal:sync())
end

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
  self:stop(problem)
  coroutine.yield()  -- the client was closed, and the items have yet to learn of it
end

function Batch:wait_for_room()
  local concurrency = self.options.concurrency or 8
  while not self.stopped and self.running_count >= concurrency do self:rest(math.huge) end
  while not self.stopped do
    local left = self.held_until - internal.monotime()
    if left <= 0 then return true end
    self:rest(left)
  end
  return false
end

--- The source is read when there is room for what it gives, and not before.
function Batch:feed()
  local index = 0
  while self:wait_for_room() do
    local value = self.next_item()
    if value == nil then return end
    index = index + 1
    local item = setmetatable({ batch = self, value = value, index = index }, Item)
    if self:admits(item) and self:note_start(item) then self:begin(item) end
    self:show()
  end
end

--- An error of the caller's source, key or progress is raised when all that runs has ended.
local function feed(batch)
  local ok, raised = pcall(batch.feed, batch)
  batch.stopped = true
  while batch.running_count > 0 do
    local fine, trouble = pcall(batch.rest, batch, math.huge)
    if ok and not fine then ok, raised = false, trouble end
  end
  if not ok then error(raised, 0) end
end

-- ---- the batch: its end ----------------------------------------------------------------------

--- Whatever still runs is given up.
function Batch:cancel()
  self.stopped = true
  local items = {}
  for item in pairs(self.running) do items[#items + 1] = item end
  for _, item in ipairs(items) do item.task:cancel() end
end

--- After Ctrl-C: what is under way may have been paid for, and is given a moment to end.
function Batch:wind_up()
  self.stopped = true
  local guard = self.client:spawn(function()
    self.client:sleep(GRACE)
    self:cancel()
  end)
  self.feeder:wake()
  self.feeder:wait()
  if guard then guard:cancel() end
end

--- Also when each is left by an error: nothing stays in flight, and nothing on the screen.
function Batch:__close(raised)
  if self.feeder and not self.feeder:ended() then
    if raised ~= nil or self.interrupted then self:wind_up() end
    self:cancel()
    self.feeder:cancel()
  end
  if self.journal then self:check_journal(self.journal:close()) end
  self.meter:finish(self:numbers())
end

-- ---- each ------------------------------------------------------------------------------------

--- What the journal is of, where the caller does not say: the script.
local function default_work()
  local script = type(arg) == "table" and type(arg[0]) == "string" and arg[0] or nil
  return script and script:match "[^/]+$" or nil
end

--- nil, or an error.
function Batch:open_journal()
  local options = self.options
  if not options.journal then return nil end
  local message
  self.journal, message = journal.open(options.journal,
    { api = self.client.api_url, work = options.work or default_work() })
  if not self.journal then return internal.error("config", "each: " .. message) end
end

--- nil, or an error.
function Batch:run()
  local feeder, problem = self.client:spawn(feed, self)
  if not feeder then return problem end
  self.feeder = feeder
  problem = select(2, feeder:wait())
  self.interrupted = not feeder:ended()
  if problem == nil or self.interrupted then return problem end
  error(problem, 0)
end

local function by_index(one, other) return one.index < other.index end

local function each(client, source, fn, options)
  assert(type(source) == "table" or type(source) == "function",
    "each: expected a list or an iterator function as the source")
  assert(type(fn) == "function", "each: expected a function to call with each item")
  assert(options == nil or type(options) == "table", "each: expected a table of options")
  local batch, problem = new_batch(client, source, fn, options or {}), check(options or {})
  if problem then return nil, problem end
  do
    local open <close> = batch
    problem = open:open_journal() or open:run()
  end
  problem = problem or batch.trouble
  table.sort(batch.report.errors, by_index)
  if not problem then return batch.report end
  problem.report = batch.report
  return nil, problem
end

return each
