--- Progress of `client:each` and of the waits: on a terminal a line that is redrawn, otherwise a
--- plain line now and then, on stderr; or a function of the caller.
---
---     local meter = progress.new(true)
---     meter:show(numbers)     -- as often as you like
---     meter:finish(numbers)

require "cekura.core"  -- preloads cekura.internal
local ascii = require "cekura.internal.ascii"
local internal = require "cekura.internal"

local progress = {}

---@class cekura.progress.Numbers
---@field done integer items that have ended, including skipped ones
---@field total integer? nil if it is not known
---@field ok integer
---@field failed integer
---@field skipped integer
---@field unknown integer
---@field running integer
---@field elapsed number seconds
---@field rate number items per second, without skipped ones
---@field left number? seconds; nil if they are not known
---@field spent cekura.Spent? of `client:each`
---@field pause number? seconds until calls are sent again after a 429
---@field waiting boolean? whether it is a wait, which shows no rate
---@field problem string? in a wait: the kind of the error of the last poll, if it failed

-- ---- the texts ----

local LONGEST = 3.6e6  -- seconds; a longer estimate is not shown

--- Returns "2:03" or "1:02:03"; "-" if the seconds are not known.
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

--- Returns "rate limited, 0:42 left"; nil if there is no pause.
local function pause_of(numbers)
  return numbers.pause and ("rate limited, %s left"):format(duration(math.ceil(numbers.pause)))
end

--- Returns "3 failed"; nil for 0.
local function some(count, word)
  return count > 0 and ("%d %s"):format(count, word) or nil
end

--- Returns "456 evaluations", or "456-468+ evaluations" if 12 are unknown and some are not counted;
--- nil if nothing has been spent.
local function spending_of(numbers)
  local spent = numbers.spent
  if not spent or spent.calls + spent.calls_unknown == 0 then return nil end
  local least, unknown = spent.evaluations, spent.evaluations_unknown
  local count = ("%d%s%s"):format(least, unknown > 0 and ("-%d"):format(least + unknown) or "",
    spent.uncounted > 0 and "+" or "")
  return count .. (count == "1" and " evaluation" or " evaluations")
end

--- Returns 0 to 1. A list may grow, so that more items are done than its total says.
local function fraction(numbers)
  return numbers.total > 0 and math.min(numbers.done / numbers.total, 1) or 1
end

local function bar(part, columns)
  local inside = columns - 2
  local full = math.floor(part * inside)
  if full == inside then return "[" .. ("="):rep(inside) .. "]" end
  return "[" .. ("="):rep(full) .. ">" .. (" "):rep(inside - full - 1) .. "]"
end

local ORDER =
  { "count", "percent", "rate", "left", "waited", "problem", "failed", "unknown", "spent" }
local BY_IMPORTANCE =
  { "count", "problem", "failed", "left", "waited", "spent", "percent", "unknown", "rate" }
local GAP = "  "
local LEAST_BAR, MOST_BAR = 8, 42  -- columns

--- Returns the time that is left, of a pause if there is one; nil if there is no estimate.
local function left_of(numbers)
  if numbers.pause then return pause_of(numbers) end
  return not numbers.waiting and numbers.total and duration(numbers.left) .. " left" or nil
end

--- Returns "last poll failed: network"; nil if it has not failed.
local function problem_of(numbers)
  return numbers.problem and "last poll failed: " .. numbers.problem
end

--- Returns the parts of a line by name, except the bar.
local function parts_of(numbers)
  local total, waiting = numbers.total, numbers.waiting
  return {
    count = total and ("%d/%d"):format(numbers.done, total) or ("%d done"):format(numbers.done),
    percent = total and ("%2d%%"):format(math.floor(fraction(numbers) * 100)),
    rate = not waiting and not numbers.pause and speed(numbers.rate) or nil,
    left = left_of(numbers),
    waited = waiting and duration(numbers.elapsed) .. " waited" or nil,
    problem = problem_of(numbers),
    failed = some(numbers.failed, "failed"),
    unknown = some(numbers.unknown, "unknown"),
    spent = spending_of(numbers),
  }
end

--- Removes the least important parts until the line fits. Returns the free columns; 0 if it removed
--- any.
local function fit(parts, columns)
  local room, fits = columns + #GAP, true
  for _, name in ipairs(BY_IMPORTANCE) do
    local size = parts[name] and #parts[name] + #GAP or 0
    if size <= room then room = room - size else parts[name], fits = nil, false end
  end
  return fits and room or 0
end

--- Returns the line for a terminal. Its last column stays free, so that the cursor does not wrap.
local function line(numbers, width)
  local parts, texts = parts_of(numbers), {}
  local room = fit(parts, width - 1)
  for _, name in ipairs(ORDER) do texts[#texts + 1] = parts[name] or nil end
  local text = table.concat(texts, GAP)
  local columns = math.min(width // 3, MOST_BAR, room - 1)
  if not numbers.total or columns < LEAST_BAR then return text end
  return bar(fraction(numbers), columns) .. " " .. text
end

--- Returns the line for a file. The last one has the totals, the others have an estimate.
local function sentence(numbers, is_last)
  local total, pause = numbers.total, not is_last and pause_of(numbers) or nil
  local texts = { ("%d%s done"):format(numbers.done, total and (" of %d"):format(total) or "") }
  local function add(text) texts[#texts + 1] = text or nil end
  add(some(numbers.failed, "failed"))
  add(some(numbers.unknown, "unknown"))
  add(is_last and some(numbers.skipped, "skipped"))
  add(spending_of(numbers))
  add(not numbers.waiting and not pause and speed(numbers.rate))
  add(pause)
  if is_last then
    add("took " .. duration(numbers.elapsed))
  elseif numbers.waiting then
    add(duration(numbers.elapsed) .. " waited")
    add(problem_of(numbers))
  elseif total and not pause then
    add(duration(numbers.left) .. " left")
  end
  return table.concat(texts, ", ")
end

-- ---- the meters ----

--- The base of the meters. A meter has `interval`, in seconds, and the methods `draw` and
--- `conclude`, which show the numbers, the latter at the end.
local Meter = {}

--- Draws once per interval, however often it is called.
---@param numbers cekura.progress.Numbers
function Meter:show(numbers)
  local now = internal.monotime()
  if self.finished or now < self.due then return end
  self.due = now + self.interval
  self:draw(numbers)
end

--- Shows the numbers for the last time. A second call is a no-op.
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

--- Leaves the cursor at the beginning of the line: a terminal shows Ctrl-C as "^C", which would
--- wrap at the end. If the window has become narrower and the line takes several rows, the cursor
--- is in the first of them, and the rows below it are erased, too.
function Terminal:put(text, width)
  io.stderr:write("\r" .. text .. (self.drawn > width and "\27[J" or "\27[K") .. "\r")
  self.drawn = #text
end

function Terminal:draw(numbers)
  local width = internal.terminal_width()  -- each time: a window may be resized
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

--- Calls the function with a copy of the numbers. If it raises, it is not called again.
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

--- Returns a meter. What a function raises is raised by `show` and `finish`.
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
