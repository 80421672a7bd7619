-- tools/rows.lua, on changed copies of the rows. `make drift` and `make conformance` compare the
-- rows with the API's documents by it.
package.path = "tools/?.lua;" .. package.path
local api_document = require "support.api_document"
local cekura = require "cekura.core"
local openapi = require "openapi"
local rows = require "rows"

local function copy(value)
  if type(value) ~= "table" then return value end
  local new = {}
  for key, member in pairs(value) do new[key] = copy(member) end
  return new
end

local function field_of(fields, name)
  for i, field in ipairs(fields) do
    if field.name == name then return field, i end
  end
end

-- Changes of rows: { title, row, change(row), key and text of the difference, … }.
local CHANGES = {
  { "another method", "billing.info", function(row) row.method = "POST" end, "",
    "GET /test_framework/billing/info/, and the row has POST /test_framework/billing/info/" },
  { "another operationId", "runs.get", function(row) row.operation = "runs-v1-retrieve" end,
    "", "operationId is runs-retrieve, and the row has runs-v1-retrieve" },
  { "a missing field", "runs.list", function(row)
    table.remove(row.fields, select(2, field_of(row.fields, "search")))
  end, "query search", "the row does not have it" },
  { "an additional field", "metrics.history", function(row)
    table.insert(row.fields, { name = "search", place = "query", type = "string" })
  end, "query search", "not in the document" },
  { "a missing field of the objects in a list", "test_sets.create_from_run", function(row)
    local list = field_of(row.fields, "metrics").fields
    table.remove(list, select(2, field_of(list, "feedback")))
  end, "body metrics[].feedback", "the row does not have it" },
  { "another type", "metrics.update", function(row)
    field_of(row.fields, "std_multiplier").type = "integer"
  end, "body std_multiplier", "number, and the row has integer" },
  { "another type of items", "metrics.update", function(row)
    field_of(row.fields, "enum_values").items = "integer"
  end, "body enum_values", "a list of string, and the row has integer" },
  { "an optional field", "metrics.restore", function(row)
    field_of(row.fields, "history_id").required = false
  end, "body history_id", "required is true, and the row has false" },
  { "a field that accepts null", "metrics.update", function(row)
    field_of(row.fields, "name").nullable = true
  end, "body name", "nullable is false, and the row has true" },
  { "another word", "metrics.run_reviews", function(row)
    field_of(row.fields, "trigger_type").enum = { "custom_code" }
  end, "body trigger_type", "the words are custom_code,llm_judge, and the row has custom_code" },
  { "another limit of a text", "metrics.update", function(row)
    field_of(row.fields, "slug").max_length = 256
  end, "body slug", "maxLength is 255, and the row has 256" },
  { "no limit of a list", "results.bulk_evaluate_metrics", function(row)
    field_of(row.fields, "result_ids").max_items = nil
  end, "body result_ids", "maxItems is 100, and the row has none" },
  { "no limit of a number", "metrics.update", function(row)
    field_of(row.fields, "display_order").format = nil
  end, "body display_order", "maximum is 2147483647, and the row has none",
    "body display_order", "minimum is -2147483648, and the row has none" },
}

describe("tools/rows.lua", function()
  local operations = openapi.operations(rows.correct(api_document.load()))

  local function differences(row)
    local endpoint = cekura.endpoints[row.name]
    local operation = openapi.find(operations, endpoint.method, endpoint.path)
    return rows.differences(row, operation, openapi.fields(operation))
  end

  it("finds no difference between the rows and the stored documents", function()
    for _, row in ipairs(cekura.endpoints) do assert.same({}, differences(row)) end
  end)

  for _, case in ipairs(CHANGES) do
    local title, name, change = table.unpack(case)
    it("reports " .. title, function()
      local row, expected = copy(cekura.endpoints[name]), {}
      change(row)
      for i = 4, #case, 2 do expected[#expected + 1] = { key = case[i], text = case[i + 1] } end
      assert.same(expected, differences(row))
    end)
  end
end)
