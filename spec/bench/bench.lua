-- `make bench`: the cost of the client, against plain C programs on libcurl and against other
-- clients, on nginx. Prints Markdown tables for docs/performance.md. Environment variables:
--   ROWS   beginnings of the names of the rows to measure, such as "paid each-16"; empty: all
--   QUICK  "yes": a few calls per row, which shows that every program works, not what it costs
local machine = require "bench.machine"
local measure = require "bench.measure"
local programs = require "bench.programs"
local report = require "bench.report"
local rows_of = require "bench.rows"
local same_bytes = require "bench.same_bytes"
local servers = require "bench.servers"

local ROWS, QUICK = os.getenv "ROWS" or "", os.getenv "QUICK" == "yes"

local function is_wanted(row)
  if not ROWS:find "%S" then return true end
  for beginning in ROWS:gmatch "%S+" do
    if row.name:sub(1, #beginning) == beginning then return true end
  end
  return false
end

-- Replaces the counts of a row by a single run of a few calls.
local function shorten(row)
  row.once, row.rounds = math.min(row.once or 4, 4), 1
end

-- Measures and prints one row. Returns false if a program has failed.
local function run(row)
  if QUICK then shorten(row) end
  local result, problem = measure.row(row)
  if result and QUICK then report.works(row)
  else report.row(row, result) end
  if not result then io.stderr:write(row.name, ": ", problem, "\n") end
  return result ~= nil
end

-- Returns the number of rows that have failed.
local function run_all(rows)
  local failed = 0
  for _, row in ipairs(rows) do
    if is_wanted(row) and not run(row) then failed = failed + 1 end
  end
  return failed
end

local all = servers.start()
same_bytes(all, programs.rivals)
local failed = run_all(rows_of(all))
all.stop()
if not QUICK then print("\n" .. machine()) end
os.exit(failed == 0 or not QUICK, true)
