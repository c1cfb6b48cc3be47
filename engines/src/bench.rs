//! How long an engine takes for a frame.
//!
//! What is timed is [`Engine::infer`]: the copy in, the network, the copy out and the check for finite numbers.
//!
//! Not here: preprocessing and painting (the benches of `polyp`), and a whole pipeline's latency.

mod frames;

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::engine::{Engine, Precision};
use crate::error::EngineError;
use crate::memory::PromptMemory;

use crate::verify::fixed_image;
pub use frames::{FrameReport, StageTimes, bench_frames};

/// Frames that are run before the clock counts.
const WARM_UP: usize = 10;
/// Different pictures that are run in turn.
const PICTURES: usize = 4;

/// What a measurement came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Half of the frames took less, in milliseconds.
    pub median_ms: f64,
    /// 99 of 100 frames took no longer (nearest rank), in milliseconds.
    pub p99_ms: f64,
    /// The quickest frame, in milliseconds.
    pub min_ms: f64,
    /// The slowest frame, in milliseconds.
    pub max_ms: f64,
    /// The backend.
    pub backend: &'static str,
    /// The precision in use.
    pub precision: Precision,
    /// Threads that worked on a frame.
    pub threads: usize,
    /// Frames that were timed.
    pub frames: usize,
    /// Rows and columns of the input, in pixels.
    pub side_px: usize,
    /// The engine's name.
    pub model: String,
    /// The backend's library and version.
    pub library: String,
}

/// Times `frames` frames (at least 1), one after the other, after a few that do not count.
///
/// # Errors
/// What the engine says.
pub fn bench(engine: &mut dyn Engine, memory: &PromptMemory, frames: usize) -> Result<Report, EngineError> {
    let side = engine.description().side_px;
    let pictures: Vec<Vec<f32>> = (0..PICTURES).map(|number| fixed_image(side, number)).collect();
    let mut logits = Vec::new();
    let mut times = Vec::with_capacity(frames.max(1));
    for (number, picture) in pictures.iter().cycle().take(WARM_UP + frames.max(1)).enumerate() {
        let begun = Instant::now();
        engine.infer(picture, 1, memory, &mut logits)?;
        if number >= WARM_UP {
            times.push(begun.elapsed());
        }
    }
    times.sort_unstable();
    let description = engine.description();
    Ok(Report {
        median_ms: rank_ms(&times, 0.5),
        p99_ms: rank_ms(&times, 0.99),
        min_ms: rank_ms(&times, 0.0),
        max_ms: rank_ms(&times, 1.0),
        backend: description.backend,
        precision: description.precision,
        threads: description.threads,
        frames: times.len(),
        side_px: side,
        model: description.model.clone(),
        library: description.library.clone(),
    })
}

/// The smallest of the sorted `times` that a share `share` of all do not exceed, in milliseconds.
fn rank_ms(times: &[Duration], share: f64) -> f64 {
    rank(times, share).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// The smallest of the sorted `values` that a share `share` of all do not exceed.
fn rank<T: Copy>(values: &[T], share: f64) -> Option<T> {
    let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
    values.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_times_that_happened() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let ranks = [0.0, 0.5, 0.99, 1.0].map(|share| rank_ms(&times, share));
        assert_eq!(ranks, [1.0, 100.0, 198.0, 200.0]);
        assert_eq!(rank_ms(&times[..1], 0.99), 1.0);
        assert_eq!(rank_ms(&[], 0.5), 0.0);
    }
}
