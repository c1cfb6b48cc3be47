//! The shell of `polypsessionsrc`: a session in, GStreamer out.

use std::path::Path;
use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;

use super::properties::PROPERTIES;
use super::reel::{Frame, Masks, Reel};
use crate::lock::lock;
use crate::meta::{self, nanoseconds};
use crate::{picture, property};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(super::NAME, gst::DebugColorFlags::empty(), Some("Plays recorded sessions"))
});

/// The element's implementation.
#[derive(Default)]
pub struct PolypSessionSrc {
    draft: Mutex<(String, Masks)>,
    reel: Mutex<Option<Reel>>,
    caps: Mutex<Option<gst::Caps>>,
}

impl PolypSessionSrc {
    pub(super) fn draft(&self) -> (String, Masks) {
        lock(&self.draft).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut (String, Masks))) {
        change(&mut lock(&self.draft));
    }

    /// The frame as a buffer, after its caps where those are others than before.
    fn buffer(&self, frame: Frame) -> Result<gst::Buffer, String> {
        let Frame { sample, time, meta } = frame;
        let caps = sample.caps_owned().ok_or("a picture without caps came out of the decoder")?;
        let is_new = lock(&self.caps).as_ref() != Some(&caps);
        if is_new {
            self.obj().set_caps(&caps).map_err(|error| error.to_string())?;
            *lock(&self.caps) = Some(caps);
        }
        let mut buffer = sample.buffer_owned().ok_or("an empty sample came out of the decoder")?;
        drop(sample);
        let writable = buffer.make_mut();
        writable.set_pts(gst::ClockTime::from_nseconds(nanoseconds(time)));
        writable.set_dts(gst::ClockTime::NONE);
        writable.unset_flags(gst::BufferFlags::all());
        if let Some(meta) = meta {
            meta::attach(writable, meta).map_err(|error| error.to_string())?;
        }
        Ok(buffer)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for PolypSessionSrc {
    const NAME: &'static str = "PolypSessionSrc";
    type Type = super::PolypSessionSrc;
    type ParentType = gst_base::PushSrc;
}

impl ObjectImpl for PolypSessionSrc {
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

    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_format(gst::Format::Time);
    }
}

impl GstObjectImpl for PolypSessionSrc {}

impl ElementImpl for PolypSessionSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Polyp session source",
                "Source/Video",
                "Plays a session that polyprecord has written: the clean picture, and on each frame the mask and \
                 badge that it was shown with. Put polypoverlay behind it to see them",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let direction = gst::PadDirection::Src;
            let template =
                gst::PadTemplate::new("src", direction, gst::PadPresence::Always, &picture::caps());
            template.into_iter().collect()
        });
        &TEMPLATES
    }
}

impl BaseSrcImpl for PolypSessionSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let (session, masks) = self.draft();
        if session.is_empty() {
            let sentence = "property session: expected the folder of a session, found nothing; set it";
            return Err(gst::error_msg!(gst::ResourceError::NotFound, ("{sentence}")));
        }
        let reel = Reel::open(Path::new(&session), masks);
        let reel = reel.map_err(|s| gst::error_msg!(gst::ResourceError::OpenRead, ("{s}")))?;
        *lock(&self.reel) = Some(reel);
        *lock(&self.caps) = None;
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.reel) = None;
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    /// Caps come with the first frame.
    fn negotiate(&self) -> Result<(), gst::LoggableError> {
        Ok(())
    }
}

impl PushSrcImpl for PolypSessionSrc {
    fn create(&self, _buffer: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        let next = match lock(&self.reel).as_mut() {
            Some(reel) => reel.next(),
            None => return Err(gst::FlowError::Flushing),
        };
        let buffer = match next {
            Ok(None) => return Err(gst::FlowError::Eos),
            Ok(Some(frame)) => self.buffer(frame),
            Err(sentence) => Err(sentence),
        };
        buffer.map(CreateSuccess::NewBuffer).map_err(|sentence| {
            gst::debug!(CAT, imp = self, "{sentence}");
            gst::element_imp_error!(self, gst::StreamError::Decode, ("{sentence}"));
            gst::FlowError::Error
        })
    }
}
