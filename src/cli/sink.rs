//! Where the painted picture goes, as elements.

use std::path::Path;

use gst::prelude::*;
use polyp::config::Sink;

use super::failure::Failure;
use super::plugin;
use super::source::chain;

/// How many frames may wait before the encoder: it is slow at a change of scene and fast after it.
const WAITING: u32 = 60;

/// Puts the elements of `sink` into `pipeline`, and gives the first of them.
pub(super) fn add(pipeline: &gst::Pipeline, sink: &Sink) -> Result<gst::Element, Failure> {
    match sink {
        Sink::Window => window(pipeline),
        Sink::File { path } => file(pipeline, path),
        Sink::None => {
            let sink = plugin::make_named("fakesink", "screen")?;
            sink.set_property("sync", true);
            sink.set_property("qos", true);
            pipeline.add(&sink).map_err(Failure::build)?;
            Ok(sink)
        }
    }
}

/// Whether there is a display for a window.
pub(super) fn has_display() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()))
}

fn window(pipeline: &gst::Pipeline) -> Result<gst::Element, Failure> {
    if !has_display() {
        return Err(Failure::missing(
            "sink.kind = \"window\": there is no display (neither WAYLAND_DISPLAY nor DISPLAY is set)",
            "start it in a desktop session, or take kind = \"file\"",
        ));
    }
    let queue = queue(4)?;
    let (convert, screen) = (plugin::make("videoconvert")?, plugin::make("autovideosink")?);
    chain(pipeline, &[&queue, &convert, &screen])?;
    Ok(queue)
}

fn file(pipeline: &gst::Pipeline, path: &Path) -> Result<gst::Element, Failure> {
    // Before the stream begins: GStreamer would say it in the middle of it.
    let write = |error: std::io::Error| Failure::Write { path: path.to_owned(), message: error.to_string() };
    drop(std::fs::File::create(path).map_err(write)?);
    let queue = queue(WAITING)?;
    let convert = plugin::make("videoconvert")?;
    let encoder = plugin::make("x264enc")?;
    encoder.set_property_from_str("speed-preset", "ultrafast");
    encoder.set_property_from_str("tune", "zerolatency");
    // Constant quality, so that thin lines stay thin lines.
    encoder.set_property_from_str("pass", "quant");
    encoder.set_property("quantizer", 20_u32);
    encoder.set_property("key-int-max", 60_u32);
    let parser = plugin::make("h264parse")?;
    let muxer = plugin::make("matroskamux")?;
    let sink = plugin::make("filesink")?;
    sink.set_property("location", path.to_string_lossy().as_ref());
    chain(pipeline, &[&queue, &convert, &encoder, &parser, &muxer, &sink])?;
    Ok(queue)
}

/// A sink that shows nothing and keeps the clock's pace: a frame that comes after its time is dropped, and counted so.
pub(super) fn strict() -> Result<gst::Element, Failure> {
    let screen = plugin::make("fakesink")?;
    screen.set_property("sync", true);
    screen.set_property("qos", true);
    screen.set_property("max-lateness", 0_i64);
    Ok(screen)
}

/// How many frames such a sink has had in time, and how many late. It forgets them when it stops.
pub(super) fn counts(strict: &gst::Element) -> (u64, u64) {
    let stats: gst::Structure = strict.property("stats");
    let count = |name| stats.get::<u64>(name).unwrap_or_default();
    (count("rendered"), count("dropped"))
}

/// A queue of so many frames, whatever their size.
pub(super) fn queue(frames: u32) -> Result<gst::Element, Failure> {
    let queue = plugin::make("queue")?;
    queue.set_property("max-size-buffers", frames);
    queue.set_property("max-size-bytes", 0_u32);
    queue.set_property("max-size-time", 0_u64);
    Ok(queue)
}
