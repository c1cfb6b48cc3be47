//! The shell of `polypsegment`: GStreamer in, session and judge out ([`super::control`], [`super::pass`]).
//!
//! `BaseTransform::transform_ip` is not used: it has a copy of the picture ready for every buffer that somebody
//! else holds too, and only a meta is attached here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::GenerateOutputSuccess;
use gst_base::subclass::prelude::*;

use super::control::Opening;
use super::metrics::Server;
use super::newest::Newest;
use super::open::Factory;
use super::outcome::Cause;
use super::prompts::Prompted;
use super::properties::PROPERTIES;
use super::ready::Preparation;
use super::running::{Asked, Running, Wanted};
use super::segment::Stream;
use super::settings::Draft;
use super::shown::Shown;
use super::start::{Ready, guarded};
use super::stats::Stats;
use super::successor::Successor;
use polyp::trace::{Ledger, Stage};

use crate::lock::lock;
use crate::meta::Metas;
use crate::picture::{self, Picture};
use crate::property;
use crate::troubles::Troubles;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(super::NAME, gst::DebugColorFlags::empty(), Some("Asks the polyp network"))
});

/// The element's implementation.
#[derive(Default)]
pub struct PolypSegment {
    pub(super) draft: Mutex<Draft>,
    pub(super) factory: Mutex<Option<Factory>>,
    pub(super) smaller_factory: Mutex<Option<Factory>>,
    pub(super) running: Mutex<Option<Running>>,
    /// Taken out by the streaming thread while it works.
    pub(super) stream: Mutex<Option<Box<Stream>>>,
    pub(super) troubles: Mutex<Troubles<Cause>>,
    pub(super) stats: Mutex<Stats>,
    /// Every frame's times, from here to the painter.
    pub(super) ledger: Arc<Ledger>,
    /// What hangs on the frames that are on their way.
    pub(super) metas: Mutex<Metas>,
    /// What serves them; `None` where nobody asked for it.
    server: Mutex<Option<Server>>,
    /// A prompt that is ready for the next frame.
    pub(super) memory: Mutex<Option<Prompted>>,
    /// Prompts whose memories are being made; never taken by the streaming thread.
    pub(super) prompts: Mutex<Newest<Asked>>,
    /// Engines that are being made; never taken by the streaming thread.
    pub(super) swaps: Mutex<Newest<Wanted>>,
    /// One that is ready to take over.
    pub(super) successor: Mutex<Option<Box<Successor>>>,
    /// Counts changes of properties.
    pub(super) numbers: AtomicU64,
    /// Which preparation counts; never taken by the streaming thread.
    pub(super) preparation: Mutex<Preparation>,
    /// What came of it, for the next frame.
    pub(super) made: Mutex<Option<Result<Box<Ready>, String>>>,
    /// Counts flushes.
    pub(super) flushes: AtomicU64,
    /// Whether a wait is to end now.
    pub(super) interrupted: AtomicBool,
    /// Frames that the sink has not said anything of yet.
    pub(super) shown: Mutex<Shown>,
    /// Frames up to this running time, in nanoseconds, come too late to the sink; 0 while none does.
    pub(super) late_until: AtomicU64,
}

