//! The learning rate over a run: a linear rise, then half a cosine.

use std::f64::consts::PI;

use super::FitConfig;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    highest: f64,
    lowest: f64,
    warmup: f64,
    total: f64,
    steps: usize,
}

impl Schedule {
    /// The schedule of a configuration with `steps` steps an epoch.
    pub fn new(config: &FitConfig, steps: usize) -> Self {
        Self {
            highest: config.learning_rate,
            lowest: config.final_rate,
            warmup: config.warmup_epochs * steps as f64,
            total: (config.epochs * steps) as f64,
            steps,
        }
    }

    /// The rate of a step; both count from 0.
    pub fn rate(&self, epoch: usize, step: usize) -> f64 {
        let at = (epoch * self.steps + step) as f64;
        if at < self.warmup {
            return self.highest * (at + 1.0) / self.warmup.max(1.0);
        }
        let share = ((at - self.warmup) / (self.total - self.warmup).max(1.0)).min(1.0);
        self.lowest + (self.highest - self.lowest) * (1.0 + (PI * share).cos()) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_then_falls_to_the_lowest() {
        let schedule = Schedule { highest: 1.0, lowest: 0.1, warmup: 4.0, total: 24.0, steps: 8 };
        assert_eq!(schedule.rate(0, 0), 0.25);
        assert_eq!(schedule.rate(0, 3), 1.0);
        assert_eq!(schedule.rate(0, 4), 1.0);
        assert!((schedule.rate(1, 6) - 0.55).abs() < 1e-12);
        assert!(schedule.rate(2, 7) < 0.11 && schedule.rate(3, 0) >= 0.1);
    }
}
