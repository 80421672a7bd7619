-- The module in several states, one after the other, and loaded again in one state.
local child = require "support.child"
local faults = require "support.faults"
local script = require "support.script"

local BUILD = os.getenv "CEKURA_BUILD" or "build"
local is_checked = (os.getenv "CEKURA_RUN" or "") ~= ""
local STATES = is_checked and 10 or 100

describe("the module", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    server:clear()
    server:usually { { "hang" } }
  end)

  local START = [[
    local arguments = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
    local function use(url, options)
      local client = assert(require "cekura".new { api_url = url, api_key = "k" })
      for i = 1, 3 do
        client:spawn(function() client.runs:mark_metric_vote(arguments, options) end)
      end
      client:spawn(client.sleep, client, 1000)
      for _ = 1, 3 do client:step(0.002) end
      return client
    end
    local URL = %q
  ]]

  local function host(text, states, environment, seconds)
    return child.run_checked({ BUILD .. "/host", "1", tostring(states),
      START:format(server.url) .. text, seconds }, environment)
  end

  it("can be loaded in state after state, each closed with calls in flight", function()
    local output, code = host("kept = use(URL)", STATES)
    assert.equal("ok\n", output)
    assert.equal(0, code)
  end)

  -- libcurl's thread continues after the state was closed and the module was unloaded.
  it("can be unloaded while a DNS lookup hangs", function()
    local output, code = host([[
      kept = use("https://name.hangs.invalid")
      local client <close> = use("https://name.hangs.invalid", { deadline = 0.02 })
      while client:step(0.01) and client:timeout() < 1 do end
    ]], math.min(STATES, 20), { LD_PRELOAD = BUILD .. "/slow_dns.so", SLOW_DNS = "0.5" }, "1")
    assert.equal("ok\n", output)
    assert.equal(0, code)
  end)

  it("can be loaded again in one state with calls in flight", function()
    local output, code = script.run((START .. [[
      local function drop()
        for name in pairs(package.loaded) do
          if name:find "^cekura" then package.loaded[name] = nil end
        end
      end
      for _ = 1, %d do
        use(URL)
        local kept = use(URL)
        local before = require "cekura"
        drop()
        assert(require "cekura" ~= before)
        collectgarbage()
        collectgarbage()
        kept:close()
      end
      local pipe <close> = assert(io.popen "unset LD_PRELOAD; ls /proc/$PPID/fd | wc -l")
      print(pipe:read "n" < 40)
    ]]):format(server.url, STATES))
    assert.equal("true\n", output)
    assert.equal(0, code)
  end)

  it("that is loaded again accepts clients and tasks of the one before", function()
    server:usually(faults.ok())
    local output = script.run((START .. [[
      local before = require "cekura"
      local old = use(URL)
      local begun = old:spawn(function() return old:sleep(0.01) end)
      local _, problem = old.runs:mark_metric_vote {}
      package.loaded["cekura.core"], package.loaded.cekura = nil, nil
      local after = require "cekura"
      local new = use(URL)
      local function vote(client) return client.runs:mark_metric_vote(arguments).success end
      print(vote(old), vote(new))
      print(before.null == after.null, problem.kind, tostring(problem):match "run_id")
      print(after.new { api_url = URL, api_key = "k" }.runs:mark_metric_vote {
        run_id = 1, metric_id = 2, thumbs_up = true, expected_value = before.array {},
      }.success)
      print(pcall(new.sleep, old, 0))
      collectgarbage()
      local task = old:spawn(function() return vote(new), vote(old) end)
      print(task:wait())
      print(begun:wait())
      old:close()
      print(new.runs:mark_metric_vote(arguments).success)
    ]]):format(server.url))
    assert.equal("true\ttrue\ntrue\tvalidation\trun_id\ntrue\ntrue\ttrue\n"
      .. "true\ttrue\ntrue\ntrue\n", output)
  end)
end)
