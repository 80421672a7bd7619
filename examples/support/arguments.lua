--- Cells of a sheet as arguments of an endpoint: the contract says what type each field has.

local cekura = require "cekura"
local cjson = require "cjson"

local arguments = {}

-- ---- JSON ----

local json = cjson.new()
json.decode_invalid_numbers(false)
local marks_lists = json.decode_array_with_array_mt ~= nil  -- lua-cjson 2.1.0 cannot
if marks_lists then json.decode_array_with_array_mt(true) end

--- 2 and not 2.0, which is what lua-cjson 2.1.0 reads.
local function whole_numbers(value)
  if math.type(value) == "float" then return math.tointeger(value) or value end
  if type(value) ~= "table" then return value end
  for key, item in pairs(value) do value[key] = whole_numbers(item) end
  return value
end

-- A spreadsheet writes these so, whoever typed them and how.
local SPREADSHEET = { TRUE = true, FALSE = false }

--- JSON where it is JSON, and otherwise the text itself. nil and a message for what cannot be told.
local function any(text)
  if SPREADSHEET[text] ~= nil then return SPREADSHEET[text] end
  if text:find "^%-?[1-9]%d*$" then text = math.tointeger(tonumber(text)) or text end
  if math.type(text) then return text end  -- exact, also where lua-cjson has floats only
  if text:find "^%s*%[%s*%]%s*$" then return cekura.array {} end
  local ok, value = pcall(json.decode, text)
  if not ok then return text end
  if type(value) == "table" and not marks_lists and text:find "%[%s*%]" then
    return nil, "has an empty list inside, which this version of lua-cjson takes for an object"
  end
  return whole_numbers(value)
end

-- ---- types ----

local BOOLEANS = {
  ["true"] = true, yes = true, ["1"] = true, ["false"] = false, no = false, ["0"] = false,
}

--- In linear time, however many spaces there are.
local function trimmed(text)
  return text:find "%S" and text:match "^%s*(.*%S)" or ""
end

--- What is none of them stays as it is: the client says what is wrong with it.
local function boolean(text)
  local value = BOOLEANS[trimmed(text):lower()]
  if value == nil then return text end
  return value
end

local READ = {
  integer = trimmed,  -- the digits, for ids are exact as strings
  boolean = boolean,
  any = any,
  string = function(text) return text end,
}

--- An empty cell is an absent field, and `null` is null where the field may be null.
local function argument(field, text)
  if not text or trimmed(text) == "" then return nil end
  if field.nullable and trimmed(text) == "null" then return cekura.null end
  return READ[field.type](text)
end

--- The cells of one row, by the names of the endpoint's fields, as the table that a call takes.
--- nil and { [field] = message } where a cell cannot be read.
---@param endpoint cekura.Endpoint one of cekura.endpoints
---@param cells table<string, string>
---@return table? arguments
---@return table<string, string>? problems
function arguments.read(endpoint, cells)
  local values, problems = {}, {}
  for _, field in ipairs(endpoint.fields) do
    values[field.name], problems[field.name] = argument(field, cells[field.name])
  end
  if next(problems) then return nil, problems end
  return values
end

return arguments
