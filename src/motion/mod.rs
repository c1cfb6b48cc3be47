//! How the picture moved, measured on small copies of its luma; and masks moved along with it.
//!
//! A mask comes back a few frames after the frame that it is of. Until the next one comes, the picture moves on, and the
//! mask would hang where the polyp was. So each frame is compared with the one before:
//!
//! 1. [`Luma`] is a copy of the region, about 160 cells wide.
//! 2. [`Meter`] looks for the blocks of the one plane in the other, there and back, and fits one affine map to those
//!    that agree: [`Measured`].
//! 3. [`Tracker`] keeps these maps for the last frames and joins them to a [`Motion`], from the frame that a mask was made
//!    of to the newest.
//! 4. [`Segmentation::moved`](crate::segmentation::Segmentation::moved) resamples the mask's probabilities: a
//!    [`Moved`](crate::segmentation::Moved), which keeps its age and can be shown on that one frame alone.
//!
//! Where the motion is not known it is not guessed: [`Lost`] says why, and a mask that was to be moved is not shown.
//!
//! One map for the whole picture is an approximation: a polyp that stands in front of the wall moves further than it, and
//! tissue deforms. `examples/motion.rs` says what it comes to on real sequences.
//!
//! Not here: whether a moved mask may be shown ([`crate::segmentation`]).

mod affine;
mod fit;
mod luma;
mod meter;
mod refine;
mod resample;
mod search;
#[cfg(test)]
mod tests;
mod texture;
mod tracker;

use std::time::Duration;

pub use affine::Affine;
pub use luma::Luma;
pub use meter::{Measured, Meter};
pub(crate) use resample::resample;
pub use tracker::Tracker;

/// How the picture moved from one frame of a stream to a later one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// The earlier frame's presentation time, in the stream's running time.
    pub from: Duration,
    /// The later frame's.
    pub to: Duration,
    /// From places in the earlier frame to places in the later one, in frame pixels (centres at +0.5).
    pub map: Affine,
    /// The least share of blocks that agreed with a step of it, 0 to 1; 1 when there was no step.
    pub quality: f32,
}

/// Why the motion is not known.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Lost {
    /// The two frames were not looked at in the same region, or the region is of no use.
    #[error("the region of the picture changed, or is too small to measure motion in")]
    Region,
    /// Too little in the picture can be found again: it is dark, burnt out or flat.
    #[error("{blocks} blocks of the picture have something to hold on to; too few to measure motion")]
    Featureless {
        /// Blocks that could be looked for.
        blocks: usize,
    },
    /// Blocks moved in different ways, or were not found again.
    #[error("{consistent} of {blocks} blocks agree on a motion: too few")]
    Inconsistent {
        /// Blocks that agree.
        consistent: usize,
        /// Blocks that could be looked for.
        blocks: usize,
    },
    /// Blocks agree on what no endoscope does between two frames.
    #[error("the picture moved further than can be measured")]
    Implausible,
    /// What the motion leaves is too different: another scene.
    #[error("the motion leaves {left:.2} of the picture's contrast unexplained: another scene")]
    Cut {
        /// The mean difference left, as a share of the picture's contrast.
        left: f32,
    },
    /// The frame that the mask was made of is not among those that are remembered.
    #[error("the frame that the mask was made of is not remembered")]
    Forgotten,
}
