//! `polypoverlay`: paints what `polypsegment` hung on the buffer, in the frame's own format.
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,format=NV12,width=640,height=480 ! polypsegment engine=ENGINE ! polypoverlay style=outline threshold=0.5 ! videoconvert ! autovideosink
//! ```
//!
//! Whether a mask may be shown is asked again here, with the buffer's own time: a duplicated or delayed frame
//! gets an older mask's age, or none. A buffer on which nothing hangs passes as it is, to the bit and without a
//! copy, and without a badge: nothing is known of it, not even that there is a network.
//!
//! Not here: pixels ([`polyp::overlay`]), and making masks ([`crate::polypsegment`]).

mod card;
mod imp;
pub(crate) mod properties;
mod settings;
mod verdict;

pub(crate) use settings::MAX_MASK_AGE;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    /// The element.
    pub struct PolypOverlay(ObjectSubclass<imp::PolypOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// The element's name in pipelines.
pub const NAME: &str = "polypoverlay";

/// Registers the element.
///
/// # Errors
/// When GStreamer refuses.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), NAME, gst::Rank::NONE, PolypOverlay::static_type())
}
