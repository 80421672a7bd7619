--- A worker of `client:each`: a task that takes items from the source, one after the other, calls
--- the function with each, and records in the report and in the journal how each ended.

require "cekura.core"  -- preloads cekura.internal
local internal = require "cekura.internal"
local journal = require "cekura.each.journal"

--- Items that block in coroutines of their own are nested on the C stack, which is limited. From
--- this depth on no item starts before others have ended.
local CROWDED = 16
local CROWD_PAUSE = 0.01  -- seconds between two checks of the depth

local QUIET_ITEMS = 32  -- items without a call after which a worker yields to the others

local Worker = {}

-- ---- the next item ---------------------------------------------------------------------------

--- Lets other tasks run for some seconds. `batch:wake` ends the pause early.
local function rest(batch, worker, seconds)
  worker.resting = true
  if not batch.client:sleep(seconds) then coroutine.yield() end  -- the client was closed
  worker.resting = false
end

--- Takes the next item. Returns false if there is none, or if no item may start any more.
local function take(batch, worker)
  while batch.reader and not batch.stopped do  -- the source may make calls of its own
    batch.has_waiting = true
    rest(batch, worker, math.huge)
  end
  if batch.stopped or batch.exhausted then return false end
  batch.reader = worker
  local value = batch.next_item()
  batch.reader = false
  if batch.has_waiting then batch:wake() end
  if value == nil then
    batch.exhausted = true
    return false
  end
  batch.index = batch.index + 1
  worker.value, worker.index = value, batch.index
  return true
end

-- ---- the journal's part ----------------------------------------------------------------------

local function kind_of(key)
  if key == nil then return "nil" end
  if key ~= key then return "NaN" end
  return key == "" and "an empty string" or "a " .. type(key)
end

local NO_KEY = "each: a journal needs a key for each item, a string or a number, and %s %d is %s%s"

--- Sets the item's key, as text. Without a key the batch stops, because the journal could not
--- record the item.
local function set_key(batch, worker)
  local key, name = worker.value, batch.options.key
  if name then
    worker.is_naming = true
    key = name(key)
    worker.is_naming = false
  end
  worker.key = journal.text_of(key)
  if worker.key then return true end
  batch:stop(internal.error("config", NO_KEY:format(name and "that of item" or "item",
    worker.index, kind_of(key), name and "" or ": give the option `key`")))
  return false
end

--- Returns whether the item is to be done. If not, counts it as failed, skipped or unknown.
local function is_due(batch, worker)
  local key, report, options = worker.key, batch.report, batch.options
  local first = batch.seen[key]
  if first then
    batch:count_error(worker, "failed", internal.error("validation", ("its key %q is that of item "
      .. "%d, too: in a journal each item needs its own"):format(key, first)))
    if options.stop_on_error then batch:stop() end
    return false
  end
  batch.seen[key] = worker.index
  local state = batch.journal:state(key)
  local is_unknown = state == "unknown" or state == "started"
  worker.undone = is_unknown and "unknown" or "failed"
  if state == "done" then
    report.skipped = report.skipped + 1
    return false
  end
  if not is_unknown or options.redo_unknown then return true end
  batch:count_error(worker, "unknown", internal.error("cancelled", "an earlier run began it, and "
    .. "nothing says whether it was done: look, or do it again with redo_unknown = true",
    "unknown"))  -- nothing has failed in this run: stop_on_error does not stop it
  return false
end

--- Returns the text of an error, which may be any value of the caller's.
local function text_of(problem)
  local ok, text = pcall(tostring, problem)
  return ok and text or "(" .. type(problem) .. ")"
end

local function write_end(batch, worker, event, problem)
  local message = problem ~= nil and text_of(problem) or nil
  batch:check_journal(batch.journal:finish(worker.key, event, message))
end

-- ---- the start of an item --------------------------------------------------------------------

--- Waits for room, unless the batch is stopped.
local function wait_for_room(batch, worker, depth)
  while depth > CROWDED and not batch.stopped do
    rest(batch, worker, CROWD_PAUSE)
    depth = select(4, worker.watch())
  end
end

--- Waits for the end of a pause. Returns false once the batch is stopped.
local function wait_for_pause(batch, worker)
  while batch.paused_until > 0 and not batch.stopped do
    local left = batch.paused_until - internal.monotime()
    if left <= 0 then break end
    rest(batch, worker, left)
  end
  return not batch.stopped
end

--- Writes the starts of these workers, and forces them to disk.
local function write_starts(batch, starts)
  local keys = {}
  batch.starts = {}
  for i, worker in ipairs(starts) do keys[i] = worker.key end
  starts.are_written = batch:check_journal(batch.journal:start_all(keys))
  if starts.are_written then batch:check_journal(batch.journal:sync()) end
end

