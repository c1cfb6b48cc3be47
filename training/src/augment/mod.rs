//! What may happen to a picture and its mask before a network learns from them.
//!
//! Every effect is a file: its numbers (a table of the configuration, all defaults visible there) and what it
//! does. The order is that of a cart: geometry (of one picture, or of four that
//! make a mosaic), then light and colour, then the processor's overlays and the
//! recorder's compression. Each effect draws from a generator of its own, so switching one off leaves the
//! others as they were; and everything depends on (seed, epoch, index of the picture) alone.
//!
//! Not here: validation and test, whose pictures are only resized ([`crate::data::Squash`]).

mod blur;
mod boxes;
mod colour;
mod config;
mod gamma;
mod geometry;
mod jpeg;
mod mosaic;
mod specular;
mod warp;

pub use blur::Blur;
pub use boxes::Boxes;
pub use colour::Colour;
pub use config::AugmentConfig;
pub use gamma::Gamma;
pub use geometry::Geometry;
pub use jpeg::Jpeg;
pub use mosaic::Mosaic;
pub(crate) use mosaic::{PARTS, put};
pub use specular::Specular;

/// A picture on its way to the network, and its mask.
#[derive(Debug)]
pub struct Sample<'a> {
    /// Rows and columns, in pixels.
    pub side: usize,
    /// Red, green, blue, `[S,S,3]`.
    pub rgb: &'a mut [u8],
    /// 1 where there is a polyp, else 0, `[S,S]`.
    pub mask: &'a mut [u8],
}
