std = "lua54"
max_line_length = 100
max_cyclomatic_complexity = 12
cache = false
include_files = { "**/*.lua", "**/*.rockspec", ".busted", ".luacheckrc" }
exclude_files = { "build", "**/node_modules" }

files["spec"] = { std = "+busted" }
files["tools/manual.lua"] = { ignore = { "631" } } -- Markdown tables have long lines
files["rockspec"] = { std = "rockspec" }
files["lua/cekura/types.lua"] = { ignore = { "2..", "631" } }  -- annotations only
