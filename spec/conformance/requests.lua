-- Requests that follow from the API's documents and the rows: for each field values that are wrong
-- or right. A request is { what, arguments }, with the arguments of the client's call.
package.path = "tools/?.lua;" .. package.path
local calls = require "support.calls"
local cjson = require "cjson"
local requests = {}

-- ---- correct arguments

-- Ids of the sandbox's data, which belong together. The spec adds those of test sets.
requests.IDS = {
  agent = 231, agent_id = 231, agents = { 231, 232 }, project = 14, project_id = 14,
  organization_id = 37, result_id = 373, result_ids = { 372, 373 }, run_id = 5544,
  run_ids = { 5543, 5544 }, call_log_id = 70071, call_logs = { 70023, 70072 }, metric = 55,
  metric_id = 55, metric_ids = { 55, 56 }, metrics = { 55, 56 },
}

-- Returns the ids of a row's field: those of IDS, as texts where the API has texts.
local function ids_of(field)
  local ids = requests.IDS[field.name]
  if field.items ~= "string" then return ids end
  local texts = {}
  for i, id in ipairs(ids) do texts[i] = ("%d"):format(id) end
  return texts
end

-- Returns the arguments of spec/support/calls.lua with ids of IDS and these changes. Without them
-- Prism and the sandbox accept the arguments, so that a change is the reason of a refusal.
function requests.arguments(row, changes)
  local ids = {}
  for _, field in ipairs(row.fields) do
    if field.format == "id" and field.required then ids[field.name] = ids_of(field) end
  end
  local arguments = calls.arguments(row.name, ids)
  for name, value in pairs(changes or {}) do
    if value == calls.none then value = nil end
    arguments[name] = value
  end
  return arguments
end

-- ---- values that a schema forbids

-- A value of each type of JSON, in an order.
local KINDS = {
  { "string", "x" }, { "integer", 7 }, { "number", 1.5 }, { "boolean", true }, { "array", { "x" } },
  { "object", { a = 1 } },
}

local NO_TIMES = { "now", "2025-01-01", "2025-13-01T00:00:00Z" }

local function list_of(count, value)
  local list = {}
  for i = 1, count do list[i] = value end
  return list
end

-- Returns whether a value of this type is one of the field's.
local function allows(field, kind)
  local kinds = "|" .. field.type .. "|"
  return field.type == "any" or kinds:find("|" .. kind .. "|", 1, true)
    or kind == "integer" and kinds:find("|number|", 1, true)
end

-- Calls add(what, value) for each value that the field's limits forbid.
local function beyond_limits(field, item, add)
  if field.enum then add("an unknown word", "unknown") end
  if field.format == "date-time" then
    for _, text in ipairs(NO_TIMES) do add(text, text) end
  end
  if field.maxLength then add("too long a text", ("é"):rep(field.maxLength + 1)) end
  if field.maximum then add("too large a number", field.maximum + 1) end
  if field.minimum then add("too small a number", field.minimum - 1) end
  if (field.minItems or 0) > 0 then add("too short a list", list_of(field.minItems - 1, item)) end
  if field.maxItems then add("too long a list", list_of(field.maxItems + 1, item)) end
end

local wrong_values

-- Calls add(what, value) for each object in which one member is missing or wrong.
local function wrong_members(known, key, correct, add)
  for _, member in pairs(known) do
    local name = member.path:match "([^.]+)$"
    if member.parent == key and correct and known[key].type == "object" then
      local function change(what, value)
        local copy = {}
        for field, old in pairs(correct) do copy[field] = old end
        copy[name] = value
        add(what, copy)
      end
      if member.required then change("no " .. name, nil) end
      wrong_values(known, member.key, correct[name], function(what, value)
        change(name .. ": " .. what, value)
      end)
    end
  end
end

