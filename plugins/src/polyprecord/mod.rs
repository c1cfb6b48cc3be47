//! `polyprecord`: records the clean picture and the masks that hang on it, and hands every buffer on as it is.
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,format=NV12,width=640,height=480 ! polypsegment engine=ENGINE ! polyprecord record=SESSIONS ! polypoverlay ! videoconvert ! autovideosink
//! ```
//!
//! It stands between `polypsegment` and `polypoverlay`: what it sees is not painted on. A session is a folder in `record`, named by the time
//! (UTC) at which it began; docs/SESSIONS.md describes it. Recording begins with the first frame, or with the action signal `start` where
//! `record-on-start` is off; `stop` ends it, `mark` marks the newest frame.
//!
//! The picture never waits for it. A frame is copied into memory that is kept for that (`record-queue` frames of it), and everything else
//! is done by threads that stand behind the live picture's. When they are behind, frames are not recorded: they are counted, the journal has
//! their lines, and one WARNING says so. When the disk has less than `record-keep-free` bytes left, or can not be written, the recording ends
//! with a WARNING; the picture goes on.
//!
//! An ELEMENT message [`RECORDING`] says when a recording begins (`state` is `started`) and ends (`stopped`, with `reason`, `frames` and
//! `dropped`), and in which `folder`.
//!
//! Not here: the files ([`polyp::session`]), and reading them ([`crate::polypsessionsrc`]).

mod control;
mod encoding;
mod imp;
mod kind;
mod line;
mod order;
mod outcome;
mod pass;
pub(crate) mod properties;
mod settings;
mod store;
mod writer;

use gst::glib;
use gst::prelude::*;

pub use control::RECORDING;
pub(crate) use imp::signals;

glib::wrapper! {
    /// The element.
    pub struct PolypRecord(ObjectSubclass<imp::PolypRecord>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// The element's name in pipelines.
pub const NAME: &str = "polyprecord";

/// Registers the element.
///
/// # Errors
/// When GStreamer refuses.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), NAME, gst::Rank::NONE, PolypRecord::static_type())
}
