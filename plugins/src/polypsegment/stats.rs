//! What was done, in figures: the property `stats`. Counts are kept here, times in the ledger.

use std::sync::Arc;

use polyp::overlay::Badge;
use polyp::session::EngineRecord;
use polyp::trace::{PERCENTILES, Report, Stage, StageReport};
use polyp_engine::engine::Description;

use crate::meta::Trace;

/// Counts and times since the element last went to PAUSED.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stats {
    frames: u64,
    live: u64,
    held: u64,
    starting: u64,
    no_mask: u64,
    frozen: u64,
    late: u64,
    fault: u64,
    off: u64,
    asked: u64,
    skipped: u64,
    answered: u64,
    /// Engines that took another's place.
    swaps: u64,
    oldest_mask_ms: u32,
    lost: u64,
    alarms: u64,
}

/// What runs, for the head of the statistics.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    /// The engine's name.
    pub(super) engine: String,
    /// The prompt that the network is asked about.
    pub(super) prompt: String,
    /// The sha256 of its manifest.
    pub(super) manifest_sha256: String,
    /// What its logits are divided by.
    pub(super) temperature: f32,
    /// The worker's description of it.
    pub(super) description: Option<Description>,
}

impl Runs {
    /// Rows and columns of its input; 0 while nothing runs.
    pub(super) fn side_px(&self) -> usize {
        self.description.as_ref().map_or(0, |is| is.side_px)
    }

    /// What is recorded of it, while something runs.
    pub(super) fn record(&self) -> Option<Arc<EngineRecord>> {
        let description = self.description.as_ref()?;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Some(Arc::new(EngineRecord {
            pts_ns: 0,
            name: self.engine.clone(),
            manifest_sha256: self.manifest_sha256.clone(),
            prompt: self.prompt.clone(),
            temperature: self.temperature,
            side_px: number(description.side_px),
            backend: description.backend.to_owned(),
            library: description.library.clone(),
            precision: description.precision.name().to_owned(),
            threads: number(description.threads),
        }))
    }
}

impl Stats {
    /// Counts one frame.
    pub(super) fn frame(&mut self, badge: &Badge, trace: &Trace) {
        self.frames += 1;
        match badge {
            Badge::Live => self.live += 1,
            Badge::Held { age_ms } => {
                self.held += 1;
                self.oldest_mask_ms = self.oldest_mask_ms.max(*age_ms);
            }
            Badge::Starting => self.starting += 1,
            Badge::NoMask => self.no_mask += 1,
            Badge::Frozen => self.frozen += 1,
            Badge::Late => self.late += 1,
            Badge::Fault => self.fault += 1,
            Badge::Off => self.off += 1,
        }
        self.asked += u64::from(!trace.time(Stage::Copy).is_zero());
    }

    /// Counts one answer of the network.
    pub(super) fn answer(&mut self) {
        self.answered += 1;
    }

    /// Counts a frame that was not asked about because the sink was late already.
    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Counts a mask that was young enough and could not be moved along with the picture.
    pub(super) fn lose(&mut self) {
        self.lost += 1;
    }

    /// Counts an alarm that was raised.
    pub(super) fn alarm(&mut self) {
        self.alarms += 1;
    }

    /// Counts an engine that took another's place.
    pub(super) fn swap(&mut self) {
        self.swaps += 1;
    }

    /// Frames by what their mask was worth.
    pub(super) fn by_badge(&self) -> [(&'static str, u64); 8] {
        [
            ("live", self.live),
            ("held", self.held),
            ("starting", self.starting),
            ("no-mask", self.no_mask),
            ("frozen", self.frozen),
            ("late", self.late),
            ("fault", self.fault),
            ("off", self.off),
        ]
    }

    /// The statistics as a structure. Times are in nanoseconds; what is not known is not there, and a rare percentile is known of many times only.
    pub(super) fn structure(&self, runs: &Runs, times: &Report) -> gst::Structure {
        let mut structure = gst::Structure::builder("polypsegment-stats")
            .field("engine", runs.engine.as_str())
            .field("prompt", runs.prompt.as_str())
            .field("manifest-sha256", runs.manifest_sha256.as_str())
            .field("frames", self.frames)
            .field("live", self.live)
            .field("held", self.held)
            .field("starting", self.starting)
            .field("no-mask", self.no_mask)
            .field("frozen", self.frozen)
            .field("late", self.late)
            .field("fault", self.fault)
            .field("off", self.off)
            .field("asked", self.asked)
            .field("skipped", self.skipped)
            .field("answered", self.answered)
            .field("lost", self.lost)
            .field("alarms", self.alarms)
            .field("swaps", self.swaps)
            .field("oldest-mask", u64::from(self.oldest_mask_ms) * 1_000_000)
            .build();
        for stage in &times.stages {
            describe(stage, &mut structure);
        }
        if let Some(description) = &runs.description {
            structure.set("backend", description.backend);
            structure.set("library", description.library.as_str());
            structure.set("precision", description.precision.name());
            structure.set("threads", description.threads as u64);
            structure.set("side-px", description.side_px as u64);
        }
        structure
    }
}

/// A stage's times: NAME-count, NAME-mean, NAME-p50 and so on, NAME-longest, and with a budget NAME-limit and NAME-over.
fn describe(stage: &StageReport, structure: &mut gst::StructureRef) {
    let name = &stage.stage;
    structure.set(format!("{name}-count"), stage.count);
    let percentiles = PERCENTILES.iter().zip(stage.percentiles_ns).map(|((rank, ..), time)| (*rank, time));
    let times = [("mean", stage.mean_ns), ("longest", stage.longest_ns), ("limit", stage.limit_ns)];
    for (what, time) in times.into_iter().chain(percentiles) {
        if let Some(time) = time {
            structure.set(format!("{name}-{what}"), time);
        }
    }
    if stage.limit_ns.is_some() {
        structure.set(format!("{name}-over"), stage.over);
    }
}
