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

    /// The time that this share (0 to 1) of all does not exceed; nothing of none.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
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
