--- Text for people: what comes from a server may hold anything, and a terminal obeys some of it.

local output = require "support.output"

local text = {}

--- Without control characters, for a terminal; line breaks stay.
function text.clean(value)
  return (tostring(value):gsub("[%c\127]", function(byte) return byte == "\n" and "\n" or " " end)
    :gsub("\xC2[\x80-\x9F]", " "))
end

--- Prints a formatted text without control characters.
function text.print(format, ...)
  output.print(text.clean(format:format(...)))
end

--- 0.875 → "88%"
function text.percent(share)
  return ("%.0f%%"):format(math.floor(share * 100 + 0.5))
end

--- Each line of a text, with something before it.
function text.indent(value, before)
  return before .. text.clean(value):gsub("\n", "\n" .. before)
end

return text
