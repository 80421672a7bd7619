--- Dates on the command line: 2025-01-31, or 2025-01-31T12:00:00Z. All of them are UTC.

local dates = {}

local DAY, MOMENT = "^%d%d%d%d%-%d%d%-%d%d$", "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"

--- Whether the calendar has it: os.time would take 30 February for 2 March.
local function exists(time)
  local year, month, day, hour, minute, second =
    time:match "^(%d+)%-(%d+)%-(%d+)T(%d+):(%d+):(%d+)Z$"
  local noon = os.time { year = year, month = month, day = day, hour = 12 }
  return os.date("%Y-%m-%d", noon) == time:sub(1, 10)
    and tonumber(hour) < 24 and tonumber(minute) < 60 and tonumber(second) < 61
end

local function moment(text, time)
  local found = text:find(DAY) and text .. time or text:find(MOMENT) and text
  if found and exists(found) then return found end
  return nil, ("'%s' is not a date like 2025-01-31 or 2025-01-31T12:00:00Z"):format(text)
end

--- For options that say from when on.
function dates.first(text) return moment(text, "T00:00:00Z") end

--- For options that say up to when: a day counts to its end.
function dates.last(text) return moment(text, "T23:59:59Z") end

--- Whether one of the server's times is between the two, of which either may be nil.
function dates.is_between(time, first, last)
  time = tostring(time):sub(1, 19):gsub(" ", "T")  -- as text, times in UTC are in order
  return (not first or time >= first:sub(1, 19)) and (not last or time <= last:sub(1, 19))
end

return dates
