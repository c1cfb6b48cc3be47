//! How good an engine's masks are, on pictures with their truth, compared at the picture's own size.
//!
//! [`Scorer`] is the part that everybody shares: the same preprocessing, decoding and comparison for a backend's
//! logits and for those of a network that is still being trained. [`pairs`] and [`score`] are the tool's way:
//! two folders, one engine, the pictures read and judged on threads of their own.
//!
//! Not here: what the measures are ([`polyp::metric`]).

mod pairs;
mod pipeline;

use std::time::Duration;

use polyp::decode::Decoder;
use polyp::frame::{Colorimetry, FrameView, PixelFormat, Plane, Rect, Size};
use polyp::input::{InputSpec, Placement};
use polyp::metric::{Rules, Score, to_picture};
use polyp::preprocess::Preprocessor;

use crate::error::EngineError;

pub use pairs::{Pair, Picture, pairs};
pub use pipeline::score;

/// Turns a picture into the network's input.
#[derive(Debug)]
pub struct Prepare {
    preprocessor: Preprocessor,
}

impl Prepare {
    /// For the inputs of `spec`.
    pub fn new(spec: InputSpec) -> Self {
        Self { preprocessor: Preprocessor::new(spec) }
    }

    /// Writes the input `[3, side, side]` of a picture of `size`, whose samples `rgb` are interleaved red, green
    /// and blue, to `image`. Gives back where it lies in the picture.
    ///
    /// # Errors
    /// [`EngineError::Input`] when the samples are not as many as the size says or the size is out of bounds.
    pub fn run(&mut self, rgb: &[u8], size: Size, image: &mut Vec<f32>) -> Result<Placement, EngineError> {
        let wrong = |found: String| EngineError::Input {
            what: "picture".to_owned(),
            expected: format!("{size} with 3 samples a pixel"),
            found,
        };
        let plane = Plane { bytes: rgb, stride: 3 * size.width as usize };
        let frame = FrameView::new(PixelFormat::Rgb, size, Colorimetry::RGB, &[plane])
            .map_err(|cause| wrong(cause.to_string()))?;
        let side = self.preprocessor.spec().side_px as usize;
        image.resize(3 * side * side, 0.0);
        self.preprocessor.run(&frame, Rect::whole(size), image).map_err(|cause| wrong(cause.to_string()))
    }
}

/// A running score of logits.
#[derive(Debug)]
pub struct Scorer {
    decoder: Decoder,
    score: Score,
    recycle: Option<Vec<u8>>,
}

impl Scorer {
    /// A score of no pictures, for logits that `decoder` makes probabilities of, by these rules.
    pub fn new(decoder: Decoder, rules: Rules) -> Self {
        Self { decoder, score: Score::by(rules), recycle: None }
    }

    /// Adds one picture of `size`: its logits, `[side, side]`, where they lie in it, and its truth, row by row.
    ///
    /// # Errors
    /// [`EngineError::Decode`] for logits that are too few or not finite, [`EngineError::Input`] for a truth
    /// that is not as long as the size says.
    pub fn add(
        &mut self,
        logits: &[f32],
        placement: Placement,
        truth: &[bool],
        size: Size,
    ) -> Result<(), EngineError> {
        let probability = self.probability(logits, placement, size)?;
        self.score.add(&probability, truth, size).map_err(|cause| EngineError::Input {
            what: "truth".to_owned(),
            expected: format!("a mask of {size}"),
            found: cause.to_string(),
        })
    }

    /// The probabilities (0 to 1) of a picture of `size`, row by row, as [`Self::add`] compares them.
    ///
    /// # Errors
    /// [`EngineError::Decode`] for logits that are too few or not finite.
    pub fn probability(
        &mut self,
        logits: &[f32],
        placement: Placement,
        size: Size,
    ) -> Result<Vec<f32>, EngineError> {
        let segmentation = self.decoder.decode(logits, placement, Duration::ZERO, 0, self.recycle.take())?;
        let probability = to_picture(&segmentation, size);
        self.recycle = Some(segmentation.probability);
        Ok(probability)
    }

    /// The pictures so far.
    pub fn finish(self) -> Score {
        self.score
    }
}
