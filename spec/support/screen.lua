-- The screen of a terminal: the rows that a user sees after output was written to it. Lines that
-- are longer than the width of the window wrap, and wrap again when it changes, as in most
-- terminals.
local screen = {}

local Screen = {}
Screen.__index = Screen

-- The output is kept in lines, which may take several rows. The cursor is in
-- `self.lines[self.line]`, after `self.column` characters.

-- Returns the column at which the row of the cursor begins.
function Screen:row_start() return self.column // self.width * self.width end

local function trimmed(text) return (text:gsub(" +$", "")) end

-- Returns the rows, without trailing blanks and without empty rows at the end.
function Screen:rows()
  local rows = {}
  for _, line in ipairs(self.lines) do
    local from = 1
    repeat
      rows[#rows + 1] = trimmed(line:sub(from, from + self.width - 1))
      from = from + self.width
    until from > #line
  end
  while rows[#rows] == "" do rows[#rows] = nil end
  return rows
end

function Screen:print(text)
  local line = self.lines[self.line]
  line = line .. (" "):rep(self.column - #line)
  self.lines[self.line] = line:sub(1, self.column) .. text .. line:sub(self.column + #text + 1)
  self.column = self.column + #text
end

-- Blanks from the cursor to the end of its row.
function Screen:erase_row()
  local line, rest = self.lines[self.line], self:row_start() + self.width
  local blank = #line > rest and (" "):rep(rest - self.column) or ""
  self.lines[self.line] = line:sub(1, self.column) .. blank .. line:sub(rest + 1)
end

-- Blanks from the cursor to the end of the screen.
function Screen:erase_below()
  self.lines[self.line] = self.lines[self.line]:sub(1, self.column)
  for i = self.line + 1, #self.lines do self.lines[i] = nil end
end

function Screen:next_line()
  self.line, self.column = self.line + 1, self.column - self:row_start()
  self.lines[self.line] = self.lines[self.line] or ""
end

-- { pattern of the output, its effect }; the first match counts
local MEANING = {
  { "^\r", function(self) self.column = self:row_start() end },
  { "^\n", Screen.next_line },
  { "^\27%[K", Screen.erase_row },
  { "^\27%[J", Screen.erase_below },
  { "^\27%[%d*m", function() end },  -- a colour, which the rows do not show
  { "^\27%[8;24;(%d+)t", function(self, width) self.width = math.tointeger(width) end },
  { "^\27%]2;([^\7]*)\7", function(self, name) self.looks[name] = self:rows() end },
  { "^([^%c]+)", Screen.print },
}

function Screen:read(text, from)
  for _, row in ipairs(MEANING) do
    local _, to, argument = text:find(row[1], from)
    if to then
      row[2](self, argument)
      return to + 1
    end
  end
  error(("a terminal would not know %q"):format(text:sub(from, from + 9)))
end

-- Returns the rows at the end, `rows`, and in `looks[name]` the rows when the window got that
-- title.
function screen.of(text, width)
  local width_or_usual = width > 0 and width or 80
  local self = setmetatable(
    { width = width_or_usual, lines = { "" }, line = 1, column = 0, looks = {} }, Screen)
  local from = 1
  while from <= #text do from = self:read(text, from) end
  return { rows = self:rows(), looks = self.looks }
end

return screen
