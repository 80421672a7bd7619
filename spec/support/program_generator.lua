-- Random programs for support/program_child.lua, from a seed. A program is a tree of steps; a step
-- is { name, argument, …, body = { steps of the function that is its last argument } }.
local generator = {}

local ITEM, SECOND_CALL = { raw = "n" }, { raw = "n + 5000" }

local function chance(share) return math.random() < share end
local function one_of(list) return list[math.random(#list)] end

-- Returns a random number between low and high, with two decimals.
local function between(low, high)
  return math.floor((low + math.random() * (high - low)) * 100) / 100
end

-- ---- behaviours of the server: a program has one or two of these

local THEMES = {
  limits = { "429", "429 0", "429 1", "429 1", "429 1" },
  slowness = { "slow", "slower", "trickle", "hang" },
  losses = { "reset", "close", "cut", "cut head", "cut chunked", "reset in body", "dead" },
  errors = { "500", "503", "503 0", "400", "404", "html" },
}
local THEME_NAMES = { "limits", "limits", "slowness", "losses", "errors" }

local KINDS = { "vote", "vote", "bulk", "improve", "get" }

-- Adds a step to a list and returns it.
local function add(list, ...)
  list[#list + 1] = { ... }
  return list[#list]
end

local Program = {}
Program.__index = Program

function Program:maybe_answers(n)
  if #self.faults == 0 or not chance(self.trouble) then return end
  local step = add(self.answers, "answers", n)
  for _ = 1, math.random(2) do step[#step + 1] = one_of(self.faults) end
end

function Program:number()
  self.numbers = self.numbers + 1
  self:maybe_answers(self.numbers)
  return self.numbers
end

function Program:task()
  self.tasks = self.tasks + 1
  return self.tasks
end

-- Returns the number of a task that may exist.
function Program:some_task() return math.random(math.max(1, self.tasks)) end

function Program:client() return self.has.two_clients and chance(0.4) and "B" or "A" end

local function call_options()
  local options = {}
  if chance(0.5) then options.deadline = one_of { 0.2, 0.5, 1.15, 2.5, 2.5, 2.5 } end
  if chance(0.1) then options.max_attempts = 1 end
  if chance(0.05) then options.retry_unknown = true end
  return next(options) and options or nil
end

function Program:call(list, name)
  add(list, name or "call", self:client(), self:number(), one_of(KINDS), call_options())
end

function Program:job(list)
  local n = self:number()
  if chance(0.5) then add(self.answers, "answers", n, "running", "running") end
  add(list, "call", self:client(), n, one_of { "result_wait", "improve_wait" },
    { timeout = one_of { 0.3, 1 }, interval = 0.05 })
end

-- ---- pages

function Program:iterator()
  self.lists = self.lists + 1
  local p, count, size = 900 + self.lists, math.random(0, 40), one_of { 3, 10, 20 }
  add(self.answers, "list", p, 4000 + 100 * self.lists, count, size)
  if #self.faults > 0 and chance(self.trouble) then
    add(self.answers, "answers", one_of { p .. "/1", p .. "/2" }, one_of(self.faults))
  end
  return p
end

function Program:shared_pages(list)
  local p, client, first = self:iterator(), self:client(), self.tasks + 1
  add(list, "pages", client, p)
  for _ = 1, math.random(4) do
    add(list, "spawn", client, self:task()).body = { { "drain", p, chance(0.5) or nil } }
  end
  if chance(0.8) then add(list, "wait", client, first, self.tasks) end
end

-- ---- tasks

function Program:task_step(list)
  local roll = math.random(12)
  if roll <= 4 then self:call(list)
  elseif roll == 5 then add(list, "sleep", self:client(), between(0, 0.1))
  elseif roll == 6 then add(list, "yield")
  elseif roll == 7 then self:call(list, "blocking_call")
  elseif roll == 8 then add(list, "wait", self:client(), self:some_task())
  elseif roll == 9 then add(list, one_of { "cancel", "wake" }, self:some_task())
  elseif roll == 10 then self:job(list)
  elseif roll == 11 and self.has.each then self:each(list, 6)
  else add(list, one_of { "raise", "interrupt" }) end
end

function Program:steps_of_task()
  local list = {}
  for _ = 1, math.random(3) do self:task_step(list) end
  return list
end

function Program:spawn(list)
  add(list, "spawn", self:client(), self:task()).body = self:steps_of_task()
end

-- Adds many concurrent calls. Their responses often arrive while the script is busy for longer than
-- a timeout.
function Program:crowd(list)
  local client, first = self:client(), math.max(self.tasks, self.numbers) + 1
  local is_late, patience = chance(0.5), one_of { 0.3, 0.8 }
  self.tasks = first + one_of { 5, 20, 40, 70, 100 } - 1
  self.numbers = self.tasks
  for _ = 1, 3 do self:maybe_answers(math.random(first, self.tasks)) end
  if is_late then
    patience = 1.3
    add(self.answers, "answers", first .. "-" .. self.tasks, "late")
  end
  add(list, "crowd", client, first, self.tasks, one_of(KINDS), { timeout = patience, deadline = 3 })
  add(list, "drive", client, is_late and between(0.5, 0.8) or between(0.02, 0.2))
  if is_late or self.has.busy then add(list, "busy", patience + between(-0.2, 0.2)) end
  if chance(0.8) then add(list, "wait", client, first, self.tasks) end
end

-- Adds a call that is queued after a 429, and a step that can end it early.
function Program:queue(list)
  local client, n, m = self:client(), self:number(), self:number()
  local options = { deadline = one_of { 0.5, 2.5 } }
  add(self.answers, "answers", n, "429 1")
  add(list, "spawn", client, self:task()).body = { { "call", client, n, one_of(KINDS), options } }
  add(list, "drive", client, 0.05)
  if chance(0.7) then
    add(list, "spawn", client, self:task()).body =
      { { "call", client, m, one_of(KINDS), { deadline = 2.5 } } }
    add(list, "drive", client, 0.02)
  end
  if chance(0.5) then self:interrupt(list) else self:raising_event(list, client) end
  add(list, "call", client, self:number(), one_of(KINDS), { deadline = 2.5 })
end

-- ---- each

local ITEMS = {
  function(_, list, client, kind) return { list, "call", client, ITEM, kind } end,
  function(_, list, client, kind) return { list, "call", client, ITEM, kind } end,
  function(_, list, client, kind)
    return { list, "call", client, ITEM, kind, { dry_run = "first" } }
  end,
  function(self, list, client, kind)
    add(list, "call", client, ITEM, kind)
    return { list, "call", self:client(), SECOND_CALL, one_of(KINDS) }
  end,
  function(_, list, client, kind)
    add(list, "spawn", client, ITEM).body = { { "call", client, ITEM, kind } }
    return { list, "wait", client, ITEM }
  end,
}

local EXTRAS = {
  function(self) return { "sleep", self:client(), between(0, 0.05) } end,
  function() return { "yield" } end,
  function() return { "busy", between(0, 0.02) } end,
  function(self) return { one_of { "cancel", "wake" }, self:some_task() } end,
  function() return { "raise", ITEM } end,
  function() return { "raise", ITEM } end,
  function() return { "raise", ITEM } end,
}

function Program:steps_of_item()
  local list, around = {}, {}
  add(table.unpack(one_of(ITEMS)(self, list, self:client(), one_of(KINDS))))
  if chance(0.5) then around[1] = one_of(EXTRAS)(self) end
  if around[1] then table.insert(list, chance(0.3) and 1 or #list + 1, around[1]) end
  return list
end

function Program:each_options()
  local options = { concurrency = one_of { 1, 2, 4, 8, 16, 50 } }
  if self.has.journal and chance(0.7) then
    options.journal = true
    self.runs = chance(0.8) and 2 or self.runs
    if chance(0.1) then options.redo_unknown = "later" end
  end
  if chance(0.2) then options.collect = true end
  if chance(0.1) then options.stop_on_error = true end
  return options
end

function Program:each(list, most)
  self.eaches = self.eaches + 1
  local id = self.eaches
  local first, count = 1000 + 100 * id + 1, one_of { 1, 3, 6, 20, 60 }
  local source = { first, first + math.min(count, most or count) - 1 }
  for n = source[1], source[2] do if chance(0.2) then self:maybe_answers(n) end end
  if self.has.pages and chance(0.2) then
    source = { pages = self:iterator() }
    add(list, "pages", "A", source.pages)
  end
  add(list, "each", self:client(), id, source, self:each_options()).body = self:steps_of_item()
  list[#list].parameter = "n"
end

-- ---- interruptions

-- Adds one Ctrl-C. The interpreter handles only one.
function Program:interrupt(list)
  if self.is_interrupted then return end
  self.is_interrupted = true
  add(list, "after", between(0, 0.9), "INT")
end

-- Adds an on_event that raises, as a signal does that arrives while on_event runs.
function Program:raising_event(list, client)
  if not self.is_observed then add(self.answers, "observe") end
  self.is_observed = true
  add(list, "event", client, math.random(8)).body = { { "hook", "raise", 100 }, { "busy", 0.1 } }
end

function Program:event(list)
  if chance(0.4) then return self:raising_event(list, self:client()) end
  local step = add(list, "event", self:client(), math.random(8))
  local body = {}
  local roll = math.random(5)  -- a call or a cancel of the observed client itself is refused
  if roll == 1 then add(body, one_of { "raise", "interrupt" })
  elseif roll == 2 then add(body, "busy", between(0, 0.4))
  elseif roll == 3 then add(body, "cancel", self:some_task())
  elseif roll == 4 and self.has.close then add(body, "close", self:client())
  else self:call(body) end
  step.body = body
end

local MAIN = {
  { 3, "call", Program.call }, { 4, "spawn", Program.spawn }, { 2, "crowd", Program.crowd },
  { 4, "each", Program.each }, { 2, "pages", Program.shared_pages }, { 1, "job", Program.job },
  { 2, "busy", function(_, list) add(list, "busy", between(0, 0.6)) end },
  { 2, "event", Program.event }, { 2, "queue", Program.queue },
  { 1, "close", function(self, list) add(list, "close", self:client()) end },
  { 1, "hook", function(_, list)
    add(list, "hook", one_of { "quiet", "quiet", "raise" }, one_of { 1000, 3000, 10000 })
  end },
  { 3, "drive", function(self, list) add(list, "drive", self:client(), between(0, 0.3)) end },
  { 1, "sleep", function(self, list) add(list, "sleep", self:client(), between(0, 0.3)) end },
  { 2, "cancel", function(self, list)
    add(list, one_of { "cancel", "wake" }, self:some_task())
  end },
}

local ALWAYS = { call = true, spawn = true, drive = true }

-- Chooses a few features for most programs, so that they are combined more often.
function Program:choose_features()
  for _, row in ipairs(MAIN) do self.has[row[2]] = ALWAYS[row[2]] or chance(0.4) end
  if self.has.close then self.has.close = chance(0.3) end
  for _, name in ipairs { "two_clients", "journal" } do self.has[name] = chance(0.5) end
  for _ = 1, math.random(0, 2) do
    table.move(THEMES[one_of(THEME_NAMES)], 1, 99, #self.faults + 1, self.faults)
  end
  self.trouble = between(0.1, 0.7)
  if chance(0.4) then add(self.answers, "usually", one_of { "slow", "slower" }) end
  self.is_observed = self.has.event or chance(0.3)
  if self.is_observed then add(self.answers, "observe") end
  if chance(0.5) then add(self.answers, "keep_garbage") end
end

function Program:signals()
  if chance(0.25) then self:interrupt(self.steps) end
  if chance(0.15) then
    add(self.steps, "after", between(0, 0.6), "STOP", between(0.1, 0.6))
  end
  if self.has.journal and self.has.each and chance(0.4) then
    add(self.steps, "after", between(0, 0.6), "KILL")
    self.runs = 2
  end
end

function Program:main_step()
  local total, list = 0, self.steps
  for _, row in ipairs(MAIN) do total = total + (self.has[row[2]] and row[1] or 0) end
  local point = math.random() * total
  for _, row in ipairs(MAIN) do
    point = point - (self.has[row[2]] and row[1] or 0)
    if self.has[row[2]] and point <= 0 then return row[3](self, list) end
  end
end

-- Returns the program of a seed: { steps = tree, runs = number of processes }.
function generator.new(seed)
  math.randomseed(seed)
  local self = setmetatable({ steps = {}, answers = {}, has = {}, faults = {}, runs = 1,
    numbers = 0, tasks = 0, eaches = 0, lists = 0 }, Program)
  self:choose_features()
  self:signals()
  for _ = 1, math.random(2, 8) do self:main_step() end
  if chance(0.6) and self.tasks > 0 then add(self.steps, "wait", "A", 1, self.tasks) end
  return { steps = table.move(self.steps, 1, #self.steps, #self.answers + 1, self.answers),
    runs = self.runs }
end

-- ---- the text

local function literal(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  if value.raw then return value.raw end
  local parts, names = {}, {}
  for i, each in ipairs(value) do parts[i] = literal(each) end
  for name in pairs(value) do if type(name) == "string" then names[#names + 1] = name end end
  table.sort(names)
  for _, name in ipairs(names) do parts[#parts + 1] = name .. " = " .. literal(value[name]) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function add_lines(lines, steps, indent)
  for _, step in ipairs(steps) do
    local arguments = {}
    for i = 2, #step do arguments[#arguments + 1] = literal(step[i]) end
    if step.body then
      arguments[#arguments + 1] = ("function(%s)"):format(step.parameter or "")
    end
    local head = ("%s%s(%s"):format(indent, step[1], table.concat(arguments, ", "))
    lines[#lines + 1] = head .. (step.body and "" or ")")
    if step.body then
      add_lines(lines, step.body, indent .. "  ")
      lines[#lines + 1] = indent .. "end)"
    end
  end
end

-- Returns a program as Lua code.
function generator.text(tree)
  local lines = {}
  add_lines(lines, tree.steps, "")
  return table.concat(lines, "\n") .. "\n"
end

return generator
