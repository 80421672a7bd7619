-- Reading cells of a sheet (cekura.review.votes.arguments).
-- Each cell is checked by the JSON that it becomes in a request.

local cekura = require "cekura"
local arguments = require "cekura.review.votes.arguments"

local vote = cekura.endpoints["runs.mark_metric_vote"]
local client = assert(cekura.new { api_key = "k" })

-- Returns the body of the vote of a row with this cell; nil and the problem.
local function body_with(column, text)
  local cells = { run_id = "1", metric_id = "2", thumbs_up = "true", expected_value = "3" }
  cells[column] = text
  local values, problems = arguments.read(vote, cells)
  if not values then return nil, problems[column] end
  local plan, err = client.runs:mark_metric_vote(values, { dry_run = true })
  return plan and plan.body, err and err.fields[column][1]
end

local BODY = '{"metric_id":2,"thumbs_up":%s,"expected_value":%s%s}'

local function body(thumbs_up, expected_value, feedback)
  return BODY:format(thumbs_up, expected_value, feedback and ',"feedback":' .. feedback or "")
end

describe("a cell", function()
  teardown(function() client:close() end)

  for text, json in pairs {
    ["true"] = "true", TRUE = "true", yes = "true", Yes = "true", ["1"] = "true",
    [" true "] = "true",
    ["false"] = "false", False = "false", no = "false", NO = "false", ["0"] = "false",
    null = "null",
  } do
    it(("%q is a boolean"):format(text), function()
      assert.equal(body(json, 3), body_with("thumbs_up", text))
    end)
  end

  for text, json in pairs {
    ["2"] = "2", ["-2"] = "-2", ["0"] = "0", [" 2 "] = "2", ["2.5"] = "2.5", ["1e3"] = "1000",
    ["[9007199254740993, -9223372036854775808]"] = "[9007199254740993,-9223372036854775808]",
    ["100000000000000000000"] = "1e+20", ['{"a": -100000000000000000000}'] = '{"a":-1e+20}',
    ["[Infinity]"] = '"[Infinity]"',
    ["9007199254740993"] = "9007199254740993", ["-9223372036854775808"] = "-9223372036854775808",
    ["true"] = "true", ["false"] = "false", TRUE = "true", FALSE = "false", null = "null",
    ['"2"'] = '"2"', ['"TRUE"'] = '"TRUE"', ['"null"'] = '"null"', ['""'] = '""',
    booked = '"booked"', ["not booked"] = '"not booked"', ["ä"] = '"ä"', True = "true",
    False = "false",
    ["007"] = '"007"', ["0x10"] = '"0x10"', NaN = '"NaN"', nan = '"nan"', Infinity = '"Infinity"',
    ["-inf"] = '"-inf"', ["1 2"] = '"1 2"', ["{"] = '"{"', ["'a'"] = [["'a'"]],
    ["[1, 2.5, null]"] = "[1,2.5,null]", ["[]"] = "[]", [" [ ] "] = "[]", ["{}"] = "{}",
    ['{"a": [2]}'] = '{"a":[2]}',
  } do
    it(("%q is any value"):format(text), function()
      assert.equal(body("true", json), body_with("expected_value", text))
    end)
  end

  it("with an infinite number is refused", function()
    local sent, problem = body_with("expected_value", "1e999")
    assert.is_nil(sent)
    assert.matches("must be a finite number", problem)
  end)

  it("with a nested empty list is refused", function()
    local sent, problem = body_with("expected_value", '{"a":[]}')
    assert.is_nil(sent)
    assert.matches("contains an empty list", problem)
  end)

  for text, json in pairs {
    plain = '"plain"', [" as it is "] = '" as it is "', ["2"] = '"2"', ["true"] = '"true"',
    ['say "yes"\n'] = [["say \"yes\"\n"]], null = "null",
  } do
    it(("%q is text"):format(text), function()
      assert.equal(body("true", 3, json), body_with("feedback", text))
    end)
  end

  it("with an id keeps every digit", function()
    for _, id in ipairs { "5544", " 5544 ", "9223372036854775807" } do
      local sent = body_with("metric_id", id)
      assert.equal(id:match "%d+", sent:match '"metric_id":(%d+)')
    end
  end)

  for text, id in pairs {
    ["5544.0"] = "5544", ["5544.00"] = "5544", ["5544,0"] = "5544", ["005544"] = "5544",
    ["05544.0"] = "5544", [" 5544.0\u{A0}"] = "5544", ["10.0"] = "10",
    ["9007199254740993.0"] = "9007199254740993",
    ["9223372036854775807.0"] = "9223372036854775807",
  } do
    it(("%q is the id %s"):format(text, id), function()
      assert.equal(id, body_with("metric_id", text):match '"metric_id":(%d+)')
    end)
  end

  it("that is empty or blank is an absent field", function()
    for _, text in ipairs { "", " ", "\t\n" } do
      assert.equal(body("true", 3), body_with("feedback", text))
      for _, column in ipairs { "metric_id", "thumbs_up", "expected_value" } do
        local _, problem = body_with(column, text)
        assert.matches("^is required", problem)
      end
    end
  end)

  for column, texts in pairs {
    metric_id = { "x", "0", "-1", "1e3", "9223372036854775808", "null", "1,2", "0x1",
      "0.0", "1.", ".0", "5544.5", "5544,05", "1.000", "1,000", "1.0.0", "9223372036854775808.0" },
    thumbs_up = { "maybe", "2", "up", "nul", "Null", "truefalse" },
    feedback = { "\xFF" },
  } do
    for _, text in ipairs(texts) do
      it(("%s %q is refused"):format(column, text), function()
        local sent, problem = body_with(column, text)
        assert.is_nil(sent)
        assert.matches("^must be ", problem)
      end)
    end
  end
end)
