//! The verdict on a soak: what is asked of it, what was found, and whether it holds.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::sample::Sample;
use super::scenes::FrozenTally;
use super::trend;

/// The steepest that memory may rise after the warm-up, in MiB per hour.
const STEEPEST_MIB_PER_H: f64 = 1.0;
/// How long memory has to be watched after the warm-up for its slope to mean something.
const SLOPE_TIME: Duration = Duration::from_secs(1800);
/// How much memory may grow from the first quarter to the last where the run is too short for a slope, in MiB.
const GROWTH_MIB: f64 = 8.0;

/// Why something stays open in a run that is over soon.
const TOO_FEW: &str = "there are too few samples after the warm-up";

/// What a soak has come to.
#[derive(Debug)]
pub(super) struct Evidence {
    /// In order of time.
    pub(super) samples: Vec<Sample>,
    /// How long nothing of memory, descriptors and threads counts.
    pub(super) warm_up: Duration,
    /// Frames that were fed.
    pub(super) fed: u64,
    /// How late the latest of them was fed.
    pub(super) feed_latest: Duration,
    /// Whether the user ended it.
    pub(super) interrupted: bool,
    /// The age up to which masks may be shown.
    pub(super) max_mask_age: Duration,
    /// What frames said of a frozen source.
    pub(super) frozen: FrozenTally,
}

/// One thing that is asked.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    /// What is asked of.
    pub(super) name: &'static str,
    /// What was expected.
    pub(super) expected: String,
    /// What was found.
    pub(super) found: String,
    /// Whether it holds; nothing where it could not be judged, and `found` says why.
    pub(super) holds: Option<bool>,
}

impl Check {
    fn new(name: &'static str, expected: impl Into<String>, found: impl Into<String>, holds: bool) -> Self {
        Self { name, expected: expected.into(), found: found.into(), holds: Some(holds) }
    }

    fn open(name: &'static str, expected: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name,
            expected: expected.into(),
            found: format!("not judged, because {}", why.into()),
            holds: None,
        }
    }

    /// All checks, a line each.
    pub(super) fn table(checks: &[Self]) -> String {
        let line = |check: &Self| {
            let word = match check.holds {
                Some(true) => "holds",
                Some(false) => "BROKEN",
                None => "open",
            };
            format!("{word:<8}{:<20}{}; expected {}\n", check.name, check.found, check.expected)
        };
        checks.iter().map(line).collect()
    }
}

impl Evidence {
    /// Frames of the whole run, by what their mask was worth.
    pub(super) fn badges(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (badge, count) in self.samples.iter().flat_map(|sample| &sample.badges) {
            *all.entry(badge.clone()).or_default() += count;
        }
        all
    }

    /// Samples after the warm-up.
    fn warm(&self) -> &[Sample] {
        let first = self.samples.partition_point(|sample| sample.time < self.warm_up);
        self.samples.get(first..).unwrap_or_default()
    }
}

/// Judges a run.
pub(super) fn judge(evidence: &Evidence) -> Vec<Check> {
    let warm = evidence.warm();
    vec![
        slope(warm),
        growth(warm),
        stays("descriptors", warm, Sample::descriptors),
        stays("threads", warm, Sample::threads),
        late(evidence),
        arrived(evidence),
        age(evidence),
        answered(warm),
        faults(evidence),
        frozen(&evidence.frozen),
    ]
}

fn watched(warm: &[Sample]) -> Duration {
    let (first, last) = (warm.first(), warm.last());
    first.zip(last).map(|(first, last)| last.time - first.time).unwrap_or_default()
}

fn slope(warm: &[Sample]) -> Check {
    let (name, expected) = ("RSS slope", format!("at most {STEEPEST_MIB_PER_H} MiB/h"));
    if watched(warm) < SLOPE_TIME {
        let short = format!("it needs {} min after the warm-up", SLOPE_TIME.as_secs() / 60);
        return Check::open(name, expected, short);
    }
    let points: Vec<(f64, f64)> =
        warm.iter().map(|sample| (sample.time.as_secs_f64() / 3600.0, sample.rss_mib())).collect();
    match trend::slope(&points) {
        Some(slope) => Check::new(name, expected, format!("{slope:.3} MiB/h"), slope <= STEEPEST_MIB_PER_H),
        None => Check::open(name, expected, TOO_FEW),
    }
}

