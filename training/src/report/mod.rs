//! Scores as pictures: contact sheets of the worst and the best, reliability diagrams, and a report in HTML.
//!
//! Not here: the figures ([`crate::score`]).

mod charts;
mod compare;
mod html;
mod sheets;

pub use charts::{reliability, scatter};
pub use compare::{Column, Table, differences, table};
pub(crate) use html::escaped;
pub use html::{Html, Section};
pub use sheets::{PICTURES, Tile, sheet, sheets};
