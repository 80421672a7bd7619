--- `client.results:pages{…}`: all items of a list, read a page at a time, as they are asked for.
---
--- There is a next page if the answer's `next` names one: `count` is not reliable. Only the page
--- number is taken from `next`; the address stays that of the list, so that the key goes to api_url
--- and nowhere else.
---
--- Lists are newest first: a new item moves others to the next page. The ids that were returned are
--- kept, and an item that has one of them is passed over.

local core = require "cekura.core"
local check = require "cekura.internal.check"
local internal = require "cekura.internal"

local null = require "cjson".null

local SHOWN = 200  -- bytes of an address in a message

local function copy(given)
  local new = {}
  for name, value in pairs(given) do new[name] = value end
  return new
end

-- ---- one page --------------------------------------------------------------------------------

local Pages = {}
Pages.__index = Pages

--- Raises, because an iterator that just ended would hide that there is more.
function Pages:refuse(format, ...)
  local problem = internal.error("response", format:format(...))
  problem.endpoint, problem.method = self.name .. ".pages", "GET"
  problem.url = self.client.api_url .. core.endpoints[self.name .. ".list"].path
  error(problem, 0)
end

local function shown(text) return #text > SHOWN and text:sub(1, SHOWN) .. "…" or text end

--- The page that the query of an address names, of several the last one; nil if it names none.
local function page_in(address)
  local query = "&" .. (address:match "^[^?#]*%?([^#]*)" or "") .. "&"
  local page = math.tointeger(tonumber(query:match ".*&page=([0-9]+)&"))
  return page and page > 0 and page or nil
end

--- The page that `next` names. A list that led back would never end.
function Pages:page_after(following)
  if type(following) ~= "string" then
    self:refuse("the list's `next` is not an address, but a %s", type(following))
  end
  local page, current = page_in(following), math.tointeger(tonumber(self.arguments.page)) or 1
  if not page then self:refuse("the list's `next` names no page: %s", shown(following)) end
  if page <= current then
    self:refuse("the list's `next` leads back to page %d, which has been read", page)
  end
  return page
end

--- Reads the page in `arguments.page`. After an error the next call reads the same one.
function Pages:read_page()
  if self.options and self.options.dry_run then
    error(internal.error("validation", "pages: options.dry_run: is an option of a single call"), 0)
  end
  if self.following ~= nil then
    self.arguments.page, self.following = self:page_after(self.following), nil
  end
  local answer, problem = self.resource:list(self.arguments, self.options)
  if answer == nil then error(problem, 0) end
  local items = type(answer) == "table" and answer.results
  if type(items) ~= "table" then self:refuse "the answer is not a page of a list: no `results`" end
  self.items, self.index = items, 0
  self.following = answer.next ~= null and answer.next or nil
  self.is_last = self.following == nil
end

-- ---- several readers -------------------------------------------------------------------------

--- Ends the reading, however its function is left: others wait for that with `await_reader`.
function Pages:__close()
  local gate = self.gate
  self.reader, self.gate = nil, nil
  if gate then gate:cancel() end
end

function Pages:read()
  self.reader = coroutine.running()
  local _ <close> = self
  self:read_page()
end

--- The gate is a task that lasts until the page has been read.
function Pages:make_gate()
  local client = self.client
  local gate, problem = client:spawn(function() return client:sleep(math.huge) end)
  if not gate then error(problem, 0) end
  self.gate = gate
end

--- Waits until another task has read its page, or has failed to.
function Pages:await_reader()
  if self.reader == coroutine.running() then
    error("pages: an item is asked for while the same coroutine reads a page", 0)
  end
  if not self.gate then self:make_gate() end
  local gate = self.gate
  local _, problem = gate:wait()
  if self.gate == gate then error(problem, 0) end  -- the client was closed, or this is a fork
end

-- ---- items -----------------------------------------------------------------------------------

--- What an item is known by: 5, 5.0 and "5" are one id. Nil: it has none, and is always returned.
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

--- The next item; nil at the end.
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

--- The method of the resource with that name.
---@param name string
local function pages_of(name)
  return function(resource, arguments, options)
    local client, problem = internal.client_of(resource, name, "pages")
    check.tables(name .. ":pages", arguments, options)
    if not client then error(problem, 0) end
    local pages = setmetatable({
      name = name, client = client, resource = resource,
      arguments = copy(arguments), options = options,
      items = {}, index = 0, seen = {},
      following = nil,  -- `next` of the page that was read last, until that page is asked for
      is_last = false,
      reader = nil,     -- the coroutine that reads a page, while it does
      gate = nil,       -- a task that ends when that has been read, if another waits for it
    }, Pages)
    return function() return pages:item() end
  end
end

return pages_of
