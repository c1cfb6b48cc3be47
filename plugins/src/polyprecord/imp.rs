//! The shell of `polyprecord`: GStreamer in, orders to the writer out. The buffer goes on as it is, whatever becomes of the recording.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::GenerateOutputSuccess;
use gst_base::subclass::prelude::*;

use super::control::Active;
use super::kind::Kind;
use super::order::Order;
use super::pass::Cause;
use super::properties::PROPERTIES;
use super::settings::{Draft, Settings};
use crate::lock::lock;
use crate::picture::{self, Picture};
use crate::property;
use crate::timeline::Timeline;
use crate::troubles::Troubles;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(super::NAME, gst::DebugColorFlags::empty(), Some("Records picture and masks"))
});

/// What the streaming thread needs from frame to frame.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) kind: Option<Arc<Kind>>,
    pub(super) timeline: Timeline,
    pub(super) sequence: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stats {
    pub(super) frames: u64,
    pub(super) handed: u64,
    pub(super) dropped: u64,
    pub(super) recordings: u64,
}

/// The element's implementation.
#[derive(Default)]
pub struct PolypRecord {
    pub(super) draft: Mutex<Draft>,
    pub(super) settings: Mutex<Option<Arc<Settings>>>,
    pub(super) stream: Mutex<Stream>,
    pub(super) active: Mutex<Option<Active>>,
    pub(super) troubles: Mutex<Troubles<Cause>>,
    pub(super) stats: Mutex<Stats>,
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
