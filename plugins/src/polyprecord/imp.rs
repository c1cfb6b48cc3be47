//! The shell of `polyprecord`: GStreamer in, orders to the writer out. The buffer goes on as it is, whatever becomes of the recording.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::GenerateOutputSuccess;
use gst_base::subclass::prelude::*;

use super::kind::{Kind, Pool};
use super::order::{Item, Order};
use super::properties::PROPERTIES;
use super::settings::{Draft, Settings};
use super::store;
use super::writer::{Outcome, State, Writer};
use crate::lock::lock;
use crate::meta::nanoseconds;
use crate::picture::{self, Picture};
use crate::timeline::Timeline;
use crate::troubles::Troubles;
use crate::{meta, property};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(super::NAME, gst::DebugColorFlags::empty(), Some("Records picture and masks"))
});

/// The name of the bus message that says that a recording began or ended.
pub const RECORDING: &str = "polyp-recording";

/// Orders that may wait beside frames: lines of frames that are not recorded.
const ORDERS: usize = 1024;
/// How long a recording may take to end before it is left to itself.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long an order other than a frame may wait for room.
const ORDER_LIMIT: Duration = Duration::from_secs(1);

/// What can go wrong while recording, and be over again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Frames come faster than they are coded and written.
    Behind,
    /// Frames lie on a card.
    OnCard,
}

/// Why a frame is not recorded, in the journal's words.
const BEHIND: &str = "queue";
const ON_CARD: &str = "on a card";

/// A recording that goes on.
struct Active {
    orders: Sender<Order>,
    pool: Pool,
    folder: PathBuf,
    /// Says what came of it.
    outcome: Receiver<Outcome>,
    /// Frames of which nothing could be told.
    untold: u64,
    /// Whether the writer knows the stream's clock.
    clock_told: bool,
}

/// What the streaming thread needs from frame to frame.
#[derive(Default)]
struct Stream {
    kind: Option<Arc<Kind>>,
    timeline: Timeline,
    sequence: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stats {
    frames: u64,
    handed: u64,
    dropped: u64,
    recordings: u64,
}

/// The element's implementation.
#[derive(Default)]
pub struct PolypRecord {
    draft: Mutex<Draft>,
    settings: Mutex<Option<Arc<Settings>>>,
    stream: Mutex<Stream>,
    active: Mutex<Option<Active>>,
    troubles: Mutex<Troubles<Cause>>,
    stats: Mutex<Stats>,
}

impl PolypRecord {
    pub(super) fn draft(&self) -> Draft {
        lock(&self.draft).clone()
    }

    /// Changes properties; only `record-notes` counts while running.
    pub(super) fn change(&self, change: impl FnOnce(&mut Draft)) {
        let notes = {
            let mut draft = lock(&self.draft);
            let before = draft.notes.clone();
            change(&mut draft);
            Some(draft.notes.clone()).filter(|notes| *notes != before)
        };
        if let Some(notes) = notes {
            self.order(Order::Notes(notes));
        }
    }

    pub(super) fn stats(&self) -> gst::Structure {
        let stats = *lock(&self.stats);
        let folder = lock(&self.active).as_ref().map(|active| active.folder.display().to_string());
        gst::Structure::builder("polyprecord-stats")
            .field("frames", stats.frames)
            .field("recorded", stats.handed)
            .field("dropped", stats.dropped)
            .field("recordings", stats.recordings)
            .field("folder", folder.unwrap_or_default())
            .build()
    }

    /// Tells the writer something other than a frame; whether there is one that heard it.
    fn order(&self, order: Order) -> bool {
        let orders = lock(&self.active).as_ref().map(|active| active.orders.clone());
        orders.is_some_and(|orders| orders.send_timeout(order, ORDER_LIMIT).is_ok())
    }

    /// Begins a recording, which writes nothing before its first frame; the folder that it will be in.
    fn begin(&self) -> Option<PathBuf> {
        let settings = lock(&self.settings).clone()?;
        let record = settings.record.clone()?;
        let mut active = lock(&self.active);
        if let Some(active) = active.as_ref() {
            return Some(active.folder.clone());
        }
        let folder = store::place(&record, store::unix_ns());
        let (orders, received) = bounded(ORDERS + settings.queue);
        let (done, outcome) = bounded(1);
        let (element, told) = (self.obj().downgrade(), folder.clone());
        let began = Box::new(move || {
            if let Some(element) = element.upgrade() {
                element.imp().say("started", &told, |said| said);
            }
        });
        let (element, pool) = (self.obj().downgrade(), Pool::new(settings.queue));
        let writer = Writer {
            settings: Arc::clone(&settings),
            folder: folder.clone(),
            began,
            state: State::default(),
        };
        let thread = std::thread::Builder::new().name("polyp-record".to_owned()).spawn(move || {
            let folder = writer.folder.clone();
            let ran = catch_unwind(AssertUnwindSafe(|| writer.run(&received)));
            let outcome = ran.unwrap_or_else(|_panic| Outcome {
                folder,
                fault: Some(
                    "the recorder panicked; what it had written is whole after `polyp repair`".to_owned(),
                ),
                ..Outcome::default()
            });
            if let Some(element) = element.upgrade() {
                element.imp().tell(&outcome);
            }
            // Nobody waits for it if the element gave up waiting.
            let _unheard = done.send(outcome);
        });
        if let Err(error) = thread {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Failed,
                ("no thread to record with: {error}")
            );
            return None;
        }
        let notes = self.draft().notes;
        if !notes.is_empty() {
            let _room = orders.try_send(Order::Notes(notes));
        }
        *active =
            Some(Active { orders, pool, folder: folder.clone(), outcome, untold: 0, clock_told: false });
        lock(&self.stats).recordings += 1;
        Some(folder)
    }