/// The first and the last quarter of `warm`, if there is enough of it.
fn quarters(warm: &[Sample]) -> Option<(&[Sample], &[Sample])> {
    let quarter = Some(warm.len() / 4).filter(|quarter| *quarter > 0)?;
    warm.get(..quarter).zip(warm.get(warm.len() - quarter..))
}

fn growth(warm: &[Sample]) -> Check {
    let (name, expected) =
        ("RSS growth", format!("at most {GROWTH_MIB} MiB from the first to the last quarter"));
    let Some((first, last)) = quarters(warm) else {
        return Check::open(name, expected, TOO_FEW);
    };
    let middle = |samples: &[Sample]| {
        trend::median(&mut samples.iter().map(Sample::rss_mib).collect::<Vec<_>>()).unwrap_or_default()
    };
    let (from, to) = (middle(first), middle(last));
    Check::new(
        name,
        expected,
        format!("{:+.2} MiB, from {from:.1} to {to:.1}", to - from),
        to - from <= GROWTH_MIB,
    )
}

fn stays(name: &'static str, warm: &[Sample], count: fn(&Sample) -> u64) -> Check {
    let expected = "no more in the last quarter than in the first";
    let Some((first, last)) = quarters(warm) else {
        return Check::open(name, expected, TOO_FEW);
    };
    let most = |samples: &[Sample]| samples.iter().map(count).max().unwrap_or_default();
    let (from, to) = (most(first), most(last));
    Check::new(name, expected, format!("{from} at first, {to} at last"), to <= from)
}

fn late(evidence: &Evidence) -> Check {
    let (in_time, late) = evidence.samples.last().map_or((0, 0), |sample| (sample.in_time, sample.late));
    let found = format!(
        "{late} late of {} (the feed's latest: {:.1} ms)",
        in_time + late,
        evidence.feed_latest.as_secs_f64() * 1e3
    );
    Check::new("late frames", "0", found, late == 0 && in_time > 0)
}

fn arrived(evidence: &Evidence) -> Check {
    let (name, expected) = ("frames at the sink", format!("{}, as many as were fed", evidence.fed));
    if evidence.interrupted {
        return Check::open(name, expected, "it was ended early");
    }
    let found = evidence.samples.last().map_or(0, |sample| sample.in_time + sample.late);
    Check::new(name, expected, found.to_string(), found == evidence.fed)
}

fn age(evidence: &Evidence) -> Check {
    let most_ms = evidence.max_mask_age.as_secs_f64() * 1e3;
    let oldest_ms = evidence.samples.iter().map(|sample| sample.mask_ages.longest_ms).fold(0.0, f64::max);
    let expected = format!("at most {most_ms} ms (max-mask-age)");
    Check::new("oldest mask", expected, format!("{oldest_ms:.1} ms"), oldest_ms <= most_ms)
}

fn answered(warm: &[Sample]) -> Check {
    let (name, expected) = ("masks", "some in every sample");
    if warm.is_empty() {
        return Check::open(name, expected, TOO_FEW);
    }
    let without = warm.iter().filter(|sample| sample.mask_ages.count == 0).count();
    Check::new(name, expected, format!("{without} of {} samples without one", warm.len()), without == 0)
}

fn faults(evidence: &Evidence) -> Check {
    let faults = evidence.badges().get("fault").copied().unwrap_or_default();
    Check::new("network faults", "0 frames", format!("{faults} frames"), faults == 0)
}

