-- Commands as lists of words.
local shell = {}

local BUILD = os.getenv "CEKURA_BUILD" or "build"

shell.lua = arg[-1]

-- Returns the path of a program that make has built from spec/bench.
function shell.build(name) return BUILD .. "/bench/" .. name end

local function quoted(word) return "'" .. tostring(word):gsub("'", [['\'']]) .. "'" end

-- Returns a shell command that becomes the program.
function shell.line(words)
  local parts = { "exec" }
  for _, word in ipairs(words) do parts[#parts + 1] = quoted(word) end
  return table.concat(parts, " ")
end

-- Returns a list with the words of all arguments, each a word or a list.
function shell.words(...)
  local all = {}
  for _, part in ipairs { ... } do
    if type(part) == "table" then table.move(part, 1, #part, #all + 1, all)
    else all[#all + 1] = part end
  end
  return all
end

-- Returns stdout, or nil and a message if the program fails.
function shell.try(words)
  local pipe = assert(io.popen(shell.line(words)))
  local output = pipe:read "a"
  local ok, _, code = pipe:close()
  if ok then return output end
  return nil, ("%s ended with %s"):format(table.concat(words, " "), code)
end

function shell.read(words) return assert(shell.try(words)) end

function shell.run(words) shell.read(words) end

function shell.is_root() return shell.read { "id", "-u" } == "0\n" end

return shell
