--- How far many calls have come, for whoever waits: a line on stderr that is drawn again and again
--- where that is a terminal, a plain line now and then where it is none, or a function of the
--- caller's. Nothing goes to stdout.
---
---     local meter = progress.new(true)
---     meter:show(numbers)     -- as often as one likes
---     meter:finish(numbers)

require "cekura.core"  -- brings the next one
local ascii = require "cekura.internal.ascii"
local internal = require "cekura.internal"

local progress = {}

--- What is shown; whoever counts works it all out.
---@class cekura.progress.Numbers
---@field done integer items that have ended, skipped ones too
---@field total integer? nil: not known
---@field ok integer
---@field failed integer
---@field skipped integer
---@field unknown integer items that may have been done or not
---@field running integer
---@field elapsed number seconds
---@field rate number items a second, without the skipped ones
---@field left number? seconds; nil: not known
---@field pause number? seconds until calls are sent again: the server answered 429
---@field waiting boolean? somebody waits for what others do: a rate would say nothing

-- ---- the texts ----

local LONGEST = 3.6e6  -- seconds; what takes more than a thousand hours is anyone's guess

--- "2:03", "1:02:03", "-" for what is not known.
local function duration(seconds)
  if not (seconds and seconds < LONGEST) then return "-" end
  local whole = math.floor(math.max(seconds, 0) + 0.5)
  local hours, minutes = whole // 3600, whole // 60 % 60
  if hours == 0 then return ("%d:%02d"):format(minutes, whole % 60) end
  return ("%d:%02d:%02d"):format(hours, minutes, whole % 60)
end

local function speed(rate)
  if rate > 0 and rate < 0.95 then return ascii.format("%.1f/min", rate * 60) end
  return ascii.format(rate < 9.95 and "%.1f/s" or "%.0f/s", rate)
end

--- "rate limited, 0:42 left"; nil if there is no pause.
local function pause_of(numbers)
  return numbers.pause and ("rate limited, %s left"):format(duration(math.ceil(numbers.pause)))
end

--- "3 failed"; nil where there is none, for that goes without saying.
local function some(count, word)
  return count > 0 and ("%d %s"):format(count, word) or nil
end

--- From 0 to 1: a source may turn out to be longer than it said.
local function fraction(numbers)
  return numbers.total > 0 and math.min(numbers.done / numbers.total, 1) or 1
end

local function bar(part, columns)
  local inside = columns - 2
  local full = math.floor(part * inside)
  if full == inside then return "[" .. ("="):rep(inside) .. "]" end
  return "[" .. ("="):rep(full) .. ">" .. (" "):rep(inside - full - 1) .. "]"
end

local ORDER = { "count", "percent", "rate", "left", "waited", "failed", "unknown" }
local BY_IMPORTANCE = { "count", "failed", "left", "waited", "percent", "unknown", "rate" }
local GAP = "  "
local LEAST_BAR, MOST_BAR = 8, 42  -- columns

--- The time that is left, of the pause if there is one; nil if nothing is known of it.
local function left_of(numbers)
  if numbers.pause then return pause_of(numbers) end
  return not numbers.waiting and numbers.total and duration(numbers.left) .. " left" or nil
end

--- The parts of a line but the bar, by name.
local function parts_of(numbers)
  local total, waiting = numbers.total, numbers.waiting
  return {
    count = total and ("%d/%d"):format(numbers.done, total) or ("%d done"):format(numbers.done),
    percent = total and ("%2d%%"):format(math.floor(fraction(numbers) * 100)),
    rate = not waiting and not numbers.pause and speed(numbers.rate) or nil,
    left = left_of(numbers),
    waited = waiting and duration(numbers.elapsed) .. " waited" or nil,
    failed = some(numbers.failed, "failed"),
    unknown = some(numbers.unknown, "unknown"),
  }
end

--- Takes away what there is no room for. Returns the columns that stay free, none where it did.
local function fit(parts, columns)
  local room, fits = columns + #GAP, true
  for _, name in ipairs(BY_IMPORTANCE) do
    local size = parts[name] and #parts[name] + #GAP or 0
    if size <= room then room = room - size else parts[name], fits = nil, false end
  end
  return fits and room or 0
