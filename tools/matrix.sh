#!/usr/bin/env bash
# Runs the README's two commands, `make demo` and `make test`, on other systems, and prints a table.
# debootstrap builds the systems. Needs root.
#
#   tools/matrix.sh SYSTEM…                    the rows of these systems: bookworm, trixie, sid
#   tools/matrix.sh --run LAYER SYSTEM SCRIPT  only runs a bash script there, in a clone of HEAD
#
# MATRIX_HOME (~/.cache/cekura-matrix) keeps the systems, for a day, and their packages. A script works
# on a layer over the system, so that the system stays bare. A LAYER is kept with the system; the layer
# of a row is removed. MIRROR is a mirror of Debian, SPEC names the specs of the rows.
set -euo pipefail
cd "$(dirname "$0")/.."

# system | the name in the table | Lua | the variables of make
rows='
bookworm|Debian 12|5.4|
trixie|Debian 13|5.4|
sid|Debian sid|5.4|
bookworm|Debian 12|5.4|CJSON=build/clamping/cjson.so
sid|Debian sid|5.5|LUA_VERSION=5.5
'
home=${MATRIX_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/cekura-matrix}
mirror=${MIRROR:-http://deb.debian.org/debian}
logs=${BUILD:-build}/matrix

fail() { echo "tools/matrix.sh: $*" >&2; exit 2; }

# Builds the system unless it is less than a day old. Its layers belong to the old one.
build() {
  local folder=$home/$1 log=$logs/$1.log
  mkdir -p "$folder/packages/partial"
  [ -z "$(find "$folder/built" -mtime -1 2>/dev/null)" ] || return 0
  echo "==== $1: debootstrap"
  rm -rf "$folder/system" "$folder/layers"
  debootstrap --variant=minbase --include=ca-certificates,git,make --cache-dir="$folder/packages" \
    "$1" "$folder/system" "$mirror" >"$log" 2>&1 || { tail -n 20 "$log"; fail "debootstrap failed"; }
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$folder/system/etc/hosts"
  # A mirror may be older than a release file of sid is valid.
  echo 'Acquire::Check-Valid-Until "false";' >"$folder/system/etc/apt/apt.conf.d/90mirror"
  touch "$folder/built"
}

# Runs in namespaces of its own for mounts and processes, which end with it.
inside='
set -euo pipefail
folder=$1 layer=$2 script=$3 root=$2/root
mount -t overlay overlay -o "lowerdir=$folder/system,upperdir=$layer/upper,workdir=$layer/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%:*}" "$root/dev/${stream#*:}"; done
mount --bind "$folder/packages" "$root/var/cache/apt/archives"
cp /etc/resolv.conf "$root/etc/resolv.conf"
rm -rf "$root/root/cekura"
git clone -q --no-local . "$root/root/cekura"
exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/root CI=true CEKURA_BUSY="${CEKURA_BUSY-}" bash -ec "cd /root/cekura; $script"
'
enter() {  # SYSTEM LAYER SCRIPT
  local layer=$home/$1/layers/$2
  mkdir -p "$layer/upper" "$layer/work" "$layer/root"
  unshare --mount --pid --fork --kill-child --propagation private \
    bash -c "$inside" bash "$home/$1" "$layer" "$3" </dev/null
}

line() { printf '%-12s %-9s %-7s %-10s %7s %7s %8s\n' "$@"; }
table=$(line system libcurl Lua lua-cjson passed failed seconds)
green=yes

row() {  # SYSTEM NAME LUA VARIABLES
  local log=$logs/$1${4:+-${4%%=*}}.log start=$SECONDS passed=- failed=- versions=(- - -)
  local cjson="lua$3 -e 'print(require \"cjson\"._VERSION)'"
  [[ $4 != CJSON=* ]] || cjson='echo stand-in'
  echo "==== $2, make demo, make test $4"
  rm -rf "$home/$1/layers/row"
  enter "$1" row "
    make demo $4
    make test $4 SPEC='${SPEC:-spec}'
    echo versions: \$(pkg-config --modversion libcurl) \$(lua$3 -v | cut -d' ' -f2) \$($cjson)
  " >"$log" 2>&1 || { green=no; grep -v '^[●◼]' "$log" | tail -n 100; }
  rm -rf "$home/$1/layers/row"
  ! grep -q '^versions: ' "$log" || read -ra versions < <(sed -n 's/^versions: //p' "$log")
  ! grep -Eq '^[0-9]+ passed, ' "$log" || read -r passed _ failed _ < <(grep -E '^[0-9]+ passed, ' "$log")
  table+=$'\n'$(line "$2" "${versions[@]}" "$passed" "$failed" $((SECONDS - start)))
}

# Waits while another run uses the system.
lock() {
  mkdir -p "$home/$1" "$logs"
  exec 9>"$home/$1/lock"
  flock 9
}

[ "$(id -u)" = 0 ] || fail "run it as root: debootstrap, mount and chroot need it"
case ${1-} in
  '' | -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
  --run)
    [ $# = 4 ] || fail "--run needs LAYER SYSTEM SCRIPT"
    lock "$3"
    build "$3"
    enter "$3" "$2" "$4"
    exit ;;
esac
for system; do
  grep -q "^$system|" <<<"$rows" || fail "no such system: $system"
done
for system; do
  lock "$system"
  build "$system"
  while IFS='|' read -r name title lua variables; do
    [ "$name" != "$system" ] || row "$name" "$title" "$lua" "$variables"
  done <<<"$rows"
done
echo "$table"
[ $green = yes ]
