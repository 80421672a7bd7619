--- Text of protocols and files, which is the same in every locale. `string.lower`, `%a` and
--- `tostring(0.5)` follow the locale that a host has set.

local ascii = {}

local LOWER = {}
for byte = ("A"):byte(), ("Z"):byte() do LOWER[string.char(byte)] = string.char(byte + 32) end

--- Returns the text with A to Z in lower case. Other bytes stay as they are.
---@param text string
function ascii.lower(text) return (text:gsub("[A-Z]", LOWER)) end

--- Returns the number with a decimal point, whatever the locale's separator is.
---@param format string of one float: "%.17g"
---@param number number
function ascii.format(format, number)
  return (format:format(number):gsub("^(-?[0-9]+)[^0-9e]+([0-9])", "%1.%2"))
end

return ascii
