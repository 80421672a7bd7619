--- `client.results:wait`: a result has ended when its status is one that no other follows.
--- "failed" describes the calls' connections, not the evaluation: it is a value like "completed".

local ascii = require "cekura.internal.ascii"

local result = { name = "results.wait" }

local FINAL = { completed = true, failed = true, timeout = true, cancelled = true }

local function status_of(item)
  local status = type(item) == "table" and item.status
  return type(status) == "string" and ascii.lower(status) or nil
end

local function is_final(item) return FINAL[status_of(item)] or false end

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

local function describe(value)
  if value == nil then return "nothing is known of the result" end
  return ('the result\'s status is "%s"'):format(status_of(value) or "?")
end

function result.read(resource, arguments, options) return resource:get(arguments, options) end

function result.new(_, resource, arguments)
  return {
    poll = function(wait) return result.read(resource, arguments, wait:poll_options()) end,
    judge = is_final, count = count, describe = describe,
  }
end

return result
