-- Misuse of functions that a script can obtain without the debug library raises, without a crash.
-- Each runs in an interpreter of its own, which a crash would end.
local script = require "support.script"

describe("misuse raises:", function()
  local START = [[
    local cekura = require "cekura"
    local server = require "cekura.sandbox".start()
    local client = assert(cekura.new { api_url = server.url, api_key = server.api_key })
    local _, response = assert(client.runs:get { run_id = 5544 })
    local function imitation(resource) return setmetatable({}, getmetatable(resource)) end
  ]]

  for what, call in pairs {
    ["a client's __index, of a number"] = "getmetatable(client).__index(42, 'runs')",
    ["a client's __index, of nothing"] = "getmetatable(client).__index()",
    ["a client's __index, of a resource"] = "getmetatable(client).__index(client.runs, 'get')",
    ["a response's __index, of a number"] = "getmetatable(response).__index(42, 'headers')",
    ["a response's __pairs, of nothing"] = "getmetatable(response).__pairs()",
    ["a response's iterator, of nothing"] = "pairs(response)(nil)",
    ["a response's iterator, of a number"] = "pairs(response)(42, 'status')",
    ["a table with a resource's metatable"] = "client.runs.get(imitation(client.runs), {})",
    ["the same, where the method is written in Lua"] =
      "client.results.wait(imitation(client.results), { result_id = 373 })",
    ["a list of names that is a number"] = "require 'cekura.internal'.nearest('a', 42)",
  } do
    it(what, function()
      local text = START .. "print((pcall(function() return %s end)))"
      local output, code = script.run((text:gsub("%%s", function() return call end)))
      assert.equal("false\n", output)
      assert.equal(0, code)
    end)
  end
end)
