--- `wait{…}` of results, metric_reviews, metrics and calls: polls until background work has ended.
--- A wait only reads: nothing is started a second time.
---
--- Each file in wait/ is for one kind of work. It returns a table with
---
---     name                                the method, for errors: "results.wait"
---     read(resource, arguments, options)  makes one call; its dry run checks arguments and options
---     check(client, arguments)            returns further problems; may be missing
---     new(client, resource, arguments)    returns a subject
---
--- and a subject is a table with
---
---     poll(wait)       returns the value and its response, or nil and an error
---     judge(value)     returns whether the work has ended; or nil, a kind of error, its message,
---                      and questions
---     count(value)     returns how many parts of the work have ended, how many there are, and how
---                      many of those that have ended have failed; the last may be missing
---     describe(value)  returns in words what has not ended
---     result(value)    returns the result of the wait for the final value; may be missing
---     values           the value before the first poll; may be missing

require "cekura.core"  -- preloads cekura.internal
local check = require "cekura.internal.check"
local internal = require "cekura.internal"
local progress = require "cekura.each.progress"

local TIMEOUT = 1800       -- seconds
local FIRST, MOST = 1, 15  -- seconds between two polls, which grow from one to the other
local GROWTH, JITTER = 1.5, 0.1
local LAST_POLL = 1        -- seconds before the timeout
local SHORTEST = 0.001     -- seconds that a call can be given

-- ---- options ---------------------------------------------------------------------------------

local OPTIONS = {
  { "interval", "seconds" },
  { "timeout", "seconds" },
  { "progress", check.is_meter, wanted = check.METER },
  { "on_poll", "function" },
  { "headers", "any" },  -- these three are options of each poll, and are checked with it
  { "deadline", "any" },
  { "max_attempts", "any" },
}

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

--- A wait that fails is a failed call of the running task.
local function fail(problem)
  internal.note_failure(problem)
  return nil, problem
end

-- ---- the wait --------------------------------------------------------------------------------

local Wait = {}
Wait.__index = Wait

local function new_wait(client, kind, subject, options)
  local now = internal.monotime()
  return setmetatable({
    client = client, name = kind.name, subject = subject, options = options,
    meter = progress.new(options.progress),
    began = now, ends = now + (options.timeout or TIMEOUT),
    interval = options.interval or FIRST,
    polls = 0,
    last = subject.values,  -- the value of the last poll that succeeded
    problem = nil,          -- the error of the last poll, if it failed
    is_last = false,        -- whether the next poll is the one before the timeout
  }, Wait)
end

function Wait:left() return self.ends - internal.monotime() end

--- Returns what a progress function is called with: cekura.Progress.
function Wait:numbers()
  local done, total, failed = self.subject.count(self.last)
  failed = failed or 0
  local elapsed, pause = internal.monotime() - self.began, internal.pause_left(self.client)
  return {
    done = done, total = total, ok = done - failed, failed = failed, skipped = 0, unknown = 0,
    running = total - done, elapsed = elapsed, rate = elapsed > 0 and done / elapsed or 0,
    pause = pause > 0 and pause or nil, waiting = true,
    problem = self.problem and self.problem.kind,
  }
end

--- Clears the progress line, however the wait ends.
function Wait:__close() self.meter:finish(self:numbers()) end

--- Returns the options of a call that begins now. It ends with the wait at the latest.
function Wait:poll_options()
  local options = call_options(self.options)
  local own = options.deadline or internal.deadline_of(self.client)
  options.deadline = math.min(own, math.max(self:left(), SHORTEST))
  return options
end

--- Returns the value and its response, or nil and an error. Calls on_poll with them.
function Wait:poll()
  self.polls = self.polls + 1
  local value, response = self.subject.poll(self)
  if value ~= nil then self.last, self.problem = value, nil else self.problem = response end
  if self.problem then internal.forgive(self.problem) end  -- the whole wait counts as one call
  if self.options.on_poll then
    self.options.on_poll(value, self.polls, value == nil and response or nil)
  end
  return value, response
end

local TRANSIENT = { network = true, timeout = true, rate_limited = true, server = true,
  response = true }

