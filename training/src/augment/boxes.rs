//! What a video processor lays over the picture: a box in a corner (the endoscope's position, a small
//! picture, patient fields) and corners cut off. There is no polyp to see under either, so the mask is 0
//! there.

use serde::{Deserialize, Serialize};

use super::Sample;
use super::config::{range, within};
use crate::TrainingError;
use crate::data::Random;

/// Colours that boxes have in the public data sets: black, and the dark green of a position display.
const COLOURS: [[u8; 3]; 3] = [[0, 0, 0], [4, 4, 6], [6, 58, 42]];

/// Numbers of the boxes and the cut corners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Boxes {
    /// Probability of a box.
    pub probability: f32,
    /// Its width and its height, as shares of the side.
    pub size: [f32; 2],
    /// Probability of cut corners.
    pub corners: f32,
    /// How much of the side a cut takes, as a share.
    pub corner_size: [f32; 2],
}

impl Default for Boxes {
    fn default() -> Self {
        Self { probability: 0.15, size: [0.12, 0.34], corners: 0.15, corner_size: [0.06, 0.24] }
    }
}

impl Boxes {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("boxes.probability", self.probability, 0.0, 1.0)?;
        range("boxes.size", self.size, 0.0, 1.0)?;
        within("boxes.corners", self.corners, 0.0, 1.0)?;
        range("boxes.corner_size", self.corner_size, 0.0, 0.5)
    }

    pub(super) fn apply(&self, strength: f32, mut random: Random, sample: &mut Sample<'_>) {
        let side = sample.side as f32;
        let (boxed, cut) =
            (random.chance(strength * self.probability), random.chance(strength * self.corners));
        if cut {
            let depth = random.between(self.corner_size[0], self.corner_size[1]) * side;
            cover(sample, [0; 3], |x, y| x.min(side - x) + y.min(side - y) < depth);
        }
        if boxed {
            let mut length = || random.between(self.size[0], self.size[1]) * side;
            let (width, height) = (length(), length());
            let (right, top) = (random.chance(0.25), random.chance(0.25)); // lower left is the usual place
            let colour = COLOURS[random.below(COLOURS.len())];
            cover(sample, colour, |x, y| {
                let x = if right { side - x } else { x };
                let y = if top { y } else { side - y };
                x < width && y < height
            });
        }
    }
}

fn cover(sample: &mut Sample<'_>, colour: [u8; 3], covers: impl Fn(f32, f32) -> bool) {
    let rows = sample.rgb.chunks_exact_mut(3 * sample.side).zip(sample.mask.chunks_exact_mut(sample.side));
    for (row, (rgb, mask)) in rows.enumerate() {
        for (column, (pixel, mask)) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(mask).enumerate() {
            if covers(column as f32 + 0.5, row as f32 + 0.5) {
                (*pixel, *mask) = (colour, 0);
            }
        }
    }
}
