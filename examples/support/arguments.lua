--- Cells of a sheet as the arguments of a call. The contract (`cekura.endpoints`) names the type of
--- each field.

local cekura = require "cekura"
local values = require((...):gsub("arguments$", "values"))

local arguments = {}

--- The client refuses text that cannot be read, and says why.
local READ = {
  integer = values.trimmed,  -- as text, which keeps large ids exact
  boolean = function(text)
    local value = values.boolean(text)
    if value == nil then return text end
    return value
  end,
  any = values.cell,
  string = function(text) return text end,
}

--- An empty cell is an absent field. `null` is null in a field that may be null.
local function argument(field, text, metric)
  local trimmed = text and values.trimmed(text) or ""
  if trimmed == "" then return nil end
  if field.nullable and trimmed == "null" then return cekura.null end
  return READ[field.type](text, metric)
end

--- Returns the cells of one row as the table that a call takes; nil and { [field] = message } if a
--- cell cannot be read.
---@param endpoint cekura.Endpoint one of cekura.endpoints
---@param cells table<string, string> by the names of the endpoint's fields
---@param metric table? of metrics:get: the metric that the row is about
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
