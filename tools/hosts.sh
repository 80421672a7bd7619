#!/usr/bin/env bash
# Runs the module in real hosts, and prints a table. The checks are in spec/hosts/.
#
#   tools/hosts.sh         all hosts, in the systems of `make matrix`; needs root
#   tools/hosts.sh HOST…   these hosts, in this Debian system: lighttpd, apache, haproxy, nmap,
#                          pandoc, neomutt, kamailio. Installs what is missing; needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
unset LUA_PATH LUA_CPATH MAKEFLAGS

if [ $# = 0 ]; then
  failed=0
  run() { tools/matrix.sh --run hosts "$1" "tools/hosts.sh $2" || failed=1; }
  run trixie 'lighttpd apache haproxy nmap pandoc neomutt'
  run sid kamailio  # on Debian 13 it links Lua 5.1
  exit $failed
fi

tools/deps.sh build sandbox test "$@"
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
make --quiet all install BUILD="${BUILD:-build}" PREFIX="$prefix" >/dev/null
cp -r spec/hosts "$prefix/hosts"
chmod 755 "$prefix"  # Apache's workers are not root

export HOSTS=$prefix/hosts PREFIX=$prefix
export LUA_PATH="$prefix/share/lua/5.4/?.lua;$prefix/share/lua/5.4/?/init.lua;$HOSTS/?.lua;;"
export LUA_CPATH="$prefix/lib/lua/5.4/?.so;;"
lua5.4 "$HOSTS/run.lua" "$@"
