--- Files of rejected rows, in the columns and the dialect of their sheet, each with its line and
--- the error. After the rows have been corrected, such a file can be sent like a sheet.

local csv = require "support.csv"
local files = require "support.files"

local rejects = {}

--- Checks before anything is sent that the file can be written, and that it is empty or a file of
--- rejects. Returns true, or nil and a message.
function rejects.try(path)
  local file, problem = io.open(path, "a+")
  if not file then return nil, problem end
  local is_empty = (file:seek "end" or 0) == 0
  if not is_empty then file:seek "set" end
  local sheet = not is_empty and csv.sheet(file)
  file:close()
  local columns = sheet and sheet.columns or {}
  if is_empty or columns[1] == "line" and columns[2] == "error" then return true end
  return nil, path .. " exists, and is not a file of rejects: name another file"
end

function rejects.by_line(a, b) return a.line < b.line end

--- Writes the rows in the order of the sheet. Without rows, the file has only a header, which
--- replaces the rejects of an earlier run. Returns true, or nil and a message.
---@param columns string[] of the sheet
---@param dialect csv.Dialect
---@param rows { line: integer, error: string, cells: table<string, string> }[]
function rejects.write(path, columns, dialect, rows)
  table.sort(rows, rejects.by_line)
  local head = table.move(columns, 1, #columns, 3, { "line", "error" })
  local lines = { csv.beginning(dialect), csv.line(head, dialect.separator) }
  for _, row in ipairs(rows) do
    local cells = { tostring(row.line), row.error }
    for i, name in ipairs(columns) do cells[i + 2] = row.cells[name] or "" end
    lines[#lines + 1] = csv.line(cells, dialect.separator)
  end
  return files.replace(path, table.concat(lines))
end

return rejects
