--- Text for people. Text from a server may contain escape sequences, which a terminal would obey;
--- everything that is printed goes through `clean` or `line`.

local output = require "support.output"

local text = {}

--- Returns the value as text in which control characters are blanks, except line breaks.
function text.clean(value)
  return (tostring(value):gsub("[%c\127]", function(byte) return byte == "\n" and "\n" or " " end)
    :gsub("\xC2[\x80-\x9F]", " "))
end

--- Returns the value as one line without control characters.
function text.line(value) return (text.clean(value):gsub("\n", " ")) end

--- Prints a formatted text without control characters.
function text.print(format, ...)
  output.print(text.clean(format:format(...)))
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
