#!/usr/bin/env bash
# Installs the rocks as README.md says, then the packed rocks into empty trees, and votes against the
# sandbox from a folder in which Lua finds only those trees. Nothing is downloaded.
set -euo pipefail
v=${LUA_VERSION:-5.4}
unset LUA_PATH LUA_CPATH LUA_VERSION MAKEFLAGS
lua=$(command -v "lua$v" "lua${v/./}" lua | head -n 1)
system_cpath=$("$lua" -e 'print(package.cpath)')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/home" "$work/rocks"
export HOME=$work/home http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9

cat >"$work/vote.lua" <<'LUA'
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
LUA
echo 'assert(require "cekura".new { api_key = "key" }):close()' >"$work/core.lua"
echo 'require "cekura.sandbox"' >"$work/sandbox.lua"

fail() { printf 'rocks: %s\n' "$1" >&2; exit 1; }

run() {  # prints the output of a command only if it fails
  "$@" >"$work/log" 2>&1 </dev/null || { cat "$work/log" >&2; fail "failed: $*"; }
}

rocks() { run luarocks --lua-version "$v" "$@"; }

lua_with() {  # lua_with FILE TREE…: runs a program with the rocks of these trees
  local file=$1 path='' cpath='' tree
  shift
  for tree; do
    path+="$tree/share/lua/$v/?.lua;$tree/share/lua/$v/?/init.lua;"
    cpath+="$tree/lib/lua/$v/?.so;"
  done
  (cd / && LUA_PATH=$path LUA_CPATH=$cpath$system_cpath "$lua" "$file")
}

files() { (cd "$1" && find lib/lua share -type f | sort); }

# What git shows about the checkout, except for build/.
checkout() { git status --porcelain --ignored | grep -v '^!! build/$' || true; }

# ---- the commands of README.md

before=$(checkout)
commands=$(sed -n '/^    mkdir -p ~\/.luarocks$/,/^$/ { s/^    //; s/5\.4/'"$v"'/g; p }' README.md)
[ "$(grep -c '^luarocks make' <<<"$commands")" = 2 ] || fail 'README.md does not install two rocks'
run bash -euc "$commands"$'\n'"cd / && $lua $work/vote.lua"
! grep Missing "$work/log" || fail 'LuaRocks misses a dependency'
[ "$(checkout)" = "$before" ] || fail "luarocks make leaves files in the checkout: $(checkout)"
for rockspec in rockspec/*.rockspec; do rocks lint "$rockspec"; done

# ---- the packed rocks

cd "$work/rocks"
for rock in cekura cekura-sandbox; do rocks pack --tree "$HOME/.luarocks" $rock; done
core=$(ls cekura-scm-*.rock) sandbox=$(ls cekura-sandbox-scm-*.rock)

rocks install --tree "$work/a" "$core"
lua_with "$work/core.lua" "$work/a"
problem=$(lua_with "$work/sandbox.lua" "$work/a" 2>&1) && fail 'the sandbox is in both rocks'
grep -q 'sandbox.lua:1: cekura.sandbox is not installed: install the rock' <<<"$problem" ||
  fail "$problem"
files "$work/a" >"$work/core"

rocks install --tree "$work/a" "$sandbox"
lua_with "$work/vote.lua" "$work/a"

rocks install --tree "$work/b" --deps-mode none "$sandbox"
lua_with "$work/vote.lua" "$work/b" "$HOME/.luarocks"  # the client may be in another tree
lua_with "$work/vote.lua" "$HOME/.luarocks" "$work/b"
rocks install --tree "$work/b" "$core"
lua_with "$work/vote.lua" "$work/b"

# The sandbox alone pulls the client from a server of rocks.
run luarocks-admin --lua-version "$v" make_manifest .
rocks install --tree "$work/c d" --only-server "$PWD" cekura-sandbox
lua_with "$work/vote.lua" "$work/c d"

# A file of both rocks would have got a second name.
for tree in "$HOME/.luarocks" "$work/a" "$work/b" "$work/c d"; do
  ! files "$tree" | grep scm || fail 'both rocks have the same file'
  diff <(files "$work/a") <(files "$tree") || fail 'the trees differ'
done

rocks remove --tree "$work/a" cekura-sandbox
diff "$work/core" <(files "$work/a") || fail 'the removed rock left files'
lua_with "$work/core.lua" "$work/a"

echo "rocks: ok, for Lua $v with LuaRocks $(luarocks --version | sed -n '1s/.* //p')"
