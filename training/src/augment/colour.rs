//! Brightness, contrast, saturation and hue: endoscopes, lamps and processors differ in all four. A matrix and a
//! curve; black stays black, as the frame around an endoscope's picture does.

use serde::{Deserialize, Serialize};

use super::Sample;
use super::config::within;
use crate::TrainingError;
use crate::data::Random;

/// What red, green and blue weigh in brightness (BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Numbers of the colour matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Colour {
    /// Probability of all four together.
    pub probability: f32,
    /// Largest change of the gain, as a share of 1.
    pub brightness: f32,
    /// Largest change of the exponent of samples over the picture's mean brightness, as a share of 1.
    pub contrast: f32,
    /// Largest change of the distance from grey, as a share of it.
    pub saturation: f32,
    /// Largest turn of the hue to either side, in degrees.
    pub hue_deg: f32,
}

impl Default for Colour {
    fn default() -> Self {
        Self { probability: 0.8, brightness: 0.3, contrast: 0.25, saturation: 0.35, hue_deg: 10.0 }
    }
}

impl Colour {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("colour.probability", self.probability, 0.0, 1.0)?;
        within("colour.brightness", self.brightness, 0.0, 0.9)?;
        within("colour.contrast", self.contrast, 0.0, 0.9)?;
        within("colour.saturation", self.saturation, 0.0, 1.0)?;
        within("colour.hue_deg", self.hue_deg, 0.0, 180.0)
    }

    pub(super) fn apply(&self, strength: f32, mut random: Random, sample: &mut Sample<'_>) {
        if !random.chance(strength * self.probability) {
            return;
        }
        let mut around_one = |bound: f32| random.between(1.0 - bound, 1.0 + bound);
        let gain = around_one(self.brightness);
        let contrast = around_one(self.contrast);
        let saturation = around_one(self.saturation);
        let hue = random.between(-self.hue_deg, self.hue_deg).to_radians();
        let (pixels, _) = sample.rgb.as_chunks_mut::<3>();
        let sums = pixels.iter().fold([0_u64; 3], |sum, pixel| {
            [sum[0] + u64::from(pixel[0]), sum[1] + u64::from(pixel[1]), sum[2] + u64::from(pixel[2])]
        });
        let count = pixels.len().max(1) as f32;
        let mean: f32 = LUMA.iter().zip(sums).map(|(weight, sum)| weight * sum as f32 / count).sum();
        let mut curve = [0_u8; 256];
        for (value, out) in curve.iter_mut().enumerate() {
            *out =
                (gain * mean * (value as f32 / mean.max(1.0)).powf(contrast)).clamp(0.0, 255.0).round() as u8;
        }
        let matrix = turn(saturation, hue);
        for pixel in pixels {
            let [r, g, b] = pixel.map(f32::from);
            // `as` ends at 0 and 255.
            *pixel = matrix.map(|[x, y, z]| curve[usize::from((x * r + y * g + z * b + 0.5) as u8)]);
        }
    }
}

/// Turns colours about the grey axis by `hue` radians and scales their distance from it; greys and brightness
/// stay.
fn turn(saturation: f32, hue: f32) -> [[f32; 3]; 3] {
    // A rotation about (1,1,1), then a correction that keeps the brightness.
    let (sin, cos) = hue.sin_cos();
    let (same, third) = ((1.0 + 2.0 * cos) / 3.0, (1.0 - cos) / 3.0);
    let skew = sin / 3.0_f32.sqrt();
    let rotation = [
        [same, third - skew, third + skew],
        [third + skew, same, third - skew],
        [third - skew, third + skew, same],
    ];
    let weigh = |matrix: &[[f32; 3]; 3], column: usize| -> f32 {
        LUMA.iter().zip(matrix).map(|(weight, row)| weight * row[column]).sum()
    };
    let mut matrix = [[0.0; 3]; 3];
    for (row, line) in matrix.iter_mut().enumerate() {
        for (column, value) in line.iter_mut().enumerate() {
            let distance = rotation[row][column] - weigh(&rotation, column);
            *value = LUMA[column] + saturation * distance;
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greys_and_brightness_stay() {
        for (saturation, hue) in [(1.0, 0.0), (0.5, 0.2), (1.4, -0.3)] {
            let matrix = turn(saturation, hue);
            for (column, weight) in LUMA.into_iter().enumerate() {
                let luma: f32 = LUMA.iter().zip(&matrix).map(|(weight, row)| weight * row[column]).sum();
                assert!((luma - weight).abs() < 1e-5, "{matrix:?}");
            }
            assert!(matrix.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5), "{matrix:?}");
        }
    }

    #[test]
    fn no_turn_is_no_change() {
        for (row, line) in turn(1.0, 0.0).iter().enumerate() {
            for (column, value) in line.iter().enumerate() {
                assert!((value - f32::from(u8::from(row == column))).abs() < 1e-6);
            }
        }
    }
}
