-- Parses commands of cekura-review from stdin as the program does, without running them.
-- Each line has the words of a command, separated by tabs. For each it prints a line: the exit code
-- and the message. It runs in a process of its own.

local output = require "cekura.review.internal.output"
require "cekura.review.main"

for name in io.popen("ls lua/cekura/review/commands"):lines() do
  require("cekura.review.commands." .. name:match "^[^.]+").run = function() return "ok" end
end

local code, said
function output.complain(...) said = said .. table.concat({ ... }) end
os.exit = function(number) code = number end  -- luacheck: ignore 122

for line in io.lines() do
  local words = {}
  for word in line:gmatch "[^\t]+" do words[#words + 1] = word end
  said = ""
  require "cekura.review.main"(words)
  io.write(code, " ", (said:gsub("\n", " ")), "\n")
end
