//! `polypsessionsrc`: plays a recorded session: the clean picture, and on each frame what hung on it.
//!
//! ```text
//! gst-launch-1.0 polypsessionsrc session=SESSION ! polypoverlay style=outline threshold=0.3 ! videoconvert ! autovideosink
//! ```
//!
//! Frames come in the format in which they were recorded, with their own distances in time, the first at 0; frames that were not recorded
//! are not there. With `masks=shown` each carries the mask, motion, badge and alarm that it was shown with; with `masks=own` the mask that
//! the network made of this very frame, where it made one that was shown; with `masks=none` nothing, so that a network can be asked anew.
//!
//! What is read is what was written, or an ERROR says which frame it is not: every file and every mask is checked against the journal, and
//! so is every picture of a lossless recording.
//!
//! Not here: files ([`polyp::session`]), painting ([`crate::polypoverlay`]).

mod decoding;
mod imp;
mod properties;
mod reel;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element.
    pub struct PolypSessionSrc(ObjectSubclass<imp::PolypSessionSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// The element's name in pipelines.
pub const NAME: &str = "polypsessionsrc";

/// Registers the element.
///
/// # Errors
/// When GStreamer refuses.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), NAME, gst::Rank::NONE, PolypSessionSrc::static_type())
}
