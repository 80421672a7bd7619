-- Runs a program of support/program_child.lua against a fault server, in one or more processes, and
-- returns the records of the program and of the server.
--
-- The program also contains the server's behaviour:
--   usually("slow")               the behaviour for all other requests
--   answers(7, "429 1", "reset")  the behaviours for the requests with number 7, in order; then
--                                 good responses; answers("7-9", …) is for each of three numbers
--   list(7, 701, 30, 8)           a list of 30 items, 701 to 730, with 8 on a page; answers("7/2",
--                                 …) is for its page 2
local child = require "support.child"
local faults = require "support.faults"
local json = require "cjson".new()
local python = require "support.python"
local scratch = require "support.scratch"

local program = {}

program.KEY = "Zp4vT9wXc2LmQ8rB5nYd7sFh3kJg6aVe"
program.LIMIT = (os.getenv "CEKURA_RUN" or "") == "" and 40 or 150  -- seconds

-- ---- behaviours of the server: { meaning, entry }, see soak_spec.lua

local GOOD = json.encode { success = true, status = "completed", progress_id = "1",
  improved_metric_description = "better" }

local function status(code, after)
  return function() return faults.status(code, after and { ["Retry-After"] = after }) end
end

local function slow(seconds)
  return function() return { { "sleep", seconds }, faults.ok(GOOD)[1] } end
end

local function good() return faults.ok(GOOD) end

local FAULTS = {
  ok = { "ok", good }, slow = { "ok", slow(0.05) }, slower = { "ok", slow(0.2) },
  late = { "ok", slow(0.9) },
  running = { "ok", function() return faults.ok '{"status": "running"}' end },
  hang = { "doubt", faults.hang }, ["500"] = { "doubt", status(500) },
  ["503"] = { "doubt", status(503) }, ["503 0"] = { "doubt", status(503, "0") },
  ["429"] = { "refused", status(429) }, ["429 0"] = { "refused", status(429, "0") },
  ["429 1"] = { "refused", status(429, "1") }, ["400"] = { "refused", status(400) },
  ["404"] = { "refused", status(404) }, reset = { "doubt", faults.reset_before_answer },
  close = { "doubt", faults.close_before_answer }, cut = { "partial", faults.cut_body },
  ["cut head"] = { "partial", faults.half_header },
  ["cut chunked"] = { "partial", faults.cut_chunked },
  ["reset in body"] = { "partial", faults.reset_in_body },
  html = { "partial", function() return faults.html(200) end },
  trickle = { "partial", function() return faults.trickle(0.05) end },
  dead = { "ok", function() return faults.ok_then_dead "reset" end },
}

local function entry_of(name)
  local row = assert(FAULTS[name], "no such answer: " .. name)
  local entry = row[2]()
  local first = entry[1][1] == "read" and 2 or 1
  table.insert(entry, first, { "note", row[1] })
  return entry
end

local function page_of(first, count, size, page)
  local items = {}
  for i = (page - 1) * size + 1, math.min(page * size, count) do
    items[#items + 1] = { id = first + i - 1 }
  end
  local following = page * size < count and "?page=" .. page + 1 or json.null
  return json.encode { count = count, next = following, results = items }
end

-- Returns a plan for server:plan. It runs the program with the server's functions; all others do
-- nothing.
local function plan_of(text)
  local plan, lists, sources = { usual = { entry_of "ok" } }, {}, {}
  for n = 9996, 9999 do plan[tostring(n)] = { entry_of "ok" } end  -- for the last calls
  local env = setmetatable({}, { __index = function() return function() end end })
  function env.usually(name) plan.usual = { entry_of(name) } end
  function env.answers(n, ...)
    local entries = {}
    for i, name in ipairs { ... } do entries[i] = entry_of(name) end
    entries[#entries + 1] = entry_of "ok"
    local first, last = tostring(n):match "^(%d+)%-(%d+)$"
    if not first then plan[tostring(n)] = entries end
    for each = tonumber(first or 1), tonumber(last or 0) do plan[tostring(each)] = entries end
  end
  function env.list(...) lists[#lists + 1] = { ... } end
  function env.each(_, _, source) sources[source.pages or 0] = true end
  assert(load(text, "=program", "t", env))()
  return plan, lists, sources
end

local function add_lists(plan, lists, url)
  for _, row in ipairs(lists) do
    local n, first, count, size = table.unpack(row)
    for page = 1, math.max(1, math.ceil(count / size)) do
      local key = n .. "/" .. page
      local entries = plan[key] or {}
      local body = page_of(first, count, size, page)
      body = body:gsub('"%?page', '"' .. url .. "/test_framework/v2/results/?agent_id=" .. n
        .. "&page")
      entries[math.max(1, #entries)] = { { "note", "ok" }, faults.ok(body)[1] }
      plan[key] = entries
    end
    plan[tostring(n)] = plan[n .. "/1"]
  end
end

-- ---- running a program

local run = {}
run.__index = run

local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"

-- Starts a program on a server: `runs` processes in sequence, of which the later ones resume.
function program.start(server, text, runs)
  local plan, lists, sources = plan_of(text)
  add_lists(plan, lists, server.url)
  server:clear()
  server:plan(plan)
  local self = setmetatable({ server = server, runs = runs, number = 0, records = {}, output = {},
    text = text, lists = lists, sources = sources, turns = {}, folder = scratch.folder(),
    path = scratch.path() }, run)
  scratch.write(self.path, text)
  self:begin()
  return self
end

function run:begin()
  self.number = self.number + 1
  local words = child.checked { child.lua, folder .. "program_child.lua", self.path,
    self.server.url, tostring(self.number), self.folder }
  local runner = { python, "-E", "-S", "-B", folder .. "program_runner.py",
    tostring(program.LIMIT) }
  self.process = child.start(table.move(words, 1, #words, #runner + 1, runner),
    { CEKURA_API_KEY = program.KEY })
end

-- Ignores a line that a kill has truncated.
function run:take(line)
  local ok, record = pcall(json.decode, line)
  if ok and type(record) == "table" and record.what then
    for name, value in pairs(record) do record[name] = math.tointeger(value) or value end
    record.in_run = self.number
    self.records[#self.records + 1] = record
  else
    self.output[#self.output + 1] = line
  end
end

function run:end_process()
  local ok, output = pcall(self.process.finish, self.process)
  if not ok then self.leak = output return end
  for line in output:gmatch "[^\n]+" do self:take(line) end
  self.turns[self.number] = self.server:deliveries()
end

-- Waits for its end. Returns { records, output (other lines), ledger, leak (nil, or where the key
-- was found), lists, turns (the number of deliveries after each run) }.
function run:finish()
  self:end_process()
  while self.number < self.runs do
    self:begin()
    self:end_process()
  end
  self.ledger = self.server:ledger()
  scratch.remove(self.folder)
  os.remove(self.path)
  return self
end

return program
