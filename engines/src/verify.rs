//! Whether a backend computes what the reference computes.
//!
//! Not here: whether the answer is any good ([`crate::score`]).

use serde::Serialize;

use crate::engine::{Engine, Precision};
use crate::error::EngineError;
use crate::memory::PromptMemory;

/// How far a float32 logit may be from the reference's, relative to the largest of them (at least 1): sums are
/// made in another order, and that is all.
pub const F32_TOLERANCE: f32 = 1e-4;

/// The share of cells on which the mask of a bfloat16 network must agree with the reference's: eight bits of
/// mantissa move cells across the threshold only where they are in doubt. Random weights, where half of the
/// picture is in doubt, are the worst case.
pub const BF16_AGREEMENT: f32 = 0.98;

/// The same for float16, with eleven bits.
pub const F16_AGREEMENT: f32 = 0.995;

/// The same for 8-bit integers. What they are worth is not judged here but on pictures, before a folder has them
/// ([`crate::quantise`]): a network that computes something else altogether is found all the same.
pub const INT8_AGREEMENT: f32 = 0.95;

/// How two engines' logits differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The largest distance of two logits.
    pub furthest: f32,
    /// The largest of the reference's logits, without its sign.
    pub largest: f32,
    /// The share of cells that both put on the same side of the threshold, 0 to 1.
    pub agreement: f32,
}

impl Difference {
    /// Between the reference's logits and another's, as many.
    pub fn between(reference: &[f32], other: &[f32]) -> Self {
        let pairs = || reference.iter().zip(other);
        let same = pairs().filter(|(a, b)| (**a > 0.0) == (**b > 0.0)).count();
        Self {
            furthest: pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
            largest: reference.iter().map(|a| a.abs()).fold(0.0, f32::max),
            agreement: same as f32 / reference.len().max(1) as f32,
        }
    }

    /// Whether it is within what `precision` may differ by: [`F32_TOLERANCE`], [`F16_AGREEMENT`], [`BF16_AGREEMENT`] or
    /// [`INT8_AGREEMENT`].
    pub fn is_within(&self, precision: Precision) -> bool {
        match precision {
            Precision::F16 => self.agreement >= F16_AGREEMENT,
            Precision::Bf16 => self.agreement >= BF16_AGREEMENT,
            Precision::Int8 => self.agreement >= INT8_AGREEMENT,
            Precision::F32 | Precision::Auto => self.furthest <= F32_TOLERANCE * self.largest.max(1.0),
        }
    }
}

/// The difference of two engines on `batch` fixed pictures.
///
/// # Errors
/// What the engines say; [`EngineError::Input`] when they do not answer alike.
pub fn compare(
    reference: &mut dyn Engine,
    other: &mut dyn Engine,
    memory: &PromptMemory,
    batch: usize,
) -> Result<Difference, EngineError> {
    let side = reference.description().side_px;
    let images: Vec<f32> = (0..batch).flat_map(|number| fixed_image(side, number)).collect();
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    reference.infer(&images, batch, memory, &mut expected)?;
    other.infer(&images, batch, memory, &mut found)?;
    if expected.len() != found.len() {
        return Err(EngineError::Input {
            what: "logits".to_owned(),
            expected: expected.len().to_string(),
            found: found.len().to_string(),
        });
    }
    Ok(Difference::between(&expected, &found))
}

/// An input `[3, side, side]` that is always the same: waves, an edge and noise, with about the mean (0) and the
/// spread (1) of a normalised picture. `number` chooses among such pictures.
pub fn fixed_image(side: usize, number: usize) -> Vec<f32> {
    let mut noise = 0x2545_F491_4F6C_DD1D_u64.wrapping_mul(number as u64 + 1);
    let mut image = Vec::with_capacity(3 * side * side);
    for channel in 0..3 {
        for row in 0..side {
            for column in 0..side {
                // Xorshift: a picture without noise would leave rounding untested.
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                let noise = (noise >> 40) as f32 / (1_u64 << 24) as f32 - 0.5;
                let (x, y) = (column as f32 / side as f32, row as f32 / side as f32);
                let wave = (6.0 * x + channel as f32).sin() + (9.0 * y + number as f32).cos();
                let edge = if (x - 0.5).hypot(y - 0.4) < 0.25 { 0.8 } else { -0.2 };
                image.push(0.6 * wave + edge + noise);
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_measured() {
        let found = Difference::between(&[1.0, -2.0, 0.5, 3.0], &[1.0, -2.25, -0.5, 3.0]);
        assert_eq!(found, Difference { furthest: 1.0, largest: 3.0, agreement: 0.75 });
    }

    #[test]
    fn tolerances_are_the_precisions() {
        let near = Difference { furthest: 2e-4, largest: 3.0, agreement: 0.97 };
        assert!(near.is_within(Precision::F32) && !near.is_within(Precision::Bf16));
        let far = Difference { furthest: 2e-4, largest: 0.1, agreement: 0.995 };
        assert!(!far.is_within(Precision::F32) && far.is_within(Precision::Bf16));
    }

    #[test]
    fn pictures_are_normalised_and_differ() {
        let image = fixed_image(64, 0);
        let mean = image.iter().sum::<f32>() / image.len() as f32;
        let spread = (image.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / image.len() as f32).sqrt();
        assert!(mean.abs() < 0.5 && (0.5..1.5).contains(&spread), "{mean} {spread}");
        assert_eq!(image, fixed_image(64, 0));
        assert_ne!(image, fixed_image(64, 1));
    }
}
