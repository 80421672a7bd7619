--- Files of rejected rows, in the columns and the dialect of their sheet, each with its line and
--- the error. After the rows have been corrected, such a file can be sent like a sheet.

local files = require "cekura.review.internal.files"
local sheet = require "cekura.review.sheet"

local rejects = {}

--- Checks before anything is sent that the file can be written, and that it is empty or a file of
--- rejects. Returns true, or nil and a message.
function rejects.try(path)
  local file, problem = io.open(path, "a+")
  if not file then return nil, problem end
  local is_empty = (file:seek "end" or 0) == 0
  if not is_empty then file:seek "set" end
  local existing = not is_empty and sheet.open(file)
  file:close()
  local columns = existing and existing.columns or {}
  if is_empty or columns[1] == "line" and columns[2] == "error" then return true end
  return nil, path .. " exists, and is not a file of rejects: name another file"
end

function rejects.by_line(a, b) return a.line < b.line end

--- Writes the rows in the order of the sheet. Without rows, the file has only a header, which
--- replaces the rejects of an earlier run. Returns true, or nil and a message.
---@param columns string[] of the sheet
---@param dialect cekura.review.SheetDialect
---@param rows { line: integer, error: string, cells: table<string, string> }[]
function rejects.write(path, columns, dialect, rows)
  table.sort(rows, rejects.by_line)
  local rejected = {}
  for i, row in ipairs(rows) do
    rejected[i] = { line = row.line, error = row.error }
    for _, name in ipairs(columns) do rejected[i][name] = row.cells[name] end
  end
  local all = table.move(columns, 1, #columns, 3, { "line", "error" })
  return files.replace(path, sheet.format(all, rejected, dialect))
end

return rejects
