-- After a session the key is not in the Lua heap, not in anything that was written, and, once the
-- client is closed, not in the module's memory. support/child.lua checks the output and the files
-- of every child.
local Review = require "support.review"
local child = require "support.child"
local faults = require "support.faults"
local json = require "cjson".new()
local keys = require "support.keys"
local python = require "support.python"
local scratch = require "support.scratch"
local script = require "support.script"

local KEY = keys.KEY
local LIBCURL = assert(io.popen "pkg-config --modversion libcurl || curl-config --version"):read "l"
local STARS = ("*"):rep(#KEY) -- that an echo of the key is overwritten with

-- Responses that echo the key, with success and failure in turn.
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
  return { CEKURA_API_URL = server.url, CEKURA_API_KEY = KEY, no_proxy = "127.0.0.1,localhost",
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

  it("is not in a string of the Lua heap", function()
    assert.equal(0, code, output)
    assert.truthy(output:find("heap open: 0\n", 1, true), output)
    assert.truthy(output:find("heap hidden: 4\n", 1, true), output)
  end)

  it("was overwritten in the echoes that were written", function()
    assert.truthy(output:find(STARS, 1, true), output)
    assert.truthy(scratch.read(journal):find("started", 1, true))
  end)
end)

-- The subcommands that use a server, with arguments; FOLDER is a temporary folder.
local COMMANDS = {
  { "report", "--output", "FOLDER/page.html" },
  { "improve", "--metrics", "55", "--start", "--state", "FOLDER/state" },
  { "bulk", "--metrics", "55", "--results", "371", "--apply", "--journal",
    "FOLDER/journal" },
  { "gate", "--result", "431", "--metric", "55>=2", "--timeout", "1" },
  { "calls", "--metric", "57", "--project", "14", "--since", "2025-01-01", "--apply" },
  { "labs", "--metric", "55", "--agent", "231", "--state", "FOLDER/state", "--sheet",
    "FOLDER/votes.csv" },
  { "reevaluate", "373", "--metrics", "55", "--apply" },
  { "votes", "FOLDER/sheet.csv", "--rejects", "FOLDER/rejects.csv" },
}

local SHEET = "run_id,metric_id,thumbs_up,expected_value\r\n5544,55,no,2\r\n5545,55,no,2\r\n"

-- Runs a subcommand after prepare(example). Returns its output and its file of rejects.
local function run(words, folder, prepare)
  local example <close> = Review.new(words[1])
  scratch.write(folder .. "/sheet.csv", SHEET)
  prepare(example)
  local rest = {}
  for i = 2, #words do rest[i - 1] = words[i]:gsub("^FOLDER", folder) end
  local output, errors = example:run(table.unpack(rest))
  return output .. errors .. (scratch.read(folder .. "/rejects.csv") or "")
end

-- A response that echoes the key, from the nth request on.
local function echo(status, key, n)
  return { status = status, body = { detail = "not " .. key }, headers = { ["X-Echo"] = key },
    skip = n - 1, times = 50 }
end

describe("the key is not in the output of", function()
  local folder
  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  for _, words in ipairs(COMMANDS) do
    local name = "the example " .. words[1]

    it(name .. " that is refused at once or later", function()
      for _, n in ipairs { 1, 2, 4 } do
        local output = run(words, folder, function(example)
          example.server:faults { echo(403, KEY, n) }
        end)
        if n == 1 then assert.matches(STARS, output, 1, true) end
      end
    end)

    it(name .. " with a wrong key", function()
      local other = KEY:reverse()
      local output = run(words, folder, function(example)
        example.environment.CEKURA_API_KEY = other
        example.server:faults { echo(401, other, 1) }
      end)
      assert.matches(STARS, output, 1, true)
    end)

    it(name .. " without a server", function()
      local output = run(words, folder, function(example) example.server:stop() end)
      assert.matches("[Ff]ailed", output)
    end)
  end
end)

-- Runs a script with a sandbox that logs, a client, and vote(), whose response echoes the key.
local function run_script(text)
  return script.run([[
    local key = os.getenv "CEKURA_API_KEY"
    local sandbox = require "cekura.sandbox"
    local server <close> = sandbox.start { log = true, api_key = key }
    local client <close> = require "cekura".new { api_url = server.url, max_attempts = 1 }
    server:faults {
      { path = "/runs/", status = 502, body = "<p>" .. key, headers = { ["X-Echo"] = key } },
    }
    local function vote()
      return client.runs:mark_metric_vote {
        run_id = 5544, metric_id = 55, thumbs_up = false, expected_value = 2, feedback = key,
      }
    end
  ]] .. text, { CEKURA_API_KEY = KEY, no_proxy = "127.0.0.1" })
end

describe("the key is not in", function()
  it("the log of a sandbox", function()
    local output, code = run_script [[
      client:request { method = "GET", path = "/x/", query = { a = key } }
      client:request { method = "GET", path = "/y/" .. key .. "/" .. key }
      client.billing:info {}
    ]]
    assert.equal(0, code, output)
    assert.matches("GET /x/?a=… 404", output, 1, true)
    assert.matches("GET /y/…/… 404", output, 1, true)
  end)

  it("the traceback of an uncaught error", function()
    local output, code = run_script [[
      local _, err = vote()
      error(tostring(err) .. " " .. err.body .. " " .. err.url)
    ]]
    assert.equal(1, code)
    assert.matches("502.* <p>%*+ http.*stack traceback:", output)
    output, code = run_script "assert(vote())"
    assert.equal(1, code)
    assert.matches("502", output)
  end)
end)

-- valgrind and ASan keep the content of freed memory; only Linux has /proc/self/mem.
local tool = os.getenv "CEKURA_RUN" or ""
if tool ~= "" or not scratch.read "/proc/self/maps" then return end

local function search(server)
  server:script { faults.status(401), faults.reset_before_answer(), faults.cut_body(), "hang",
    faults.status(503) }
  local words = { python, "-E", "-B", "-S", "spec/support/memory.py", KEY:reverse(), child.lua,
    "spec/support/quiet_session.lua" }
  local session = json.decode((child.run(words, environment_of(server))))
  assert.equal(0, session.code, session.output)
  return session.looks
end

-- libcurl does not overwrite the text of a request. In the module's copies a NUL follows the key.
local REQUEST = "^\r\n"

-- Returns the finds that are neither in the environment nor libcurl's.
local function ours(finds)
  local list = {}
  for _, find in ipairs(finds) do
    local _, before, behind = table.unpack(find)
    local is_known = before:find "CEKURA_API_KEY=$" or behind:find(REQUEST)
    if not is_known then list[#list + 1] = find end
  end
  return list
end

describe("the process's memory", function()
  for name, options in pairs { http = {}, https = { tls = true } } do
    it("has no copy of the key after close, except those of libcurl 7: " .. name, function()
      local server <close> = faults.start(options)
      local looks = search(server)
      assert.equal(2, #ours(looks.open), "the client's, and the line of the header")
      assert.same({}, ours(looks.closed))
      local is_overwritten = not LIBCURL:find "^%D*7%."  -- SECURITY.md has the reason
      for _, find in ipairs(is_overwritten and looks.closed or {}) do
        assert.truthy(find[2]:find "CEKURA_API_KEY=$", "libcurl has left a copy")
      end
    end)
  end
end)