    /// Ends the recording and waits, with a limit, until its files are finished. Whether there was one.
    fn end(&self, reason: &str) -> bool {
        let Some(Active { orders, outcome, .. }) = lock(&self.active).take() else { return false };
        // One that has failed hears nothing, and needs not.
        let _failed = orders.send_timeout(Order::Stop(reason.to_owned()), ORDER_LIMIT);
        drop(orders);
        if outcome.recv_timeout(END_LIMIT).is_err() {
            let sentence = format!(
                "the recording did not end within {END_LIMIT:?}; what is on the disk is whole after `polyp repair`"
            );
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{sentence}"));
        }
        true
    }

    /// Says on the bus how a recording ended.
    fn tell(&self, outcome: &Outcome) {
        if let Some(fault) = &outcome.fault {
            let sentence = format!("recording has ended: {fault}; the picture goes on");
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{sentence}"));
        }
        if outcome.began {
            self.say("stopped", &outcome.folder, |said| {
                said.field("reason", outcome.reason.as_str())
                    .field("frames", outcome.frames)
                    .field("dropped", outcome.dropped)
            });
        }
    }

    fn say(
        &self,
        state: &str,
        folder: &std::path::Path,
        more: impl FnOnce(gst::structure::Builder) -> gst::structure::Builder,
    ) {
        let said = gst::Structure::builder(RECORDING)
            .field("state", state)
            .field("folder", folder.display().to_string());
        let obj = self.obj();
        self.post_message(gst::message::Element::builder(more(said).build()).src(&*obj).build());
    }

    /// Hands a copy of the frame to the writer, if one is at work. Never waits.
    fn see(&self, buffer: &gst::Buffer) {
        let mut active = lock(&self.active);
        // What has failed has said so.
        if active.as_ref().is_some_and(|active| !active.outcome.is_empty()) {
            *active = None;
        }
        let mut stream = lock(&self.stream);
        let (meta, duration) = (meta::of(buffer), buffer.duration().map(Duration::from));
        let time = match &meta {
            Some(meta) => meta.time,
            None => {
                let by_rate = stream.kind.as_ref().and_then(|kind| kind.picture.frame_duration());
                let running = self.running_time(buffer);
                stream.timeline.time(running, duration.or(by_rate))
            }
        };
        let sequence = meta.as_ref().map_or(stream.sequence, |meta| meta.sequence);
        stream.sequence += 1;
        let Some(kind) = stream.kind.clone() else { return };
        drop(stream);
        let Some(active) = active.as_mut() else { return };
        let pixels = if kind.picture.is_on_card() {
            Err(ON_CARD)
        } else {
            active.pool.copy(&kind, buffer).ok_or(BEHIND)
        };
        let fault = pixels.as_ref().err().copied();
        let (pts_ns, arrived, untold) = (nanoseconds(time), Instant::now(), active.untold);
        let clock = (!std::mem::replace(&mut active.clock_told, true)).then(|| self.clock_name());
        let item = Item { kind, sequence, pts_ns, arrived, clock, pixels, meta, untold };
        let sent = active.orders.try_send(Order::Frame(Box::new(item)));
        let told = match sent {
            Ok(()) => {
                active.untold = 0;
                true
            }
            Err(TrySendError::Full(_)) => {
                active.untold += 1;
                false
            }
            // It has failed, and is about to say so.
            Err(TrySendError::Disconnected(_)) => false,
        };
        let mut stats = lock(&self.stats);
        stats.frames += 1;
        let handed = told && fault.is_none();
        stats.handed += u64::from(handed);
        stats.dropped += u64::from(!handed);
        drop(stats);
        self.judge(fault.or((!told).then_some(BEHIND)), time);
    }

