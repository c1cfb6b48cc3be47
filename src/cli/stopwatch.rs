//! Times, counted: median and 99th percentile of what was measured.

use std::time::Duration;

use polyp::trace::PERCENTILES;

/// The usual percentiles, and the longest.
const TOLD: usize = PERCENTILES.len() + 1;

/// Measured times of one thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// Counts one more.
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Takes all of `other` too.
    pub(super) fn take(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them, in the order in which they were measured.
    pub(super) fn all(&self) -> &[Duration] {
        &self.0
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted
    }

    /// The time that this share (0 to 1) of all does not exceed; nothing of none.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(&self.sorted(), share)
    }

    /// The usual percentiles by name, the longest last; nothing of those that so few times do not tell.
    pub(super) fn percentiles(&self) -> [(&'static str, Option<Duration>); TOLD] {
        let sorted = self.sorted();
        std::array::from_fn(|place| match PERCENTILES.get(place) {
            Some((name, share, least)) => {
                (*name, quantile(&sorted, *share).filter(|_| sorted.len() as u64 >= *least))
            }
            None => ("longest", sorted.last().copied()),
        })
    }

    /// How many are longer than `limit`.
    pub(super) fn over(&self, limit: Duration) -> usize {
        self.0.iter().filter(|time| **time > limit).count()
    }

    /// Median, 99th percentile and longest in milliseconds, in columns; dashes for none.
    pub(super) fn columns(&self) -> String {
        let cell = |share| match self.quantile(share) {
            Some(time) => format!("{:>9.2}", milliseconds(time)),
            None => format!("{:>9}", "-"),
        };
        [0.5, 0.99, 1.0].map(cell).concat()
    }
}

fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// A time in milliseconds.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let mut times = Times::default();
        assert_eq!(times.quantile(0.5), None);
        for ms in (1..=100).rev() {
            times.add(Duration::from_millis(ms));
        }
        assert_eq!(times.quantile(0.5), Some(Duration::from_millis(50)));
        assert_eq!(times.quantile(0.99), Some(Duration::from_millis(99)));
        assert_eq!(times.quantile(1.0), Some(Duration::from_millis(100)));
        assert_eq!(times.quantile(0.0), Some(Duration::from_millis(1)));
    }

    #[test]
    fn rare_percentiles_are_told_of_many_times_alone() {
        let mut times = Times::default();
        for us in 1..=1000 {
            times.add(Duration::from_micros(us));
        }
        let told = times.percentiles().map(|(name, time)| (name, time.map(|time| time.as_micros())));
        let expected = [
            ("p50", Some(500)),
            ("p90", Some(900)),
            ("p99", Some(990)),
            ("p99.9", Some(999)),
            ("p99.99", None),
            ("longest", Some(1000)),
        ];
        assert_eq!(told, expected);
    }
}
