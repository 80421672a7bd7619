--- The windows of a range of time that is longer than a list accepts, newest first.
--- `pages` reads one after the other.
---
--- Neighbouring windows share the instant between them, so that no item is in neither, whichever
--- end of a range the server includes. An item at that instant may be in both.

require "cekura.core"  -- preloads cekura.internal
local internal = require "cekura.internal"

local windows = {}

local DAY = 86400   -- seconds
local AHEAD = DAY   -- by how much the local clock may be slow, in seconds

--- Returns the seconds since 1970, and the digits of the fraction without zeros at their end; nil
--- unless the value is a timestamp.
local function time_of(value)
  local seconds, fraction = internal.timestamp(value)
  return seconds, fraction and fraction:gsub("0+$", "")
end

--- Returns the timestamp in UTC.
local function text_of(seconds, fraction)
  local date = os.date("!*t", seconds)
  return ("%04d-%02d-%02dT%02d:%02d:%02d%s%sZ"):format(date.year, date.month, date.day, date.hour,
    date.min, date.sec, fraction == "" and "" or ".", fraction)
end

--- Returns a function that returns the windows, newest first: the beginning and the end of each as
--- texts, and nil after the oldest one. The ends of the whole range are the arguments' texts. A
--- range without an end is read up to a day after `now`. Returns nil if the arguments can be sent
--- as they are: the row limits no range, the range is short enough, it has no beginning, or a text
--- is not a timestamp, which the list reports.
---@param arguments table of the list
---@param range { from: string, to: string, days: integer }? of the row
---@param now integer seconds since 1970
---@return (fun(): string?, string?)?
function windows.of(arguments, range, now)
  if not range then return nil end
  local from, to = arguments[range.from], arguments[range.to]
  if to == nil then to = text_of(now + AHEAD, "") end
  local from_seconds, from_fraction = time_of(from)
  local seconds, fraction = time_of(to)  -- of the end of the next window
  if not from_seconds or not seconds then return nil end
  local length = range.days * DAY

  local function is_too_long()
    local rest = seconds - from_seconds - length
    return rest > 0 or rest == 0 and fraction > from_fraction
  end

  if not is_too_long() then return nil end
  return function()
    local newest, oldest = to, nil
    if newest == nil then return nil end
    if is_too_long() then
      seconds = seconds - length
      oldest = text_of(seconds, fraction)
    end
    to = oldest
    return oldest or from, newest
  end
end

return windows
