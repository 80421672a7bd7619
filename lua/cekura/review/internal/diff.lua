--- The difference between two texts, line by line.
---     for _, row in ipairs(diff.rows("a\nb", "a\nc")) do print(row.mark, row.line) end

local output = require "cekura.review.internal.output"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"

local diff = {}

local SHOWN = 2  -- unchanged lines around a change

local function lines_of(value)
  local lines = {}
  if value ~= "" and value:sub(-1) ~= "\n" then value = value .. "\n" end
  for line in value:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

--- Returns lengths[i][j]: the length of the longest common subsequence of old from line i on and
--- new from line j on.
local function common_lengths(old, new)
  local lengths = {}
  for i = #old + 1, 1, -1 do
    lengths[i] = { [#new + 1] = 0 }
    for j = #new, 1, -1 do
      lengths[i][j] = i > #old and 0 or old[i] == new[j] and lengths[i + 1][j + 1] + 1
        or math.max(lengths[i + 1][j], lengths[i][j + 1])
    end
  end
  return lengths
end

--- Returns all lines of both texts, in order. The mark is "-" for a removed line, "+" for an added
--- one, and " " for the others.
---@param old string
---@param new string
---@return { mark: string, line: string }[]
function diff.rows(old, new)
  local a, b, rows = lines_of(old), lines_of(new), {}
  local lengths, i, j = common_lengths(a, b), 1, 1
  while i <= #a or j <= #b do
    if i <= #a and j <= #b and a[i] == b[j] then
      rows[#rows + 1] = { mark = " ", line = a[i] }
      i, j = i + 1, j + 1
    elseif j > #b or i <= #a and lengths[i + 1][j] >= lengths[i][j + 1] then
      rows[#rows + 1] = { mark = "-", line = a[i] }
      i = i + 1
    else
      rows[#rows + 1] = { mark = "+", line = b[j] }
      j = j + 1
    end
  end
  return rows
end

-- ---- on a terminal ----

local COLOURS = { ["-"] = "\27[31m%s\27[0m", ["+"] = "\27[32m%s\27[0m" }

local function is_near_change(rows, at)
  for i = math.max(at - SHOWN, 1), math.min(at + SHOWN, #rows) do
    if rows[i].mark ~= " " then return true end
  end
  return false
end

local LEFT_OUT = "      (%s as before)"

local INDENT = 6         -- columns before a line, with its mark
local NARROWEST = 20     -- columns for the lines

--- Prints a line with its mark, in as many lines as the terminal needs.
local function print_row(row)
  local room = math.max((output.columns() or math.huge) - INDENT, NARROWEST)
  local colour = output.is_colourful() and COLOURS[row.mark] or "%s"
  local line = text.clean(row.line)
  local pieces = utf8.len(line) and texttable.wrap(line, room) or { line }
  for i, piece in ipairs(pieces) do
    output.print((colour:format(("    %s %s"):format(i == 1 and row.mark or " ", piece))))
  end
end

--- Prints a changed text below its name. Lines that are far from every change are left out.
function diff.print(name, old, new)
  text.print("  %s:", name)
  local rows, left_out = diff.rows(old, new), 0
  for i, row in ipairs(rows) do
    if is_near_change(rows, i) then
      if left_out > 0 then text.print(LEFT_OUT, text.count(left_out, "line")) end
      left_out = 0
      print_row(row)
    else
      left_out = left_out + 1
    end
  end
end

return diff
