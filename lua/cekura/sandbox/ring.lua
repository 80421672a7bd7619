--- A list that keeps its last `limit` items, for requests, votes and jobs. Adding an item takes
--- constant time.

---@class cekura.sandbox.Ring
---@field limit number
---@field count integer how many items have been added
---@field private slots table
local Ring = {}
Ring.__index = Ring

---@param limit number 0 keeps nothing, math.huge everything
---@return cekura.sandbox.Ring
function Ring.new(limit)
  return setmetatable({ limit = limit, count = 0, oldest = 1, slots = {} }, Ring)
end

function Ring:add(item)
  self.count = self.count + 1
  if self.limit < 1 then return end
  self.slots[self.count] = item
  if self.count - self.oldest >= self.limit then
    self.slots[self.oldest] = nil
    self.oldest = self.oldest + 1
  end
end

--- Returns the items, oldest first.
---@return table[]
function Ring:list()
  local list = {}
  for i = self.oldest, self.count do list[#list + 1] = self.slots[i] end
  return list
end

--- Removes all items.
function Ring:clear()
  self.slots = {}
  self.oldest = self.count + 1
end

return Ring
