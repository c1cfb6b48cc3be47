//! What a ledger comes to, as whoever shows it reads it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::histogram::Times;
use super::stage::{COUNT, Stage};

/// Percentiles that are told, and of how many times each can be: of p99.99 nothing is known before ten thousand.
pub const PERCENTILES: [(&str, f64, u64); 5] = [
    ("p50", 0.5, 1),
    ("p90", 0.9, 10),
    ("p99", 0.99, 100),
    ("p99.9", 0.999, 1_000),
    ("p99.99", 0.9999, 10_000),
];

/// All stages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// In the order of [`Stage::ALL`].
    pub stages: Vec<StageReport>,
}

/// One stage. Times are in nanoseconds; what is not known is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageReport {
    /// [`Stage::name`].
    pub stage: String,
    /// How many times were measured.
    pub count: u64,
    /// All of them together.
    pub sum_ns: u64,
    /// Their mean.
    pub mean_ns: Option<u64>,
    /// In the order of [`PERCENTILES`].
    pub percentiles_ns: [Option<u64>; PERCENTILES.len()],
    /// The longest.
    pub longest_ns: Option<u64>,
    /// What the budget allows.
    pub limit_ns: Option<u64>,
    /// How many took longer than that.
    pub over: u64,
}

/// A running stream, as it is served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The engine's name; empty while there is none.
    pub engine: String,
    /// What is looked for.
    pub prompt: String,
    /// What runs the engine, and its version.
    pub backend: String,
    /// The numbers that it computes in.
    pub precision: String,
    /// CPU threads that it uses.
    pub threads: u64,
    /// The side of its input, in pixels.
    pub side_px: u64,
    /// Frames by what their mask was worth.
    pub frames: Vec<(String, u64)>,
    /// The budget in force, as text.
    pub budget: String,
    /// The stages.
    pub report: Report,
}

impl Report {
    pub(super) fn new(times: &[Times; COUNT], budget: &Budget) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let stage = |(stage, times): (Stage, &Times)| StageReport {
            stage: stage.name().to_owned(),
            count: times.count,
            sum_ns: nanoseconds(times.sum()),
            mean_ns: times.mean().map(nanoseconds),
            percentiles_ns: PERCENTILES.map(|(_, share, least)| {
                times.quantile(share).filter(|_| times.count >= least).map(nanoseconds)
            }),
            longest_ns: times.longest().map(nanoseconds),
            limit_ns: budget.limit(stage).map(nanoseconds),
            over: times.over,
        };
        Self { stages: Stage::ALL.into_iter().zip(times).map(stage).collect() }
    }

    /// One of them.
    pub fn stage(&self, stage: Stage) -> Option<&StageReport> {
        self.stages.iter().find(|one| one.stage == stage.name())
    }
}
