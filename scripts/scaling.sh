#!/usr/bin/env bash
# Measures how the cost grows: with streams at 720p and 1080p, with the frame's size to 2160p, with the network's input from 128 to 352.
# Prints the tables of docs/LATENCY.md.
#
#   scripts/scaling.sh [SECONDS]      for each run of streams (default 20)
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
export GST_PLUGIN_PATH=$PWD/target/gst/release${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
export GST_REGISTRY=$PWD/target/gst/registry-release.bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

processor=$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1)
printf '%s, %s processors; engine lite, %s s each, 30 frames a second a stream, mode=live\n\n' "$processor" "$(nproc)" "$seconds"
printf '| frames | streams | picture p50, ms | p99 | masks a second, all | age p50, ms | p99 | late frames |\n|---|---|---|---|---|---|---|---|\n'
for case in 720p:1 720p:2 720p:4 1080p:1 1080p:2 1080p:4 1440p:1 2160p:1; do
  size=${case%:*} streams=${case#*:}
  [ "$size" != 1440p ] || size=2560x1440
  target/release/polyp bench --size "$size" --streams "$streams" --time "${seconds}s" --json >"$work/out.json" 2>/dev/null
  python3 - "$work/out.json" "$seconds" <<'P'
import json, sys
f = json.load(open(sys.argv[1]))
p, a = f["picture_path_ms"], f["mask_age_ms"]
cell = lambda value: "-" if value is None else f"{value:.2f}"
print(f'| {f["size"]} | {f["streams"]} | {cell(p["median"])} | {cell(p["p99"])} | {f["masks_per_second"]:.1f} | {cell(a["median"])} | {cell(a["p99"])} | {f["sink"]["late"]} of {f["frames"]} |')
P
done

printf '\n| input, px | network p50, ms | p99 | ms for each 10,000 px |\n|---|---|---|---|\n'
for side in 128 160 192 224 256 288 320 352; do
  target/release/polyp-engine new --spec lite --side "$side" --out "$work/$side" >/dev/null
  target/release/polyp-engine bench --engine "$work/$side" --json >"$work/out.json"
  python3 - "$work/out.json" "$side" <<'P'
import json, sys
f, side = json.load(open(sys.argv[1])), int(sys.argv[2])
print(f'| {side} x {side} | {f["median_ms"]:.1f} | {f["p99_ms"]:.1f} | {f["median_ms"] / (side * side / 1e4):.2f} |')
P
done
