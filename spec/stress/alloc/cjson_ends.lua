-- lua-cjson alone: it calls malloc for a buffer when no memory is left.
local decode = require "cjson".decode

local held, text = {}, '"' .. ("x"):rep(1 << 23) .. '"'

local function fill(size) held[#held + 1] = ("y"):rep(size) end

for power = 24, 16, -1 do
  while pcall(fill, 1 << power) do end
end
print("a Lua error:", pcall(decode, text))
