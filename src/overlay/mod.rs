//! Painting a segmentation on a frame, in the frame's own format.
//!
//! A style says what is to be painted ([`Recipe`]), [`Measures`] how long that is on one frame, and a badge is a
//! [`Plate`]. Frames in this machine's memory are painted here; whoever has others can follow the same numbers.
//!
//! A style is a file with `impl Style` and a line in [`STYLES`]; configuration values, help texts and the
//! elements' properties come from that slice.
//!
//! Not here: deciding whether a mask may be shown ([`crate::segmentation::Shown`] is the proof that it may).

mod axis;
mod badge;
mod blend;
mod contours;
mod drawing;
mod field;
mod fill;
mod glyphs;
mod grid;
mod measures;
mod outline;
mod pen;
mod recipe;
mod settings;
mod sheet;
#[cfg(test)]
mod tests;

use std::fmt;

pub use badge::{Badge, Plate, paint_badge};
pub use grid::Kind;
pub use measures::{Dashes, Measures, needed};
pub use recipe::{Recipe, Stroke, Tint};
pub use settings::{Settings, SettingsError};

use crate::frame::Size;
use crate::segmentation::Shown;

/// A way of painting a segmentation: a description of what is painted. Its `paint` follows it.
pub trait Style: Sync {
    /// Its name, as configuration files and properties give it.
    fn name(&self) -> &'static str;

    /// One sentence for people who choose.
    fn help(&self) -> &'static str;

    /// Adds to `recipe`, which is empty, what it paints for `shown` on a frame of `size`. Its stops are
    /// [`Recipe::renew`]'s work, which calls this.
    fn describe(&self, shown: &Shown<'_>, settings: &Settings, size: Size, recipe: &mut Recipe);
}

impl fmt::Debug for dyn Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every style; the first is the default.
pub const STYLES: &[&dyn Style] = &[&contours::Contours, &outline::Outline, &fill::Fill];

/// The style of that name.
pub fn style(name: &str) -> Option<&'static dyn Style> {
    STYLES.iter().copied().find(|style| style.name() == name)
}

/// Memory that painting uses again from frame to frame. One per painter.
#[derive(Debug, Default)]
pub struct Scratch {
    recipe: recipe::Recipe,
    hatching: recipe::Hatching,
    grid: grid::Grid,
    columns: axis::Axis,
    rows: axis::Axis,
    field: field::Field,
    sheet: sheet::Sheet,
    /// The runs of gaps in the current row of gaps.
    runs: Vec<(grid::Kind, sheet::Span)>,
    dashes: measures::Dashing,
}