fn frozen(tally: &FrozenTally) -> Check {
    let FrozenTally { told, missed, wrong } = tally;
    let (name, expected) = ("frozen source", "told on every frame from the third repeat on, and on no other");
    if told + missed == 0 {
        return Check::open(name, expected, "the clip did not come to such a scene");
    }
    let found = format!("told on {told} frames, missed on {missed}, wrongly told on {wrong}");
    Check::new(name, expected, found, missed + wrong == 0)
}

#[cfg(test)]
mod tests {
    use super::super::sample::Spread;
    use super::*;
    use crate::cli::processes::Footprint;

    /// Two hours without a fault.
    fn evidence() -> Evidence {
        let sample = |index: u64| Sample {
            time: Duration::from_secs(index * 10),
            own: Footprint { rss_kib: 200 << 10, descriptors: 20, threads: 9 },
            in_time: index * 300,
            badges: [("live".to_owned(), 300)].into(),
            mask_ages: Spread { count: 300, p99_ms: 70.0, longest_ms: 119.0 },
            ..Sample::default()
        };
        Evidence {
            samples: (0..=720).map(sample).collect(),
            warm_up: Duration::from_secs(300),
            fed: 216_000,
            feed_latest: Duration::ZERO,
            interrupted: false,
            max_mask_age: Duration::from_millis(120),
            frozen: FrozenTally { told: 90, missed: 0, wrong: 0 },
        }
    }

    fn holds(evidence: &Evidence, name: &str) -> Option<bool> {
        judge(evidence).into_iter().find(|check| check.name == name).unwrap().holds
    }

    #[test]
    fn a_run_without_a_fault_holds() {
        let checks = judge(&evidence());
        assert!(checks.iter().all(|check| check.holds == Some(true)), "{}", Check::table(&checks));
    }

    #[test]
    fn each_fault_breaks_its_own_check() {
        type Change = fn(&mut Evidence);
        let faults: [(&str, Change); 9] = [
            ("RSS slope", |run| grow(run, 3)),
            ("RSS growth", |run| grow(run, 40)),
            ("descriptors", |run| run.samples[700].own.descriptors = 21),
            ("threads", |run| run.samples[700].engines.threads = 1),
            ("late frames", |run| (run.samples[720].late, run.samples[720].in_time) = (1, 215_999)),
            ("frames at the sink", |run| run.fed += 1),
            ("oldest mask", |run| run.samples[3].mask_ages.longest_ms = 120.1),
            ("masks", |run| run.samples[400].mask_ages = Spread::default()),
            ("frozen source", |run| run.frozen.wrong = 1),
        ];
        for (name, change) in faults {
            let mut run = evidence();
            change(&mut run);
            assert_eq!(holds(&run, name), Some(false), "{name}");
        }
        let mut run = evidence();
        run.samples[5].badges.insert("fault".to_owned(), 1);
        assert_eq!(holds(&run, "network faults"), Some(false));
    }

    /// Memory that grows by so many KiB a sample.
    fn grow(run: &mut Evidence, kib: u64) {
        run.samples.iter_mut().zip(0..).for_each(|(sample, index)| sample.own.rss_kib += index * kib);
    }

    #[test]
    fn what_a_short_run_can_not_tell_stays_open() {
        let mut run = evidence();
        run.samples.truncate(60);
        run.warm_up = Duration::from_secs(30);
        run.frozen = FrozenTally::default();
        assert_eq!(holds(&run, "RSS slope"), None);
        assert_eq!(holds(&run, "RSS growth"), Some(true));
        assert_eq!(holds(&run, "frozen source"), None);
        run.interrupted = true;
        assert_eq!(holds(&run, "frames at the sink"), None);
        let table = Check::table(&judge(&run));
        assert!(table.contains("not judged, because it was ended early"), "{table}");
    }

    #[test]
    fn a_run_without_a_sample_does_not_hold() {
        let run = Evidence { samples: Vec::new(), fed: 0, ..evidence() };
        assert_eq!(holds(&run, "late frames"), Some(false));
        assert_eq!(holds(&run, "masks"), None);
    }
}
