#!/usr/bin/env bash
# What scripts/fuzz.sh has cargo call instead of rustc for this workspace's crates: has them count what
# they run, which libFuzzer reads. What they are built on stays as the tests have it, so that it is not built twice.
set -euo pipefail
flags=()
case " $* " in
  *' --crate-name build_script_build '*) ;; # runs while building, without libFuzzer
  *' --crate-name '*)
    flags=(-Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4)
    for part in inline-8bit-counters pc-table trace-compares; do
      flags+=("-Cllvm-args=-sanitizer-coverage-$part")
    done
    ;;
esac
exec "$@" "${flags[@]}"
