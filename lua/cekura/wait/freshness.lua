--- Whether a call log has been evaluated since the snapshot of it that evaluate_metrics returned.
---
--- What a metric said carries no time, and a metric that runs again mostly says the same again: the
--- value alone tells neither that it is new nor that it is old. What there is to go by:
---
--- 1. A metric that had no value and has one now has run; so has one whose value, explanation or
---    other data are not those of the snapshot. For nothing else changes these: a reviewer's vote
---    stands beside them.
--- 2. A value that is as it was counts once the log's `updated_at` is later than the snapshot's,
---    for then it was written again. Both times are the server's: no clock of ours is compared.
--- 3. If several metrics were asked for, one of them may have moved it, while the others are still
---    at work with their old values in place. So it must stand still for a time: one and a half
---    times what it took to move since the first wait for this snapshot began, or half a minute if
---    it had moved before that. Metrics that run side by side, and one after the other, move it
---    again within that time, unless one takes much longer than those before it. These are lengths
---    of time and not moments, so that they may be measured here.
---
--- A vote on the same log moves `updated_at` too. That one is taken for an evaluation where a
--- person votes in the very moments of waiting, and the metric then says what it said before.

require "cekura.core"  -- brings the next one
local internal = require "cekura.internal"

local timestamp = internal.timestamp
local null = require "cjson".null

local newer = {}

local STILL = 1.5   -- of the time that it took to move
local UNKNOWN = 30  -- seconds, if nobody saw how long that was

-- ---- the server's times ----------------------------------------------------------------------

--- Whether one of the server's times is after another. Two views of a log may show fractions of
--- different lengths: what one of them leaves out is not compared.
function newer.is_later(time, other)
  local seconds, fraction = timestamp(time)
  local other_seconds, other_fraction = timestamp(other)
  if not seconds or not other_seconds then return false end
  if seconds ~= other_seconds then return seconds > other_seconds end
  local digits = math.min(#fraction, #other_fraction)
  return fraction:sub(1, digits) > other_fraction:sub(1, digits)
end

-- ---- what metrics said -----------------------------------------------------------------------

--- An evaluation's own words. A vote adds others: expected_value, thumbs_up, feedback.
local VALUES, REASONS = { "score", "enum", "value" }, { "explanation", "extra" }

local function is_there(value) return value ~= nil and value ~= null and value ~= "" end

local function has_value(entry)
  for _, name in ipairs(VALUES) do
    if entry and is_there(entry[name]) then return true end
  end
  return false
end

local function is_same(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then return one == other end
  for key, value in pairs(one) do
    if not is_same(value, other[key]) then return false end
  end
  for key in pairs(other) do
    if one[key] == nil then return false end
  end
  return true
end

local function given(value) return is_there(value) and value or nil end

--- Whether it says something else. A list of logs has no explanations: that is no difference.
local function says_else(entry, before)
  for _, name in ipairs(VALUES) do
    if given(entry[name]) ~= given(before[name]) then return true end
  end
  for _, name in ipairs(REASONS) do
    local one, other = given(entry[name]), given(before[name])
    if one ~= nil and other ~= nil and not is_same(one, other) then return true end
  end
  return false
end

local function metrics_of(log)
  local evaluation = log.evaluation
  local list = type(evaluation) == "table" and evaluation.metrics
  if type(list) ~= "table" then list = log.metrics end
  return type(list) == "table" and list or nil
end

--- { metric id = what it said }
local function by_id(log)
  local found = {}
  for _, entry in ipairs(metrics_of(log) or {}) do
    local id = type(entry) == "table" and math.tointeger(tonumber(entry.id))
    if id then found[id] = entry end
  end
  return found
end

-- ---- a log that is watched -------------------------------------------------------------------

--- A snapshot without a time and without metrics says nothing of how the log was before.
function newer.is_snapshot(log)
  return type(log) == "table" and (timestamp(log.updated_at) ~= nil or metrics_of(log) ~= nil)
end

--- What was seen of each log since its snapshot. It outlasts a wait: a second one for the same
--- snapshot goes on from there.
local histories = setmetatable({}, { __mode = "k" })

local function new_history()
  return {
    began = internal.monotime(),
    looked = false,
    seen = nil,      -- the last updated_at that is later than the snapshot's
    moved_at = nil,  -- when it was seen first
    still = 0,       -- seconds that it must stand still for
  }
end

local Watch = {}
Watch.__index = Watch

---@param snapshot table as evaluate_metrics returned it
---@param metrics integer[] the metrics that were asked for
function newer.watch(snapshot, metrics)
  histories[snapshot] = histories[snapshot] or new_history()
  return setmetatable({ snapshot = snapshot, before = by_id(snapshot), metrics = metrics,
    history = histories[snapshot] }, Watch)
end

--- Takes a look at the log. Whether it has been written since the snapshot.
function Watch:note(log)
  local history, now = self.history, internal.monotime()
  local looked = history.looked
  history.looked = true
  if not newer.is_later(log.updated_at, self.snapshot.updated_at) then return false end
  if log.updated_at ~= history.seen then
    local still = looked and STILL * (now - history.began) or UNKNOWN
    history.seen, history.moved_at = log.updated_at, now
    history.still = math.max(history.still, still)
  end
  return true
end

--- Whether what has not changed may be taken for evaluated anew: 2 and 3 above.
function Watch:is_settled(log)
  local history = self.history
  return self:note(log)
    and (#self.metrics == 1 or internal.monotime() - history.moved_at >= history.still)
end

--- Whether each metric that was asked for has a new value. To be asked after every look.
function Watch:is_done(log)
  local now, settled = by_id(log), self:is_settled(log)
  for _, id in ipairs(self.metrics) do
    local entry, before = now[id], self.before[id]
    if not has_value(entry) then return false end
    if has_value(before) and not says_else(entry, before) and not settled then return false end
  end
  return true
end

return newer
