-- A process of combination_spec: runs a program and writes what happens as JSON, an object
-- a line, for support/program_checks.lua and support/program_runner.py.
--
--   program_child.lua PROGRAM URL RUN FOLDER
--
-- RUN is 1, or more in a process that resumes what an earlier one began; FOLDER has the journals.
-- The functions of `steps` are a program's globals. Names of clients are "A" and "B"; calls, tasks
-- and iterators have numbers. A number that names nothing (yet) does no harm, so that any step can
-- be left out of a program.
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
local requests  -- that on_event was told of, if the program observes
local on_events = setmetatable({}, { __mode = "k" })
local is_observed = false  -- whether the next clients have an on_event
local is_reacting = false  -- on_event runs

io.stdout:setvbuf "line"

local function log(what, record)
  local text = json.encode(record)
  local rest = text == "{}" and "}" or "," .. text:sub(2)
  io.stdout:write(('{"what":"%s"%s\n'):format(what, rest))
end

-- Nothing below catches an error to raise it again: what a hook raises must come from the hook.
local function finally(fn) return setmetatable({}, { __close = fn }) end

-- Calls a function, and logs how long that took even if it raises.
local function logged(what, record, fn, ...)
  record.start = now()
  local _ <close> = finally(function()
    record.finish = now()
    log(what, record)
  end)
  return fn(...)
end

-- ---- clients ----

-- What on_event does once, at its n-th event.
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

local homes = setmetatable({}, { __mode = "k" })  -- the name of the client of a task's coroutine

-- Code of tasks runs only meanwhile. A task that waits for those of another client blocks its own.
local function drive(name, fn, ...)
  if not coroutine.isyieldable() then return logged("drive", { client = name }, fn, ...) end
  local home = homes[coroutine.running()]
  if home == nil or home == name then return fn(...) end
  return logged("busy", {}, fn, ...)
end

-- ---- items: what their function has done is kept by its coroutine ----

local items = setmetatable({}, { __mode = "k" })

-- Calls that on_event makes are none of the item's.
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

-- Without a journal, what a later run does has numbers of its own.
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

-- Makes a call, and logs how it ended.
local function make(record, options)
  log("begin", record)
  local value, more = KINDS[record.call](client_of(record.client), record.n, options)
  record.finish = now()
  for field, is in pairs(outcome_of(value, more)) do record[field] = is end
  log("call", record)
  note("real", value, more)
  return value, more
end

-- steps.call("A", 7, "bulk", { deadline = 0.5 }). With dry_run = "first" it is a dry run in the
-- first run of the program only.
function steps.call(name, n, kind, options)
  local all = copy(options)
  if all.dry_run == "first" then all.dry_run = run == 1 or nil end
  local record = record_of(name, n, kind, all)
  if not all.dry_run then return make(record, all) end
  note("dry", KINDS[kind](client_of(name), record.n, all))
end

-- The same where no task can stand still: everything else waits.
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

-- What it does within an item's function is the item's.
function steps.spawn(name, t, fn)
  local item = item_here()
  tasks[t] = client_of(name):spawn(function()
    items[coroutine.running()] = item
    homes[coroutine.running()] = name
    fn()
  end)
end

-- A task for each number, which makes a call.
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
-- With a number: raises if it is even.
function steps.raise(n)
  if not n or n % 2 == 0 then error("raised", 0) end
end

-- Steps for some time, as a host's loop does.
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

-- Takes all that is left, `pause` between two items. After an error it asks once more.
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

-- What an item's function returns: the results of its last call.
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
-- The source is the first and the last number, or { pages = p }.
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

-- ---- what comes in between ----

-- Does nothing for as long; neither does anything else.
function steps.busy(seconds)
  local till = now() + seconds
  log("busy", { start = now(), finish = till })
  while now() < till do end
end

-- after(0.1, "INT"), after(0.1, "KILL"), after(0.1, "STOP", 0.4): a signal, while the rest goes on.
function steps.after(delay, signal, seconds)
  if run > 1 and signal ~= "STOP" then return end
  log("after", { delay = delay, signal = signal, seconds = seconds })
end

-- Whether on_event runs, perhaps before its first statement.
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
    if is_in_event() then requests = nil end  -- it may not have counted its event
    error("hook", 0)
  end, "", count)
end

-- Clients that are made from now on have an on_event.
function steps.observe() requests, is_observed = 0, true end

-- The n-th event of an observed client from now on calls the function.
function steps.event(name, nth, fn) reactions[name] = { left = nth, fn = fn } end

-- Leaves garbage alone: what is forgotten, but not ended, stays.
function steps.keep_garbage() collectgarbage "stop" end

-- An ordinary error, whatever it says.
function steps.interrupt() error("interrupted!", 0) end

function steps.close(name) client_of(name):close() end

-- For the server only: support/program.lua reads them.
function steps.usually() end
function steps.answers() end
function steps.list() end

-- ---- the program, and what must hold after it ----

local function count(path)
  local found = 0
  for _ in lfs.dir(path) do found = found + 1 end
  return found
end

local function left_open() return count "/proc/self/fd" + count "/proc/self/task" end

local main = coroutine.running()

-- No signal comes from here on. In a coroutine, because one that came just before is for the main
-- thread.
local function settle()
  log("over", {})
  io.read()
  debug.sethook(main)
  reactions = {}
end

local function end_tasks()
  for t in pairs(tasks) do steps.cancel(t) end
end

-- A normal call of a client. A pause that a 429 began may still be on.
local function last_call(name, n)
  local record = { client = name, n = (run - 1) * PERIOD + n, call = "the last one",
    blocks = not coroutine.isyieldable(), run = run, start = now() }
  local value, more = KINDS.vote(clients[name], record.n, { deadline = 4 })
  record.finish = now()
  for field, is in pairs(outcome_of(value, more)) do record[field] = is end
  log("last", record)
end

-- In a task, and by itself.
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
