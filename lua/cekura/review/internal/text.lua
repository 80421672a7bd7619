--- Text for people. Text from a server may contain escape sequences, which a terminal would obey;
--- everything that is printed goes through `clean` or `line`.

local output = require "cekura.review.internal.output"

local text = {}

text.clean = output.clean

--- Returns the value as one line without control characters.
function text.line(value) return (text.clean(value):gsub("\n", " ")) end

--- Prints a formatted text without control characters.
function text.print(format, ...)
  output.print(text.clean(format:format(...)))
end

--- Returns a text in which each byte that is not UTF-8 is replaced: names of files and cells may
--- have such bytes.
---@param word string
---@param replacement string
function text.utf8(word, replacement)
  local parts, at = {}, 1
  repeat
    local _, bad = utf8.len(word, at)
    parts[#parts + 1] = word:sub(at, (bad or 0) - 1)
    at = bad and bad + 1
  until not bad
  return table.concat(parts, replacement)
end

--- Returns a copy of a value in which all text is UTF-8, which JSON requires: U+FFFD replaces other
--- bytes.
function text.valid(value)
  if type(value) == "string" then return text.utf8(value, "\u{FFFD}") end
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value))  -- a marked array stays one
  for key, item in pairs(value) do copy[text.valid(key)] = text.valid(item) end
  return copy
end

--- Returns a share in percent: 0.875 is "88%".
function text.percent(share)
  return ("%.0f%%"):format(math.floor(share * 100 + 0.5))
end

--- Returns a number with its noun: "1 run", "2 runs".
function text.count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

return text
