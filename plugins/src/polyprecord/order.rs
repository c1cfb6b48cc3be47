//! What the streaming thread tells the thread that writes.

use std::sync::Arc;
use std::time::Instant;

use super::kind::{Kind, Pixels};
use crate::meta::FrameMeta;

/// One word of it.
#[derive(Debug)]
pub(super) enum Order {
    /// A frame passed.
    Frame(Box<Item>),
    /// The newest frame is to be marked.
    Mark(String),
    /// The picture is painted so from here on.
    Notes(String),
    /// The recording is to end, for this reason.
    Stop(String),
}

/// A frame that passed.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Arc<Kind>,
    pub(super) sequence: u64,
    /// Its running time.
    pub(super) pts_ns: u64,
    /// When it came, by the monotonic clock.
    pub(super) arrived: Instant,
    /// The stream's clock, by name; with the first frame alone.
    pub(super) clock: Option<String>,
    /// The picture, or why there is none.
    pub(super) pixels: Result<Pixels, &'static str>,
    /// What hung on it.
    pub(super) meta: Option<Arc<FrameMeta>>,
    /// Frames before it of which nothing could be told.
    pub(super) untold: u64,
}
