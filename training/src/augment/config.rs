//! All effects' numbers, and their order.

use serde::{Deserialize, Serialize};

use super::{Blur, Boxes, Colour, Gamma, Geometry, Jpeg, Mosaic, Sample, Specular};
use crate::TrainingError;
use crate::data::{Picture, Random};

/// How pictures are varied. Each table's defaults are what a missing one means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Multiplies every probability below: 0 switches everything off, 1 leaves them as written.
    pub strength: f32,
    /// Four pictures in one.
    pub mosaic: Mosaic,
    /// Flips, rotation, zoom, shift and shear.
    pub geometry: Geometry,
    /// Highlights of the endoscope's lamp.
    pub specular: Specular,
    /// Brightness, contrast, saturation and hue.
    pub colour: Colour,
    /// The tone curve.
    pub gamma: Gamma,
    /// Defocus and motion.
    pub blur: Blur,
    /// The processor's boxes and the endoscope's cut corners.
    pub boxes: Boxes,
    /// The recorder's compression.
    pub jpeg: Jpeg,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            strength: 1.0,
            mosaic: Mosaic::default(),
            geometry: Geometry::default(),
            specular: Specular::default(),
            colour: Colour::default(),
            gamma: Gamma::default(),
            blur: Blur::default(),
            boxes: Boxes::default(),
            jpeg: Jpeg::default(),
        }
    }
}

impl AugmentConfig {
    /// Nothing but the resize.
    pub fn off() -> Self {
        Self { strength: 0.0, ..Self::default() }
    }

    /// Refuses probabilities and ranges that make no sense.
    ///
    /// # Errors
    /// [`TrainingError::Field`] naming the key.
    pub fn check(&self) -> Result<(), TrainingError> {
        within("strength", self.strength, 0.0, 1.0)?;
        self.mosaic.check()?;
        self.geometry.check()?;
        self.specular.check()?;
        self.colour.check()?;
        self.gamma.check()?;
        self.blur.check()?;
        self.boxes.check()?;
        self.jpeg.check()
    }

    /// Writes the changed picture and its mask to `sample`.
    ///
    /// # Errors
    /// [`TrainingError`] when the picture's samples do not fit its size, or `sample`'s its side.
    pub fn apply(
        &self,
        picture: &Picture,
        mut random: Random,
        sample: &mut Sample<'_>,
    ) -> Result<(), TrainingError> {
        let mut own = || Random::new(&[random.bits()]);
        self.geometry.apply(self.strength, picture, own(), sample)?;
        self.specular.apply(self.strength, own(), sample);
        self.colour.apply(self.strength, own(), sample);
        self.gamma.apply(self.strength, own(), sample);
        self.blur.apply(self.strength, own(), sample);
        self.boxes.apply(self.strength, own(), sample);
        self.jpeg.apply(self.strength, own(), sample)
    }
}

/// Refuses a value out of bounds.
pub(super) fn within(key: &str, value: f32, low: f32, high: f32) -> Result<(), TrainingError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(TrainingError::Field {
        path: "configuration".into(),
        field: format!("augment.{key}"),
        expected: format!("{low} to {high}"),
        found: value.to_string(),
    })
}

/// Refuses a range that is out of bounds or turned round.
pub(super) fn range(key: &str, range: [f32; 2], low: f32, high: f32) -> Result<(), TrainingError> {
    within(&format!("{key}[0]"), range[0], low, high)?;
    within(&format!("{key}[1]"), range[1], range[0], high)
}
