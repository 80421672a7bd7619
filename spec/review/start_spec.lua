-- The start of cekura-review.
-- It starts from any folder and through links, and the help of a subcommand says what it costs.

local cekura = require "cekura"
local child = require "support.child"
local lfs = require "lfs"
local scratch = require "support.scratch"

local HERE = lfs.currentdir()

-- Texts that --help must contain.
local SAID = {
  report = { "Exit codes", "only reads" },
  improve = { "Exit codes", "SPENDS CREDITS", "--start", "--apply", "--state" },
  bulk = { "Exit codes", "spends credits", "--apply", "--redo-unknown" },
  gate = { "1 below a threshold, or worse than --base, and nothing else;", "CREDITS", "--apply" },
  calls = { "Exit codes", "spends credits", "--apply", "--success", "--limit" },
  labs = { "Exit codes", "SPEND CREDITS", "--apply", "--sheet", "--restart" },
  reevaluate = { "Exit codes", "spends credits", "--apply", "--max-evaluations" },
  votes = { "Exit codes", "Votes cost nothing", "--dry-run", "--rejects", "--journal",
    "--concurrency", "--no-progress", "--skip-bad", "--extra-columns", "--shard", "call_log_id" },
}
for _, field in ipairs(cekura.endpoints["runs.mark_metric_vote"].fields) do
  table.insert(SAID.votes, field.name)
end

describe("cekura-review", function()
  local folder

  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  for name, texts in pairs(SAID) do
    it(name .. " says what it costs, also through a link in another folder", function()
      assert(os.execute(("exec env -u LD_PRELOAD ln -s %s/bin/cekura-review %s/it"):format(HERE,
        folder)))
      local words = { "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, child.lua,
        "it", name, "--help" }
      local output, errors, code = child.run_checked_apart(words, child.paths())
      assert.equal("", errors)
      assert.matches("^Usage: cekura%-review " .. name, output)
      assert.equal(0, code)
      for _, text in ipairs(texts) do assert.is_truthy(output:find(text, 1, true), text) end
      for line in output:gmatch "[^\n]+" do assert.is_true(#line <= 100, line) end
    end)
  end

  it("says its version", function()
    local output, errors, code =
      child.run_checked_apart({ child.lua, "bin/cekura-review", "--version" })
    assert.same({ ("cekura-review %s\n"):format(cekura._VERSION), "", 0 },
      { output, errors, code })
  end)

  it("names no subcommand in the data of --json if there is none", function()
    local output, _, code = child.run_checked_apart { child.lua, "bin/cekura-review", "--json" }
    assert.matches('^{"error":"[^"]+","exit_code":2}\n$', output)
    assert.equal(2, code)
  end)

  it("ends with 2 if a part of it is not installed", function()
    local output, errors, code = child.run_checked_apart({ child.lua, "bin/cekura-review", "gate" },
      { LUA_PATH = "/nonexistent/?.lua", LUA_CPATH = child.paths().LUA_CPATH })
    assert.same({ "", 2 }, { output, code })
    assert.matches("^cekura%-review: module 'cekura.review.main' not found:", errors)
  end)

  -- Loading takes longer than the wait of a gate on a finished result.
  for problem, code in pairs {
    ['io.popen("kill -INT $PPID"):close() while true do end'] = 130,
    ['error "a part is missing"'] = 2,
  } do
    it(("ends with %d, and never with 1, if loading its parts fails"):format(code), function()
      lfs.mkdir(folder .. "/cekura")
      lfs.mkdir(folder .. "/cekura/review")
      lfs.mkdir(folder .. "/cekura/review/commands")
      scratch.write(folder .. "/cekura/review/commands/votes.lua", problem)
      local paths = child.paths()
      local output, errors, ended = child.run_checked_apart(
        { child.lua, "bin/cekura-review", "gate", "--help" },
        { LUA_PATH = folder .. "/?.lua;" .. paths.LUA_PATH, LUA_CPATH = paths.LUA_CPATH })
      assert.same({ "", code }, { output, ended }, errors)
      assert.matches("^cekura%-review: [^\n]+\n$", errors)
    end)
  end

  it("fills the paragraphs of a help on a narrow terminal", function()
    local output = child.run_checked_apart({ child.lua, "bin/cekura-review", "votes", "--help" },
      { COLUMNS = "60" })
    assert.truthy(output:find("\n--shard 3/8 sends the third of eight parts, so that eight\n"
      .. "processes can divide a sheet. Every process checks all rows.\n", 1, true), output)
  end)
end)

-- Prints the signals that the process ignores, before and after it loads the modules.
local LOAD = [[
local function ignored()
  return assert(io.open "/proc/self/status"):read "a":match "SigIgn:%s*(%x+)"
end
require "cekura"
print(ignored())
for _, name in ipairs { "agreement", "compare", "junit", "report", "sample", "sheet" } do
  require("cekura.review." .. name)
end
print(ignored())
]]

describe("the modules that scripts may use", function()
  it("leave the signals of the process as they are", function()
    local output = child.run({ child.lua, "-e", LOAD })
    local before, after = output:match "^(%x+)\n(%x+)\n$"
    assert.is_not_nil(before, output)
    assert.equal(before, after)
  end)
end)
