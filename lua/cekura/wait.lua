--- `client.results:wait{…}` and its like: asks again and again until what a call has started is
--- done. It only ever reads; whatever happens, nothing is started a second time.
---
--- What is waited for is a subject: `poll` makes the calls of one look, `judge` says of what they
--- returned whether it is done, `count` how much of it, and `describe` what is still missing.

require "cekura.core"  -- brings the next one
local ascii = require "cekura.internal.ascii"
local check = require "cekura.internal.check"
local internal = require "cekura.internal"
local job = require "cekura.wait.optimiser_status"
local newer = require "cekura.wait.freshness"
local progress = require "cekura.each.progress"

local TIMEOUT = 1800           -- seconds
local FIRST, MOST = 1, 15      -- seconds between two polls, which grow from one to the other
local GROWTH, JITTER = 1.5, 0.1
local LAST_LOOK = 1            -- seconds before the timeout
local SHORTEST = 0.001         -- seconds that a call can be given
local AT_ONCE = 8              -- call logs that are read at the same time

--- Kinds of errors after which another poll may fare better.
local PASSING = { network = true, timeout = true, rate_limited = true, server = true,
  response = true }

-- ---- options ---------------------------------------------------------------------------------

--- The last three go to each poll, and are checked where those of all calls are.
local OPTIONS = {
  { "interval", check.is_seconds, check.SECONDS },
  { "timeout", check.is_seconds, check.SECONDS },
  { "progress", check.is_meter, "true, false or a function" },
  { "on_poll", check.is_function, "a function" },
  { "headers", check.elsewhere },
  { "deadline", check.elsewhere },
  { "max_attempts", check.elsewhere },
}

local check_options = check.new(OPTIONS, "option", "options.")

