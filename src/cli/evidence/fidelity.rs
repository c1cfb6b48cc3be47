//! How much of the picture `polyplive` changes outside of its overlay: sample by sample, in every format and style.
//!
//! The overlay's place is told from the mask alone, and not from how it is painted: the box around every pixel at which the probability
//! reaches the lowest level that is drawn, with a margin for the lines, and the badge's corner.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst_video::prelude::*;
use polyp::config::{Isolation, Mode, Overlay, Segment};
use polyp::frame::{PixelFormat, Rect, Size};
use polyp::metric::{bounds, grown, to_picture};
use polyp::overlay::{Badge, STYLES, Settings};

use super::super::failure::Failure;
use super::super::feed::Frames;
use super::super::kept::Kept;
use super::super::reading::Reading;
use super::super::source::{self, Opened};
use super::super::{bus, live, plugin};

/// The margin around a mask is the frame's height over this: lines are 2.5 pixels wide on 1080, and dashes and halos lie beside them.
const MARGIN: u32 = 60;
/// All of them stand in the upper right corner.
const BADGES: [Badge; 6] =
    [Badge::Live, Badge::Starting, Badge::NoMask, Badge::Late, Badge::Frozen, Badge::Fault];

/// What was found in one format with one style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fidelity {
    pub(super) format: String,
    pub(super) style: String,
    pub(super) frames: u64,
    /// Frames that had a mask, and so an overlay.
    pub(super) with_mask: u64,
    /// Samples outside of the overlay's place.
    pub(super) outside: u64,
    /// Of them those that are not as they came in.
    pub(super) changed_outside: u64,
    /// Samples in the overlay's place that are not as they came in.
    pub(super) changed_inside: u64,
    /// Frames of which nothing could be compared.
    pub(super) not_compared: u64,
}

/// Measures all formats and styles, on `count` frames each.
pub(super) fn measure(
    segment: &Segment,
    kept: &Kept,
    (size, framerate): (Size, polyp::config::Framerate),
    count: u64,
) -> Result<Vec<Fidelity>, Failure> {
    let mut all = Vec::new();
    for format in PixelFormat::ALL {
        for style in STYLES {
            let segment = Segment {
                mode: Mode::Locked,
                isolation: Isolation::Thread,
                latency_budget: live::PATIENCE,
                ..segment.clone()
            };
            let overlay = Overlay { style: style.name().to_owned(), ..Overlay::default() };
            let mut found = pass(&segment, &overlay, kept, (size, framerate), count, format)?;
            (found.format, found.style) = (format.name().to_owned(), style.name().to_owned());
            all.push(found);
        }
    }
    Ok(all)
}

fn pass(
    segment: &Segment,
    overlay: &Overlay,
    kept: &Kept,
    (size, framerate): (Size, polyp::config::Framerate),
    count: u64,
    format: PixelFormat,
) -> Result<Fidelity, Failure> {
    let live = live::make(segment, overlay, None)?;
    let convert = plugin::make("videoconvert")?;
    let filter = plugin::make("capsfilter")?;
    filter.set_property("caps", gst::Caps::builder("video/x-raw").field("format", format.name()).build());
    let sink = plugin::make("fakesink")?;
    sink.set_property("sync", false);
    let found = Arc::new(Mutex::new(Fidelity::default()));
    // What came in: copied, so that nobody can have painted on it.
    let before: Arc<Mutex<Option<gst::Buffer>>> = Arc::default();
    let entry = Arc::clone(&before);
    plugin::pad(&live, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let copy = info.buffer().and_then(|buffer| buffer.copy_deep().ok());
        *entry.lock().unwrap_or_else(PoisonError::into_inner) = copy;
        gst::PadProbeReturn::Ok
    });
    let (figures, settings) = (Arc::clone(&found), overlay.settings.clone());
    plugin::pad(&live, "src")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let before = before.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.frames += 1;
        let caps = pad.current_caps();
        let compared = before.zip(info.buffer()).zip(caps).and_then(|((before, after), caps)| {
            let info = gst_video::VideoInfo::from_caps(&caps).ok()?;
            compare(&mut figures, &before, after, &info, &settings)
        });
        figures.not_compared += u64::from(compared.is_none());
        gst::PadProbeReturn::Ok
    });
    let pipeline = gst::Pipeline::new();
    let step = (kept.count() / usize::try_from(count).unwrap_or(1).max(1)).max(1);
    let Opened { last, feed } = source::feed(
        &pipeline,
        Frames { format: PixelFormat::Nv12, size, framerate, count: Some(count), paint: kept.painter(step) },
    )?;
    source::chain(&pipeline, &[&convert, &filter, &live, &sink])?;
    last.link(&convert).map_err(Failure::build)?;
    let played = bus::play(&pipeline, feed, || {})?;
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if played.interrupted || found.frames != count {
        let name = format.name();
        return Err(Failure::Stream(format!(
            "{name}: expected {count} frames, found {}; nothing is written",
            found.frames
        )));
    }
    Ok(found)
}

