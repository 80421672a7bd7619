-- A process with no free descriptor, or with one, two …: an operation that lacks one fails with a
-- clear error, and works again later.
local child = require "support.child"
local faults = require "support.faults"
local scratch = require "support.scratch"
local certificates = require "support.tls".certificates()

local LIMIT = 64  -- descriptors of the process
local PRELOAD = (os.getenv "CEKURA_BUILD" or "build") .. "/slow_dns.so"

local START = [[
  io.stdout:setvbuf "line"
  local URL, TLS_URL, CA, PATH = %q, %q, %q, %q
  local cekura = require "cekura"
  local held = {}
  local function take_all()
    repeat
      held[#held + 1] = io.open "/dev/null"
      local more = io.open "/dev/null"
      held[#held + 1] = more
    until not more
  end
  local function give(count) for _ = 1, math.min(count, #held) do table.remove(held):close() end end
  local function give_all() give(#held) end
  local function new(url)
    return cekura.new { api_url = url, api_key = "k", ca_file = CA, proxy = "", deadline = 5,
      allow_http = true, max_attempts = 1 }
  end
  local arguments = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
  local function vote(client) return client.runs:mark_metric_vote(arguments) end
  -- Two votes at once: the client has a spare descriptor, which is enough for one.
  local function vote_twice(client)
    local first = client:spawn(vote, client)
    local second = client:spawn(vote, client)
    local value, err = first:wait()
    if not value then return nil, err end
    return second:wait()
  end
  local URLS = { plain = URL, tls = TLS_URL, name = (URL:gsub("127.0.0.1", "name.hangs.invalid")) }
  -- Calls fn with 0 to 20 free descriptors. With some numbers it may work or not, because libcurl's
  -- own use of descriptors depends on its version.
  local function try(fn)
    local messages = {}
    for count = 0, 20 do
      collectgarbage()
      take_all()
      give(count)
      local value, err = fn()
      give_all()
      assert(value or count < 10 and err.applied == "no", err)
      if err and not value then messages[tostring(err):gsub("^.-: ", "")] = true end
    end
    local list = {}
    for message in pairs(messages) do list[#list + 1] = message end
    table.sort(list)
    print(table.concat(list, "; "))
  end
]]

describe("without a free descriptor", function()
  local server, tls, path

  setup(function()
    server = faults.start()
    tls = faults.start { tls = true }
    path = scratch.path()
  end)
  teardown(function()
    server:stop()
    tls:stop()
    os.remove(path)
  end)

  local function run(text, environment)
    local words = child.checked { child.lua, "-e",
      START:format(server.url, tls.url, certificates.ca, path) .. text }
    return child.run({ "sh", "-c", "ulimit -n " .. LIMIT .. '; exec "$@"', "sh",
      table.unpack(words) }, environment)
  end

  it("cekura.new fails", function()
    local output, code = run [[ try(function() return new(URL) end) ]]
    assert.equal("no descriptor is left for the client (config)\n", output)
    assert.equal(0, code)
  end)

  for what, url in pairs { plain = "URL", tls = "TLS_URL" } do
    it("a call closes idle connections and uses theirs: " .. what, function()
      local output, code = run(([[
        local client = cekura.new { api_url = %s, api_key = "k", ca_file = CA, proxy = "",
          deadline = 5, max_attempts = 1 }
        for free = 0, 8 do
          assert(vote(client))
          take_all()
          give(free)
          for _ = 1, 3 do
            print(client.results:bulk_evaluate_metrics { result_ids = { 1 }, metric_ids = { 2 } })
          end
          give_all()
        end
      ]]):format(url))
      assert.equal(27, select(2, output:gsub("table: [^\n]*\n", "")), output)
      assert.equal(0, code)
    end)
  end

  for what, url in pairs { plain = "URL", tls = "TLS_URL" } do
    it("calls that spend credits leave no descriptors behind: " .. what, function()
      local output, code = run(([[
        local client = new(%s)
        local function paid()
          assert(client.results:bulk_evaluate_metrics { result_ids = { 1 }, metric_ids = { 2 } })
        end
        for _ = 1, 100 do paid() end
        local tasks = {}
        for i = 1, 16 do
          tasks[i] = client:spawn(function()
            for _ = 1, 10 do paid() end
            return true
          end)
        end
        for i = 1, 16 do assert(tasks[i]:wait()) end
        take_all()
        print(#held)
      ]]):format(url))
      assert.equal(0, code, output)
      assert.is_true(tonumber(output) >= LIMIT - 20, output)
    end)
  end

  local NONE = "no descriptor is left for a connection (network)"

  for _, what in ipairs { "plain", "name", "tls" } do
    it("a second call at once fails, and a later one succeeds: " .. what, function()
      for _, each in ipairs { server, tls } do
        each:usually { { "sleep", 0.05 }, faults.ok()[1] }
      end
      local output, code = run(([[
        local url = URLS.%s
        local client = new(url)
        try(function() return vote_twice(client) end)
        assert(vote_twice(client))
        try(function()
          local made <close>, err = new(url)
          if made then return vote_twice(made) end
          return nil, err
        end)
      ]]):format(what), { LD_PRELOAD = PRELOAD, SLOW_DNS_RECOVERED = "/" })
      server:clear()
      tls:clear()
      local both = NONE .. "; no descriptor is left for the client (config)"
      assert.equal(NONE .. "\n" .. both .. "\n", output)
      assert.equal(0, code)
    end)
  end

  it("each fails to open its journal, and each of its items fails", function()
    local output, code = run [[
      local client = new(URL)
      local function each(journal)
        return client:each({ 1, 2, 3, 4, 5, 6 }, function() return vote(client) end,
          { concurrency = 3, journal = journal, key = tostring, work = "work" })
      end
      take_all()
      local _, err = each(PATH)
      print((tostring(err):gsub(PATH, "PATH", 1)))
      local report = each()
      print(report.failed > 0, report.ok + report.failed, report.unknown)
      give(4)
      report = each()
      print(report.ok > 0, report.ok + report.failed, report.unknown)
      give_all()
      print(each(PATH).ok)
    ]]
    assert.equal("cekura: each: PATH: Too many open files (config)\ntrue\t6\t0\ntrue\t6\t0\n6\n",
      output)
    assert.equal(0, code)
  end)

  it("a program that the script starts inherits no connection", function()
    local output = run [[
      local client = new(URL)
      assert(client:request { method = "GET", path = "/" })
      local function sockets(command)
        local pipe <close> = assert(io.popen("unset LD_PRELOAD; ls -l " .. command))
        return select(2, pipe:read "a":gsub("socket:", ""))
      end
      print(sockets "/proc/$PPID/fd" > sockets "/proc/self/fd")
    ]]
    assert.equal("true\n", output)
  end)
end)
