--- Times as the API and the options write them, in seconds since the epoch.
--- Days, weeks and months are in UTC.

require "cekura.core"  -- loads cekura.internal
local internal = require "cekura.internal"

local times = {}

local DAY = 86400

--- Parses "2021-01-01T00:00:00Z", "2021-01-01 00:00:00", "2021-01-01" and similar forms. Returns
--- nil for everything else.
---@param text any
---@return integer? seconds
function times.parse(text)
  if type(text) ~= "string" then return nil end
  local date, time, zone = text:match "^(%d%d%d%d%-%d%d%-%d%d)[T ]?([%d:.]*)(.*)$"
  local midnight = date and internal.timestamp(date .. "T00:00:00Z")
  if not midnight or os.date("!%Y-%m-%d", midnight) ~= date then return nil end  -- such as 31 June
  if time == "" then time = "00:00:00" elseif #time == 5 then time = time .. ":00" end
  zone = zone == "" and "Z" or zone:gsub("^([+-]%d%d)(%d%d)$", "%1:%2")
  return (internal.timestamp(("%sT%s%s"):format(date, time, zone)))
end

-- ---- options ----

local DATE, TIME = "^%d%d%d%d%-%d%d%-%d%d$", "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"

local function option(text, time)
  local found = text:find(DATE) and text .. time or text:find(TIME) and text
  if found and times.parse(found) then return found end
  return nil, ("'%s' is not a date like 2025-01-31 or 2025-01-31T12:00:00Z"):format(text)
end

--- Parses an option that says from when on. Returns a time as text; a date counts from its first
--- second.
function times.first(text) return option(text, "T00:00:00Z") end

--- Parses an option that says until when. A date counts to its last second.
function times.last(text) return option(text, "T23:59:59Z") end

--- Returns whether a time of the API is in a range. Both ends may be nil.
---@param first string? of times.first
---@param last string? of times.last
function times.is_between(time, first, last)
  time = times.parse(time)
  return (not first or time ~= nil and time >= times.parse(first))
    and (not last or time ~= nil and time <= times.parse(last))
end

-- ---- as text ----

local function written(format, time) return (os.date(format, time):gsub("^0", "")) end

--- Returns "3 November 2025".
function times.date(time) return written("!%d %B %Y", time) end

--- Returns "3 Nov".
local function short(time) return written("!%d %b", time) end

--- Returns "2025-11-03T05:00:00Z", as the API writes times.
---@param time integer? now
function times.utc(time) return os.date("!%Y-%m-%dT%H:%M:%SZ", time) end

--- Returns "2025-11-03".
function times.iso(time) return os.date("!%Y-%m-%d", time) end

-- ---- periods ----

local function monday(time)
  local day = time // DAY
  return (day - (day + 3) % 7) * DAY  -- 1 January 1970 was a Thursday
end

local function first_of_month(time)
  return times.parse(os.date("!%Y-%m-01", time))
end

local WEEK = {
  name = "week", start = monday, next = function(time) return time + 7 * DAY end,
  label = short, since = function(time) return "the week of " .. written("!%d %B", time) end,
}

local MONTH = {
  name = "month", start = first_of_month,
  next = function(time) return first_of_month(time + 31 * DAY) end,
  label = function(time) return os.date("!%b %Y", time) end,
  since = function(time) return os.date("!%B %Y", time) end,
}

local MOST_WEEKS = 26  -- that a chart can show

--- Returns weeks as the periods of a span of time, or months if it is longer than MOST_WEEKS. The
--- table has `name`, `start(time)`, `next(start)`, `label(start)` for a chart, and `since(start)`
--- for a sentence.
function times.period(from, to)
  return to - from <= MOST_WEEKS * 7 * DAY and WEEK or MONTH
end

return times
