--- `client.results:wait`: a result has ended when its status is one that no other follows.
--- "failed" describes the calls' connections, not the evaluation: it is a value like "completed".
---
--- Before an evaluation, the status is final as well, and a slow server may still show it later.
--- With `after`, the result as it was then, a status ends the wait unless it may be the old one:
---
--- 1. A response whose `updated_at` is earlier than the snapshot's is ignored.
--- 2. A final status is new if the snapshot's was not final, or if its `updated_at` is later.
--- 3. It is also new after a status that is not final and whose `updated_at` is not later than the
---    snapshot's: this server does not change the time when an evaluation begins.

require "cekura.core"  -- preloads cekura.internal
local ascii = require "cekura.internal.ascii"
local check = require "cekura.internal.check"
local freshness = require "cekura.wait.freshness"
local internal = require "cekura.internal"

local result = { name = "results.wait" }

--- The final ones of the states of ResultDetailV2, the schema of results-retrieve.
local FINAL = { completed = true, failed = true, timeout = true, cancelled = true }

local function status_of(item)
  local status = type(item) == "table" and item.status
  return type(status) == "string" and ascii.lower(status) or nil
end

local function is_final(item) return FINAL[status_of(item)] or false end

-- ---- arguments -------------------------------------------------------------------------------

local FIELDS = {
  { "result_id", "any" },  -- results.get checks it
  { "after", "table", wanted = "the result as results:get returned it before the evaluation" },
}

local function after_problem(after, result_id)
  local id = check.to_id(after.id)
  if not id or not status_of(after) then
    return "must have id and status, as results:get returned it before the evaluation"
  elseif check.to_id(result_id) and id ~= check.to_id(result_id) then
    return ("is result %d, not result %d"):format(id, check.to_id(result_id))
  end
end

--- Returns the problems of the arguments.
function result.check(client, arguments)
  local problems = internal.check_options(client, arguments, FIELDS, "field")
  local after = arguments.after
  local problem = type(after) == "table" and after_problem(after, arguments.result_id)
  problems[#problems + 1] = problem and { "after", problem } or nil
  return problems
end

-- ---- old and new -----------------------------------------------------------------------------

--- Returns the `updated_at` in the form of RFC 3339, with a T and a zone, which the example of
--- ResultDetailV2 does not have.
local function time_of(item)
  local text = type(item.updated_at) == "string" and item.updated_at or ""
  local day, time, zone = text:match "^([0-9-]+)[ T]([0-9:.]+)(.*)$"
  return day and ("%sT%s%s"):format(day, time, zone == "" and "Z" or zone)
end

local function is_later(item, other) return freshness.is_later(time_of(item), time_of(other)) end

--- Snapshots whose evaluation was seen without a later `updated_at`. A second wait for the same
--- snapshot continues from there.
local seen_running = setmetatable({}, { __mode = "k" })

--- Returns whether the final status of a value may be from before the evaluation. Every poll must
--- be passed to it.
local function is_old(value, after)
  local status = status_of(value)
  if not status or is_later(after, value) then return true end
  if FINAL[status] then
    return is_final(after) and not seen_running[after] and not is_later(value, after)
  end
  if not is_later(value, after) then seen_running[after] = true end
  return false
end

-- ---- polling ---------------------------------------------------------------------------------

--- Counts the result's runs, if it shows any; otherwise it counts as one.
local function count(value)
  local runs = type(value) == "table" and value.runs
  local done, total = 0, 0
  for _, run in pairs(type(runs) == "table" and runs or {}) do
    total = total + 1
    if is_final(run) then done = done + 1 end
  end
  if total > 0 then return done, total end
  return is_final(value) and 1 or 0, 1
end

function result.read(resource, arguments, options)
  return resource:get({ result_id = arguments.result_id }, options)
end

function result.new(_, resource, arguments)
  local after, last_is_old = arguments.after, false

  local function judge(value)
    last_is_old = after ~= nil and is_old(value, after)
    return is_final(value) and not last_is_old
  end

  local function describe(value)
    if value == nil then return "nothing is known of the result" end
    if last_is_old and is_final(value) then
      return ('the result\'s status is still "%s", the one from before the evaluation')
        :format(status_of(value))
    end
    return ('the result\'s status is "%s"'):format(status_of(value) or "?")
  end

  return {
    poll = function(wait) return result.read(resource, arguments, wait:poll_options()) end,
    judge = judge, describe = describe,
    count = function(value)
      local done, total = count(value)
      return last_is_old and 0 or done, total
    end,
  }
end

return result
