-- The commands of docs/cookbook.md, from a sheet of votes to a gate in a pipeline.
-- They run unchanged, one after the other, with cekura-review on the PATH.

local Review = require "support.review"
local child = require "support.child"
local lfs = require "lfs"
local scratch = require "support.scratch"

local HERE = lfs.currentdir()
local COOKBOOK = scratch.read "docs/cookbook.md"

-- Returns the blocks of a language in a section, and how many there are.
local function blocks_of(heading, language)
  local section = assert(COOKBOOK:match("\n## " .. heading .. "\n(.*)"))
  section = section:match "^(.-)\n## " or section
  local parts = {}
  for block in section:gmatch("\n```" .. language .. "\n(.-)```") do parts[#parts + 1] = block end
  return parts
end

-- Returns a Review whose environment finds a program cekura-review on the PATH.
local function begin(options)
  local story = Review.new("improve", options)
  local words = child.checked { child.lua, HERE .. "/bin/cekura-review" }
  if words[1]:find "/" then words[1] = child.absolute(words[1]) end
  lfs.mkdir(story:path "bin")
  local program = story:write("bin/cekura-review",
    "#!/bin/sh\nexec '" .. table.concat(words, "' '") .. "' \"$@\"\n")
  assert(os.execute("exec env -u LD_PRELOAD chmod +x " .. program))
  story.environment.PATH = story:path "bin" .. ":" .. os.getenv "PATH"
  for name, value in pairs(child.paths()) do story.environment[name] = value end
  return story
end

-- Runs a shell script in the story's folder, up to the first command that fails.
local function perform(story, script, variables)
  local environment = {}
  for name, value in pairs(story.environment) do environment[name] = value end
  for name, value in pairs(variables or {}) do environment[name] = value end
  return child.run({ "sh", "-ec", "cd " .. story.folder .. "\n" .. script }, environment)
end

-- Returns the run and the selection of each row of a sheet.
local function selected(sheet)
  local rows = {}
  for line in sheet:gmatch "[^\n]+" do
    local id = line:match "^(%d+),55,"
    local selection = line:match ",(random)" or line:match ",(targeted)"
    if id then rows[#rows + 1] = id .. " " .. selection end
  end
  return rows
end

describe("docs/cookbook.md", function()
  for _, votes_feed_lab in ipairs { false, true } do
    it(("leads from a sheet to a gate (votes_feed_lab = %s)"):format(votes_feed_lab), function()
      local story <close> = begin { votes_feed_lab = votes_feed_lab }
      local output, code = perform(story, table.concat(blocks_of("From a sheet to a gate", "sh")))
      assert.equal(0, code, output)
      local reviewed = selected(scratch.read(story:path "reviewed.csv"))
      assert.equal(12, #reviewed)
      assert.same(reviewed, selected(scratch.read(story:path "sheet.csv")))
      assert.matches("\nok 12, failed 0, skipped 0, unknown 0\n"
        .. "test sets: ok 12, failed 0, skipped 0, unknown 0\n", output)
      -- The figures of the cookbook. With votes_feed_lab the initial votes are in the Lab, too.
      if not votes_feed_lab then
        assert.matches("agreed in 5 of 9 reviews: 27% to 81%", output, 1, true)
        assert.matches("\n  the metric +3 +75%% [^\n]+\n  the proposal +3 +75%% ", output)
      end
      assert.matches("\nNothing was started", output)
      assert.matches("\n    %+ %- Identity, offer and confirmation: all three are there\n", output)
      assert.matches("\n  the proposal +%d+ +%d+%% ", output)
      assert.matches("\n  saved to metric 55\n", output)
      assert.matches("\n +5980 [^\n]* 1 +→ +2 +changed\n", output)
      assert.matches("\nunclear: the differences between the results 431 and 434", output)
      assert.matches("\nresult 434 %(completed%): pass", output)
      assert.matches("all three are there", story.server:state("metrics", 55).description)
      assert.equal(1, #story:changes "process_feedbacks")
      for _, name in ipairs { "agreement.html", "changes.html", "gate.xml", "gate.md" } do
        assert.is_truthy(scratch.read(story:path(name)), name)
      end
    end)
  end
end)

describe("the pipelines of docs/cookbook.md", function()
  local github, gitlab = table.unpack(blocks_of("In a pipeline", "yaml"))

  -- Returns the command in the line that begins with cekura-review and this word.
  local function command_of(pipeline, word)
    return assert(pipeline:match(": (cekura%-review " .. word .. " [^\n]*)"))
  end

  it("are files of a few lines, in the form of YAML", function()
    for _, pipeline in ipairs { github, gitlab } do
      local _, lines = pipeline:gsub("\n", "")
      assert.is_true(lines <= 12)
      for line in pipeline:gmatch "[^\n]+" do
        local indent, rest = line:match "^( *)(.*)$"
        assert.equal(0, #indent % 2, line)
        assert.is_truthy(rest:find "^%- %S" or rest:find "^[%w_-]+:$" or rest:find "^[%w_-]+: %S",
          line)
      end
    end
  end)

  it("fail the job of GitHub if the newest result is not good enough", function()
    local story <close> = begin()
    local output, code = perform(story, command_of(github, "gate"),
      { GITHUB_STEP_SUMMARY = story:path "summary.md" })
    assert.equal(1, code, output)
    assert.matches("^### Below the threshold: result 443\n", scratch.read(story:path "summary.md"))
  end)

  it("write a report for GitLab, which names the thresholds", function()
    local story <close> = begin()
    local output, code = perform(story, command_of(gitlab, "gate"))
    assert.equal(1, code, output)
    assert.matches("<testsuites", scratch.read(story:path "gate.xml"))
    assert.matches("reports: { junit: gate.xml }", gitlab, 1, true)
  end)

  it("send each vote once in the eight jobs of GitLab", function()
    local story <close> = begin()
    story:write("reviewed.csv", COOKBOOK:match "<<END\n(.-)END\n")
    for i = 1, 8 do
      local output, code = perform(story, command_of(gitlab, "votes"),
        { CI_NODE_INDEX = tostring(i), CI_NODE_TOTAL = "8" })
      assert.equal(0, code, output)
    end
    assert.equal(12, #story:changes "mark_metric_vote")
    assert.equal(12, #story:changes "create_from_run")
  end)
end)
