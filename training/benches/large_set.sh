#!/usr/bin/env bash
# Imports a large data set and learns from it for an epoch, and says how much memory each took at most (VmHWM).
#
#   training/benches/large_set.sh [COUNT] [FOLDER]
#
# COUNT is 100000 pictures of 96x80 unless given, FOLDER a new folder in $TMPDIR, which is removed at the end; one
# that is given stays. POLYP_TRAIN and LARGE_SET name the two programs, built in release mode unless given. At least
# the weights that `make setup` fetches have to be there. Fails when either step takes more than LIMIT_MIB (2048).
set -euo pipefail
cd "$(dirname "$0")/../.."

count=${1:-100000}
limit=${LIMIT_MIB:-2048}
folder=${2:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
if [ -z "${POLYP_TRAIN:-}" ] || [ -z "${LARGE_SET:-}" ]; then
  cargo build --release -p polyp-training --bin polyp-train --example large_set
fi
train=${POLYP_TRAIN:-target/release/polyp-train}
large_set=${LARGE_SET:-target/release/examples/large_set}
status=0

# Runs a program and prints how long it took and its largest resident memory, asked for five times a second.
measured() {
  local what=$1 peak=0 now began=$SECONDS
  shift
  "$@" &
  local pid=$!
  while now=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
    peak=$now
    sleep 0.2
  done
  wait "$pid"
  echo "$what: $count pictures, $((SECONDS - began)) s, at most $((peak / 1024)) MiB resident (limit $limit)"
  if [ $((peak / 1024)) -gt "$limit" ]; then status=1; fi
}

[ -d "$folder/set/images" ] || "$large_set" "$folder/set" "$count"
measured import "$train" import folder "$folder/set" --validation-share 0.02 --out "$folder/set.h5"
ls -l "$folder/set.h5" | awk '{ printf "set.h5: %d MiB\n", $5 / 1048576 }'
# One thread: on small pictures several wait for each other more than they work.
sed -e 's/^epochs = .*/epochs = 1/' -e 's/^side_px = .*/side_px = 64/' -e 's/^warmup_epochs = .*/warmup_epochs = 0.0/' \
  -e 's/^precision = .*/precision = "f32"/' -e 's/^threads = .*/threads = 1/' configs/training/lite0.toml > "$folder/fit.toml"
rm -rf "$folder/run"
measured fit "$train" fit --config "$folder/fit.toml" --data "$folder/set.h5" --out "$folder/run"
exit $status
