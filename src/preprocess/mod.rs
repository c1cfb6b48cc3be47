//! From a frame in its own format to the network's input: the one way, for the trainer and the run time.
//!
//! The order is fixed, and what [`crate::input::InputSpec`] leaves open is decided here:
//!
//! 1. Each plane of the part that was asked for is resized as it came (triangle filter, widened to the scale when it
//!    shrinks: "antialiased bilinear"). No sample from outside of that part is used, save where a subsampled
//!    chroma sample lies half in it.
//! 2. Chroma is taken to be sited at the centre of the luma samples that share it. Where a camera sites it at
//!    their left (MPEG-2, H.264) colour is half a frame pixel off, a tenth of an input pixel at 1080p.
//! 3. The small picture is converted to red, green and blue ([`crate::colour`]): 8 bits, as the trainer stores
//!    its pictures.
//! 4. [`normalise`].
//!
//! Converting first and resizing then would be five times the work for the same picture to within
//! the tolerance that `tests.rs` states.
//!
//! Not here: what the network wants ([`crate::input`]), and where to look ([`crate::roi`]).

mod normalise;
mod preprocessor;
mod resize;
#[cfg(test)]
mod tests;

pub use normalise::normalise;
pub use preprocessor::Preprocessor;

use crate::frame::{Rect, Size};

/// Why a frame can not be made an input.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// The output is not as long as the input specification says.
    #[error("output for a side of {side_px} px: expected {expected} values, found {found}")]
    Length {
        /// The input's side.
        side_px: u32,
        /// Values expected.
        expected: usize,
        /// Values given room for.
        found: usize,
    },
    /// The part to take does not lie in the frame.
    #[error("source {rect}: expected a part of the frame, which is {size}")]
    Source {
        /// The refused part.
        rect: Rect,
        /// The frame's size.
        size: Size,
    },
    /// The resizer refused.
    #[error("resize {step}: {message}")]
    Resize {
        /// Which plane.
        step: &'static str,
        /// What the resizer said.
        message: String,
    },
}
