-- Mistyped names raise at the caller's line, and the message suggests a known name.
local cekura = require "cekura"

describe("an unknown name raises at the caller's line:", function()
  local client, task

  setup(function()
    client = assert(cekura.new { api_url = "http://127.0.0.1:9", api_key = "k" })
    task = client:spawn(function() end)
  end)
  teardown(function() client:close() end)

  -- Returns the message that a function raises, which must have the function's own line.
  local function message_of(look)
    local ok, message = pcall(look)
    assert.is_false(ok)
    local line = debug.getinfo(look, "S").linedefined
    local said = message:match("^spec/api/names_spec%.lua:" .. line .. ": (.*)$")
    return assert(said, message)
  end

  for what, row in pairs {
    ["a method in camel case"] = { function() client.runs:markMetricVote {} end,
      'runs has no "markMetricVote", did you mean "mark_metric_vote"?' },
    ["a longer method in camel case"] = {
      function() client.metric_reviews:processFeedbacksProgress {} end,
      'did you mean "process_feedbacks_progress"?' },
    ["a method of the default client's resource"] = { function() cekura.runs:gett {} end,
      'runs has no "gett", did you mean "get"?' },
    ["a method that resembles no other"] = { function() client.metrics:frobnicate {} end,
      'metrics has no "frobnicate", did you mean one of these: get, ' },
    ["a method that is written in Lua"] = { function() client.results:page {} end,
      'did you mean "pages"?' },
    ["a resource"] = { function() return client.result end,
      'a client has no "result", did you mean "results"?' },
    ["a resource that resembles no other"] = { function() return client.organisations end,
      'a client has no "organisations", did you mean one of these: api_url, billing, ' },
    ["a resource that resembles a method"] = { function() return client.agents end,
      'a client has no "agents", did you mean one of these: api_url, ' },
    ["a method of a resource that has only one"] = { function() client.billing:get {} end,
      'billing has no "get", did you mean "info"?' },
    ["a method of a client"] = { function() client:eech({}, print) end, 'did you mean "each"?' },
    ["a field of a client"] = { function() return client.apiUrl end, 'did you mean "api_url"?' },
    ["a function of the module"] = { function() return cekura.chunk end,
      'cekura has no "chunk", did you mean "chunks"?' },
    ["a function that resembles no other"] = { function() return cekura.foo end,
      'cekura has no "foo", did you mean one of these: array, ' },
    ["a resource of the module"] = { function() cekura.call:get {} end, 'did you mean "calls"?' },
    ["a method of a task"] = { function() task:wiat() end,
      'a task has no "wiat", did you mean "wait"?' },
    ["a name with control characters"] = { function() return client["\27[2J"] end,
      'a client has no "?[2J"' },
  } do
    it(what, function()
      local message = message_of(row[1])
      assert.truthy(message:find(row[2], 1, true), message)
    end)
  end

  it("but private names and other keys are nil", function()
    for _, thing in ipairs { client, client.runs, cekura, cekura.runs, task } do
      for _, key in ipairs { "", "_x", "__name", "__tostring", 1, 0.5, true, client } do
        assert.is_nil(thing[key])
      end
    end
    assert.is_nil(rawget(cekura, "foo"))
  end)

  it("but pairs(cekura) and new names work", function()
    for name, value in pairs(cekura) do assert.equal(value, cekura[name]) end
    cekura.of_a_spec = 1
    assert.equal(1, cekura.of_a_spec)
    cekura.of_a_spec = nil
  end)
end)
