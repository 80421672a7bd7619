local program = require "program"

return { {
  name = "pandoc", version = "pandoc --version", start = program.start, checks = program.checks,
  command = function(path, query)
    return ([[sh -c 'echo "[x](%s?%s)" >"$SCRATCH/in.md"
      exec pandoc -L "$HOSTS/pandoc/vote.lua" -t plain "$SCRATCH/in.md"']]):format(path, query)
  end,
  answer = "^([^\n]*)",
} }
