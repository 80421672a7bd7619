--- `client.results:pages{…}`, `client.runs:pages{…}`, `client.calls:pages{…}`: iterate over all
--- items of a list. A page is read when its first item is asked for.
---
--- There is a next page if the response's `next` names one. Only the page number is taken from
--- `next`. The address stays that of the list: the key goes to api_url only. A range of time that
--- is longer than the list accepts is read in windows, each from its first page.
---
--- Lists are newest first, so that a new item moves others to the next page, and an item between
--- two windows may be in both. The ids of the items that were returned are remembered, and an item
--- with one of them is dropped.

local core = require "cekura.core"
local check = require "cekura.internal.check"
local internal = require "cekura.internal"
local windows = require "cekura.pages.windows"

local null = require "cjson".null

local SHOWN = 200  -- bytes of an address in a message

local Pages = {}
Pages.__index = Pages

-- ---- the arguments ---------------------------------------------------------------------------

--- Returns whether the items will have their ids: those of "{status,agent{id}}" have none. Other
--- values than selections are left to the check of `list`.
local function selects_id(ql)
  local names = type(ql) == "string" and ql:match "^{(.+)}$"
  if not names then return true end
  names = "," .. names:gsub("%b{}", ""):gsub(" ", "") .. ","
  return (names:find(",id,", 1, true) or names:find(",*,", 1, true))
    and not names:find(",-id,", 1, true)
end

--- Prepares the first request. Raises an error if the arguments are only accepted by `list`.
function Pages:begin()
  local arguments, range = self.arguments, self.row.range
  local problems = {}
  self.windows = windows.of(arguments, range, os.time())
  if self.windows and arguments.page ~= nil then
    problems[1] = { "page", ("cannot be set: a range of more than %d days is read in windows, each "
      .. "from its first page"):format(range.days) }
  end
  if not selects_id(arguments.ql) then
    problems[#problems + 1] = { "ql", "must select id, which tells the items apart" }
  end
  if #problems > 0 then error(check.error(self.name .. ".pages", problems), 0) end
  self:next_window()
  self.has_begun = true
end

--- Changes the arguments to those of the next window. Returns false if there is none.
function Pages:next_window()
  local from, to
  if self.windows then from, to = self.windows() end
  if not from then return false end
  local arguments, range = self.arguments, self.row.range
  arguments[range.from], arguments[range.to], arguments.page = from, to, nil
  return true
end

-- ---- one page --------------------------------------------------------------------------------

--- Raises an error about the response. An iterator that ended instead would hide that there is
--- more.
function Pages:refuse(format, ...)
  local problem = internal.error("response", format:format(...))
  problem.endpoint, problem.method = self.name .. ".pages", "GET"
  problem.url = self.client.api_url .. self.row.path
  error(problem, 0)
end

--- Returns the page number that `next` names: the last one, if it names several. A page that was
--- read already is refused, because such a list would never end.
function Pages:page_after(following)
  if type(following) ~= "string" then
    self:refuse("the list's `next` is not an address, but a %s", type(following))
  end
  local query = "&" .. (following:match "^[^?#]*%?([^#]*)" or "") .. "&"
  local page = math.tointeger(tonumber(query:match ".*&page=([0-9]+)&"))
  local current = math.tointeger(tonumber(self.arguments.page)) or 1
  if not page or page < 1 then
    local shown = #following > SHOWN and following:sub(1, SHOWN) .. "…" or following
    self:refuse("the list's `next` names no page: %s", shown)
  end
  if page <= current then
    self:refuse("the list's `next` leads back to page %d, which has been read", page)
  end
  return page
end

--- Ends the reading of a page, however it ended, and wakes the tasks that wait for it.
function Pages:__close()
  local latch = self.latch
  self.reader, self.latch = nil, nil
  if latch then latch:cancel() end
end

--- Reads the next page. After an error, the next call reads the same page.
function Pages:read()
  self.reader = coroutine.running()
  local _ <close> = self
  if self.options and self.options.dry_run then
    error(internal.error("validation", "pages: options.dry_run: is an option of a single call"), 0)
  end
  if not self.has_begun then self:begin() end
  if self.following ~= nil then
    self.arguments.page, self.following = self:page_after(self.following), nil
  end
  local page, problem = self.resource:list(self.arguments, self.options)
  if page == nil then error(problem, 0) end
  local items = type(page) == "table" and page.results
  if type(items) ~= "table" then self:refuse "the response is not a page: it has no `results`" end
  self.items, self.index = items, 0
  self.following = page.next ~= null and page.next or nil
  self.is_last = self.following == nil and not self:next_window()
end

--- Waits until another task has read its page or failed. The latch is a task that lasts until then.
function Pages:await_reader()
  if self.reader == coroutine.running() then
    error("pages: an item is asked for while the same coroutine reads a page", 0)
  end
  if not self.latch then
    local client = self.client
    local latch, problem = client:spawn(function() return client:sleep(math.huge) end)
    if not latch then error(problem, 0) end
    self.latch = latch
  end
  local latch = self.latch
  local _, problem = latch:wait()
  if self.latch == latch then error(problem, 0) end  -- the client was closed, or this is a fork
end

-- ---- items -----------------------------------------------------------------------------------

--- Returns the id of an item, or nil: such an item is always returned. 5, 5.0 and "5" are one id.
local function id_of(item)
  local id = type(item) == "table" and item.id
  if type(id) == "string" then
    return id:find "^[1-9][0-9]*$" and math.tointeger(tonumber(id)) or id
  end
  return type(id) == "number" and id == id and id or nil
end

function Pages:is_new(item)
  local id = id_of(item)
  if id == nil then return true end
  local is_new = not self.seen[id]
  self.seen[id] = true
  return is_new
end

--- Returns the next item, nil at the end.
function Pages:item()
  while true do
    local item = self.items[self.index + 1]
    if item ~= nil then
      self.index = self.index + 1
      if self:is_new(item) then return item end
    elseif self.is_last then
      return nil
    elseif self.reader then
      self:await_reader()
    else
      self:read()
    end
  end
end

--- Returns the method `pages` of the resource.
---@param name "results"|"runs"|"calls"
return function(name)
  return function(resource, arguments, options)
    local client, problem = internal.client_of(resource, name, "pages")
    check.tables(name .. ":pages", arguments, options)
    if not client then error(problem, 0) end
    local pages = setmetatable({
      name = name, row = core.endpoints[name .. ".list"],
      client = client, resource = resource, arguments = {}, options = options,
      items = {}, index = 0, seen = {},
      has_begun = false,
      windows = nil,    -- returns the next window, if the range is read in windows
      following = nil,  -- the `next` of the last page, until that page is asked for
      is_last = false,
      reader = nil,     -- the coroutine that reads a page, while it does
      latch = nil,      -- a task that ends when the page has been read, if others wait for it
    }, Pages)
    for field, value in pairs(arguments) do pages.arguments[field] = value end
    return function() return pages:item() end
  end
end
