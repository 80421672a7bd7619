-- The commands of docs/cookbook.md, from a sheet of votes to a better metric.
-- They run unchanged, one after the other.

local Example = require "support.example"
local child = require "support.child"
local scratch = require "support.scratch"

local SECTION = "\n## From votes to a better metric\n(.*)"

-- Returns the commands as a script for sh, which ends at the first that fails.
local function commands()
  local section = assert(scratch.read "docs/cookbook.md":match(SECTION))
  local parts = { "set -e\n" }
  for block in section:gmatch "\n```sh\n(.-)```" do
    if not block:find "^export" then parts[#parts + 1] = block end
  end
  return table.concat(parts)
end

-- Returns the script with this run's interpreter and tool.
local function with_interpreter(text)
  local words = table.concat(child.checked { child.lua }, " ")
  return (text:gsub("\nlua5%.4 ", function() return "\n" .. words .. " " end))
end

describe("docs/cookbook.md", function()
  local story

  local function begin(votes_feed_lab)
    story = Example.new("auto_improve", { votes_feed_lab = votes_feed_lab })
    for _, name in ipairs { "examples", "lua", "build", "tools" } do
      os.execute(("exec env -u LD_PRELOAD ln -s \"$PWD/%s\" %s"):format(name, story.folder))
    end
  end

  after_each(function() story:close() end)

  local function perform(votes_feed_lab)
    begin(votes_feed_lab)
    local script = with_interpreter(commands())
    assert.equal(7, select(2, script:gsub("examples/", "")))
    local output, code = child.run({ "sh", "-c", "cd " .. story.folder .. "\n" .. script },
      story.environment)
    assert.equal(0, code, output)
    assert.matches("\nok 6, failed 0, skipped 0, unknown 0\n"
      .. "test sets: ok 6, failed 0, skipped 0, unknown 0\n", output)
    assert.matches("\nNothing was started", output)
    assert.matches("\n    %+ %- Identity, offer and confirmation: all three are there\n", output)
    assert.matches("\n  saved to metric 55\n", output)
    assert.matches("\n +5975 [^\n]* 3 +→ +2 +changed\n", output)
    assert.matches("\n +5977 [^\n]* 1 +→ +2 +changed\n", output)
    assert.matches("ci_gate: result 431 %(completed%): pass", output)
    assert.matches("all three are there", story.server:state("metrics", 55).description)
    assert.equal(1, #story:changes "process_feedbacks")
  end

  for _, votes_feed_lab in ipairs { false, true } do
    it(("leads from a sheet of votes to a better metric (votes_feed_lab = %s)")
      :format(votes_feed_lab), function() perform(votes_feed_lab) end)
  end
end)
