//! The properties of `polyprecord`. All begin with `record`, so that `polyplive` has them under the same names.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use super::imp::PolypRecord;
use super::settings::{CODECS, Draft};
use crate::meta::nanoseconds;
use crate::polypoverlay::properties::stats_spec;
use crate::property::{Property, choices, text};

/// Every property, with its words.
pub(crate) const PROPERTIES: &[Property<PolypRecord>] = &[
    Property {
        spec: || {
            glib::ParamSpecString::builder("record")
                .nick("Record into")
                .blurb("A folder, in which each recording becomes a folder of its own, named by the time (UTC) at which it began. Empty: nothing is recorded")
                .default_value(Some(""))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().record.to_value(),
        set: Some(|element, value| element.change(|draft| draft.record = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("record-codec")
                .nick("Video codec")
                .blurb(&format!("How the picture is kept: {}. Masks are lossless always", choices(CODECS)))
                .default_value(Some(CODECS[0].0))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().codec.to_value(),
        set: Some(|element, value| element.change(|draft| draft.codec = text(value))),
    },
    Property {
        spec: || {
            let names: Vec<_> = super::encoding::ENCODERS.iter().map(|(name, _)| *name).collect();
            glib::ParamSpecString::builder("record-encoder")
                .nick("H.264 encoder")
                .blurb(&format!("The element that codes H.264: one of {}. Empty: the first of them that is there and starts", names.join(", ")))
                .default_value(Some(""))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().encoder.to_value(),
        set: Some(|element, value| element.change(|draft| draft.encoder = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecBoolean::builder("record-on-start")
                .nick("Record on start")
                .blurb("Whether a recording begins with the first frame, and not only with the action signal start")
                .default_value(Draft::default().on_start)
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().on_start.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.on_start = value.get().unwrap_or(draft.on_start))
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt64::builder("record-segment-time")
                .nick("Time of a file")
                .blurb("After how long the next file of a recording is begun, in nanoseconds")
                .minimum(nanoseconds(Duration::from_secs(1)))
                .maximum(nanoseconds(Duration::from_secs(86_400)))
                .default_value(nanoseconds(Draft::default().segment_time))
                .mutable_ready()
                .build()
        },
        get: |element| nanoseconds(element.draft().segment_time).to_value(),
        set: Some(|element, value| {
            let time = value.get().map(Duration::from_nanos);
            element.change(|draft| draft.segment_time = time.unwrap_or(draft.segment_time));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt64::builder("record-keep-free")
                .nick("Keep free")
                .blurb("The recording ends, with a message, when the disk has fewer bytes than these left")
                .default_value(Draft::default().keep_free)
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().keep_free.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.keep_free = value.get().unwrap_or(draft.keep_free));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt::builder("record-queue")
                .nick("Queue")
                .blurb("How many frames may wait to be coded; memory for so many is kept. Frames beyond are not recorded, and counted")
                .minimum(1)
                .maximum(600)
                .default_value(Draft::default().queue)
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().queue.to_value(),
        set: Some(|element, value| element.change(|draft| draft.queue = value.get().unwrap_or(draft.queue))),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("record-notes")
                .nick("Notes")
                .blurb("What the journal says of how the picture is painted: a configuration, as text. polyplive says its own properties where this is empty")
                .default_value(Some(""))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().notes.to_value(),
        set: Some(|element, value| element.change(|draft| draft.notes = text(value))),
    },
    Property { spec: stats_spec, get: |element| element.stats().to_value(), set: None },
];
