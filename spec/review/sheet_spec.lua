-- Reading and writing sheets (cekura.review.sheet).
-- spec/fuzz/sheet.lua compares the same reader with a byte-by-byte one.

local child = require "support.child"
local scratch = require "support.scratch"
local sheet = require "cekura.review.sheet"

-- Returns all rows of a source.
local function read(source)
  local reader, rows = sheet.reader(source), {}
  local row, problem = reader:read()
  while row do
    rows[#rows + 1] = row
    row, problem = reader:read()
  end
  return rows, problem
end

-- Returns a file that is read in chunks of this size.
local function in_pieces(text, size)
  local at = 1
  return {
    read = function()
      if at > #text then return nil end
      at = at + size
      return text:sub(at - size, at - 1)
    end,
  }
end

local QUOTE = 'a cell that contains a quote must be quoted, and the quote doubled: ""'
local OPEN = "a quote is never closed"
local BEHIND = "there is text after a closing quote"

-- { what, text, rows: { line, cells…, problem = … } }
local CASES = {
  { "nothing", "", {} },
  { "only line ends", "\n\r\n\r\n\n", {} },
  { "only a byte order mark", "\u{FEFF}", {} },
  { "one cell", "a", { { 1, "a" } } },
  { "two cells", "a,b", { { 1, "a", "b" } } },
  { "an end to the last line, and none", "a,b\r\nc,d", { { 1, "a", "b" }, { 2, "c", "d" } } },
  { "line feeds", "a\nb\n", { { 1, "a" }, { 2, "b" } } },
  { "carriage returns", "a\rb\r", { { 1, "a" }, { 2, "b" } } },
  { "all three line ends", "a\nb\rc\r\nd", { { 1, "a" }, { 2, "b" }, { 3, "c" }, { 4, "d" } } },
  { "empty lines, which count", "\na\r\n\r\n\rb\n\n", { { 2, "a" }, { 5, "b" } } },
  { "empty cells", ",\n,,", { { 1, "", "" }, { 2, "", "", "" } } },
  { "an empty cell at the end of the text", "a,", { { 1, "a", "" } } },
  { "spaces, which belong to the cells", " a , b ", { { 1, " a ", " b " } } },
  { "tabs and semicolons, which separate nothing", "a;b\tc", { { 1, "a;b\tc" } } },
  { "a byte order mark", "\u{FEFF}a,b", { { 1, "a", "b" } } },
  { "a byte order mark before a quote", '\u{FEFF}"a",b', { { 1, "a", "b" } } },
  { "a byte order mark elsewhere", "a,\u{FEFF}b", { { 1, "a", "\u{FEFF}b" } } },
  { "half a byte order mark", "\xEF\xBBa", { { 1, "\xEF\xBBa" } } },
  { "bytes that are no UTF-8", "\xFF,\xC3\n", { { 1, "\xFF", "\xC3" } } },
  { "control characters", "\1,\127\27[2J", { { 1, "\1", "\127\27[2J" } } },
  { "quoted cells", '"a","b"', { { 1, "a", "b" } } },
  { "an empty quoted cell", '""', { { 1, "" } } },
  { "quoted commas", '"a,b",c', { { 1, "a,b", "c" } } },
  { "doubled quotes", '"say ""yes""",""""', { { 1, 'say "yes"', '"' } } },
  { "only doubled quotes", '""""""', { { 1, '""' } } },
  { "line breaks in quotes, which count and stay as they are", '"a\nb\r\nc\rd",e\nf',
    { { 1, "a\nb\r\nc\rd", "e" }, { 5, "f" } } },
  { "an empty line in quotes", '"\n\n"\nx', { { 1, "\n\n" }, { 4, "x" } } },
  { "a quote in a bare cell", 'a"b,c\nd', { { 1, 'a"b', "c", problem = QUOTE }, { 2, "d" } } },
  { "a quote after a space", 'a, "b"\nd', { { 1, "a", ' "b"', problem = QUOTE }, { 2, "d" } } },
  { "text after a closing quote", '"a"b,c\nd', { { 1, "a", problem = BEHIND }, { 2, "d" } } },
  { "a space after a closing quote", '"a" ,c\nd', { { 1, "a", problem = BEHIND }, { 2, "d" } } },
  { "a quote that is never closed", 'a\nb,"c\nd,e\n',
    { { 1, "a" }, { 2, "b", "c\nd,e\n", problem = OPEN } } },
  { "a quote alone", '"', { { 1, "", problem = OPEN } } },
  { "three quotes", '"""', { { 1, '"', problem = OPEN } } },
  { "the first of two mistakes", 'a"b,"c"d', { { 1, 'a"b', "c", problem = QUOTE } } },
}

local function rows_of(expected)
  local rows = {}
  for i, row in ipairs(expected) do
    rows[i] = { line = row[1], problem = row.problem, table.unpack(row, 2) }
  end
  return rows
end

describe("a CSV reader", function()
  for _, case in ipairs(CASES) do
    local what, text, expected = table.unpack(case)

    it("reads " .. what, function()
      assert.same(rows_of(expected), (read(text)))
    end)

    it("reads " .. what .. ", in chunks of any size", function()
      for size = 1, math.min(#text, 7) do
        assert.same(rows_of(expected), (read(in_pieces(text, size))), "pieces of " .. size)
      end
    end)
  end

  it("reads random text the same way, whole and in chunks", function()
    local seed = tonumber(os.getenv "SEED") or 20260702
    math.randomseed(seed)
    local bytes = { '"', '"', ",", "\n", "\r", "a", " ", "\xEF", "\xBB", "\xBF" }
    for round = 1, 2000 do
      local text = {}
      for i = 1, math.random(0, 12) do text[i] = bytes[math.random(#bytes)] end
      text = table.concat(text)
      local rows, problem = read(text)
      local pieces = read(in_pieces(text, math.random(4)))
      assert.is_nil(problem)
      assert.same(rows, pieces, ("round %d, seed %d: %q"):format(round, seed, text))
    end
  end)

  it("refuses a file with NUL bytes", function()
    for _, text in ipairs { "PK\3\4\20\0\6\0", "\xFF\xFEr\0u\0n\0", "a,b\n1,\0\n" } do
      local rows, problem = read(text)
      assert.same({}, rows)
      assert.equal("is not CSV: it has NUL bytes. Save the sheet as CSV in UTF-8", problem)
    end
  end)

  it("refuses a row that is too long", function()
    local lines = ("1,2,3\n"):rep(1000)
    local given = 0
    local reader = sheet.reader { read = function()
      given = given + 1
      return given == 3 and '4,"5\n' or lines
    end }
    local row, problem
    repeat row, problem = reader:read() until not row
    assert.equal("the row of line 2001 does not end: is a quote missing?", problem)
    assert.is_true(given < 200)
    assert.is_nil(reader:read())
  end)

  it("returns the error of a file that cannot be read", function()
    local _, problem = read(assert(io.open "spec"))
    assert.equal("Is a directory", problem)
    local calls = 0
    local torn = { read = function()
      calls = calls + 1
      if calls == 1 then return "a,b\nc," end
      return nil, "Input/output error"
    end }
    local rows
    rows, problem = read(torn)
    assert.same({ { line = 1, "a", "b" } }, rows)
    assert.equal("Input/output error", problem)
  end)

  it("reads no more than it needs", function()
    local given = 0
    local reader = sheet.reader { read = function() given = given + 1 return "1,2\n" end }
    for i = 1, 100 do assert.equal(i, reader:read().line) end
    assert.is_true(given <= 102)
  end)

  it("reads a large file in constant memory", function()
    local rows, bytes = 0, 0
    local chunk = ('5544,55,true,2,"Agent, who was ""new"",\r\nmissed it"\r\n'):rep(1000)
    local left = 100
    local reader = sheet.reader { read = function()
      left = left - 1
      return left >= 0 and chunk or nil
    end }
    collectgarbage()
    local before = collectgarbage "count"
    while reader:read() do
      rows = rows + 1
      if rows % 10000 == 0 then
        collectgarbage()
        bytes = math.max(bytes, collectgarbage "count" - before)
      end
    end
    assert.equal(100000, rows)
    assert.equal(200001, reader.line)
    assert.is_true(bytes < 1024, bytes .. " KiB")
  end)
end)

describe("a CSV sheet", function()
  local function open(text) return assert(sheet.open(text)) end

  it("has the columns of its first row, without the spaces around them", function()
    assert.same({ "run_id", "thumbs up" }, open("\n run_id , thumbs up\r\n1,2").columns)
  end)

  it("returns cells by column, and the line where each row begins", function()
    local votes = open 'b,a\n1,2\n\n"3\n",4\n5,6'
    assert.same({ line = 2, cells = { b = "1", a = "2" } }, votes:read())
    assert.same({ line = 4, cells = { b = "3\n", a = "4" } }, votes:read())
    assert.same({ line = 6, cells = { b = "5", a = "6" } }, votes:read())
    assert.is_nil(votes:read())
    assert.is_nil(votes:read())
  end)

  it("skips rows whose cells are all empty", function()
    local votes = open 'a,b\n,\n"",\n,,,,\n1,2\n,'
    assert.equal(5, votes:read().line)
    assert.is_nil(votes:read())
  end)

  it("reports a row with more or fewer cells than the header", function()
    local votes = open 'a,b\n1\n1,2,3\n1,"2" \n'
    assert.equal("the header has 2 columns, this row has 1", votes:read().problem)
    assert.equal("the header has 2 columns, this row has 3", votes:read().problem)
    assert.equal(BEHIND, votes:read().problem)
  end)

  for text, problem in pairs {
    [""] = "is empty",
    ["\u{FEFF}\r\n\r\n"] = "is empty",
    ["a,,b"] = "line 1: column 2 has no name",
    ["\na,,b,"] = "line 2: column 2 has no name",
    [",,"] = "line 1: column 1 has no name",
    ["a,b, a"] = 'line 1: two columns are named "a"',
    ['a"b,c'] = "line 1: " .. QUOTE,
    ['"a,b\n1,2'] = "line 1: " .. OPEN,
    ["PK\3\4\0"] = "is not CSV: it has NUL bytes. Save the sheet as CSV in UTF-8",
  } do
    it("refuses the header " .. ("%q"):format(text), function()
      local opened, message = sheet.open(text)
      assert.is_nil(opened)
      assert.equal(problem, message)
    end)
  end

  it("may have columns without a name, which get one", function()
    local votes = assert(sheet.open("\n,run_id,,\n0,5544,x,\n", { unnamed = true }))
    assert.same({ "column 1", "run_id" }, votes.columns)
    votes = assert(sheet.open(",run_id,,b\n0,5544,x,\n", { unnamed = true }))
    assert.same({ "column 1", "run_id", "column 3", "b" }, votes.columns)
    assert.same({ ["column 1"] = "0", run_id = "5544", ["column 3"] = "x", b = "" },
      votes:read().cells)
    local _, problem = sheet.open("column 2,\n", { unnamed = true })
    assert.is_nil(problem)
    _, problem = sheet.open("column 2,,a\n", { unnamed = true })
    assert.equal('line 1: two columns are named "column 2"', problem)
  end)

  it("returns the error that ended it early", function()
    local votes = open("a,b\n1,2\n" .. ("3,4\n"):rep(50000) .. "5,\0")
    local row, problem
    repeat row, problem = votes:read() until not row
    assert.matches("NUL bytes", problem)
  end)
end)

describe("a CSV line", function()
  for text, cells in pairs {
    ["a,b\r\n"] = { "a", "b" },
    [",\r\n"] = { "", "" },
    ['""\r\n'] = { "" },
    ['"a,b"\r\n'] = { "a,b" },
    ['"say ""yes"""\r\n'] = { 'say "yes"' },
    ['"a\nb"\r\n'] = { "a\nb" },
    ['"a\rb"\r\n'] = { "a\rb" },
    ['" a","b "\r\n'] = { " a", "b " },
    ['"\u{FEFF}a"\r\n'] = { "\u{FEFF}a" },
    ["a;b,it's\r\n"] = { "a;b", "it's" },
  } do
    it("quotes cells if necessary: " .. ("%q"):format(text), function()
      assert.equal(text, sheet.line(cells))
    end)
  end

  it("is read back unchanged", function()
    math.randomseed(20260703)
    local alphabet = { '"', ",", "\n", "\r", "\r\n", " ", "a", "ä", "\u{FEFF}", "\xFF", "=", "" }
    local lists, lines = {}, {}
    for i = 1, 500 do
      lists[i] = {}
      for column = 1, math.random(4) do
        local parts = {}
        for part = 1, math.random(0, 4) do parts[part] = alphabet[math.random(#alphabet)] end
        lists[i][column] = table.concat(parts)
      end
      lines[i] = sheet.line(lists[i])
    end
    local rows = read(table.concat(lines))
    for i, list in ipairs(lists) do
      rows[i].line = nil
      assert.same(list, rows[i])
    end
    assert.equal(#lists, #rows)
  end)

  it("may have another separator, which is quoted instead of a comma", function()
    assert.equal('a,b;"c;d";5\r\n', sheet.line({ "a,b", "c;d", 5 }, ";"))
    assert.same({ line = 1, "a,b", "c;d", "5" },
      sheet.reader('a,b;"c;d";5\r\n', ";"):read())
  end)

  it("keeps cells that a spreadsheet takes for formulas", function()
    assert.equal("=1+1,+1,-1,@a\r\n", sheet.line { "=1+1", "+1", "-1", "@a" })
  end)

  it("is read by Python's csv module", function()
    local cells = { 'say "yes"', "a,b", "", " x ", "line\r\nbreak", "ä" }
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(sheet.line(cells))
    file:close()
    local output, code = child.run { "/usr/bin/python3", "-E", "-c",
      "import csv, sys\nfor row in csv.reader(open(sys.argv[1], newline='')): print(ascii(row))",
      path }
    os.remove(path)
    assert.equal(0, code, output)
    assert.equal([=[['say "yes"', 'a,b', '', ' x ', 'line\r\nbreak', '\xe4']]=] .. "\n", output)
  end)
end)

describe("a whole sheet", function()
  it("is written in the order of its columns, with empty cells for missing ones", function()
    assert.equal('b,a\r\n2,"x,y"\r\n,1\r\n',
      sheet.format({ "b", "a" }, { { a = "x,y", b = 2, c = "no column" }, { a = "1" } }))
    assert.equal("a\r\n", sheet.format({ "a" }, {}))
  end)

  for _, text in ipairs {
    "a;b\r\n1;2,5\r\n", "\u{FEFF}a,b\r\n1,2\r\n", "sep=\t\r\na\tb\r\n1\t2\r\n",
    "\u{FEFF}sep=;\r\na;b\r\n1;2\r\n",
  } do
    it(("is written in the dialect of another: %q"):format(text), function()
      local other = assert(sheet.open(text))
      assert.equal(text, sheet.format(other.columns, { other:read().cells }, other.dialect))
    end)
  end

  it("is read and written by the script in the header of the module", function()
    local header = scratch.read "lua/cekura/review/sheet.lua":match "^(.-)\nlocal sheet = {}"
    local lines = {}
    for line in header:gmatch "[^\n]+" do lines[#lines + 1] = line:match "^%-%-%-     (.*)" end
    local folder, printed = scratch.folder(), {}
    scratch.write(folder .. "/votes.csv", 'run_id\n5544\n"55"45\n')
    local names = setmetatable({
      print = function(...) printed[#printed + 1] = table.concat({ ... }, " ") end,
      io = { open = function(path, mode) return io.open(folder .. "/" .. path, mode) end },
    }, { __index = _G })
    assert(load(table.concat(lines, "\n"), "=header", "t", names))()
    assert.same({ "2 5544", "3 " .. BEHIND }, printed)
    assert.equal('run_id,feedback\r\n5544,"The agent said ""no"", twice"\r\n',
      scratch.read(folder .. "/votes.csv"))
    scratch.remove(folder)
  end)
end)
