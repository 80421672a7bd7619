-- The stored documents of the API, spec/conformance/*.json, as one document.
local cjson = require "cjson"
local api_document = {}

local STORED = "spec/conformance/"

local function read(name)
  local file <close> = assert(io.open(STORED .. name))
  return file:read "a"
end

local function names()
  local list, pipe = {}, assert(io.popen("ls " .. STORED))
  for name in pipe:lines() do
    if name:find "%.json$" then list[#list + 1] = name end
  end
  pipe:close()
  return list
end

-- Returns a new table. Two documents have different schemas of the same name: the schemas of all
-- but companions-v2.json get the name of their file in front.
function api_document.load()
  local all = cjson.decode(read "companions-v2.json")
  for _, name in ipairs(names()) do
    if name ~= "companions-v2.json" then
      local text = read(name):gsub('("#/components/schemas/)', "%1" .. name)
      local document = cjson.decode(text)
      for path, item in pairs(document.paths) do all.paths[path] = item end
      for schema_name, schema in pairs(document.components.schemas) do
        all.components.schemas[name .. schema_name] = schema
      end
    end
  end
  return all
end

return api_document
