-- The documents: their Lua blocks run against a sandbox, as one script for each document, and their
-- links and make targets exist.
local child = require "support.child"
local sandbox = require "cekura.sandbox"

-- Replaces everything outside the Lua blocks by empty lines, so that errors have the right line.
local function lua_of(path)
  local lines, blocks, inside = {}, 0, false
  for line in io.lines(path) do
    if line == "```lua" then
      inside, blocks = true, blocks + 1
    elseif line == "```" then
      inside = false
    elseif inside then
      lines[#lines + 1] = line
    end
    if not inside or line == "```lua" then lines[#lines + 1] = "" end
  end
  return table.concat(lines, "\n"), blocks
end

-- A traceback shows the name after the @.
local RUN = [[
  local path, name = ...
  local file = assert(io.open(path))
  assert(load(file:read "a", "@" .. name))()
]]

-- Removes the file that a document writes.
local function clear() os.remove "votes.journal" end

local function run(path, server)
  local code, blocks = lua_of(path)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(code)
  file:close()
  clear()
  local output, status = child.run_checked({ child.lua, "-e",
    RUN:gsub("%.%.%.", ("%q, %q"):format(name, path)), "-" }, {
      CEKURA_API_URL = server.url, CEKURA_API_KEY = server.api_key, no_proxy = "127.0.0.1",
    })
  os.remove(name)
  clear()
  return output, status, blocks
end

local function calls_of(server)
  local calls = {}
  for _, request in ipairs(server:requests()) do
    calls[request.method .. " " .. request.path] = true
  end
  return calls
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- Each document, and the minimum number of its Lua blocks.
local DOCUMENTS = {
  ["README.md"] = 2, ["CONTRIBUTING.md"] = 0, ["SECURITY.md"] = 0, ["CHANGELOG.md"] = 0,
  ["docs/getting-started.md"] = 2, ["docs/guide-calls.md"] = 10, ["docs/guide-batches.md"] = 4,
  ["docs/guide-embedding.md"] = 1, ["docs/guide-testing.md"] = 6, ["docs/cookbook.md"] = 1,
  ["docs/guide-agreement.md"] = 2, ["docs/guide-comparing.md"] = 2,
  ["docs/reference.md"] = 16, ["docs/architecture.md"] = 0, ["docs/performance.md"] = 0,
  ["docs/platforms.md"] = 0,
}

-- The documents that call every endpoint.
local COMPLETE = { ["docs/guide-calls.md"] = true, ["docs/reference.md"] = true }

describe("every document in docs/", function()
  it("is in the list of this spec", function()
    local listing <close> = assert(io.popen "ls docs/*.md")
    for path in listing:lines() do assert.is_truthy(DOCUMENTS[path], path) end
  end)
end)

for path, least in pairs(DOCUMENTS) do
  describe(path, function()
    it("has Lua blocks that run", function()
      -- The examples of the reference have the order of the endpoints: a vote, then the optimiser.
      local server <close> = sandbox.start { votes_feed_lab = path == "docs/reference.md" }
      local output, status, blocks = run(path, server)
      assert.equal(0, status, output)
      assert.is_true(blocks >= least, ("%d blocks"):format(blocks))
      local calls = calls_of(server)
      for _, endpoint in ipairs(COMPLETE[path] and require "cekura".endpoints or {}) do
        local pattern = ("^%s %s$"):format(endpoint.method,
          (endpoint.path:gsub("%-", "%%-"):gsub("{[^}]+}", "%%d+")))
        local found = false
        for called in pairs(calls) do found = found or called:find(pattern) ~= nil end
        assert.is_true(found, endpoint.name)
      end
    end)

    it("links to files and headings that exist", function()
      local folder = path:match "^.*/" or ""
      for target in read(path):gmatch "%]%(([^)]+)%)" do
        local name, heading = target:match "^([^#]*)#?(.*)$"
        if not target:find "^https?:" then
          local file = name == "" and path or folder .. name
          assert(io.open(file)):close()
          if heading ~= "" then
            local found = false
            for title in ("\n" .. read(file)):gmatch "\n#+ ([^\n]+)" do
              found = found or title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-") == heading
            end
            assert.is_true(found, target)
          end
        end
      end
    end)

    it("names only make targets that exist", function()
      local makefile = "\n" .. read "Makefile" .. read "tools/checks.mk"
      for _, code in ipairs { "`make ([a-z]+)", "\n    make ([a-z]+)" } do
        for target in read(path):gmatch(code) do
          assert.is_truthy(makefile:find("\n" .. target .. ":", 1, true), target)
        end
      end
    end)
  end)
end

-- ---- what the API rejects or has deprecated ----

-- Returns the paths of the files that a user reads: the documents, the types and the examples.
local function files_of_users()
  local paths = { "lua/cekura/types.lua" }
  for path in pairs(DOCUMENTS) do
    if path ~= "CHANGELOG.md" then paths[#paths + 1] = path end
  end
  local listing <close> = assert(io.popen "find examples -name '*.lua'")
  for path in listing:lines() do paths[#paths + 1] = path end
  return paths
end

-- Returns the paths of the contract, with {} for each id.
local function paths_of_contract()
  local paths = {}
  for _, endpoint in ipairs(require "cekura".endpoints) do
    paths[endpoint.path:gsub("{[^}]+}", "{}")] = true
  end
  return paths
end

describe("a text for users", function()
  it("names only paths of the API that are in the contract", function()
    local known, count = paths_of_contract(), 0
    for _, name in ipairs(files_of_users()) do
      for path in read(name):gmatch "/[%a_]+/v%d+/[%w_{}/-]+" do
        count = count + 1
        assert.is_true(known[path:gsub("{[^}]+}", "{}"):gsub("/%d+/", "/{}/")],
          name .. ": " .. path)
      end
    end
    assert.is_true(count > 30)
  end)

  it("names no type of metrics that is deprecated", function()
    for _, name in ipairs(files_of_users()) do
      local text = read(name)
      for _, word in ipairs { "custom_prompt", '"basic"', "`basic`" } do
        assert.is_nil(text:find(word, 1, true), name .. ": " .. word)
      end
    end
  end)

  it("names the metric of metrics:get by its id, not by its slug", function()
    local count = 0
    for _, name in ipairs(files_of_users()) do
      for argument in read(name):gmatch "metrics:get%s*{%s*metric_id%s*=%s*([^,}]*)" do
        count = count + 1
        assert.is_nil(argument:find '"%D', name .. ": " .. argument)
      end
    end
    assert.is_true(count > 0)
  end)
end)

-- ---- the loop ----

describe("the loop of README.md", function()
  for _, votes_feed_lab in ipairs { false, true } do
    it(("improves the metric with votes_feed_lab = %s"):format(votes_feed_lab), function()
      local server <close> = sandbox.start { votes_feed_lab = votes_feed_lab }
      local output, status = run("README.md", server)
      assert.equal(0, status, output)
      assert.matches("Agent missed the reschedule step",
        server:state("metrics", 55).description, 1, true)
      assert.equal(2, server:state("runs", 5544).metrics[55].value)
    end)
  end
end)

describe("docs/guide-calls.md", function()
  it("names every kind of error", function()
    local text = read "docs/guide-calls.md"
    local listing <close> = assert(io.popen "find src -name outcome.c")
    local count = 0
    for kind in read(listing:read "l"):gmatch '%[CK_KIND_[A-Z_]+%] = "([%w_]+)"' do
      if kind ~= "ok" then assert.is_truthy(text:find("`" .. kind .. "`", 1, true), kind) end
      count = count + 1
    end
    assert.is_true(count > 10)
  end)
end)

-- { heading in the reference = schemas of the API }
local SCHEMAS = {
  Result = { "Result", "ResultDetailV2" }, Run = { "Run", "RunList" },
  CallLog = { "CallLogList", "CallLogDetail" }, Evaluation = { "Evaluation" },
  MetricEntry = { "CallLogListSerializerMetrics", "CallLogListSerializerMetricsWithExplanation" },
  Turn = { "RunListTranscriptObject", "CallLogTranscriptObject" },
  Metric = { "MetricDetailSerializerV2", "MetricDetailV2", "MetricListSerializerV2" },
  Review = { "MetricReviewDetail", "MetricReviewInline" },
  TestSet = { "TestSetInline", "TestSetDetail" }, Improvement = { "ProcessFeedbacksResponse" },
  ReviewResult = { "ReviewResult" }, Billing = { "BillingInfo" },
  Subscription = { "SubscriptionStatus" }, ResultPage = { "PaginatedResultList" },
  CallLogPage = { "PaginatedCallLogListList" }, RunPage = { "PaginatedRunListList" },
  MetricHistoryPage = { "PaginatedMetricHistoryList" },
}

describe("docs/reference.md", function()
  local text, schemas
  setup(function()
    text = read "docs/reference.md"
    schemas = require "cjson".decode(read "spec/conformance/companions-v2.json").components.schemas
  end)

  for class, names in pairs(SCHEMAS) do
    it("names every field of a cekura." .. class, function()
      local section = assert(text:match("\n### cekura%." .. class .. "\n(.-)\n##"))
      for _, name in ipairs(names) do
        for field, schema in pairs(schemas[name].properties) do
          local is_named = section:find("| `" .. field .. "` |", 1, true)
          assert.is_truthy(is_named or schema.writeOnly, field)
        end
      end
    end)
  end
end)
