-- The examples, run as a user would run them, against a sandbox that the environment names.
-- with_luv_spec.lua runs the example with an event loop.

local json = require "cjson".new()

local child = require "support.child"
local keys = require "support.keys"
local lfs = require "lfs"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"

local HERE = lfs.currentdir()
local BUILD = os.getenv "CEKURA_BUILD" or "build"
local NAMES = { "vote.lua", "evaluate_and_wait.lua", "bulk_with_journal.lua",
  "production_calls.lua", "with_luv.lua", "embed/host.c", "sandbox_in_tests.lua" }

describe("the examples", function()
  it("are seven files of at most 60 lines, and nothing else", function()
    local listing <close> = assert(io.popen "find examples -type f")
    local names = {}
    for path in listing:lines() do
      names[#names + 1] = path:match "^examples/(.*)"
      local _, lines = scratch.read(path):gsub("\n", "")
      assert.is_true(lines <= 60, path)
    end
    table.sort(names)
    local expected = { table.unpack(NAMES) }
    table.sort(expected)
    assert.same(expected, names)
  end)

  for _, name in ipairs(NAMES) do
    it(name .. " uses the public interface, and says how to run it and what it costs", function()
      local text = scratch.read("examples/" .. name)
      local head = text:match "^.-\n\n" or text:match "^.-#include"
      assert.is_nil(text:find "cekura%.internal")
      assert.is_nil(text:find "cekura%.review")
      assert.matches("examples/" .. name:gsub("embed/host.c", "vote.lua"), head, 1, true)
      assert.is_truthy(head:find "costs? nothing" or head:find "spends credits", head)
    end)
  end
end)

describe("examples/", function()
  local server, folder

  before_each(function()
    server = sandbox.start { evaluation_time = 0.05, api_key = keys.KEY }
    folder = scratch.folder()
  end)
  after_each(function()
    server:stop()
    scratch.remove(folder)
  end)

  -- Runs a program in a folder of its own. Returns its output and its exit code.
  local function run_words(...)
    local words = { "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, ... }
    local environment = child.paths()
    environment.CEKURA_API_URL, environment.CEKURA_API_KEY = server.url, server.api_key
    environment.no_proxy = "127.0.0.1"
    return child.run_checked(words, environment)
  end

  local function run(name) return run_words(child.lua, HERE .. "/examples/" .. name) end

  -- Returns the bodies of the requests that are not a GET.
  local function sent()
    local bodies = {}
    for _, request in ipairs(server:requests()) do
      if request.method ~= "GET" then bodies[#bodies + 1] = json.decode(request.body) end
    end
    return bodies
  end

  local VOTE = { metric_id = 55, thumbs_up = false, expected_value = 2,
    feedback = "Agent missed the reschedule step" }

  it("vote.lua sends one vote", function()
    assert.same({ "run 5544, metric 55: the vote is saved\n", 0 }, { run "vote.lua" })
    assert.same({ VOTE }, sent())
    assert.equal(2, server:state("runs", 5544).metrics[55].expected_value)
  end)

  it("embed/host.c runs vote.lua with the client linked in", function()
    local cpath = (os.getenv "LUA_CPATH" or ";;"):gsub("[^;]+", function(template)
      return package.searchpath("cekura.core", template) and ""
    end)
    assert.same({ "run 5544, metric 55: the vote is saved\n", 0 }, { run_words("env",
      "LUA_CPATH=" .. child.absolute(cpath), child.absolute(BUILD .. "/embed"),
      HERE .. "/examples/vote.lua") })
    assert.same({ VOTE }, sent())
  end)

  it("evaluate_and_wait.lua pays for two evaluations, and prints old and new values", function()
    local output, code = run "evaluate_and_wait.lua"
    assert.equal(0, code, output)
    assert.matches("^evaluations:\t2\nrun 5543: 3 %-> %d\nrun 5544: 3 %-> %d\n$", output)
    assert.same({ { run_ids = { "5543", "5544" }, metric_ids = { "55" } } }, sent())
    assert.equal(2, server:state "balance".used)
  end)

  it("evaluate_and_wait.lua does not pay again after an unknown outcome", function()
    server:faults { { method = "POST", drop = true, applied = true } }
    local output, code = run "evaluate_and_wait.lua"
    assert.equal(1, code, output)
    assert.matches("it may have been started: look at the result before you pay again", output)
    assert.equal(2, server:state "balance".used)
  end)

  it("bulk_with_journal.lua repeats only what was refused", function()
    server:faults { { method = "POST", status = 400, skip = 5, times = 2 } }
    local output, code = run "bulk_with_journal.lua"
    assert.equal(1, code, output)
    assert.matches("\n8 started, 2 refused, 0 done before, 0 unknown\n", "\n" .. output)
    local paid = server:state "balance".used
    assert.equal(10, #sent())
    output, code = run "bulk_with_journal.lua"
    assert.equal(0, code, output)
    assert.matches("2 started, 0 refused, 8 done before, 0 unknown\n", output)
    assert.equal(12, #sent())
    assert.is_true(server:state "balance".used > paid)
  end)

  it("production_calls.lua evaluates the newest failed calls", function()
    local output, code = run "production_calls.lua"
    assert.equal(0, code, output)
    local bodies = sent()
    assert.equal(1, #bodies)
    assert.same({ 231, { 55 }, 5 },
      { bodies[1].agent_id, bodies[1].metrics, #bodies[1].call_logs })
    for _, id in ipairs(bodies[1].call_logs) do
      assert.is_false(server:state("call_logs", math.tointeger(id)).success)
    end
    local counted = 0
    for count, value in output:gmatch "(%d+) x (%d)\n" do
      assert.is_true(value >= "0" and value <= "3")
      counted = counted + tonumber(count)
    end
    assert.equal(5, counted, output)
    assert.equal(5, server:state "balance".used)
  end)

  it("sandbox_in_tests.lua passes, and sends nothing to the server of the environment", function()
    local output, code = run_words(child.lua, HERE .. "/tools/busted.lua",
      HERE .. "/examples/sandbox_in_tests.lua")
    assert.equal(0, code, output)
    assert.matches("4 successes / 0 failures / 0 errors", output)
    assert.same({}, server:requests())
  end)
end)
