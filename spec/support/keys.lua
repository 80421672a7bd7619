-- Looks for the suite's keys in what a spec gets to see: support/child.lua in all that a child
-- writes, support/scratch.lua in the files that are read, support/helper.lua in what calls return.
local keys = {}

-- Looks like one, and nothing else in the tree has it by chance. Written as a URL, as JSON, as
-- HTML or in base64 it is another text.
keys.KEY = "Kq7-zX0vW_9tB3nL/mR5s+Yd2=&Pf8"

-- Those that the specs use without telling anybody. Theirs are shorter; a spec that has one of them
-- in a text for another reason wants another text.
local USUAL = { keys.KEY, "the-key", "sandbox-key" }

local SHORTEST = 6  -- characters; a shorter one is not redacted
local SHOWN = 2000  -- characters of a text

-- ---- how a key can be written ----

local HTML = { amp = "&", lt = "<", gt = ">", quot = '"' }

local function character(code) return code < 128 and string.char(code) or nil end
local function of_hexadecimal(digits) return character(tonumber(digits, 16)) end
local function of_decimal(digits) return character(tonumber(digits)) end

local function without_percents(text) return (text:gsub("%%(%x%x)", of_hexadecimal)) end

local function without_escapes(text)
  return (text:gsub("\\u00(%x%x)", of_hexadecimal):gsub("\\(%p)", "%1"))
end

local function without_entities(text)
  return (text:gsub("&#(%d+);", of_decimal):gsub("&(%l+);", HTML))
end

-- { what a key is called that is found so, the mark that such a text has, how it is read }
local READINGS = {
  { "percent-encoded", "%", without_percents },
  { "in escapes", "\\", without_escapes },
  { "in entities", "&", without_entities },
}

-- A list of { name, text }: all that can be read in it.
local function readings_of(text)
  local readings = { { "as it is", text } }
  for _, row in ipairs(READINGS) do
    local name, mark, read = table.unpack(row)
    if text:find(mark, 1, true) then readings[#readings + 1] = { name, read(text) } end
  end
  return readings
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- In base64, without the digits that hang on what stands before (`skipped` bytes) or behind.
local function base64(text, skipped)
  local digits, bits, held = {}, 0, 0
  for byte in (("\0"):rep(skipped) .. text):gmatch "." do
    held, bits = held << 8 | byte:byte(), bits + 8
    while bits >= 6 do
      bits = bits - 6
      local digit = (held >> bits & 63) + 1
      digits[#digits + 1] = DIGITS:sub(digit, digit)
    end
  end
  return table.concat(digits):sub(1 + (skipped * 8 + 5) // 6)
end

local function hexadecimal(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- A list of { name, text }: what a key is as a whole, in each code.
local function codes_of(key)
  local codes = {
    { "", key }, { " in hexadecimal", hexadecimal(key) },
    { " in hexadecimal", hexadecimal(key):upper() },
  }
  for skipped = 0, 2 do
    codes[#codes + 1] = { " in base64", base64(key, skipped) }
  end
  return codes
end

local codes_by_key = setmetatable({}, { __index = function(self, key)
  self[key] = codes_of(key)
  return self[key]
end })

-- ---- looking for one ----

-- How the key stands in one of the readings; nil if it does not.
local function how(readings, key)
  for _, reading in ipairs(readings) do
    for _, code in ipairs(codes_by_key[key]) do
      if reading[2]:find(code[2], 1, true) then return reading[1] .. code[1] end
    end
  end
end

-- Raises an error if one of the usual keys stands in the text, or `key`, where there is one.
function keys.refuse(what, text, key)
  local readings = readings_of(text)
  local function look_for(each)
    local found = how(readings, each)
    if found then
      error(("%s has the key %s, %s: %s"):format(what, each, found, text:sub(1, SHOWN)), 0)
    end
  end
  for _, each in ipairs(USUAL) do look_for(each) end
  if key and #key >= SHORTEST then look_for(key) end
end

-- ---- looking into a value ----

-- Calls `see` with all that a value is made of, as next and as pairs show it.
local function each_part(value, see)
  see(tostring(value))
  if type(value) == "userdata" then
    for i = 1, 8 do see(debug.getuservalue(value, i)) end
    return
  end
  for name, item in next, value do
    see(name)
    see(item)
  end
  for name, item in pairs(value) do
    see(name)
    see(item)
  end
end

-- Calls found(string) for every string that can be got at from a value.
function keys.each_string(value, found)
  local seen = {}
  local function see(part)
    if part == nil or seen[part] then return end
    seen[part] = true
    if type(part) == "string" then
      found(part)
    elseif type(part) == "table" or type(part) == "userdata" then
      each_part(part, see)
    end
  end
  see(value)
end

-- Returns its values; raises an error if a key is in one of them.
function keys.refused(what, ...)
  for i = 1, select("#", ...) do
    keys.each_string(select(i, ...), function(text) keys.refuse(what, text) end)
  end
  return ...
end

return keys
