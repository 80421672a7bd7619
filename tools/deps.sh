#!/usr/bin/env bash
# Installs missing programs and libraries with the system's package manager.
#
#   tools/deps.sh GROUP…          build, sandbox, review, test, lint, valgrind, rocks,
#                                 conformance, coverage, fuzz, matrix, bench, and the hosts
#                                 of tools/hosts.sh
#   tools/deps.sh --check GROUP…  only lists what is missing, and fails if anything is
#
# The environment's LUA_VERSION is 5.4 (the default) or 5.5. Prints nothing if nothing is missing.
# Before it calls sudo on a terminal, it lists the packages and waits for Enter. It tests whether a
# program or library works, not whether a package is installed.
set -euo pipefail

v=${LUA_VERSION:-5.4}
case $v in
  5.4) brew_lua=lua@5.4 luv=lua-luv ;;
  5.5) brew_lua=lua luv='lua-luv libuv1-dev xz-utils' ;;  # to compile luv, see below
  *)   echo "LUA_VERSION must be 5.4 or 5.5, not \"$v\"" >&2; exit 2 ;;
esac

# group | description | test | apt | dnf | brew package (empty: not available)
table="
build|a C compiler|c_compiler|gcc libc6-dev|gcc glibc-devel|gcc
build|make|have make|make|make|make
build|pkg-config|have pkg-config|pkg-config|pkgconf-pkg-config|pkgconf
build|Lua $v|run_lua|lua$v|lua|$brew_lua
build|the headers of Lua $v|lua_headers|liblua$v-dev|lua-devel|$brew_lua
build|lua-cjson for Lua $v|lua_module cjson|lua-cjson|lua-cjson|luarocks:lua-cjson
build|libcurl with headers|libcurl|libcurl4-openssl-dev|libcurl-devel|curl
sandbox|libmicrohttpd with headers|library libmicrohttpd|libmicrohttpd-dev|libmicrohttpd-devel|libmicrohttpd
review|argparse 0.7.1 or newer for Lua $v|argparse_071|lua-argparse|luarocks:argparse|luarocks:argparse
test|busted for Lua $v|lua_module busted|lua-busted|luarocks:busted|luarocks:busted
test|openssl (certificates for the TLS specs)|have openssl|openssl|openssl|openssl
test|python3 (servers that misbehave)|have python3|python3|python3|python3
test|sources of locales (to make one with decimal commas)|locale_sources|locales|glibc-locale-source|
test|curl (a second client)|have curl|curl|curl|curl
test|luv for Lua $v (an event loop)|lua_module luv|$luv|luarocks:luv|luarocks:luv
valgrind|valgrind|have valgrind|valgrind|valgrind|valgrind
coverage|gcovr|have gcovr|gcovr|gcovr|gcovr
lint|luacheck|have luacheck|lua-check|luarocks:luacheck|luacheck
lint|cppcheck|have cppcheck|cppcheck|cppcheck|cppcheck
lint|clang|have clang|clang|clang|llvm
lint|clang-tidy|have clang-tidy|clang-tidy|clang-tools-extra|llvm
lint|clang-format|have clang-format|clang-format|clang-tools-extra|clang-format
fuzz|clang with libFuzzer|libfuzzer|clang libclang-rt-dev|clang compiler-rt|llvm
rocks|LuaRocks|have luarocks|luarocks|luarocks|luarocks
matrix|debootstrap|have debootstrap|debootstrap|debootstrap|
conformance|Node.js|have node|nodejs|nodejs|node
conformance|npm|have npm|npm|nodejs-npm|node
bench|nginx|exists /usr/sbin/nginx|nginx-light|nginx|nginx
bench|openssl (certificates)|have openssl|openssl|openssl|openssl
bench|curl|have curl|curl|curl|curl
bench|perf (system calls)|have perf|linux-perf|perf|
bench|strace|have strace|strace|strace|
bench|unshare (mount namespaces)|have unshare|util-linux|util-linux|
bench|requests for Python|python_module requests|python3-requests|python3-requests|
bench|httpx for Python|python_module httpx|python3-httpx|python3-httpx|
bench|aiohttp for Python|python_module aiohttp|python3-aiohttp|python3-aiohttp|
bench|Node.js|have node|nodejs|nodejs|node
bench|npm|have npm|npm|nodejs-npm|node
bench|lua-http|exists /usr/share/lua/5.3/http/client.lua|lua-http lua5.4 lua-cjson||
lighttpd|lighttpd with mod_magnet|exists /usr/lib/lighttpd/mod_magnet.so|lighttpd lighttpd-modules-lua||
apache|Apache with mod_lua|exists /usr/lib/apache2/modules/mod_lua.so|apache2||
haproxy|HAProxy|have haproxy|haproxy||
nmap|nmap|have nmap|nmap||
pandoc|pandoc|have pandoc|pandoc||
neomutt|NeoMutt|have neomutt|neomutt||
kamailio|Kamailio with app_lua|exists /usr/lib/*/kamailio/modules/app_lua.so|kamailio kamailio-lua-modules kamailio-extra-modules||
"

exists()     { [ -e "$1" ]; }
have()       { command -v "$1" >/dev/null; }
c_compiler() { have cc && echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1; }
run_lua()    {
  local lua
  lua=$(type -P "lua$v" "lua${v/./}" lua | head -n 1)
  "$lua" -e "if _VERSION ~= 'Lua $v' then os.exit(1) end ${1-}" 2>/dev/null
}
lua_package() {  # prints the name of Lua's pkg-config package
  local name
  for name in "lua$v" "lua-$v" "lua${v/./}" lua; do
    pkg-config --exists "$name >= $v $name < $v.99" 2>/dev/null && echo "$name" && return
  done
  return 1
}
lua_headers() { lua_package >/dev/null; }
lua_module() { run_lua "os.exit(package.searchpath('$1', package.path .. ';' .. package.cpath) ~= nil)"; }
argparse_071() { run_lua 'os.exit(require "argparse".version >= "0.7.1")'; }
python_module() { /usr/bin/python3 -c "import $1" 2>/dev/null; }
library()    { local name; for name; do pkg-config --exists "$name" 2>/dev/null && return; done; return 1; }
libcurl()    { library libcurl || curl-config --version >/dev/null 2>&1; }
libfuzzer()  {
  echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
    clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null
}
locale_sources() { [ -e /usr/share/i18n/charmaps/ANSI_X3.4-1968.gz ]; }

check_only=no
if [ "${1-}" = --check ]; then check_only=yes; shift; fi
[ $# -gt 0 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2; }
groups=" $* "

manager=
for candidate in apt-get dnf brew; do
  if have "$candidate"; then manager=$candidate; break; fi
done

missing='' packages='' rocks=''
while IFS='|' read -r group what probe apt dnf brew; do
  [[ $groups == *" $group "* ]] || continue
  case $manager in
    apt-get) wanted=$apt ;;
    dnf)     wanted=$dnf ;;
    brew)    wanted=$brew ;;
    *)       wanted=$what ;;
  esac
  [ -n "$wanted" ] && ! $probe || continue
  missing+="  $what"$'\n'
  case $wanted in
    luarocks:*) have luarocks || packages+=" luarocks"; rocks+=" ${wanted#luarocks:}" ;;
    *)          packages+=" $wanted" ;;
  esac
done <<<"$(sed '/^$/d' <<<"$table")"

[ -n "$missing" ] || exit 0
printf 'Missing for%s:\n%s' "${groups% }" "$missing" >&2
if [ $check_only = yes ]; then
  echo "\`make deps\` installs what is missing." >&2
  exit 1
fi
if [ -z "$manager" ]; then
  echo 'No known package manager (apt-get, dnf, brew): install these by hand.' >&2
  exit 1
fi

root=
if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
  have sudo || { echo "Run this as root: $manager install$packages" >&2; exit 1; }
  root=sudo
  if [ -t 0 ]; then
    printf 'To be installed with sudo:%s\n' "${packages// /$'\n'  }${rocks// /$'\n'  }" >&2
    printf 'Press Enter to install, Ctrl-C to stop: ' >&2
    read -r || exit 1
  fi
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {  # prints the command, and its output only if it fails
  echo "+ $*" >&2
  "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }
}

if [ -n "$packages" ]; then
  case $manager in
    apt-get)
      apt="$root env DEBIAN_FRONTEND=noninteractive apt-get"
      run $apt -qq update
      run $apt -qq -y --no-install-recommends install $packages ;;
    dnf)  run $root dnf -y -q install $packages ;;
    brew) run brew install -q $packages ;;
  esac
fi

# Compiles a module that Debian has for other versions of Lua only, from the upstream files of Debian's
# source package, into a folder of Lua's own search path. apt verifies these files. Its lists of source
# packages are in a temporary folder, so that the system's own lists remain as they are.
compile() (  # compile MODULE PACKAGE COMPILER'S-ARGUMENTS
  module=$1 package=$2
  shift 2
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cd "$folder"
  mkdir lists source
  apt-get indextargets 'Created-By: Packages' \
    --format 'deb-src [signed-by=$(SIGNED_BY)] $(REPO_URI) $(RELEASE) $(COMPONENT)' |
    sed 's/\[signed-by=\$(SIGNED_BY)\] //' >sources.list
  apt="apt-get -qq -o APT::Sandbox::User=$(id -un) -o Dir::Cache=$folder -o Dir::State::Lists=$folder/lists
    -o Dir::Etc::SourceList=$folder/sources.list -o Dir::Etc::SourceParts=-"
  run $apt update
  run $apt source --download-only --tar-only "$package"
  run tar -xf ./*.orig.tar.* -C source --strip-components=1
  cd source
  run cc -shared -O2 -fPIC $(pkg-config --cflags "$(lua_package)") -o "$module.so" "$@"
  run $root install -D -m 644 "$module.so" "/usr/local/lib/lua/$v/$module.so"
)
case $packages in *lua-cjson*) lua_module cjson || compile cjson lua-cjson lua_cjson.c strbuf.c fpconv.c ;; esac
case $packages in *lua-luv*)   lua_module luv   || compile luv lua-luv -Isrc src/luv.c -luv ;; esac

for rock in $rocks; do
  run $root luarocks --lua-version $v install $rock
done

"$0" --check "$@"  # fails if an installed package was not enough
