-- The client and the sandbox against Prism, which validates requests by the API's documents: Prism
-- must accept the client's requests, and the client and the sandbox must refuse what Prism refuses.
--
-- `make conformance` sets PRISM, the program. `make schemas` writes the documents beside this file.
-- The specs read only the status of Prism's responses, because their bodies are generated from the
-- types.
package.path = "tools/?.lua;" .. package.path
local api_document = require "support.api_document"
local calls = require "support.calls"
local cekura = require "cekura.core"
local child = require "support.child"
local cjson = require "cjson"
local openapi = require "openapi"
local requests = require "conformance.requests"
local rows = require "rows"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"

local PRISM = assert(os.getenv "PRISM", "PRISM: the path of the program")

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- ---- servers

-- Returns a document as text for Prism.
--
-- - lua-cjson writes the empty list of scopes as an object.
-- - The votes have `oneOf` of anything and null. Null matches both, so that Prism would refuse it.
local function text_of(document)
  return (cjson.encode(document):gsub('"api_key":{}', '"api_key":[]')
    :gsub('"oneOf":(%[{},{"type":"null"}%])', '"anyOf":%1'))
end

-- Starts Prism. Returns { url, stop() }.
local function start_prism(document)
  local path, log = scratch.path() .. ".json", scratch.path()
  scratch.write(path, text_of(document))
  local pid = output_of(("%s mock --host 127.0.0.1 --port 0 %s >%s 2>&1 & echo $!")
    :format(quote(PRISM), quote(path), quote(log))):match "%d+"
  local function stop() os.execute("kill " .. pid .. " 2>&1") end
  for _ = 1, 300 do  -- 30 s
    local url = (scratch.read(log) or ""):match "listening on (http://[%d.:]+)"
    if url then return { url = url, stop = stop } end
    os.execute "sleep 0.1"
  end
  stop()
  error("Prism does not start: " .. scratch.read(log))
end

