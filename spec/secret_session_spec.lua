-- The key after a whole session: in no string of the Lua heap, in nothing that was written, and,
-- once the client is closed, in no memory of ours.
local Example = require "support.example"
local child = require "support.child"
local faults = require "support.faults"
local json = require "cjson".new()
local scratch = require "support.scratch"
local script = require "support.script"

local KEY = "Kq7-zX0vW_9tB3nLmR5s"

-- What a server may echo the key in, answers and refusals by turns.
local ECHOES = {
  faults.ok('{"results": [{"id": 1, "a": "' .. KEY .. '"}], "next": "' .. KEY .. '"}'),
  faults.status(500, { ["X-Echo"] = KEY }, '{"detail": "' .. KEY .. '"}'),
  faults.status(400, { ["X-Request-ID"] = KEY }, '{"' .. KEY .. '": ["' .. KEY .. '"]}'),
  faults.ok("<pre>" .. KEY .. "</pre>"),
  faults.status(429, { ["Retry-After"] = KEY }, '{"detail": "' .. KEY .. '"}'),
  faults.ok('{"status": "' .. KEY .. '", "progress": {"message": "' .. KEY .. '"}}'),
  faults.redirect(302, "https://elsewhere.invalid/?key=" .. KEY),
  { { "send", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" .. KEY }, { "close" } },
  { { "send", KEY .. "\r\n\r\n" }, { "close" } },
}

local function script_of(rounds)
  local list = {}
  for _ = 1, rounds do table.move(ECHOES, 1, #ECHOES, #list + 1, list) end
  return list
end

local function environment_of(server)
  return { CEKURA_API_URL = server.url, CEKURA_API_KEY = KEY, no_proxy = "127.0.0.1",
    CA_FILE = server.ca_file or false }
end

describe("the key, after a busy session", function()
  local server, journal, output, code
  setup(function()
    server = faults.start()
    server:usually(ECHOES[3])
    server:script(script_of(8))
    journal = scratch.path()
    output, code = child.run_checked(
      { child.lua, "spec/support/busy_session.lua", KEY:reverse(), journal },
      environment_of(server))
  end)
  teardown(function()
    server:stop()
    os.remove(journal)
  end)

  it("is in no string of the Lua heap", function()
    assert.equal(0, code, output)
    assert.truthy(output:find("heap open: 0\n", 1, true), output)
    assert.truthy(output:find("heap hidden: 4\n", 1, true), output)
  end)

  it("was echoed, and is in nothing that was written", function()
    assert.truthy(output:find("[redacted]", 1, true), output)
    assert.is_nil(output:find(KEY, 1, true))
    local written = assert(scratch.read(journal))
    assert.truthy(written:find("started", 1, true))
    assert.is_nil(written:find(KEY, 1, true))
  end)
end)

describe("the key is not in what others see:", function()
  for _, words in ipairs {
    { "auto_improve", "--metrics", "55" },
    { "bulk_reevaluate", "--metrics", "55", "--results", "371" },
    { "ci_gate", "--result", "431", "--metric", "55>=2" },
    { "evaluate_calls", "--metric", "57", "--project", "14", "--since", "2025-01-01" },
    { "reevaluate_result", "373", "--metrics", "55" },
  } do
    it("the example " .. words[1] .. ", refused", function()
      local example <close> = Example.new(words[1], { api_key = KEY })
      example.server:faults {
        { status = 403, body = { detail = "no " .. KEY }, headers = { ["X-Echo"] = KEY },
          times = 50 },
      }
      local output, errors = example:run(table.unpack(words, 2))
      assert.matches("[redacted]", output .. errors, 1, true)
      assert.is_nil((output .. errors):find(KEY, 1, true))
    end)
  end

  it("the log of a sandbox", function()
    local output, code = script.run(([[
      local sandbox = require "cekura.sandbox"
      local key = %q
      local server <close> = sandbox.start { log = true, api_key = key }
      local client <close> = require "cekura".new { api_url = server.url, api_key = key }
      client:request { method = "GET", path = "/x/", query = { a = key } }
      client:request { method = "GET", path = "/" .. key .. "/" .. key }
      client.billing:info {}
    ]]):format(KEY))
    assert.equal(0, code, output)
    assert.matches("GET /", output)
    assert.is_nil(output:find(KEY, 1, true), output)
  end)
end)

-- Tools such as valgrind and ASan keep freed memory as it was; only Linux lets one look.
local tool = os.getenv "CEKURA_RUN" or ""
if tool ~= "" or not scratch.read "/proc/self/maps" then return end

local function search(server)
  local words = { "python3", "-E", "-B", "-S", "spec/support/memory.py", KEY:reverse(), child.lua,
    "spec/support/quiet_session.lua" }
  local session = json.decode((child.run(words, environment_of(server))))
  assert.equal(0, session.code, session.output)
  return session.looks
end

-- The finds that are neither the variable in the process's environment nor in the text of a request
-- of HTTP/1.1, which libcurl frees without overwriting it. What stood before the key there may be
-- overwritten by chance; behind it the line ends, where a copy of ours has a NUL.
local function ours(finds)
  local list = {}
  for _, find in ipairs(finds) do
    local _, before, behind = table.unpack(find)
    if not before:find "CEKURA_API_KEY=$" and not behind:find "^\r\n" then
      list[#list + 1] = find
    end
  end
  return list
end

describe("the process's memory", function()
  for name, options in pairs { ["http"] = {}, ["https"] = { tls = true } } do
    it("has no copy of the key of ours when the client is closed: " .. name, function()
      local server = faults.start(options)
      local looks = search(server)
      server:stop()
      assert.equal(2, #ours(looks.open), "the client's, and the line of the header")
      assert.same({}, ours(looks.closed))
    end)
  end
end)
