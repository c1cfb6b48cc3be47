//! What travels on a buffer from `polypsegment` to whoever is downstream in the same process: the newest mask,
//! what it is worth, and how long each stage took.
//!
//! It is a `GstCustomMeta` named [`NAME`] whose structure holds one boxed, shared [`FrameMeta`]: a copy of the
//! buffer shares it, `queue` and `videoconvert` hand it on. Its tags say that it depends on the picture's size
//! and orientation, so elements that change those drop it, and a mask never lands in a wrong place.
//! `GstAnalyticsSegmentationMtd` was the other road; it is newer than GStreamer 1.22.
//!
//! Not here: deciding whether the mask may be shown ([`polyp::segmentation::Segmentation::shown_on`]).

use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use gst::glib;
use polyp::frame::Size;
use polyp::overlay::Badge;
use polyp::segmentation::Segmentation;
use polyp_engine::worker::Timing;

/// The meta's name, as `gst_buffer_get_custom_meta` takes it.
pub const NAME: &str = "PolypSegmentationMeta";

/// The field of the meta's structure that holds the [`FrameMeta`].
const FIELD: &str = "frame";

/// What `polypsegment` says of one frame.
#[derive(Clone, Debug)]
pub struct FrameMeta {
    /// The mask, if there is one that may be shown on this frame.
    pub segmentation: Option<Arc<Segmentation>>,
    /// What the mask, or its absence, is worth.
    pub badge: Badge,
    /// The frame's size: the mask's placement is in these pixels.
    pub size: Size,
    /// The frame's number in its stream.
    pub sequence: u64,
    /// The frame's running time, or the time that was counted for it.
    pub time: Duration,
    /// How long the stages took.
    pub trace: Trace,
}

/// How long the stages of one frame took, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// When the frame came in.
    pub arrived: Instant,
    /// Finding the region, resizing and normalising; zero when the frame was not given to the network.
    pub prepared: Duration,
    /// Waiting for the network: zero in live mode.
    pub waited: Duration,
    /// The network's stages for the mask that is attached, which may be of an earlier frame.
    pub engine: Option<Timing>,
    /// All of the element's time, waiting included.
    pub total: Duration,
}

impl Trace {
    /// The trace of a frame that has just come in.
    pub fn begin() -> Self {
        Self {
            arrived: Instant::now(),
            prepared: Duration::ZERO,
            waited: Duration::ZERO,
            engine: None,
            total: Duration::ZERO,
        }
    }
}

#[derive(Clone, Debug, glib::Boxed)]
#[boxed_type(name = "PolypFrameMeta")]
struct Shared(Arc<FrameMeta>);

/// Makes the meta known to GStreamer; more than once does no harm.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| gst::meta::CustomMeta::register(NAME, &["video", "size", "orientation"]));
}

/// Hangs `frame` on `buffer`, in place of what hung there.
///
/// # Errors
/// When GStreamer does not know the meta: [`register`] was not called.
pub fn attach(buffer: &mut gst::BufferRef, frame: FrameMeta) -> Result<(), glib::BoolError> {
    let shared = Shared(Arc::new(frame));
    if let Ok(mut meta) = gst::meta::CustomMeta::from_mut_buffer(buffer, NAME) {
        meta.mut_structure().set(FIELD, shared);
        return Ok(());
    }
    let mut meta = gst::meta::CustomMeta::add(buffer, NAME)?;
    meta.mut_structure().set(FIELD, shared);
    Ok(())
}

/// What hangs on `buffer`, if anything does.
pub fn of(buffer: &gst::BufferRef) -> Option<Arc<FrameMeta>> {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, NAME).ok()?;
    meta.structure().get::<Shared>(FIELD).ok().map(|shared| shared.0)
}

/// The badge's name in statistics.
pub fn badge_name(badge: &Badge) -> &'static str {
    match badge {
        Badge::Live => "live",
        Badge::Held { .. } => "held",
        Badge::NoMask => "no-mask",
        Badge::Late => "late",
        Badge::Fault => "fault",
        Badge::Off => "off",
    }
}
