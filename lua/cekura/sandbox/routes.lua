--- Finds the endpoint of a method and a path. The endpoints are rows, each with its handler and its
--- version of the API.

local handlers = require "cekura.sandbox.handlers"

---@class cekura.sandbox.Routes
local Routes = {}
Routes.__index = Routes

local ANY = {} -- the key of the child for a parameter

local function add(root, row)
  local node = root
  for segment in row.path:gmatch "[^/]+" do
    local key = segment:find "^{" and ANY or segment
    node.children[key] = node.children[key] or { children = {} }
    node = node.children[key]
  end
  local version = math.tointeger(tonumber(row.path:match "/v(%d)/"))
  local path = row.is_deprecated and row.path:gsub("/v1/", "/v2/", 1) or row.path
  local endpoint = {
    row = row, handler = handlers[row.method .. " " .. path], version = version or 2,
    is_deprecated = row.is_deprecated,
  }
  for _, field in ipairs(row.fields) do -- no path of the API has two parameters
    if field.place == "path" then
      endpoint.parameter, endpoint.parameter_type = field.name, field.type
    end
  end
  node.methods = node.methods or {}
  node.methods[row.method] = endpoint
end

---@param rows table[] of rows.lua
---@return cekura.sandbox.Routes
function Routes.new(rows)
  local routes = setmetatable({ root = { children = {} } }, Routes)
  for _, row in ipairs(rows) do add(routes.root, row) end
  return routes
end

--- Returns the endpoint and the text of the parameter in the path. Without an endpoint: nil and
--- whether there is one for another method.
---@param method string
---@param path string
---@return table? endpoint { row, handler, version, is_deprecated, parameter, parameter_type }
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
