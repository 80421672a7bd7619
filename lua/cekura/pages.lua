--- `client.results:pages{…}`: all items of a list, read a page at a time, as they are asked for.
---
--- Where the next page is, is taken from the answer's `next`: `count` is not reliable. It is not
--- followed as an address, though: the key goes to api_url and nowhere else. What it says is
--- compared with the address that the list itself has, and then asked for by its page.

local core = require "cekura.core"
local check = require "cekura.check"
local internal = require "cekura.internal"

local null = require "cjson".null

local SHOWN = 200  -- characters of an address in a message

-- ---- addresses -------------------------------------------------------------------------------

local DEFAULT_PORTS = { http = ":80", https = ":443" }

--- The scheme and the host with its port, as they are compared; nil where it is no address.
local function origin_of(url)
  local scheme, authority = url:match "^(%a[%w+.-]*)://([^/?#]+)"
  if not scheme then return nil end
  scheme, authority = scheme:lower(), authority:lower()
  local port = DEFAULT_PORTS[scheme]
  if port and authority:sub(-#port) == port then authority = authority:sub(1, -#port - 1) end
  return scheme .. "://" .. authority
end

local function path_of(url) return url:match "^%a[%w+.-]*://[^/?#]+([^?#]*)" end

local function unescaped(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- { name = value } of what stands in the query of the address.
local function parameters(url)
  local found = {}
  for part in (url:match "^[^?#]*%?([^#]*)" or ""):gmatch "[^&]+" do
    local name, value = part:match "^([^=]*)=?(.*)$"
    found[unescaped(name)] = unescaped(value)
  end
  return found
end

local function copy(given)
  local new = {}
  for name, value in pairs(given or {}) do new[name] = value end
  return new
end

-- ---- the pages ------------------------------------------------------------------------------

local Pages = {}
Pages.__index = Pages

--- What the list says cannot be gone by: raised, because an iterator that just ended would hide
--- that there is more.
function Pages:refuse(format, ...)
  local problem = internal.error("response", format:format(...))
  problem.endpoint, problem.method, problem.url = self.name .. ".pages", "GET", self.url
  error(problem, 0)
end

local function shown(value)
  local text = tostring(value)
  return #text > SHOWN and text:sub(1, SHOWN) .. "…" or text
end

--- Where `next` leads: a page's number, or a cursor.
function Pages:place_in(following)
  if type(following) ~= "string" then
    self:refuse("the list's `next` is no address, but a %s", type(following))
  elseif origin_of(following) ~= origin_of(self.url) or path_of(following) ~= path_of(self.url) then
    self:refuse("the list's `next` leads elsewhere, where the key is not sent: %s",
      shown(following))
  end
  local given = parameters(following)
  local page = given.page and given.page:find "^%d+$" and math.tointeger(tonumber(given.page))
  if page and page > 0 then return page end
  if given.cursor and given.cursor ~= "" then return given.cursor end
  return self:refuse("the list's `next` names no page: %s", shown(following))
end

--- A list that led back would never end.
function Pages:turn()
  local place = self:place_in(self.following)
  if self.read[place] then
    self:refuse("the list's `next` leads back to page %s, which has been read", shown(place))
  end
  self.place = place
end

--- One page. A cursor is no field of the documents' lists, so that it goes the way of what this
--- library does not know.
function Pages:ask()
  if type(self.place) == "number" then
    self.arguments.page = self.place
  elseif self.place then
    local query = parameters(self.url)
    query.cursor, query.page = self.place, nil
    local path = core.endpoints[self.name .. ".list"].path
    return self.client:request({ method = "GET", path = path, query = query }, self.options)
  end
  return self.resource:list(self.arguments, self.options)
end

--- The address of the list, as a request has it. What is wrong with the arguments is raised here.
function Pages:find_url()
  local options = copy(self.options)
  if options.dry_run then
    error(internal.error("validation", "pages: options.dry_run: is an option of a single call"), 0)
  end
  options.dry_run = true
  local plan, problem = self.resource:list(self.arguments, options)
  if not plan then error(problem, 0) end
  self.url = plan.url
end

function Pages:read_page()
  if not self.url then self:find_url() end
  local answer, problem = self:ask()
  if answer == nil then error(problem, 0) end
  local items = type(answer) == "table" and answer.results
  if type(items) ~= "table" then self:refuse("the answer is no page of a list: no `results`") end
  self.items, self.index = items, 0
  self.following = answer.next ~= null and answer.next or nil
  self.read[self.place or math.tointeger(self.arguments.page) or 1] = true
  self.is_begun = true
end

--- The next item; nil at the end. After an error it is the same page that is asked for again.
function Pages:item()
  while true do
    self.index = self.index + 1
    local item = self.items[self.index]
    if item ~= nil then return item end
    if self.is_begun and self.following == nil then return nil end
    if self.is_begun then self:turn() end
    self:read_page()
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
      read = {}, items = {}, index = 0, is_begun = false,
    }, Pages)
    return function() return pages:item() end
  end
end

return pages_of
