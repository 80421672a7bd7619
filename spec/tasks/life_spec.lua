-- The end of a client: closed or collected while calls and tasks are unfinished.
local clock = require "support.clock"
local faults = require "support.faults"
local script = require "support.script"

describe("a client", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  local START = [[
    local cekura = require "cekura"
    local arguments = { run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
    local function new(on_event)
      return assert(cekura.new { api_url = %q, api_key = "k", deadline = 20, on_event = on_event })
    end
    local function vote(one) return one.runs:mark_metric_vote(arguments) end
    local function closing(text)
      return setmetatable({}, { __close = function() print(text) end })
    end
    local function collect()
      collectgarbage()
      collectgarbage()
    end
  ]]

  local function run(text) return script.run(START:format(server.url) .. text) end

  -- { where the script waits, kind of the error }
  for where, row in pairs {
    ["a call blocks"] = { "return vote(client)", "cancelled" },
    ["it sleeps"] = { "return client:sleep(10)", "config" },
    ["one waits for a task"] = {
      "return client:spawn(client.sleep, client, 100):wait()", "config" },
  } do
    it("ends if on_event of a task's call closes it while " .. where, function()
      clock.patiently(function()  -- the response must not arrive before the script waits
        server:clear()
        server:script { { { "read" }, { "sleep", clock.SHORT }, faults.ok()[1] }, { { "hang" } } }
        local output, code = run(([[
          local client
          client = new(function(event) if event.type == "response" then client:close() end end)
          local task = client:spawn(vote, client)
          for _ = 1, 5 do client:step(%g) end  -- the task's request is the first
          local _, err = (function() %s end)()
          print(err.kind)
          print(select(2, task:wait()).kind)
        ]]):format(clock.SHORT / 10, row[1]))
        assert.equal(row[2] .. "\ncancelled\n", output)
        assert.equal(0, code)
      end)
    end)
  end

  -- Lua does not close the variables of a coroutine that is collected.
  for what, row in pairs {
    ["are resumed by client:step()"] = {
      "while client:step(0) do end", "cancelled\nclosed 1\nclosed 2\nclosed 3\n" },
    ["are resumed by task:wait()"] = {
      "tasks[3]:wait()", "cancelled\nclosed 1\nclosed 2\nclosed 3\n" },
    ["can be cancelled"] = {
      "for i = 1, 3 do tasks[i]:cancel() end", "closed 1\nclosed 2\nclosed 3\n" },
    ["are collected with it"] = { "client, tasks = nil, nil collect()", "" },
    ["end with the script"] = { "", "" },
    ["end with lua_close"] = { "os.exit(true, true)", "" },
  } do
    it("that is closed releases its suspended tasks, which " .. what, function()
      server:script { "hang" }
      local output, code = run([[
        local client = new()
        local tasks = {}
        tasks[1] = client:spawn(function()
          local _ <close> = closing "closed 1"
          print(select(2, vote(client)).kind)
        end)
        tasks[2] = client:spawn(function()
          local _ <close> = closing "closed 2"
          client:sleep(1000)
        end)
        tasks[3] = client:spawn(function()
          local _ <close> = closing "closed 3"
          tasks[2]:wait()
        end)
        for _ = 1, 5 do client:step(0.01) end
        client:close()
        collect()
      ]] .. row[1])
      assert.equal(row[2], output)
      assert.equal(0, code)
    end)
  end

  for what, act in pairs {
    ["collected later"] = "own = nil",
    ["closed"] = "print(coroutine.close(own))",
    ["resumed"] = "for _ = 1, 60 do coroutine.resume(own) collect() end own = nil",
  } do
    it("is collected although a task's coroutine is referenced, which is " .. what, function()
      server:script { "hang" }
      local output, code = run(([[
        local own
        do
          local client = new()
          client:spawn(function()
            own = coroutine.running()
            local _ <close> = closing "closed"
            vote(client)
          end)
          for _ = 1, 5 do client:step(0.01) end
        end
        collect()
        %s
        collect()
        print(vote(new()).success)
      ]]):format(act))
      assert.equal((what == "closed" and "closed\ntrue\n" or "") .. "true\n", output)
      assert.equal(0, code)
    end)
  end

  -- Objects that are made while a state closes get no finalizer. (make asan reports leaks.)
  it("can make calls while the state closes", function()
    local output, code = run [[
      local client = new()
      kept = setmetatable({}, { __gc = function()
        local other <close> = new()
        print(vote(client).success, vote(other).success)
      end })
      os.exit(0, true)
    ]]
    assert.equal("true\ttrue\n", output)
    assert.equal(0, code)
  end)

  -- Finalizers run in reverse order: the call's, then the object's, then the client's.
  for how, ends in pairs {
    ["the state closes"] = "os.exit(0, true)",
    ["it is collected"] = "object = nil; collect()",
  } do
    it("can be used by a finalizer after a call while " .. how, function()
      local output, code = run(([[
        do
          local client = new()
          object = setmetatable({}, { __gc = function() print(vote(client).success) end })
          print(vote(client).success)
        end
        %s
      ]]):format(ends))
      assert.equal("true\ntrue\n", output)
      assert.equal(0, code)
    end)

    it("goes on with a task that a finalizer waits for while " .. how, function()
      local output, code = run(([[
        do
          local client, task = new()
          object = setmetatable({}, { __gc = function()
            for _ = 1, 60 do
              if not client:step(1) then break end
            end
            print(task:ended() and task:wait().success)
          end })
          task = client:spawn(vote, client)
          client:step()
        end
        %s
      ]]):format(ends))
      assert.equal("true\n", output)
      assert.equal(0, code)
      assert.equal(1, server:deliveries())
    end)
  end

  -- Finalizers run in reverse order: the call's, then the client's.
  it("is closed for a task that a finalizer brings back", function()
    server:script { "hang" }
    local output, code = run [[
      local kept
      do
        local client = new()
        local task = client:spawn(vote, client)
        for _ = 1, 5 do client:step(0.01) end
        setmetatable({ task }, { __gc = function(list) kept = list[1] end })
      end
      collect()
      local _, err = kept:wait()
      print(err.kind, err.applied)
    ]]
    assert.equal("cancelled\tunknown\n", output)
    assert.equal(0, code)
  end)

  it("can be collected with an unfinished each", function()
    server:script { "hang", "hang" }
    local output, code = run [[
      do
        local client = new()
        client:spawn(function()
          client:each({ 1, 2, 3 }, function() return vote(client) end, { concurrency = 2 })
        end)
        for _ = 1, 5 do client:step(0.01) end
      end
      collect()
      local other = new()
      print(other:each({ 1, 2 }, function() return vote(other) end).ok)
    ]]
    assert.equal("2\n", output)
    assert.equal(0, code)
    assert.equal(4, server:deliveries())
  end)

  -- Lua calls due finalizers a few at a time, at any allocation: the nth of many closes the client
  -- in the middle of a call. Prints whether one did, and each result that is neither a value nor an
  -- error, or that contains the key.
  local CLOSING = [[
    local KEY = "key-of-the-client"
    local client, armed, count, nth
    local closes = { __gc = function()
      count = count + 1
      if armed and count == nth then client:close() end
    end }
    local function prepare()
      client = assert(cekura.new { api_url = %q, api_key = KEY })
      armed, count = false, 0
      require "support.collector".begin_finalizers(closes, function() return count > 0 end)
      armed, count = true, 0
    end
    local function has_key(value)
      if type(value) == "string" then return value:find(KEY, 1, true) end
      for name, inner in next, type(value) == "table" and value or {} do
        if has_key(name) or has_key(inner) then return true end
      end
    end
    local function call() return %s end
    local met = 0
    for n = 5, 200, 5 do
      nth = n
      prepare()
      local value, err = call()
      if count >= nth then met = met + 1 end
      armed = false
      local is_odd = value == nil and not err.kind
      if is_odd or has_key(value) or has_key(err) then print(n, value, err) end
      collectgarbage()
      client:close()
    end
    print(met > 0)
  ]]

  for what, call in pairs {
    ["a vote"] = "vote(client)",
    ["a call with headers"] = "client.runs:mark_metric_vote(arguments, { headers = { A = 'b' } })",
    ["a call without a body"] = "client:request { method = 'POST', path = '/a' }",
    ["a dry run"] = "client.runs:mark_metric_vote(arguments, { dry_run = true })",
    ["a call with wrong arguments"] = "client.runs:mark_metric_vote { run_id = KEY, [KEY] = KEY }",
    ["a task's call"] = "client:spawn(vote, client):wait()",
  } do
    it("can be closed by a finalizer in the middle of " .. what, function()
      server:usually(faults.status(200, {}, '{"success": true, "note": "key-of-the-client"}'))
      local output, code = run(CLOSING:format(server.url, call))
      assert.equal("true\n", output)
      assert.equal(0, code)
    end)
  end

  it("may be called by a finalizer in the middle of a call", function()
    local output, code = run(CLOSING:gsub("client:close%%(%%) end", "vote(client) end", 1)
      :format(server.url, "vote(client)"))
    assert.equal("true\n", output)
    assert.equal(0, code)
  end)

  it("can be closed by a finalizer while an error response is read", function()
    server:usually(faults.status(400, {}, '{"detail": "not with key-of-the-client"}'))
    local output, code = run(CLOSING:format(server.url, "vote(client)"))
    assert.equal("true\n", output)
    assert.equal(0, code)
  end)

  it("sends the headers of a call as they were before a finalizer changes them", function()
    local output, code = run(([[
      local client = assert(cekura.new { api_url = %q, api_key = "k" })
      local options, armed, count, nth
      local changes = { __gc = function()
        count = count + 1
        if armed and count == nth then options.headers[true], options.headers.B = 5, nil end
      end }
      for _, dry_run in ipairs { true, false } do
        for n = 5, 200, 5 do
          options = { dry_run = dry_run }
          options.headers = { A = ("a"):rep(50) .. n, B = ("b"):rep(50) .. n }
          armed, count, nth = false, 0, n
          require "support.collector".begin_finalizers(changes, function() return count > 0 end)
          armed, count = true, 0
          local value, err = client.runs:mark_metric_vote(arguments, options)
          armed = false
          if not value and err.kind ~= "validation" then print(n, err) end
          if value and dry_run and value.headers.A ~= options.headers.A then print(n, "differs") end
          collectgarbage()
        end
      end
    ]]):format(server.url))
    assert.equal("", output)
    assert.equal(0, code)
  end)

  it("has the options as they were before a finalizer changes them", function()
    local output, code = run(([[
      local options, armed, count, nth
      local changes = { __gc = function()
        count = count + 1
        if armed and count == nth then
          options.headers[true], options.headers.A = 5, nil
          options.api_key, options.api_url, options.user_agent = nil, nil, nil
        end
      end }
      for n = 5, 200, 5 do
        options = { api_key = ("k"):rep(50) .. n, api_url = %q .. ("/a"):rep(50) .. n,
          user_agent = ("u"):rep(50) .. n, headers = { A = "b" } }
        armed, count, nth = false, 0, n
        require "support.collector".begin_finalizers(changes, function() return count > 0 end)
        armed, count = true, 0
        local made, err = cekura.new(options)
        armed = false
        if not made and err.kind ~= "config" then print(n, err) end
        collectgarbage()
      end
    ]]):format(server.url))
    assert.equal("", output)
    assert.equal(0, code)
  end)
end)
