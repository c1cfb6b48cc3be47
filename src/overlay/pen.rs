//! The colours that are painted with, and why these.
//!
//! Mucosa is red to orange, its highlights white, its depths dark red to black. What stands out on all of it and is
//! not met in a body is cyan and blue. It also stays apart for people who do not tell red from green: for them mucosa
//! turns olive or brown, and cyan stays blueish and bright. Green would be lost to them, yellow on fat and stool, red
//! on everything. No meaning hangs on hue alone: levels differ in width and firmness, age in dashes, states of
//! the badge in shape and word.

use crate::colour::to_yuv;
use crate::frame::{Colorimetry, PixelFormat};

/// A colour, red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pen(pub(super) [u8; 3]);

impl Pen {
    /// Lines: the brightest cyan.
    pub(super) const LINE: Self = Self([0, 255, 255]);
    /// The thin dark seam along the main line, which keeps it visible on highlights.
    pub(super) const SEAM: Self = Self([0, 24, 40]);
    /// Areas of the mask.
    pub(super) const AREA: Self = Self([0, 200, 255]);
    /// Areas of doubt: bluer than the line, so that the line stays on top.
    pub(super) const DOUBT: Self = Self([40, 110, 255]);
    /// The badge's ground.
    pub(super) const GROUND: Self = Self([12, 12, 16]);
    /// The badge's words.
    pub(super) const WORDS: Self = Self([255, 255, 255]);
    /// The badge's shape for a mask of an earlier frame.
    pub(super) const HELD: Self = Self([150, 195, 255]);
    /// For nothing to tell.
    pub(super) const QUIET: Self = Self([200, 200, 200]);
    /// For an answer that was late.
    pub(super) const LATE: Self = Self([255, 210, 0]);
    /// For a failure.
    pub(super) const FAULT: Self = Self([255, 100, 60]);
}

/// The pens' samples as a frame of that format and colorimetry holds them: Y, U, V or red, green, blue.
pub(super) fn samples<const N: usize>(
    pens: [Option<Pen>; N],
    format: PixelFormat,
    colorimetry: Colorimetry,
) -> [Option<[u8; 3]>; N] {
    pens.map(|pen| pen.map(|Pen(rgb)| if format.is_yuv() { to_yuv(rgb, colorimetry) } else { rgb }))
}
