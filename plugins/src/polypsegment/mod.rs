//! `polypsegment`: asks the network about every frame and hangs what it said on the buffer.
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=30 ! video/x-raw,format=I420,width=640,height=480 ! polypsegment engine=ENGINE mode=locked latency-budget=500000000 ! polypoverlay ! videoconvert ! autovideosink
//! ```
//!
//! Pixels are read where they lie and never changed; a [`crate::meta::FrameMeta`] is attached to every buffer.
//! In `mode=live` the picture never waits: a frame is given to the network whenever it is idle, and every buffer
//! carries the newest mask that is young enough. In `mode=locked` the picture waits for its own mask until
//! `latency-budget` after it came, and that wait is reported as the element's latency.
//!
//! Whatever the network does while playing (fails, hangs, answers with what is not a number, panics), every
//! picture goes on: without a mask, with a badge that says so, and with one WARNING on the bus per cause until an
//! INFO says that it is over. What is wrong before that (a folder, a hash, a library, a name) is an ERROR and
//! the element does not go to PAUSED.
//!
//! A backend that has to be prepared on a machine first, which may take minutes, does not hold the pipeline up: the
//! element goes to PLAYING, pictures pass with the badge STARTING, PROGRESS messages (code `prepare`) say how far it is,
//! and masks come from the first frame after it is done. If it fails, that is one WARNING and the badge is FAULT.
//!
//! Which backend runs is the user's choice. Another one takes its place only where `fallback` names it; one WARNING says
//! which and why, and `stats` has the name in `backend`.
//!
//! Another prompt and another engine come into force while PLAYING, between two frames: what belongs to them is made beside the
//! picture, while the ones in force go on. What can not be made is one WARNING, and the properties name what is in force again. PROGRESS
//! messages (code `swap`) say how far another engine is; with `compare-frames` both engines see the same frames first, and an ELEMENT
//! message [`COMPARISON`] says how far their masks agree (`dice-mean`, `disagreement-mean`) and how long each took
//! (`old-infer-mean` and `new-infer-mean`, in nanoseconds).
//!
//! With `alarm` on, K of the N newest masks that show a polyp raise an alarm, and few enough of them end it: the meta has it on each frame,
//! and an ELEMENT message [`ALARM`] says so once when it is raised and once when it is over (`raised`, `sequence`, `running-time`, and
//! `mask-sequence` and `area` where there is a mask). A frame without a mask ends it.
//!
//! With `budget`, every frame's stages are held against it: the meta names those that took longer (`over-budget`), `stats` counts them, and when
//! three of 32 frames are over, that is an ELEMENT message [`BUDGET`] (`stage`, `time` and `limit` in nanoseconds, `budget`, `doing`) and an INFO;
//! `budget-missed` says what else happens. `metrics-port` serves the same figures to Prometheus (`/metrics`), as JSON (`/stats.json`) and as a trace
//! for Perfetto (`/trace.json`), to this machine alone.
//!
//! Elements of one process that are set to the same engine share it, unless `share` is off: each has its own prompt, masks and counters.
//!
//! Buffers without a timestamp are given the time of the last frame and one frame's duration more; masks age by
//! that. Interlaced video is refused: put `deinterlace` before the element.
//!
//! Not here: painting ([`crate::polypoverlay`]), the network on a device (`polyp-engine`).

mod alarm;
mod candidates;
mod choices;
mod compare;
mod control;
mod follow;
mod imp;
mod judge;
mod metrics;
mod newest;
mod open;
mod outcome;
mod pass;
mod prompts;
pub(crate) mod properties;
mod ready;
mod reaper;
mod relieve;
mod reserve;
mod running;
mod segment;
mod session;
mod settings;
mod shared;
mod shown;
mod start;
mod stats;
mod successor;
mod swap;
mod switch;

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use polyp_engine::error::EngineError;

pub use alarm::ALARM;
pub use choices::{BudgetMissed, Isolation, Mode};
pub use open::{Hear, OpenEngine, Opened, PrepareEngine, Remember};
pub use relieve::BUDGET;

pub use switch::COMPARISON;

glib::wrapper! {
    /// The element.
    pub struct PolypSegment(ObjectSubclass<imp::PolypSegment>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// The element's name in pipelines.
pub const NAME: &str = "polypsegment";

/// Registers the element.
///
/// # Errors
/// When GStreamer refuses.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), NAME, gst::Rank::NONE, PolypSegment::static_type())
}

impl PolypSegment {
    /// From the next start on, `factory` makes the engine on the backend of the name that it is given, and the
    /// properties `engine`, `precision` and `threads` are not looked at. For tests: engines that hang, fail or lie.
    #[doc(hidden)]
    pub fn set_engine_factory(
        &self,
        factory: impl Fn(&'static str) -> Result<Opened, EngineError> + Send + Sync + 'static,
    ) {
        self.imp().set_factory(Arc::new(factory));
    }

    /// As [`Self::set_engine_factory`], of the engine that `smaller-engine` would name.
    #[doc(hidden)]
    pub fn set_smaller_engine_factory(
        &self,
        factory: impl Fn(&'static str) -> Result<Opened, EngineError> + Send + Sync + 'static,
    ) {
        self.imp().set_smaller_factory(Arc::new(factory));
    }
}
