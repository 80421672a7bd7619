--- Dates on the command line: 2025-01-31, or 2025-01-31T12:00:00Z. All of them are UTC.

local dates = {}

local DAY, MOMENT = "^%d%d%d%d%-%d%d%-%d%d$", "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"

local function moment(text, time)
  if text:find(DAY) then return text .. time end
  if text:find(MOMENT) then return text end
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
