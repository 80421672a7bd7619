-- The commands of cekura-review in the documents: its parser accepts each of them.

local child = require "support.child"
local scratch = require "support.scratch"

-- Returns the words of a command line, as a shell divides it, up to a pipe, a redirection, the end
-- of a command or a comment. A variable, $(…) and {} are replaced by 1.
local function words_of(line)
  local words, at = {}, 1
  line = line:gsub("%$%b()", "1"):gsub("%${?[%w_]+}?", "1"):gsub("{}", "1")
  while true do
    at = line:find("%S", at)
    if not at or line:find("^[|;&>#)]", at) then return words end
    local word = ""
    while at <= #line and not line:find("^[%s|;&>)]", at) do
      local _, stop, quote, quoted = line:find([[^(["'])(.-)%1]], at)
      if quote then word = word .. quoted else stop, word = at, word .. line:sub(at, at) end
      at = stop + 1
    end
    words[#words + 1] = word
  end
end

-- Calls visit(line number, text, whether it is inline) for each command of cekura-review in a
-- document: in a block, up to the end of the line, or in backticks.
local function each_command(text, visit)
  local number = 0
  for line in (text:gsub("\\\n%s*", " ") .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if line:find "`" then
      for code in line:gmatch "`(cekura%-review [^`]*)`" do visit(number, code, true) end
    else
      local code = line:match "(cekura%-review [a-z]+.*)$"
      if code then visit(number, code, false) end
    end
  end
end

-- Parses commands of cekura-review. Returns { { code, message }, … }.
local function parse(commands)
  local lines = {}
  for i, words in ipairs(commands) do lines[i] = table.concat(words, "\t", 2) .. "\n" end
  local path = scratch.path()
  scratch.write(path, table.concat(lines))
  local output, status = child.run { "sh", "-c", 'exec "$0" spec/support/parsed.lua <"$1"',
    child.lua, path }
  local results = {}
  for code, message in output:gmatch "(%d+) ([^\n]*)\n" do
    results[#results + 1] = { math.tointeger(tonumber(code)), message }
  end
  assert(#results == #commands and status == 0, output)
  return results
end

-- A command in a sentence may lack arguments.
local INCOMPLETE = { "missing", "requires", "is required", "at least", "one of" }

local function lacks_arguments(message)
  for _, word in ipairs(INCOMPLETE) do
    if message:find(word, 1, true) then return true end
  end
  return false
end

describe("a command of cekura-review in the documents", function()
  it("is accepted by its parser", function()
    local commands, places = {}, {}
    local listing <close> = assert(io.popen "ls *.md docs/*.md")
    for path in listing:lines() do
      each_command(scratch.read(path), function(number, text, is_inline)
        commands[#commands + 1] = words_of(text)
        places[#places + 1] = { ("%s, command of line %d: %s"):format(path, number, text),
          is_inline = is_inline }
      end)
    end
    assert.is_true(#commands > 20)
    for i, result in ipairs(parse(commands)) do
      local code, message = table.unpack(result)
      local is_fine = code == 0 or places[i].is_inline and lacks_arguments(message)
      assert.is_true(is_fine, places[i][1] .. "\n" .. message)
    end
  end)

  it("is refused if an option, a subcommand or a value is wrong", function()
    local results = parse {
      { "cekura-review", "votes", "votes.csv", "--lap" }, { "cekura-review", "vote", "votes.csv" },
      { "cekura-review", "votes" }, { "cekura-review", "gate", "--result", "x" },
      { "cekura-review", "votes", "votes.csv", "--lab" },
    }
    for i = 1, 4 do assert.equal(2, results[i][1], results[i][2]) end
    assert.same({ 0, "" }, results[5])
    assert.is_true(lacks_arguments(results[3][2]), results[3][2])
    assert.is_false(lacks_arguments(results[1][2]), results[1][2])
  end)
end)

describe("docs/cookbook.md", function()
  it("has a row for each subcommand", function()
    local text = scratch.read "docs/cookbook.md"
    local listing <close> = assert(io.popen "ls lua/cekura/review/commands")
    for file in listing:lines() do
      local row = ("\n| `cekura-review %s` | "):format(file:match "^[^.]+")
      assert.is_truthy(text:find(row, 1, true), file)
    end
  end)
end)
