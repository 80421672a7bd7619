-- Output that cannot be written.
-- An example says so, and does not end with success.

local Example = require "support.example"
local child = require "support.child"
local scratch = require "support.scratch"

local CLOSED, FULL, GONE = ">&-", ">/dev/full", "| true"

-- Runs an example in a shell with a redirection of its stdout; the shell's code is the example's.
local function run(example, redirection, words)
  local command = { "sh", "-c", ('{ "$@"; echo "code $?" >&2; } %s'):format(redirection), "sh" }
  table.move(example.words, 1, #example.words, #command + 1, command)
  table.move(words, 1, #words, #command + 1, command)
  local _, errors = child.run_checked_apart(command, example.environment)
  return errors, math.tointeger(errors:match "code (%d+)\n$")
end

local function sheet()
  local path = scratch.path()
  scratch.write(path, "run_id,metric_id,thumbs_up,expected_value\n5544,55,no,2\n999999,55,no,2\n")
  return path
end

-- { words, the exit code for lost output }
local CASES = {
  reevaluate_result = { { "373", "--metrics", "55" }, 1 },
  bulk_reevaluate = { { "--metrics", "55", "--results", "371", "--no-progress" }, 1 },
  evaluate_calls = { { "--agent", "231", "--metric", "55", "--limit", "2" }, 1 },
  auto_improve = { { "--metrics", "55" }, 1 },
  labs_cycle = { { "--metric", "55", "--agent", "231", "--want", "1" }, 1 },
  agreement_report = { { "--results", "373", "--no-progress" }, 1 },
  ci_gate = { { "--result", "373", "--json", "--min-success-rate", "0" }, 4 },
  quickstart = { {}, 1 },
}

-- The option for a file that the example writes.
local FILES = { labs_cycle = "--state", auto_improve = "--state", agreement_report = "--output" }

describe("output that is lost", function()
  for name, case in pairs(CASES) do
    for _, redirection in ipairs { FULL, GONE, CLOSED } do
      it(("by %s %s is reported"):format(name, redirection), function()
        if not io.open "/dev/full" then return pending "needs /dev/full" end
        local example <close> = Example.new(name)
        local words = table.move(case[1], 1, #case[1], 1, {})
        if FILES[name] then
          table.move({ FILES[name], scratch.path() }, 1, 2, #words + 1, words)
        end
        local errors, code = run(example, redirection, words)
        assert.matches(name .. ": the output is not complete: stdout: [^\n]+\n", errors)
        assert.equal(case[2], code, errors)
      end)
    end
  end

  it("by vote_from_csv loses neither votes nor rejects", function()
    for _, redirection in ipairs { FULL, GONE, CLOSED } do
      local example <close> = Example.new "vote_from_csv"
      local path = sheet()
      local errors, code = run(example, redirection,
        { path, "--no-progress", "--rejects", path .. ".rejects" })
      assert.matches("the output is not complete: stdout", errors)
      assert.equal(1, code)
      assert.matches("\r\n3,[^\r]*,999999,55,no,2\r\n$", scratch.read(path .. ".rejects"))
      assert.equal(4, #example:sent())
    end
  end)

  it("by --help is reported", function()
    for name in pairs(CASES) do
      if name ~= "quickstart" then
        local example <close> = Example.new(name)
        local errors, code = run(example, FULL, { "--help" })
        assert.matches("the output is not complete", errors)
        assert.not_equal(0, code)
      end
    end
  end)

  it("on stderr is not a success", function()
    local example <close> = Example.new "auto_improve"
    local command = { "sh", "-c", '"$@" 2>/dev/full', "sh" }
    table.move(example.words, 1, #example.words, #command + 1, command)
    table.move({ "--metrics", "55", "--start", "--state", scratch.path(), "--interval", "0.05" },
      1, 7, #command + 1, command)
    local _, _, code = child.run_checked_apart(command, example.environment)
    assert.equal(1, code)
  end)
end)
