//! Times, counted: median and 99th percentile of what was measured.

use std::time::Duration;

/// Measured times of one thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// Counts one more.
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The same in order, for many quantiles.
    pub(super) fn sorted(&self) -> Sorted {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        Sorted(sorted)
    }

    /// The time that this share (0 to 1) of all does not exceed; nothing of none.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        self.sorted().quantile(share)
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

/// Times, the shortest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted(Vec<Duration>);

impl Sorted {
    /// The time that this share (0 to 1) of all does not exceed; nothing of none.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied()
    }
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
}
