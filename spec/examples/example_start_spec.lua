-- The start of all examples.
-- They start from any folder and through links, and --help says what they cost.

local cekura = require "cekura"
local child = require "support.child"
local lfs = require "lfs"
local scratch = require "support.scratch"

local HERE = lfs.currentdir()

-- Returns a search path with absolute paths.
local function absolute(paths) return (paths:gsub("[^;]+", function(path)
  return path:find "^[/;]" and path or HERE .. "/" .. path
end)) end

local ENVIRONMENT = {
  LUA_PATH = absolute(os.getenv "LUA_PATH" or ""),
  LUA_CPATH = absolute(os.getenv "LUA_CPATH" or ""),
}

-- Texts that --help must contain.
local SAID = {
  agreement_report = { "Exit codes", "reads, and costs nothing" },
  auto_improve = { "Exit codes", "SPENDS CREDITS", "--start", "--apply", "--state" },
  bulk_reevaluate = { "Exit codes", "spends credits", "--apply", "--redo-unknown" },
  ci_gate = { "Exit codes: 0 pass; 1 below a threshold; 2 wrong usage", "CREDITS", "--apply" },
  evaluate_calls = { "Exit codes", "spends credits", "--apply", "--success", "--limit" },
  labs_cycle = { "Exit codes", "SPEND CREDITS", "--apply", "--sheet", "--restart" },
  reevaluate_result = { "Exit codes", "spends credits", "--apply", "--max-evaluations" },
  vote_from_csv = { "Exit codes", "Votes cost nothing", "--dry-run", "--rejects", "--journal",
    "--redo-unknown", "--concurrency", "--no-progress", "--skip-bad" },
  with_luv = { "Usage: with_luv" },
}
for _, field in ipairs(cekura.endpoints["runs.mark_metric_vote"].fields) do
  table.insert(SAID.vote_from_csv, field.name)
end

describe("an example", function()
  local folder

  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  for path in lfs.dir "examples" do
    local name = path:match "^(.*)%.lua$"
    -- luv is looked up, and not loaded: busted unloads modules after each file, and the loop that
    -- with_luv_spec uses would be freed.
    local is_there = name ~= "with_luv" or package.searchpath("luv", package.cpath)
    if name and name ~= "quickstart" and is_there then
      it(name .. " says what it costs, also through a link in another folder", function()
        assert(os.execute(("exec env -u LD_PRELOAD ln -s %s/examples/%s.lua %s/it.lua"):format(HERE,
          name, folder)))
        assert(os.execute(("exec env -u LD_PRELOAD ln -s it.lua %s/again"):format(folder)))
        local words = { "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, child.lua,
          "again", "--help" }
        local output, errors, code = child.run_checked_apart(words, ENVIRONMENT)
        assert.equal("", errors)
        assert.matches("^Usage: ", output)
        assert.equal(0, code)
        for _, text in ipairs(SAID[name]) do assert.is_truthy(output:find(text, 1, true), text) end
        for line in output:gmatch "[^\n]+" do assert.is_true(#line <= 100, line) end
      end)
    end
  end
end)
