-- A process of combination_spec: runs a program and writes its events as JSON, one object per line,
-- for support/program_checks.lua and support/program_runner.py.
--
--   program_child.lua PROGRAM URL RUN FOLDER
--
-- RUN is 1, or higher in a process that resumes an earlier one; FOLDER has the journals. The
-- functions of `steps` are the globals of a program. Clients are named "A" and "B"; calls, tasks
-- and iterators have numbers. An unknown number is a no-op, so that any step can be removed from a
-- program.
local cekura = require "cekura"
local json = require "cjson".new()
local lfs = require "lfs"
local system = require "system"

local program, url, run, folder = arg[1], arg[2], math.tointeger(arg[3]), arg[4]

local PERIOD = 10000  -- see server:plan
local TIMEOUT, DEADLINE = 0.3, 1

local now = system.monotime
local steps = {}
local clients, tasks, iterators, reactions = {}, {}, {}, {}
local requests  -- the number of requests seen by on_event, if the program observes
local on_events = setmetatable({}, { __mode = "k" })
local is_observed = false  -- whether new clients have an on_event
local is_reacting = false  -- whether on_event runs

io.stdout:setvbuf "line"

local function log(what, record)
  local text = json.encode(record)
  local rest = text == "{}" and "}" or "," .. text:sub(2)
  io.stdout:write(('{"what":"%s"%s\n'):format(what, rest))
end

-- No function below catches and re-raises errors, because an error of a hook must come from the
-- hook.
local function finally(fn) return setmetatable({}, { __close = fn }) end

-- Calls a function, and logs how long it took, even if it raises.
local function logged(what, record, fn, ...)
  record.start = now()
  local _ <close> = finally(function()
    record.finish = now()
    log(what, record)
  end)
  return fn(...)
end

-- ---- clients ----

-- Runs the reaction of on_event once, at its n-th event.
local function react(name, event)
  if event.type == "request" and requests then requests = requests + 1 end
  local reaction = reactions[name]
  if not reaction then return end
  reaction.left = reaction.left - 1
  if reaction.left > 0 then return end
  reactions[name] = nil
  is_reacting = true
  local _ <close> = finally(function() is_reacting = false end)
  logged("busy", {}, reaction.fn)
end

local function on_event_of(name)
  local function on_event(event) react(name, event) end
  on_events[on_event] = true
  return on_event
end

local function client_of(name)
  clients[name] = clients[name] or assert(cekura.new {
    api_url = url, proxy = "", timeout = TIMEOUT, connect_timeout = TIMEOUT, deadline = DEADLINE,
    backoff = { base = 0.01, cap = 0.05 },
    on_event = is_observed and on_event_of(name) or nil,
  })
  return clients[name]
end

local homes = setmetatable({}, { __mode = "k" })  -- a task's coroutine -> the name of its client

-- Logs the time in which code of tasks can run. A task that waits for tasks of another client
-- blocks those of its own.
local function drive(name, fn, ...)
  if not coroutine.isyieldable() then return logged("drive", { client = name }, fn, ...) end
  local home = homes[coroutine.running()]
  if home == nil or home == name then return fn(...) end
  return logged("busy", {}, fn, ...)
end

-- ---- items: each coroutine of an item's function has a record of its calls ----

local items = setmetatable({}, { __mode = "k" })

-- Returns the item of the running coroutine. Calls made by on_event do not belong to an item.
local function item_here() return not is_reacting and items[coroutine.running()] or nil end

local function note(kind, ...)
  local item = item_here()
  if not item then return end
  item[kind] = item[kind] + 1
  item.results = table.pack(...)
end

-- ---- calls ----

local KINDS = {
  vote = function(client, n, options)
    return client.runs:mark_metric_vote({
      run_id = n, metric_id = 5, thumbs_up = true, expected_value = 1 }, options)
  end,
  get = function(client, n, options) return client.runs:get({ run_id = n }, options) end,
  bulk = function(client, n, options)
    return client.results:bulk_evaluate_metrics({ result_ids = { n }, metric_ids = { 5 } }, options)
  end,
  improve = function(client, n, options)
    return client.metric_reviews:process_feedbacks({ metric_id = n }, options)
  end,
  result_wait = function(client, n, options)
    return client.results:wait({ result_id = n }, options)
  end,
  improve_wait = function(client, n, options)
    return client.metric_reviews:wait({ progress_id = tostring(n) }, options)
  end,
}

-- Without a journal, the calls of a later run have other numbers.
local function number_of(n)
  local item = item_here()
  return item and item.journal and n or n % PERIOD + (run - 1) * PERIOD
end

local function outcome_of(value, more)
  if value ~= nil then return { ok = true, attempts = more.attempts } end
  return { ok = false, attempts = more.attempts, kind = more.kind, applied = more.applied,
    message = tostring(more) }
