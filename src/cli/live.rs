//! `polyplive`, set up as a configuration says.

use std::time::Duration;

use gst::prelude::*;
use polyp::alarm::Rule;
use polyp::config::{Limits, Overlay, Record, Segment};

use super::failure::Failure;
use super::{place, plugin};

/// The element's name in the tool's pipelines.
pub(super) const NAME: &str = "live";

/// How long a frame waits for its mask where each is to have one: as long as the element allows.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// The element, with every property that the configuration names.
pub(super) fn make(
    segment: &Segment,
    overlay: &Overlay,
    record: Option<&Record>,
) -> Result<gst::Element, Failure> {
    let element = plugin::make_named("polyplive", NAME)?;
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let engine = place::engine(Some(&segment.engine))?;
    plugin::set(&element, "engine", engine.to_string_lossy().as_ref())?;
    let texts =
        [("public-key", &segment.public_key), ("prompt", &segment.prompt), ("backend", &segment.backend)];
    for (name, text) in texts {
        if let Some(text) = text {
            plugin::set(&element, name, text.as_str())?;
        }
    }
    plugin::set(&element, "fallback", segment.fallback.join(","))?;
    plugin::set(&element, "precision", segment.precision.name())?;
    plugin::set(&element, "threads", segment.threads)?;
    plugin::set_named(&element, "isolation", segment.isolation.name())?;
    plugin::set_named(&element, "mode", segment.mode.name())?;
    plugin::set(&element, "latency-budget", nanoseconds(segment.latency_budget))?;
    plugin::set(&element, "max-mask-age", nanoseconds(segment.max_mask_age))?;
    plugin::set(&element, "roi", segment.roi.to_string())?;
    plugin::set(&element, "motion-compensation", segment.motion_compensation)?;
    plugin::set(&element, "smoothing", segment.smoothing)?;
    plugin::set(&element, "alarm", Rule::write(segment.alarm))?;
    plugin::set(&element, "alarm-area", segment.alarm_area)?;
    paint(&element, overlay)?;
    if let Some(record) = record {
        plugin::set(&element, "record", record.path.to_string_lossy().as_ref())?;
        plugin::set(&element, "record-codec", record.codec.name())?;
        plugin::set(&element, "record-segment-time", nanoseconds(record.segment_time))?;
        plugin::set(&element, "record-keep-free", u64::from(record.keep_free_gb) * 1_000_000_000)?;
    }
    Ok(element)
}

/// Holds `element` to that budget, and has it serve its figures at `port`, if at all.
pub(super) fn watch(element: &gst::Element, limits: &Limits, port: Option<u16>) -> Result<(), Failure> {
    plugin::set(element, "budget", limits.budget.to_string())?;
    plugin::set_named(element, "budget-missed", limits.missed.name())?;
    let smaller = limits.smaller_engine.as_ref().map(|path| path.to_string_lossy().into_owned());
    plugin::set(element, "smaller-engine", smaller.unwrap_or_default())?;
    plugin::set(element, "metrics-port", u32::from(port.unwrap_or_default()))
}

/// The statistics of one child: `segment`, `record` or `overlay`. Nothing of an element that is not ours.
pub(super) fn stats(element: &gst::Element, child: &str) -> Option<gst::Structure> {
    element.find_property("stats")?;
    element.property::<gst::Structure>("stats").get(child).ok()
}

/// Has `element` paint as the configuration says.
pub(super) fn paint(element: &gst::Element, overlay: &Overlay) -> Result<(), Failure> {
    plugin::set(element, "style", overlay.style.as_str())?;
    let painted = &overlay.settings;
    let levels: Vec<String> = painted.levels.iter().map(f32::to_string).collect();
    plugin::set(element, "threshold", painted.threshold)?;
    plugin::set(element, "levels", levels.join(","))?;
    plugin::set(element, "opacity", painted.opacity)?;
    plugin::set(element, "badge", painted.badge)?;
    plugin::set(element, "line-px", painted.line_px)
}
