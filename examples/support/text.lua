--- Text for people: what comes from a server may hold anything, and a terminal obeys some of it.

local text = {}

--- Without control characters, for a terminal; line breaks stay.
function text.clean(value)
  return (tostring(value):gsub("[%c\127]", function(byte) return byte == "\n" and "\n" or " " end)
    :gsub("\xC2[\x80-\x9F]", " "))
end

--- Prints a formatted text without control characters.
function text.print(format, ...)
  print(text.clean(format:format(...)))
end

--- "1 run", "2 runs"
function text.count(number, singular, plural)
  return ("%d %s"):format(number, number == 1 and singular or plural or singular .. "s")
end

--- 0.875 → "88%"
function text.percent(share)
  return ("%d%%"):format(math.floor(share * 100 + 0.5))
end

--- A number as JSON has it, without a ".0"; anything else as it is.
function text.value(value)
  if value == nil then return "none" end
  return text.clean(math.type(value) == "float" and ("%.4g"):format(value) or value)
end

--- Each line of a text, with something before it.
function text.indent(value, before)
  return before .. text.clean(value):gsub("\n", "\n" .. before)
end

return text
