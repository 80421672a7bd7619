--- Reads documents in OpenAPI 3.0 and 3.1: their operations, and the fields of an operation as a
--- flat table without references. Used by tools/drift.lua and spec/conformance/.

local cjson = require "cjson"

local openapi = {}

--- The limits of a field, named as in JSON Schema.
openapi.LIMITS = {
  "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
  "maxLength", "pattern", "minItems", "maxItems", "uniqueItems",
}

-- The members of a schema that flatten copies.
local MEMBERS = {
  "items", "additionalProperties", "format", "default", "readOnly", "writeOnly", "deprecated",
  "description",
}
table.move(openapi.LIMITS, 1, #openapi.LIMITS, #MEMBERS + 1, MEMBERS)

local METHODS = { get = true, put = true, post = true, delete = true, patch = true, head = true }

local MOST_NESTED = 100 -- of the references of one schema

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- ---- schemas ----

--- Follows `$ref`. Raises if the document does not have its target.
local function resolve(document, node)
  for _ = 1, MOST_NESTED do
    local reference = node["$ref"]
    if type(reference) ~= "string" then return node end
    node = document
    local steps = reference:match "^#/(.*)$" or error(reference .. ": in another file", 0)
    for step in steps:gmatch "[^/]+" do
      node = type(node) == "table" and node[step:gsub("~1", "/"):gsub("~0", "~")]
    end
    if type(node) ~= "table" then error(reference .. ": not in the document", 0) end
  end
  error(node["$ref"] .. ": refers to itself", 0)
end

--- Adds the members of `part`, a flat schema, to `flat`.
local function absorb(flat, part)
  for name, value in pairs(part) do
    if name == "properties" or name == "required" or name == "references" then
      for key, item in pairs(value) do flat[name][key] = item end
    else
      flat[name] = value
    end
  end
end

--- Sets the type; the type `null` makes the schema nullable.
local function absorb_type(flat, kinds)
  local others = {}
  for _, kind in ipairs(kinds) do
    if kind == "null" then flat.nullable = true else others[kind] = true end
  end
  flat.type = next(others) and table.concat(sorted_keys(others), "|") or "null"
end

--- Sets the words of an enum, and their type if there is none; the word null makes the schema
--- nullable.
local function absorb_enum(flat, words)
  flat.enum = {}
  for _, word in ipairs(words) do
    if word == cjson.null then flat.nullable = true else table.insert(flat.enum, word) end
  end
  if #flat.enum == 0 then flat.enum, flat.type = nil, "null" end
  flat.type = flat.type or type(flat.enum[1])
end

--- Adds the alternatives of oneOf or anyOf. All properties are optional if there are several.
local function absorb_alternatives(flat, alternatives)
  local kinds, enum, others = {}, {}, {}
  for _, alternative in ipairs(alternatives) do
    kinds[#kinds + 1] = alternative.type
    flat.nullable = flat.nullable or alternative.nullable
    if alternative.type ~= "null" then others[#others + 1] = alternative end
  end
  if #others == 1 then absorb(flat, others[1]) end
  absorb_type(flat, kinds)
  if #others == 1 then return end
  for _, alternative in ipairs(others) do
    alternative.required = {}
    absorb(flat, alternative)
    enum = enum and alternative.enum and table.move(alternative.enum, 1, #alternative.enum,
      #enum + 1, enum)
  end
  absorb_type(flat, kinds)
  flat.enum = enum and next(enum) and enum or nil
end

local flatten

--- Returns the flat schemas of a list.
local function flatten_all(document, schemas, depth)
  local list = {}
  for i, schema in ipairs(schemas or {}) do list[i] = flatten(document, schema, depth) end
  return list
end

--- Adds the members that a schema has itself.
local function absorb_own(flat, schema)
  local kind, enum = schema.type, schema.enum
  if kind then absorb_type(flat, type(kind) == "table" and kind or { kind }) end
  if schema.const ~= nil then enum = { schema.const } end
  if enum then absorb_enum(flat, enum) end
  flat.nullable = flat.nullable or schema.nullable == true
  for _, name in ipairs(schema.required or {}) do flat.required[name] = true end
  absorb(flat, { properties = schema.properties })
  for _, name in ipairs(MEMBERS) do
    if schema[name] ~= nil then flat[name] = schema[name] end
  end
end

--- Returns a schema without $ref, allOf, anyOf and oneOf: { type, nullable, enum, items, properties
--- = name → schema, required = set of names, references = set, … }. Without a type it is "any".
function flatten(document, schema, depth)
  if depth > MOST_NESTED then error("a schema refers to itself", 0) end
  local flat = { properties = {}, required = {}, references = {} }
  local reference = schema["$ref"]
  if reference then
    absorb(flat, flatten(document, resolve(document, { ["$ref"] = reference }), depth + 1))
    flat.references[reference] = true
  end
  for _, part in ipairs(flatten_all(document, schema.allOf, depth + 1)) do absorb(flat, part) end
  local alternatives = schema.oneOf or schema.anyOf
  if alternatives then
    absorb_alternatives(flat, flatten_all(document, alternatives, depth + 1))
  end
  absorb_own(flat, schema)
  flat.type = flat.type or next(flat.properties) and "object" or flat.items and "array" or "any"
  return flat
end

-- ---- fields ----

--- Returns the path of a member: "metrics[].metric".
local function member(path, name) return path == "" and name or path .. "." .. name end

--- Returns the set of `references` and of those in `open`; or nil if they have one in common.
local function joined(references, open)
  local both = setmetatable({}, { __index = open })
  for reference in pairs(references) do
    if open[reference] then return nil end
    both[reference] = true
  end
  return both
end

--- Adds the field of a schema, and those below it, to `fields`. `field` has place, path and
--- required. `open` is the set of the references above; a schema inside itself has no fields.
local function walk(fields, document, schema, field, open)
  local flat = flatten(document, schema, 0)
  if field.place == "body" and flat.readOnly then return end
  if field.place ~= "body" and flat.writeOnly then return end
  local required, inside = flat.required, joined(flat.references, open)
  for name, value in pairs(field) do flat[name] = value end
  flat.key = field.place .. " " .. field.path
  fields[flat.key] = flat
  if not inside then return end
  local function add(path, below, is_required)
    walk(fields, document, below, { place = field.place, path = path, parent = flat.key,
      required = is_required or false }, inside)
  end
  for name, property in pairs(flat.properties) do
    add(member(field.path, name), property, required[name])
  end
  if flat.items then add(field.path .. "[]", flat.items) end
  local values = flat.additionalProperties
  if type(values) == "table" and next(values) then add(member(field.path, "*"), values) end
end

--- Returns the schema of JSON, or nil.
local function json_schema(content)
  local media = content and content["application/json"]
  return media and (media.schema or {})
end

--- Adds the parameters. A field in the path is named by its position, because the name in the
--- braces is not sent.
local function add_parameters(fields, operation)
  local document = operation.document
  local position = {}
  for name in operation.path:gmatch "{(.-)}" do
    table.insert(position, name)
    position[name] = #position
  end
  for _, list in ipairs { operation.item.parameters or {}, operation.node.parameters or {} } do
    for _, node in ipairs(list) do
      local parameter = resolve(document, node)
      local name, place = parameter.name, parameter["in"]
      if place == "path" then name = ("%d"):format(position[name] or 0) end
      walk(fields, document, parameter.schema or json_schema(parameter.content) or {}, {
        place = place, path = name, required = parameter.required == true,
        description = parameter.description, deprecated = parameter.deprecated,
        explode = parameter.explode,
      }, {})
    end
  end
end

--- Returns the fields of an operation, by key: "query page", "body metrics[].metric", "path 1",
--- "response 200 results[].id"; [] are the items of a list, and .* the members with any name of an
--- object. A key ends with a space if the field is a whole body. Each field is
--- a flat schema with key, place, path, parent (a key) and whether it is required. A body has no
--- read-only fields, and a response has no write-only fields.
function openapi.fields(operation)
  local fields, document = {}, operation.document
  add_parameters(fields, operation)
  if operation.node.requestBody then
    local body = resolve(document, operation.node.requestBody)
    walk(fields, document, json_schema(body.content) or { type = "none" },
      { place = "body", path = "", required = body.required == true }, {})
  end
  for status, node in pairs(operation.node.responses or {}) do
    local response = resolve(document, node)
    walk(fields, document, json_schema(response.content) or { type = "none" }, {
      place = "response " .. status, path = "", required = false,
      description = response.description ~= "" and response.description or nil,
    }, {})
  end
  return fields
end

-- ---- documents ----

--- Returns the method and the path, without the names in its braces, which are not sent.
function openapi.place(method, path) return method .. " " .. path:gsub("{.-}", "{}") end

--- Returns the document that a text of JSON contains, or nil and the problem.
function openapi.parse(text)
  local ok, document = pcall(cjson.decode, text)
  if not ok then return nil, "not JSON: " .. document end
  local version = type(document) == "table" and document.openapi
  if type(version) ~= "string" or not version:find "^3%." or type(document.paths) ~= "table" then
    return nil, "not a document in OpenAPI 3"
  end
  return document
end

--- Returns the operations of a document: a list of { method, path, id, document, node, item }, in
--- the order of their paths.
function openapi.operations(document)
  local list = {}
  for _, path in ipairs(sorted_keys(document.paths)) do
    local item = resolve(document, document.paths[path])
    for _, method in ipairs(sorted_keys(item)) do
      if METHODS[method] then
        local node = item[method]
        table.insert(list, { method = method:upper(), path = path, id = node.operationId,
          document = document, node = node, item = item })
      end
    end
  end
  return list
end

--- Returns the operation with this method and path, whatever the names in its braces; otherwise the
--- one with this operationId, or nil.
function openapi.find(operations, method, path, id)
  local by_id
  for _, operation in ipairs(operations) do
    local place = openapi.place(operation.method, operation.path)
    if place == openapi.place(method, path) then return operation end
    if operation.id == id then by_id = operation end
  end
  return by_id
end

return openapi