    fn judge(&self, fault: Option<&'static str>, time: Duration) {
        let (cause, sentence) = match fault {
            None => {
                let over = lock(&self.troubles).well(time);
                if !over.is_empty() {
                    let dropped = lock(&self.stats).dropped;
                    let sentence = format!("recording every frame again; {dropped} were not recorded so far");
                    gst::element_imp_info!(self, gst::ResourceError::Write, ("{sentence}"));
                }
                return;
            }
            Some(ON_CARD) => (
                Cause::OnCard,
                format!(
                    "caps feature {}: frames on a card are not recorded; put cudadownload before this element",
                    crate::card::FEATURE
                ),
            ),
            Some(_) => (
                Cause::Behind,
                "recording is behind: frames are not recorded; the journal has them".to_owned(),
            ),
        };
        if lock(&self.troubles).trouble(&cause) {
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{sentence}"));
        }
    }

    fn clock_name(&self) -> String {
        self.obj().clock().map(|clock| clock.name().to_string()).unwrap_or_default()
    }

    fn running_time(&self, buffer: &gst::BufferRef) -> Option<Duration> {
        let segment = self.obj().segment();
        let segment = segment.downcast_ref::<gst::ClockTime>()?;
        segment.to_running_time(buffer.pts()?).map(Duration::from)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for PolypRecord {
    const NAME: &'static str = "PolypRecord";
    type Type = super::PolypRecord;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for PolypRecord {
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

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> =
            LazyLock::new(|| signals(|object| object.downcast_ref::<super::PolypRecord>().cloned()));
        &SIGNALS
    }
}

/// The action signals, for an object that has a recorder: `start` gives the session's folder, empty where nothing can be recorded; `stop` and
/// `mark` say whether a recording goes on.
pub(crate) fn signals(
    recorder: fn(&glib::Object) -> Option<super::PolypRecord>,
) -> Vec<glib::subclass::Signal> {
    let of = move |values: &[glib::Value]| recorder(&values.first()?.get::<glib::Object>().ok()?);
    vec![
        glib::subclass::Signal::builder("start")
            .action()
            .return_type::<String>()
            .class_handler(move |values| {
                let folder = of(values).and_then(|element| element.imp().begin());
                Some(folder.map(|folder| folder.display().to_string()).unwrap_or_default().to_value())
            })
            .build(),
        glib::subclass::Signal::builder("stop")
            .action()
            .return_type::<bool>()
            .class_handler(move |values| {
                Some(of(values).is_some_and(|element| element.imp().end("stopped")).to_value())
            })
            .build(),
        glib::subclass::Signal::builder("mark")
            .action()
            .param_types([String::static_type()])
            .return_type::<bool>()
            .class_handler(move |values| {
                let text = values.get(1).map(property::text).unwrap_or_default();
                Some(of(values).is_some_and(|element| element.imp().order(Order::Mark(text))).to_value())
            })
            .build(),
    ]
}

impl GstObjectImpl for PolypRecord {}

impl ElementImpl for PolypRecord {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Polyp session recorder",
                "Filter/Video",
                "Records the picture and the masks that polypsegment attached, in Matroska files with a journal \
                 of every frame, and hands every buffer on as it is. The picture never waits for it. Action \
                 signals: start, stop, mark",
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

impl BaseTransformImpl for PolypRecord {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let checked = self.draft().check();
        let settings = checked.map_err(|s| gst::error_msg!(gst::LibraryError::Settings, ("{s}")))?;
        let on_start = settings.on_start && settings.record.is_some();
        *lock(&self.settings) = Some(Arc::new(settings));
        *lock(&self.troubles) = Troubles::default();
        *lock(&self.stats) = Stats::default();
        *lock(&self.stream) = Stream::default();
        if on_start {
            self.begin();
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.end("the pipeline was stopped");
        *lock(&self.settings) = None;
        *lock(&self.stream) = Stream::default();
        Ok(())
    }

    fn set_caps(&self, caps: &gst::Caps, _out: &gst::Caps) -> Result<(), gst::LoggableError> {
        let picture = Picture::from_caps(caps).map_err(|error| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{error}"));
            gst::loggable_error!(CAT, "{error}")
        })?;
        lock(&self.stream).kind = Kind::of(caps, &picture);
        Ok(())
    }

    fn propose_allocation(
        &self,
        _decide: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        self.parent_propose_allocation(None, query)
    }

    /// What is recorded is finished when the stream ends, before anybody hears of it.
    fn sink_event(&self, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::Eos => {
                self.end("the stream ended");
            }
            gst::EventType::FlushStop => lock(&self.stream).timeline.reset(),
            _ => {}
        }
        self.parent_sink_event(event)
    }

    /// QoS goes upstream unread, as in `polypoverlay`.
    fn src_event(&self, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::Qos => self.obj().sink_pad().push_event(event),
            _ => self.parent_src_event(event),
        }
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        Ok(match self.take_queued_buffer() {
            None => GenerateOutputSuccess::NoOutput,
            Some(buffer) => {
                // A panic here costs a frame of the recording, and none of the picture.
                let _panic = catch_unwind(AssertUnwindSafe(|| self.see(&buffer)));
                GenerateOutputSuccess::Buffer(buffer)
            }
        })
    }
}
