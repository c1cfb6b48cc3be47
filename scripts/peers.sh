#!/usr/bin/env bash
# Runs the same clip and the same network through what most people would write, and through polyp, one after the other; prints the table that
# the README has, and keeps every figure in target/peers/peers.json.
#
#   scripts/peers.sh [SECONDS]      for each run (default 40); three rounds
#
# What the peers need is fetched into .deps/peers (tests/peers/requirements.txt, 155 MB) and from Debian (python3-gi). They are run by
# Debian's Python, because that is whom GStreamer's bindings are built for.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'peers: %s\n' "$*" >&2; exit 1; }
say() { printf 'peers: %s\n' "$*" >&2; }

python=/usr/bin/python3
packages=(python3 python3-pip python3-gi gir1.2-gst-plugins-base-1.0)
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "${missing[*]}: expected Debian packages, and this machine has no apt-get to install them with."
  say "installing ${missing[*]}"
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$version" = 3.11 ] || die "$python: expected version 3.11, which tests/peers/requirements.txt is for, found $version."

requirements=tests/peers/requirements.txt
stamp=$(sha256sum "$requirements" | cut -d' ' -f1)
if [ "$(cat .deps/peers/.stamp 2>/dev/null)" != "$stamp" ]; then
  say "fetching OpenCV, ONNX Runtime and OpenVINO for Python"
  rm -rf .deps/peers .deps/.peers
  "$python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: --root-user-action ignore --target .deps/.peers -r "$requirements"
  printf '%s\n' "$stamp" >.deps/.peers/.stamp
  mv .deps/.peers .deps/peers
fi

export GST_PLUGIN_PATH=$PWD/target/gst/release${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
export GST_REGISTRY=$PWD/target/gst/registry-release.bin
export PYTHONPATH=$PWD/.deps/peers PYTHONDONTWRITEBYTECODE=1
exec "$python" tests/peers/run.py "${1:-40}"
