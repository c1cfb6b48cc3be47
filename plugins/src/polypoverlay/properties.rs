//! The properties of `polypoverlay`.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use polyp::overlay::STYLES;

use super::imp::PolypOverlay;
use super::settings::Draft;
use crate::meta::nanoseconds;
use crate::property::{Property, choices, text};

/// The largest age or wait that a property takes.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);

/// The property `max-mask-age`, which both elements have.
pub(crate) fn max_mask_age_spec() -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder("max-mask-age")
        .nick("Maximum mask age")
        .blurb("The oldest mask that is shown, in nanoseconds (120000000 is 120 ms). An older mask is gone, and the badge says LATE")
        .maximum(nanoseconds(LONGEST))
        .default_value(nanoseconds(super::settings::MAX_MASK_AGE))
        .mutable_playing()
        .build()
}

/// The property `enabled`, which both elements have.
pub(crate) fn enabled_spec() -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder("enabled")
        .nick("Enabled")
        .blurb("Whether anything is done at all. When false, pictures pass to the bit and without a copy")
        .default_value(true)
        .mutable_playing()
        .build()
}

/// The property `stats`, which every element has.
pub(crate) fn stats_spec() -> glib::ParamSpec {
    glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
        .nick("Statistics")
        .blurb("What was done since the element last went to PAUSED: counts of frames by what they showed, and times in nanoseconds")
        .read_only()
        .build()
}

/// Every property, with its words.
pub(crate) const PROPERTIES: &[Property<PolypOverlay>] = &[
    Property {
        spec: || {
            let words = choices(STYLES.iter().map(|style| (style.name(), style.help())));
            glib::ParamSpecString::builder("style")
                .nick("Style")
                .blurb(&format!("How masks are painted: {words}"))
                .default_value(Some(Draft::default().style.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().style.to_value(),
        set: Some(|element, value| element.change(|draft| draft.style = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecFloat::builder("threshold")
                .nick("Threshold")
                .blurb("The calibrated probability, without unit, at which the mask's edge lies")
                .minimum(0.001)
                .maximum(0.999)
                .default_value(Draft::default().threshold)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().threshold.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.threshold = value.get().unwrap_or(draft.threshold));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("levels")
                .nick("Contour levels")
                .blurb("Probabilities, without unit, at which the styles that draw iso-lines draw them: at most 8, rising, each above 0 and below 1, apart by commas")
                .default_value(Some(Draft::default().levels.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().levels.to_value(),
        set: Some(|element, value| element.change(|draft| draft.levels = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecFloat::builder("opacity")
                .nick("Opacity")
                .blurb("How firmly areas are tinted, without unit: 0 is not at all, 1 is solid. Lines are always firm")
                .minimum(0.0)
                .maximum(1.0)
                .default_value(Draft::default().opacity)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().opacity.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.opacity = value.get().unwrap_or(draft.opacity));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecBoolean::builder("badge")
                .nick("Badge")
                .blurb("Whether the corner says what the overlay is worth even while all is well")
                .default_value(Draft::default().badge)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().badge.to_value(),
        set: Some(|element, value| element.change(|draft| draft.badge = value.get().unwrap_or(draft.badge))),
    },
    Property {
        spec: || {
            glib::ParamSpecFloat::builder("line-px")
                .nick("Line width")
                .blurb(
                    "Width of the main line, in pixels on a frame 1080 pixels high; it scales with the frame",
                )
                .minimum(0.5)
                .maximum(16.0)
                .default_value(Draft::default().line_px)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().line_px.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.line_px = value.get().unwrap_or(draft.line_px));
        }),
    },
    Property {
        spec: max_mask_age_spec,
        get: |element| nanoseconds(element.draft().max_mask_age).to_value(),
        set: Some(|element, value| {
            let limit = value.get().map(Duration::from_nanos);
            element.change(|draft| draft.max_mask_age = limit.unwrap_or(draft.max_mask_age));
        }),
    },
    Property {
        spec: enabled_spec,
        get: |element| element.draft().enabled.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.enabled = value.get().unwrap_or(draft.enabled));
        }),
    },
    Property { spec: stats_spec, get: |element| element.stats().to_value(), set: None },
];
