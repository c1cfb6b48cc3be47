//! Painting a segmentation on a frame, in the frame's own format.
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
mod outline;
mod pen;
mod recipe;
mod settings;
mod sheet;
#[cfg(test)]
mod tests;

use std::fmt;

pub use badge::{Badge, paint_badge};
pub use settings::{Settings, SettingsError};

use crate::frame::Canvas;
use crate::segmentation::Shown;

/// A way of painting a segmentation.
pub trait Style: Sync {
    /// Its name, as configuration files and properties give it.
    fn name(&self) -> &'static str;

    /// One sentence for people who choose.
    fn help(&self) -> &'static str;

    /// Paints `shown` on `canvas`. Pixels that it does not cover stay as they are, to the bit.
    fn paint(&self, shown: &Shown<'_>, settings: &Settings, canvas: &mut Canvas<'_>, scratch: &mut Scratch);
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
    /// A weight for every column or row: dashes of a mask that is older than its frame.
    dashes: Vec<f32>,
}
