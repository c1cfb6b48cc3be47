//! How long frames take on an engine that takes them as they come: every step of the way, and the whole.
//!
//! Not here: how good their masks are ([`crate::score`]).

use std::time::Instant;

use polyp::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Rect, Size};
use polyp::input::InputSpec;
use polyp::random::Random;
use serde::Serialize;

use crate::engine::{FrameEngine, Stages};
use crate::error::EngineError;
use crate::memory::PromptMemory;

/// Frames that run before any counts.
const WARM_UP: usize = 20;
/// One of so many frames also runs step by step.
const STEPWISE: usize = 10;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrameReport {
    /// The frames' pixel format.
    pub format: &'static str,
    /// Their width and height, in pixels.
    pub size: [u32; 2],
    /// Frames that ran together.
    pub batch: usize,
    /// Frames that were timed.
    pub frames: usize,
    /// How many were done in a second, one batch after the other without overlap.
    pub frames_per_second: f64,
    /// How many with as many batches begun as the engine takes.
    pub frames_per_second_overlapped: f64,
    /// The times of batches, in milliseconds.
    pub stages: Vec<StageTimes>,
}

/// The times of one part of a batch's way, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageTimes {
    /// Which part.
    pub stage: &'static str,
    /// Half of the batches took less.
    pub median_ms: f64,
    /// 99 of 100 took no longer (nearest rank).
    pub p99_ms: f64,
    /// 999 of 1000 took no longer (nearest rank).
    pub p999_ms: f64,
    /// The quickest.
    pub min_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// Times `frames` frames (at least one batch) of `size` in UYVY, the format of capture cards, `batch` at a time: from pinned memory of this machine to
/// masks in its memory.
///
/// # Errors
/// What the engine says.
pub fn bench_frames(
    engine: &mut dyn FrameEngine,
    spec: InputSpec,
    memory: &PromptMemory,
    (size, batch, frames): (Size, usize, usize),
) -> Result<FrameReport, EngineError> {
    let batches = frames.div_ceil(batch.max(1)).max(1);
    let source = Source::new(size, spec);
    let mut masks = Vec::new();
    let mut run = |engine: &mut dyn FrameEngine| -> Result<(Stages, f64), EngineError> {
        let frames = source.frames(engine, batch)?;
        let begun = Instant::now();
        engine.submit(frames, memory)?;
        let stages = engine.finish(&mut masks)?;
        // A mask that is an error is no mask.
        for mask in masks.drain(..) {
            mask?;
        }
        Ok((stages, begun.elapsed().as_secs_f64() * 1e3))
    };
    let mut whole = Vec::with_capacity(batches);
    let mut on_card = Vec::with_capacity(batches);
    for number in 0..WARM_UP + batches {
        let (stages, wall) = run(engine)?;
        if number >= WARM_UP {
            whole.push(wall);
            on_card.push(f64::from(stages.total));
        }
    }
    let mut steps: [Vec<f64>; 5] = Default::default();
    engine.run_in_steps(true);
    let stepwise = (0..WARM_UP + batches.div_ceil(STEPWISE)).try_for_each(|number| {
        let (stages, _) = run(engine)?;
        let [input, network, output] = stages.steps.unwrap_or_default();
        for (all, time) in steps.iter_mut().zip([stages.upload, input, network, output, stages.download]) {
            if number >= WARM_UP {
                all.push(f64::from(time));
            }
        }
        Ok::<(), EngineError>(())
    });
    engine.run_in_steps(false);
    stepwise?;
    let seconds = whole.iter().sum::<f64>() / 1e3;
    let overlapped = overlapped(engine, &source, memory, batch, batches)?;
    let names = ["upload", "input", "network", "masks", "download"];
    let mut stages: Vec<StageTimes> =
        names.into_iter().zip(steps).map(|(stage, times)| StageTimes::new(stage, times)).collect();
    stages.push(StageTimes::new("whole, on the card", on_card));
    stages.push(StageTimes::new("whole, memory to memory", whole));
    Ok(FrameReport {
        format: PixelFormat::Uyvy.name(),
        size: [size.width, size.height],
        batch,
        frames: batches * batch,
        frames_per_second: (batches * batch) as f64 / seconds,
        frames_per_second_overlapped: overlapped,
        stages,
    })
}

/// Frames per second with as many batches in flight as the engine takes.
fn overlapped(
    engine: &mut dyn FrameEngine,
    source: &Source,
    memory: &PromptMemory,
    batch: usize,
    batches: usize,
) -> Result<f64, EngineError> {
    let (lanes, mut masks) = (engine.lanes(), Vec::new());
    let begun = Instant::now();
    for number in 0..batches {
        if number >= lanes {
            engine.finish(&mut masks)?;
            masks.drain(..).try_for_each(|mask| mask.map(drop))?;
        }
        engine.submit(source.frames(engine, batch)?, memory)?;
    }
    for _ in 0..lanes.min(batches) {
        engine.finish(&mut masks)?;
        masks.drain(..).try_for_each(|mask| mask.map(drop))?;
    }
    Ok((batches * batch) as f64 / begun.elapsed().as_secs_f64())
}

/// A frame of noise, which no part of the way is quicker with than with a picture.
struct Source {
    bytes: Vec<u8>,
    size: Size,
    spec: InputSpec,
}

impl Source {
    fn new(size: Size, spec: InputSpec) -> Self {
        let (row_bytes, rows) = PixelFormat::Uyvy.plane_extent(0, size);
        let mut random = Random::new(&[1]);
        let bytes = (0..row_bytes * rows).map(|_| (random.bits() >> 56) as u8).collect();
        Self { bytes, size, spec }
    }

    fn frames(
        &self,
        engine: &dyn FrameEngine,
        batch: usize,
    ) -> Result<Vec<crate::cuda::frame::CardFrame>, EngineError> {
        let stride = PixelFormat::Uyvy.plane_extent(0, self.size).0;
        let planes = [Plane { bytes: &self.bytes, stride }];
        let colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
        let view = FrameView::new(PixelFormat::Uyvy, self.size, colorimetry, &planes).map_err(|error| {
            EngineError::Input {
                what: "size".to_owned(),
                expected: "one that frames have".to_owned(),
                found: error.to_string(),
            }
        })?;
        let (ring, placement) = (engine.ring(), self.spec.place(Rect::whole(self.size)));
        let copy = |_| ring.copy(&view, placement).map_err(crate::cuda::flow::failed("copying a frame"));
        (0..batch).map(copy).collect()
    }
}

impl StageTimes {
    fn new(stage: &'static str, mut times: Vec<f64>) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        let rank = |share| super::rank(&times, share).unwrap_or_default();
        Self {
            stage,
            median_ms: rank(0.5),
            p99_ms: rank(0.99),
            p999_ms: rank(0.999),
            min_ms: rank(0.0),
            max_ms: rank(1.0),
        }
    }
}
