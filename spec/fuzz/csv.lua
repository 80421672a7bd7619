-- Fuzz target of CSV: the reader returns the same rows as a byte-by-byte reader and never raises,
-- and rows that are written are read back.
local sheet = require "cekura.review.sheet"

local QUOTE = 'a cell that contains a quote must be quoted, and the quote doubled: ""'
local OPEN = "a quote is never closed"
local BEHIND = "there is text after a closing quote"
local NUL = "is not CSV: it has NUL bytes. Save the sheet as CSV in UTF-8"

-- ---- the byte-by-byte reader ----

-- Returns the quoted cell after the quote at `at`, the position after it, and a problem.
local function plain_quoted(text, at)
  local parts, problem = {}, nil
  at = at + 1
  while true do
    local byte = text:sub(at, at)
    if byte == "" then return table.concat(parts), at, OPEN end
    if byte == '"' and text:sub(at + 1, at + 1) ~= '"' then break end
    parts[#parts + 1] = byte
    at = at + (byte == '"' and 2 or 1)
  end
  at = at + 1
  if not text:sub(at, at):find "^[,\r\n]?$" then
    problem = BEHIND
    while text:sub(at, at):find "[^\r\n]" do at = at + 1 end
  end
  return table.concat(parts), at, problem
end

local function plain_cell(text, at)
  if text:sub(at, at) == '"' then return plain_quoted(text, at) end
  local from = at
  while text:sub(at, at):find "[^,\r\n]" do at = at + 1 end
  local cell = text:sub(from, at - 1)
  return cell, at, cell:find('"', 1, true) and QUOTE or nil
end

-- Returns the length of the line end at this position; 0 if there is none.
local function line_end(text, at)
  return #(text:match("^\r\n", at) or text:match("^[\r\n]", at) or "")
end

local function count(text)
  local lines, at = 0, 1
  while at <= #text do
    local size = line_end(text, at)
    lines, at = lines + (size > 0 and 1 or 0), at + math.max(size, 1)
  end
  return lines
end

local function plain_row(text, at, line)
  local row = { line = line }
  while true do
    local cell, stop, problem = plain_cell(text, at)
    row[#row + 1], row.problem = cell, row.problem or problem
    at = stop + 1
    if text:sub(stop, stop) ~= "," then return row, stop + line_end(text, stop) end
  end
end

local function plain_rows(text)
  local rows, at, line = {}, text:sub(1, 3) == "\u{FEFF}" and 4 or 1, 1
  while at <= #text do
    local size, from = line_end(text, at), at
    if size > 0 then at = at + size
    else rows[#rows + 1], at = plain_row(text, at, line) end
    line = line + count(text:sub(from, at - 1))
  end
  return rows
end

-- ---- the checks ----

local function in_pieces(text, size)
  local at = 1
  return { read = function()
    if at > #text then return nil end
    at = at + size
    return text:sub(at - size, at - 1)
  end }
end

local function read(source)
  local reader, rows = sheet.reader(source), {}
  local row, problem = reader:read()
  while row do
    rows[#rows + 1] = row
    row, problem = reader:read()
  end
  assert(reader:read() == nil, "there is more behind the end")
  return rows, problem
end

local function shown(rows)
  local parts = {}
  for i, row in ipairs(rows) do
    local cells = {}
    for j, cell in ipairs(row) do cells[j] = ("%q"):format(cell) end
    parts[i] = ("%s %s: %s"):format(row.line, row.problem, table.concat(cells, ","))
  end
  return table.concat(parts, "\n")
end

local function check_same(expected, rows)
  local one, other = shown(expected), shown(rows)
  assert(one == other, "expected\n" .. one .. "\ngot\n" .. other)
end

local function check_reading(text)
  local rows, problem = read(text)
  if text:find("\0", 1, true) then
    assert(problem == NUL, problem)
  else
    assert(problem == nil, problem)
    check_same(plain_rows(text), rows)
    for size = 1, 3 do check_same(rows, (read(in_pieces(text, size)))) end
  end
end

local function check_sheet(text)
  local opened, problem = sheet.open(text)
  assert(opened or type(problem) == "string")
  local row
  while opened do
    row = opened:read()
    if not row then return end
    for name in pairs(row.cells) do assert(type(name) == "string") end
    if not row.problem then
      for _, name in ipairs(opened.columns) do assert(row.cells[name]) end
    end
  end
end

-- Cells end with \1 and rows with \2.
local function check_writing(text)
  local lists, lines, line = {}, {}, 1
  for row in text:gsub("\0", ""):gmatch "[^\2]+" do
    local list = { line = line }
    for cell in row:gmatch "[^\1]*" do list[#list + 1] = cell end
    lists[#lists + 1], lines[#lines + 1] = list, sheet.line(list)
    line = line + count(lines[#lines])
  end
  check_same(lists, (read(table.concat(lines))))
end

return function(text)
  check_reading(text)
  check_sheet(text)
  check_writing(text)
end
