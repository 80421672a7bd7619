--- Tables of text. Each column is as wide as its widest cell is on a terminal, and a cell shows no
--- more than its beginning.

local cekura = require "cekura"
local output = require "cekura.review.internal.output"
local text = require "cekura.review.internal.text"

local texttable = {}

-- { first code point, last code point, columns on a terminal }: CJK and emoji take two columns,
-- combining characters take none. All other characters take one.
local WIDTHS = {
  { 0x0300, 0x036F, 0 }, { 0x1100, 0x115F, 2 }, { 0x200B, 0x200F, 0 }, { 0x20D0, 0x20F0, 0 },
  { 0x2E80, 0x303E, 2 }, { 0x3041, 0xA4CF, 2 }, { 0xAC00, 0xD7A3, 2 }, { 0xF900, 0xFAFF, 2 },
  { 0xFE00, 0xFE0F, 0 }, { 0xFE30, 0xFE6F, 2 }, { 0xFF00, 0xFF60, 2 }, { 0xFFE0, 0xFFE6, 2 },
  { 0x1F300, 0x1F64F, 2 }, { 0x1F680, 0x1F6FF, 2 }, { 0x1F900, 0x1F9FF, 2 },
  { 0x20000, 0x3FFFD, 2 },
}

local WIDEST = 40     -- columns of a cell
local NARROWEST = 4   -- columns to which a cell is shortened so that a row fits
local GAP = 2         -- columns between two cells

local function width_of_code(code)
  if code < 0x0300 then return 1 end
  for _, range in ipairs(WIDTHS) do
    if code >= range[1] and code <= range[2] then return range[3] end
  end
  return 1
end

--- Returns how many columns of a terminal a text takes.
---@param line string valid UTF-8
function texttable.width(line)
  local width = 0
  for _, code in utf8.codes(line) do width = width + width_of_code(code) end
  return width
end

local function cut(line, widest)
  if texttable.width(line) <= widest then return line end
  local width = 0
  for at, code in utf8.codes(line) do
    width = width + width_of_code(code)
    if width >= widest then return line:sub(1, at - 1) .. "…" end
  end
end

--- Returns a line in pieces that take no more columns than `widest`, broken at blanks if it can be.
---@param line string valid UTF-8
---@param widest integer
---@return string[]
function texttable.wrap(line, widest)
  local pieces, start, width, blank = {}, 1, 0, nil
  for at, code in utf8.codes(line) do
    width = width + width_of_code(code)
    if width > widest and at > start then
      local stop = blank or at - 1
      pieces[#pieces + 1] = line:sub(start, stop):gsub(" $", "")
      start, blank = stop + 1, nil
      width = texttable.width(line:sub(start, utf8.offset(line, 2, at) - 1))
    end
    if code == 32 then blank = at end
  end
  pieces[#pieces + 1] = line:sub(start)
  return pieces
end

--- Returns a value as a person reads it, on one line; "-" for none.
function texttable.show(value)
  if value == nil or value == cekura.null then return "-" end
  if type(value) == "boolean" then return value and "yes" or "no" end
  if math.type(value) == "float" then return ("%.10g"):format(value) end
  local line = tostring(value)
  if not utf8.len(line) then line = line:gsub("[\x80-\xFF]", "?") end
  return cut(text.line(line), WIDEST)
end

--- Returns the width of each column, how narrow it may become, and whether it has numbers. Numbers
--- are never shortened, but their head may be.
local function widths_of(rows)
  local widths, least, is_numeric = {}, {}, {}
  for column = 1, #rows[1] do
    widths[column], least[column] = 0, NARROWEST
    for i, row in ipairs(rows) do
      local width = texttable.width(texttable.show(row[column]))
      widths[column] = math.max(widths[column], width)
      if i > 1 then least[column] = math.max(least[column], width) end
      is_numeric[column] = is_numeric[column] or type(row[column]) == "number"
    end
    if not is_numeric[column] then least[column] = NARROWEST end
  end
  return widths, least, is_numeric
end

--- Narrows the widest columns until a row fits on the terminal, if it can.
local function fit(widths, least, room)
  local sum = (#widths - 1) * GAP
  for _, width in ipairs(widths) do sum = sum + width end
  while sum > room do
    local widest
    for column, width in ipairs(widths) do
      if width > least[column] and width > (widest and widths[widest] or 0) then widest = column end
    end
    if not widest then return end
    widths[widest], sum = widths[widest] - 1, sum - 1
  end
end

--- Returns the rows as lines that fit on the terminal if they can. Columns with numbers are aligned
--- to the right.
---@param rows any[][] the first row has the heads, one per column; other cells may be nil
---@param indent string? what each line begins with: two spaces
---@return string # each row ends with a line end
function texttable.text(rows, indent)
  local widths, least, is_numeric = widths_of(rows)
  local lines = {}
  indent = indent or "  "
  fit(widths, least, (output.columns() or math.huge) - #indent)
  for i, row in ipairs(rows) do
    local cells = {}
    for column, width in ipairs(widths) do
      local cell = cut(texttable.show(row[column]), width)
      local blank = (" "):rep(width - texttable.width(cell))
      cells[column] = is_numeric[column] and blank .. cell or cell .. blank
    end
    lines[i] = indent .. table.concat(cells, (" "):rep(GAP)):gsub("%s+$", "") .. "\n"
  end
  return table.concat(lines)
end

--- Prints the rows, with an empty line before and after them.
function texttable.print(rows) output.write("\n", texttable.text(rows), "\n") end

return texttable
