--- Compares the rows of the contract with the API's documents. Used by tools/drift.lua and
--- spec/conformance/.

local openapi = require "openapi"

local rows = {}

-- ---- corrections of the document ----

local CANCEL = "/test_framework/metric-reviews/process_feedbacks_cancel/"

local REAL_BODY = {
  type = "object", required = { "progress_id" },
  properties = { progress_id = { type = "string" } },
}

--- Corrects what a document has wrong, unless it has been corrected. Returns the document.
---
--- - The body of process_feedbacks_cancel is documented as a review, MetricReviewInline. Only the
---   description has the real one: "POST { progress_id }".
function rows.correct(document)
  local item = document.paths[CANCEL]
  local media = item and item.post.requestBody.content["application/json"]
  if media and media.schema["$ref"] == "#/components/schemas/MetricReviewInline" then
    media.schema = REAL_BODY
  end
  return document
end

-- ---- differences ----

--- The differences that are intended, of a field or of a row's field, and the reason.
rows.INTENDED = {
  ["query ql"] = "descriptions of RunList's fields mention it, and no list has the parameter",
  ["query include_count"] = "the lists accept it, and none has the parameter",
  ["metrics.get path 1"] = "a slug is looked up with metrics.list",
  ["runs.list query status__in"] = "the words of `status`, which the document does not repeat",
}

--- Returns the key of a row's field, as openapi.fields has it. `above` is the key of the list whose
--- items have the field, or nil.
local function key_of(row, field, above)
  if above then return above .. "[]." .. field.name end
  if field.place ~= "path" then return field.place .. " " .. field.name end
  local position = 0
  for name in row.path:gmatch "{(.-)}" do
    position = position + 1
    if name == field.name then break end
  end
  return ("path %d"):format(position)
end

--- Returns the types that the document may have for a row's field. A query has lists as text,
--- 1,2,3, and objects as JSON.
local function types_of(field)
  local types = { [field.type] = true }
  if field.place == "query" and field.type == "array" then types.string = true end
  if field.format == "json" then types.object = true end
  return types
end

--- Returns the words of an enum, or nil, as text.
local function words_of(enum)
  local words = table.move(enum or {}, 1, #(enum or {}), 1, {})
  table.sort(words)
  return table.concat(words, ",")
end

--- The limits of the document, and a function for each that returns the one of the row's field.
local LIMITS = {
  maxLength = function(field) return field.max_length end,
  minLength = function(field) return field.min_length or field.min_items end, -- of 1,2,3
  maxItems = function(field) return field.max_items end,
  minItems = function(field) return field.min_items end,
  minimum = function(field) return field.format == "int32" and -2147483648 or field.minimum end,
  maximum = function(field) return field.format == "int32" and 2147483647 end,
}

--- Compares a row's field with the document's, and its items, if it is a list.
local function compare_field(report, field, known, items)
  local flags = {
    required = known.required,
    nullable = known.nullable or known.type == "any",
  }
  if not types_of(field)[known.type] then
    report("%s, and the row has %s", known.type, field.type)
  elseif items and items.type ~= field.items then
    report("a list of %s, and the row has %s", items.type, field.items)
  end
  for name, flag in pairs(flags) do
    if flag ~= field[name] then report("%s is %s, and the row has %s", name, flag, field[name]) end
  end
  local enum = items and items.enum or known.enum
  if words_of(enum) ~= words_of(field.enum) then
    report("the words are %s, and the row has %s", words_of(enum), words_of(field.enum))
  end
end

--- Compares the limits that the document has. A row may have others.
local function compare_limits(report, field, known)
  for name, limit_of in pairs(LIMITS) do
    local limit = limit_of(field) or "none"
    if known[name] and known[name] ~= limit then
      report("%s is %d, and the row has %s", name, known[name], limit)
    end
  end
end

--- Compares the fields of a row, or of the objects in a list (`above`), and removes them from
--- `known`.
local function compare_all(report, row, fields, above, known)
  for _, field in ipairs(fields) do
    local key = key_of(row, field, above)
    local found, items = known[key], known[key .. "[]"]
    known[key], known[key .. "[]"] = nil, nil
    if found then
      local function report_field(...) report(key, ...) end
      compare_field(report_field, field, found, items)
      compare_limits(report_field, field, found)
    else
      report(key, "not in the document")
    end
    if field.fields then compare_all(report, row, field.fields, key, known) end
  end
end

--- Returns the differences between a row of cekura.endpoints and its operation, without those that
--- are intended: a sorted list of { key, text }. `known` is what openapi.fields returns for the
--- operation; the key of a difference in method, path or operationId is "".
function rows.differences(row, operation, known)
  local list, requested = {}, {}
  local function report(key, text, ...)
    if rows.INTENDED[key] or rows.INTENDED[row.name .. " " .. key] then return end
    table.insert(list, { key = key, text = text:format(...) })
  end
  local method, path = operation.method, operation.path
  if openapi.place(method, path) ~= openapi.place(row.method, row.path) then
    report("", "%s %s, and the row has %s %s", method, path, row.method, row.path)
  end
  if operation.id ~= row.operation then
    report("", "operationId is %s, and the row has %s", operation.id, row.operation)
  end
  for key, field in pairs(known) do
    if field.path ~= "" and not field.place:find "^response" then requested[key] = field end
  end
  compare_all(report, row, row.fields, nil, requested)
  for key in pairs(requested) do report(key, "the row does not have it") end
  table.sort(list, function(a, b) return a.key .. a.text < b.key .. b.text end)
  return list
end

return rows
