//! The times of one stage.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Shortest and longest time that are told apart, in nanoseconds: a microsecond, and a minute, which stands for whatever is longer.
const LEAST: u64 = 1_000;
const MOST: u64 = 60_000_000_000;
/// Times are known to three figures.
const FIGURES: u8 = 3;

/// A high dynamic range histogram (Tene, HdrHistogram), with what it rounds kept beside it. After it is made nothing is allocated.
#[derive(Clone, Debug)]
pub(super) struct Times {
    histogram: Option<Histogram<u32>>,
    pub(super) count: u64,
    sum_ns: u64,
    longest_ns: u64,
    /// How many were longer than they may be.
    pub(super) over: u64,
}

impl Times {
    pub(super) fn new() -> Self {
        // Its bounds are right, so there is one.
        let histogram = Histogram::new_with_bounds(LEAST, MOST, FIGURES).ok();
        Self { histogram, count: 0, sum_ns: 0, longest_ns: 0, over: 0 }
    }

    pub(super) fn add(&mut self, time_ns: u64, is_over: bool) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(time_ns);
        }
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(time_ns);
        self.longest_ns = self.longest_ns.max(time_ns);
        self.over += u64::from(is_over);
    }

    /// The time that this share (0 to 1) of all does not exceed, to three figures; never longer than the longest.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        let histogram = self.histogram.as_ref().filter(|_| self.count > 0)?;
        Some(Duration::from_nanos(histogram.value_at_quantile(share).min(self.longest_ns)))
    }

    pub(super) fn mean(&self) -> Option<Duration> {
        self.sum_ns.checked_div(self.count).map(Duration::from_nanos)
    }

    pub(super) fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_ns)
    }

    pub(super) fn longest(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(self.longest_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_three_figures_and_sums_exactly() {
        let mut times = Times::new();
        assert_eq!((times.quantile(0.5), times.mean(), times.longest()), (None, None, None));
        for us in 1..=10_000_u64 {
            times.add(us * 1_000, us > 9_990);
        }
        for (share, us) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0), (1.0, 10_000.0)] {
            let found = times.quantile(share).unwrap().as_secs_f64() * 1e6;
            assert!((found / us - 1.0).abs() < 1e-3, "{share}: {found} where {us} was expected");
        }
        assert_eq!(times.mean(), Some(Duration::from_nanos(5_000_500)));
        assert_eq!((times.longest(), times.over), (Some(Duration::from_millis(10)), 10));
        // What is beyond its ends is counted at its ends.
        times.add(0, false);
        times.add(u64::MAX / 2, false);
        assert_eq!(times.count, 10_002);
        assert!(times.quantile(1.0).unwrap() >= Duration::from_secs(59));
    }
}
