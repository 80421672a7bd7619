--- `client.calls:wait`: call logs have ended when each metric has a new value on each of them.
--- A poll reads every log that has not ended, several at a time.

require "cekura.core"  -- preloads cekura.internal
local check = require "cekura.internal.check"
local freshness = require "cekura.wait.freshness"
local internal = require "cekura.internal"

local call_logs = { name = "calls.wait" }

local AT_ONCE = 8       -- logs that are read at the same time
local MOST_IN_TEXT = 5  -- logs that a message names

-- ---- arguments -------------------------------------------------------------------------------

local FIELDS = {
  { "call_logs", "table", wanted = "the list that calls:evaluate_metrics returned" },
  { "metrics", "table", wanted = "a list of ids" },
}

local function log_problem(log)
  if type(log) ~= "table" or not check.to_id(log.id) then
    return "must be a call log with its id, as calls:evaluate_metrics returned it"
  elseif not freshness.is_snapshot(log) then
    return "must have updated_at and metrics, as calls:evaluate_metrics returned it: "
      .. "new values are compared with the old ones"
  end
end

local function metric_problem(id)
  if check.to_id(id) then return nil end
  return "must be an id: a whole number from 1 to 9223372036854775807"
end

local function add_list_problems(problems, arguments, name, problem_of_item)
  local list = arguments[name]
  local function add(path, message) problems[#problems + 1] = message and { path, message } end
  if list == nil then return add(name, "is required") end
  if type(list) ~= "table" then return end
  add(name, check.list_problem(list) or #list == 0 and "must have at least 1 item" or nil)
  for i, item in ipairs(list) do add(("%s[%d]"):format(name, i), problem_of_item(item)) end
end

--- Returns the problems of the arguments.
function call_logs.check(client, arguments)
  local problems = internal.check_options(client, arguments, FIELDS, "field")
  add_list_problems(problems, arguments, "call_logs", log_problem)
  add_list_problems(problems, arguments, "metrics", metric_problem)
  return problems
end

-- ---- polling ---------------------------------------------------------------------------------

local function unique_ids(list)
  local ids, seen = {}, {}
  for _, item in ipairs(list) do
    local id = check.to_id(item)
    if not seen[id] then ids[#ids + 1] = id end
    seen[id] = true
  end
  return ids
end

local function not_done(entries)
  local rest = {}
  for _, entry in ipairs(entries) do
    if not entry.is_done then rest[#rest + 1] = entry end
  end
  return rest
end

--- Makes a call whose dry run checks the options. `check` is for the arguments.
function call_logs.read(resource, _, options) return resource:get({ call_log_id = 1 }, options) end

function call_logs.new(client, resource, arguments)
  local values, pending, metrics = {}, {}, unique_ids(arguments.metrics)
  local last_response
  for i, log in ipairs(arguments.call_logs) do
    values[i] = log
    pending[i] = { id = check.to_id(log.id), index = i, watch = freshness.watch(log, metrics) }
  end

  --- Errors are kept from `each`, which would wait for a pause that the server asked for. After an
  --- error that is not transient, or the timeout, no further log is read.
  local function poll(wait)
    local final, transient, begun
    local report, problem = client:each(pending, function(entry)
      if final or begun and wait:left() <= 0 then return true end
      begun = true
      local asked = internal.monotime()
      local log, response = resource:get({ call_log_id = entry.id }, wait:poll_options())
      if log ~= nil then
        values[entry.index], last_response = log, response
        entry.is_done = type(log) == "table" and entry.watch:is_done(log, asked)
      elseif wait.is_transient(response) then
        transient = transient or response
      else
        final = final or response
      end
      return true
    end, { concurrency = AT_ONCE })
    pending = not_done(pending)
    problem = problem or final or transient
    if problem then return nil, problem end
    if report.errors[1] then error(report.errors[1].error, 0) end
    return values, last_response
  end

  local function describe()
    local ids = {}
    for i = 1, math.min(#pending, MOST_IN_TEXT) do ids[i] = ("%d"):format(pending[i].id) end
    return ("%d of %d call logs have no new values yet: %s%s"):format(#pending, #values,
      table.concat(ids, ", "), #pending > MOST_IN_TEXT and ", …" or "")
  end

  return {
    values = values,  -- the logs as they were read last, in the caller's order
    poll = poll,
    judge = function() return #pending == 0 end,
    count = function() return #values - #pending, #values end,
    describe = describe,
  }
end

return call_logs
