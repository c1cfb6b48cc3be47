//! The recorder's compression, again.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use serde::{Deserialize, Serialize};

use super::Sample;
use super::config::{range, within};
use crate::TrainingError;
use crate::data::Random;

/// Numbers of the compression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jpeg {
    /// Probability of compressing.
    pub probability: f32,
    /// JPEG quality, 1 to 100.
    pub quality: [f32; 2],
}

impl Default for Jpeg {
    fn default() -> Self {
        Self { probability: 0.2, quality: [40.0, 90.0] }
    }
}

impl Jpeg {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("jpeg.probability", self.probability, 0.0, 1.0)?;
        range("jpeg.quality", self.quality, 1.0, 100.0)
    }

    pub(super) fn apply(
        &self,
        strength: f32,
        mut random: Random,
        sample: &mut Sample<'_>,
    ) -> Result<(), TrainingError> {
        if !random.chance(strength * self.probability) {
            return Ok(());
        }
        let failed = |doing| TrainingError::image("augmented picture".as_ref(), doing);
        let quality = random.between(self.quality[0], self.quality[1]).round() as u8;
        let side = u32::try_from(sample.side).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality)
            .encode(sample.rgb, side, side, ExtendedColorType::Rgb8)
            .map_err(failed("compress"))?;
        let decoded =
            image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).map_err(failed("decompress"))?;
        for (value, decoded) in sample.rgb.iter_mut().zip(decoded.into_rgb8().into_raw()) {
            *value = decoded;
        }
        Ok(())
    }
}
