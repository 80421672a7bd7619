-- A value becomes JSON that lua-cjson reads back as the same value, or a problem if JSON cannot say
-- it. This holds for the body of a call, a field, and internal.json.
local cekura = require "cekura"
local cjson = require "cjson"
local internal = require "cekura.internal"
local is_equal = dofile "spec/fuzz/equal.lua"

-- Longer than any text of value.c, which would be redacted in the dry run if it were the key.
local client = assert(cekura.new { api_key = ("the-key-of-the-fuzzer"):rep(2) })
local MARK = getmetatable(cekura.array {})
local DEEPEST = 128
local MOST = 1000  -- values that the oracle visits

mark = cekura.array  -- luacheck: ignore 111 (value.c calls it)

-- ---- values that JSON can say -----------------------------------------------------------------

-- Returns how many entries a table has, and how many of their keys are strings.
local function count(value)
  local entries, strings = 0, 0
  for key in next, value do
    entries = entries + 1
    if type(key) == "string" then strings = strings + 1 end
  end
  return entries, strings
end

local function is_list(value)
  local entries = count(value)
  for i = 1, entries do
    if rawget(value, i) == nil then return false end
  end
  return entries > 0 or getmetatable(value) == MARK
end

local function is_object(value)
  if getmetatable(value) == MARK then return false end
  local entries, strings = count(value)
  for key in next, value do
    if type(key) == "string" and not utf8.len(key) then return false end
  end
  return entries == strings
end

local can_say

local function can_say_table(value, seen)
  if seen[value] or seen.depth >= DEEPEST then return false end
  if not (is_list(value) or is_object(value)) then return false end
  seen[value], seen.depth = true, seen.depth + 1
  for _, item in next, value do
    if not can_say(item, seen) then return false end
  end
  seen[value], seen.depth = nil, seen.depth - 1
  return true
end

-- Raises if there are too many values: a tree may have 2^100.
can_say = function(value, seen)
  seen.count = seen.count + 1
  if seen.count > MOST then error "many" end
  if type(value) == "table" then return can_say_table(value, seen) end
  if type(value) == "number" then return value - value == 0 end
  if type(value) == "string" then return utf8.len(value) ~= nil end
  return type(value) == "boolean" or value == cekura.null
end

-- ---- the oracle --------------------------------------------------------------------------------

local function check_problem(problem)
  local text = tostring(problem)
  assert(problem.kind == "validation" and next(problem.fields) ~= nil, text)
  assert(not text:find "[\0-\x1F\x7F]", text)
end

local function check(request, problem, wanted, value)
  if not request then
    check_problem(problem)
    assert(wanted ~= true, "refused what JSON can say: " .. tostring(problem))
  elseif wanted ~= nil then
    assert(wanted, "accepted what JSON cannot say: " .. request.body)
    assert(is_equal(cjson.decode("[" .. request.body .. "]")[1], value), request.body)
  end
end

-- Returns a vote and its body.
local function vote_of(value)
  return { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = value },
    { metric_id = 2, thumbs_up = true, expected_value = value }
end

local DRY = { dry_run = true }

-- Checks the request or the problem of a call; `value` is the value of its body.
local function dry_run(call, of, arguments, wanted, value)
  local ok, request, problem = pcall(call, of, arguments, DRY)
  if ok then
    check(request, problem, wanted, value)
  else
    assert(tostring(request):find "^the request is larger than 64 MiB", request)
  end
end

local function check_text(value, wanted)
  local ok, text, message = pcall(internal.json, value)
  if not ok then
    assert(tostring(text):find "larger than 64 MiB", text)
  elseif wanted ~= nil then
    assert((text ~= nil) == wanted, message or text)
    assert(not text or is_equal(cjson.decode("[" .. text .. "]")[1], value), text)
  end
end

return function(value)
  if value == nil then return end
  local ok, wanted = pcall(can_say, value, { count = 0, depth = 0 })
  if not ok then wanted = nil end
  dry_run(client.request, client, { method = "POST", path = "/x/", body = value }, wanted, value)
  check_text(value, wanted)
  local vote, body = vote_of(value)
  dry_run(client.runs.mark_metric_vote, client.runs, vote, wanted, body)
end
