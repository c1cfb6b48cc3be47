//! Where in a frame the endoscope's picture lies.
//!
//! Not here: resizing that part ([`crate::preprocess`]).

use std::fmt;
use std::str::FromStr;

use crate::frame::{FrameView, Rect, Size};

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

/// Finds the region in a stream's frames, and holds it.
#[derive(Clone, Debug)]
pub struct RoiFinder {
    roi: Roi,
    size: Option<Size>,
}

impl RoiFinder {
    /// A finder that has seen nothing yet.
    pub fn new(roi: Roi) -> Self {
        Self { roi, size: None }
    }

    /// What it was asked for.
    pub fn roi(&self) -> Roi {
        self.roi
    }

    /// Forgets what it holds: the next frames are searched anew.
    pub fn reset(&mut self) {
        self.size = None;
    }

    /// The part of `frame` that the network is to see; always inside the frame.
    pub fn source(&mut self, frame: &FrameView<'_>) -> Rect {
        self.size = Some(frame.size());
        match self.roi {
            Roi::Fixed(rect) if rect.fits(frame.size()) => rect,
            _ => Rect::whole(frame.size()),
        }
    }
}
