//! The fitted 0.95 contour: the probability from which on so many of the lesions' pixels lie.
//!
//! A calibrated probability makes no promise of coverage: that one pixel in twenty with `p = 0.05` is polyp says
//! nothing about how many polyp pixels lie below. So the level of the contour that is to hold 95 % of them is
//! measured on validation, and is a number of its own.
//!
//! Not here: whether it holds them on other pictures (`coverage_95` of [`super::MEASURES`]).

/// Steps of the probability. A power of two, so that a step's start is exact.
const STEPS: usize = 4096;

/// The probabilities of lesions' pixels, sorted.
#[derive(Clone, Debug)]
pub struct LesionLevels {
    counts: Vec<u64>,
}

impl Default for LesionLevels {
    fn default() -> Self {
        Self { counts: vec![0; STEPS + 1] }
    }
}

impl LesionLevels {
    /// Adds a picture's probabilities (0 to 1) where its truth is lesion.
    pub fn add(&mut self, probability: &[f32], truth: &[bool]) {
        for (probability, _) in probability.iter().zip(truth).filter(|(_, truth)| **truth) {
            let step = (probability * STEPS as f32) as usize;
            if let Some(count) = self.counts.get_mut(step.min(STEPS)) {
                *count += 1;
            }
        }
    }

    /// The highest probability (in steps of 1/4096) that at least `share` (above 0, at most 1) of the pixels reach; none
    /// without pixels.
    pub fn level(&self, share: f64) -> Option<f32> {
        let all: u64 = self.counts.iter().sum();
        if all == 0 {
            return None;
        }
        let mut reached = 0;
        let step = self.counts.iter().enumerate().rev().find_map(|(step, count)| {
            reached += count;
            (reached as f64 >= share * all as f64).then_some(step)
        });
        Some(step.unwrap_or(0) as f32 / STEPS as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pixels_reach_the_level() {
        let mut levels = LesionLevels::default();
        assert_eq!(levels.level(0.95), None);
        // 20 lesion pixels, one of them at 0; what is no lesion does not count.
        let mut probability = vec![0.25; 20];
        probability[3] = 0.0;
        levels.add(&probability, &[true; 20]);
        levels.add(&[1.0, 1.0], &[false, false]);
        assert_eq!(levels.level(0.95), Some(0.25));
        assert_eq!(levels.level(0.96), Some(0.0));
        levels.add(&[1.0; 20], &[true; 20]);
        assert_eq!((levels.level(0.5), levels.level(0.51)), (Some(1.0), Some(0.25)));
    }
}
