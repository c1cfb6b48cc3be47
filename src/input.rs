//! What the network wants to see: the one specification that the trainer and the run time both follow,
//! carried in the engine's manifest.
//!
//! Not here: doing it ([`crate::preprocess`]).

use serde::{Deserialize, Serialize};

use crate::frame::{Rect, Size};

/// How a picture becomes the network's input: float32 `[B, 3, side, side]`, channels red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Rows and columns of the input, in pixels; a multiple of 32.
    pub side_px: u32,
    /// What happens to the aspect ratio.
    pub fit: Fit,
    /// What happens to the numbers.
    pub normalisation: Normalisation,
}

/// What happens to the aspect ratio when a picture is resized to a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Both sides are scaled to the input's, whatever that does to circles. Kvasir-SEG is trained so.
    Squash,
    /// The longer side is scaled to the input's; the rest is black, evenly on both sides.
    Letterbox,
}

/// What happens to the 8-bit samples (0 to 255) of each channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalisation {
    /// `(sample - mean) / std`, per channel red, green, blue, in units of the 8-bit sample.
    Fixed {
        /// Subtracted.
        mean: [f32; 3],
        /// Divided by; never 0.
        std: [f32; 3],
    },
    /// `(sample - m) / max(s, 1e-6)` with mean `m` and standard deviation `s` of that channel over the
    /// resized picture (black bars of [`Fit::Letterbox`] left out, and then 0).
    ZScorePerImage,
}

/// Where the network's input lies in the frame: the way back for masks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// The part of the frame that was taken, in frame pixels.
    pub source: Rect,
    /// The part of the input that it fills, in input pixels (all of it for [`Fit::Squash`]).
    pub target: Rect,
    /// The input's side, in pixels.
    pub side_px: u32,
}

impl InputSpec {
    /// Where `source` (a part of a frame) comes to lie in the input.
    pub fn place(&self, source: Rect) -> Placement {
        let side = self.side_px;
        let target = match self.fit {
            Fit::Squash => Rect::whole(Size::new(side, side)),
            Fit::Letterbox => {
                let longest = u64::from(source.width.max(source.height).max(1));
                let scaled = |length: u32| {
                    let rounded = (u64::from(length) * u64::from(side) * 2 + longest) / (longest * 2);
                    u32::try_from(rounded).unwrap_or(side).clamp(1, side)
                };
                let (width, height) = (scaled(source.width), scaled(source.height));
                Rect { x: (side - width) / 2, y: (side - height) / 2, width, height }
            }
        };
        Placement { source, target, side_px: side }
    }
}

impl Placement {
    /// The input position (column, row; cell centres at +0.5) of a frame position (same convention).
    pub fn to_input(&self, x: f32, y: f32) -> (f32, f32) {
        let (s, t) = (self.source, self.target);
        (
            (x - s.x as f32) / s.width as f32 * t.width as f32 + t.x as f32,
            (y - s.y as f32) / s.height as f32 * t.height as f32 + t.y as f32,
        )
    }

    /// The frame position of an input position: the inverse of [`Self::to_input`].
    pub fn to_frame(&self, column: f32, row: f32) -> (f32, f32) {
        let (s, t) = (self.source, self.target);
        (
            (column - t.x as f32) / t.width as f32 * s.width as f32 + s.x as f32,
            (row - t.y as f32) / t.height as f32 * s.height as f32 + s.y as f32,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: InputSpec =
        InputSpec { side_px: 256, fit: Fit::Letterbox, normalisation: Normalisation::ZScorePerImage };

    #[test]
    fn letterbox_centres_the_longer_side() {
        let placement = SPEC.place(Rect { x: 10, y: 20, width: 400, height: 200 });
        assert_eq!(placement.target, Rect { x: 0, y: 64, width: 256, height: 128 });
    }

    #[test]
    fn the_way_back_is_the_inverse() {
        let placement = SPEC.place(Rect { x: 10, y: 20, width: 403, height: 211 });
        let (column, row) = placement.to_input(77.5, 99.25);
        let (x, y) = placement.to_frame(column, row);
        assert!((x - 77.5).abs() < 1e-3 && (y - 99.25).abs() < 1e-3, "{x} {y}");
    }
}