--- Returns the arguments without the options that are among them, and a problem for each of those.
local function take_options(arguments)
  local rest, problems = {}, {}
  for name, value in next, arguments do rest[name] = value end
  for _, row in ipairs(OPTIONS) do
    if rest[row[1]] ~= nil then
      rest[row[1]] = nil
      problems[#problems + 1] =
        { row[1], "is an option: it belongs in the second table, after the arguments" }
    end
  end
  return rest, problems
end

local function call_options(options)
  return { headers = options.headers, deadline = options.deadline,
    max_attempts = options.max_attempts }
end

--- A wait that fails is a failed call.
local function fail(problem)
  internal.note_failure(problem)
  return nil, problem
end

-- ---- the wait --------------------------------------------------------------------------------

local Wait = {}
Wait.__index = Wait

local function new_wait(client, subject, options)
  local now = internal.monotime()
  return setmetatable({
    client = client, subject = subject, options = options,
    meter = progress.new(options.progress),
    began = now, ends = now + (options.timeout or TIMEOUT),
    interval = options.interval or FIRST,
    polls = 0,
    last = nil,        -- the value of the last poll that had one
    trouble = nil,     -- the error of the last poll, if it failed
    is_last = false,   -- the poll before the timeout
  }, Wait)
end

function Wait:left() return self.ends - internal.monotime() end

function Wait:numbers()
  local done, total = self.subject:count(self.last)
  local elapsed, pause = internal.monotime() - self.began, internal.pause_left(self.client)
  return {
    done = done, total = total, ok = done, failed = 0, skipped = 0, unknown = 0,
    running = total - done, elapsed = elapsed, rate = elapsed > 0 and done / elapsed or 0,
    pause = pause > 0 and pause or nil, waiting = true,
  }
end

--- The options of a call that begins now: it ends with the wait at the latest.
function Wait:poll_options()
  local options = call_options(self.options)
  local most = math.max(self:left(), SHORTEST)
  local own = options.deadline or internal.deadline_of(self.client)
  options.deadline = math.min(own, most)
  return options
end

--- The value and its response, or nil and an error. The caller is told of each.
function Wait:poll()
  self.polls = self.polls + 1
  local value, response = self.subject:poll(self)
  if value ~= nil then self.last, self.trouble = value, nil else self.trouble = response end
  if self.trouble then internal.forgive(self.trouble) end  -- the whole wait is one call
  if self.options.on_poll then
    self.options.on_poll(value, self.polls, value == nil and response or nil)
  end
  return value, response
end

-- ---- pauses ----------------------------------------------------------------------------------

--- From 0.9 to 1.1, so that many waits that began together do not stay together. The caller's
--- math.random keeps its own sequence.
local function jitter()
  return 1 - JITTER + 2 * JITTER * (internal.monotime() * 1e5 % 1)
end

--- The pause before the next poll, which is longer each time unless the caller has chosen one.
function Wait:next_interval()
  local interval = self.interval
  if not self.options.interval then self.interval = math.min(interval * GROWTH, MOST) end
  return interval * jitter()
end

--- Seconds that the server wants to be left alone for.
function Wait:asked_for(response)
  if self.trouble then return tonumber(self.trouble.retry_after) or 0 end
  local text = response and response.headers["retry-after"]
  return text and text:find "^%d+$" and tonumber(text) or 0
end

--- Nil where there is no time left for another poll. The last one is made shortly before the end,
--- so that what is done by then is seen.
function Wait:pause(least)
  local left = self:left()
  local pause = math.max(self:next_interval(), least)
  if pause < left then return pause end
  if self.is_last or least >= left then return nil end
  self.is_last = true
  return math.max(left - math.min(left / 2, LAST_LOOK), least)
end

--- Sleeps, and shows meanwhile that it is alive. True, or nil and an error.
function Wait:sleep(seconds)
  local till = internal.monotime() + seconds
  repeat
    self.meter:show(self:numbers())
    local left = math.max(till - internal.monotime(), 0)
    local ok, problem = self.client:sleep(math.min(left, self.meter.interval))
    if not ok then return nil, problem end
  until internal.monotime() >= till
  return true
end

-- ---- the end ---------------------------------------------------------------------------------

--- nil, and the error with what was known last: of several things, also where a poll came through
--- for some of them only.
function Wait:fail(problem)
  problem.last = self.subject.values or self.last
  return fail(problem)
end

function Wait:error(kind, message)
  local problem = internal.error(kind, ("%s after %.0f s: %s"):format(
    kind == "timeout" and "not done" or "ended", internal.monotime() - self.began, message))
  problem.endpoint, problem.method = self.subject.name, "GET"
  return problem
end

function Wait:time_out()
  local trouble, message = self.trouble, self.subject:describe(self.last)
  if trouble then message = ("%s; the last poll failed: %s"):format(message, tostring(trouble)) end
  local problem = self:error("timeout", message)
  problem.cause = trouble
  problem.retry_after = trouble and trouble.retry_after
  return self:fail(problem)
end

--- True; or false while it goes on; or nil and an error, where it will never be done.
function Wait:judge(value)
  local done, kind, message, questions = self.subject:judge(value)
  if done ~= nil then return done end
  local problem = self:error(kind, message)
  problem.questions = questions
  return nil, problem
end

--- An error that another poll cannot mend; nil for one that it may. A 408 is no refusal.
local function final(problem)
  return not PASSING[problem.kind] and problem.status ~= 408 and problem or nil
end

function Wait:run()
  while true do
    local value, response = self:poll()
    local done, problem
    if value ~= nil then done, problem = self:judge(value) else problem = final(response) end
    if problem then return self:fail(problem) end
    if done then return value, response end
    local pause = self:pause(self:asked_for(value ~= nil and response))
    if not pause then return self:time_out() end
    local slept, broken = self:sleep(pause)
    if not slept then return self:fail(broken) end
    if self:left() <= 0 then return self:time_out() end
  end
end

--- However it is left, nothing stays on the screen.
function Wait:__close() self.meter:finish(self:numbers()) end

local function run(client, subject, options)
  local wait <close> = new_wait(client, subject, options)
  return wait:run()
end

-- ---- one thing that is asked for with one call -----------------------------------------------

local Subject = {}

function Subject:poll(wait) return self.read(self.arguments, wait:poll_options()) end

--- Nothing is sent: the call says what is wrong with its arguments and options, if anything is.
function Subject:problem(options)
  local call = call_options(options)
  call.dry_run = true
  local plan, problem = self.read(self.arguments, call)
  return not plan and problem or nil
end

local function kind_of_subject(base)
  local new = setmetatable({}, { __index = base })
  new.__index = new
  return new
end

-- ---- results ---------------------------------------------------------------------------------

local Result = kind_of_subject(Subject)
Result.name = "results.wait"

--- Of the statuses that the documents list, those that nothing follows. "failed" is said of the
--- calls' connections and not of the evaluation: it is a value like "completed".
local ENDED = { completed = true, failed = true, timeout = true, cancelled = true }

local function status_of(item)
  local status = type(item) == "table" and item.status
  return type(status) == "string" and ascii.lower(status) or nil
end

function Result.judge(_, result) return ENDED[status_of(result)] or false end

--- Its runs, where it shows them; else it is one thing.
function Result.count(_, result)
  local runs = type(result) == "table" and result.runs
  local done, total = 0, 0
  for _, each in pairs(type(runs) == "table" and runs or {}) do
    total = total + 1
    if ENDED[status_of(each)] then done = done + 1 end
  end
  if total > 0 then return done, total end
  return ENDED[status_of(result)] and 1 or 0, 1
end

function Result.describe(_, result)
  if result == nil then return "nothing is known of the result" end
  return ('the result\'s status is "%s"'):format(status_of(result) or "?")
end

-- ---- the optimiser's jobs --------------------------------------------------------------------

local Job = kind_of_subject(Subject)
Job.name = "metric_reviews.wait"

function Job.judge(_, answer)
  local state = job.read(answer)
  if state == "done" then return true elseif state == "going" then return false end
  local said = job.state(answer)
  if state == "asks" then
    return nil, "needs_person", ("the job asks a person something (%s): answer it in the dashboard")
      :format(said or "it has questions"), job.questions(answer)
  end
  return nil, "failed", ("the job has failed (%s)"):format(job.reason(answer) or said or "error")
end

function Job.count(_, answer) return job.read(answer) == "done" and 1 or 0, 1 end

function Job.describe(_, answer)
  if answer == nil then return "nothing is known of the job" end
  local state = job.state(answer)
  return state and ('the job\'s state is "%s"'):format(state) or "the job names no state"
end

-- ---- call logs -------------------------------------------------------------------------------

local Logs = {}
Logs.__index = Logs
Logs.name = "calls.wait"

local function to_id(value)
  if type(value) == "string" and not value:find "^[0-9]+$" then return nil end
  local id = math.tointeger(tonumber(value))
  return id and id > 0 and id or nil
end

local function is_table(value) return type(value) == "table" end

local check_fields = check.new({
  { "call_logs", is_table, "the list that calls:evaluate_metrics returned" },
  { "metrics", is_table, "a list of ids" },
}, "field", "")

local function check_log(log)
  if type(log) ~= "table" or not to_id(log.id) then
    return "must be a call log with its id, as calls:evaluate_metrics returned it"
  elseif not newer.is_snapshot(log) then
    return "must have updated_at and metrics, as calls:evaluate_metrics returned it: "
      .. "new values are told from those before"
  end
end

local function check_metric(id)
  return not to_id(id) and "must be an id: a whole number from 1 to 9223372036854775807" or nil
end

--- Adds what is wrong with a list, or with its items.
local function check_items(problems, arguments, name, check_item)
  local list = arguments[name]
  local function add(path, message) problems[#problems + 1] = message and { path, message } end
  if list == nil then return add(name, "is required") end
  if not is_table(list) then return end
  add(name, check.list_problem(list) or #list == 0 and "must have at least 1 item" or nil)
  for i, item in ipairs(list) do add(("%s[%d]"):format(name, i), check_item(item)) end
end

local function check_arguments(client, arguments)
  local problems = check_fields(client, arguments)
  check_items(problems, arguments, "call_logs", check_log)
  check_items(problems, arguments, "metrics", check_metric)
  return problems
end

local function ids_of(list)
  local ids, seen = {}, {}
  for _, item in ipairs(list) do
    local id = to_id(item)
    if not seen[id] then ids[#ids + 1] = id end
    seen[id] = true
  end
  return ids
end

--- `values` are the logs as they were seen last, in the caller's order.
local function new_logs(client, resource, arguments)
  local values, pending, metrics = {}, {}, ids_of(arguments.metrics)
  for i, log in ipairs(arguments.call_logs) do
    values[i] = log
    pending[i] = { id = to_id(log.id), place = i, watch = newer.watch(log, metrics) }
  end
  return setmetatable({ client = client, resource = resource, values = values,
    pending = pending }, Logs)
end

function Logs:read(entry, options)
  local log, response = self.resource:get({ call_log_id = entry.id }, options)
  if log == nil then return nil, response end
  self.values[entry.place], self.response = log, response
  entry.is_done = type(log) == "table" and entry.watch:is_done(log)
  return true
end

function Logs:drop_done()
  local pending = {}
  for _, entry in ipairs(self.pending) do
    if not entry.is_done then pending[#pending + 1] = entry end
  end
  self.pending = pending
end

--- Reads each log that is not done, several at once, until the wait's time is over. After an error
--- that cannot pass, none begins. Errors are not left to `each`, which would wait for a pause that
--- the server asked for.
function Logs:poll(wait)
  local hopeless, passing, begun
  local report, problem = self.client:each(self.pending, function(entry)
    if hopeless or begun and wait:left() <= 0 then return true end
    begun = true
    local ok, err = self:read(entry, wait:poll_options())
    if not ok then hopeless, passing = hopeless or final(err), passing or err end
    return true
  end, { concurrency = AT_ONCE })
  self:drop_done()
  problem = problem or hopeless or passing
  if problem then return nil, problem end
  if report.errors[1] then error(report.errors[1].error, 0) end
  return self.values, self.response
end

function Logs:judge() return #self.pending == 0 end

function Logs:count() return #self.values - #self.pending, #self.values end

local NAMED = 5  -- call logs in a message

function Logs:describe()
  local ids = {}
  for i = 1, math.min(#self.pending, NAMED) do ids[i] = ("%d"):format(self.pending[i].id) end
  local more = #self.pending > NAMED and ", …" or ""
  return ("%d of %d call logs have no new values yet: %s%s"):format(#self.pending, #self.values,
    table.concat(ids, ", "), more)
end

-- ---- the methods -----------------------------------------------------------------------------

--- nil, or one error of all problems: ours, and those that a call of the subject's would have.
local function problem_of(name, problems, found)
  if found and found.kind ~= "validation" then return found end
  if #problems == 0 and not found then return nil end
  return check.error(name, problems, found)
end

local function add_all(problems, others) table.move(others, 1, #others, #problems + 1, problems) end

--- A method that waits for what one call of the resource reads.
local function wait_for(kind, resource_name, call)
  return function(resource, arguments, options)
    local client, problem = internal.client_of(resource, resource_name, "wait")
    check.tables(resource_name .. ":wait", arguments, options)
    if not client then return fail(problem) end
    options = options or {}
    local rest, problems = take_options(arguments)
    local subject = setmetatable({
      arguments = rest, read = function(...) return resource[call](resource, ...) end,
    }, kind)
    add_all(problems, check_options(client, options))
    problem = problem_of(kind.name, problems, subject:problem(options))
    if problem then return fail(problem) end
    return run(client, subject, options)
  end
end

local function wait_for_logs(resource, arguments, options)
  local client, problem = internal.client_of(resource, "calls", "wait")
  check.tables("calls:wait", arguments, options)
  if not client then return fail(problem) end
  options = options or {}
  local rest, problems = take_options(arguments)
  add_all(problems, check_arguments(client, rest))
  add_all(problems, check_options(client, options))
  local plain = setmetatable({
    arguments = { call_log_id = 1 }, read = function(...) return resource:get(...) end,
  }, { __index = Subject })
  problem = problem_of(Logs.name, problems, plain:problem(options))
  if problem then return fail(problem) end
  return run(client, new_logs(client, resource, arguments), options)
end

return {
  results = wait_for(Result, "results", "get"),
  metric_reviews = wait_for(Job, "metric_reviews", "process_feedbacks_progress"),
  calls = wait_for_logs,
}
