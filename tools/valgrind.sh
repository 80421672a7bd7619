#!/usr/bin/env bash
# Runs a command under memcheck; an error or a lost block makes it fail.
exec valgrind --quiet --keep-debuginfo=yes --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
  --show-leak-kinds=definite,indirect --num-callers=24 --suppressions=tools/valgrind.supp "$@"
