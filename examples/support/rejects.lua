--- Files of rejects: the rows of a sheet that did not go through, each with its line and why, in
--- the sheet's own dialect and columns. Once mended, such a file is a sheet that can be sent.

local csv = require "support.csv"
local files = require "support.files"

local rejects = {}

local function is_one(file)
  local sheet = csv.sheet(file)
  local columns = sheet and sheet.columns or {}
  return columns[1] == "line" and columns[2] == "error"
end

--- Finds out before anything is sent that the file cannot be written, or is somebody's sheet.
--- Returns true, or nil and a message.
function rejects.try(path)
  local file, problem = io.open(path, "a+")
  if not file then return nil, problem end
  local is_empty = (file:seek "end" or 0) == 0
  if not is_empty then file:seek "set" end
  local is_ours = is_empty or is_one(file)
  file:close()
  if is_ours then return true end
  return nil, path .. " exists, and is not a file of rejects: name another file"
end

local function text_of(columns, dialect, rows)
  local head = table.move(columns, 1, #columns, 3, { "line", "error" })
  local lines = { csv.beginning(dialect), csv.line(head, dialect.separator) }
  for _, row in ipairs(rows) do
    local cells = { tostring(row.line), row.error }
    for i, name in ipairs(columns) do cells[i + 2] = row.cells[name] or "" end
    lines[#lines + 1] = csv.line(cells, dialect.separator)
  end
  return table.concat(lines)
end

function rejects.by_line(a, b) return a.line < b.line end

--- Writes them in the order of the sheet: only a header where there are none, for an earlier run's
--- are gone. Returns true, or nil and a message.
---@param columns string[] the sheet's own
---@param dialect csv.Dialect
---@param rows { line: integer, error: string, cells: table<string, string> }[]
function rejects.write(path, columns, dialect, rows)
  table.sort(rows, rejects.by_line)
  return files.replace(path, text_of(columns, dialect, rows))
end

return rejects
