#!/usr/bin/env bash
# Looks for input that breaks a reader, with libFuzzer; `make fuzz` calls it after `make setup`.
#
#   scripts/fuzz.sh SECONDS [TARGET...]       for so long each target, or those named (tests/fuzz/src/lib.rs lists them)
#
# As many targets run at a time as there are cores. New input that takes new ways through the code is kept below
# target/fuzz/found/TARGET/, which the next run begins with; `POLYP_FUZZ_KEEP=1` adds the least of it that takes all these
# ways to tests/fuzz/corpus/TARGET/. Input that broke something is kept in target/fuzz/broken/ and named, and is shown
# without libFuzzer by: cargo run -p polyp-fuzz -- TARGET FILE.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-}
case $seconds in
  '' | 0* | *[!0-9]*) printf 'fuzz: expected seconds and names of targets, found `%s`\n' "$*" >&2; exit 2 ;;
esac
shift
mapfile -t all < <(sed -n 's/.*Target { name: "\([a-z-]*\)".*/\1/p' tests/fuzz/src/lib.rs)
targets=("${@:-${all[@]}}")
for target in "${targets[@]}"; do
  [[ " ${all[*]} " == *" $target "* ]] || { printf 'fuzz: expected one of %s, found `%s`\n' "${all[*]}" "$target" >&2; exit 2; }
done

# With the features that the tests have, so that what both build on is built once.
CARGO_INCREMENTAL=0 RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/sancov.sh cargo build --workspace --bin polyp-fuzz \
  --features polyp-fuzz/libfuzzer,polyp-engine/tensorrt-rtx,polyp-engine/ort-tensorrt
mkdir -p target/fuzz
cp target/debug/polyp-fuzz target/fuzz/

broken=$PWD/target/fuzz/broken
mkdir -p "$broken" target/fuzz/log
TMPDIR=$(mktemp -d --tmpdir="$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)" polyp-fuzz.XXXXXX)
export TMPDIR G_DEBUG=fatal_warnings broken seconds
trap 'rm -rf "$TMPDIR"' EXIT

one() { # TARGET
  local found=target/fuzz/found/$1 corpus=tests/fuzz/corpus/$1 log=target/fuzz/log/$1.txt
  mkdir -p "$found" "$corpus"
  export POLYP_FUZZ_TARGET=$1
  if ! target/fuzz/polyp-fuzz "$found" "$corpus" -artifact_prefix="$broken/$1-" -max_total_time="$seconds" -timeout=25 \
    -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
    printf 'fuzz: %s broke; the end of %s:\n' "$1" "$log"
    tail -n 40 "$log"
    return 1
  fi
  if [ -n "${POLYP_FUZZ_KEEP:-}" ]; then
    target/fuzz/polyp-fuzz -set_cover_merge=1 -use_counters=0 "$corpus" "$found" >>"$log" 2>&1
  fi
  local runs ways
  runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log" | tail -n 1)
  ways=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  printf 'fuzz: %-15s %4d s %10d runs %6d edges seen, nothing broke\n' "$1" "$seconds" "$runs" "$ways"
}
export -f one

printf '%s\n' "${targets[@]}" | xargs -I{} -P "$(nproc)" bash -c 'one "$1"' bash {}
