#!/usr/bin/env bash
# Runs a command whose modules were built with -fsanitize=address,undefined. The interpreter was not,
# so the runtimes of the sanitizers are preloaded.
set -euo pipefail
preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=${LSAN_OPTIONS-print_suppressions=0:suppressions=$PWD/tools/lsan.supp}
LD_PRELOAD="$preload ${LD_PRELOAD-}" exec "$@"
