#!/usr/bin/env bash
# Verifies and measures an engine on this machine's NVIDIA card, and keeps everything: card, driver, versions, raw figures.
#
#   engines/benches/card.sh ENGINE [FRAMES]      the engine's folder; frames to time for each row (100000)
#
# Build before: make setup-gpu && make build FEATURES=polyp-engine/tensorrt-rtx
# It writes engines/benches/results/DATE-CARD/. compute-sanitizer is used where it is installed.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
engine=$(realpath "$1")
frames=${2:-100000}
cd "$(dirname "$0")/../.."
tool=target/release/polyp-engine
[ -x "$tool" ] || { echo "card: $tool was not found; build it first." >&2; exit 1; }
command -v nvidia-smi >/dev/null || { echo "card: nvidia-smi was not found; without NVIDIA's driver there is nothing to measure." >&2; exit 1; }

card=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1 | tr -cs 'A-Za-z0-9' '-')
out=engines/benches/results/$(date +%Y-%m-%d)-${card%-}
mkdir -p "$out"
{
  date -u +%FT%TZ
  nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,clocks.max.sm --format=csv
  "$tool" --version
  git rev-parse HEAD
  sha256sum "$engine/manifest.json" | cut -d' ' -f1
} >"$out/machine.txt"

echo "== every backend against the reference"
"$tool" verify "$engine" | tee "$out/verify.txt"

echo "== every kernel against the CPU's"
cargo nextest run --package polyp-engine --features tensorrt-rtx --test card --test kernels 2>&1 | tee "$out/kernels.txt"

if command -v compute-sanitizer >/dev/null; then
  echo "== compute-sanitizer"
  compute-sanitizer --tool memcheck --error-exitcode 1 "$tool" bench --engine "$engine" --backend tensorrt-rtx --frames 40 \
    2>&1 | tee "$out/sanitizer.txt"
else
  echo "skipped: compute-sanitizer, because it is not installed" | tee "$out/sanitizer.txt"
fi

for precision in f16 f32; do
  for batch in 1 2 4 8; do
    echo "== $precision, batch $batch"
    "$tool" bench --engine "$engine" --backend tensorrt-rtx --precision "$precision" --batch "$batch" --frames "$frames" \
      --json >"$out/bench-$precision-$batch.json"
    "$tool" bench --engine "$engine" --backend tensorrt-rtx --precision "$precision" --batch "$batch" --frames 1000
  done
done
echo "card: kept in $out"
