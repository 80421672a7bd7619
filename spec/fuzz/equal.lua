-- Compares two values of which lua-cjson has decoded one. There an integer may have become the
-- nearest float: lua-cjson 2.1.0 has no integers.
local function is_number(read, written)
  if math.type(read) == math.type(written) then return read == written end
  return type(read) == "number" and read + 0.0 == written + 0.0
end

local function is_equal(read, written)
  if type(written) == "number" then return is_number(read, written) end
  if type(written) ~= "table" then return rawequal(read, written) end
  if type(read) ~= "table" then return false end
  for key, value in next, written do
    if not is_equal(rawget(read, key), value) then return false end
  end
  for key in next, read do
    if rawget(written, key) == nil then return false end
  end
  return true
end

return is_equal
