#!/usr/bin/env bash
# Runs fuzz targets in sequence, each from the seeds in the tree and the inputs of earlier runs, and
# prints the number of inputs of each.
#
#   tools/fuzz.sh BUILD SECONDS TARGET…
set -uo pipefail
build=$1 seconds=$2 status=0
shift 2
mkdir -p "$build/found" "$build/logs"
export UBSAN_OPTIONS=print_stacktrace=1

for target; do
  mkdir -p "$build/corpus/$target"
  log="$build/logs/$target"
  if "$build/fuzzers/$target" -max_total_time="$seconds" -max_len=4096 -timeout=20 -detect_leaks=0 \
      -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$build/found/$target-" \
      "$build/corpus/$target" "spec/fuzz/corpus/$target" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf 'fuzz: %-12s ok, %s inputs in %s s\n' "$target" "$runs" "$seconds"
  else
    tail -n 60 "$log"
    printf 'fuzz: %-12s FAILED: the input is in %s\n' "$target" "$build/found/"
    status=1
  fi
done
exit $status
