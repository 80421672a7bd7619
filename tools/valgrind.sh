#!/usr/bin/env bash
# Runs a command under memcheck. An error or a lost block of our own makes it fail.
exec valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
  --show-leak-kinds=definite,indirect --num-callers=24 --keep-debuginfo=yes \
  --suppressions="$(dirname "$(realpath "$0")")/valgrind.supp" "$@"
