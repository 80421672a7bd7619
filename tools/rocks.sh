#!/usr/bin/env bash
# Installs both rocks with LuaRocks into a temporary tree, and votes against the sandbox from a folder
# in which Lua finds only that tree.
set -euo pipefail
unset LUA_PATH LUA_CPATH MAKEFLAGS
v=${LUA_VERSION:-5.4}
lua=$(command -v "lua$v" "lua${v/./}" lua | head -n 1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
# Builds in a copy, because LuaRocks leaves objects beside the sources.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d "" file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done |
  xargs -0 cp --parents -t "$work/source"

cd "$work/source"
for rockspec in rockspec/cekura-scm-1.rockspec rockspec/cekura-sandbox-scm-1.rockspec; do
  luarocks make --lua-version $v --deps-mode none --tree "$work/tree" "$rockspec" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
done

cd /
system_cpath=$("$lua" -e 'print(package.cpath)')
LUA_PATH="$work/tree/share/lua/$v/?.lua;$work/tree/share/lua/$v/?/init.lua" \
LUA_CPATH="$work/tree/lib/lua/$v/?.so;$system_cpath" "$lua" - <<'LUA'
local cekura = require "cekura"
local server = require "cekura.sandbox".start()
local client = assert(cekura.new { api_url = server.url, api_key = server.api_key })

-- The sandbox starts with this run and this metric.
local vote, response = assert(client.runs:mark_metric_vote {
  run_id = 5544, metric_id = 55, thumbs_up = true, expected_value = true,
})
assert(vote.success == true and response.status == 200)
client:close()
server:stop()
print("rocks: ok, " .. cekura._VERSION .. " voted from outside its tree")
LUA
