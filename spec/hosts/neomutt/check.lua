local program = require "program"

-- -D ends NeoMutt after the commands, and lists its settings.
return { {
  name = "NeoMutt", version = "neomutt -v", start = program.start, checks = program.checks,
  command = function(path, query)
    return ([[sh -c 'exec neomutt -n -F "$HOSTS/neomutt/neomuttrc" \
      -e "lua vote(\"%s\", \"%s\")" -D']]):format(path, query)
  end,
  answer = "^([^\n]*)",
} }