end

--- The line for a terminal: its last column stays free, so that the cursor never wraps.
local function line(numbers, width)
  local parts, texts = parts_of(numbers), {}
  local room = fit(parts, width - 1)
  for _, name in ipairs(ORDER) do texts[#texts + 1] = parts[name] or nil end
  local text = table.concat(texts, GAP)
  local columns = math.min(width // 3, MOST_BAR, room - 1)
  if not numbers.total or columns < LEAST_BAR then return text end
  return bar(fraction(numbers), columns) .. " " .. text
end

--- The line for a file. The last one says what there was, the others what is to come.
local function sentence(numbers, is_last)
  local total, pause = numbers.total, not is_last and pause_of(numbers) or nil
  local texts = { ("%d%s done"):format(numbers.done, total and (" of %d"):format(total) or "") }
  local function add(text) texts[#texts + 1] = text or nil end
  add(some(numbers.failed, "failed"))
  add(some(numbers.unknown, "unknown"))
  add(is_last and some(numbers.skipped, "skipped"))
  add(not numbers.waiting and not pause and speed(numbers.rate))
  add(pause)
  if is_last then
    add("took " .. duration(numbers.elapsed))
  elseif numbers.waiting then
    add(duration(numbers.elapsed) .. " waited")
  elseif total and not pause then
    add(duration(numbers.left) .. " left")
  end
  return table.concat(texts, ", ")
end

-- ---- where they go ----

--- One of these is the metatable of a meter. `draw` shows numbers; `conclude` does so at the end.
local Meter = {}

--- May be called as often as one likes: it draws once in each interval.
---@param numbers cekura.progress.Numbers
function Meter:show(numbers)
  local now = internal.monotime()
  if self.finished or now < self.due then return end
  self.due = now + self.interval
  self:draw(numbers)
end

--- The last word, once.
---@param numbers cekura.progress.Numbers
function Meter:finish(numbers)
  if self.finished then return end
  self.finished = true
  self:conclude(numbers)
end

local function kind(interval)
  local new = setmetatable({ interval = interval }, { __index = Meter })
  new.__index = new
  return new
end

local Terminal, Plain, Function, Silent = kind(0.1), kind(5), kind(0.1), kind(math.huge)

--- Leaves the cursor at the line's beginning: a terminal shows a Ctrl-C as "^C", and at its end
--- that would wrap. So it also stays in the first row where a window that has become narrower
--- breaks the line, and what is below belongs to the line.
function Terminal:put(text, width)
  io.stderr:write("\r" .. text .. (self.drawn > width and "\27[J" or "\27[K") .. "\r")
  self.drawn = #text
end

function Terminal:draw(numbers)
  local width = internal.terminal_width()  -- anew each time, for a window changes
  if width then self:put(line(numbers, width), width) end
end

function Terminal:conclude()
  local width = internal.terminal_width()
  if width and self.drawn > 0 then self:put("", width) end
end

function Plain:draw(numbers) io.stderr:write(sentence(numbers) .. "\n") end  -- luacheck: no self

function Plain:conclude(numbers)  -- luacheck: no self
  io.stderr:write(sentence(numbers, true) .. "\n")
end

--- Where the function raises, that was the last word: `finish` does not call it again.
function Function:draw(numbers)
  local copy = {}
  for name, value in pairs(numbers) do copy[name] = value end
  local finished = self.finished
  self.finished = true
  self.call(copy)
  self.finished = finished
end

Function.conclude = Function.draw

function Silent.show() end

function Silent.finish() end

--- A meter. It has `interval`, the seconds between two looks; the numbers of `show` and `finish`
--- are copied for a function, whose error goes to whoever calls those.
---@param option boolean|fun(numbers: cekura.progress.Numbers)|nil
function progress.new(option)
  if not option then return setmetatable({}, Silent) end
  if type(option) == "function" then
    return setmetatable({ call = option, due = -math.huge }, Function)
  end
  assert(option == true, "progress: expected true or a function")
  if internal.terminal_width() then
    return setmetatable({ drawn = 0, due = -math.huge }, Terminal)
  end
  return setmetatable({ due = internal.monotime() + Plain.interval }, Plain)
end

return progress