--- Waits until the start of the item is on disk, unless the batch is stopped. All workers that are
--- ready share one write and one sync, which the first of them makes.
local function wait_for_start(batch, worker)
  local starts = batch.starts
  starts[#starts + 1], worker.starts = worker, starts
  if starts[1] ~= worker then
    while not (starts.are_settled or batch.stopped) do rest(batch, worker, math.huge) end
    return
  end
  for _ = 1, 2 do rest(batch, worker, 0) end  -- others join, and calls that have begun are sent
  if not batch.stopped then write_starts(batch, starts) end
  rest(batch, worker, 0)  -- Ctrl-C or a response during the sync may stop the batch
  starts.are_settled = true
  for i = 2, #starts do starts[i].task:wake() end
end

--- Records that the item does not start, if its start has been written.
local function withdraw(batch, worker)
  local starts = worker.starts
  worker.starts = false
  if starts and starts.are_written then write_end(batch, worker, worker.undone, "not started") end
end

--- Records the start of the item. Returns whether it may start, after a pause if one has begun.
local function announce(batch, worker)
  repeat
    wait_for_start(batch, worker)
    wait_for_room(batch, worker, select(4, worker.watch()))
    if not batch.stopped and batch.paused_until <= internal.monotime() then
      worker.starts = false
      return true
    end
    withdraw(batch, worker)
  until not wait_for_pause(batch, worker)
  return false
end

--- Returns whether the item may start. With a journal, its start is on disk then.
local function may_start(batch, worker, is_open, depth)
  if not is_open then batch:stop(select(2, batch.client:pollfd())) end
  wait_for_room(batch, worker, depth)
  if not wait_for_pause(batch, worker) then return false end
  if not batch.journal then return true end
  if not set_key(batch, worker) then return false end
  if not is_due(batch, worker) then
    batch.not_started = batch.not_started + 1
    return false
  end
  return not batch.stopped and announce(batch, worker)
end

-- ---- the end of an item ----------------------------------------------------------------------

local function succeed(batch, worker, result, is_dry_run)
  local report = batch.report
  worker.busy = false
  report.ok = report.ok + 1
  if batch.results then batch.results[worker.index] = result end
  if not batch.journal then return end
  if not is_dry_run then return write_end(batch, worker, "done") end
  write_end(batch, worker, worker.undone, "a dry run: nothing was sent")
end

--- Returns a field of an error, which may be any value of the caller's.
local function field_of(problem, name)
  local ok, value = pcall(function() return problem[name] end)
  return ok and value or nil
end

--- Records the outcome of an item: "failed" if nothing was done, "unknown" if something may have
--- been done.
local function fail(batch, worker, outcome, problem)
  worker.busy = false
  batch:count_error(worker, outcome, problem)
  if batch.journal then
    write_end(batch, worker, outcome == "failed" and worker.undone or outcome, problem)
  end
  if batch.options.stop_on_error then batch:stop() end
  local pause = field_of(problem, "kind") == "rate_limited"
    and tonumber(field_of(problem, "retry_after"))
  if pause then batch:pause(pause) end
end

--- Takes what pcall returned of the item's function. Returns whether the item is done, or false and
--- its error. A function that returned nothing is done unless a call in it failed.
local function judge(failure, returned, result, problem)
  if not returned then return false, result == nil and "an error without a message" or result end
  if result or result == false and problem == nil then return true end
  if problem == nil then problem = failure end
  return problem == nil, problem
end

local function settle(batch, worker, returned, result, problem)
  if returned and result and not batch.journal then return succeed(batch, worker, result) end
  local applied, _, _, _, is_dry_run, failure = worker.watch()
  local is_done, err = judge(failure, returned, result, problem)
  if is_done then return succeed(batch, worker, result, is_dry_run) end
  local is_unapplied = applied == "no" and (field_of(err, "applied") or "no") == "no"
  fail(batch, worker, is_unapplied and "failed" or "unknown", err)
end

-- ---- the task --------------------------------------------------------------------------------

local function work(batch, worker)
  local fn, quiet = batch.fn, 0
  while take(batch, worker) do
    local _, has_waited, is_open, depth = worker.watch()
    if may_start(batch, worker, is_open, depth) then
      worker.busy = true
      settle(batch, worker, pcall(fn, worker.value, worker.index))
    end
    quiet = has_waited and 0 or quiet + 1
    if quiet == QUIET_ITEMS then coroutine.yield() end
  end
end

--- `each` raises what the source or `key` raises. Any other error, such as an exhausted stack, ends
--- the batch with an error that has the report.
local function run(batch, worker)
  local _ <close> = worker
  local ok, raised = pcall(work, batch, worker)
  if ok then return end
  local is_reader = batch.reader == worker
  if is_reader then batch.reader = false end
  if is_reader or worker.is_naming then return batch:raise(raised) end
  batch:stop()
  batch:stop(internal.error("cancelled", "each: ended by an error: " .. text_of(raised)))
end

--- Ends the worker: it has no more items, or was cancelled while an item ran.
function Worker:__close()
  local batch = self.batch
  batch:leave()
  if self.starts and not batch.stopped then batch:end_early() end  -- others may wait for this one
  withdraw(batch, self)
  if not self.busy then return end
  fail(batch, self, "unknown", internal.error("cancelled",
    "the item was given up before it had ended", (self.watch())))
end

--- Starts a worker of the batch. Returns it, or nil and an error.
return function(batch)
  local worker = setmetatable({ batch = batch, busy = false, resting = false,
    starts = false,  -- the list that has its start, until the item starts
  }, Worker)
  local task, problem = batch.client:spawn(run, batch, worker)
  if not task then return nil, problem end
  worker.task, worker.watch = task, internal.watch(task)
  return worker
end
