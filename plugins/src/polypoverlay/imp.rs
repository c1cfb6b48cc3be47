//! The shell of `polypoverlay`: GStreamer in, verdict and painter out.
//!
//! The flow can not fail here: the one function that a buffer goes through gives a buffer back, whatever
//! happened to it. `BaseTransform::transform_ip` was the other road; it has a copy of the picture ready for
//! every buffer that somebody else holds too, also where nothing is to be painted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::GenerateOutputSuccess;
use gst_base::subclass::prelude::*;
use polyp::overlay::{Badge, Scratch, paint_badge};
use polyp::segmentation::Moved;
use polyp::trace::Stage;
use polyp_engine::cuda::painter::Drawing;
use tracing::trace_span;

use super::card::CardPainter;
use super::properties::PROPERTIES;
use super::settings::{Draft, Settings};
use super::verdict::verdict;
use crate::lock::lock;
use crate::meta::{self, FrameMeta, nanoseconds};
use crate::picture::{self, Picture};
use crate::property;
use crate::timeline::running_time;
use crate::troubles::Troubles;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(super::NAME, gst::DebugColorFlags::empty(), Some("Paints polyp masks"))
});

/// What can go wrong while painting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The buffer is not what the caps promise.
    Picture,
    /// The mask is of a picture of another size.
    Size,
    /// The card can not be used, or fails.
    Card,
    /// The painter panicked.
    Panic,
}

/// What one stream needs: made with its caps.
struct Stream {
    picture: Picture,
    scratch: Scratch,
    /// The memory of the last mask that was moved along with the picture.
    moved: Option<Moved>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stats {
    frames: u64,
    painted: u64,
    without_meta: u64,
    failed: u64,
    paint_total: Duration,
    paint_longest: Duration,
}

/// The element's implementation.
#[derive(Default)]
pub struct PolypOverlay {
    draft: Mutex<Draft>,
    settings: Mutex<Option<Arc<Settings>>>,
    stream: Mutex<Option<Stream>>,
    troubles: Mutex<Troubles<Cause>>,
    stats: Mutex<Stats>,
    /// What paints frames that lie on a card; `None` while none did.
    pub(super) card: Mutex<Option<CardPainter>>,
}

impl PolypOverlay {
    pub(super) fn draft(&self) -> Draft {
        lock(&self.draft).clone()
    }

    /// Changes properties. While running, a change that does not pass the check is refused with a warning, and
    /// what was in force stays so.
    pub(super) fn change(&self, change: impl FnOnce(&mut Draft)) {
        let refused = {
            let mut draft = lock(&self.draft);
            let mut changed = draft.clone();
            change(&mut changed);
            let mut settings = lock(&self.settings);
            match settings.as_ref().map(|_running| changed.check()) {
                Some(Err(sentence)) => Some(sentence),
                Some(Ok(checked)) => {
                    *settings = Some(Arc::new(checked));
                    *draft = changed;
                    None
                }
                None => {
                    *draft = changed;
                    None
                }
            }
        };
        if let Some(sentence) = refused {
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{sentence}; the old value stays"));
        }
    }

    pub(super) fn stats(&self) -> gst::Structure {
        let stats = *lock(&self.stats);
        gst::Structure::builder("polypoverlay-stats")
            .field("frames", stats.frames)
            .field("painted", stats.painted)
            .field("without-meta", stats.without_meta)
            .field("failed", stats.failed)
            .field("paint-mean", nanoseconds(stats.paint_total).checked_div(stats.painted).unwrap_or(0))
            .field("paint-longest", nanoseconds(stats.paint_longest))
            .build()
    }

    /// Paints on `buffer` what hangs on it. Whatever goes wrong, the buffer goes on.
    fn pass(&self, buffer: &mut gst::Buffer) {
        let Some(settings) = lock(&self.settings).clone().filter(|settings| settings.enabled) else {
            return;
        };
        lock(&self.stats).frames += 1;
        let Some(frame) = meta::of(buffer) else {
            lock(&self.stats).without_meta += 1;
            return;
        };
        let mut painted = None;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.paint(buffer, &frame, &settings, &mut painted)));
        let outcome = outcome.unwrap_or_else(|_panic| {
            Err((Cause::Panic, "the painter panicked; the frame may be half painted".to_owned()))
        });
        write_down(buffer, &frame, painted);
        match outcome {
            Ok(()) => self.well(frame.time),
            Err((cause, sentence)) => self.trouble(cause, &sentence),
        }
    }

    fn paint(
        &self,
        buffer: &mut gst::Buffer,
        frame: &Arc<FrameMeta>,
        settings: &Arc<Settings>,
        times: &mut Option<(Instant, Duration)>,
    ) -> Result<(), (Cause, String)> {
        let mut stream = lock(&self.stream);
        let Some(Stream { picture, scratch, moved }) = stream.as_mut() else {
            return Ok(());
        };
        // A buffer without a timestamp has the time that the segmenter counted for it.
        let time = running_time(&*self.obj(), buffer).unwrap_or(frame.time);
        let _paint = trace_span!("paint", sequence = frame.sequence).entered();
        let begun = Instant::now();
        let how = (settings.max_mask_age, &settings.paint);
        let verdict = verdict(frame, picture.size(), time, how, moved);
        if verdict.shown.is_none() && verdict.badge == Badge::Live && !settings.paint.badge {
            return Ok(());
        }
        if picture.is_on_card() {
            let mask = verdict.shown.as_ref().map(|shown| (settings.style, shown));
            let drawing = Drawing { mask, badge: verdict.badge, settings: &settings.paint };
            if drawing.is_empty(picture.size())
                || !self.paint_on_card(buffer, picture, (frame, time), settings)?
            {
                return Ok(());
            }
        } else {
            let painted = picture.canvas(buffer.make_mut(), |canvas| {
                if let Some(shown) = &verdict.shown {
                    settings.style.paint(shown, &settings.paint, canvas, scratch);
                }
                paint_badge(&verdict.badge, &settings.paint, canvas, scratch);
            });
            painted.map_err(|error| (Cause::Picture, error.to_string()))?;
        }
        let took = begun.elapsed();
        self.count(took);
        *times = Some((begun, took));
        if frame.segmentation.is_some() && frame.size != picture.size() {
            let (mask, here) = (frame.size, picture.size());
            let sentence =
                format!("mask of a picture of {mask}: expected one of {here}; scale before polypsegment");
            return Err((Cause::Size, sentence));
        }
        Ok(())
    }

    fn count(&self, time: Duration) {
        let mut stats = lock(&self.stats);
        stats.painted += 1;
        stats.paint_total += time;
        stats.paint_longest = stats.paint_longest.max(time);
    }

    fn trouble(&self, cause: Cause, sentence: &str) {
        lock(&self.stats).failed += 1;
        gst::debug!(CAT, imp = self, "{cause:?}: {sentence}");
        if lock(&self.troubles).trouble(&cause) {
            gst::element_imp_warning!(self, gst::StreamError::Failed, ("{sentence}"));
        }
    }

    fn well(&self, time: Duration) {
        let over = lock(&self.troubles).well(time);
        if !over.is_empty() {
            gst::element_imp_info!(self, gst::StreamError::Failed, ("painting again, after {over:?}"));
        }
    }
}