-- Calls add(what, value) for each value that a field of a body does not allow. `correct` is a value
-- that it allows.
function wrong_values(known, key, correct, add)
  local field, items = known[key], known[key .. "[]"]
  for _, row in ipairs(KINDS) do
    local kind, value = table.unpack(row)
    if not allows(field, kind) then add("a value of type " .. kind, value) end
  end
  if not (field.nullable or field.type == "any") then add("null", cjson.null) end
  local item = type(correct) == "table" and correct[1] or nil
  beyond_limits(field, item, add)
  wrong_members(known, key, correct, add)
  if items then
    wrong_values(known, items.key, item, function(what, value)
      add("in the list " .. what, { value })
    end)
  end
end

-- Calls add(what, value) for each text that a field of the query or the path does not allow. Prism
-- accepts an empty text in spite of minLength, and any text for an object.
local function wrong_texts(known, key, add)
  local field = known[key]
  local is_number = field.type == "integer" or field.type == "number"
  if is_number or field.type == "boolean" then add("a word", "last") end
  if field.type == "integer" then add("a fraction", 1.5) end
  if field.type == "array" and known[key .. "[]"].type == "integer" then
    add("a word in the list", { 1, "last" })
  end
  if field.type == "string" then beyond_limits(field, nil, add) end
end

-- The wrong values that the client converts instead of refusing them.
requests.CONVERTED = {
  ["results.evaluate_metrics run_ids: in the list a value of type integer"] = true,
  ["results.evaluate_metrics metric_ids: in the list a value of type integer"] = true,
}

-- Returns the name of the argument for a field that a request has, or nil.
local function argument_name(row, field)
  if field.path == "" or field.place:find "^response" then return nil end
  if field.parent and field.parent ~= "body " then return nil end
  if field.place ~= "path" then return field.path end
  local position = 0
  for name in row.path:gmatch "{(.-)}" do
    position = position + 1
    if position == tonumber(field.path) then return name end
  end
end

