-- The examples, started in other ways than from the checkout.

local child = require "support.child"
local lfs = require "lfs"
local scratch = require "support.scratch"

local HERE = lfs.currentdir()

-- Paths like those of this run, from any folder.
local function absolute(paths) return (paths:gsub("[^;]+", function(path)
  return path:find "^[/;]" and path or HERE .. "/" .. path
end)) end

local ENVIRONMENT = {
  LUA_PATH = absolute(os.getenv "LUA_PATH" or ""),
  LUA_CPATH = absolute(os.getenv "LUA_CPATH" or ""),
}

describe("an example", function()
  local folder

  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  for path in lfs.dir "examples" do
    local name = path:match "^(.*)%.lua$"
    -- Not loaded here: busted would forget luv, and its loop, which with_luv_spec needs, be freed.
    local is_there = name ~= "with_luv" or package.searchpath("luv", package.cpath)
    if name and name ~= "quickstart" and is_there then
      it(name .. " starts through a link, from another folder", function()
        assert(os.execute(("exec env -u LD_PRELOAD ln -s %s/examples/%s.lua %s/it.lua"):format(HERE,
          name, folder)))
        assert(os.execute(("exec env -u LD_PRELOAD ln -s it.lua %s/again"):format(folder)))
        local words = { "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, child.lua,
          "again", "--help" }
        local output, errors, code = child.run_checked_apart(words, ENVIRONMENT)
        assert.equal("", errors)
        assert.matches("^Usage: ", output)
        assert.equal(0, code)
      end)
    end
  end
end)