impl PolypSegment {
    /// A number that no other change of properties has; never 0.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Ends waits, now or from now on.
    fn interrupt(&self, interrupted: bool) {
        self.interrupted.store(interrupted, Ordering::SeqCst);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for PolypSegment {
    const NAME: &'static str = "PolypSegment";
    type Type = super::PolypSegment;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for PolypSegment {
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

impl GstObjectImpl for PolypSegment {}

impl ElementImpl for PolypSegment {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Polyp segmentation",
                "Filter/Analyzer/Video",
                "Asks a vision-language network where polyps are and attaches its masks to the buffers, whose \
                 pixels it never changes. The picture never stops: when the network is late or fails, buffers \
                 go on without a mask and a warning is posted. Put polypoverlay behind it to see the masks",
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

    fn change_state(
        &self,
        change: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if change == gst::StateChange::PausedToReady {
            self.interrupt(true);
        }
        self.parent_change_state(change)
    }
}

impl BaseTransformImpl for PolypSegment {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let port = u16::try_from(self.draft().metrics_port).unwrap_or_default();
        let server = (port > 0).then(|| self.serve(port)).transpose();
        let server = server.map_err(|sentence| gst::error_msg!(gst::LibraryError::Init, ("{sentence}")))?;
        let Opening { stream, running, slow } = guarded(|| self.open())
            .map_err(|sentence| gst::error_msg!(gst::LibraryError::Init, ("{sentence}")))?;
        *lock(&self.memory) = None;
        *lock(&self.troubles) = Troubles::default();
        *lock(&self.stats) = Stats::default();
        self.ledger.clear();
        *lock(&self.shown) = Shown::default();
        self.ledger.set_budget(running.settings.budget);
        self.late_until.store(0, Ordering::SeqCst);
        self.interrupt(false);
        let flushes = self.flushes.load(Ordering::SeqCst);
        *lock(&self.stream) = Some(Box::new(Stream { flushes, ..stream }));
        *lock(&self.running) = Some(running);
        *lock(&self.server) = server;
        if let Some((start, memory)) = slow {
            self.make_ready(start, memory);
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.leave_preparation();
        lock(&self.prompts).leave();
        // From here on nothing counts that is being made for this run.
        let running = lock(&self.running).take();
        let waiting = running
            .filter(Running::is_swapping)
            .and_then(|_| self.leave_swap("stopped before the engine was in force"));
        *lock(&self.memory) = None;
        *lock(&self.metas) = Metas::default();
        let stream = (lock(&self.stream).take(), waiting);
        let server = lock(&self.server).take();
        drop(server);
        // The worker's end is waited for, with a limit of its own; no lock is held.
        drop(stream);
        Ok(())
    }

    fn set_caps(&self, caps: &gst::Caps, _out: &gst::Caps) -> Result<(), gst::LoggableError> {
        let picture = Picture::from_caps(caps).map_err(|error| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{error}"));
            gst::loggable_error!(CAT, "{error}")
        })?;
        gst::debug!(CAT, imp = self, "{picture:?}");
        if let Some(stream) = lock(&self.stream).as_mut() {
            stream.new_picture(picture);
        }
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

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if !BaseTransformImplExt::parent_query(self, direction, query) {
            return false;
        }
        if let (gst::PadDirection::Src, gst::QueryViewMut::Latency(latency)) = (direction, query.view_mut()) {
            let (live, min, max) = latency.result();
            let own = self.draft().check().map(|settings| settings.latency()).unwrap_or_default();
            let own = gst::ClockTime::try_from(own).unwrap_or(gst::ClockTime::ZERO);
            latency.set(live, min + own, max.map(|max| max + own));
        }
        true
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::FlushStart => self.interrupt(true),
            gst::EventType::FlushStop => {
                self.flushes.fetch_add(1, Ordering::SeqCst);
                // Running times begin anew, and what came before is never shown.
                *lock(&self.shown) = Shown::default();
                self.late_until.store(0, Ordering::SeqCst);
                self.interrupt(false);
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }

    /// QoS goes upstream past the base class, which would drop late pictures: here they only skip the network.
    fn src_event(&self, event: gst::Event) -> bool {
        if let gst::EventView::Qos(qos) = event.view() {
            let (_, _, late_by, time) = qos.get();
            let until =
                time.filter(|_| late_by > 0).map_or(0, |time| time.nseconds().saturating_add_signed(late_by));
            self.late_until.store(until, Ordering::Relaxed);
            let done = time.and_then(|time| lock(&self.shown).done(time.into()));
            if let Some((sequence, arrived)) = done {
                self.ledger.span(sequence, Stage::Sink, arrived, arrived.elapsed());
            }
            return self.obj().sink_pad().push_event(event);
        }
        self.parent_src_event(event)
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
