-- tools/drift.lua, on changed copies of the stored documents, joined into one.
local api_document = require "support.api_document"
local child = require "support.child"
local cjson = require "cjson"
local scratch = require "support.scratch"

local STORED = "spec/conformance/"
local RUNS, RUN = "/test_framework/v2/runs/", "/test_framework/v2/runs/{id}/"
local CALLS = "/observability/v2/call-logs/"
local VOTE = "/test_framework/v1/runs/{id}/mark_metric_vote/"

local function drift(...)
  return child.run_checked { child.lua, "tools/drift.lua", ... }
end

local function drift_of(text)
  local path = scratch.path()
  scratch.write(path, text)
  return drift(path)
end

-- Returns what is printed about a document with a change, without the last line, and the exit code.
local function drift_after(change)
  local document = api_document.load()
  change(document, document.components.schemas)
  local output, code = drift_of(cjson.encode(document))
  return output:gsub("differences: %d+, in 26 operations\n$", ""), code
end

-- Returns the parameter of an operation with this name, and its position.
local function parameter(operation, name)
  for i, node in ipairs(operation.parameters) do
    if node.name == name then return node, i end
  end
end

-- A schema that refers to itself.
local TREE = {
  type = "object",
  properties = { list = { type = "array", items = { ["$ref"] = "#/components/schemas/Tree" } } },
}

