-- Shrinks a failing program of support/program_generator.lua to a smaller one that still fails.
-- A change is kept if the program fails with it.

local AT_ONCE = 4  -- smaller programs that are tried in parallel

local function copy(value)
  if type(value) ~= "table" then return value end
  local new = {}
  for key, each in pairs(value) do new[key] = copy(each) end
  return new
end

-- Calls found(list, index) for each step, outer steps before inner ones.
local function each_step(steps, found)
  for index, step in ipairs(steps) do
    found(steps, index)
    if step.body then each_step(step.body, found) end
  end
end

local function count(tree)
  local steps = 0
  each_step(tree.steps, function() steps = steps + 1 end)
  return steps
end

-- Returns a change that removes a share of the steps of a list, from one step on.
local function remove_share(share)
  return function(list, index)
    local size = #list // share
    if size < 2 or index % size ~= 1 then return false end
    for _ = 1, size do table.remove(list, index) end
  end
end

-- The changes of one step. Each function changes the step, or returns false.
local CHANGES = {
  remove_share(2), remove_share(4),
  function(list, index) table.remove(list, index) end,
  function(list, index)  -- fewer answers
    local step = list[index]
    if step[1] ~= "answers" or #step < 4 then return false end
    table.remove(step)
  end,
  function(list, index)  -- fewer items
    local step = list[index]
    local source = step[1] == "each" and step[4]
    if not source or not source[2] or source[2] == source[1] then return false end
    source[2] = (source[1] + source[2]) // 2
  end,
  function(list, index)  -- a smaller crowd
    local step = list[index]
    if step[1] ~= "crowd" or step[3] == step[4] then return false end
    step[4] = (step[3] + step[4]) // 2
  end,
  function(list, index)  -- fewer options
    local options = list[index][#list[index]]
    local name = type(options) == "table" and not options.raw and next(options)
    if type(name) ~= "string" then return false end
    options[name] = nil
  end,
}

-- Returns the tree with one change at the step with this number, or nil if the change is
-- impossible.
local function changed(tree, number, change)
  local new, position, where = copy(tree), 0, nil
  each_step(new.steps, function(list, index)
    position = position + 1
    if position == number then where = { list, index } end
  end)
  return where and change(where[1], where[2]) ~= false and new or nil
end

-- Returns the next trees to try, each with the number of its step. Later steps come first, because
-- they are needed less often.
local function candidates(tree, number, change)
  local trees, numbers = {}, {}
  while number > 0 and #trees < AT_ONCE do
    trees[#trees + 1] = changed(tree, number, change)
    numbers[#trees] = #trees > 0 and (numbers[#trees] or number) or nil
    number = number - 1
  end
  return trees, numbers, number
end

-- Tries a change at every step, and again wherever it was kept.
local function pass(tree, change, first_failing, may_go_on)
  local number = count(tree)
  while number > 0 and may_go_on() do
    local trees, numbers, rest = candidates(tree, number, change)
    local index = #trees > 0 and first_failing(trees)
    tree = index and trees[index] or tree
    number = index and math.min(numbers[index], count(tree)) or rest
  end
  return tree
end

-- Returns the smallest failing tree found while may_go_on() is true. first_failing(trees) returns
-- the index of the first tree that still fails, or nil.
return function(tree, first_failing, may_go_on)
  local once = copy(tree)
  once.runs = 1
  if tree.runs > 1 and first_failing { once } then tree = once end
  local size
  repeat
    size = count(tree)
    for _, change in ipairs(CHANGES) do tree = pass(tree, change, first_failing, may_go_on) end
  until count(tree) == size or not may_go_on()
  return tree
end
