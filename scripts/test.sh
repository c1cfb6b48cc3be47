#!/usr/bin/env bash
# Runs everything that a change has to pass; `make test` calls it after `make setup`.
#
#   scripts/test.sh [lint]       with `lint`: format and lints alone
#
# It stops at the first step that fails. At its end it lists what was skipped on this machine and why: a test that can
# not run here says so itself, with a line "skipped: WHAT, because WHY", and such lines are gathered.
#
# It fetches nothing and changes no source file.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-all} in
  all) only_lint='' ;;
  lint) only_lint=1 ;;
  *) printf 'test: expected `lint` or nothing, found `%s`\n' "$1" >&2; exit 2 ;;
esac

# nextest writes its report below the checkout's target/ whatever the user's own setting; so let all be there.
target=$PWD/target
export CARGO_TARGET_DIR=$target

began=$SECONDS
skipped=()

step() { # TITLE COMMAND...
  local title=$1 from=$SECONDS
  shift
  printf '\n==== %s\n' "$title"
  if ! "$@"; then
    printf '\ntest: failed at: %s (%s)\n' "$title" "$*" >&2
    exit 1
  fi
  printf '==== %s: %d s\n' "$title" $((SECONDS - from))
}

# ---- format and lints ------------------------------------------------------------------------------------------

step 'format' cargo fmt --all --check

# Warnings are denied through clippy's own arguments: RUSTFLAGS would build every dependency a second time.
step 'lints, default features' cargo clippy --workspace --all-targets -- -D warnings
# All features are one too many: the two flavours of TensorRT exclude each other.
features=(--features polyp-engine/tensorrt-rtx,polyp-engine/ort-tensorrt)
step 'lints, all features with TensorRT for RTX' cargo clippy --workspace --all-targets "${features[@]}" -- -D warnings
step 'lints, TensorRT 11' cargo clippy --package polyp-engine --all-targets --features tensorrt -- -D warnings
# Package by package: in a workspace build the trainer would switch the engines' default features on again.
step 'lints, no default features' cargo clippy --package polyp --package polyp-engine --all-targets --no-default-features -- -D warnings

if [ -n "$only_lint" ]; then
  printf '\ntest: format and lints passed in %d s\n' $((SECONDS - began))
  exit 0
fi

# ---- tests -----------------------------------------------------------------------------------------------------

# With all that cards need but a card. The trainer's and the tools' own features are the default ones.
step 'tools and plugin' cargo build --workspace "${features[@]}"

# A folder with nothing but the plugin, and a registry of our own: GStreamer remembers a plugin that failed to load.
install -D "$target/debug/libgstpolyp.so" "$target/gst/debug/libgstpolyp.so"
export GST_REGISTRY=$target/gst/registry-test.bin
export G_DEBUG=fatal_warnings
# The tools and the plugin are as new as the sources: the tests need not build them again (tests/lib.rs).
export POLYP_BUILT=$target/debug
gst-inspect-1.0 >/dev/null 2>&1 || true # writes the registry once, before many tests would at the same time

log=$target/test-output.txt
if cargo nextest --version >/dev/null 2>&1; then
  rm -f "$target/nextest/default/junit.xml"
  step 'tests' cargo nextest run --workspace "${features[@]}"
  sed -e 's/&quot;/"/g; s/&apos;/'"'"'/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' "$target/nextest/default/junit.xml" >"$log"
else
  skipped+=("skipped: cargo-nextest, because it is not installed; cargo test ran the tests one by one")
  run_tests() { cargo test --workspace "${features[@]}" --lib --bins --tests --examples --no-fail-fast -- --test-threads=1 --show-output 2>&1 | tee "$log"; }
  step 'tests' run_tests
fi
step 'tests in the documentation' cargo test --workspace "${features[@]}" --doc
step 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --workspace "${features[@]}" --no-deps

# ---- what was skipped ------------------------------------------------------------------------------------------

while IFS= read -r line; do
  skipped+=("$line")
done < <(grep -ohE 'skipped: .+, because .+' "$log" | sort -u)

printf '\ntest: all passed in %d s\n' $((SECONDS - began))
if [ ${#skipped[@]} -eq 0 ]; then
  printf 'skipped: nothing\n'
else
  printf '%s\n' "${skipped[@]}"
fi
