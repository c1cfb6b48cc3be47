//! The shell of `polyplive`: three children, two ghost pads, and the children's properties and signals.

use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::lock::lock;
use crate::polypoverlay::{self, PolypOverlay};
use crate::polyprecord::{self, PolypRecord};
use crate::polypsegment::{self, PolypSegment};
use crate::{picture, property};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(super::NAME, gst::DebugColorFlags::empty(), Some("Live polyp segmentation"))
});

/// The property of what the journal says of the painting.
const NOTES: &str = "record-notes";

/// The bin's implementation.
#[derive(Debug)]
pub struct PolypLive {
    segment: PolypSegment,
    record: PolypRecord,
    overlay: PolypOverlay,
    /// Whether somebody else says what the journal is to say of the painting.
    noted: Mutex<bool>,
}

impl Default for PolypLive {
    fn default() -> Self {
        Self {
            segment: glib::Object::builder().property("name", "segment").build(),
            record: glib::Object::builder().property("name", "record").build(),
            overlay: glib::Object::builder().property("name", "overlay").build(),
            noted: Mutex::default(),
        }
    }
}

impl PolypLive {
    /// The children that have the property `name`, the segmenter first.
    fn owners(&self, name: &str) -> impl Iterator<Item = &gst::Element> {
        let children =
            [self.segment.upcast_ref::<gst::Element>(), self.overlay.upcast_ref(), self.record.upcast_ref()];
        let name = name.to_owned();
        children.into_iter().filter(move |child| child.find_property(&name).is_some())
    }

    fn stats(&self) -> gst::Structure {
        let of = |child: &gst::Element| child.property::<gst::Structure>("stats");
        gst::Structure::builder("polyplive-stats")
            .field("segment", of(self.segment.upcast_ref()))
            .field("record", of(self.record.upcast_ref()))
            .field("overlay", of(self.overlay.upcast_ref()))
            .build()
    }

    /// Has the journal say how the picture is painted, unless somebody says it themselves.
    fn note(&self) {
        if *lock(&self.noted) {
            return;
        }
        let overlay = self.overlay.upcast_ref::<gst::Element>();
        let of = |property: &glib::ParamSpec| {
            let value = overlay.property_value(property.name()).serialize().ok()?;
            Some(format!("{}={value}", property.name()))
        };
        let specs = property::specs(polypoverlay::properties::PROPERTIES);
        let texts: Vec<String> = specs.iter().filter(|spec| spec.name() != "stats").filter_map(of).collect();
        self.record.set_property(NOTES, texts.join(" "));
    }

    fn add_ghost(&self, direction: gst::PadDirection) -> Result<(), glib::BoolError> {
        let (child, name) = match direction {
            gst::PadDirection::Sink => (self.segment.upcast_ref::<gst::Element>(), "sink"),
            _ => (self.overlay.upcast_ref::<gst::Element>(), "src"),
        };
        let target = child.static_pad(name).ok_or_else(|| glib::bool_error!("child without pad {name}"))?;
        let template = self.obj().pad_template(name);
        let template = template.ok_or_else(|| glib::bool_error!("no template for pad {name}"))?;
        let ghost = gst::GhostPad::builder_from_template_with_target(&template, &target)?.name(name).build();
        self.obj().add_pad(&ghost)
    }

    fn build(&self) -> Result<(), glib::BoolError> {
        let children =
            [self.segment.upcast_ref::<gst::Element>(), self.record.upcast_ref(), self.overlay.upcast_ref()];
        self.obj().add_many(children)?;
        gst::Element::link_many(children)?;
        self.add_ghost(gst::PadDirection::Sink)?;
        self.add_ghost(gst::PadDirection::Src)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for PolypLive {
    const NAME: &'static str = "PolypLive";
    type Type = super::PolypLive;
    type ParentType = gst::Bin;
}

/// The children's tables, one after the other; what more than one has is taken once.
fn specs() -> Vec<glib::ParamSpec> {
    let mut specs = property::specs(polypsegment::properties::PROPERTIES);
    let overlay = property::specs(polypoverlay::properties::PROPERTIES);
    for spec in overlay.into_iter().chain(property::specs(polyprecord::properties::PROPERTIES)) {
        if specs.iter().all(|other| other.name() != spec.name()) {
            specs.push(spec);
        }
    }
    specs
}

impl ObjectImpl for PolypLive {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(specs);
        &SPECS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        for child in self.owners(spec.name()) {
            child.set_property_from_value(spec.name(), value);
        }
        if spec.name() == NOTES {
            *lock(&self.noted) = !property::text(value).is_empty();
        }
        self.note();
    }

    fn property(&self, _id: usize, spec: &glib::ParamSpec) -> glib::Value {
        if spec.name() == "stats" {
            return self.stats().to_value();
        }
        // What the bin says by itself is nobody's notes.
        if spec.name() == NOTES && !*lock(&self.noted) {
            return spec.default_value().clone();
        }
        let owner = self.owners(spec.name()).next();
        owner.map_or_else(|| spec.default_value().clone(), |child| child.property_value(spec.name()))
    }

    fn constructed(&self) {
        self.parent_constructed();
        // Fails only for pads that were not made; the bin then has none, and no pipeline links it.
        if let Err(error) = self.build() {
            gst::error!(CAT, imp = self, "{error}");
        }
        self.note();
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            polyprecord::signals(|object| {
                let bin = object.downcast_ref::<super::PolypLive>()?;
                Some(bin.imp().record.clone())
            })
        });
        &SIGNALS
    }
}

impl GstObjectImpl for PolypLive {}

impl ElementImpl for PolypLive {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Live polyp segmentation",
                "Filter/Effect/Analyzer/Video",
                "polypsegment, polyprecord and polypoverlay in one: asks a vision-language network where polyps are and paints \
                 its masks on the live picture, which never stops. The corner says what the masks are worth: LIVE, \
                 HELD with their age, STARTING, NO MASK, LATE, FAULT or OFF. With `record`, picture and masks are \
                 recorded; action signals: start, stop, mark",
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

impl BinImpl for PolypLive {}
