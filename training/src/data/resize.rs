//! A picture and its mask at the network's size, unchanged otherwise: what validation and test see, made by
//! the very code that makes it of a frame at run time (`polyp::preprocess`).
//!
//! Not here: what happens to pictures that are learned from ([`crate::augment`]).

use polyp::frame::{Colorimetry, FrameView, PixelFormat, Plane, Rect, Size};
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::preprocess::Preprocessor;

use super::Picture;
use crate::TrainingError;

/// Squashes pictures to one size, with memory of its own that is used again for every picture.
#[derive(Debug)]
pub struct Squash {
    side: usize,
    preprocessor: Preprocessor,
}

impl Squash {
    /// For inputs of `side` x `side` pixels.
    pub fn new(side: usize) -> Self {
        let spec = InputSpec {
            side_px: u32::try_from(side).unwrap_or(u32::MAX),
            fit: Fit::Squash,
            // Not used: only the 8-bit picture is asked for.
            normalisation: Normalisation::ZScorePerImage,
        };
        Self { side, preprocessor: Preprocessor::new(spec) }
    }

    /// Writes the picture, `[S,S,3]`, to `rgb` and its mask, `[S,S]` of zeros and ones, to `mask`.
    ///
    /// # Errors
    /// [`TrainingError::Frame`] or [`TrainingError::Preprocess`] when the picture's samples do not fit its
    /// size, or `rgb` does not fit the side.
    pub fn run(&mut self, picture: &Picture, rgb: &mut [u8], mask: &mut [u8]) -> Result<(), TrainingError> {
        self.picture(picture, rgb)?;
        let (width, height) = (picture.size.width as f32, picture.size.height as f32);
        let step = (width / self.side as f32, height / self.side as f32);
        for (row, out) in mask.chunks_exact_mut(self.side).enumerate() {
            let y = (row as f32 + 0.5) * step.1 - 0.5;
            for (column, out) in out.iter_mut().enumerate() {
                let x = (column as f32 + 0.5) * step.0 - 0.5;
                *out = u8::from(mask_at(&picture.mask, picture.size, x, y) > 0.5);
            }
        }
        Ok(())
    }

    /// Writes the picture alone, `[S,S,3]`.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn picture(&mut self, picture: &Picture, rgb: &mut [u8]) -> Result<(), TrainingError> {
        let plane = Plane { bytes: &picture.rgb, stride: 3 * picture.size.width as usize };
        let frame = FrameView::new(PixelFormat::Rgb, picture.size, Colorimetry::RGB, &[plane])?;
        self.preprocessor.resize_rgb(&frame, Rect::whole(picture.size), rgb)?;
        Ok(())
    }
}

/// A mask's value between its pixels (bilinear), 0 to 1; pixel centres are whole numbers, and beyond the edge
/// its last pixel goes on.
pub(crate) fn mask_at(mask: &[u8], size: Size, x: f32, y: f32) -> f32 {
    let (right, bottom) = (size.width.saturating_sub(1) as f32, size.height.saturating_sub(1) as f32);
    let (x, y) = (x.clamp(0.0, right), y.clamp(0.0, bottom));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(right as usize), (y0 + 1).min(bottom as usize));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |x: usize, y: usize| f32::from(mask.get(y * size.width as usize + x).copied().unwrap_or(0));
    let (top, low) = (at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx, at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx);
    top * (1.0 - fy) + low * fy
}