/// Writes down when a frame was `painted` and for how long, if it was, and its whole way; says both on it, with what was over the budget.
fn write_down(buffer: &mut gst::Buffer, frame: &FrameMeta, painted: Option<(Instant, Duration)>) {
    let mut over = frame.over;
    if let Some(ledger) = &frame.ledger {
        if let Some((begun, took)) = painted {
            over.add(Stage::Paint, ledger.span(frame.sequence, Stage::Paint, begun, took));
        }
        let arrived = frame.trace.arrived;
        over.add(Stage::Picture, ledger.span(frame.sequence, Stage::Picture, arrived, arrived.elapsed()));
    }
    // A buffer of which there is nothing new to say stays as it is, also where somebody else holds it.
    if painted.is_some() || over != frame.over {
        meta::set_painted(buffer.make_mut(), painted.map(|(_, took)| took), over);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for PolypOverlay {
    const NAME: &'static str = "PolypOverlay";
    type Type = super::PolypOverlay;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for PolypOverlay {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| property::specs(PROPERTIES));
        &SPECS
    }

    fn set_property(&self, id: usize, value: &glib::Value, _spec: &glib::ParamSpec) {
        property::set(PROPERTIES, self, id, value);
    }

    fn property(&self, id: usize, spec: &glib::ParamSpec) -> glib::Value {
        property::get(PROPERTIES, self, id, spec)
    }
}

impl GstObjectImpl for PolypOverlay {}

impl ElementImpl for PolypOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Polyp mask overlay",
                "Filter/Effect/Video",
                "Paints the masks that polypsegment attached, in the frame's own format, and says in the corner \
                 what they are worth. A mask is painted only if it is of this frame or not older than \
                 max-mask-age. Buffers that never met polypsegment pass to the bit",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| picture::pad_templates().unwrap_or_default());
        &TEMPLATES
    }
}

impl BaseTransformImpl for PolypOverlay {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let checked = self.draft().check();
        let settings = checked.map_err(|s| gst::error_msg!(gst::LibraryError::Settings, ("{s}")))?;
        *lock(&self.settings) = Some(Arc::new(settings));
        *lock(&self.troubles) = Troubles::default();
        *lock(&self.stats) = Stats::default();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.settings) = None;
        *lock(&self.stream) = None;
        let card = lock(&self.card).take();
        // The card's end is waited for, with a limit of its own; no lock is held.
        drop(card);
        Ok(())
    }

    fn set_caps(&self, caps: &gst::Caps, _out: &gst::Caps) -> Result<(), gst::LoggableError> {
        let picture = Picture::from_caps(caps).map_err(|error| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{error}"));
            gst::loggable_error!(CAT, "{error}")
        })?;
        gst::debug!(CAT, imp = self, "{picture:?}");
        if picture.is_on_card() {
            self.open_card();
        }
        let stream = Stream { picture, scratch: Scratch::default(), moved: None };
        *lock(&self.stream) = Some(stream);
        Ok(())
    }

    /// Strides, buffer pools and memory are agreed between the neighbours: this element takes them as they are.
    fn propose_allocation(
        &self,
        _decide: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        self.parent_propose_allocation(None, query)
    }

    /// QoS goes upstream unread: the base class would drop late pictures, and painting costs less than a frame.
    fn src_event(&self, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::Qos => self.obj().sink_pad().push_event(event),
            _ => self.parent_src_event(event),
        }
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        Ok(match self.take_queued_buffer() {
            None => GenerateOutputSuccess::NoOutput,
            Some(mut buffer) => {
                self.pass(&mut buffer);
                GenerateOutputSuccess::Buffer(buffer)
            }
        })
    }
}
