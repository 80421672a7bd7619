-- A call is refused with its problems, or its request has all of its arguments and nothing else.
local cekura = require "cekura"
local cjson = require "cjson"
local is_equal = dofile "spec/fuzz/equal.lua"

-- Longer than any text of value.c, which would be redacted in the dry run if it were the key.
local client = assert(cekura.new {
  api_key = ("the-key-of-the-fuzzer"):rep(2), max_evaluations = 6,
})
local DRY = { dry_run = true, uncounted = true }

mark = cekura.array  -- luacheck: ignore 111 (value.c calls it)

-- ---- the parts of a request -------------------------------------------------------------------

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- Returns { name = text } of the query; each name occurs once.
local function query_of(url)
  local found = {}
  for part in (url:match "%?(.*)$" or ""):gmatch "[^&]+" do
    local name, value = part:match "^([%w_]+)=([%w%-._~%%,]*)$"
    assert(name and not found[name], url)
    found[name] = unescaped(value)
  end
  return found
end

-- Every id is sent as digits without leading zeros.
local function digits_of(id) return ("%d"):format(math.tointeger(tonumber(id))) end

local function digits_of_all(ids)
  local all = {}
  for i = 1, rawlen(ids) do all[i] = digits_of(rawget(ids, i)) end
  return all
end

-- ---- the oracle --------------------------------------------------------------------------------

local check_member

-- The members of each object are checked like those of the body.
local function check_objects(fields, list, body, read)
  assert(rawlen(list) == #read, body)
  for i = 1, #read do
    local item = rawget(list, i)
    for _, field in ipairs(fields) do
      local value = rawget(item, field.name)
      if value ~= nil then check_member(field, value, body, read[i][field.name]) end
      assert(value ~= nil or not field.required, body)
    end
  end
end

-- The digits of an id are looked for in the text, because a float would not be exact.
function check_member(field, value, body, read)
  local text = ('"%s":'):format(field.name)
  if value == cekura.null then
    assert(read == cjson.null and field.nullable, field.name)
  elseif field.type == "integer" and field.format == "id" then
    assert(body:find(text .. digits_of(value), 1, true), body)
  elseif field.type == "array" and field.format == "id" then
    local quote = field.items == "string" and '"' or ""
    local list = table.concat(digits_of_all(value), quote .. "," .. quote)
    if list ~= "" then list = quote .. list .. quote end
    assert(body:find(text .. "[" .. list .. "]", 1, true), body)
  elseif field.fields then
    check_objects(field.fields, value, body, read)
  else
    assert(is_equal(read, value), body)
  end
end

local function check_parameter(field, value, text)
  if field.type == "array" then
    local items = field.format == "id" and digits_of_all(value) or value
    assert(text == table.concat(items, ","), text)
  elseif field.type == "number" then
    assert(tonumber(text) == value, text)
  elseif type(value) == "table" then
    assert(is_equal(cjson.decode(text), value), text)
  elseif field.format == "id" then
    assert(text == digits_of(value), text)
  elseif type(value) == "string" then
    assert(text == value, text)
  else
    assert(text == tostring(math.tointeger(value) or value), text)
  end
end

local function check_request(endpoint, arguments, request)
  local read = request.body and cjson.decode(request.body) or {}
  local query = query_of(request.url)
  for _, field in ipairs(endpoint.fields) do
    local value = arguments[field.name]
    if value ~= nil and field.place == "body" then
      check_member(field, value, request.body, read[field.name])
    elseif value ~= nil and field.place == "query" then
      check_parameter(field, value, query[field.name])
    end
    assert(value ~= nil or not field.required, field.name .. " is missing")
    arguments[field.name], read[field.name], query[field.name] = nil, nil, nil
  end
  assert(next(arguments) == nil and next(read) == nil and next(query) == nil, "too much")
end

-- The path is the endpoint's, with a word for every {field}.
local function check_path(endpoint, url)
  local pattern = endpoint.path:gsub("[-.]", "%%%0"):gsub("{[%w_]+}", "[%%w_-]+")
  assert(url:match "^https://api%.cekura%.ai([^?]*)":find("^" .. pattern .. "$"), url)
end

local function check_problem(problem)
  local text = tostring(problem)
  assert(not text:find "[\0-\x1F\x7F]", text)
  assert(problem.applied == "no")
  if problem.kind == "budget" then return end
  assert(problem.kind == "validation" and next(problem.fields) ~= nil, text)
end

return function(name, arguments)
  local endpoint = cekura.endpoints[name]
  local resource = client[endpoint.resource]
  local request, problem = resource[endpoint.call](resource, arguments, DRY)
  if not request then return check_problem(problem) end
  assert(request.method == endpoint.method)
  assert((request.evaluations or 0) <= 6, "over the budget")
  check_path(endpoint, request.url)
  check_request(endpoint, arguments, request)
end
