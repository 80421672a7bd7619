#!/usr/bin/env bash
# Runs the static checks, and continues after a failure, so that one run shows all problems.
# `make lint` builds the objects first, in $BUILD.
set -uo pipefail
BUILD=${BUILD:-build}
v=${LUA_VERSION:-5.4}
lua=$(command -v "lua$v" "lua${v/./}" lua | head -n 1)
sources=$(find src examples spec -name '*.c' | sort)
headers=$(find src include examples spec -name '*.h' | sort)
failed=''

step() {  # step NAME COMMAND…
  local name=$1 start=$SECONDS output
  shift
  if output=$("$@" 2>&1); then
    printf 'lint: %-13s ok, %d s\n' "$name" $((SECONDS - start))
  else
    printf '%s\nlint: %-13s FAILED\n' "$output" "$name"
    failed+=" $name"
  fi
}

fresh() {  # the generated files are those that tools/generate.lua writes now
  local folder status=0
  folder=$(mktemp -d)
  mkdir -p "$folder/lua/cekura" "$folder/docs"
  "$lua" tools/generate.lua "$folder" || status=1
  for file in lua/cekura/types.lua docs/reference.md; do
    diff -u "$file" "$folder/$file" || { echo "$file is stale: run \`make generate\`"; status=1; }
  done
  rm -rf "$folder"
  return $status
}

tidy() {
  local flags
  flags="-std=c11 -D_GNU_SOURCE -Isrc -Iinclude $(pkg-config --cflags "lua$v" libcurl libmicrohttpd)"
  xargs -P "$(nproc)" -n 1 sh -c 'clang-tidy --quiet "$0" -- '"$flags" 2>&1 <<<"$sources" |
    sed '/warnings\{0,1\} generated\.$/d'
}

objects() {  # objects FOLDER COMPILER CFLAGS: with the flags of the Makefile, which make warnings errors
  sed "s|^|build/$1/obj/|; s|c$|o|" <<<"$sources" |
    xargs make --quiet --no-print-directory BUILD="build/$1" CC="$2" CFLAGS="$3"
}

step layers       "$lua" tools/layers.lua "$BUILD/obj"
step generated    fresh
step luacheck     luacheck --quiet --no-color .
step clang-format clang-format --dry-run -Werror $sources $headers
step cppcheck     cppcheck --quiet --std=c11 -D_GNU_SOURCE -Isrc -Iinclude --inline-suppr --error-exitcode=1 \
                  --enable=warning,performance,portability \
                  --suppress=preprocessorErrorDirective $sources  # cppcheck reads no system headers
step clang        objects clang clang "-O2 -g"
step analyzer     objects analyzer gcc "-O0 -g -fanalyzer"  # -O2 hides some faults
step clang-tidy   tidy
[ -z "$failed" ] || { echo "lint: failed:$failed" >&2; exit 1; }
