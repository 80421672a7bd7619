-- Searches for the keys of the specs. support/child.lua searches the output of child processes,
-- support/scratch.lua the files that are read, and support/helper.lua the results of calls.
local keys = {}

-- A key that occurs nowhere else in the tree. Its encodings in URLs, JSON, HTML and base64 all
-- differ from it.
keys.KEY = "Kq7-zX0vW_9tB3nL/mR5s+Yd2=&Pf8"

-- The keys of the specs, which are searched for everywhere. A spec must not use one of them as
-- another text.
local USUAL = { keys.KEY, "the-key", "sandbox-key" }

local SHORTEST = 6  -- characters; a shorter key is not redacted
local SHOWN = 2000  -- characters of a text in a message

-- ---- encodings of a key ----

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

-- { name of the encoding, a character that such a text contains, function that decodes it }
local READINGS = {
  { "percent-encoded", "%", without_percents },
  { "in escapes", "\\", without_escapes },
  { "in entities", "&", without_entities },
}

-- Returns a list of { name, text }: the text itself, and each way to decode it.
local function readings_of(text)
  local readings = { { "as it is", text } }
  for _, row in ipairs(READINGS) do
    local name, mark, read = table.unpack(row)
    if text:find(mark, 1, true) then readings[#readings + 1] = { name, read(text) } end
  end
  return readings
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Returns the base64 digits of `text` behind `skipped` bytes, without those that depend on the
-- bytes before or after it.
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

-- Returns a list of { name, text }: the whole key in each encoding.
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

-- ---- the search in a text ----

-- Returns how a reading contains the key, or nil.
local function how(readings, key)
  for _, reading in ipairs(readings) do
    for _, code in ipairs(codes_by_key[key]) do
      if reading[2]:find(code[2], 1, true) then return reading[1] .. code[1] end
    end
  end
end

-- Raises an error if the text contains one of the usual keys, or `key` if it is given.
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

-- ---- the search in a value ----

-- Calls `see` with every part of a value, as next and as pairs return it.
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

-- Calls found(string) for every string that is reachable from a value.
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

-- Returns its arguments. Raises an error if one of them contains a key.
function keys.refused(what, ...)
  for i = 1, select("#", ...) do
    keys.each_string(select(i, ...), function(text) keys.refuse(what, text) end)
  end
  return ...
end

return keys
