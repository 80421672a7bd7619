--- Cells of a sheet as the arguments of a call. The contract (`cekura.endpoints`) names the type of
--- each field.

local cekura = require "cekura"
local values = require "cekura.review.internal.values"

local arguments = {}

--- Returns an id as digits without zeros before them, which keeps large ids exact: "5544" for
--- "5544.0", as spreadsheets and pandas write the numbers of a column with empty cells. Returns any
--- other text without the spaces around it.
---@param text string
---@return string
function arguments.id(text)
  local id = values.trimmed(text)
  return id:match "^0*([1-9]%d*)$" or id:match "^0*([1-9]%d*)[.,]00?$" or id
end

--- The client refuses text that cannot be read, and says why.
local READ = {
  integer = arguments.id,
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
