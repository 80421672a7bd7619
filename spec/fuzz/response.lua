-- The oracle of response.c: a value equals lua-cjson's, but for nulls in objects and mended text.
-- The key, which was overwritten before, is in no value or error. An error is one line.
local cekura = require "cekura"
local cjson = require "cjson".new()
local is_equal = dofile "spec/fuzz/equal.lua"

local KEY = "Sesame"
local NULL = cekura.null

cjson.decode_invalid_numbers(false)
cjson.decode_max_depth(128)

-- ---- the promises ------------------------------------------------------------------------

local function without_nulls(value, keep_null)
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, item in next, value do
    local is_absent = item == NULL and type(name) == "string" and not keep_null
    if not is_absent then copy[name] = without_nulls(item, keep_null) end
  end
  return copy
end

-- Returns whether a text may be mended. If so, it may be readable although lua-cjson refuses it.
local function may_be_mended(body)
  return not utf8.len(body) or body:find "^\xEF\xBB\xBF" or body:find "\\u[dD][89a-fA-F]"
    or body:find("NaN", 1, true) or body:find("Infinity", 1, true)
end

local function check_text(value)
  if type(value) == "string" then assert(utf8.len(value), "a string is not UTF-8") end
  if type(value) ~= "table" then return end
  for name, item in next, value do
    check_text(name)
    check_text(item)
  end
end

local function check_value(body, keep_null, is_read, value)
  local ok, expected = pcall(cjson.decode, body)
  ok = ok and utf8.len(body) ~= nil and not body:find("\0", 1, true)
  if is_read then check_text(value) end
  if not ok and may_be_mended(body) then return end
  assert(ok == is_read, ok and "refused: " .. tostring(value) or "invalid JSON is read")
  if not ok then return end
  assert(is_equal(value, without_nulls(expected, keep_null)), "the value is not lua-cjson's")
end

local function check_hidden(value, seen)
  if type(value) == "string" then assert(not value:find(KEY, 1, true), value) end
  if type(value) ~= "table" or seen[value] then return end
  seen[value] = true
  for name, item in next, value do
    check_hidden(name, seen)
    check_hidden(item, seen)
  end
end

local function check_whole_numbers(value)
  if math.type(value) == "float" and math.abs(value) < 2.0 ^ 53 then
    assert(value ~= math.floor(value), "a whole number is a float")
  elseif type(value) == "table" then
    for _, item in next, value do check_whole_numbers(item) end
  end
end

-- An escape may spell the key, and only the key as written is redacted.
local function check_error(err, body)
  local text = tostring(err)
  if not body:find("\\", 1, true) then
    check_hidden(text, {})
    check_hidden(err, {})
  end
  assert(not text:find "[\0-\x1F\x7F]", text)
  assert(type(err.kind) == "string" and type(err.applied) == "string")
  for name, messages in next, err.fields or {} do
    assert(type(name) == "string" and type(messages) == "table", "fields are lists")
  end
end

local function check_response(response)
  for name, value in next, response.headers do
    assert(type(name) == "string" and type(value) == "string")
    assert(name == name:lower(), name)
  end
  check_hidden(response, {})
end

return function(body, keep_null, is_read, value, err, response)
  check_value(body, keep_null, is_read, value)
  if is_read then check_whole_numbers(value) end
  check_error(err, body)
  check_response(response)
end