-- Returns bodies that are not an object. Prism takes null for a missing body.
local function wrong_bodies(field)
  local list = { "[1]", "7", '"x"' }
  if field.required then list[#list + 1] = "null" end
  return list
end

-- Returns the requests of a row's operation with one wrong or missing field, which Prism must
-- refuse. `known` is what openapi.fields returns for the operation. A request that the client
-- cannot make has a body, in JSON, as its third item.
function requests.invalid(row, known)
  local list = {}
  for key, field in pairs(known) do
    local name = argument_name(row, field)
    local function add(what, value)
      table.insert(list, { name .. ": " .. what, requests.arguments(row, { [name] = value }) })
    end
    if name and field.place == "body" then
      wrong_values(known, key, requests.arguments(row)[name], add)
    elseif name then
      wrong_texts(known, key, add)
    end
    if name and field.required and field.place ~= "path" then add("missing", calls.none) end
  end
  for _, text in ipairs(known["body "] and wrong_bodies(known["body "]) or {}) do
    table.insert(list, { "the body " .. text, requests.arguments(row), text })
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

-- Calls that only the document's descriptions forbid, so that Prism allows them.
requests.FORBIDDEN_BY_PROSE = {
  { "calls.list", { timestamp_from = "2025-01-01T00:00:00Z",
    timestamp_to = "2025-02-03T00:00:01Z" } }, -- 33 days and a second
  { "calls.evaluate_metrics", { agent_id = calls.none } },
  { "calls.evaluate_metrics", { project_id = 14 } }, -- and agent_id
}

-- ---- values that a row allows

local TEXT, STRUCTURE = "a b&c=d/é", { a = { 1, "é\n", { b = false } } }
local TIMES = { "2125-01-01T00:00:00Z", "2125-01-31T23:59:59.5+02:00" } -- links end in the future
local FILTERS = {
  filters_v2 = { field = "success", op = "eq", value = true },
  filters = { field = "eval_type", op = "in", value = { "enum", "binary" } },
}

local BY_FORMAT = {
  ["date-time"] = function() return TIMES end,
  id = function(field) return { requests.IDS[field.name] or field.items and { 1, 2 } or 1 } end,
  int32 = function() return { -2147483648, 0, 2147483647 } end,
  json = function(field) return { FILTERS[field.name] } end,
  selection = function() return { "{id,status}" } end,
}

local BY_TYPE = {
  any = function() return { 2, 0.5, true, "polite", STRUCTURE } end,
  array = function(field)
    local texts = { string = TEXT, any = STRUCTURE }
    return { field.enum or { texts[field.items], texts[field.items] } }
  end,
  boolean = function() return { true, false } end,
  integer = function(field) return { field.minimum or 1, 3 } end,
  number = function() return { 0.5, -1, 2 } end,
  object = function() return { STRUCTURE } end,
  string = function(field) return { field.max_length and ("é"):rep(field.max_length) or TEXT } end,
}

-- Returns values of a row's field; of a list of objects, lists of one object.
local function right_values(field)
  if field.enum and field.type == "string" then return field.enum end
  if not field.fields then return (BY_FORMAT[field.format] or BY_TYPE[field.type])(field) end
  local object, list = {}, {}
  for _, member in ipairs(field.fields) do object[member.name] = right_values(member)[1] end
  for _, member in ipairs(field.fields) do
    for _, value in ipairs(right_values(member)) do
      local copy = {}
      for name, old in pairs(object) do copy[name] = old end
      copy[member.name] = value
      list[#list + 1] = { copy }
    end
  end
  return list
end

-- Fields that only some metrics have, with such a metric.
local BINARY = 57
local METRICS = { alert_enabled = BINARY }

-- Returns the changes of arguments that a field requires: its alternatives are left out, a range of
-- times ends soon after its start, and the metric is one that has the field.
local function related_changes(row, name)
  local changes, is_choice = {}, false
  for _, other in ipairs(row.one_of or {}) do
    changes[other], is_choice = calls.none, is_choice or other == name
  end
  if not is_choice then changes = {} end
  if row.range and row.range.from == name then changes[row.range.to] = TIMES[2] end
  changes.metric_id = METRICS[name]
  return changes
end

-- Returns a request with the required fields, and one for each value of each of the row's fields.
-- Prism must accept them.
function requests.valid(row)
  local list = { { "required fields", requests.arguments(row) } }
  for _, field in ipairs(row.fields) do
    local function add(what, value)
      local changes = related_changes(row, field.name)
      changes[field.name] = value
      table.insert(list, { field.name .. what, requests.arguments(row, changes) })
    end
    if field.place ~= "path" then
      for i, value in ipairs(right_values(field)) do add((" %d"):format(i), value) end
      if field.nullable then add(" null", cjson.null) end
    end
  end
  return list
end

-- ---- requests on the wire

local function escape(text)
  return (text:gsub("[^%w-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- Returns the text of a value in a path or a query.
local function text_of(value)
  if type(value) ~= "table" then return tostring(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = tostring(item) end
  return table.concat(items, ",")
end

-- Returns the method, the path with the query, and the body (nil: none) of a request, right or
-- wrong. The result is independent of the client's own code.
function requests.raw(row, request)
  local path, query, body, arguments = row.path, {}, {}, request[2]
  for _, field in ipairs(row.fields) do
    local value = arguments[field.name]
    if field.place == "path" then
      path = path:gsub("{" .. field.name .. "}", escape(text_of(value)))
    elseif field.place == "query" and value ~= nil then
      query[#query + 1] = field.name .. "=" .. escape(text_of(value))
    elseif value ~= nil then
      body[field.name] = value
    end
  end
  if #query > 0 then path = path .. "?" .. table.concat(query, "&") end
  -- No argument is an empty object.
  local text = row.method ~= "GET" and cjson.encode(body):gsub("{}", next(body) and "[]" or "{}")
  return row.method, path, request[3] or text or nil
end

return requests
