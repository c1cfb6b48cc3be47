//! Where in a frame the endoscope's picture lies: [`Roi`] is what was asked for, [`RoiFinder`] the answer.
//!
//! Capture hardware delivers the picture inside black borders, beside panels of text. The network was trained on
//! pictures without them, and what it sees of them is lost to the polyp: so they are cut off.
//!
//! Not here: resizing that part ([`crate::preprocess`]).

mod finder;
mod lit;

use std::fmt;
use std::str::FromStr;

pub use finder::RoiFinder;

use crate::frame::Rect;

/// Which part of the frame the network sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Roi {
    /// All of it.
    Whole,
    /// This part.
    Fixed(Rect),
    /// The endoscope's picture, found in the frames themselves.
    #[default]
    Auto,
}

/// Why a text names no region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("region {text:?}: expected `whole`, `auto` or WIDTHxHEIGHT+X+Y in pixels, as `640x480+10+20`")]
pub struct RoiError {
    /// The refused text.
    pub text: String,
}

impl FromStr for Roi {
    type Err = RoiError;

    fn from_str(text: &str) -> Result<Self, RoiError> {
        match text {
            "whole" => return Ok(Self::Whole),
            "auto" => return Ok(Self::Auto),
            _ => {}
        }
        let refused = || RoiError { text: text.to_owned() };
        let mut numbers = text.split(['x', '+']).map(str::parse::<u32>);
        let mut next = || numbers.next().and_then(Result::ok).ok_or_else(refused);
        let rect = Rect { width: next()?, height: next()?, x: next()?, y: next()? };
        // Printed again it must be the same text: that catches `10+20x640+480` and what is left over.
        if rect.width == 0 || rect.height == 0 || rect.to_string() != text {
            return Err(refused());
        }
        Ok(Self::Fixed(rect))
    }
}

impl fmt::Display for Roi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Auto => f.write_str("auto"),
            Self::Fixed(rect) => rect.fmt(f),
        }
    }
}