-- Sends the raw requests with one curl. Returns their statuses.
local function statuses(server, row, list)
  if #list == 0 then return {} end
  local config, path = {}, scratch.path()
  for i, request in ipairs(list) do
    local method, target, body = requests.raw(row, request)
    local lines = { "next", 'url = "%s%s"', 'request = "%s"', 'header = "X-CEKURA-API-KEY: %s"',
      'output = "/dev/null"', 'write-out = "%%{http_code}\\n"', "silent" }
    config[i] = table.concat(lines, "\n"):format(server.url, target, method,
      server.api_key or "key")
    if body then
      config[i] = ('%s\nheader = "Content-Type: application/json"\ndata-binary = "%s"')
        :format(config[i], (body:gsub('[\\"]', "\\%0")))
    end
  end
  scratch.write(path, table.concat(config, "\n"))
  local codes = {}
  for code in output_of("curl --config " .. quote(path)):gmatch "%d+" do
    codes[#codes + 1] = math.tointeger(tonumber(code))
  end
  os.remove(path)  -- it has the key
  assert(#codes == #list, "curl: a status is missing")
  return codes
end

-- Calls the function of a row. Returns its results.
local function call(server, row, arguments)
  local client <close> = assert(cekura.new {
    api_key = server.api_key or "key", api_url = server.url, max_attempts = 1,
  })
  return client[row.resource][row.call](client[row.resource], arguments)
end

-- Port 1 is closed: if anything were sent, the kind would be "network".
local NOWHERE = { url = "http://127.0.0.1:1" }

-- ---- the specs

describe("the API's document", function()
  local document = rows.correct(api_document.load())
  local operations = openapi.operations(document)
  local prism, box

  setup(function()
    prism = start_prism(document)
    box = sandbox.start()
    local name = "test_sets.create_from_run"
    local set = assert(call(box, cekura.endpoints[name], calls.arguments(name)))
    requests.IDS.test_set_ids = { set.id }
  end)
  teardown(function()
    if prism then prism.stop() end
    if box then box:stop() end
  end)

  for _, row in ipairs(cekura.endpoints) do
    local operation = openapi.find(operations, row.method, row.path, row.operation)
    local known = openapi.fields(operation)

    it("agrees with the row of " .. row.name, function()
      assert.same({}, rows.differences(row, operation, known))
    end)

    it("allows the client's requests of " .. row.name, function()
      local wrong = {}
      local raw = { { "required fields", requests.arguments(row) } }
      assert.equal(200, statuses(prism, row, raw)[1])
      assert.not_equal(400, statuses(box, row, raw)[1])
      for _, request in ipairs(requests.valid(row)) do
        local what, arguments = table.unpack(request)
        local _, err = call(prism, row, arguments)
        if err.kind then wrong[#wrong + 1] = what .. ": Prism: " .. tostring(err) end
        _, err = call(box, row, arguments)
        local is_refused = err.status == 400 or (err.status or 500) >= 500
        if is_refused and not tostring(err):find("The sandbox does not filter by", 1, true) then
          wrong[#wrong + 1] = what .. ": the sandbox: " .. tostring(err)
        end
      end
      assert.same({}, wrong)
    end)

    it("forbids what the client and the sandbox refuse: " .. row.name, function()
      local wrong, list = {}, requests.invalid(row, known)
      local by_prism, by_sandbox = statuses(prism, row, list), statuses(box, row, list)
      for i, request in ipairs(list) do
        local what, arguments = request[1], request[2]
        local function expect(who, is_refused, got)
          if not is_refused then
            wrong[#wrong + 1] = ("%s: %s: %s"):format(what, who, tostring(got))
          end
        end
        if not request[3] and not requests.CONVERTED[row.name .. " " .. what] then
          local value, err = call(NOWHERE, row, arguments)
          expect("the client", value == nil and err.kind == "validation", err)
        end
        local is_path = by_sandbox[i] == 404 and row.path:find("{" .. what:match "^[%w_]*" .. "}")
        local is_refused = by_prism[i] == 400 or by_prism[i] == 422  -- 422 without a documented 400
        expect("Prism", is_refused, by_prism[i])
        expect("the sandbox", by_sandbox[i] == 400 or is_path, by_sandbox[i])
      end
      assert.same({}, wrong)
    end)
  end

  for i, case in ipairs(requests.FORBIDDEN_BY_PROSE) do
    local row = cekura.endpoints[case[1]]
    it(("describes what the client and the sandbox refuse: %s, %d"):format(row.name, i), function()
      local arguments = requests.arguments(row, case[2])
      local value, err = call(NOWHERE, row, arguments)
      assert.is_nil(value)
      assert.equal("validation", err.kind)
      assert.same({ 400 }, statuses(box, row, { { "", arguments } }))
    end)
  end

  it("has each difference from a row that is intended", function()
    local intended, found = rows.INTENDED, {}
    finally(function() rows.INTENDED = intended end)
    rows.INTENDED = {}
    for _, row in ipairs(cekura.endpoints) do
      local operation = openapi.find(operations, row.method, row.path, row.operation)
      for _, difference in ipairs(rows.differences(row, operation, openapi.fields(operation))) do
        found[difference.key], found[row.name .. " " .. difference.key] = true, true
      end
    end
    for key in pairs(intended) do assert.is_true(found[key], key) end
  end)

  it("has no operation without a row but process_feedbacks_answer, whose body it does not describe",
    function()
      local names = {}
      for _, operation in ipairs(operations) do
        local has_row = false
        for _, row in ipairs(cekura.endpoints) do
          has_row = has_row or row.operation == operation.id
        end
        if not has_row then names[#names + 1] = operation.id end
      end
      assert.same({ "metric-reviews-process-feedbacks-answer" }, names)
    end)
end)

-- `make conformance` has installed what converts YAML.
describe("YAML", function()
  it("is read by make drift", function()
    local path = scratch.path() .. ".yaml"
    scratch.write(path, [[
openapi: 3.1.0
paths:
  /runs/{id}/vote/:  # another path
    post:
      operationId: runs-mark-metric-vote-create
]])
    local output, code = child.run { child.lua, "tools/drift.lua", path }
    assert.truthy(output:find("runs.mark_metric_vote: moved from POST", 1, true), output)
    assert.equal(1, code)
  end)

  it("and JSON become the stored documents by make schemas", function()
    local folder = scratch.folder()
    local output, code = child.run { "node", "tools/conformance/schemas.js", "spec/conformance",
      folder }
    assert.same({ "", 0 }, { output, code })
    output, code = child.run { "diff", "-r", "--exclude=*.lua", "spec/conformance", folder }
    assert.same({ "", 0 }, { output, code })
  end)
end)
