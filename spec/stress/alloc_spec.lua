-- Allocation failures, one by one: spec/c/alloc.c runs the scripts of spec/stress/alloc/.
--
-- ALLOC_EVERY=1 (make alloc) fails every allocation of every script; otherwise the longest scripts
-- are sampled. lua-cjson and libcurl are exempt where the last specs show their own faults.
local child = require "support.child"
local faults = require "support.faults"
local sandbox = require "cekura.sandbox"

local runner = os.getenv "CEKURA_RUN" or ""
if runner:find "valgrind" then return end  -- ASan finds the same in less than an hour

local CJSON = assert(package.searchpath("cjson", package.cpath))

local build = os.getenv "CEKURA_BUILD" or "build"
local all = os.getenv "ALLOC_EVERY" ~= nil
local report = os.getenv "ALLOC_EVERY" and print or function() end

local WAYS = {
  { "lua", "once" }, { "lua", "twice" }, { "lua", "onwards" },
  { "own", "once" }, { "own", "onwards" },
  { "curl", "once" }, { "curl", "onwards" },
}

-- Scripts that are sampled, with the step, and those where one allocator alone is used.
local SCRIPTS = {
  { name = "load", lua = 3, only = "lua" },
  { name = "new" },
  { name = "vote" },
  { name = "evaluation", lua = 97 },
  { name = "each", lua = 3, curl = 7 },
  { name = "journal", lua = 5, curl = 7 },
  { name = "error" },
  { name = "deprecated" },
  { name = "close", only = "lua" },
  { name = "collect", only = "lua" },
  { name = "tls" },
}

-- A large response: Lua allocates some 5,000 times to read it.
local function items()
  local list = {}
  for i = 1, 500 do
    list[i] = { id = i, name = "item " .. i, scores = { 1, 2.5, i }, notes = ("n"):rep(50) }
  end
  return list
end

describe("an allocation failure", function()
  local server, tls_server, tls_url

  setup(function()
    tls_server = faults.start { tls = true }
    tls_url = "https://127.0.0.1:" .. tls_server.port  -- not a name, which a thread would resolve
    server = sandbox.start { record = 0, faults = {
      { path = "/runs/77777/", delay = 0.5, times = math.huge },
      { path = "/runs/66666/", status = 503, times = math.huge },
      { path = "/runs/55555/", status = 200, body = { success = true }, times = math.huge,
        headers = { Deprecation = "@1688169599", Sunset = "Sun, 11 Nov 2035 23:59:59 GMT" } },
      { path = "/results/373/evaluate_metrics", status = 200, body = items(), times = math.huge },
    } }
  end)
  teardown(function()
    server:stop()
    tls_server:stop()
  end)

  local function run(kind, how, step, name)
    local url = name == "tls" and tls_url or server.url
    return child.run_checked({ build .. "/alloc", kind, how, tostring(step), "1",
      ("spec/stress/alloc/%s.lua"):format(name), url, how, tls_server.ca_file }, {
      CEKURA_API_KEY = false, CEKURA_API_URL = false,
      ALLOC_KEEP = CJSON,
      LSAN_OPTIONS = "print_suppressions=0:suppressions=spec/stress/alloc/lsan.txt",
    })
  end

  for _, script in ipairs(SCRIPTS) do
    for _, way in ipairs(WAYS) do
      local kind, how = way[1], way[2]
      if kind == (script.only or kind) then
        it(("%s in %s of %s is an error or harmless"):format(how, kind, script.name), function()
          local output, code = run(kind, how, all and 1 or script[kind] or 1, script.name)
          assert.equal(0, code, output)
          assert.matches(", 0 runs went wrong\n", output, 1, true)
          assert.is_truthy(tonumber(output:match "(%d+) of the first") > 0, output)
          if script.name ~= "tls" or kind ~= "curl" then
            assert.matches("libcurl: 0 names freed twice\n", output, 1, true)
          end
          report(script.name, (output:gsub(",.*", "")))
        end)
      end
    end
  end

  it("is tried on connections that resume a TLS session", function()
    tls_server:clear()
    assert.equal(0, (select(2, run("curl", "once", 1000, "tls"))))
    assert.is_true(tls_server:resumed() >= 4)  -- one in each of the runs in which nothing fails
  end)

  -- A fault of libcurl: no code of this project runs.

  local function remember(n)
    return child.run_checked({ build .. "/session", tls_url, tls_server.ca_file, n })
  end

  it("makes libcurl 7.88.1 free a name twice when it cannot remember a TLS session", function()
    local output, code = remember()
    assert.equal(0, code, output)
    local points = {}
    for line in output:gmatch "([^\n]+)\n" do
      local n = line:match '^(%d+) %(strdup /.*%): freed 2 times: 10 bytes, "127%.0%.0%.1"$'
      if n then points[#points + 1] = n end
      assert.is_truthy(n or line:find "^libcurl/.* %d+ allocations have failed$", line)
    end
    report(output)
    if not output:find("libcurl/7.88.1", 1, true) then return end  -- others may be correct
    assert.is_true(#points > 0)
    output, code = remember(points[1])
    assert.not_equal(0, code)
    assert.matches("double[ -]free", output)
  end)

  -- Faults of lua-cjson: no code of this project is loaded.

  local BUFFER = 1 << 20  -- bytes that decoding the text allocates each time

  it("makes lua-cjson's decoder leak when Lua has none", function()
    local output, code = child.run_checked({ build .. "/alloc", "lua", "twice", "1", "1",
      "spec/stress/alloc/cjson_leaks.lua" }, { ALLOC_KEEP = CJSON })
    local leaked = output:match "libc: %+(%d+)\n"
    if runner:find "asan" then
      assert.not_equal(0, code)
      assert.matches("LeakSanitizer: .* in .*cjson%.so", output)
    else
      assert.equal(0, code, output)
      assert.is_true(tonumber(leaked) > BUFFER, output)
    end
  end)

  it("makes lua-cjson's decoder end the process when libc has none", function()
    local output, code = child.run { "sh", "-c",
      'ulimit -v 400000; exec "$0" spec/stress/alloc/cjson_ends.lua', child.lua }
    assert.equal("Out of memory\n", output)
    assert.not_equal(0, code)
  end)
end)
