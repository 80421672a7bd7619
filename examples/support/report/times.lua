--- Times as the API writes them, as seconds since the epoch. Days, weeks and months are UTC's.

local times = {}

local DAY = 86400

--- Days from 1 January 1970 to a date of the Gregorian calendar. Years are counted from March, so
--- that the leap day is their last; 719468 days lie between 1 March of year 0 and 1970.
local function days_of(year, month, day)
  if month <= 2 then year = year - 1 end
  local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719468
end

local function offset_of(zone)
  local sign, hours, minutes = zone:match "([+-])(%d%d):?(%d%d)$"
  if not sign then return 0 end
  return tonumber(sign .. (hours * 3600 + minutes * 60))
end

--- Whether there is such a day: the 31st of June is not the 1st of July.
local function is_date(year, month, day)
  return os.date("!%Y-%m-%d", days_of(year, month, day) * DAY)
    == ("%04d-%02d-%02d"):format(year, month, day)
end

--- "2021-01-01T00:00:00Z", "2021-01-01 00:00:00" and the like; nil for what is no time.
---@param text any
---@return integer? seconds
function times.parse(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, rest = text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$"
  year, month, day = math.tointeger(year), math.tointeger(month), math.tointeger(day)
  if not year or not is_date(year, month, day) then return nil end
  local hour, minute, second = rest:match "^[T ](%d%d):(%d%d):?(%d*)"
  if not hour and rest ~= "" then return nil end
  local seconds = (tonumber(hour) or 0) * 3600 + (tonumber(minute) or 0) * 60
    + (tonumber(second) or 0)
  return math.tointeger(days_of(year, month, day) * DAY + seconds - (hour and offset_of(rest) or 0))
end

--- A date alone, as an option is given: its first second, and the first second of the day after.
---@return integer? from
---@return integer? to
function times.day(text)
  local from = text:find "^%d%d%d%d%-%d%d%-%d%d$" and times.parse(text)
  if from then return from, from + DAY end
end

--- "3 November 2025", and with other formats other parts; a day has no leading zero.
local function written(format, time) return (os.date(format, time):gsub("^0", "")) end

function times.date(time) return written("!%d %B %Y", time) end
function times.short(time) return written("!%d %b", time) end
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
  label = times.short, since = function(time) return "the week of " .. written("!%d %B", time) end,
}

local MONTH = {
  name = "month", start = first_of_month,
  next = function(time) return first_of_month(time + 31 * DAY) end,
  label = function(time) return os.date("!%b %Y", time) end,
  since = function(time) return os.date("!%B %Y", time) end,
}

local MOST_WEEKS = 26  -- more make a chart that nobody can read

--- What a span of time is best cut into: weeks, or months where those would be too many. It has
--- `name`, `start(time)`, `next(start)`, `label(start)` for a chart, `since(start)` for a sentence.
function times.period(from, to)
  return to - from <= MOST_WEEKS * 7 * DAY and WEEK or MONTH
end

return times
