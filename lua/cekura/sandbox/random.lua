--- Pseudo-random numbers that depend only on the arguments: the transcript of a run does not depend
--- on the order in which runs are read.

local random = {}

--- The finaliser of splitmix64.
local function mix(x)
  x = (x ~ (x >> 30)) * 0xBF58476D1CE4E5B9
  x = (x ~ (x >> 27)) * 0x94D049BB133111EB
  return x ~ (x >> 31)
end

--- A hash of each purpose, computed at its first use.
local salts = setmetatable({}, {
  __index = function(salts, name)
    local salt = 0
    for i = 1, #name do salt = mix(salt * 31 + name:byte(i)) end
    salts[name] = salt
    return salt
  end,
})

--- Returns a float in [0, 1) for the seed, the id and the purpose.
---@param seed integer
---@param id integer
---@param purpose string
---@param n integer? the index of one of several (default 0)
---@return number
function random.draw(seed, id, purpose, n)
  local x = mix(seed * 0x9E3779B97F4A7C15 + salts[purpose])
  x = mix(x + id * 0xD6E8FEB86659FD93 + (n or 0) * 0xA0761D6478BD642F)
  return (x >> 11) / 0x20000000000000
end

--- Returns one item of `list`.
---@generic T
---@param list T[]
---@return T
function random.pick(list, seed, id, purpose, n)
  return list[1 + math.floor(random.draw(seed, id, purpose, n) * #list)]
end

--- Returns at most 32 lower-case hexadecimal digits.
function random.hex(digits, seed, id, purpose)
  local words = {}
  for n = 1, 4 do
    words[n] = ("%08x"):format(math.floor(random.draw(seed, id, purpose, n) * 0x100000000))
  end
  return table.concat(words):sub(1, digits)
end

return random
