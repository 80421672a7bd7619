--- Freshness of a call log: whether each metric was evaluated after the snapshot of the log that
--- `calls:evaluate_metrics` returned.
---
--- A value has no time of its own, and a second evaluation mostly gives the same value. So:
---
--- 1. A value is new if the snapshot has none, or if the value or its explanation differ. Only an
---    evaluation changes these: a vote is stored next to them. The snapshot is a response of
---    version 1, the polled log one of version 2: 5 and true are the same value. `extra` is not
---    compared, because no document says that both versions encode it alike.
--- 2. An unchanged value is new if the log's `updated_at` is later than the snapshot's. Both times
---    are the server's; no local clock is compared.
--- 3. With several metrics, one may have changed `updated_at` while others are still evaluated. An
---    unchanged value then counts once `updated_at` has not changed for a while: 1.5 times as long
---    as its change took, counted from the first wait for this snapshot, and at least one second;
---    30 seconds if it had changed before the first poll.
---
--- A vote on the log changes `updated_at` too, and is taken for an evaluation by rules 2 and 3. A
--- metric that does not apply gets no value: null is also what a log has before its evaluation.

require "cekura.core"  -- preloads cekura.internal
local internal = require "cekura.internal"
local values = require "cekura.values"

local freshness = {}

local STILL_FACTOR = 1.5
local STILL_LEAST = 1     -- seconds
local STILL_UNKNOWN = 30  -- seconds, if no poll saw how long the change took

--- Returns whether one of the server's times is later than the other. Two views of a log may show
--- fractions of different lengths, which are compared as far as both go.
function freshness.is_later(time, other)
  local seconds, fraction = internal.timestamp(time)
  local other_seconds, other_fraction = internal.timestamp(other)
  if not seconds or not other_seconds then return false end
  if seconds ~= other_seconds then return seconds > other_seconds end
  local digits = math.min(#fraction, #other_fraction)
  return fraction:sub(1, digits) > other_fraction:sub(1, digits)
end

-- ---- the metrics of a log --------------------------------------------------------------------

local function has_value(entry) return entry ~= nil and values.row(entry).applies end

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

--- Returns whether two entries of a metric differ. An explanation that only one of them has is not
--- a difference: lists of logs have none.
local function differs(entry, before)
  local row, raw = values.row(entry, before.type)
  local old, old_raw = values.row(before, row.kind)
  if row.value ~= old.value then return true end
  if row.value == nil and not is_same(raw, old_raw) then return true end
  return row.explanation ~= nil and old.explanation ~= nil
    and not is_same(row.explanation, old.explanation)
end

--- Returns the entries by metric id; nil if the log has no list of metrics.
local function metrics_of(log)
  local entries = values.entries(log)
  if not entries then return nil end
  local by_id = {}
  for _, entry in ipairs(entries) do
    local id = type(entry) == "table" and values.row(entry).id
    if id then by_id[id] = entry end
  end
  return by_id
end

-- ---- a log that is watched -------------------------------------------------------------------

--- Returns whether the value can be the snapshot of a log: it needs a time or metrics.
function freshness.is_snapshot(log)
  return type(log) == "table"
    and (internal.timestamp(log.updated_at) ~= nil or metrics_of(log) ~= nil)
end

--- The observations of the polls since each snapshot. A second wait for the same snapshot continues
--- from there.
local histories = setmetatable({}, { __mode = "k" })

local Watch = {}
Watch.__index = Watch

---@param snapshot table as evaluate_metrics returned it
---@param metrics integer[] the metrics that it was given
function freshness.watch(snapshot, metrics)
  histories[snapshot] = histories[snapshot] or {
    began = internal.monotime(),
    polled = false,
    updated_at = nil,  -- the last one that is later than the snapshot's
    changed_at = nil,  -- when a poll saw it first
    still = 0,         -- seconds for which it must not change
  }
  return setmetatable({ snapshot = snapshot, before = metrics_of(snapshot) or {},
    metrics = metrics, history = histories[snapshot] }, Watch)
end

--- Records the log's `updated_at`. Returns whether unchanged values are new, by rules 2 and 3. The
--- response shows the log as it was at `asked` or later: one that was delayed shows no more.
function Watch:is_settled(log, asked)
  local history, now = self.history, internal.monotime()
  local was_polled = history.polled
  history.polled = true
  if not freshness.is_later(log.updated_at, self.snapshot.updated_at) then return false end
  if log.updated_at ~= history.updated_at then
    local took = STILL_FACTOR * (now - history.began)
    local still = was_polled and math.max(took, STILL_LEAST) or STILL_UNKNOWN
    history.updated_at, history.changed_at = log.updated_at, now
    history.still = math.max(history.still, still)
  end
  return #self.metrics == 1 or asked - history.changed_at >= history.still
end

--- Returns whether each metric has a new value. Every poll of the log must be passed to it.
---@param log table the response
---@param asked number when its request began, by internal.monotime
function Watch:is_done(log, asked)
  local entries, is_settled = metrics_of(log) or {}, self:is_settled(log, asked)
  for _, id in ipairs(self.metrics) do
    local entry, before = entries[id], self.before[id]
    if not has_value(entry) then return false end
    if has_value(before) and not differs(entry, before) and not is_settled then return false end
  end
  return true
end

return freshness
