--- Which endpoint a method and a path mean. The endpoints are the rows of `cekura.endpoints`.

local handlers = require "cekura.sandbox.handlers"

---@class cekura.sandbox.Routes
local Routes = {}
Routes.__index = Routes

local ANY = {} -- key of the child for a segment that is a parameter

--- "POST /runs/{}/": rows that differ only in what they call a parameter mean the same.
local function signature(row)
  return row.method .. " " .. row.path:gsub("{[^}]*}", "{}")
end

--- A plain copy: the contract's rows are proxies, which are slower to read.
local function plain(row)
  local fields = {}
  for i, field in ipairs(row.fields) do
    local copy = { name = field.name, type = field.type, items = field.items,
      required = field.required, nullable = field.nullable, min_length = field.min_length,
      min_items = field.min_items, max_items = field.max_items, place = field.place }
    if field.enum then
      copy.enum = {}
      for _, value in ipairs(field.enum) do copy.enum[#copy.enum + 1] = value end
    end
    fields[i] = copy
  end
  local one_of
  for _, name in ipairs(row.one_of or {}) do
    one_of = one_of or {}
    one_of[#one_of + 1] = name
  end
  return { method = row.method, path = row.path, fields = fields, one_of = one_of }
end

--- The name of the parameter in the path, and its type. No path of the API has two.
local function path_parameter(row)
  for _, field in ipairs(row.fields) do
    if field.place == "path" then return field.name, field.type end
  end
end

local function add(root, row)
  local node = root
  for segment in row.path:gmatch "[^/]+" do
    local key = segment:find "^{" and ANY or segment
    node.children[key] = node.children[key] or { children = {} }
    node = node.children[key]
  end
  node.methods = node.methods or {}
  local name, kind = path_parameter(row)
  node.methods[row.method] = {
    row = plain(row), handler = handlers[signature(row)], parameter = name, parameter_type = kind,
  }
end

---@param contract table `cekura.endpoints`
---@return cekura.sandbox.Routes
function Routes.new(contract)
  local routes = setmetatable({ root = { children = {} } }, Routes)
  for _, row in ipairs(contract) do add(routes.root, row) end
  return routes
end

--- The endpoint, and what stands in the path for its parameter. Without an endpoint: whether
--- there would be one for another method.
---@param method string
---@param path string
---@return table? endpoint { row, handler, parameter, parameter_type }
---@return string|boolean|nil value
function Routes:find(method, path)
  if path:sub(-1) ~= "/" then return nil, false end
  local node, value = self.root, nil
  for segment in path:gmatch "[^/]+" do
    local child = node.children[segment]
    if not child then
      child, value = node.children[ANY], segment
    end
    if not child then return nil, false end
    node = child
  end
  if not node.methods then return nil, false end
  if not node.methods[method] then return nil, true end
  return node.methods[method], value
end

return Routes