end

local function copy(given)
  local new = {}
  for name, value in pairs(given or {}) do new[name] = value end
  return new
end

local function record_of(name, n, kind, options)
  local is_wait = kind:find "wait" ~= nil
  return { n = number_of(n), call = kind, client = name, run = run,
    deadline = is_wait and options.timeout or options.deadline or DEADLINE,
    timeout = not is_wait and options.timeout or TIMEOUT,
    blocks = not coroutine.isyieldable(), retry_unknown = options.retry_unknown, start = now() }
end

-- Makes a call, and logs its result.
local function make(record, options)
  log("begin", record)
  local value, more = KINDS[record.call](client_of(record.client), record.n, options)
  record.finish = now()
  for field, is in pairs(outcome_of(value, more)) do record[field] = is end
  log("call", record)
  note("real", value, more)
  return value, more
end

-- steps.call("A", 7, "bulk", { deadline = 0.5 }). With dry_run = "first" the call is a dry run in
-- the first process only.
function steps.call(name, n, kind, options)
  local all = copy(options)
  if all.dry_run == "first" then all.dry_run = run == 1 or nil end
  local record = record_of(name, n, kind, all)
  if not all.dry_run then return make(record, all) end
  note("dry", KINDS[kind](client_of(name), record.n, all))
end

-- Makes the call where a task cannot yield, so that it blocks everything.
function steps.blocking_call(...)
  local arguments = table.pack(...)
  local done = false
  table.sort({ 1, 2 }, function()
    if not done then
      done = true
      logged("busy", {}, steps.call, table.unpack(arguments, 1, arguments.n))
    end
  end)
end

-- ---- tasks ----

-- Calls of a task that an item's function started belong to the item.
function steps.spawn(name, t, fn)
  local item = item_here()
  tasks[t] = client_of(name):spawn(function()
    items[coroutine.running()] = item
    homes[coroutine.running()] = name
    fn()
  end)
end

-- Starts a task for each number. Each makes one call.
function steps.crowd(name, first, last, kind, options)
  for n = first, last do
    steps.spawn(name, n, function() steps.call(name, n, kind, options) end)
  end
end

function steps.wait(name, first, last)
  drive(name, function()
    for t = first, last or first do
      if tasks[t] then tasks[t]:wait() end
    end
  end)
end

function steps.cancel(t) if tasks[t] then tasks[t]:cancel() end end
function steps.wake(t) if tasks[t] then tasks[t]:wake() end end
function steps.yield() if coroutine.isyieldable() then coroutine.yield() end end
function steps.sleep(name, seconds) client_of(name):sleep(seconds) end
-- Raises an error; with a number only if the number is even.
function steps.raise(n)
  if not n or n % 2 == 0 then error("raised", 0) end
end

-- Steps the client for some seconds, as a host's loop does.
function steps.drive(name, seconds)
  local client, till = client_of(name), now() + seconds
  if coroutine.isyieldable() then return client:sleep(seconds) end
  drive(name, function()
    while now() < till and client:step(math.max(0, till - now())) do end
  end)
end

-- ---- pages ----

function steps.pages(name, p, options)
  local n = number_of(p)
  iterators[p] = client_of(name).results:pages({ agent_id = n }, options)
end

-- Takes the remaining items, with a `pause` between two of them. Retries once after an error.
function steps.drain(p, pause)
  if not iterators[p] then return end
  local left = 2
  log("drain", { pages = p })
  repeat
    local ok, item = pcall(iterators[p])
    if ok and item then log("item", { pages = p, id = item.id })
    elseif ok then return log("drained", { pages = p })
    else
      left = left - 1
      log("page_error", { pages = p, message = tostring(item) })
      if not tostring(item):find "%(" then error(item, 0) end
    end
    if pause and coroutine.isyieldable() then coroutine.yield() end
  until left == 0
end

-- ---- each ----

