#!/usr/bin/env bash
# Installs the rocks as README.md says, then the packed rocks into empty trees. Then it votes against
# the sandbox, and runs the installed cekura-review, from folders in which Lua finds only those trees.
# Nothing is downloaded.
set -euo pipefail
v=${LUA_VERSION:-5.4}
unset LUA_PATH LUA_CPATH LUA_VERSION MAKEFLAGS
for name in "lua$v" "lua${v/./}" lua; do lua=$(command -v "$name") && break; done
system_cpath=$("$lua" -e 'print(package.cpath)')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/home" "$work/rocks" "$work/empty"
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

# Runs a gate against a sandbox. `program` is the path of cekura-review.
cat >"$work/gate.lua" <<'LUA'
local server = require "cekura.sandbox".start()
local command = ([[
  unset LUA_PATH LUA_CPATH
  export CEKURA_API_URL=%s CEKURA_API_KEY=%s
  exec "$program" gate --result 373 --metric '55>=1' --no-progress
]]):format(server.url, server.api_key)
local code = select(3, os.execute(command))
server:stop()
os.exit(code)
LUA

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
  (cd "$work/empty" && LUA_PATH=$path LUA_CPATH=$cpath$system_cpath "$lua" "$file")
}

# Runs the installed cekura-review of a tree, which finds its modules by itself. The loader of
# LuaRocks would find those in the tree of HOME, too.
review_of() {  # review_of TREE ARGUMENT…
  local program=$1/bin/cekura-review
  shift
  (cd "$work/empty" && HOME=$work/empty "$program" "$@" 2>&1)
}

use_program() {  # use_program TREE
  local output
  output=$(review_of "$1" demo) || fail "$output"
  grep -q '^5  A better metric' <<<"$output" || fail "$output"
  output=$(program=$1/bin/cekura-review HOME=$work/empty lua_with "$work/gate.lua" "$1" 2>&1) || fail "$output"
  grep -q '^result 373 (completed): pass' <<<"$output" || fail "$output"
  [ -z "$(ls -A "$work/empty")" ] || fail 'cekura-review leaves files'
}

# The files of a tree, except for those of LuaRocks.
files() { (cd "$1" && find . -type f -not -path './lib/luarocks/*' -not -name 'config-*' | sort); }

# What git shows about the checkout, except for build/.
checkout() { git status --porcelain --ignored | grep -v '^!! build/$' || true; }

# ---- the commands of README.md

before=$(checkout)
commands=$(sed -n '/^    mkdir -p ~\/.luarocks$/,/^$/ { s/^    //; s/5\.4/'"$v"'/g; p }' README.md)
[ "$(grep -c '^luarocks make' <<<"$commands")" = 3 ] || fail 'README.md does not install three rocks'
run bash -euc "$commands"$'\n'"cd / && $lua $work/vote.lua && cekura-review votes --help"
! grep Missing "$work/log" || fail 'LuaRocks misses a dependency'
[ "$(checkout)" = "$before" ] || fail "luarocks make leaves files in the checkout: $(checkout)"
for rockspec in rockspec/*.rockspec; do rocks lint "$rockspec"; done

# ---- the packed rocks

cd "$work/rocks"
for rock in cekura cekura-sandbox cekura-review; do rocks pack --tree "$HOME/.luarocks" $rock; done
core=$(ls cekura-scm-*.rock) sandbox=$(ls cekura-sandbox-scm-*.rock) review=$(ls cekura-review-scm-*.rock)

rocks install --tree "$work/a" "$core"
lua_with "$work/core.lua" "$work/a"
problem=$(lua_with "$work/sandbox.lua" "$work/a" 2>&1) && fail 'the sandbox is in the rock cekura'
grep -q 'sandbox.lua:1: cekura.sandbox is not installed: install the rock' <<<"$problem" ||
  fail "$problem"
files "$work/a" >"$work/core"
! grep review "$work/core" || fail 'cekura-review is in the rock cekura'

rocks install --tree "$work/a" "$review"
problem=$(review_of "$work/a" demo) && fail 'the demo needs no sandbox'
grep -q 'install the rock cekura-sandbox' <<<"$problem" || fail "$problem"

rocks install --tree "$work/a" "$sandbox"
lua_with "$work/vote.lua" "$work/a"
use_program "$work/a"

rocks install --tree "$work/b" --deps-mode none "$sandbox"
lua_with "$work/vote.lua" "$work/b" "$HOME/.luarocks"  # the client may be in another tree
lua_with "$work/vote.lua" "$HOME/.luarocks" "$work/b"
rocks install --tree "$work/b" "$core"
lua_with "$work/vote.lua" "$work/b"

# From a server of rocks, the sandbox pulls the client, and cekura-review pulls argparse, too. The
# argparse of this server is the system's.
argparse=$("$lua" -e 'print(package.searchpath("argparse", package.path))')
cp "$argparse" argparse.lua
cat >argparse-0.7.1-1.rockspec <<'LUA'
package, version = "argparse", "0.7.1-1"
source = { url = "git+https://github.com/mpeterv/argparse.git" }
build = { type = "builtin", modules = { argparse = "argparse.lua" } }
LUA
rocks make --tree "$work/argparse" --deps-mode none argparse-0.7.1-1.rockspec
rocks pack --tree "$work/argparse" argparse
run luarocks-admin --lua-version "$v" make_manifest .
echo 'rocks_provided = { ["lua-cjson"] = "2.1.0-1" }' >"$work/config.lua"
rocks install --tree "$work/b" --only-server "$PWD" cekura-review
export LUAROCKS_CONFIG=$work/config.lua
rocks install --tree "$work/c d" --only-server "$PWD" cekura-sandbox
lua_with "$work/vote.lua" "$work/c d"
rocks install --tree "$work/c d" --only-server "$PWD" cekura-review
[ -f "$work/c d/share/lua/$v/argparse.lua" ] || fail 'the rock cekura-review does not pull argparse'
use_program "$work/c d"
rocks remove --tree "$work/c d" --force argparse
unset LUAROCKS_CONFIG

# A file of two rocks would have got a second name.
for tree in "$HOME/.luarocks" "$work/a" "$work/b" "$work/c d"; do
  ! files "$tree" | grep scm || fail 'two rocks have the same file'
  diff <(files "$work/a") <(files "$tree") || fail 'the trees differ'
done

rocks remove --tree "$work/a" cekura-review
rocks remove --tree "$work/a" cekura-sandbox
diff "$work/core" <(files "$work/a") || fail 'the removed rock left files'
lua_with "$work/core.lua" "$work/a"

echo "rocks: ok, for Lua $v with LuaRocks $(luarocks --version | sed -n '1s/.* //p')"