-- Each change, { title, change(document, schemas), what is printed }.
local CHANGES = {
  { "a new field of the query", function(document)
    table.insert(document.paths[RUNS].get.parameters,
      { name = "foo", ["in"] = "query", schema = { type = "string", format = "uri" } })
  end, [[
runs.list: new query field "foo" (string, uri)
]] },
  { "a removed field of the query", function(document)
    local operation = document.paths[RUNS].get
    table.remove(operation.parameters, select(2, parameter(operation, "search")))
  end, [[
runs.list: removed query field "search" (string)
]] },
  { "a new required field of the body, with fields of its own", function(_, schemas)
    local schema = schemas.MetricRestoreRequest
    schema.properties.reason = { type = "object", required = { "text" },
      properties = { text = { type = "string" } } }
    table.insert(schema.required, "reason")
  end, [[
metrics.restore: new body field "reason" (object, required)
]] },
  { "a removed field of the items of a body's list", function(_, schemas)
    schemas.MetricWithFeedback.properties.feedback = nil
  end, [[
test_sets.create_from_run: removed body field "metrics[].feedback" (string)
test_sets.create_from_call_log: removed body field "metrics[].feedback" (string)
]] },
  { "a removed and a changed field of the response", function(_, schemas)
    schemas.RunList.properties.status = nil
    schemas.RunList.properties.duration.type = "number"
  end, [[
runs.list: response 200 field "results[].duration": type was "string", now "number"
runs.list: removed response 200 field "results[].status" (string, enum)
]] },
  { "a new response", function(document)
    document.paths[RUN].get.responses["402"] = { description = "No credits" }
  end, [[
runs.get: new response 402 (none)
]] },
  { "other types, limits and formats", function(document, schemas)
    local fields = document.paths[CALLS].get
    parameter(fields, "timestamp_from").schema.format = nil
    parameter(fields, "page_size").schema.maximum = 100
    local update = schemas.PatchedMetricEditSerializerV2.properties
    update.name.maxLength = 100
    update.display_order.minimum = 0
    update.project.type = "string"
  end, [[
metrics.update: body field "display_order": minimum was -2147483648, now 0
metrics.update: body field "name": maxLength was 255, now 100
metrics.update: body field "project": type was "integer", now "string"
metrics.update: body field "project": no longer nullable
calls.list: query field "page_size": maximum was nil, now 100
calls.list: query field "timestamp_from": format was "date-time", now nil
]] },
  { "a field that is required or nullable now", function(document, schemas)
    parameter(document.paths[RUNS].get, "agent_id").required = true
    schemas.RunReviewsRequest.properties.prompt.nullable = true
  end, [[
metrics.run_reviews: body field "prompt": now nullable
runs.list: query field "agent_id": now required
]] },
  { "words of an enum", function(document)
    parameter(document.paths[RUNS].get, "status").schema.enum = { "running", "completed", "failed",
      "pending", "in_progress", "evaluating", "in_queue", "timeout", "cancelled", "paused" }
  end, [[
runs.list: query field "status": new value "paused"
runs.list: query field "status": removed value "scaling_up"
]] },
  { "a deprecated operation, parameter and property", function(document, schemas)
    document.paths[RUN].get.deprecated = true
    parameter(document.paths[RUNS].get, "id").deprecated = true
    schemas.MetricRestoreRequest.properties.history_id.deprecated = true
  end, [[
metrics.restore: body field "history_id": now deprecated
runs.get: now deprecated
runs.list: query field "id": now deprecated
]] },
  { "a limit in a description", function(document)
    local operation = document.paths[CALLS].get
    operation.description = operation.description:gsub("33 days", "31 days")
  end, [[
calls.list: description changed:
    - A supplied range must not exceed **33 days** (wider ranges return `400`); pass ]]
    .. [[`timestamp_from`/`timestamp_to` (ISO 8601) to select a window within that limit.
    + A supplied range must not exceed **31 days** (wider ranges return `400`); pass ]]
    .. [[`timestamp_from`/`timestamp_to` (ISO 8601) to select a window within that limit.
]] },
  { "descriptions of fields", function(document, schemas)
    parameter(document.paths[RUNS].get, "success").description = "Only these runs."
    schemas.BillingInfo.properties.organization.description = "Its id."
  end, [[
runs.list: query field "success": description changed:
    + Only these runs.
billing.info: response 200 field "organization": description changed:
    - Organization ID this billing record belongs to.
    - Example: `37`
    + Its id.
]] },
  { "a removed operation", function(document) document.paths[VOTE] = nil end, [[
runs.mark_metric_vote: removed (POST /test_framework/v1/runs/{run_id}/mark_metric_vote/)
]] },
  { "an operation with another path", function(document)
    document.paths["/v3/runs/{id}/"], document.paths[RUN] = document.paths[RUN], nil
  end, [[
runs.get: moved from GET /test_framework/v2/runs/{id}/ to GET /v3/runs/{id}/
]] },
  { "an operation with another operationId", function(document)
    document.paths[RUN].get.operationId = "runs-read"
  end, [[
runs.get: operationId was runs-retrieve, now runs-read
]] },
  { "a field of the members of an object", function(_, schemas)
    schemas.ResultDetailV2.properties.runs.additionalProperties = { type = "object",
      properties = { id = { type = "integer" } } }
  end, [[
results.get: new response 200 field "runs.*" (object)
]] },
  { "a schema that contains itself", function(_, schemas)
    schemas.Tree = TREE
    schemas.MetricRestoreRequest.properties.tree = { ["$ref"] = "#/components/schemas/Tree" }
  end, [[
metrics.restore: new body field "tree" (object)
]] },
}

