--- A hash of text that is the same in every process: 64-bit FNV-1a
--- (http://www.isthe.com/chongo/tech/comp/fnv), with a finalizer, because its low bits are weak.

local hash = {}

local BASIS, PRIME = 0xcbf29ce484222325, 0x100000001b3

--- Returns FNV-1a of a text, continued from an earlier hash.
---@param text string
---@param from integer? the hash of the text before
function hash.fnv(text, from)
  local value = from or BASIS
  for i = 1, #text do value = (value ~ text:byte(i)) * PRIME end
  return value
end

--- Returns a well distributed hash from 0 to 2^63-1.
---@param text string
---@return integer
function hash.of(text)
  local value = hash.fnv(text)
  value = (value ~ (value >> 33)) * 0xff51afd7ed558ccd  -- MurmurHash3's finalizer
  value = (value ~ (value >> 33)) * 0xc4ceb9fe1a85ec53
  return (value ~ (value >> 33)) & math.maxinteger
end

return hash
