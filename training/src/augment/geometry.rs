//! Flips, rotation, zoom, shift and shear, drawn as one affine map and done in one resample, from the
//! picture's own pixels to the network's.
//!
//! Not here: the resample ([`super::warp`]).

use serde::{Deserialize, Serialize};

use super::Sample;
use super::config::{range, within};
use super::warp::{Border, Map, warp};
use crate::TrainingError;
use crate::data::{Picture, Random};

/// How often a map is drawn again that would move the polyp out of the picture.
const TRIES: usize = 8;

/// Zoom below which nothing is reflected.
const REFLECT_ABOVE: f32 = 0.85;

/// Numbers of the affine map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Geometry {
    /// Probability of left and right changing places.
    pub flip_horizontal: f32,
    /// Probability of top and bottom changing places.
    pub flip_vertical: f32,
    /// Probability of the rest: rotation, zoom, shift and shear together.
    pub probability: f32,
    /// Largest rotation to either side, in degrees.
    pub rotation_deg: f32,
    /// Zoom, drawn evenly on a logarithmic scale. Below 1 polyps get smaller: those are the ones that are missed.
    pub zoom: [f32; 2],
    /// Largest shift along each axis, as a share of the picture's height.
    pub shift: f32,
    /// Largest shear to either side, in degrees.
    pub shear_deg: f32,
    /// Probability that what comes in from outside is the picture reflected; else it is black, as around an
    /// endoscope's picture. Always black around a picture made smaller than 0.85: more of a reflection than of
    /// the picture would be seen.
    pub reflect: f32,
}

impl Default for Geometry {
    fn default() -> Self {
        Self {
            flip_horizontal: 0.5,
            flip_vertical: 0.5,
            probability: 0.9,
            rotation_deg: 90.0,
            zoom: [0.55, 1.6],
            shift: 0.15,
            shear_deg: 8.0,
            reflect: 0.5,
        }
    }
}

impl Geometry {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("geometry.flip_horizontal", self.flip_horizontal, 0.0, 1.0)?;
        within("geometry.flip_vertical", self.flip_vertical, 0.0, 1.0)?;
        within("geometry.probability", self.probability, 0.0, 1.0)?;
        within("geometry.rotation_deg", self.rotation_deg, 0.0, 180.0)?;
        range("geometry.zoom", self.zoom, 0.1, 10.0)?;
        within("geometry.shift", self.shift, 0.0, 1.0)?;
        within("geometry.shear_deg", self.shear_deg, 0.0, 45.0)?;
        within("geometry.reflect", self.reflect, 0.0, 1.0)
    }

    pub(super) fn apply(
        &self,
        strength: f32,
        picture: &Picture,
        mut random: Random,
        sample: &mut Sample<'_>,
    ) -> Result<(), TrainingError> {
        let centre = centre(picture);
        let aspect = picture.size.width as f32 / picture.size.height as f32;
        let mut map = Map::IDENTITY;
        for _ in 0..TRIES {
            map = self.draw(strength, aspect, &mut random);
            if centre.is_none_or(|centre| map.shows(centre)) {
                break;
            }
        }
        let border = if map.zoom > REFLECT_ABOVE && random.chance(self.reflect) {
            Border::Reflect
        } else {
            Border::Black
        };
        warp(picture, &map, border, sample)
    }

    fn draw(&self, strength: f32, aspect: f32, random: &mut Random) -> Map {
        let flip = |probability: f32, random: &mut Random| {
            if random.chance(strength * probability) { -1.0 } else { 1.0 }
        };
        let (mirror, turn) = (flip(self.flip_horizontal, random), flip(self.flip_vertical, random));
        let mut map = Map::IDENTITY.then_scale(mirror, turn);
        if random.chance(strength * self.probability) {
            let around = |bound: f32, random: &mut Random| random.between(-bound, bound);
            let zoom = random.between(self.zoom[0].ln(), self.zoom[1].ln()).exp();
            let angle = around(self.rotation_deg, random).to_radians();
            let shear = around(self.shear_deg, random).to_radians().tan();
            let shift = (around(self.shift, random), around(self.shift, random));
            // Circles stay circles: the map is drawn where the picture has its own aspect.
            map = map
                .then_scale(aspect, 1.0)
                .then_scale(1.0 / zoom, 1.0 / zoom)
                .then_shear(shear)
                .then_rotate(angle)
                .then_shift(2.0 * shift.0, 2.0 * shift.1)
                .then_scale(1.0 / aspect, 1.0);
            map.zoom = zoom;
        }
        map
    }
}

/// The middle of the polyp, each axis from -1 to 1; none without one.
fn centre(picture: &Picture) -> Option<(f32, f32)> {
    let width = picture.size.width as usize;
    let (mut x, mut y, mut count) = (0, 0, 0);
    for (row, line) in picture.mask.chunks_exact(width.max(1)).enumerate() {
        for (column, _) in line.iter().enumerate().filter(|(_, value)| **value == 1) {
            (x, y, count) = (x + column, y + row, count + 1);
        }
    }
    let middle =
        |sum: usize, length: u32| (2.0 * sum as f64 / count as f64 + 1.0) as f32 / length as f32 - 1.0;
    (count > 0).then(|| (middle(x, picture.size.width), middle(y, picture.size.height)))
}
