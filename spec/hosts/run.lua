-- Runs the module in real hosts, and prints a table. tools/hosts.sh sets the environment:
-- HOSTS is this folder, and PREFIX is where `make install` has put the module.
--
--   lua5.4 spec/hosts/run.lua lighttpd apache …
--
-- A host's folder has its configuration, its scripts, and check.lua, which returns rows:
--
--   name, version    of the host; `version` is a command that prints it
--   start, checks    functions, which get the row; there is a check for each column
--   command          of the host, a string, or a function that returns one
--   environment      variables for the command
--
-- and further fields for the checks. Below, `host` is a row with the fields that `prepare` adds.
local here = os.getenv "HOSTS"
package.path = here .. "/?.lua;" .. package.path

local expect = require "expect"
local process = require "process"
local sandbox = require "cekura.sandbox"

local COLUMNS = { "vote", "each", "failure", "load", "leaks", "stalls", "shutdown" }
local FORMAT = "%-22s %-10s %-5s %-5s %-8s %-5s %-9s %-7s %-13s %s"

local host = {}
host.__index = host

-- Returns the numbers of votes, and of different ones, at the sandbox whose feedback is like the
-- pattern.
function host:count(pattern)
  local count, distinct, seen = 0, 0, {}
  for _, request in ipairs(self.server:requests()) do
    local feedback = (request.body or ""):match '"feedback":"([^"]*)"'
    if feedback and feedback:find("^" .. pattern .. "$") then
      count = count + 1
      if not seen[feedback] then seen[feedback], distinct = true, distinct + 1 end
    end
  end
  return count, distinct
end

-- Expects this number of votes with feedback like the pattern, all different, within `seconds`.
function host:expect_votes(seconds, count, pattern)
  process.poll(seconds, function() return self:count(pattern) >= count end)
  local arrived, distinct = self:count(pattern)
  expect(count, arrived)
  expect(count, distinct)
end

-- Returns the words that set the environment of a command.
function host:with_environment()
  local words = { "env" }
  local function set(name, value) words[#words + 1] = ("%s='%s'"):format(name, value) end
  set("CEKURA_API_URL", self.server.url)
  set("CEKURA_API_KEY", self.server.api_key)
  set("PORT", self.port)
  set("SCRATCH", self.scratch)
  set("QUEUE", self.scratch .. "/votes")
  for name, value in pairs(self.environment or {}) do set(name, value) end
  return table.concat(words, " ") .. " "
end

local function free_port()
  local server <close> = sandbox.start()
  return server.port
end

local function prepare(row, server)
  row.server, row.port, row.folder = server, free_port(), here
  row.url = "http://127.0.0.1:" .. row.port
  row.scratch = process.run "mktemp -d":gsub("\n", "")
  row.log = row.scratch .. "/log"
  return setmetatable(row, host)
end

-- Runs the checks of a row. Returns the words for the table, and a list of problems.
local function check(row)
  local words, problems = {}, {}
  local function try(name, fn)
    local ok, result = pcall(fn, row)
    words[name] = ok and result or "FAILED"
    if not ok then problems[#problems + 1] = name .. ": " .. tostring(result) end
    return ok
  end
  if try("start", row.start) then
    for _, column in ipairs(COLUMNS) do
      if row.checks[column] then try(column, row.checks[column]) end
    end
  end
  return words, problems
end

local function print_line(name, version, words, seconds)
  local line = { name, version }
  for _, column in ipairs(COLUMNS) do line[#line + 1] = words[column] or "-" end
  line[#line + 1] = seconds
  print(FORMAT:format(table.unpack(line)))
end

-- Runs a row, and prints its line. Returns whether all checks have passed.
local function run(row)
  local started = process.now()
  local server <close> = sandbox.start { record = 100000 }
  local version = process.run(row.version):match "%d[%w.]*"
  local words, problems = check(prepare(row, server))
  if #problems > 0 and row.process then problems[#problems + 1] = row.process:last_words() end
  process.kill_all()
  os.execute("rm -rf " .. row.scratch)
  print_line(row.name, version, words, ("%.1f"):format(process.now() - started))
  for line in table.concat(problems, "\n"):gmatch "[^\n]+" do print("    " .. line) end
  io.stdout:flush()
  return #problems == 0
end

local titles, passed = {}, true
for _, column in ipairs(COLUMNS) do titles[column] = column end
print_line("host", "version", titles, "seconds")
for _, name in ipairs(arg) do
  for _, row in ipairs(dofile(("%s/%s/check.lua"):format(here, name))) do
    passed = run(row) and passed
  end
end
os.exit(passed)
