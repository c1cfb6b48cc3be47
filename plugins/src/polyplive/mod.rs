//! `polyplive`: `polypsegment`, `polyprecord` and `polypoverlay` in one bin, the element that carts use.
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,format=BGRx,width=640,height=480 ! polyplive engine=ENGINE style=outline ! videoconvert ! autovideosink
//! ```
//!
//! It has the properties of all three, under the same names; one that two have (`enabled`, `max-mask-age`) is set on
//! both. Its parts are its children `segment`, `record` and `overlay`. With `record`, sessions are recorded; `start`, `stop` and `mark` are
//! the recorder's action signals.
//!
//! Not here: anything that the three do not do.

mod imp;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The bin.
    pub struct PolypLive(ObjectSubclass<imp::PolypLive>)
        @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

/// The element's name in pipelines.
pub const NAME: &str = "polyplive";

/// Registers the element.
///
/// # Errors
/// When GStreamer refuses.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), NAME, gst::Rank::NONE, PolypLive::static_type())
}
