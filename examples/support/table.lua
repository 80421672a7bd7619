--- Tables of text. Each column is as wide as its widest cell is on a terminal, and a cell shows no
--- more than its beginning.

local cekura = require "cekura"
local output = require "support.output"
local text = require "support.text"

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

local WIDEST = 40  -- columns of a cell

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

local function cut(line)
  if texttable.width(line) <= WIDEST then return line end
  local width = 0
  for at, code in utf8.codes(line) do
    width = width + width_of_code(code)
    if width >= WIDEST then return line:sub(1, at - 1) .. "…" end
  end
end

--- Returns a value as a person reads it, on one line; "-" for none.
function texttable.show(value)
  if value == nil or value == cekura.null then return "-" end
  if type(value) == "boolean" then return value and "yes" or "no" end
  if math.type(value) == "float" then return ("%.10g"):format(value) end
  local line = tostring(value)
  if not utf8.len(line) then line = line:gsub("[\x80-\xFF]", "?") end
  return cut(text.line(line))
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

--- Returns the rows as lines. Columns with numbers are aligned to the right.
---@param rows any[][] the first row has the heads, one per column; other cells may be nil
---@param indent string? what each line begins with: two spaces
---@return string # each row ends with a line end
function texttable.text(rows, indent)
  local widths, is_numeric = widths_of(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = {}
    for column, width in ipairs(widths) do
      local cell = texttable.show(row[column])
      local blank = (" "):rep(width - texttable.width(cell))
      cells[column] = is_numeric[column] and blank .. cell or cell .. blank
    end
    lines[i] = (indent or "  ") .. table.concat(cells, "  "):gsub("%s+$", "") .. "\n"
  end
  return table.concat(lines)
end

--- Prints the rows, with an empty line before and after them.
function texttable.print(rows) output.write("\n", texttable.text(rows), "\n") end

return texttable
