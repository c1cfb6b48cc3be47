//! The tone curve, which every video processor sets its own way.

use serde::{Deserialize, Serialize};

use super::Sample;
use super::config::{range, within};
use crate::TrainingError;
use crate::data::Random;

/// Numbers of the tone curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gamma {
    /// Probability of another curve.
    pub probability: f32,
    /// Exponent, drawn evenly on a logarithmic scale; below 1 shadows get lighter.
    pub exponent: [f32; 2],
}

impl Default for Gamma {
    fn default() -> Self {
        Self { probability: 0.4, exponent: [0.7, 1.45] }
    }
}

impl Gamma {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("gamma.probability", self.probability, 0.0, 1.0)?;
        range("gamma.exponent", self.exponent, 0.1, 10.0)
    }

    pub(super) fn apply(&self, strength: f32, mut random: Random, sample: &mut Sample<'_>) {
        if !random.chance(strength * self.probability) {
            return;
        }
        let exponent = random.between(self.exponent[0].ln(), self.exponent[1].ln()).exp();
        let mut curve = [0_u8; 256];
        for (value, out) in curve.iter_mut().enumerate() {
            *out = (255.0 * (value as f32 / 255.0).powf(exponent)).round() as u8;
        }
        for value in sample.rgb.iter_mut() {
            *value = curve[usize::from(*value)];
        }
    }
}
