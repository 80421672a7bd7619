std = "lua54"
max_line_length = 100
max_cyclomatic_complexity = 12
cache = false
include_files = { "**/*.lua", "**/*.rockspec", ".busted", ".luacheckrc" }
exclude_files = { "build", "**/node_modules" }

files["spec"] = { std = "+busted" }
files["examples/sandbox_in_tests.lua"] = { std = "+busted" }
files["spec/hosts/apache/vote.lua"] = { globals = { "handle" }, read_globals = { "apache2" } }
files["spec/hosts/haproxy"] = { read_globals = { "core" } }
files["spec/hosts/kamailio/vote.lua"] = {
  globals = { "ksr_request_route", "ksr_votes" }, read_globals = { "KSR" },
}
files["spec/hosts/lighttpd"] = { read_globals = { "lighty" } }
files["spec/hosts/neomutt/vote.lua"] = { globals = { "vote" }, read_globals = { "mutt" } }
files["spec/hosts/pandoc/vote.lua"] = { globals = { "Link" }, read_globals = { "pandoc" } }
files["tools/manual.lua"] = { ignore = { "631" } } -- Markdown tables have long lines
files["rockspec"] = { std = "rockspec" }
files["lua/cekura/types.lua"] = { ignore = { "2..", "631" } }  -- annotations only
