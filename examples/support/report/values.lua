--- What metrics and reviewers say, made comparable. The documents show a passed binary metric as 5
--- and a failed one as 0; reviewers may have sent true, "5" or 5.0 for the same.

local cekura = require "cekura"

local values = {}

--- Ratings are impressions: half a point apart counts as the same one.
values.TOLERANCE = 0.5

-- What a person reads for a metric that said nothing.
values.NONE = "no value"

local PASSED, FAILED = "passed", "failed"

local BINARY = {
  ["true"] = PASSED, yes = PASSED, passed = PASSED,
  ["false"] = FAILED, no = FAILED, failed = FAILED,
}

local function binary(value)
  local number = tonumber(value)
  if number then return number > 0 and PASSED or FAILED end
  return BINARY[tostring(value):lower()] or tostring(value)
end

local function number(value)
  local read = tonumber(value)
  return read and (math.tointeger(read) or read) or tostring(value)
end

--- How each type of metric is read, and what it is called.
local TYPES = {
  binary = { read = binary, label = "Passed or failed" },
  enum = { read = tostring, label = "One of several values" },
  continuous_qualitative = { read = number, label = "Rating", tolerance = values.TOLERANCE },
  numeric = { read = number, label = "Number" },
}

--- The kind of a metric by its eval_type; older types have longer names, "binary_…".
function values.type_of(eval_type)
  local name = tostring(eval_type)
  if name:find "^binary" then name = "binary" end
  return TYPES[name] and name or "numeric"
end

function values.label(kind) return TYPES[kind].label end

--- A value as it is compared; nil for none.
function values.read(kind, value)
  if value == nil or value == cekura.null then return nil end
  return TYPES[kind].read(value)
end

--- Whether a reviewer and a metric say the same.
function values.agree(kind, said, expected)
  local tolerance = TYPES[kind].tolerance
  if tolerance and type(said) == "number" and type(expected) == "number" then
    return math.abs(said - expected) <= tolerance
  end
  return said == expected
end

--- A value as a person reads it: 3, 4.25, passed.
function values.show(value)
  if value == nil then return values.NONE end
  if math.type(value) == "float" then return ("%.4g"):format(value) end
  return tostring(value)
end

return values