local function source_of(source)
  if source.pages then return iterators[source.pages] or {} end
  local list = {}
  for n = source[1], source[2] do list[#list + 1] = n end
  return list
end

local function number_in(item) return type(item) == "table" and item.id or item end

local function indices_of(list)
  local indices = {}
  for index in pairs(list or {}) do indices[#indices + 1] = index end
  table.sort(indices)
  return indices
end

local function report_of(report)
  local errors = {}
  for i, entry in ipairs(report.errors) do errors[i] = entry.index end
  return { ok = report.ok, failed = report.failed, skipped = report.skipped,
    unknown = report.unknown, errors = errors, results = indices_of(report.results) }
end

-- Runs an item's function and returns the results of its last call.
local function do_item(name, id, journal, fn, item, index)
  local n = number_in(item)
  local state = { dry = 0, real = 0, results = { n = 0 }, journal = journal }
  local co = coroutine.running()
  items[co], homes[co] = state, name
  log("enter", { each = id, run = run, n = n, index = index, journal = journal })
  local is_done = false
  local _ <close> = finally(function()
    items[co] = nil
    log("left", { each = id, run = run, n = n, index = index, ok = is_done, dry = state.dry,
      real = state.real })
  end)
  fn(n)
  is_done = (state.results[1] or state.results[2] == nil) and true or false
  return table.unpack(state.results, 1, state.results.n)
end

-- steps.each("A", 3, { 301, 320 }, { concurrency = 4, journal = true }, function(n) … end)
-- The source is { first, last }, or { pages = p }.
function steps.each(name, id, source, options, fn)
  local all = copy(options)
  all.journal = all.journal and folder .. "/" .. id
  all.key = all.journal and number_in
  if all.redo_unknown == "later" then all.redo_unknown = run > 1 end
  local record = { each = id, run = run, journal = options.journal, redo = all.redo_unknown,
    first = source[1], last = source[2], stop_on_error = all.stop_on_error }
  log("each_begin", record)
  local report, problem = drive(name, function()
    return client_of(name):each(source_of(source), function(item, index)
      return do_item(name, id, options.journal, fn, item, index)
    end, all)
  end)
  record.complete = report ~= nil
  record.message = problem and tostring(problem)
  report = report or problem.report
  record.report = report and report_of(report)
  log("each", record)
end

-- ---- interruptions ----

-- Blocks the whole process for some seconds.
function steps.busy(seconds)
  local till = now() + seconds
  log("busy", { start = now(), finish = till })
  while now() < till do end
end

-- after(0.1, "INT"), after(0.1, "KILL"), after(0.1, "STOP", 0.4): sends a signal after a delay,
-- while the program continues.
function steps.after(delay, signal, seconds)
  if run > 1 and signal ~= "STOP" then return end
  log("after", { delay = delay, signal = signal, seconds = seconds })
end

-- Returns whether on_event runs, even before its first statement.
local function is_in_event()
  for level = 2, math.huge do
    local info = debug.getinfo(level, "f")
    if not info then return false end
    if info.func == react or on_events[info.func] then return true end
  end
end

function steps.hook(kind, count)
  debug.sethook(function()
    if kind == "quiet" then return end
    debug.sethook()
    if is_in_event() then requests = nil end  -- on_event may not have counted its event
    error("hook", 0)
  end, "", count)
end

-- Gives an on_event to clients that are created from now on.
function steps.observe() requests, is_observed = 0, true end

-- Calls the function at the n-th event of an observed client from now on.
function steps.event(name, nth, fn) reactions[name] = { left = nth, fn = fn } end

-- Stops the collector, so that unreachable clients and tasks stay.
function steps.keep_garbage() collectgarbage "stop" end

-- Raises an ordinary error whose text is that of an interruption.
function steps.interrupt() error("interrupted!", 0) end

function steps.close(name) client_of(name):close() end

-- These configure the server; support/program.lua reads them.
function steps.usually() end
function steps.answers() end
function steps.list() end

-- ---- the program, and the last calls after it ----

local function count(path)
  local found = 0
  for _ in lfs.dir(path) do found = found + 1 end
  return found
end

local function left_open() return count "/proc/self/fd" + count "/proc/self/task" end

local main = coroutine.running()

-- Waits until no more signals come. Runs in a coroutine, because a signal that arrived just before
-- is delivered on the main thread.
local function settle()
  log("over", {})
  io.read()
  debug.sethook(main)
  reactions = {}
end

local function end_tasks()
  for t in pairs(tasks) do steps.cancel(t) end
end

-- Makes an ordinary call. A pause after a 429 may not have ended yet.
local function last_call(name, n)
  local record = { client = name, n = (run - 1) * PERIOD + n, call = "the last one",
    blocks = not coroutine.isyieldable(), run = run, start = now() }
  local value, more = KINDS.vote(clients[name], record.n, { deadline = 4 })
  record.finish = now()
  for field, is in pairs(outcome_of(value, more)) do record[field] = is end
  log("last", record)
end

-- Makes the last calls, in a task and without one.
local function last_calls()
  for name, n in pairs { A = 9996, B = 9998 } do
    local client = clients[name]
    if client and client:pollfd() then
      client:spawn(last_call, name, n):wait()
      last_call(name, n + 1)
    end
  end
end

local fn = assert(loadfile(program, "t", setmetatable({}, { __index = steps })))
local before = left_open()
local ok, raised = pcall(fn)
log("end", { ok = ok, raised = not ok and tostring(raised) or nil })
coroutine.wrap(settle)()
end_tasks()
last_calls()
for _, client in pairs(clients) do client:close() end
clients, tasks, iterators = {}, {}, {}
collectgarbage "restart"
collectgarbage()
collectgarbage()
log("left_open", { count = left_open() - before, requests = requests })
