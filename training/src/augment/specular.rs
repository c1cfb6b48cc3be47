//! Highlights: the lamp beside the lens, mirrored by wet mucosa. Small, white, in clusters, where there is
//! light.

use serde::{Deserialize, Serialize};

use super::Sample;
use super::config::{range, within};
use crate::TrainingError;
use crate::data::Random;

/// Highlights appear only where the brightest channel is above this.
const LIT: u8 = 70;

/// Numbers of the highlights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Specular {
    /// Probability of any.
    pub probability: f32,
    /// Most clusters.
    pub clusters: usize,
    /// Most highlights in a cluster.
    pub spots: usize,
    /// Half the width of a highlight, as a share of the side, drawn evenly on a logarithmic scale.
    pub radius: [f32; 2],
}

impl Default for Specular {
    fn default() -> Self {
        Self { probability: 0.25, clusters: 4, spots: 6, radius: [0.002, 0.01] }
    }
}

impl Specular {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("specular.probability", self.probability, 0.0, 1.0)?;
        within("specular.clusters", self.clusters as f32, 1.0, 100.0)?;
        within("specular.spots", self.spots as f32, 1.0, 100.0)?;
        range("specular.radius", self.radius, 0.0005, 0.5)
    }

    pub(super) fn apply(&self, strength: f32, mut random: Random, sample: &mut Sample<'_>) {
        if !random.chance(strength * self.probability) {
            return;
        }
        for _ in 0..=random.below(self.clusters) {
            let side = sample.side as f32;
            let middle = (random.between(0.0, side), random.between(0.0, side));
            // A fold's highlights lie along it.
            let fold = random.between(0.0, std::f32::consts::PI);
            for _ in 0..=random.below(self.spots) {
                let spread = 0.07 * side;
                let x = middle.0 + random.between(-spread, spread);
                let y = middle.1 + random.between(-spread, spread);
                let radius = random.between(self.radius[0].ln(), self.radius[1].ln()).exp() * side;
                let long = random.between(1.0, 2.5);
                let (sin, cos) = (fold + random.between(-0.4, 0.4)).sin_cos();
                let white = random.between(0.75, 1.0);
                paint(sample, (x, y), Spot { radius, long, sin, cos, white });
            }
        }
    }
}

struct Spot {
    radius: f32,
    /// Length by width.
    long: f32,
    sin: f32,
    cos: f32,
    white: f32,
}

fn paint(sample: &mut Sample<'_>, (x, y): (f32, f32), spot: Spot) {
    let side = sample.side;
    let inside = |value: f32| value >= 0.0 && value < side as f32;
    if !inside(x) || !inside(y) {
        return;
    }
    let middle = 3 * (y as usize * side + x as usize);
    if sample.rgb.get(middle..middle + 3).is_none_or(|pixel| pixel.iter().all(|value| *value < LIT)) {
        return;
    }
    let reach = 1.5 * spot.radius * spot.long + 1.0;
    let span = |centre: f32| ((centre - reach).max(0.0) as usize)..((centre + reach) as usize + 1).min(side);
    for row in span(y) {
        for column in span(x) {
            let (dx, dy) = (column as f32 + 0.5 - x, row as f32 + 0.5 - y);
            let along = (spot.cos * dx + spot.sin * dy) / (spot.radius * spot.long);
            let across = (spot.cos * dy - spot.sin * dx) / spot.radius;
            let distance = (along * along + across * across).sqrt();
            // White inside, gone at one and a half radii: the sensor's bloom.
            let cover = spot.white * ((1.5 - distance) / 0.7).clamp(0.0, 1.0);
            let first = 3 * (row * side + column);
            for value in sample.rgb.get_mut(first..first + 3).unwrap_or(&mut []) {
                *value = (f32::from(*value) + cover * (255.0 - f32::from(*value))).round() as u8;
            }
        }
    }
}