-- Changes that the client and its users cannot see.
local SAME = {
  { "names in the braces of a path", function(document)
    local item = document.paths[RUN]
    item.get.parameters[1].name = "run_pk"
    document.paths["/test_framework/v2/runs/{run_pk}/"], document.paths[RUN] = item, nil
  end },
  { "an operation without a row", function(document)
    document.paths["/new/"] = { get = { operationId = "new", responses = {} } }
  end },
  { "spaces and line breaks of descriptions", function(document)
    local operation = document.paths[RUN].get
    operation.description = "  " .. operation.description:gsub(" ", "\n") .. "\n"
  end },
  { "null as in OpenAPI 3.0", function(_, schemas)
    local thumbs_up = schemas.MarkMetricVote.properties.thumbs_up
    thumbs_up.type, thumbs_up.nullable = "boolean", true
  end },
  { "an enum with null among its alternatives", function(_, schemas)
    local update = schemas.PatchedMetricEditSerializerV2.properties
    update.project = { anyOf = { { type = "integer" }, { enum = { cjson.null } } } }
  end },
  { "an enum in alternatives, one without a type", function(_, schemas)
    local update = schemas.PatchedMetricEditSerializerV2.properties
    schemas.Direction = { type = "string", enum = { "increase", "decrease" } }
    schemas.Blank = { enum = { "" } }
    local field = update.significant_change_alert_direction
    field.type, field.enum = nil, nil
    field.oneOf = { { ["$ref"] = "#/components/schemas/Direction" },
      { ["$ref"] = "#/components/schemas/Blank" } }
  end },
  { "a schema behind references and allOf", function(document, schemas)
    local operation = document.paths[RUNS].get
    local node, i = parameter(operation, "status")
    schemas.Status = node.schema
    node.schema = { allOf = { { ["$ref"] = "#/components/schemas/Status" } } }
    document.components.parameters = { status = node }
    operation.parameters[i] = { ["$ref"] = "#/components/parameters/status" }
  end },
  { "the real body of process_feedbacks_cancel", function(document)
    local path = "/test_framework/metric-reviews/process_feedbacks_cancel/"
    document.paths[path].post.requestBody.content["application/json"].schema = { type = "object",
      properties = { progress_id = { type = "string" } }, required = { "progress_id" } }
  end },
}

describe("tools/drift.lua", function()
  it("finds no difference in the stored documents", function()
    local output, code = drift_of(cjson.encode(api_document.load()))
    assert.equal("differences: 0, in 26 operations\n", output)
    assert.equal(0, code)
  end)

  for _, row in ipairs(CHANGES) do
    local title, change, expected = table.unpack(row)
    it("reports " .. title, function()
      local output, code = drift_after(change)
      assert.equal(expected, output)
      assert.equal(1, code)
    end)
  end

  for _, row in ipairs(SAME) do
    local title, change = table.unpack(row)
    it("ignores " .. title, function()
      local output, code = drift_after(change)
      assert.equal("", output)
      assert.equal(0, code)
    end)
  end

  it("compares a document that has operations of one stored document only with that one", function()
    local output, code = drift(STORED .. "companions-v2.json")
    assert.equal("Only the operations of companions-v2.json are in the document.\n" ..
      "differences: 0, in 21 operations\n", output)
    assert.equal(0, code)
  end)

  it("fails with 2 if it cannot compare", function()
    local missing, page, swagger = scratch.path(), scratch.path(), scratch.path()
    scratch.write(page, "<html>")
    scratch.write(swagger, [[{"swagger":"2.0","paths":{}}]])
    for path, problem in pairs {
      [""] = "usage: make drift SPEC=openapi.json",
      [missing] = missing .. ": No such file or directory",
      ["spec"] = "spec: Is a directory", -- the default of SPEC in the Makefile
      [page] = page .. ": not JSON",
      [swagger] = swagger .. ": not a document in OpenAPI 3",
    } do
      local output, code = drift(path)
      assert.truthy(output:find(problem, 1, true), output)
      assert.equal(2, code)
    end
  end)

  it("fails with 2 without an operation of the client, or with a broken document", function()
    for text, problem in pairs {
      [ [[{"openapi":"3.1.0","paths":{"/x/":{"get":{}}}}]] ] = "has none of the operations of",
      [ [[{"openapi":"3.1.0","paths":{"/x/":7}}]] ] = "not as OpenAPI defines it",
      [ [[{"openapi":"3.0.3","paths":{"]] .. RUN .. [[":{"get":{"parameters":
        [{"$ref":"#/components/parameters/id"}]}}}}]] ] = "parameters/id: not in the document",
    } do
      local output, code = drift_of(text)
      assert.truthy(output:find(problem, 1, true), output)
      assert.equal(2, code)
    end
  end)

  it("fails with 2 for YAML without js-yaml", function()
    local path = scratch.path() .. ".yaml"
    scratch.write(path, "openapi: 3.1.0\npaths: {}\n")
    local output, code = child.run_checked({ child.lua, "tools/drift.lua", path },
      { NODE_PATH = "/nonexistent" })
    assert.truthy(output:find(path .. ": cannot be converted to JSON", 1, true), output)
    assert.equal(2, code)
  end)
end)
