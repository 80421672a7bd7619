-- Random programs that combine the library's features: tasks, `each`, journals, pages, waits,
-- signals, hooks, on_event, two clients, a kill and a second run, against a server with faults. The
-- rules are in support/program_checks.lua. `make soak` runs it for longer.
--
--   SOAK_SECONDS=60      the duration
--   SEED=number          the seed of the first program; each program has the next number
local check = require "support.program_checks"
local faults = require "support.faults"
local generator = require "support.program_generator"
local program = require "support.program"
local shrink = require "support.program_shrink"
local system = require "system"

local SECONDS = tonumber(os.getenv "SOAK_SECONDS") or 5
local SEED = math.tointeger(os.getenv "SEED") or 20260701
local AT_ONCE = 4  -- programs, which wait most of the time
local SHRINKING = (os.getenv "CEKURA_RUN" or "") == "" and 180 or 300  -- seconds
local MOST = 5  -- broken rules, after which the spec ends

-- Rules about time: a program must break them twice, because other processes use the processor,
-- too.
local TIMED = {
  ["it is late"] = true, ["the client is slow at the end"] = true, ["a response is lost"] = true,
  ["it hangs"] = true, ["the client is unusable"] = true,
}

describe("random programs", function()
  local servers = {}  -- the first half is for programs that run again

  setup(function()
    for i = 1, 2 * AT_ONCE do servers[i] = faults.start() end
  end)

  teardown(function()
    for _, server in ipairs(servers) do server:stop() end
  end)

  local function start(server, tree)
    return program.start(server, generator.text(tree), tree.runs)
  end

  -- Waits for a program. Returns the first problem, or the first of a rule; nil if there is none.
  local function problem_of(running, rule)
    for _, problem in ipairs(check(running:finish())) do
      if not rule or problem[1] == rule then return problem end
    end
  end

  -- Runs trees at once. Returns the index of the first that breaks a rule, and the problem.
  local function first_breaking(trees, rule)
    local running, index, problem = {}, nil, nil
    for i, tree in ipairs(trees) do running[i] = start(servers[i], tree) end
    for i in ipairs(trees) do
      local broken = problem_of(running[i], rule)
      if broken and not problem then index, problem = i, broken end
    end
    return index, problem
  end

  -- Does the same, but a rule about time must be broken twice.
  local function again(trees, rule)
    local index, problem = first_breaking(trees, rule)
    if not index or not TIMED[rule] then return index, problem end
    return first_breaking({ trees[index] }, rule) and index, problem
  end

  -- Returns the smallest tree that breaks the rule, as far as found, and its problem.
  local function shrunk(tree, problem)
    local till = system.monotime() + SHRINKING
    local function may_go_on() return system.monotime() < till end
    local smallest = shrink(tree, function(trees)
      local index, broken = again(trees, problem[1])
      problem = index and broken or problem
      return index
    end, may_go_on)
    return smallest, problem
  end

  local found, rules = {}, 0

  -- Shrinks and prints the first program that breaks a rule.
  local function note(seed, tree, problem)
    local rule = problem[1]
    if found[rule] or (TIMED[rule] and not again({ tree }, rule)) then return end
    rules = rules + 1
    tree, problem = shrunk(tree, problem)
    found[rule] = ("seed %d: %s: %s\n%s-- runs: %d\n"):format(seed, rule, problem[2],
      generator.text(tree), tree.runs)
    print("\n" .. found[rule])
  end

  it("break no rule", function()
    local till, seed, running = system.monotime() + SECONDS, SEED, {}

    local function start_next(server)
      local tree = generator.new(seed)
      running[#running + 1] = { seed = seed, tree = tree, server = server,
        program = start(server, tree) }
      seed = seed + 1
    end

    local function finish_first()
      local first = table.remove(running, 1)
      local problem = problem_of(first.program)
      if problem then note(first.seed, first.tree, problem) end
      return first.server
    end

    for i = 1, AT_ONCE do start_next(servers[AT_ONCE + i]) end
    while system.monotime() < till and rules < MOST do start_next(finish_first()) end
    while #running > 0 do finish_first() end
    print(("\nprograms: %d, from seed %d on"):format(seed - SEED, SEED))
    assert.same({}, found)
  end)
end)
