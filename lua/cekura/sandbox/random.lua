--- Numbers that look random and depend on nothing but what they are asked for: so a run has the
--- same transcript whether it is looked at first, last, or never.

local random = {}

--- The steps of splitmix64's finaliser.
local function mix(x)
  x = (x ~ (x >> 30)) * 0xBF58476D1CE4E5B9
  x = (x ~ (x >> 27)) * 0x94D049BB133111EB
  return x ~ (x >> 31)
end

--- A number for each purpose: a hash, since one handed out at first use would depend on the order.
local salts = {}

local function salt_of(name)
  local salt = 0
  for i = 1, #name do salt = mix(salt * 31 + name:byte(i)) end
  salts[name] = salt
  return salt
end

--- A float in [0, 1) for this seed, this id, and what the number is for.
---@param seed integer
---@param id integer
---@param purpose string
---@param n integer? which one of several (default 0)
---@return number
function random.draw(seed, id, purpose, n)
  local x = mix(seed * 0x9E3779B97F4A7C15 + (salts[purpose] or salt_of(purpose)))
  x = mix(x + id * 0xD6E8FEB86659FD93 + (n or 0) * 0xA0761D6478BD642F)
  return (x >> 11) / 0x20000000000000
end

--- One item of `list`.
---@generic T
---@param list T[]
---@return T
function random.pick(list, seed, id, purpose, n)
  return list[1 + math.floor(random.draw(seed, id, purpose, n) * #list)]
end

--- 32 or fewer lower-case hexadecimal digits.
function random.hex(digits, seed, id, purpose)
  local words = {}
  for n = 1, 4 do
    words[n] = ("%08x"):format(math.floor(random.draw(seed, id, purpose, n) * 0x100000000))
  end
  return table.concat(words):sub(1, digits)
end

return random