/// Compares a frame with what came in.
fn compare(
    figures: &mut Fidelity,
    before: &gst::Buffer,
    after: &gst::BufferRef,
    info: &gst_video::VideoInfo,
    settings: &Settings,
) -> Option<()> {
    let format = PixelFormat::from_name(info.format().to_str())?;
    let size = Size::new(info.width(), info.height());
    let reading = Reading::of(after)?;
    let mask = reading.mask.as_ref().map(|(mask, _)| mask);
    let lowest = settings.levels.iter().copied().fold(settings.threshold, f32::min);
    let overlay = mask.and_then(|mask| {
        let reached: Vec<bool> = to_picture(mask, size).iter().map(|p| *p >= lowest).collect();
        let margin = size.height.div_ceil(MARGIN);
        bounds(&reached, size).map(|rect| grown(rect, (margin, margin), size))
    });
    let places: Vec<Rect> = overlay.into_iter().chain(badge(settings, size)).collect();
    let is_in = |x: u32, y: u32| {
        places.iter().any(|r| (r.x..r.x + r.width).contains(&x) && (r.y..r.y + r.height).contains(&y))
    };
    let first = gst_video::VideoFrameRef::from_buffer_ref_readable(before, info).ok()?;
    let second = gst_video::VideoFrameRef::from_buffer_ref_readable(after, info).ok()?;
    for plane in 0..format.planes() {
        let (bytes, rows) = format.plane_extent(plane, size);
        let index = u32::try_from(plane).ok()?;
        let stride = |frame: &[i32]| frame.get(plane).and_then(|stride| usize::try_from(*stride).ok());
        let (one, other) = (stride(first.plane_stride())?, stride(second.plane_stride())?);
        let (one_plane, other_plane) = (first.plane_data(index).ok()?, second.plane_data(index).ok()?);
        for row in 0..rows {
            let old = one_plane.get(row * one..row * one + bytes)?;
            let new = other_plane.get(row * other..row * other + bytes)?;
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                let (x, y) = pixel(format, plane, at, row);
                if is_in(x, y) {
                    figures.changed_inside += u64::from(old != new);
                } else {
                    figures.outside += 1;
                    figures.changed_outside += u64::from(old != new);
                }
            }
        }
    }
    figures.with_mask += u64::from(overlay.is_some());
    Some(())
}

/// Where a badge may be, whichever it is.
fn badge(settings: &Settings, size: Size) -> Option<Rect> {
    let plates = BADGES.into_iter().filter_map(|badge| badge.plate(settings, size));
    let left = plates.clone().map(|plate| plate.left).min()?;
    let bottom = plates.map(|plate| plate.top + plate.shape.len() * plate.unit_px).max()?;
    let (x, height) = (u32::try_from(left).ok()?, u32::try_from(bottom).ok()?.min(size.height));
    Some(Rect { x, y: 0, width: size.width.checked_sub(x)?, height })
}

/// The first pixel that the byte `at` of a row of a plane is of.
fn pixel(format: PixelFormat, plane: usize, at: usize, row: usize) -> (u32, u32) {
    let (x, y) = match (format, plane) {
        (PixelFormat::I420 | PixelFormat::Nv12, 0) => (at, row),
        (PixelFormat::I420, _) => (2 * at, 2 * row),
        (PixelFormat::Nv12, _) => (at / 2 * 2, 2 * row),
        (PixelFormat::Yuy2 | PixelFormat::Uyvy, _) => (at / 4 * 2, row),
        (PixelFormat::Rgb, _) => (at / 3, row),
        (PixelFormat::Bgrx | PixelFormat::Bgra | PixelFormat::Rgba, _) => (at / 4, row),
    };
    (x as u32, y as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(bytes: Vec<u8>) -> gst::Buffer {
        gst::Buffer::from_mut_slice(bytes)
    }

    #[test]
    fn a_sample_that_changed_outside_is_counted_and_one_under_the_badge_is_not() {
        gst::init().unwrap();
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, 640, 480).build().unwrap();
        let settings = Settings::default();
        let place = badge(&settings, Size::new(640, 480)).unwrap();
        assert!(place.x > 320 && place.height < 200, "{place}");
        let before = buffer(vec![100; info.size()]);
        let mut bytes = vec![100; info.size()];
        bytes[3 * 640 * 240] = 101;
        bytes[3 * (place.x as usize + 1)] = 101;
        let mut after = buffer(bytes);
        let mut figures = Fidelity::default();
        // Nothing hangs on it: it can not be compared.
        assert_eq!(compare(&mut figures, &before, &after, &info, &settings), None);
        gst::meta::CustomMeta::register("PolypSegmentationMeta", &[]);
        let meta = gst::meta::CustomMeta::add(after.get_mut().unwrap(), "PolypSegmentationMeta");
        let mut meta = meta.unwrap();
        meta.mut_structure().set("badge", "no-mask");
        meta.mut_structure().set("sequence", 1_u64);
        assert_eq!(compare(&mut figures, &before, &after, &info, &settings), Some(()));
        assert_eq!((figures.changed_outside, figures.changed_inside, figures.with_mask), (1, 1, 0));
        let badge = u64::from(place.width * place.height * 3);
        assert_eq!(figures.outside, 640 * 480 * 3 - badge);
    }

    #[test]
    fn bytes_are_of_their_pixels() {
        assert_eq!(pixel(PixelFormat::Nv12, 1, 5, 3), (4, 6));
        assert_eq!(pixel(PixelFormat::I420, 2, 5, 3), (10, 6));
        assert_eq!(pixel(PixelFormat::Uyvy, 0, 7, 3), (2, 3));
        assert_eq!(pixel(PixelFormat::Bgra, 0, 7, 3), (1, 3));
    }
}
