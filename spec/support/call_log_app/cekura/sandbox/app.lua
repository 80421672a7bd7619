-- The responses of call_log_server.lua, which documents the functions of CONTROL. Times are whole
-- microseconds since 1970.
require "cekura.core"  -- preloads cekura.internal
local internal = require "cekura.internal"
local json = require "cekura.sandbox.json"

local SECOND = 1000000
local DAY = 86400 * SECOND
local PAGE_SIZE = 3

local BOUNDS = {
  ["inclusive"] = function(from, at, to) return from <= at and at <= to end,
  ["exclusive at the end"] = function(from, at, to) return from <= at and at < to end,
  ["exclusive at the beginning"] = function(from, at, to) return from < at and at <= to end,
}

local state

local function add(at, is_new)
  local id = #state.logs + 1
  state.logs[id] = { id = id, at = at, is_new = is_new }
  return id
end

-- Adds logs to a range that is being read.
local function arrive(from, to, page)
  add(to, true)
  if not page then
    add(from)
    add(from + (to - from) // 2)
  end
end

local function within(from, to)
  local found = {}
  for _, log in ipairs(state.logs) do
    if state.includes(from, log.at, to) then found[#found + 1] = log end
  end
  table.sort(found, function(a, b) return a.at > b.at or a.at == b.at and a.id > b.id end)
  return found
end

local CONTROL = {
  add = add,
  within = within,
  arrive = function() state.is_busy = true end,
  fail = function(count) state.failures = count end,
  requests = function() return state.requests end,
}

function CONTROL.reset(bounds)
  state = { logs = {}, requests = {}, failures = 0, is_busy = false,
    includes = BOUNDS[bounds or "inclusive"] }
end

local function query_of(target)
  local query = {}
  for name, value in target:gmatch "([%w_]+)=([^&]*)" do
    query[name] = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  end
  return query
end

local function time_of(text, default)
  if not text then return default end
  local seconds, fraction = internal.timestamp(text)
  return seconds * SECOND + math.tointeger(tonumber((fraction .. "000000"):sub(1, 6)))
end

-- Returns the page of the query, without `count`; nil if the range is too long.
local function page_of(query, target)
  local to = time_of(query.timestamp_to, os.time() * SECOND)
  local from = time_of(query.timestamp_from, to - 30 * DAY)
  if to - from > 33 * DAY then return nil end
  if state.is_busy then arrive(from, to, query.page) end
  local found, results = within(from, to), json.array {}
  local page = math.tointeger(tonumber(query.page or 1))
  for i = (page - 1) * PAGE_SIZE + 1, math.min(page * PAGE_SIZE, #found) do
    results[#results + 1] = { id = found[i].id, at = found[i].at }
  end
  local following = page * PAGE_SIZE < #found
    and ("%s&page=%d"):format(target:gsub("&page=%d+", ""), page + 1)
  return { results = results, next = following or json.null }
end

local function handle(_, target)
  local query = query_of(target)
  state.requests[#state.requests + 1] = query
  local page = state.failures == 0 and page_of(query, target)
  if page then return 200, { ["Content-Type"] = "application/json" }, json.encode(page) end
  state.failures = math.max(state.failures - 1, 0)
  return 400, { ["Content-Type"] = "application/json" }, '{"detail": "refused"}'
end

return { open = function()
  CONTROL.reset()
  return handle, function(what, ...) return CONTROL[what](...) end
end }