--- Returns whether another poll may succeed after the error. A 408 asks for another request.
function Wait.is_transient(problem) return TRANSIENT[problem.kind] or problem.status == 408 end

--- Returns a factor from 0.9 to 1.1, so that waits that began together spread out. math.random is
--- not used, because a script may depend on its sequence.
local function jitter() return 1 - JITTER + 2 * JITTER * (internal.monotime() * 1e5 % 1) end

--- Returns the seconds that the server asked to wait for; 0 if it did not.
function Wait:retry_after(response)
  if self.problem then return tonumber(self.problem.retry_after) or 0 end
  return response and internal.retry_after(response.headers) or 0
end

--- Returns the seconds to the next poll, nil if there is no time for one. The last poll is shortly
--- before the timeout, so that it sees all work that has ended by then.
function Wait:pause(response)
  local left, least, interval = self:left(), self:retry_after(response), self.interval
  if not self.options.interval then self.interval = math.min(interval * GROWTH, MOST) end
  local pause = math.max(interval * jitter(), least)
  if pause < left then return pause end
  if self.is_last or least >= left then return nil end
  self.is_last = true
  return math.max(left - math.min(left / 2, LAST_POLL), least)
end

--- Sleeps, and shows the progress meanwhile. Returns true, or nil and an error.
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

function Wait:fail(problem)
  problem.last = self.last
  return fail(problem)
end

function Wait:error(kind, message)
  local problem = internal.error(kind, ("%s after %.0f s: %s"):format(
    kind == "timeout" and "not done" or "ended", internal.monotime() - self.began, message))
  problem.endpoint, problem.method = self.name, "GET"
  return problem
end

function Wait:time_out()
  local cause, message = self.problem, self.subject.describe(self.last)
  if cause then message = ("%s; the last poll failed: %s"):format(message, tostring(cause)) end
  local problem = self:error("timeout", message)
  problem.cause, problem.retry_after = cause, cause and cause.retry_after
  return self:fail(problem)
end

function Wait:run()
  while true do
    local value, response = self:poll()
    if value ~= nil then
      local done, kind, message, questions = self.subject.judge(value)
      if done then
        local result = self.subject.result
        return result and result(value) or value, response
      end
      if done == nil then
        local problem = self:error(kind, message)
        problem.questions = questions
        return self:fail(problem)
      end
    elseif not self.is_transient(response) then
      return self:fail(response)
    end
    local pause = self:pause(value ~= nil and response)
    if not pause then return self:time_out() end
    local slept, problem = self:sleep(pause)
    if not slept then return self:fail(problem) end
    if self:left() <= 0 then return self:time_out() end
  end
end

-- ---- the methods -----------------------------------------------------------------------------

local function add_all(problems, others) table.move(others, 1, #others, #problems + 1, problems) end

--- Returns the arguments, or nil and one error of all problems. Nothing is sent.
local function check_call(client, kind, resource, given, options)
  local arguments, problems = take_options(given)
  if kind.check then add_all(problems, kind.check(client, arguments)) end
  add_all(problems, internal.check_options(client, options, OPTIONS, "option", "options"))
  local dry = call_options(options)
  dry.dry_run = true
  local plan, problem = kind.read(resource, arguments, dry)
  if plan then problem = nil end
  if problem and problem.kind ~= "validation" then return nil, problem end
  if problem or #problems > 0 then return nil, check.error(kind.name, problems, problem) end
  return arguments
end

local function method(resource_name, kind)
  return function(resource, arguments, options)
    local client, problem = internal.client_of(resource, resource_name, "wait")
    check.tables(resource_name .. ":wait", arguments, options)
    if not client then return fail(problem) end
    options = options or {}
    arguments, problem = check_call(client, kind, resource, arguments, options)
    if not arguments then return fail(problem) end
    local subject = kind.new(client, resource, arguments)
    local wait <close> = new_wait(client, kind, subject, options)
    return wait:run()
  end
end

local job = require "cekura.wait.job"

return {
  results = method("results", require "cekura.wait.result"),
  metric_reviews = method("metric_reviews", job.metric_reviews),
  metrics = method("metrics", job.metrics),
  calls = method("calls", require "cekura.wait.call_logs"),
}
