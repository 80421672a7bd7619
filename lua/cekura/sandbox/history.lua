--- The versions of a metric. Each change adds one.

local Ring = require "cekura.sandbox.ring"

local history = {}

local KEPT = 1000 -- versions of a metric

--- The fields of a metric that are not part of a version.
local OUTSIDE = { history = true, known = true, version = true, updated_at = true }

--- Adds the present fields as a version. The first one has the type "+", the others "~".
---@param reason string? why the metric was changed
function history.record(metric, at, reason)
  metric.history = metric.history or Ring.new(KEPT)
  local n, fields = metric.history.count, {}
  for name, value in pairs(metric) do
    if not OUTSIDE[name] then fields[name] = value end
  end
  metric.history:add {
    id = metric.id * 100000 + n + 1, type = n == 0 and "+" or "~", at = at, reason = reason,
    fields = fields,
  }
end

--- Gives the metric the fields of the version with this id. Returns whether there is one.
function history.restore(metric, id)
  for _, version in ipairs(metric.history:list()) do
    if version.id == id then
      for name in pairs(metric) do
        if not OUTSIDE[name] then metric[name] = version.fields[name] end
      end
      for name, value in pairs(version.fields) do metric[name] = value end
      return true
    end
  end
  return false
end

return history
