# The commands of the project; each prepares what it needs, so that any of them may be the first on a fresh machine.
# The work stands in scripts/, so that it can be read and run without make.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The recipes name target/, whatever the user's own setting.
export CARGO_TARGET_DIR := $(CURDIR)/target

# A folder with nothing but the plugin: GStreamer would take every other library beside it for a plugin too.
plugin_release := target/gst/release

.PHONY: help need-cargo setup setup-base setup-demo setup-trainer setup-gpu build trainer demo test lint fuzz bench bench-peers bench-scaling check-format format doc clean-demo

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

need-cargo:
	@command -v cargo >/dev/null || { echo "make: cargo was not found; install Rust (the version stands in Cargo.toml, rust-version)." >&2; exit 1; }

setup: ## fetch all: Debian packages, OpenVINO, ONNX Runtime, weights, libtorch, readers for tests (760 MB)
	@scripts/setup.sh all

setup-base: ## fetch only what a cart needs to play
	@scripts/setup.sh base

setup-demo:
	@scripts/setup.sh base models

setup-trainer: ## fetch what `polyp-train` needs
	@scripts/setup.sh base models trainer

setup-gpu: ## fetch what NVIDIA cards need, with NVIDIA's licences (310 MB)
	@scripts/setup.sh gpu

build: need-cargo setup-base ## build the plugin and the tools for a cart, optimised; the plugin alone lies in target/gst/release/ (FEATURES: docs/GPU.md)
	cargo build --release --package gst-plugin-polyp --package polyp --package polyp-engine $(if $(FEATURES),--features $(FEATURES))
	@install -D target/release/libgstpolyp.so $(plugin_release)/libgstpolyp.so

trainer: need-cargo setup-trainer ## build `polyp-train`, optimised
	cargo build --release --package polyp-training

demo: setup-demo build ## play the demonstration: live segmentation without a camera and without a GPU
	@GST_PLUGIN_PATH="$(CURDIR)/$(plugin_release)$${GST_PLUGIN_PATH:+:$$GST_PLUGIN_PATH}" \
	 GST_REGISTRY="$(CURDIR)/target/gst/registry-release.bin" \
	 target/release/polyp demo $(ARGS)

test: need-cargo setup setup-gpu ## format, lints, every test, documentation: what must pass before a change goes in
	@scripts/test.sh

lint: need-cargo setup setup-gpu ## format and lints alone
	@scripts/test.sh lint

fuzz: need-cargo setup-trainer ## look for input that breaks a reader, SECONDS (60) for each, with libFuzzer
	@scripts/fuzz.sh $(or $(SECONDS),60) $(TARGETS)

bench-peers: setup-demo build ## measure beside what most people would write: Python with OpenCV, ONNX Runtime, GStreamer, OpenVINO (SECONDS 40 each, three rounds)
	@scripts/peers.sh $(or $(SECONDS),40)

bench-scaling: build ## measure how cost grows with streams, frame size and the network's input (SECONDS 20 each)
	@scripts/scaling.sh $(or $(SECONDS),20)

bench: need-cargo setup-demo ## measure: frame, overlay and network benchmarks
	cargo bench --package polyp --package polyp-engine --benches

check-format: need-cargo ## fail if a source file is not formatted
	cargo fmt --all --check

format: need-cargo ## format every source file
	cargo fmt --all

doc: need-cargo setup ## build the documentation of the workspace into target/doc/
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

clean-demo: ## remove what `make demo` wrote; target/ and .deps/ stay
	rm -rf demo
