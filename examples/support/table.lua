--- Tables of text, each column as wide as the widest of its cells on a terminal.

local cekura = require "cekura"
local output = require "support.output"

local texttable = {}

-- Code points from … to …, and how many columns of a terminal they take: CJK and emoji take two,
-- what is drawn over the character before it takes none. All others take one.
local WIDTHS = {
  { 0x0300, 0x036F, 0 }, { 0x1100, 0x115F, 2 }, { 0x200B, 0x200F, 0 }, { 0x20D0, 0x20F0, 0 },
  { 0x2E80, 0x303E, 2 }, { 0x3041, 0xA4CF, 2 }, { 0xAC00, 0xD7A3, 2 }, { 0xF900, 0xFAFF, 2 },
  { 0xFE00, 0xFE0F, 0 }, { 0xFE30, 0xFE6F, 2 }, { 0xFF00, 0xFF60, 2 }, { 0xFFE0, 0xFFE6, 2 },
  { 0x1F300, 0x1F64F, 2 }, { 0x1F680, 0x1F6FF, 2 }, { 0x1F900, 0x1F9FF, 2 },
  { 0x20000, 0x3FFFD, 2 },
}

local WIDEST = 40  -- what is longer is cut off

local function width_of_code(code)
  if code < 0x0300 then return 1 end
  for _, range in ipairs(WIDTHS) do
    if code >= range[1] and code <= range[2] then return range[3] end
  end
  return 1
end

--- How many columns the text takes.
function texttable.width(text)
  local width = 0
  for _, code in utf8.codes(text) do width = width + width_of_code(code) end
  return width
end

--- Text from a server, as one line of UTF-8 that a terminal shows and does not obey.
local function tidy(text)
  if not utf8.len(text) then text = text:gsub("[\x80-\xFF]", "?") end
  return (text:gsub("%c", " "):gsub("\xC2[\x80-\x9F]", " "))
end

local function cut(text)
  if texttable.width(text) <= WIDEST then return text end
  local width = 0
  for at, code in utf8.codes(text) do
    width = width + width_of_code(code)
    if width >= WIDEST then return text:sub(1, at - 1) .. "…" end
  end
end

--- A value as a person reads it: "-" for none.
function texttable.show(value)
  if value == nil or value == cekura.null then return "-" end
  if type(value) == "boolean" then return value and "yes" or "no" end
  if math.type(value) == "float" then return ("%.10g"):format(value) end
  return cut(tidy(tostring(value)))
end

local function widths_of(rows)
  local widths, is_numeric = {}, {}
  for column = 1, #rows[1] do
    widths[column] = 0
    for _, row in ipairs(rows) do
      widths[column] = math.max(widths[column], texttable.width(texttable.show(row[column])))
      is_numeric[column] = is_numeric[column] or type(row[column]) == "number"
    end
  end
  return widths, is_numeric
end

local function padded(text, width, to_the_right)
  local blank = (" "):rep(width - texttable.width(text))
  return to_the_right and blank .. text or text .. blank
end

--- The rows below each other. The first are the heads, and say how many columns there are; columns
--- with numbers stand to the right.
---@param rows any[][] cells may be nil
---@return string # with a line end behind each row
function texttable.text(rows)
  local widths, is_numeric = widths_of(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = {}
    for column, width in ipairs(widths) do
      cells[column] = padded(texttable.show(row[column]), width, is_numeric[column])
    end
    lines[i] = "  " .. table.concat(cells, "  "):gsub("%s+$", "") .. "\n"
  end
  return table.concat(lines)
end

--- Prints them, with an empty line before and after.
function texttable.print(rows) output.write("\n", texttable.text(rows), "\n") end

return texttable
