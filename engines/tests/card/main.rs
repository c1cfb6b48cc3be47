//! The whole way of a frame over a card, on a machine without one: the flow, its engine and the worker on a mock driver that runs the
//! real kernels and the committed network on the CPU.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]

#[cfg(feature = "cuda")]
mod driver;
#[path = "../kernels/host.rs"]
#[allow(dead_code, reason = "the kernels' own tests use the rest")]
mod host;
mod masks;
mod mock;
mod network;
mod painter;
mod refusals;
#[cfg(feature = "cuda")]
mod stand_in;
mod streams;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use polyp::frame::{Colorimetry, FrameView, PixelFormat, Plane, Rect, Size};
use polyp::input::{InputSpec, Placement};
use polyp_engine::cuda::engine::CardEngine;
use polyp_engine::cuda::frame::{CardFrame, FrameRing};
use polyp_engine::engine::{Backend, Engine, Options, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::folder::EngineFolder;

use mock::Mock;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The committed engine's folder.
fn folder() -> EngineFolder {
    EngineFolder::open(&root().join("engines/store/lite")).unwrap()
}

/// The committed engine on a CPU.
fn on_cpu(folder: &EngineFolder) -> Box<dyn Engine> {
    let options = Options { precision: Precision::F32, threads: 1, ..Options::default() };
    (Backend::named("openvino").unwrap().open)(folder, &options).unwrap()
}

/// A card with the committed engine for at most `largest` pictures at once.
fn card(folder: &EngineFolder, largest: usize) -> (Mock, Result<CardEngine, EngineError>) {
    let mock = Mock::new(on_cpu(folder), folder.memory().unwrap());
    let engine = open(&mock, folder, largest);
    (mock, engine)
}

fn open(mock: &Mock, folder: &EngineFolder, largest: usize) -> Result<CardEngine, EngineError> {
    CardEngine::new(Box::new(mock.clone()), Box::new(mock.clone()), folder, ("mock", Precision::F32, largest))
}

/// A picture with its bytes.
struct Still {
    pixels: Vec<u8>,
    size: Size,
    stride: usize,
}

impl Still {
    /// Committed picture number `index`.
    fn fixture(index: usize) -> Self {
        let folder = root().join("tests/fixtures/kvasir-seg/images");
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let picture = image::open(&paths[index]).unwrap().to_rgb8();
        let size = Size::new(picture.width(), picture.height());
        Self { stride: 3 * size.width as usize, pixels: picture.into_raw(), size }
    }

    /// The same with bytes after each row, as GStreamer's pools like it.
    fn padded(self) -> Self {
        let stride = self.stride + 24;
        let mut pixels = Vec::new();
        for row in self.pixels.chunks_exact(self.stride) {
            pixels.extend_from_slice(row);
            pixels.extend_from_slice(&[77; 24]);
        }
        Self { pixels, stride, size: self.size }
    }

    fn view<T>(&self, see: impl FnOnce(&FrameView<'_>) -> T) -> T {
        let plane = Plane { bytes: &self.pixels, stride: self.stride };
        see(&FrameView::new(PixelFormat::Rgb, self.size, Colorimetry::RGB, &[plane]).unwrap())
    }

    fn placement(&self, spec: InputSpec) -> Placement {
        spec.place(Rect::whole(self.size))
    }

    /// Copied for the card.
    fn copied(&self, ring: &Arc<FrameRing>, spec: InputSpec) -> CardFrame {
        self.view(|view| ring.copy(view, self.placement(spec))).unwrap()
    }
}
