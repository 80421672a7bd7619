-- What the specs have reached of src/core and src/lua, from gcov's counters in a build folder.
--
--   lua5.4 tools/coverage.lua build/coverage      `make coverage` runs the specs first
--
-- Prints a row for each file, and fails below the bounds, and where a line was not reached that
-- tools/unreached.txt does not name. Lines that are named there count as unreached all the same.
-- FOLDER/unreached.txt gets all lines and branches that were not reached.
--
-- Built with -O0 and -fno-inline: a branch is then a jump that stands in the source, each side of
-- each `if`, `?:`, `&&`, `||`, loop and `case`, those in macros of Lua and libcurl included.
local cjson = require "cjson"

local LINES, BRANCHES = 95, 90  -- percent
local NAMED = "tools/unreached.txt"

local function command(...)
  local pipe <close> = assert(io.popen(string.format(...)))
  return pipe:read "a"
end

local function measured(name) return name:find "^src/core/" or name:find "^src/lua/" end

-- The record of a line, made when it is first met.
local function record_of(files, name, number)
  files[name] = files[name] or {}
  files[name][number] = files[name][number] or { count = 0, branches = {} }
  return files[name][number]
end

-- A header's line is in several objects: what one of them reaches is reached.
local function add_line(files, name, line)
  local record = record_of(files, name, line.line_number)
  record.count = record.count + line.count
  record.fn = line.function_name
  for i, branch in ipairs(line.branches) do
    record.branches[i] = (record.branches[i] or 0) + branch.count
  end
end

-- name -> line number -> { count, fn, branches = list of counts }
local function read(folder)
  local files = {}
  for path in command("find %s/obj/src/core %s/obj/src/lua -name '*.gcno'", folder, folder)
    :gmatch "[^\n]+" do
    local report = cjson.decode(command("gcov --branch-probabilities --json-format --stdout %s",
      path))
    for _, file in ipairs(report.files) do
      local name = file.file:gsub("^%./", ""):gsub("[^/]+/%.%./", "")
      for _, line in ipairs(measured(name) and file.lines or {}) do add_line(files, name, line) end
    end
  end
  return files
end

local function source_of(name)
  local list = {}
  for line in io.lines(name) do list[#list + 1] = line:match "^%s*(.-)%s*$" end
  return list
end

-- The list: { file, text, reason, used }, from lines "file | text | reason". The text is the
-- line, or the function's name with "()" after it.
local function read_named()
  local list = {}
  for row in io.lines(NAMED) do
    local file, text, reason = row:match "^(src/.-) | (.*) | (.*)$"
    if file then list[#list + 1] = { file = file, text = text, reason = reason } end
  end
  return list
end

local function is_named(named, file, text, fn)
  for _, entry in ipairs(named) do
    if entry.file == file and (entry.text == text or entry.text == fn .. "()") then
      entry.used = true
      return true
    end
  end
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- How many of a line's branches were not taken.
local function missed_branches(record)
  local missed = 0
  for _, count in ipairs(record.branches) do
    if count == 0 then missed = missed + 1 end
  end
  return missed
end

local function percent(missed, all) return all == 0 and 100 or 100 * (all - missed) / all end

local function new_sum() return { lines = 0, missed = 0, branches = 0, untaken = 0 } end

local function add(sum, other)
  for field, value in pairs(other) do sum[field] = sum[field] + value end
end

local function print_row(name, sum)
  print(("%-32s %5d %4d %6.1f %%   %5d %4d %6.1f %%"):format(name, sum.lines, sum.missed,
    percent(sum.missed, sum.lines), sum.branches, sum.untaken,
    percent(sum.untaken, sum.branches)))
end

-- The sum of one line; `note` is called with what is wrong about it.
local function measure(record, note)
  local untaken = missed_branches(record)
  if record.count == 0 then
    note "not reached"
  elseif untaken > 0 then
    note(("%d of %d branches"):format(untaken, #record.branches))
  end
  return { lines = 1, missed = record.count == 0 and 1 or 0, branches = #record.branches,
    untaken = untaken }
end

local folder = assert(arg[1], "coverage.lua FOLDER")
local files, named = read(folder), read_named()
local details <close> = assert(io.open(folder .. "/unreached.txt", "w"))
local total, unnamed = new_sum(), {}

print(("%-32s %5s %4s %8s   %5s %4s %8s"):format("", "lines", "not", "", "branches", "not", ""))
for _, name in ipairs(sorted_keys(files)) do
  local sum, source = new_sum(), source_of(name)
  for _, number in ipairs(sorted_keys(files[name])) do
    local record = files[name][number]
    add(sum, measure(record, function(what)
      local place = ("%s:%d: %s: %s"):format(name, number, what, source[number])
      details:write(place, "\n")
      if record.count == 0 and not is_named(named, name, source[number], record.fn) then
        unnamed[#unnamed + 1] = place
      end
    end))
  end
  print_row(name, sum)
  add(total, sum)
end
print_row("all", total)

for _, entry in ipairs(named) do
  if not entry.used then
    print(("%s names what was reached: %s | %s"):format(NAMED, entry.file, entry.text))
  end
end
for _, place in ipairs(unnamed) do print(place) end
if #unnamed > 0 then print(("%d lines that %s does not name"):format(#unnamed, NAMED)) end
os.exit(#unnamed == 0 and percent(total.missed, total.lines) >= LINES
  and percent(total.untaken, total.branches) >= BRANCHES)
