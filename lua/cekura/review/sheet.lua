--- Sheets in CSV: a header that names the columns, then rows. Reads what people and spreadsheets
--- write, and writes what RFC 4180 describes (https://www.rfc-editor.org/rfc/rfc4180, section 2).
---
---     local sheet = require "cekura.review.sheet"
---
---     local votes = assert(sheet.open(assert(io.open("votes.csv", "rb"))))
---     local row, problem = votes:read()
---     while row do
---       print(row.line, row.problem or row.cells.run_id)
---       row, problem = votes:read()
---     end
---     assert(not problem, problem)
---
---     local file = assert(io.open("votes.csv", "wb"))
---     assert(file:write(sheet.format({ "run_id", "feedback" }, {
---       { run_id = 5544, feedback = 'The agent said "no", twice' },
---     })))
---     assert(file:close())
---
--- Cells are separated by commas. A cell with a comma, a quote or a line break is quoted, and a
--- quote in it is doubled. Beyond the RFC, a line may end with CR LF, LF or CR; a UTF-8 byte order
--- mark and empty lines are skipped; and a sheet may be separated by semicolons or tabs, as its
--- header shows, or a line `sep=;` before it.
---
--- A source is a file that is open for reading, which is read in chunks, or a string: the text
--- itself, not a path. Reading raises nothing: a row that breaks the rules has a `problem`, and
--- reading continues with the next line. The caller closes the file.

local sheet = {}

local CHUNK = 64 * 1024
local LONGEST_ROW = 1024 * 1024  -- bytes; a quote that is not closed makes the rest one row

-- ---- chunks ----

--- Reads a source row by row; rows are lists of cells.
---@class cekura.review.SheetReader
---@field line integer the line where the next row begins
---@field failure string? why reading ended before the end of the source
---@field separator string one character, between two cells
---@field has_mark boolean whether the source begins with a byte order mark
---@field private text string what has been read of the source, from the current row on
---@field private at integer where in `text` the next row begins
---@field private next_chunk fun(): string?, string?
local Reader = {}
Reader.__index = Reader

local function chunks_of(source)
  if type(source) ~= "string" then return function() return source:read(CHUNK) end end
  local from = 1 - CHUNK
  return function()
    from = from + CHUNK
    if from <= #source then return source:sub(from, from + CHUNK - 1) end
  end
end

--- Returns a reader of the rows of a source, of which none names columns.
---@param source string|file*
---@param separator string? one character; a comma by default
---@return cekura.review.SheetReader
function sheet.reader(source, separator)
  local reader = { line = 1, text = "", at = 1, next_chunk = chunks_of(source),
    separator = separator or "," }
  setmetatable(reader, Reader):byte(3)
  reader.has_mark = reader.text:sub(1, 3) == "\u{FEFF}"
  if reader.has_mark then reader.at = 4 end
  return reader
end

--- Appends a chunk to the text. Returns false at the end.
function Reader:more()
  if self.failure then return false end
  local chunk, problem = self.next_chunk()
  if #self.text - self.at > LONGEST_ROW then
    problem = ("the row of line %d does not end: is a quote missing?"):format(self.line)
  elseif chunk and chunk:find("\0", 1, true) then
    problem = "is not CSV: it has NUL bytes. Save the sheet as CSV in UTF-8"
  end
  self.failure = problem
  if problem or not chunk then return false end
  self.text = self.text .. chunk
  return true
end

--- Returns where the pattern is found next; the position after the text if it is not.
function Reader:find(pattern, from)
  local found = self.text:find(pattern, from)
  while not found and self:more() do found = self.text:find(pattern, from) end
  return found or #self.text + 1
end

--- Returns the byte at a position; "" after the end.
function Reader:byte(at)
  while at > #self.text and self:more() do end
  return self.text:sub(at, at)
end

-- ---- cells ----

--- Parses a cell without quotes. Returns it, the position after it, and a problem.
function Reader:bare_cell(from)
  local stop = self:find("[" .. self.separator .. "\r\n]", from)
  local cell = self.text:sub(from, stop - 1)
  if not cell:find('"', 1, true) then return cell, stop end
  return cell, stop, 'a cell that contains a quote must be quoted, and the quote doubled: ""'
end

--- Parses a quoted cell from the position after its first quote.
function Reader:quoted_cell(from)
  local stop = self:find('"', from)
  while self:byte(stop + 1) == '"' do stop = self:find('"', stop + 2) end
  local cell = self.text:sub(from, stop - 1):gsub('""', '"')
  if stop > #self.text then return cell, stop, "a quote is never closed" end
  local after = self:byte(stop + 1)
  if after == "" or after == self.separator or after:find "[\r\n]" then return cell, stop + 1 end
  return cell, self:find("[\r\n]", stop), "there is text after a closing quote"
end

function Reader:cell(from)
  if self:byte(from) == '"' then return self:quoted_cell(from + 1) end
  return self:bare_cell(from)
end

-- ---- rows ----

--- Returns the position after the line end.
function Reader:skip_line_end(at)
  local byte = self:byte(at)
  if byte == "" then return at end
  return byte == "\r" and self:byte(at + 1) == "\n" and at + 2 or at + 1
end

--- Drops the text of earlier rows, once it is longer than a chunk.
function Reader:forget()
  if self.at <= CHUNK then return end
  self.text = self.text:sub(self.at)
  self.at = 1
end

function Reader:skip_empty_lines()
  while self:byte(self.at):find "[\r\n]" do
    self.at = self:skip_line_end(self.at)
    self.line = self.line + 1
    self:forget()
  end
end

--- Returns the next row: a list of its cells, with `line`, where it begins, and `problem` if it
--- breaks the rules. Returns nil at the end, nil and a message if the source cannot be read, has a
--- NUL byte, or has a row of more than a mebibyte.
---@return { line: integer, problem: string?, [integer]: string }?
---@return string? problem
function Reader:read()
  self:forget()
  self:skip_empty_lines()
  local row, at = { line = self.line }, self.at
  if self:byte(at) == "" then return nil, self.failure end
  while true do
    local cell, stop, problem = self:cell(at)
    row[#row + 1] = cell
    row.problem = row.problem or problem
    if self:byte(stop) ~= self.separator then at = stop break end
    at = stop + 1
  end
  if self.failure then return nil, self.failure end
  at = self:skip_line_end(at)
  local _, breaks = self.text:sub(self.at, at - 1):gsub("\r\n?", "\n"):gsub("\n", "")
  self.line, self.at = self.line + breaks, at
  return row
end

-- ---- sheets ----

--- A sheet is a source whose first row names the columns.
---@class cekura.review.Sheet
---@field columns string[] names, in order, without the spaces around them
---@field dialect cekura.review.SheetDialect
---@field private reader cekura.review.SheetReader
local Sheet = {}
Sheet.__index = Sheet

--- The notation of a sheet.
---@class cekura.review.SheetDialect
---@field separator string between two cells
---@field has_mark boolean? whether it begins with a byte order mark
---@field is_named boolean? whether a line `sep=;` precedes the header

-- %s depends on the locale: on macOS, bytes of UTF-8 are spaces.
local function trimmed(cell)
  local first = cell:find "[^ \t-\r]"
  return first and cell:sub(first, #cell:match "^.*[^ \t-\r]") or ""
end

--- Returns how many cells a row has. Spreadsheets add empty cells at the end; those beyond `least`
--- do not count.
local function count_cells(list, least)
  local count = #list
  while count > least and trimmed(list[count]) == "" do count = count - 1 end
  return count
end

local function column_names(header, is_unnamed)
  local names, seen = {}, {}
  for i = 1, count_cells(header, 1) do
    local name = trimmed(header[i])
    if name == "" and is_unnamed then name = ("column %d"):format(i) end
    if name == "" then return nil, ("column %d has no name"):format(i) end
    if seen[name] then return nil, ('two columns are named "%s"'):format(name) end
    names[i], seen[name] = name, true
  end
  return names
end

--- Reads a row with this separator, and returns to its beginning.
function Reader:peek(separator)
  local at, line = self.at, self.line
  self.separator = separator
  local row = self:read()
  self.at, self.line = at, line
  return row
end

--- Returns the dialect of a sheet. The separator is the one of a line `sep=;`, which is skipped, or
--- the one that makes the most columns of the header.
local function dialect_of(reader)
  reader:forget()
  reader:skip_empty_lines()
  local row = reader:peek "\0"
  local named = row and row[1]:match "^[Ss][Ee][Pp]=([^\r\n])$"
  if named then reader:read() end
  local likely, most = ",", 1
  for _, separator in ipairs { ",", ";", "\t" } do
    row = reader:peek(separator)
    if row and not row.problem and #row > most then likely, most = separator, #row end
  end
  return { separator = named or likely, is_named = named ~= nil, has_mark = reader.has_mark }
end

---@class cekura.review.SheetOptions
---@field unnamed boolean? whether columns may have no name; the third is then "column 3". pandas
---writes its index into such a column

--- Reads the header of a sheet. Returns nil and a message if there is none, or if a column has no
--- name or the name of another.
---@param source string|file*
---@param options cekura.review.SheetOptions?
---@return cekura.review.Sheet?
---@return string? problem
function sheet.open(source, options)
  local reader = sheet.reader(source)
  local dialect = dialect_of(reader)
  reader.separator = dialect.separator
  local header, problem = reader:read()
  if not header then return nil, problem or "is empty" end
  local columns
  if not header.problem then
    columns, header.problem = column_names(header, options and options.unnamed)
  end
  if header.problem then return nil, ("line %d: %s"):format(header.line, header.problem) end
  return setmetatable({ columns = columns, dialect = dialect, reader = reader }, Sheet)
end

--- Returns the next row: its line, and its cells by the names of their columns. The cells of a row
--- with a problem may be incomplete. Rows with only empty cells are skipped. Returns nil at the
--- end, nil and a message if the source cannot be read.
---@return { line: integer, cells: table<string, string>, problem: string? }?
---@return string? problem
function Sheet:read()
  local list, problem
  repeat
    list, problem = self.reader:read()
  until not list or list.problem or table.concat(list) ~= ""
  if not list then return nil, problem end
  local row = { line = list.line, cells = {}, problem = list.problem }
  for i, name in ipairs(self.columns) do row.cells[name] = list[i] end
  local count = count_cells(list, #self.columns)
  if not row.problem and count ~= #self.columns then
    row.problem = ("the header has %d columns, this row has %d"):format(#self.columns, count)
  end
  return row
end

-- ---- writing ----

--- Returns a row as a line of text, with its line end. `sheet.reader` reads the same cells from it.
--- Cells that begin with = + - @ are written as they are, because a sheet is data; a spreadsheet
--- may take them for formulas.
---@param cells (string|integer)[] without holes
---@param separator string? one character; a comma by default
---@return string
function sheet.line(cells, separator)
  separator = separator or ","
  local parts = {}
  for i, value in ipairs(cells) do
    local cell = tostring(value)
    -- Spaces at the ends and a byte order mark are quoted, because some readers drop them.
    local needs_quotes = cell:find '["\r\n]' or cell:find(separator, 1, true)
      or cell:find "^[ \t-\r]" or cell:find "[ \t-\r]$" or cell:find "^\u{FEFF}"
    parts[i] = needs_quotes and '"' .. cell:gsub('"', '""') .. '"' or cell
  end
  if #parts == 1 and parts[1] == "" then parts[1] = '""' end  -- an empty line is not a row
  return table.concat(parts, separator) .. "\r\n"
end

--- Returns a whole sheet as text. `sheet.open` reads the same rows from it, except for those whose
--- cells are all empty.
---@param columns string[] their names, in order
---@param rows table<string, string|integer>[] cells by column; a missing one is empty
---@param dialect cekura.review.SheetDialect? of another sheet; commas and no mark by default
---@return string
function sheet.format(columns, rows, dialect)
  dialect = dialect or { separator = "," }
  local lines = {
    dialect.has_mark and "\u{FEFF}" or "",
    dialect.is_named and ("sep=%s\r\n"):format(dialect.separator) or "",
    sheet.line(columns, dialect.separator),
  }
  for _, row in ipairs(rows) do
    local cells = {}
    for i, name in ipairs(columns) do cells[i] = row[name] or "" end
    lines[#lines + 1] = sheet.line(cells, dialect.separator)
  end
  return table.concat(lines)
end

return sheet
