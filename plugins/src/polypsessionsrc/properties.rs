//! The properties of `polypsessionsrc`.

use gst::glib;
use gst::prelude::*;

use super::imp::PolypSessionSrc;
use super::reel::Masks;
use crate::property::{Property, text};

/// Every property, with its words.
pub(super) const PROPERTIES: &[Property<PolypSessionSrc>] = &[
    Property {
        spec: || {
            glib::ParamSpecString::builder("session")
                .nick("Session")
                .blurb("The folder of the session that is played")
                .default_value(Some(""))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().0.to_value(),
        set: Some(|element, value| element.change(|draft| draft.0 = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecEnum::builder_with_default("masks", Masks::default())
                .nick("Masks")
                .blurb("Which mask each frame carries")
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().1.to_value(),
        set: Some(|element, value| element.change(|draft| draft.1 = value.get().unwrap_or(draft.1))),
    },
];
