//! Where the picture comes from, as elements: raw, progressive video at the end of them.

use std::path::Path;
use std::sync::Arc;

use gst::prelude::*;
use polyp::clip::{Clip, Picture};
use polyp::config::{Framerate, Source};
use polyp::frame::{PixelFormat, Size};

use super::failure::Failure;
use super::feed::{Feed, Frames};
use super::{place, plugin};

/// How long the demonstration shows each still, in seconds.
pub(super) const DWELL_S: f64 = 2.5;

/// A source in a pipeline.
pub(super) struct Opened {
    /// The last of its elements: what comes next is linked to it.
    pub(super) last: gst::Element,
    /// What is to be started when the pipeline plays, for sources of our own.
    pub(super) feed: Option<Feed>,
}

/// Puts the elements of `source` into `pipeline` and links them.
pub(super) fn add(pipeline: &gst::Pipeline, source: &Source) -> Result<Opened, Failure> {
    match source {
        Source::File { path } => file(pipeline, path),
        Source::V4l2 { device, size, framerate } => v4l2(pipeline, device, *size, *framerate),
        Source::Decklink { device, mode } => decklink(pipeline, *device, mode),
        Source::Test { size, framerate } => test(pipeline, *size, *framerate),
        Source::Demo { path, size, framerate } => {
            let clip = clip(path.as_deref(), *size, *framerate, DWELL_S)?;
            demo(pipeline, Arc::new(clip), None)
        }
    }
}

/// The animated stills of `folder`, or the repository's, each shown for `dwell_s` seconds.
pub(super) fn clip(
    folder: Option<&Path>,
    size: Size,
    framerate: Framerate,
    dwell_s: f64,
) -> Result<Clip, Failure> {
    let pictures = Picture::read_folder(&place::stills(folder)?)?;
    let dwell_frames = (dwell_s * framerate.per_second()).round() as u64;
    Ok(Clip::new(&pictures, size, framerate, dwell_frames)?)
}

/// Puts a feed of `clip` into `pipeline`: `count` frames, or without an end.
pub(super) fn demo(pipeline: &gst::Pipeline, clip: Arc<Clip>, count: Option<u64>) -> Result<Opened, Failure> {
    let (size, framerate) = (clip.size(), clip.framerate());
    let paint = Box::new(move |index, canvas: &mut polyp::frame::Canvas<'_>| Ok(clip.paint(index, canvas)?));
    feed(pipeline, Frames { format: PixelFormat::Nv12, size, framerate, count, paint })
}

/// Puts a feed of `frames` into `pipeline`.
pub(super) fn feed(pipeline: &gst::Pipeline, frames: Frames) -> Result<Opened, Failure> {
    let feed = Feed::new(frames)?;
    let last = feed.element();
    pipeline.add(&last).map_err(Failure::build)?;
    Ok(Opened { last, feed: Some(feed) })
}

fn file(pipeline: &gst::Pipeline, path: &Path) -> Result<Opened, Failure> {
    if !path.is_file() {
        return Err(Failure::missing(
            format!("source.path: there is no file {}", path.display()),
            "name a video file",
        ));
    }
    let source = plugin::make("filesrc")?;
    source.set_property("location", path.to_string_lossy().as_ref());
    let decoder = plugin::make("decodebin")?;
    chain(pipeline, &[&source, &decoder])?;
    let last = decoded(pipeline, &decoder)?;
    Ok(Opened { last, feed: None })
}

fn v4l2(
    pipeline: &gst::Pipeline,
    device: &Path,
    size: Option<Size>,
    framerate: Option<Framerate>,
) -> Result<Opened, Failure> {
    if !device.exists() {
        return Err(Failure::missing(
            format!("source.device: there is no device {}", device.display()),
            "plug the capture device in, or name another (`ls /dev/video*` lists them)",
        ));
    }
    let source = plugin::make("v4l2src")?;
    source.set_property("device", device.to_string_lossy().as_ref());
    // Cards deliver raw video, webcams often JPEG: both are taken, and decoded where need be.
    let mut caps = gst::Caps::new_empty();
    for name in ["video/x-raw", "image/jpeg"] {
        let mut structure = gst::Structure::new_empty(name);
        if let Some(Size { width, height }) = size {
            structure.set("width", width.cast_signed());
            structure.set("height", height.cast_signed());
        }
        if let Some(rate) = framerate {
            structure.set("framerate", fraction(rate));
        }
        caps.merge_structure(structure);
    }
    let filter = plugin::make("capsfilter")?;
    filter.set_property("caps", caps);
    let decoder = plugin::make("decodebin")?;
    chain(pipeline, &[&source, &filter, &decoder])?;
    let last = decoded(pipeline, &decoder)?;
    Ok(Opened { last, feed: None })
}

fn decklink(pipeline: &gst::Pipeline, device: u32, mode: &str) -> Result<Opened, Failure> {
    let source = plugin::make("decklinkvideosrc")?;
    source.set_property("device-number", device.cast_signed());
    let known = source.find_property("mode").map(|spec| spec.value_type());
    let known = known.and_then(gst::glib::EnumClass::with_type);
    if known.is_some_and(|modes| modes.value_by_nick(mode).is_none()) {
        return Err(Failure::Usage(format!(
            "source.mode = {mode:?}: expected a mode that `gst-inspect-1.0 decklinkvideosrc` lists, or \"auto\""
        )));
    }
    source.set_property_from_str("mode", mode);
    let tail = [plugin::make("deinterlace")?, plugin::make("videoconvert")?];
    chain(pipeline, &[&source, &tail[0], &tail[1]])?;
    let [_, last] = tail;
    Ok(Opened { last, feed: None })
}

fn test(pipeline: &gst::Pipeline, size: Size, framerate: Framerate) -> Result<Opened, Failure> {
    let source = plugin::make("videotestsrc")?;
    source.set_property("is-live", true);
    let filter = plugin::make("capsfilter")?;
    let caps = gst::Caps::builder("video/x-raw")
        .field("width", size.width.cast_signed())
        .field("height", size.height.cast_signed())
        .field("framerate", fraction(framerate))
        .build();
    filter.set_property("caps", caps);
    chain(pipeline, &[&source, &filter])?;
    Ok(Opened { last: filter, feed: None })
}

/// What comes out of `decoder`, made progressive and brought into a format that we paint: neither does anything to
/// frames that are so already.
fn decoded(pipeline: &gst::Pipeline, decoder: &gst::Element) -> Result<gst::Element, Failure> {
    let (deinterlace, convert) = (plugin::make("deinterlace")?, plugin::make("videoconvert")?);
    chain(pipeline, &[&deinterlace, &convert])?;
    let sink = plugin::pad(&deinterlace, "sink")?;
    decoder.connect_pad_added(move |_, pad| {
        let video = pad.current_caps().is_some_and(|caps| {
            caps.structure(0).is_some_and(|structure| structure.name().starts_with("video/"))
        });
        if video
            && !sink.is_linked()
            && let Err(error) = pad.link(&sink)
        {
            gst::warning!(gst::CAT_RUST, "the decoder's pad can not be linked: {error}");
        }
    });
    Ok(convert)
}

/// Adds `elements` to `pipeline` and links one to the next.
pub(super) fn chain(pipeline: &gst::Pipeline, elements: &[&gst::Element]) -> Result<(), Failure> {
    pipeline.add_many(elements.iter().copied()).map_err(Failure::build)?;
    gst::Element::link_many(elements.iter().copied()).map_err(Failure::build)
}

fn fraction(rate: Framerate) -> gst::Fraction {
    gst::Fraction::new(rate.numerator.cast_signed(), rate.denominator.cast_signed())
}
