--- Cells of a sheet as arguments of an endpoint: the contract says what type each field has.

local cekura = require "cekura"
local values = require((...):gsub("arguments$", "report.values"))

local arguments = {}

--- What is none of them stays as it is: the client says what is wrong with it.
local function boolean(text)
  local value = values.boolean(text)
  if value == nil then return text end
  return value
end

local READ = {
  integer = values.trimmed,  -- the digits, for ids are exact as strings
  boolean = boolean,
  any = values.cell,
  string = function(text) return text end,
}

--- An empty cell is an absent field, and `null` is null where the field may be null.
local function argument(field, text, metric)
  local trimmed = text and values.trimmed(text) or ""
  if trimmed == "" then return nil end
  if field.nullable and trimmed == "null" then return cekura.null end
  return READ[field.type](text, metric)
end

--- The cells of one row, by the names of the endpoint's fields, as the table that a call takes.
--- nil and { [field] = message } where a cell cannot be read.
---@param endpoint cekura.Endpoint one of cekura.endpoints
---@param cells table<string, string>
---@param metric table? the metric that the row is about, as metrics:get returns it
---@return table? arguments
---@return table<string, string>? problems
function arguments.read(endpoint, cells, metric)
  local read, problems = {}, {}
  for _, field in ipairs(endpoint.fields) do
    read[field.name], problems[field.name] = argument(field, cells[field.name], metric)
  end
  if next(problems) then return nil, problems end
  return read
end

return arguments
