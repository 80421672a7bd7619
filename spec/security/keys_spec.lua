-- The suite searches outputs and results for its keys, and a spec fails if it finds one. These
-- specs show that it does.
local calls = require "support.calls"
local child = require "support.child"
local keys = require "support.keys"
local scratch = require "support.scratch"
local script = require "support.script"

local KEY = keys.KEY

-- Returns the message of the error that a function raises.
local function refusal(...)
  local ok, message = pcall(...)
  assert.is_false(ok, "a key has come through")
  return message
end

describe("the search for keys", function()
  for name, text in pairs {
    ["as it is"] = KEY,
    ["percent-encoded"] = "Kq7-zX0vW_9tB3nL%2FmR5s%2bYd2%3D%26Pf8",
    ["in escapes"] = [[Kq7-zX0vW_9tB3nL\/mR5s\u002bYd2=&Pf8]],
    ["in entities"] = "Kq7-zX0vW_9tB3nL&#47;mR5s+Yd2=&amp;Pf8",
    ["as it is in hexadecimal"] =
      "4b71372d7a583076575f397442336e4c2f6d5235732b5964323d26506638",
    -- printf "${before}Kq7…Pf8 and more" | base64, with 0, 1 and 2 bytes before
    ["as it is in base64"] = "S3E3LXpYMHZXXzl0QjNuTC9tUjVzK1lkMj0mUGY4IGFuZCBtb3Jl",
    ["as it is in base64 "] = "LktxNy16WDB2V185dEIzbkwvbVI1cytZZDI9JlBmOCBhbmQgbW9yZQ==",
    ["as it is in base64  "] = "Li5LcTctelgwdldfOXRCM25ML21SNXMrWWQyPSZQZjggYW5kIG1vcmU=",
  } do
    it("finds a key " .. name, function()
      local message = refusal(keys.refuse, "a text", "before " .. text .. " behind")
      local found = "a text has the key " .. KEY .. ", " .. name:match "^(.-) *$"
      assert.matches(found .. ": ", message, 1, true)
    end)
  end

  it("finds the suite's keys, and one that it is given", function()
    assert.matches("the-key", refusal(keys.refuse, "a text", "it is the-key."), 1, true)
    assert.matches("another", refusal(keys.refuse, "a text", "another-key", "another-key"), 1, true)
    keys.refuse("a text", "another-key")
    keys.refuse("a text", "short", "short")
  end)

  it("covers the stdout and stderr of a child, before and at its end", function()
    assert.matches("wrote", refusal(script.run, ("print %q"):format(KEY)), 1, true)
    assert.matches("wrote", refusal(script.run, ("error %q"):format("my " .. KEY)), 1, true)
    for _, stream in ipairs { "stdout", "stderr" } do
      local words = { child.lua, "-e", ("io.%s:write %q"):format(stream, KEY) }
      assert.matches("wrote", refusal(child.run_checked_apart, words), 1, true)
    end
    local process = child.start_checked { child.lua, "-e", ("print %q"):format(KEY) }
    assert.equal(KEY, process:line())
    assert.matches("wrote", refusal(process.finish, process), 1, true)
  end)

  it("covers the key in a child's environment", function()
    local text = "print(os.getenv 'CEKURA_API_KEY')"
    assert.matches("of-this-child", refusal(script.run, text, { CEKURA_API_KEY = "of-this-child" }),
      1, true)
  end)

  it("covers the files that a child leaves, and those that are read", function()
    local folder = scratch.folder()
    finally(function() scratch.remove(folder) end)
    local path = folder .. "/journal"
    local text = ("assert(io.open(%q, 'w')):write(%q)"):format(path, '{"key": "' .. KEY .. '"}')
    assert.matches(path .. " has the key", refusal(script.run, text), 1, true)
    assert.matches(path .. " has the key", refusal(scratch.read, path), 1, true)
    os.remove(path)
    scratch.write(folder .. "/a the-key", "")
    assert.matches("a name has the key", refusal(script.run, ""), 1, true)
  end)

  it("covers the results of a call", function()
    local function client_that_returns(...)
      local values = table.pack(...)
      return { runs = {
        mark_metric_vote = function() return table.unpack(values, 1, values.n) end,
      } }
    end
    local err = setmetatable({}, { __tostring = function() return "invalid key " .. KEY end })
    for _, client in ipairs {
      client_that_returns { deep = { { [KEY] = 1 } } }, client_that_returns { "x" .. KEY },
      client_that_returns(nil, err), client_that_returns({}, { headers = { a = KEY } }),
    } do
      assert.matches("returned has the key", refusal(calls.vote, client), 1, true)
    end
    assert.same({ nil, "an error" }, { calls.vote(client_that_returns(nil, "an error")) })
  end)
end)
