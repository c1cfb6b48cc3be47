//! Defocus (a round Gaussian) and motion (one that is longer along an axis of the picture).

use serde::{Deserialize, Serialize};

use super::Sample;
use super::config::{range, within};
use crate::TrainingError;
use crate::data::Random;

/// Numbers of the blur.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Blur {
    /// Probability of any blur.
    pub probability: f32,
    /// Standard deviation, in pixels of the network's input.
    pub sigma_px: [f32; 2],
    /// Probability that only one axis is blurred, as by motion.
    pub motion: f32,
}

impl Default for Blur {
    fn default() -> Self {
        Self { probability: 0.2, sigma_px: [0.4, 1.6], motion: 0.3 }
    }
}

impl Blur {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("blur.probability", self.probability, 0.0, 1.0)?;
        range("blur.sigma_px", self.sigma_px, 0.1, 16.0)?;
        within("blur.motion", self.motion, 0.0, 1.0)
    }

    pub(super) fn apply(&self, strength: f32, mut random: Random, sample: &mut Sample<'_>) {
        if !random.chance(strength * self.probability) {
            return;
        }
        let kernel = kernel(random.between(self.sigma_px[0], self.sigma_px[1]));
        let (motion, across) = (random.chance(self.motion), random.chance(0.5));
        let (row, pixel) = (3 * sample.side, 3);
        if !motion || across {
            for line in sample.rgb.chunks_exact_mut(row) {
                convolve(line, pixel, &kernel);
            }
        }
        if !motion || !across {
            convolve(sample.rgb, row, &kernel);
        }
    }
}

/// Half a Gaussian, from its middle outwards; both halves sum to 1.
fn kernel(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as usize;
    let mut kernel: Vec<f32> =
        (0..=radius).map(|place| (-(place as f32 / sigma).powi(2) / 2.0).exp()).collect();
    let total = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
    kernel.iter_mut().for_each(|weight| *weight /= total);
    kernel
}

/// Convolves lines whose neighbours are `stride` values apart; beyond the ends, the end goes on.
fn convolve(values: &mut [u8], stride: usize, kernel: &[f32]) {
    let length = values.len() / stride;
    let mut sums = vec![0.0_f32; values.len()];
    for (place, sums) in sums.chunks_exact_mut(stride).enumerate() {
        for (distance, &weight) in kernel.iter().enumerate() {
            let (before, after) = (place.saturating_sub(distance), (place + distance).min(length - 1));
            // In the middle both are the same cell: half of it twice.
            let weight = if distance == 0 { 0.5 * weight } else { weight };
            let lines = (&values[before * stride..][..stride], &values[after * stride..][..stride]);
            for ((sum, one), other) in sums.iter_mut().zip(lines.0).zip(lines.1) {
                *sum += weight * (f32::from(*one) + f32::from(*other));
            }
        }
    }
    for (value, sum) in values.iter_mut().zip(sums) {
        *value = (sum + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_picture_stays() {
        let mut line = [97; 30];
        convolve(&mut line, 3, &kernel(1.3));
        assert_eq!(line, [97; 30]);
    }

    #[test]
    fn a_point_spreads_evenly() {
        let mut line = [0; 11];
        line[5] = 255;
        convolve(&mut line, 1, &kernel(1.0));
        assert_eq!(line[5], 102); // 255 x 0.399 of a Gaussian cut at three sigma
        assert_eq!(line[4], line[6]);
        assert!(line.iter().map(|value| i32::from(*value)).sum::<i32>().abs_diff(255) < 4);
    }
}
