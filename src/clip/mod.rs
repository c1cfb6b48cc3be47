//! The demonstration's clip: animated stills. Real pictures are panned, zoomed and turned a little, as if the
//! endoscope moved, and shown as capture hardware delivers them: inside black borders, with cut corners, beside
//! a panel of text. The true masks move with them, so that every frame's truth is known.
//!
//! Every frame is a function of its number alone. Real video was the other road: its frames have no masks that
//! may be published here.
//!
//! It is a demonstration of the pipeline and not of clinical quality: stills do not deform, blur or get wet.
//!
//! Not here: giving frames to a pipeline (the tool does), and judging masks ([`crate::metric`]).

mod animation;
mod motion;
mod picture;
mod screen;
mod warp;

use std::path::PathBuf;

pub use animation::Clip;
pub use picture::Picture;

use crate::frame::PixelFormat;

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// A file of the folder can not be read.
    #[error("{path} can not be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the folder is no picture.
    #[error("{path} is no picture that can be read: {source}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: image::ImageError,
    },
    /// The list of pictures is not one.
    #[error("{path}, line {line}: expected name,width_px,height_px,note, found {found:?}")]
    List {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// A mask is not of its picture's size, or there is nothing in it.
    #[error("the mask of {name}: expected {expected}, found {found}")]
    Mask {
        /// The picture.
        name: String,
        /// What was expected.
        expected: String,
        /// What it is.
        found: String,
    },
    /// There are no pictures.
    #[error("a clip needs at least one picture")]
    Empty,
    /// A picture can not be resized.
    #[error("{name} can not be resized: {message}")]
    Resize {
        /// The picture.
        name: String,
        /// What the resizer said.
        message: String,
    },
    /// Frames can not be painted in that format and size.
    #[error("the clip paints I420 and NV12 frames of {expected}, found {format} of {found}")]
    Canvas {
        /// The clip's size.
        expected: crate::frame::Size,
        /// The canvas's format.
        format: PixelFormat,
        /// The canvas's size.
        found: crate::frame::Size,
    },
}
