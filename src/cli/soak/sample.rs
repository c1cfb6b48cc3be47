//! One look at the processes and at what the frames since the last one said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::gather::Gathered;
use crate::cli::processes::Footprint;
use crate::cli::stopwatch::{Times, milliseconds};

/// Figures of one moment, and of the time since the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// Since the pipeline was started.
    pub(super) time: Duration,
    /// What this process holds: the pipeline.
    pub(super) own: Footprint,
    /// What the engine's processes hold, the warm reserve among them; zero where the network runs in this one.
    pub(super) engines: Footprint,
    /// Frames at the sink since the beginning, in time and late.
    pub(super) in_time: u64,
    /// Frames that came to the sink after their time, since the beginning.
    pub(super) late: u64,
    /// Frames since the last sample, by what their mask was worth.
    pub(super) badges: BTreeMap<String, u64>,
    /// Ages of the masks shown since then: how many, 99th percentile and the oldest, in ms.
    pub(super) mask_ages: Spread,
    /// From a frame's entry into `polyplive` to its leaving, likewise.
    pub(super) path: Spread,
}

/// Times in three figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    /// How many there were.
    pub(super) count: usize,
    /// The 99th percentile, in ms; 0 of none.
    pub(super) p99_ms: f64,
    /// The longest, in ms; 0 of none.
    pub(super) longest_ms: f64,
}

impl Spread {
    fn of(times: &Times) -> Self {
        let at = |share| times.quantile(share).map(milliseconds).unwrap_or_default();
        Self { count: times.count(), p99_ms: at(0.99), longest_ms: at(1.0) }
    }
}

/// The names of what a sample's line holds.
pub(super) const COLUMNS: &str = "time_s,own_rss_kib,engine_rss_kib,descriptors,threads,frames_in_time,frames_late,frames,masks,\
                       mask_age_p99_ms,mask_age_longest_ms,path_p99_ms,path_longest_ms";

impl Sample {
    /// Looks at the processes now; `figures` are those since the last look, `at_sink` the sink's counts (in time,
    /// late) since the beginning.
    pub(super) fn take(time: Duration, figures: &Gathered, at_sink: (u64, u64)) -> Result<Self, String> {
        let (own, engines) = (Footprint::own()?, Footprint::engines()?);
        Ok(Self { own, engines, ..Self::default() }.followed_by(time, figures, at_sink))
    }

    /// The sample after this one, for a pipeline that is down: it holds what it held.
    pub(super) fn followed_by(&self, time: Duration, figures: &Gathered, at_sink: (u64, u64)) -> Self {
        Self {
            time,
            own: self.own,
            engines: self.engines,
            in_time: at_sink.0,
            late: at_sink.1,
            badges: figures.badges.clone(),
            mask_ages: Spread::of(&figures.ages),
            path: Spread::of(&figures.transit),
        }
    }

    /// Memory of all processes together, in MiB.
    pub(super) fn rss_mib(&self) -> f64 {
        (self.own.rss_kib + self.engines.rss_kib) as f64 / 1024.0
    }

    /// Descriptors of all processes together.
    pub(super) fn descriptors(&self) -> u64 {
        self.own.descriptors + self.engines.descriptors
    }

    /// Threads of all processes together.
    pub(super) fn threads(&self) -> u64 {
        self.own.threads + self.engines.threads
    }

    /// The sample as comma-separated values, in the order of [`COLUMNS`].
    pub(super) fn line(&self) -> String {
        let Self { time, own, engines, in_time, late, badges, mask_ages, path } = self;
        let frames: u64 = badges.values().sum();
        format!(
            "{:.1},{},{},{},{},{in_time},{late},{frames},{},{:.2},{:.2},{:.3},{:.3}",
            time.as_secs_f64(),
            own.rss_kib,
            engines.rss_kib,
            self.descriptors(),
            self.threads(),
            mask_ages.count,
            mask_ages.p99_ms,
            mask_ages.longest_ms,
            path.p99_ms,
            path.longest_ms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_value_for_each_name() {
        let own = Footprint { rss_kib: 2048, descriptors: 5, threads: 3 };
        let engines = Footprint { rss_kib: 1024, descriptors: 2, threads: 1 };
        let badges = [("live".to_owned(), 290), ("none".to_owned(), 10)].into();
        let time = Duration::from_secs(10);
        let sample = Sample { time, own, engines, in_time: 298, late: 2, badges, ..Sample::default() };
        let line = sample.line();
        let values: Vec<&str> = line.split(',').collect();
        assert_eq!(values.len(), COLUMNS.split(',').count());
        assert_eq!(values[..8], ["10.0", "2048", "1024", "7", "4", "298", "2", "300"]);
        assert_eq!(sample.rss_mib(), 3.0);
    }

    #[test]
    fn what_is_taken_is_of_this_process() {
        let mut figures = Gathered::default();
        figures.ages.add(Duration::from_millis(40));
        let sample = Sample::take(Duration::ZERO, &figures, (7, 1)).unwrap();
        assert!(sample.own.rss_kib > 0 && sample.threads() > 0);
        assert_eq!(sample.mask_ages, Spread { count: 1, p99_ms: 40.0, longest_ms: 40.0 });
        assert_eq!(sample.path, Spread::default());
    }
}
