-- Prints the results of rows as Markdown: a table of the client, and one of other libraries.
local report = {}

-- The factor from the unit of the record to that of the table.
local SCALE = { k = 1e-3, MiB = 1 / 1024 }

local function amount(value, unit)
  if not value then return "" end
  value = value * (SCALE[unit] or 1)
  local digits = value < 9.995 and 2 or value < 99.95 and 1 or 0
  return (("%." .. digits .. "f %s"):format(value, unit):gsub(" $", ""))
end

local holds = {
  ["≤"] = function(value, target) return value <= target end,
  ["≥"] = function(value, target) return value >= target end,
}

-- Returns the target of a figure, or of its ratio, with a mark if the value, as the table shows it,
-- misses it.
local function target_of(figure, result)
  local _, field, unit, record, relation, target = table.unpack(figure)
  if not record then return "" end
  local of_ratio = record == "ratio"
  local scale = not of_ratio and SCALE[unit] or 1
  local text = ("%s%s %g %s"):format(of_ratio and "ratio " or "", relation, target,
    of_ratio and "" or unit):gsub(" $", "")
  local value = result and tonumber(("%.2f"):format(result[record][field] * scale))
  if value and holds[relation](value, target) then return text end
  return text .. " **missed**"
end

local function print_line(...) print("| " .. table.concat({ ... }, " | ") .. " |") end

local open_table  -- the headings of the table that is being printed

local function print_head(headings)
  if open_table == headings then return end
  if open_table then print() end
  open_table = headings
  print_line(table.unpack(headings))
  print("|" .. (" --- |"):rep(#headings))
end

local FIGURES = { "row", "what is measured", "client", "compared with", "ratio", "target" }

local function print_figure(name, figure, result)
  local what, field, unit = table.unpack(figure)
  local ours = result and amount(result.ours[field], unit) or "failed"
  local other = result and amount(result.other[field], unit) or ""
  local has_ratio = result and (result.other[field] or 0) > 0  -- memory that remains may be none
  local ratio = has_ratio and ("%.2f"):format(result.ratio[field]) or ""
  print_line(name, what, ours, other, ratio, target_of(figure, result))
end

local RIVALS = { "a vote with", "at once", "CPU", "client's CPU", "ratio" }

local function print_rival(row, result)
  local other = result and amount(result.other.cpu, "ms") or "failed"
  local ours = result and amount(result.ours.cpu, "ms") or ""
  local ratio = result and ("%.1f"):format(1 / result.ratio.cpu) or ""
  print_line(row.rival, row.concurrency, other, ours, ratio)
end

-- Prints the lines of a row, and the head of its table if that is not open. `result` is nil if a
-- program has failed.
function report.row(row, result)
  print_head(row.rival and RIVALS or FIGURES)
  if row.rival then print_rival(row, result)
  else
    for _, figure in ipairs(row.figures) do print_figure(row.name, figure, result) end
  end
  io.stdout:flush()
end

function report.works(row) print(row.name .. ": works") end

return report
